// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PackagePrice} from "../src/interfaces/IPackagePrices.sol";
import {Band, IPricePackages, PackageChoice, PackageTerms} from "../src/interfaces/IPricePackages.sol";
import {PricePackages} from "../src/markets/PricePackages.sol";
import {Rules} from "../src/types/Rules.sol";
import {Town} from "./support/Town.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice An owner that is a contract and accepts one digest.
contract PackageWallet {
    bytes32 private immutable _accepted;

    constructor(bytes32 accepted) {
        _accepted = accepted;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == _accepted ? this.isValidSignature.selector : bytes4(0);
    }
}

contract PricePackagesTest is Town {
    uint32 private constant HOME = 4;
    uint32 private constant OTHER = 5;
    uint32 private constant THIRD = 6;
    uint32 private constant FOREVER = type(uint32).max;

    PricePackages private packages;

    function setUp() public {
        _deploy(3);
        packages = PricePackages(
            vm.deployCode("PricePackages.sol:PricePackages", abi.encode(accounts, communities))
        );
    }

    function test_a_flat_package_covers_every_slot_from_its_first_day() public {
        uint32 package = _publish(_flat(150_000));
        _subscribe(HOME, package, DAY);
        _covers(HOME, DAY, 0, 150_000, type(uint32).max);
        _covers(HOME, DAY, SLOTS - 1, 150_000, type(uint32).max);
        _covers(HOME, DAY + 1000, 3, 150_000, type(uint32).max);
        _covers(HOME, DAY - 1, 3, 0, 0);
        _covers(OTHER, DAY, 3, 0, 0);
    }

    function test_bands_give_each_slot_its_price() public {
        PackageTerms memory terms = _flat(0);
        terms.volume = 700;
        terms.bands = new Band[](8);
        for (uint16 i = 0; i < 8; ++i) {
            terms.bands[i] = Band(i == 7 ? uint16(SLOTS) : i + 1, int32(uint32(i)) * 10_000 - 20_000);
        }
        uint32 package = _publish(terms);
        _subscribe(HOME, package, DAY);
        for (uint32 slot = 0; slot < SLOTS; ++slot) {
            int32 band = int32(slot < 7 ? slot : 7);
            _covers(HOME, DAY, slot, band * 10_000 - 20_000, 700);
        }
    }

    function test_a_spot_package_follows_the_reference_within_the_cap_and_covers_nothing_without_one()
        public
    {
        PackageTerms memory terms = _flat(30_000);
        terms.spot = true;
        uint32 package = _publish(terms);
        _subscribe(HOME, package, DAY);
        int32[5] memory spots = [int32(0), -50_000, 1_990_000, -2_040_000, type(int32).max];
        int32[5] memory prices = [int32(30_000), -20_000, 2_000_000, -2_000_000, 2_000_000];
        for (uint256 i = 0; i < 5; ++i) {
            (PackagePrice memory supply,,) = packages.pricesAt(COMMUNITY, HOME, 0, DAY, 1, spots[i], true);
            vm.assertEq(supply.price, prices[i]);
        }
        (PackagePrice memory none,, uint256 fee) = packages.pricesAt(COMMUNITY, HOME, 0, DAY, 0, 7, false);
        vm.assertEq(none.volume, 0);
        vm.assertEq(fee, 5e6, "the fee is due without a reference too");
    }

    function test_supply_and_feed_in_stand_side_by_side_and_their_fees_add_up_once_a_day() public {
        uint32 supply = _publish(_flat(150_000));
        uint32 feedIn = _publish(_feedIn(80_000));
        _subscribe(HOME, supply, DAY);
        _subscribe(HOME, feedIn, DAY + 1);
        (PackagePrice memory s, PackagePrice memory f, uint256 fee) =
            packages.pricesAt(COMMUNITY, HOME, 0, DAY + 1, 0, 0, false);
        vm.assertEq(s.price, 150_000);
        vm.assertEq(f.price, 80_000);
        vm.assertEq(fee, 10e6);
        (,, fee) = packages.pricesAt(COMMUNITY, HOME, 0, DAY + 1, 1, 0, false);
        vm.assertEq(fee, 0);
        (, f, fee) = packages.pricesAt(COMMUNITY, HOME, 0, DAY, 0, 0, false);
        vm.assertEq(f.volume, 0);
        vm.assertEq(fee, 5e6);
    }

    function test_a_package_counts_in_its_window_only() public {
        PackageTerms memory terms = _flat(1);
        (terms.firstDay, terms.lastDay) = (DAY + 2, DAY + 3);
        uint32 package = _publish(terms);
        _refuses(abi.encodeWithSelector(IPricePackages.DayOutOfRange.selector, DAY + 1, DAY + 2, DAY + 3));
        packages.subscribe(HOME, package, DAY + 1);
        _refuses(abi.encodeWithSelector(IPricePackages.DayOutOfRange.selector, DAY + 4, DAY + 2, DAY + 3));
        packages.subscribe(HOME, package, DAY + 4);
        _subscribe(HOME, package, DAY + 2);
        _covers(HOME, DAY + 3, 0, 1, type(uint32).max);
        _covers(HOME, DAY + 4, 0, 0, 0);
        (,, uint256 fee) = packages.pricesAt(COMMUNITY, HOME, 0, DAY + 4, 0, 0, false);
        vm.assertEq(fee, 0);
    }

    function test_only_who_may_bind_the_retailer_publishes_sound_terms() public {
        PackageTerms memory terms = _flat(1);
        _refuses(abi.encodeWithSelector(IPricePackages.NotRetailer.selector, COMMUNITY, _ownerOf(HOME)));
        packages.publish(terms);
        string[12] memory parts = [
            "days",
            "days",
            "product",
            "product",
            "homes",
            "noticeDays",
            "noticeDays",
            "greenPermille",
            "bands",
            "untilSlot",
            "untilSlot",
            "price"
        ];
        for (uint256 i = 0; i < parts.length; ++i) {
            terms = _flat(1);
            if (i == 0) terms.firstDay = DAY - 1;
            if (i == 1) terms.lastDay = terms.firstDay - 1;
            if (i == 2) terms.product = 1;
            if (i == 3) terms.product = 8;
            if (i == 4) terms.homes = 0;
            if (i == 5) terms.noticeDays = 0;
            if (i == 6) terms.noticeDays = 61;
            if (i == 7) terms.greenPermille = 1001;
            if (i == 8) terms.bands = new Band[](0);
            if (i == 9) terms.bands[0].untilSlot = uint16(SLOTS - 1);
            if (i == 10) terms.bands[0].untilSlot = 0;
            if (i == 11) terms.bands[0].price = -2_000_001;
            vm.prank(_ownerOf(RETAILER));
            vm.expectRevert(abi.encodeWithSelector(IPricePackages.InvalidTerms.selector, parts[i]));
            packages.publish(terms);
        }
        terms = _flat(1);
        terms.bands = new Band[](9);
        vm.prank(_ownerOf(RETAILER));
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.InvalidTerms.selector, "bands"));
        packages.publish(terms);
    }

    function test_only_keys_that_bind_the_account_choose() public {
        uint32 package = _publish(_flat(1));
        address key = address(0xD0);
        vm.prank(_ownerOf(HOME));
        accounts.setLimitedDeviceKey(HOME, key, type(uint40).max, 1000, -1, 1);
        bytes memory refusal = abi.encodeWithSelector(IPricePackages.NotAuthorised.selector, HOME, key);
        vm.startPrank(key);
        vm.expectRevert(refusal);
        packages.subscribe(HOME, package, DAY);
        vm.expectRevert(refusal);
        packages.switchTo(HOME, package, DAY);
        vm.expectRevert(refusal);
        packages.unsubscribe(HOME, 0, false, DAY);
        vm.stopPrank();
        vm.prank(_ownerOf(HOME));
        accounts.setDeviceKey(HOME, key);
        vm.prank(key);
        packages.subscribe(HOME, package, DAY);
        vm.assertEq(packages.packageAt(HOME, 0, false, DAY), package);
    }

    function test_an_account_of_another_community_or_without_a_meter_cannot_have_it() public {
        uint32 package = _publish(_flat(1));
        _refuses(abi.encodeWithSelector(IPricePackages.NoSuchPackage.selector, HOME, 99));
        packages.subscribe(HOME, 99, DAY);
        vm.startPrank(REGISTRAR);
        uint32 foreign = accounts.register(_ownerOf(HOME), COMMUNITY + 1);
        uint32 bare = accounts.register(_ownerOf(HOME), COMMUNITY);
        for (uint32 i = 0; i < 3; ++i) {
            accounts.register(_ownerOf(RETAILER), COMMUNITY + 1);
        }
        vm.stopPrank();
        Rules memory rules = _rules();
        (rules.retailer, rules.gridOperator, rules.platform) = (bare + 1, bare + 2, bare + 3);
        vm.prank(ADMIN);
        communities.create(rules, _sessions(), _reporters());
        _refuses(abi.encodeWithSelector(IPricePackages.NoSuchPackage.selector, foreign, package));
        packages.subscribe(foreign, package, DAY);
        _refuses(abi.encodeWithSelector(IPricePackages.NoMeter.selector, bare, 0));
        packages.subscribe(bare, package, DAY);
    }

    function test_a_choice_counts_from_after_the_notice_and_before_the_first_gate() public {
        PackageTerms memory terms = _flat(1);
        terms.noticeDays = 3;
        uint32 slow = _publish(terms);
        uint32 fast = _publish(_flat(2));
        // Today is the day before `DAY`.
        _refuses(abi.encodeWithSelector(IPricePackages.DayOutOfRange.selector, DAY + 1, DAY + 2, DAY + 61));
        packages.subscribe(HOME, slow, DAY + 1);
        _refuses(abi.encodeWithSelector(IPricePackages.DayOutOfRange.selector, DAY - 1, DAY, DAY + 61));
        packages.subscribe(HOME, fast, DAY - 1);
        _refuses(abi.encodeWithSelector(IPricePackages.DayOutOfRange.selector, DAY + 62, DAY, DAY + 61));
        packages.subscribe(HOME, fast, DAY + 62);
        _subscribe(HOME, slow, DAY + 2);
        _refuses(abi.encodeWithSelector(IPricePackages.ChangePending.selector, HOME, DAY + 2));
        packages.switchTo(HOME, fast, DAY + 10);
        vm.warp(DAY_START + 2 * 86_400);
        _refuses(abi.encodeWithSelector(IPricePackages.DayOutOfRange.selector, DAY + 4, DAY + 5, DAY + 64));
        packages.switchTo(HOME, fast, DAY + 4);
        vm.prank(_ownerOf(HOME));
        packages.switchTo(HOME, fast, DAY + 5);
        vm.assertEq(packages.packageAt(HOME, 0, false, DAY + 4), slow);
        vm.assertEq(packages.packageAt(HOME, 0, false, DAY + 5), fast);
        vm.warp(DAY_START + 6 * 86_400 - 39_600);
        _refuses(abi.encodeWithSelector(IPricePackages.GateClosed.selector, DAY + 6));
        packages.unsubscribe(HOME, 0, false, DAY + 6);
        vm.prank(_ownerOf(HOME));
        packages.unsubscribe(HOME, 0, false, DAY + 7);
        _covers(HOME, DAY + 6, 0, 2, type(uint32).max);
        _covers(HOME, DAY + 7, 0, 0, 0);
    }

    function test_calls_say_what_they_change() public {
        uint32 package = _publish(_flat(1));
        uint32 other = _publish(_flat(2));
        _refuses(abi.encodeWithSelector(IPricePackages.WrongCall.selector, HOME, 0));
        packages.switchTo(HOME, package, DAY);
        _refuses(abi.encodeWithSelector(IPricePackages.NothingChanges.selector, HOME, 0));
        packages.unsubscribe(HOME, 0, false, DAY);
        vm.expectEmit();
        emit IPricePackages.Subscribed(HOME, package, DAY);
        _subscribe(HOME, package, DAY);
        vm.warp(DAY_START);
        _refuses(abi.encodeWithSelector(IPricePackages.WrongCall.selector, HOME, package));
        packages.subscribe(HOME, other, DAY + 2);
        _refuses(abi.encodeWithSelector(IPricePackages.NothingChanges.selector, HOME, package));
        packages.switchTo(HOME, package, DAY + 2);
        vm.expectEmit();
        emit IPricePackages.Switched(HOME, other, package, DAY + 2);
        vm.prank(_ownerOf(HOME));
        packages.switchTo(HOME, other, DAY + 2);
        vm.warp(DAY_START + 2 * 86_400);
        vm.expectEmit();
        emit IPricePackages.Left(HOME, other, DAY + 4);
        vm.prank(_ownerOf(HOME));
        packages.unsubscribe(HOME, 0, false, DAY + 4);
    }

    function test_a_place_is_never_sold_twice() public {
        PackageTerms memory terms = _flat(1);
        terms.homes = 1;
        uint32 package = _publish(terms);
        vm.assertEq(packages.placesLeft(package, DAY), 1);
        _subscribe(HOME, package, DAY);
        vm.assertEq(packages.placesLeft(package, DAY), 0);
        vm.prank(_ownerOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.SoldOut.selector, package, DAY));
        packages.subscribe(OTHER, package, DAY);
        vm.warp(DAY_START);
        vm.prank(_ownerOf(HOME));
        packages.unsubscribe(HOME, 0, false, DAY + 9);
        vm.prank(_ownerOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.SoldOut.selector, package, DAY + 8));
        packages.subscribe(OTHER, package, DAY + 8);
        _subscribe(OTHER, package, DAY + 9);
        vm.assertEq(packages.placesLeft(package, DAY + 8), 0);
        vm.prank(_ownerOf(THIRD));
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.SoldOut.selector, package, DAY + 20));
        packages.subscribe(THIRD, package, DAY + 20);
    }

    function test_who_has_a_withdrawn_package_keeps_it() public {
        uint32 package = _publish(_flat(1));
        _subscribe(HOME, package, DAY);
        _refuses(abi.encodeWithSelector(IPricePackages.NotRetailer.selector, COMMUNITY, _ownerOf(HOME)));
        packages.withdraw(package);
        vm.startPrank(_ownerOf(RETAILER));
        packages.withdraw(package);
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.Withdrawn.selector, package));
        packages.withdraw(package);
        vm.stopPrank();
        vm.prank(_ownerOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.Withdrawn.selector, package));
        packages.subscribe(OTHER, package, DAY);
        _covers(HOME, DAY + 400, 0, 1, type(uint32).max);
        (uint32 community, uint32 retailer, uint16 green, bool withdrawn) = packages.packageOf(package);
        vm.assertEq(community, COMMUNITY);
        vm.assertEq(retailer, RETAILER);
        vm.assertEq(green, 600);
        vm.assertTrue(withdrawn);
    }

    function test_a_package_binds_only_the_retailer_that_published_it() public {
        uint32 package = _publish(_flat(1));
        _subscribe(HOME, package, DAY);
        Rules memory rules = _rules();
        rules.retailer = PLATFORM;
        vm.prank(ADMIN);
        communities.change(COMMUNITY, DAY + 10, rules, _sessions(), _reporters());
        _covers(HOME, DAY + 9, 0, 1, type(uint32).max);
        _covers(HOME, DAY + 10, 0, 0, 0);
        PackageTerms memory terms = _flat(1);
        terms.firstDay = DAY + 10;
        vm.prank(_ownerOf(RETAILER));
        vm.expectRevert(
            abi.encodeWithSelector(IPricePackages.NotRetailer.selector, COMMUNITY, _ownerOf(RETAILER))
        );
        packages.publish(terms);
    }

    function test_a_signed_choice_works_once_until_it_expires() public {
        uint32 package = _publish(_flat(1));
        PackageChoice memory choice = PackageChoice(HOME, 0, false, package, DAY, uint64(BEFORE_GATE));
        bytes memory signature = _sign(_keyOf(HOME), address(packages), _hash(choice));
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.NotAuthorised.selector, HOME, address(this)));
        packages.chooseSigned(choice, _sign(_keyOf(OTHER), address(packages), _hash(choice)));
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.NotAuthorised.selector, HOME, address(this)));
        packages.chooseSigned(choice, "");
        vm.warp(BEFORE_GATE + 1);
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.Expired.selector, choice.validTo));
        packages.chooseSigned(choice, signature);
        vm.warp(BEFORE_GATE);
        packages.chooseSigned(choice, signature);
        vm.assertEq(packages.packageAt(HOME, 0, false, DAY), package);
        vm.expectRevert(abi.encodeWithSelector(IPricePackages.ChangePending.selector, HOME, DAY));
        packages.chooseSigned(choice, signature);
    }

    function test_a_contract_wallet_chooses_by_eip_1271() public {
        uint32 package = _publish(_flat(1));
        PackageChoice memory choice =
            PackageChoice(accounts.accountCount() + 1, 0, false, package, DAY, NEVER);
        PackageWallet wallet = new PackageWallet(_digest(address(packages), _hash(choice)));
        vm.startPrank(REGISTRAR);
        accounts.register(address(wallet), COMMUNITY);
        accounts.approveMeter(choice.account, 0, bytes32(uint256(77)));
        vm.stopPrank();
        packages.chooseSigned(choice, "anything");
        vm.assertEq(packages.packageAt(choice.account, 0, false, DAY), package);
        (choice.package, choice.fromDay) = (0, DAY + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IPricePackages.NotAuthorised.selector, choice.account, address(this))
        );
        packages.chooseSigned(choice, "anything");
    }

    /// @dev Random choices of three homes over weeks, next to plain arrays of who has what on each day.
    function testFuzz_no_day_is_oversold_and_no_settled_day_changes(uint256 seed) public {
        uint32[2] memory ids;
        for (uint256 i = 0; i < 2; ++i) {
            PackageTerms memory terms = _flat(int32(uint32(i)));
            terms.homes = uint32(i + 1);
            terms.noticeDays = uint16(clamp(seed >> (8 * i), 1, 4));
            ids[i] = _publish(terms);
        }
        uint32[40][3] memory plain;
        for (uint32 day = 0; day < 25; ++day) {
            vm.warp(BEFORE_GATE + day * uint256(86_400));
            for (uint32 home = 0; home < 3; ++home) {
                seed = uint256(keccak256(abi.encode(seed)));
                uint32 package = uint32(clamp(seed, 0, 2));
                uint32 offset = uint32(clamp(seed >> 8, 0, 9));
                PackageChoice memory choice = PackageChoice(
                    FIRST_HOME + home,
                    0,
                    false,
                    package == 0 ? 0 : ids[package - 1],
                    DAY + day + offset,
                    NEVER
                );
                bytes memory signature = _sign(_keyOf(choice.account), address(packages), _hash(choice));
                try packages.chooseSigned(choice, signature) {
                    for (uint256 d = day + offset; d < 40; ++d) {
                        plain[home][d] = choice.package;
                    }
                } catch {}
            }
            for (uint32 d = 0; d < 40; ++d) {
                uint256[3] memory has;
                for (uint32 home = 0; home < 3; ++home) {
                    uint32 found = packages.packageAt(FIRST_HOME + home, 0, false, DAY + d);
                    vm.assertEq(found, plain[home][d]);
                    ++has[found == ids[0] ? 1 : found == ids[1] ? 2 : 0];
                }
                vm.assertLe(has[1], 1, "places of the first package");
                vm.assertLe(has[2], 2, "places of the second package");
                if (d == 39) {
                    vm.assertEq(packages.placesLeft(ids[0], DAY + d), 1 - has[1]);
                    vm.assertEq(packages.placesLeft(ids[1], DAY + d), 2 - has[2]);
                }
            }
        }
    }

    function _hash(PackageChoice memory choice) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "PackageChoice(uint32 account,uint8 product,bool feedIn,uint32 package,uint32 fromDay,uint64 validTo)"
                ),
                choice
            )
        );
    }

    function _flat(int32 price) private pure returns (PackageTerms memory terms) {
        Band[] memory bands = new Band[](1);
        bands[0] = Band(uint16(SLOTS), price);
        terms = PackageTerms({
            community: COMMUNITY,
            product: 0,
            feedIn: false,
            spot: false,
            bands: bands,
            volume: 0,
            homes: 10,
            firstDay: DAY,
            lastDay: FOREVER,
            dailyFee: 5e6,
            noticeDays: 1,
            greenPermille: 600,
            nameHash: keccak256("name")
        });
    }

    function _feedIn(int32 price) private pure returns (PackageTerms memory terms) {
        terms = _flat(price);
        terms.feedIn = true;
    }

    function _publish(PackageTerms memory terms) private returns (uint32) {
        vm.prank(_ownerOf(RETAILER));
        return packages.publish(terms);
    }

    function _subscribe(uint32 account, uint32 package, uint32 fromDay) private {
        vm.prank(_ownerOf(account));
        packages.subscribe(account, package, fromDay);
    }

    /// @dev The next call, by the owner of the first home, reverts so.
    function _refuses(bytes memory reason) private {
        vm.prank(_ownerOf(HOME));
        vm.expectRevert(reason);
    }

    function _covers(uint32 account, uint32 day, uint32 slotOfDay, int32 price, uint32 volume) private view {
        (PackagePrice memory supply,,) = packages.pricesAt(COMMUNITY, account, 0, day, slotOfDay, 0, false);
        vm.assertEq(supply.price, price);
        vm.assertEq(supply.volume, volume);
    }
}
