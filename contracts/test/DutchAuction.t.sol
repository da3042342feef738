// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {DutchTake, DutchTerms, IDutchAuction} from "../src/interfaces/IDutchAuction.sol";
import {ILotMarket} from "../src/interfaces/ILotMarket.sol";
import {IAccounts} from "../src/interfaces/IAccounts.sol";
import {IPositions} from "../src/interfaces/IPositions.sol";
import {DutchAuction} from "../src/markets/DutchAuction.sol";
import {Form} from "../src/types/Form.sol";
import {Frame, Lots} from "../src/types/Lots.sol";
import {DigestWallet} from "./support/DigestWallet.sol";
import {Town} from "./support/Town.sol";
import {clamp, vm} from "./support/Vm.sol";

contract DutchAuctionTest is Town {
    uint32 private constant SELLER = 4;
    uint32 private constant BUYER = 5;
    uint32 private constant OTHER = 6;

    uint256 private constant FEE = 21_000;
    uint256 private constant SHORT_CAP = 2_000_000;

    uint40 private constant FROM = uint40(BEFORE_GATE + 100);
    uint40 private constant UNTIL = FROM + 1000;

    DutchAuction private _dutch;

    function setUp() public {
        _deploy(3);
    }

    function _deployForms() internal override {
        _dutch = DutchAuction(
            vm.deployCode("DutchAuction.sol:DutchAuction", abi.encode(accounts, communities, positions))
        );
        _grantMarket(address(_dutch));
    }

    // ---- creating ----

    function test_the_offering_account_puts_up_what_its_side_can_lock_at_most() public {
        DutchTerms memory terms = _terms(true, 4, 500_000, -100_000);
        vm.expectEmit();
        emit IDutchAuction.DutchCreated(1, SELLER, terms, 4 * 300 * (SHORT_CAP + 100_000));
        vm.assertEq(_create(terms), 1);
        vm.assertEq(accounts.freeOf(SELLER), 100e9 - 4 * 300 * (SHORT_CAP + 100_000));
        terms = _terms(false, 4, 100_000, 500_000);
        _create(terms);
        vm.assertEq(
            accounts.freeOf(SELLER), 100e9 - 4 * 300 * (SHORT_CAP + 100_000) - 4 * 300 * (500_000 + FEE)
        );
        (, uint256 pot) = accounts.moduleOf(address(_dutch));
        vm.assertEq(pot + accounts.freeOf(SELLER), 100e9);
    }

    function test_every_fault_of_an_offer_is_refused() public {
        DutchTerms memory terms = _terms(true, 4, 500_000, 100_000);
        vm.prank(_ownerOf(BUYER));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotAllowed.selector, SELLER, _ownerOf(BUYER)));
        _dutch.create(terms);
        vm.prank(_ownerOf(SELLER));
        accounts.setLimitedDeviceKey(SELLER, address(7), uint40(DAY_START), 10, 0, 1);
        vm.prank(address(7));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotAllowed.selector, SELLER, address(7)));
        _dutch.create(terms);
        _refuse(_terms(true, 4, 1, 2), abi.encodeWithSelector(IDutchAuction.InvalidPrices.selector, 1, 2));
        _refuse(_terms(false, 4, 2, 1), abi.encodeWithSelector(IDutchAuction.InvalidPrices.selector, 2, 1));
        terms.lots.community = 2;
        _refuse(terms, abi.encodeWithSelector(ILotMarket.NotMember.selector, SELLER, 2));
        terms = _terms(true, 4, 1, 1);
        terms.lots.product = 1;
        _refuse(terms, abi.encodeWithSelector(ILotMarket.NoMeter.selector, SELLER, 1));
        terms = _terms(true, 4, 1, 1);
        terms.lots.source = 5;
        _refuse(terms, abi.encodeWithSelector(ILotMarket.UnknownSource.selector, 5));
        terms = _terms(true, 4, 1, 1);
        terms.lots.slot = FIRST_SLOT + SLOTS - 1;
        _refuse(terms, abi.encodeWithSelector(ILotMarket.NotOneDay.selector, FIRST_SLOT + SLOTS - 1, 2));
        terms = _terms(true, 4, 1, 1);
        terms.lots.slot = FIRST_SLOT + 9 * SLOTS;
        _refuse(terms, abi.encodeWithSelector(ILotMarket.NotTraded.selector, 0, DAY + 9));
        terms = _terms(true, 0, 1, 1);
        _refuse(terms, abi.encodeWithSelector(ILotMarket.QuantityOutOfRange.selector, 0, 200));
        terms = _terms(true, 1, 1, 1);
        terms.lots.wh[0] = 20_001;
        _refuse(terms, abi.encodeWithSelector(ILotMarket.QuantityOutOfRange.selector, 1, 20_001));
        terms.lots.wh = new uint32[](2);
        vm.prank(_ownerOf(SELLER));
        vm.expectRevert();
        _dutch.create(terms);
        terms = _terms(true, 1000, 1, 1);
        _refuse(
            terms,
            abi.encodeWithSelector(
                ILotMarket.InsufficientFunds.selector, SELLER, 1000 * 300 * SHORT_CAP, 100e9
            )
        );
    }

    function test_times_follow_one_another_and_end_before_nominations_close() public {
        uint256 start = DAY_START + 3 * SLOT_SECONDS;
        bytes memory refusal = abi.encodeWithSelector(ILotMarket.InvalidTimes.selector, start);
        DutchTerms memory terms = _terms(true, 4, 1, 1);
        terms.from = uint40(BEFORE_GATE - 1);
        _refuse(terms, refusal);
        terms.from = terms.until;
        _refuse(terms, refusal);
        terms = _terms(true, 4, 1, 1);
        terms.until = uint40(start - 300);
        _refuse(terms, refusal);
        terms.until = uint40(start - 301);
        _create(terms);
    }

    function test_a_closed_day_takes_no_new_offers() public {
        vm.prank(ADMIN);
        communities.closeDay(COMMUNITY, DAY);
        _refuse(_terms(true, 4, 1, 1), abi.encodeWithSelector(ILotMarket.NotTraded.selector, 0, DAY));
    }

    // ---- taking ----

    function test_the_first_taker_gets_the_price_of_the_moment() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        vm.prank(_ownerOf(BUYER));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.OutsideWindow.selector, FROM, UNTIL + 1));
        _dutch.take(auction, BUYER, 1, 500_000);
        vm.warp(FROM + 250);
        vm.assertEq(int256(_dutch.priceAt(auction, block.timestamp)), 400_000);
        vm.prank(_ownerOf(BUYER));
        vm.expectRevert(
            abi.encodeWithSelector(IDutchAuction.PriceBeyondLimit.selector, int32(400_000), int32(399_999))
        );
        _dutch.take(auction, BUYER, 1, 399_999);
        vm.expectEmit();
        emit IPositions.PositionOpened(
            COMMUNITY, BUYER, SELLER, 0, DAY, Form.Dutch, 1, 400_000, 1, FIRST_SLOT + 3, hex"000000c800000190"
        );
        vm.expectEmit();
        emit IDutchAuction.DutchTaken(auction, BUYER, 2, 400_000, 2 * 300 * SHORT_CAP);
        vm.prank(_ownerOf(BUYER));
        _dutch.take(auction, BUYER, 2, 400_000);
        vm.assertEq(accounts.freeOf(BUYER), 100e9 - 600 * (400_000 + FEE));
        vm.assertEq(accounts.freeOf(SELLER), 100e9 - 4 * 300 * SHORT_CAP);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 600 * (400_000 + FEE + SHORT_CAP));
        vm.prank(_ownerOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(IDutchAuction.NotEnoughLots.selector, 2));
        _dutch.take(auction, OTHER, 3, 500_000);
        vm.prank(_ownerOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.QuantityOutOfRange.selector, 0, 200));
        _dutch.take(auction, OTHER, 0, 500_000);
        vm.prank(_ownerOf(SELLER));
        vm.expectRevert(abi.encodeWithSelector(IPositions.SelfTrade.selector, SELLER));
        _dutch.take(auction, SELLER, 1, 500_000);
        vm.warp(UNTIL);
        vm.prank(_ownerOf(OTHER));
        _dutch.take(auction, OTHER, 2, 100_000);
        vm.warp(UNTIL + 1);
        vm.prank(_ownerOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.OutsideWindow.selector, FROM, UNTIL + 1));
        _dutch.take(auction, OTHER, 2, 100_000);
    }

    function test_a_buyer_raises_its_price_until_a_home_sells() public {
        uint64 auction = _create(_terms(false, 4, -100_000, 300_001));
        vm.warp(FROM + 1);
        // -100,000 + 400.001, rounded toward the first price.
        vm.assertEq(int256(_dutch.priceAt(auction, block.timestamp)), -99_600);
        vm.warp(UNTIL);
        vm.prank(_ownerOf(BUYER));
        vm.expectRevert(
            abi.encodeWithSelector(IDutchAuction.PriceBeyondLimit.selector, int32(300_001), int32(300_002))
        );
        _dutch.take(auction, BUYER, 1, 300_002);
        vm.prank(_ownerOf(BUYER));
        _dutch.take(auction, BUYER, 4, 300_001);
        vm.assertEq(accounts.freeOf(SELLER), 100e9 - 1200 * (300_001 + FEE));
        vm.assertEq(accounts.freeOf(BUYER), 100e9 - 1200 * SHORT_CAP);
    }

    function test_the_price_rounds_toward_the_first_price_on_both_sides() public {
        uint64 auction = _create(_terms(true, 1, 10, 0));
        vm.assertEq(int256(_dutch.priceAt(auction, FROM + 99)), 10);
        vm.assertEq(int256(_dutch.priceAt(auction, FROM + 100)), 9);
        auction = _create(_terms(false, 1, -10, 0));
        vm.assertEq(int256(_dutch.priceAt(auction, FROM + 99)), -10);
        vm.assertEq(int256(_dutch.priceAt(auction, FROM + 100)), -9);
        vm.assertEq(int256(_dutch.priceAt(auction, UNTIL)), 0);
    }

    function test_keys_take_within_their_limits_and_strangers_never() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        vm.warp(FROM);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotAllowed.selector, BUYER, address(this)));
        _dutch.take(auction, BUYER, 1, 500_000);
        vm.prank(_ownerOf(BUYER));
        accounts.setLimitedDeviceKey(BUYER, address(7), uint40(UNTIL + 1), 400, 0, 300_000);
        bytes memory limited = abi.encodeWithSelector(IDutchAuction.KeyLimited.selector, BUYER, address(7));
        vm.startPrank(address(7));
        vm.expectRevert(limited);
        _dutch.take(auction, BUYER, 1, 500_000);
        vm.warp(UNTIL);
        vm.expectRevert(limited);
        _dutch.take(auction, BUYER, 3, 500_000);
        _dutch.take(auction, BUYER, 2, 500_000);
        vm.stopPrank();
    }

    function test_a_signed_take_is_carried_out_once_for_who_signed() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        vm.warp(FROM + 500);
        DutchTake memory order = DutchTake(auction, BUYER, 1, 300_000, 9, uint64(FROM + 500));
        bytes memory stranger = _signTake(order, _keyOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotSigned.selector, BUYER));
        _dutch.takeSigned(order, stranger);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotSigned.selector, BUYER));
        _dutch.takeSigned(order, hex"01");
        bytes memory signature = _signTake(order, _keyOf(BUYER));
        _dutch.takeSigned(order, signature);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, BUYER, DAY).count(), 1);
        vm.expectPartialRevert(IDutchAuction.AlreadyTaken.selector);
        _dutch.takeSigned(order, signature);
        order.nonce = 10;
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotSigned.selector, BUYER));
        _dutch.takeSigned(order, signature);
        signature = _signTake(order, _keyOf(BUYER));
        vm.warp(FROM + 501);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.Expired.selector, FROM + 500));
        _dutch.takeSigned(order, signature);
    }

    function test_a_contract_wallet_takes_by_its_own_rule() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        DigestWallet wallet = new DigestWallet();
        uint32 account = accounts.accountCount() + 1;
        vm.startPrank(REGISTRAR);
        accounts.register(address(wallet), COMMUNITY);
        accounts.approveMeter(account, 0, bytes32(uint256(account)));
        vm.stopPrank();
        _fund(account, 100e6);
        vm.warp(FROM + 500);
        DutchTake memory order = DutchTake(auction, account, 1, 300_000, 9, NEVER);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotSigned.selector, account));
        _dutch.takeSigned(order, "yes");
        wallet.accept(_digest(address(_dutch), _hashOf(order)));
        _dutch.takeSigned(order, "yes");
        vm.assertEq(positions.chainOf(COMMUNITY, 0, account, DAY).count(), 1);
        vm.expectPartialRevert(IDutchAuction.AlreadyTaken.selector);
        _dutch.takeSigned(order, "yes");
    }

    /// @dev A limited device key signs no more than it could take itself.
    function test_a_limited_key_signs_within_its_limits() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        vm.prank(_ownerOf(BUYER));
        accounts.setLimitedDeviceKey(BUYER, vm.addr(77), uint40(UNTIL + 1), 200, 0, 300_000);
        vm.warp(FROM + 400);
        DutchTake memory order = DutchTake(auction, BUYER, 1, 400_000, 9, NEVER);
        bytes memory signature = _signTake(order, 77);
        vm.expectRevert(abi.encodeWithSelector(IDutchAuction.KeyLimited.selector, BUYER, vm.addr(77)));
        _dutch.takeSigned(order, signature);
        vm.warp(FROM + 500);
        _dutch.takeSigned(order, signature);
    }

    function test_a_taker_without_the_money_changes_nothing() public {
        uint64 auction = _create(_terms(false, 4, 100_000, 100_000));
        vm.warp(FROM);
        vm.startPrank(_ownerOf(BUYER));
        accounts.requestWithdrawal(BUYER, 100e9 - 1000);
        vm.expectRevert(
            abi.encodeWithSelector(IAccounts.InsufficientFunds.selector, BUYER, 300 * SHORT_CAP, 1000)
        );
        _dutch.take(auction, BUYER, 1, 0);
        (,, uint16 left,) = _dutch.auctionOf(auction);
        vm.assertEq(left, 4);
    }

    function test_an_account_takes_no_more_than_its_connection_allows() public {
        DutchTerms memory terms = _terms(true, 4, 100_000, 100_000);
        terms.lots.wh[1] = 6000;
        uint64 auction = _create(terms);
        (, Frame memory frame,,) = _dutch.auctionOf(auction);
        vm.assertEq(frame.most, 3);
        vm.warp(FROM);
        vm.startPrank(_ownerOf(BUYER));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.QuantityOutOfRange.selector, 4, 6000));
        _dutch.take(auction, BUYER, 4, 100_000);
        _dutch.take(auction, BUYER, 3, 100_000);
    }

    // ---- closing ----

    function test_what_is_put_up_for_unsold_lots_returns_once() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        vm.warp(UNTIL);
        vm.prank(_ownerOf(BUYER));
        _dutch.take(auction, BUYER, 1, 500_000);
        vm.expectPartialRevert(ILotMarket.OutsideWindow.selector);
        _dutch.close(auction);
        vm.warp(UNTIL + 1);
        vm.expectEmit();
        emit IDutchAuction.DutchClosed(auction, 3, 3 * 300 * SHORT_CAP);
        _dutch.close(auction);
        vm.assertEq(accounts.freeOf(SELLER), 100e9 - 300 * SHORT_CAP);
        (, uint256 pot) = accounts.moduleOf(address(_dutch));
        vm.assertEq(pot, 0);
        vm.expectRevert(abi.encodeWithSelector(IDutchAuction.AuctionClosed.selector, auction));
        _dutch.close(auction);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.UnknownAuction.selector, 0));
        _dutch.close(0);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.UnknownAuction.selector, 2));
        _dutch.close(2);
    }

    function test_the_offering_account_may_end_its_auction_and_nobody_takes_then() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        vm.prank(_ownerOf(SELLER));
        _dutch.close(auction);
        vm.assertEq(accounts.freeOf(SELLER), 100e9);
        vm.warp(FROM);
        vm.prank(_ownerOf(BUYER));
        vm.expectRevert(abi.encodeWithSelector(IDutchAuction.AuctionClosed.selector, auction));
        _dutch.take(auction, BUYER, 1, 500_000);
    }

    function test_a_curtailed_auction_takes_nothing_more_and_returns_its_money() public {
        uint64 auction = _create(_terms(true, 4, 500_000, 100_000));
        vm.prank(REGULATOR);
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + 4, 500, "");
        vm.warp(FROM);
        vm.prank(_ownerOf(BUYER));
        vm.expectRevert(abi.encodeWithSelector(IPositions.SlotCurtailed.selector, FIRST_SLOT + 4));
        _dutch.take(auction, BUYER, 1, 500_000);
        vm.warp(UNTIL + 1);
        _dutch.close(auction);
        vm.assertEq(accounts.freeOf(SELLER), 100e9);
    }

    /// @dev Any auction and takers: the price lies between first and last and only improves, money is conserved.
    function testFuzz_prices_improve_with_time_and_money_is_conserved(uint256 seed) public {
        bool selling = seed & 1 == 0;
        int32 first = int32(int256(clamp(seed >> 1, 0, 600_000))) - 300_000;
        int32 change = int32(int256(clamp(seed >> 64, 0, 300_000)));
        int32 last = selling ? first - change : first + change;
        uint64 auction = _create(_terms(selling, 12, first, last));
        uint256 time = FROM;
        int32 price = first;
        for (uint256 i = 0; i < 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            time = clamp(seed, time, UNTIL);
            vm.warp(time);
            int32 next = _dutch.priceAt(auction, time);
            vm.assertTrue(selling ? next <= price && next >= last : next >= price && next <= last);
            // Exact price x 1000 s: never past it, and less than a unit before it.
            int256 exact = int256(first) * 1000 + (int256(last) - first) * int256(time - FROM);
            int256 early = selling ? int256(next) * 1000 - exact : exact - int256(next) * 1000;
            vm.assertTrue(early >= 0 && early < 1000);
            price = next;
            _takeSome(auction, selling, price, seed);
        }
        vm.warp(UNTIL + 1);
        _dutch.close(auction);
        (, uint256 pot) = accounts.moduleOf(address(_dutch));
        vm.assertEq(pot, 0);
        uint256 free = accounts.freeOf(SELLER) + accounts.freeOf(BUYER) + accounts.freeOf(OTHER);
        vm.assertEq(free + accounts.lockTotal(COMMUNITY, DAY), 300e9);
    }

    // ---- helpers ----

    /// @dev A home takes some lots, if so many are left, and locks what its side asks for.
    function _takeSome(uint64 auction, bool selling, int32 price, uint256 seed) private {
        (,, uint16 left,) = _dutch.auctionOf(auction);
        uint16 lots = uint16(clamp(seed >> 32, 1, 4));
        uint32 taker = seed >> 200 & 1 == 0 ? BUYER : OTHER;
        if (lots > left) return;
        uint256 before = accounts.freeOf(taker);
        vm.prank(_ownerOf(taker));
        _dutch.take(auction, taker, lots, price);
        uint256 perKwh = selling
            ? uint256(int256(price > 0 ? price : int32(0))) + FEE
            : SHORT_CAP + uint256(int256(price < 0 ? -price : int32(0)));
        vm.assertEq(before - accounts.freeOf(taker), lots * 300 * perKwh);
    }

    function _terms(bool selling, uint16 count, int32 first, int32 last)
        private
        pure
        returns (DutchTerms memory terms)
    {
        uint32[] memory wh = new uint32[](2);
        (wh[0], wh[1]) = (100, 200);
        terms.lots = Lots(SELLER, COMMUNITY, 0, selling, 1, count, FIRST_SLOT + 3, wh);
        (terms.startPrice, terms.endPrice, terms.from, terms.until) = (first, last, FROM, UNTIL);
    }

    function _create(DutchTerms memory terms) private returns (uint64) {
        vm.prank(_ownerOf(terms.lots.account));
        return _dutch.create(terms);
    }

    function _refuse(DutchTerms memory terms, bytes memory refusal) private {
        vm.prank(_ownerOf(terms.lots.account));
        vm.expectRevert(refusal);
        _dutch.create(terms);
    }

    function _signTake(DutchTake memory order, uint256 key) private view returns (bytes memory) {
        return _sign(key, address(_dutch), _hashOf(order));
    }

    function _hashOf(DutchTake memory order) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "DutchTake(uint64 auction,uint32 account,uint16 lots,int32 limit,uint32 nonce,uint64 validTo)"
                ),
                order.auction,
                order.account,
                order.lots,
                order.limit,
                order.nonce,
                order.validTo
            )
        );
    }
}
