// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BilateralDeal, BilateralTerms, IBilateralContracts} from "../src/interfaces/IBilateralContracts.sol";
import {IPositions} from "../src/interfaces/IPositions.sol";
import {MeterRoot} from "../src/interfaces/IOracle.sol";
import {MeterProof} from "../src/types/Evidence.sol";
import {BilateralContracts} from "../src/markets/BilateralContracts.sol";
import {Form} from "../src/types/Form.sol";
import {Agreement} from "../src/types/Position.sol";
import {Rules} from "../src/types/Rules.sol";
import {DigestWallet} from "./support/DigestWallet.sol";
import {Town} from "./support/Town.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice What the oracle says of prices and meters, without its reporters.
contract SaidValues {
    mapping(uint32 community => mapping(uint8 feed => mapping(uint32 day => bytes32))) public tariffHash;

    mapping(uint32 slot => MeterRoot) private _roots;

    function sayPrices(uint32 community, uint32 day, bytes calldata prices) external {
        tariffHash[community][2][day] = keccak256(prices);
    }

    function sayMeters(uint32 slot, MeterRoot calldata root) external {
        _roots[slot] = root;
    }

    function meterRoot(uint32, uint8, uint32 slot) external view returns (MeterRoot memory) {
        return _roots[slot];
    }
}

contract BilateralContractsTest is Town {
    uint32 private constant SELLER = 4;
    uint32 private constant BUYER = 5;
    uint32 private constant OTHER = 6;
    uint64 private constant FEE = 3e9;
    uint256 private constant FUNDS = 100e9;

    /// @dev Fees of a bought kWh and the cap that a seller's lock covers, as the town's rules have them.
    uint256 private constant FEES = 21_000;
    uint256 private constant CAP = 2_000_000;

    BilateralContracts private deals;
    SaidValues private said;

    function setUp() public {
        _deploy(3);
    }

    function _deployForms() internal override {
        said = new SaidValues();
        deals = BilateralContracts(
            vm.deployCode(
                "BilateralContracts.sol:BilateralContracts",
                abi.encode(accounts, communities, positions, said)
            )
        );
        _grantMarket(address(deals));
    }

    function test_two_signatures_put_terms_in_force_once() public {
        BilateralTerms memory terms = _profile(150_000);
        (bytes memory a, bytes memory b) = _signatures(terms);
        vm.expectEmit();
        emit IBilateralContracts.Concluded(1, SELLER, BUYER, deals.hashOf(terms), terms);
        vm.prank(address(0xE5E));
        vm.assertEq(deals.conclude(terms, a, b), 1);
        vm.assertEq(accounts.freeOf(SELLER), FUNDS - FEE);
        vm.assertEq(accounts.freeOf(BUYER), FUNDS - FEE);
        BilateralDeal memory deal = deals.dealAt(1);
        vm.assertEq(deal.hash, deals.hashOf(terms));
        vm.assertEq(deal.lastDay, terms.toDay);
        vm.assertTrue(deal.depositsHeld);
        bytes memory spent = abi.encodeWithSelector(IBilateralContracts.Spent.selector, deals.hashOf(terms));
        vm.expectRevert(spent);
        deals.conclude(terms, a, b);
        vm.prank(_ownerOf(SELLER));
        vm.expectRevert(spent);
        deals.revoke(terms, SELLER);
        terms.salt = 8;
        (a, b) = _signatures(terms);
        vm.assertEq(deals.conclude(terms, a, b), 2);
    }

    function test_terms_bind_only_whom_they_were_signed_by_in_time() public {
        BilateralTerms memory terms = _profile(150_000);
        terms.validTo = uint64(BEFORE_GATE);
        (bytes memory a, bytes memory b) = _signatures(terms);
        _refuses(address(this), _notAuthorised(SELLER, address(this)));
        deals.conclude(terms, b, b);
        _refuses(address(this), _notAuthorised(BUYER, address(this)));
        deals.conclude(terms, a, a);
        _refuses(address(this), _notAuthorised(BUYER, address(this)));
        deals.conclude(terms, a, "");
        terms.price = 149_999;
        _refuses(address(this), _notAuthorised(SELLER, address(this)));
        deals.conclude(terms, a, b);
        terms.price = 150_000;
        vm.warp(BEFORE_GATE + 1);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.Expired.selector, terms.validTo));
        deals.conclude(terms, a, b);
        vm.warp(BEFORE_GATE);
        vm.prank(_ownerOf(BUYER));
        accounts.setLimitedDeviceKey(BUYER, vm.addr(77), type(uint40).max, 20_000, -1e6, 1e6);
        bytes memory limited = _sign77(terms);
        _refuses(address(this), _notAuthorised(BUYER, address(this)));
        deals.conclude(terms, a, limited);
        vm.prank(_ownerOf(BUYER));
        accounts.setDeviceKey(BUYER, vm.addr(77));
        deals.conclude(terms, a, limited);
    }

    function test_a_contract_wallet_signs_by_eip_1271() public {
        DigestWallet wallet = new DigestWallet();
        vm.startPrank(REGISTRAR);
        uint32 account = accounts.register(address(wallet), COMMUNITY);
        accounts.approveMeter(account, 0, bytes32(uint256(99)));
        vm.stopPrank();
        _fund(account, 100e6);
        BilateralTerms memory terms = _profile(1);
        terms.buyer = account;
        (bytes memory a,) = _signatures(terms);
        _refuses(address(this), _notAuthorised(account, address(this)));
        deals.conclude(terms, a, "wallet");
        wallet.accept(deals.hashOf(terms));
        deals.conclude(terms, a, "wallet");
    }

    function test_parties_agree_on_chain_too() public {
        BilateralTerms memory terms = _profile(1);
        bytes32 hash = deals.hashOf(terms);
        _refuses(_ownerOf(BUYER), abi.encodeWithSelector(IBilateralContracts.NotProposed.selector, hash));
        deals.accept(terms, BUYER);
        _refuses(_ownerOf(OTHER), _notAuthorised(OTHER, _ownerOf(OTHER)));
        deals.propose(terms, OTHER);
        _refuses(_ownerOf(OTHER), _notAuthorised(SELLER, _ownerOf(OTHER)));
        deals.propose(terms, SELLER);
        vm.prank(_ownerOf(SELLER));
        deals.propose(terms, SELLER);
        _refuses(_ownerOf(SELLER), abi.encodeWithSelector(IBilateralContracts.NotProposed.selector, hash));
        deals.accept(terms, SELLER);
        vm.prank(_ownerOf(BUYER));
        vm.assertEq(deals.accept(terms, BUYER), 1);
        // A proposal and a signature go together as well.
        terms.salt = 9;
        vm.prank(_ownerOf(BUYER));
        deals.propose(terms, BUYER);
        (bytes memory a,) = _signatures(terms);
        vm.assertEq(deals.conclude(terms, a, ""), 2);
    }

    function test_what_was_revoked_or_came_from_a_former_key_binds_nobody() public {
        BilateralTerms memory terms = _profile(1);
        (bytes memory a, bytes memory b) = _signatures(terms);
        _refuses(_ownerOf(OTHER), _notAuthorised(OTHER, _ownerOf(OTHER)));
        deals.revoke(terms, OTHER);
        vm.prank(_ownerOf(BUYER));
        deals.revoke(terms, BUYER);
        bytes memory spent = abi.encodeWithSelector(IBilateralContracts.Spent.selector, deals.hashOf(terms));
        _refuses(address(this), spent);
        deals.conclude(terms, a, b);
        _refuses(_ownerOf(SELLER), spent);
        deals.propose(terms, SELLER);

        terms.salt = 8;
        vm.prank(_ownerOf(SELLER));
        accounts.setDeviceKey(SELLER, vm.addr(77));
        vm.prank(vm.addr(77));
        deals.propose(terms, SELLER);
        vm.prank(_ownerOf(SELLER));
        accounts.revokeDeviceKey(SELLER);
        bytes memory gone =
            abi.encodeWithSelector(IBilateralContracts.NotProposed.selector, deals.hashOf(terms));
        _refuses(_ownerOf(BUYER), gone);
        deals.accept(terms, BUYER);
    }

    function test_terms_out_of_bounds_are_refused() public {
        string[16] memory parts = [
            "product",
            "product",
            "buyer",
            "seller",
            "seller",
            "buyer",
            "source",
            "days",
            "days",
            "price",
            "price",
            "sharePermille",
            "sharePermille",
            "profile",
            "profile",
            "profile"
        ];
        vm.prank(REGISTRAR);
        uint32 bare = accounts.register(_ownerOf(SELLER), COMMUNITY);
        vm.prank(REGISTRAR);
        uint32 foreign = accounts.register(_ownerOf(SELLER), COMMUNITY + 1);
        for (uint256 i = 0; i < parts.length; ++i) {
            BilateralTerms memory terms = _profile(1);
            if (i == 0) terms.product = 1;
            if (i == 1) terms.product = 8;
            if (i == 2) terms.buyer = SELLER;
            if (i == 3) terms.seller = bare;
            if (i == 4) terms.seller = foreign;
            if (i == 5) terms.buyer = bare;
            if (i == 6) terms.source = 5;
            if (i == 7) terms.fromDay = DAY - 1;
            if (i == 8) terms.toDay = terms.fromDay - 1;
            if (i == 9) terms.price = 4_000_001;
            if (i == 10) (terms.spot, terms.price) = (true, -2_000_001);
            if (i == 11) terms.sharePermille = 1000;
            if (i == 12) (terms.sharePermille, terms.profile) = (1001, "");
            if (i == 13) terms.profile = new bytes(4 * SLOTS - 1);
            if (i == 14) terms.profile = new bytes(4 * SLOTS);
            if (i == 15) terms.profile = abi.encodePacked(uint32(20_001), new bytes(4 * SLOTS - 4));
            address owner = i == 5 ? _ownerOf(BUYER) : _ownerOf(SELLER);
            uint32 as_ = i == 5 ? SELLER : terms.seller;
            _refuses(
                i == 5 ? _ownerOf(SELLER) : owner,
                abi.encodeWithSelector(IBilateralContracts.InvalidTerms.selector, parts[i])
            );
            deals.propose(terms, as_);
        }
    }

    function test_who_cannot_deposit_the_fee_concludes_nothing() public {
        BilateralTerms memory terms = _profile(1);
        terms.fee = uint64(FUNDS) + 1;
        (bytes memory a, bytes memory b) = _signatures(terms);
        _refuses(
            address(this),
            abi.encodeWithSelector(IBilateralContracts.InsufficientDeposit.selector, SELLER, terms.fee, FUNDS)
        );
        deals.conclude(terms, a, b);
        vm.assertEq(accounts.freeOf(SELLER), FUNDS);
    }

    function test_a_day_is_delivered_once_by_anyone_and_locks_both_sides() public {
        BilateralTerms memory terms = _profile(-150_000);
        uint64 deal = _conclude(terms);
        _opens(_part(terms, deal, -150_000, 1, 3));
        vm.expectEmit();
        emit IBilateralContracts.Delivered(deal, DAY);
        deals.deliver(terms, DAY, "");
        vm.assertTrue(deals.isDelivered(deal, DAY));
        uint256 wh = 500 + 700;
        vm.assertEq(accounts.freeOf(SELLER), FUNDS - FEE - wh * (CAP + 150_000));
        vm.assertEq(accounts.freeOf(BUYER), FUNDS - FEE - wh * FEES);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, SELLER, DAY).count(), 1);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.AlreadyDelivered.selector, DAY));
        deals.deliver(terms, DAY, "");
    }

    function test_a_day_is_delivered_in_the_two_days_before_it_and_in_the_period_only() public {
        BilateralTerms memory terms = _profile(1);
        terms.toDay = DAY + 2;
        _refuses(
            address(this),
            abi.encodeWithSelector(IBilateralContracts.NotConcluded.selector, deals.hashOf(terms))
        );
        deals.deliver(terms, DAY, "");
        _conclude(terms);
        _refuses(address(this), _period(DAY - 1, DAY, DAY + 2));
        deals.deliver(terms, DAY - 1, "");
        _refuses(address(this), _period(DAY + 3, DAY, DAY + 2));
        deals.deliver(terms, DAY + 3, "");
        uint256 from = DAY_START + 2 * 86_400 - 2 days;
        vm.warp(from - 1);
        _refuses(address(this), _window(from, from + 2 days));
        deals.deliver(terms, DAY + 2, "");
        vm.warp(from);
        deals.deliver(terms, DAY + 2, "");
        _refuses(address(this), _window(DAY_START - 2 days, DAY_START));
        deals.deliver(terms, DAY, "");
    }

    function test_a_spot_price_splits_the_day_and_waits_for_the_reference() public {
        BilateralTerms memory terms = _profile(10_000);
        terms.spot = true;
        uint64 deal = _conclude(terms);
        bytes memory prices = abi.encodePacked(_pair(3_000_000, 0));
        prices = _withSpot(prices, 3, 4_000_000);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.WrongPrices.selector, DAY));
        deals.deliver(terms, DAY, prices);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.WrongPrices.selector, DAY));
        deals.deliver(terms, DAY, "");
        said.sayPrices(COMMUNITY, DAY, prices);
        uint256 settled = DAY_START - 39_600 + _rules().challengeWindow;
        _refuses(address(this), _window(settled, DAY_START));
        deals.deliver(terms, DAY, prices);
        vm.warp(settled);
        _opens(_part(terms, deal, 3_010_000, 1, 1));
        _opens(_part(terms, deal, 4_000_000, 3, 1));
        deals.deliver(terms, DAY, prices);
    }

    function test_curtailed_slots_are_left_out() public {
        BilateralTerms memory terms = _profile(1);
        terms.profile =
            abi.encodePacked(uint32(0), uint32(500), uint32(9), uint32(700), new bytes(4 * SLOTS - 16));
        uint64 deal = _conclude(terms);
        vm.startPrank(REGULATOR);
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + 2, 500, "grid");
        Agreement memory part = _part(terms, deal, 1, 1, 3);
        part.wh[1] = 0;
        vm.stopPrank();
        _opens(part);
        deals.deliver(terms, DAY, "");
        vm.startPrank(REGULATOR);
        for (uint32 slot = 0; slot < SLOTS; ++slot) {
            positions.curtail(COMMUNITY, 0, FIRST_SLOT + SLOTS + slot, 0, "grid");
        }
        vm.stopPrank();
        _refuses(
            address(this), abi.encodeWithSelector(IBilateralContracts.NothingToDeliver.selector, DAY + 1)
        );
        deals.deliver(terms, DAY + 1, "");
    }

    function test_notice_ends_the_contract_later_and_free() public {
        BilateralTerms memory terms = _profile(1);
        uint64 deal = _conclude(terms);
        _refuses(_ownerOf(OTHER), _notAuthorised(OTHER, _ownerOf(OTHER)));
        deals.terminate(deal, OTHER);
        vm.expectEmit();
        emit IBilateralContracts.Terminated(deal, BUYER, DAY + 4, false);
        vm.prank(_ownerOf(BUYER));
        deals.terminate(deal, BUYER);
        _refuses(_ownerOf(SELLER), abi.encodeWithSelector(IBilateralContracts.EndsAnyway.selector, DAY + 4));
        deals.terminate(deal, SELLER);
        vm.warp(DAY_START + 4 * 86_400 - 1);
        deals.deliver(terms, DAY + 4, "");
        _refuses(address(this), _period(DAY + 5, DAY, DAY + 4));
        deals.deliver(terms, DAY + 5, "");
        uint256 over = DAY_START + 5 * 86_400 + 21_600;
        vm.warp(over - 1);
        _refuses(address(this), _window(over, type(uint256).max));
        deals.close(deal);
        vm.warp(over);
        uint256 before = accounts.freeOf(SELLER);
        deals.close(deal);
        vm.assertEq(accounts.freeOf(SELLER), before + FEE);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.UnknownDeal.selector, deal));
        deals.close(deal);
        vm.assertEq(_pot(), 0);
    }

    function test_who_ends_early_pays_the_fee_exactly_once() public {
        BilateralTerms memory terms = _profile(1);
        uint64 deal = _conclude(terms);
        _refuses(_ownerOf(SELLER), _notAuthorised(BUYER, _ownerOf(SELLER)));
        deals.terminateEarly(deal, BUYER);
        vm.expectEmit();
        emit IBilateralContracts.Terminated(deal, SELLER, DAY - 1, true);
        vm.prank(_ownerOf(SELLER));
        deals.terminateEarly(deal, SELLER);
        vm.assertEq(accounts.freeOf(SELLER), FUNDS - FEE);
        vm.assertEq(accounts.freeOf(BUYER), FUNDS + FEE);
        bytes memory over = abi.encodeWithSelector(IBilateralContracts.EndsAnyway.selector, DAY - 1);
        _refuses(_ownerOf(SELLER), over);
        deals.terminateEarly(deal, SELLER);
        _refuses(_ownerOf(BUYER), over);
        deals.terminateEarly(deal, BUYER);
        _refuses(address(this), _period(DAY, DAY, DAY - 1));
        deals.deliver(terms, DAY, "");
        vm.warp(DAY_START + 30 * 86_400);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.UnknownDeal.selector, deal));
        deals.close(deal);
    }

    function test_a_seller_without_money_loses_contract_and_deposit_in_the_last_hour() public {
        BilateralTerms memory terms = _profile(1);
        uint64 deal = _conclude(terms);
        vm.prank(_ownerOf(SELLER));
        accounts.requestWithdrawal(SELLER, FUNDS - FEE);
        _refuses(_ownerOf(BUYER), _window(DAY_START - 1 hours, DAY_START));
        deals.claimDefault(terms, DAY, "", BUYER);
        vm.warp(DAY_START - 1 hours);
        vm.expectPartialRevert(bytes4(keccak256("InsufficientFunds(uint32,uint256,uint256)")));
        deals.deliver(terms, DAY, "");
        _refuses(_ownerOf(OTHER), _notAuthorised(OTHER, _ownerOf(OTHER)));
        deals.claimDefault(terms, DAY, "", OTHER);
        _refuses(_ownerOf(SELLER), abi.encodeWithSelector(IBilateralContracts.NoDefault.selector, SELLER));
        deals.claimDefault(terms, DAY, "", SELLER);
        vm.expectEmit();
        emit IBilateralContracts.Defaulted(deal, SELLER, FIRST_SLOT + 1, DAY - 1);
        vm.prank(_ownerOf(BUYER));
        deals.claimDefault(terms, DAY, "", BUYER);
        vm.assertEq(accounts.freeOf(BUYER), FUNDS + FEE);
        vm.assertEq(accounts.freeOf(SELLER), 0);
        vm.assertEq(deals.dealAt(deal).lastDay, DAY - 1);
        _refuses(_ownerOf(BUYER), _period(DAY, DAY, DAY - 1));
        deals.claimDefault(terms, DAY, "", BUYER);
    }

    function test_a_seller_without_room_for_the_day_is_in_default() public {
        BilateralTerms memory terms = _profile(1);
        uint64 deal = _conclude(terms);
        uint32[] memory wh = new uint32[](1);
        wh[0] = 1;
        Agreement memory small =
            Agreement(COMMUNITY, 0, OTHER, SELLER, Form.Block, 0, 0, 1, FIRST_SLOT + 11, wh);
        for (uint256 i = 0; i < 512; ++i) {
            vm.prank(address(auction));
            positions.open(small);
        }
        vm.warp(DAY_START - 1 hours);
        vm.expectRevert(abi.encodeWithSelector(IPositions.TooManyPositions.selector, SELLER, DAY));
        deals.deliver(terms, DAY, "");
        _refuses(_ownerOf(SELLER), abi.encodeWithSelector(IBilateralContracts.NoDefault.selector, SELLER));
        deals.claimDefault(terms, DAY, "", SELLER);
        vm.expectEmit();
        emit IBilateralContracts.Defaulted(deal, SELLER, FIRST_SLOT + 1, DAY - 1);
        vm.prank(_ownerOf(BUYER));
        deals.claimDefault(terms, DAY, "", BUYER);
        vm.assertEq(accounts.freeOf(BUYER), FUNDS + FEE);
    }

    function test_on_a_day_that_the_community_does_not_take_nobody_is_in_default() public {
        BilateralTerms memory terms = _profile(1);
        _conclude(terms);
        vm.prank(_ownerOf(SELLER));
        accounts.requestWithdrawal(SELLER, FUNDS - FEE);
        vm.prank(ADMIN);
        communities.closeDay(COMMUNITY, DAY);
        vm.warp(DAY_START - 1 hours);
        _refuses(_ownerOf(BUYER), abi.encodeWithSelector(IPositions.ClosedDay.selector, COMMUNITY, DAY));
        deals.claimDefault(terms, DAY, "", BUYER);
        Rules memory rules = _rules();
        rules.connectionLimitWh = 699;
        vm.prank(ADMIN);
        communities.change(COMMUNITY, DAY + 10, rules, _sessions(), _reporters());
        vm.warp(DAY_START + 10 * 86_400 - 1 hours);
        _refuses(
            _ownerOf(BUYER), abi.encodeWithSelector(IBilateralContracts.NothingToDeliver.selector, DAY + 10)
        );
        deals.claimDefault(terms, DAY + 10, "", BUYER);
    }

    function test_who_can_pay_is_in_no_default() public {
        BilateralTerms memory terms = _profile(1);
        _conclude(terms);
        vm.warp(DAY_START - 1);
        _refuses(_ownerOf(BUYER), abi.encodeWithSelector(IBilateralContracts.NoDefault.selector, SELLER));
        deals.claimDefault(terms, DAY, "", BUYER);
        deals.deliver(terms, DAY, "");
        _refuses(_ownerOf(BUYER), abi.encodeWithSelector(IBilateralContracts.AlreadyDelivered.selector, DAY));
        deals.claimDefault(terms, DAY, "", BUYER);
    }

    function test_a_share_follows_the_sellers_meter_once_a_slot() public {
        BilateralTerms memory terms = _share(150_000);
        uint64 deal = _conclude(terms);
        MeterProof memory meter = _meter(SELLER, 101, 1700, 0);
        uint32 slot = FIRST_SLOT + 2;
        uint256 final_ = (uint256(slot) + 1) * SLOT_SECONDS + 7200 + _rules().challengeWindow;
        vm.warp(final_ - 1);
        _refuses(address(this), _window(final_, BILLS_FROM));
        deals.deliverMetered(terms, slot, meter, "");
        vm.warp(final_);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.WrongMeter.selector, SELLER, slot));
        meter.exportWh = 1800;
        deals.deliverMetered(terms, slot, meter, "");
        meter.exportWh = 1700;
        Agreement memory part = _part(terms, deal, 150_000, 2, 1);
        part.wh[0] = 532;
        _opens(part);
        vm.expectEmit();
        emit IBilateralContracts.DeliveredMetered(deal, slot, 532, 150_000);
        deals.deliverMetered(terms, slot, meter, "");
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.AlreadyDelivered.selector, slot));
        deals.deliverMetered(terms, slot, meter, "");
        vm.warp(BILLS_FROM);
        uint256 late = (uint256(slot) + 2) * SLOT_SECONDS + 7200 + _rules().challengeWindow;
        _refuses(address(this), _window(late, BILLS_FROM));
        deals.deliverMetered(terms, slot + 1, meter, "");
    }

    function test_only_a_measured_surplus_of_the_seller_is_shared() public {
        BilateralTerms memory terms = _share(150_000);
        _conclude(terms);
        vm.warp(DAY_START + 86_400);
        uint32 slot = FIRST_SLOT + 2;
        bytes memory wrong = abi.encodeWithSelector(IBilateralContracts.WrongMeter.selector, SELLER, slot);
        MeterProof memory meter = _meter(SELLER, 0, 1700, 1);
        _refuses(address(this), wrong);
        deals.deliverMetered(terms, slot, meter, "");
        meter = _meter(OTHER, 0, 1700, 0);
        _refuses(address(this), wrong);
        deals.deliverMetered(terms, slot, meter, "");
        meter = _meter(SELLER, 1700, 1700, 0);
        bytes memory nothing = abi.encodeWithSelector(IBilateralContracts.NothingToDeliver.selector, slot);
        _refuses(address(this), nothing);
        deals.deliverMetered(terms, slot, meter, "");
        BilateralTerms memory fixed_ = _profile(1);
        vm.warp(BEFORE_GATE);
        _conclude(fixed_);
        vm.warp(DAY_START + 86_400);
        meter = _meter(SELLER, 0, 1700, 0);
        _refuses(address(this), nothing);
        deals.deliverMetered(fixed_, slot, meter, "");
        vm.warp(DAY_START - 1);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.NothingToDeliver.selector, DAY));
        deals.deliver(terms, DAY, "");
    }

    function test_a_share_at_spot_is_capped_by_band_and_connection() public {
        BilateralTerms memory terms = _share(-10_000);
        (terms.spot, terms.sharePermille) = (true, 1000);
        uint64 deal = _conclude(terms);
        bytes memory prices = _withSpot(_pair(0, 0), 2, -3_999_999);
        MeterProof memory meter = _meter(SELLER, 0, 30_000, 0);
        vm.warp(DAY_START + 86_400);
        _refuses(address(this), abi.encodeWithSelector(IBilateralContracts.WrongPrices.selector, DAY));
        deals.deliverMetered(terms, FIRST_SLOT + 2, meter, prices);
        said.sayPrices(COMMUNITY, DAY, prices);
        _fund(SELLER, 100e6);
        Agreement memory part = _part(terms, deal, -4_000_000, 2, 1);
        part.wh[0] = 20_000;
        _opens(part);
        deals.deliverMetered(terms, FIRST_SLOT + 2, meter, prices);
    }

    function test_a_buyer_who_cannot_pay_a_measured_slot_loses_the_deposit() public {
        BilateralTerms memory terms = _share(1_000_000);
        uint64 deal = _conclude(terms);
        MeterProof memory meter = _meter(SELLER, 0, 3000, 0);
        vm.prank(_ownerOf(BUYER));
        accounts.requestWithdrawal(BUYER, FUNDS - FEE);
        uint32 slot = FIRST_SLOT + 2;
        vm.warp(BILLS_FROM - 1 hours - 1);
        _refuses(_ownerOf(SELLER), _window(BILLS_FROM - 1 hours, BILLS_FROM));
        deals.claimMeteredDefault(terms, slot, meter, "", SELLER);
        vm.warp(BILLS_FROM - 1 hours);
        vm.expectEmit();
        emit IBilateralContracts.Defaulted(deal, BUYER, slot, DAY + 1);
        vm.prank(_ownerOf(SELLER));
        deals.claimMeteredDefault(terms, slot, meter, "", SELLER);
        vm.assertEq(accounts.freeOf(SELLER), FUNDS + FEE);
        vm.assertEq(_pot(), 0);
    }

    /// @dev Random calls of two contracts over days: the pot holds the deposits of those that were not paid out, money stays
    /// as it is, and each contract pays out twice its fee once.
    function testFuzz_deposits_leave_the_pot_once(uint256 seed) public {
        BilateralTerms[2] memory terms;
        for (uint256 i = 0; i < 2; ++i) {
            terms[i] = i == 0 ? _profile(100_000) : _share(100_000);
            (terms[i].fee, terms[i].salt, terms[i].toDay) = (uint64(1e9 * (i + 1)), uint64(i), DAY + 5);
            _conclude(terms[i]);
        }
        MeterProof memory meter = _meter(SELLER, 0, 3000, 0);
        uint256 owed = accounts.owed();
        for (uint256 step = 0; step < 40; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.warp(BEFORE_GATE + step * 6 hours);
            uint256 i = clamp(seed, 0, 1);
            uint64 deal = uint64(i + 1);
            uint32 party = clamp(seed >> 8, 0, 1) == 0 ? SELLER : BUYER;
            uint32 day = DAY + uint32(step / 4);
            uint256 action = clamp(seed >> 16, 0, 9);
            vm.startPrank(_ownerOf(party));
            if (action == 0) try deals.terminate(deal, party) {} catch {}
            if (action == 1 && step > 10) try deals.terminateEarly(deal, party) {} catch {}
            if (action == 2) try deals.close(deal) {} catch {}
            if (action == 3 && accounts.freeOf(party) > 1e9) {
                try accounts.requestWithdrawal(party, accounts.freeOf(party) - 1e9) {} catch {}
            }
            if (action == 4) {
                vm.warp(DAY_START + (uint256(day) - DAY) * 86_400 - 1);
                try deals.claimDefault(terms[0], day, "", party) {} catch {}
            }
            if (action == 5) {
                try deals.claimMeteredDefault(terms[1], FIRST_SLOT + 2, meter, "", party) {} catch {}
            }
            if (action == 6) try deals.deliverMetered(terms[1], FIRST_SLOT + 2, meter, "") {} catch {}
            if (action > 6) try deals.deliver(terms[0], day, "") {} catch {}
            vm.stopPrank();
            uint256 held = 0;
            for (uint64 d = 1; d <= 2; ++d) {
                if (deals.dealAt(d).depositsHeld) held += 2 * uint256(deals.dealAt(d).fee);
            }
            vm.assertEq(_pot(), held);
            vm.assertEq(accounts.owed(), owed);
        }
        vm.warp(DAY_START + 40 * 86_400);
        for (uint64 d = 1; d <= 2; ++d) {
            if (deals.dealAt(d).depositsHeld) deals.close(d);
        }
        vm.assertEq(_pot(), 0);
    }

    function _profile(int32 price) private pure returns (BilateralTerms memory) {
        return BilateralTerms({
            community: COMMUNITY,
            product: 0,
            seller: SELLER,
            buyer: BUYER,
            source: 1,
            fromDay: DAY,
            toDay: DAY + 30,
            spot: false,
            price: price,
            sharePermille: 0,
            profile: abi.encodePacked(
                uint32(0), uint32(500), uint32(0), uint32(700), new bytes(4 * SLOTS - 16)
            ),
            noticeDays: 5,
            fee: FEE,
            validTo: NEVER,
            salt: 7
        });
    }

    /// @dev A third of the surplus.
    function _share(int32 price) private pure returns (BilateralTerms memory terms) {
        terms = _profile(price);
        (terms.sharePermille, terms.profile) = (333, "");
    }

    function _signatures(BilateralTerms memory terms)
        private
        view
        returns (bytes memory seller, bytes memory buyer)
    {
        return (_signTerms(terms, _keyOf(terms.seller)), _signTerms(terms, _keyOf(terms.buyer)));
    }

    function _sign77(BilateralTerms memory terms) private view returns (bytes memory) {
        return _signTerms(terms, 77);
    }

    /// @dev Signed by the words of the protocol, not by the contract's own hash.
    function _signTerms(BilateralTerms memory terms, uint256 key) private view returns (bytes memory) {
        bytes memory head = abi.encode(
            keccak256(
                "BilateralTerms(uint32 community,uint8 product,uint32 seller,uint32 buyer,uint8 source,uint32 fromDay,uint32 toDay,bool spot,int32 price,uint16 sharePermille,bytes profile,uint16 noticeDays,uint64 fee,uint64 validTo,uint64 salt)"
            ),
            terms.community,
            terms.product,
            terms.seller,
            terms.buyer,
            terms.source,
            terms.fromDay,
            terms.toDay
        );
        bytes memory tail = abi.encode(
            terms.spot,
            terms.price,
            terms.sharePermille,
            keccak256(terms.profile),
            terms.noticeDays,
            terms.fee,
            terms.validTo,
            terms.salt
        );
        return _sign(key, address(deals), keccak256(bytes.concat(head, tail)));
    }

    function _conclude(BilateralTerms memory terms) private returns (uint64) {
        (bytes memory a, bytes memory b) = _signatures(terms);
        return deals.conclude(terms, a, b);
    }

    /// @dev Slots of the profile from `slotOfDay` on, as they are opened.
    function _part(BilateralTerms memory terms, uint64 deal, int32 price, uint32 slotOfDay, uint256 slots)
        private
        pure
        returns (Agreement memory part)
    {
        part = Agreement({
            community: COMMUNITY,
            product: 0,
            buyer: terms.buyer,
            seller: terms.seller,
            form: Form.Bilateral,
            deal: deal,
            price: price,
            source: 1,
            slot: FIRST_SLOT + slotOfDay,
            wh: new uint32[](slots)
        });
        for (uint256 i = 0; i < slots && terms.profile.length > 0; ++i) {
            for (uint256 b = 0; b < 4; ++b) {
                part.wh[i] = (part.wh[i] << 8) | uint8(terms.profile[4 * (slotOfDay + i) + b]);
            }
        }
    }

    /// @dev The next call opens this position.
    function _opens(Agreement memory part) private {
        bytes memory wh;
        for (uint256 i = 0; i < part.wh.length; ++i) {
            wh = abi.encodePacked(wh, part.wh[i]);
        }
        vm.expectEmit();
        emit IPositions.PositionOpened(
            COMMUNITY,
            part.buyer,
            part.seller,
            0,
            DAY,
            Form.Bilateral,
            part.deal,
            part.price,
            1,
            part.slot,
            wh
        );
    }

    /// @dev Leaf of an account in a tree of two for the third slot of the day, beside the seller's neighbour.
    function _meter(uint32 account, uint32 importWh, uint32 exportWh, uint8 quality)
        private
        returns (MeterProof memory meter)
    {
        bytes32 leaf = keccak256(
            abi.encodePacked(uint8(0), account, importWh, exportWh, quality, bytes32("salt"))
        );
        bytes32 sibling = keccak256("sibling");
        bytes32 root = keccak256(
            abi.encodePacked(
                uint8(1), leaf, uint64(importWh), uint64(exportWh), sibling, uint64(10), uint64(0)
            )
        );
        said.sayMeters(FIRST_SLOT + 2, MeterRoot(root, importWh + 10, exportWh, 2, true));
        meter = MeterProof(
            0, importWh, exportWh, quality, bytes32("salt"), abi.encodePacked(sibling, uint64(10), uint64(0))
        );
    }

    function _withSpot(bytes memory prices, uint256 slotOfDay, int32 spot)
        private
        pure
        returns (bytes memory)
    {
        for (uint256 b = 0; b < 4; ++b) {
            prices[8 * slotOfDay + b] = bytes1(uint8(uint32(spot) >> (24 - 8 * b)));
        }
        return prices;
    }

    function _pot() private view returns (uint256 pot) {
        (, pot) = accounts.moduleOf(address(deals));
    }

    /// @dev The next call, by `caller`, reverts so.
    function _refuses(address caller, bytes memory reason) private {
        if (caller != address(this)) vm.prank(caller);
        vm.expectRevert(reason);
    }

    function _notAuthorised(uint32 account, address caller) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IBilateralContracts.NotAuthorised.selector, account, caller);
    }

    function _window(uint256 from, uint256 until) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IBilateralContracts.OutsideWindow.selector, from, until);
    }

    function _period(uint256 day, uint256 fromDay, uint256 lastDay) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IBilateralContracts.OutsidePeriod.selector, day, fromDay, lastDay);
    }
}
