// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILotMarket} from "../src/interfaces/ILotMarket.sol";
import {IPositions} from "../src/interfaces/IPositions.sol";
import {BidState, ISealedAuction, Outcome, SealedTerms} from "../src/interfaces/ISealedAuction.sol";
import {SealedAuction} from "../src/markets/SealedAuction.sol";
import {Form} from "../src/types/Form.sol";
import {Lots} from "../src/types/Lots.sol";
import {Agreement} from "../src/types/Position.sol";
import {DigestWallet} from "./support/DigestWallet.sol";
import {Town} from "./support/Town.sol";
import {clamp, vm} from "./support/Vm.sol";

contract SealedAuctionTest is Town {
    uint32 private constant HOST = 4;
    uint32 private constant FIRST = 5;
    uint32 private constant SECOND = 6;
    uint32 private constant THIRD = 7;

    uint256 private constant FEE = 21_000;
    uint256 private constant SHORT_CAP = 2_000_000;
    uint64 private constant DEPOSIT = 1001;
    uint256 private constant LOT = 300;

    uint40 private constant COMMIT_UNTIL = uint40(BEFORE_GATE + 1000);
    uint40 private constant REVEAL_UNTIL = COMMIT_UNTIL + 600;

    SealedAuction private _sealed;

    /// @dev What the bidders of an auction committed, in order.
    struct Sealed {
        uint32 account;
        int32 price;
        uint16 lots;
    }

    function setUp() public {
        _deploy(6);
    }

    function _deployForms() internal override {
        _sealed = SealedAuction(
            vm.deployCode("SealedAuction.sol:SealedAuction", abi.encode(accounts, communities, positions))
        );
        _grantMarket(address(_sealed));
    }

    // ---- creating ----

    function test_an_auction_is_created_by_the_account_that_puts_up_its_side() public {
        SealedTerms memory terms = _terms(true, false, 3, -50_000);
        vm.prank(_ownerOf(FIRST));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotAllowed.selector, HOST, _ownerOf(FIRST)));
        _sealed.create(terms);
        vm.expectEmit();
        emit ISealedAuction.SealedCreated(1, HOST, terms, 3 * LOT * (SHORT_CAP + 50_000));
        _create(terms);
        vm.assertEq(accounts.freeOf(HOST), 100e9 - 3 * LOT * (SHORT_CAP + 50_000));
        terms.deposit = 0;
        _refuse(terms, abi.encodeWithSelector(ISealedAuction.Zero.selector));
        terms = _terms(false, false, 1, 100_000);
        _create(terms);
        vm.assertEq(accounts.freeOf(HOST), 100e9 - 3 * LOT * (SHORT_CAP + 50_000) - LOT * (100_000 + FEE));
    }

    function test_there_is_time_to_commit_to_reveal_and_to_settle() public {
        uint256 start = DAY_START + 3 * SLOT_SECONDS;
        bytes memory refusal = abi.encodeWithSelector(ILotMarket.InvalidTimes.selector, start);
        SealedTerms memory terms = _terms(true, false, 1, 0);
        terms.commitUntil = uint40(BEFORE_GATE);
        _refuse(terms, refusal);
        terms = _terms(true, false, 1, 0);
        terms.revealUntil = terms.commitUntil + 299;
        _refuse(terms, refusal);
        terms.revealUntil = uint40(start - 480 - 299);
        _refuse(terms, refusal);
        terms.revealUntil = uint40(start - 480 - 300);
        _create(terms);
    }

    // ---- committing ----

    function test_a_bid_is_committed_once_with_its_deposit_until_the_deadline() public {
        uint64 auction = _create(_terms(true, false, 3, 0));
        bytes32 commitment = _commitment(auction, FIRST, 5, 1);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotAllowed.selector, FIRST, address(this)));
        _sealed.commit(auction, FIRST, commitment);
        vm.prank(_ownerOf(FIRST));
        accounts.setLimitedDeviceKey(FIRST, address(9), uint40(DAY_START), 20_000, 0, 1);
        vm.prank(address(9));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotAllowed.selector, FIRST, address(9)));
        _sealed.commit(auction, FIRST, commitment);
        vm.startPrank(_ownerOf(FIRST));
        vm.expectRevert(ISealedAuction.Zero.selector);
        _sealed.commit(auction, FIRST, 0);
        vm.expectEmit();
        emit ISealedAuction.BidCommitted(auction, 0, FIRST, commitment);
        _sealed.commit(auction, FIRST, commitment);
        vm.assertEq(accounts.freeOf(FIRST), 100e9 - DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.AlreadyCommitted.selector, FIRST));
        _sealed.commit(auction, FIRST, commitment);
        vm.stopPrank();
        vm.prank(_ownerOf(HOST));
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.OwnAuction.selector, HOST));
        _sealed.commit(auction, HOST, commitment);
        vm.prank(_ownerOf(RETAILER));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NoMeter.selector, RETAILER, 0));
        _sealed.commit(auction, RETAILER, commitment);
        vm.prank(REGISTRAR);
        uint32 stranger = accounts.register(address(8), 2);
        vm.prank(address(8));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotMember.selector, stranger, COMMUNITY));
        _sealed.commit(auction, stranger, commitment);
        uint32 poor = _addHome(1);
        vm.prank(_ownerOf(poor));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.InsufficientFunds.selector, poor, DEPOSIT, 1000));
        _sealed.commit(auction, poor, commitment);
        vm.warp(COMMIT_UNTIL);
        vm.prank(_ownerOf(SECOND));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.OutsideWindow.selector, 0, COMMIT_UNTIL));
        _sealed.commit(auction, SECOND, commitment);
    }

    function test_a_signed_commitment_is_brought_by_anyone() public {
        uint64 auction = _create(_terms(true, false, 3, 0));
        bytes32 commitment = _commitment(auction, FIRST, 5, 1);
        bytes memory signature = _signCommit(auction, FIRST, commitment, NEVER, _keyOf(FIRST));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotSigned.selector, SECOND));
        _sealed.commitSigned(auction, SECOND, commitment, NEVER, signature);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotSigned.selector, FIRST));
        _sealed.commitSigned(auction, FIRST, keccak256("other"), NEVER, signature);
        uint64 past = uint64(block.timestamp - 1);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.Expired.selector, past));
        _sealed.commitSigned(auction, FIRST, commitment, past, signature);
        _sealed.commitSigned(auction, FIRST, commitment, NEVER, signature);
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.AlreadyCommitted.selector, FIRST));
        _sealed.commitSigned(auction, FIRST, commitment, NEVER, signature);
        vm.assertEq(accounts.freeOf(FIRST), 100e9 - DEPOSIT);
    }

    function test_a_contract_wallet_accepts_its_commitment() public {
        DigestWallet wallet = new DigestWallet();
        vm.startPrank(REGISTRAR);
        uint32 account = accounts.register(address(wallet), COMMUNITY);
        accounts.approveMeter(account, 0, "wallet");
        vm.stopPrank();
        _fund(account, 1e6);
        uint64 auction = _create(_terms(true, false, 3, 0));
        bytes32 commitment = _commitment(auction, account, 5, 1);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.NotSigned.selector, account));
        _sealed.commitSigned(auction, account, commitment, NEVER, "");
        wallet.accept(_digest(address(_sealed), _commitHash(auction, account, commitment, NEVER)));
        _sealed.commitSigned(auction, account, commitment, NEVER, "");
    }

    /// @dev The most bids, revealed from the worst to the best, are ranked in one call and settled in several.
    function test_an_auction_takes_128_bids_and_ends_with_them() public {
        uint64 auction = _create(_terms(true, false, 3, 0));
        Sealed[] memory bids = new Sealed[](128);
        for (uint256 i = 0; i < 128; ++i) {
            uint32 home = _addHome(1e6);
            bids[i] = Sealed(home, int32(int256(i)), 1);
            _commit(auction, bids[i]);
        }
        vm.prank(_ownerOf(FIRST));
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.TooManyBids.selector, 128));
        _sealed.commit(auction, FIRST, "x");
        vm.warp(COMMIT_UNTIL);
        for (uint256 i = 0; i < 128; ++i) {
            _reveal(auction, bids[i]);
        }
        vm.warp(REVEAL_UNTIL);
        uint256 gas = gasleft();
        _sealed.finalise(auction);
        vm.assertLe(gas - gasleft(), 2_000_000, "gas of ranking");
        _assertPrice(auction, 124);
        uint256[] memory half = new uint256[](64);
        for (uint256 from = 0; from < 128; from += 64) {
            for (uint256 i = 0; i < 64; ++i) {
                half[i] = from + i;
            }
            _sealed.settle(auction, half);
        }
        (, uint256 pot) = accounts.moduleOf(address(_sealed));
        vm.assertEq(pot, 0);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, HOST, DAY).count(), 3);
    }

    // ---- revealing ----

    function test_only_what_was_committed_is_revealed_and_only_in_its_time() public {
        uint64 auction = _create(_terms(true, false, 3, 0));
        _commit(auction, Sealed(FIRST, 5, 2));
        bytes memory window =
            abi.encodeWithSelector(ILotMarket.OutsideWindow.selector, COMMIT_UNTIL, REVEAL_UNTIL);
        vm.warp(COMMIT_UNTIL - 1);
        vm.expectRevert(window);
        _reveal(auction, Sealed(FIRST, 5, 2));
        vm.warp(COMMIT_UNTIL);
        vm.expectPartialRevert(ISealedAuction.WrongCommitment.selector);
        _reveal(auction, Sealed(FIRST, 6, 2));
        vm.expectPartialRevert(ISealedAuction.WrongCommitment.selector);
        _reveal(auction, Sealed(FIRST, 5, 1));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.QuantityOutOfRange.selector, 4, 200));
        _reveal(auction, Sealed(FIRST, 5, 4));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.QuantityOutOfRange.selector, 0, 200));
        _reveal(auction, Sealed(FIRST, 5, 0));
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.NotCommitted.selector, SECOND));
        _reveal(auction, Sealed(SECOND, 5, 2));
        vm.expectEmit();
        emit ISealedAuction.BidRevealed(auction, 0, FIRST, 5, 2);
        _reveal(auction, Sealed(FIRST, 5, 2));
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.NotCommitted.selector, FIRST));
        _reveal(auction, Sealed(FIRST, 5, 2));
        vm.warp(REVEAL_UNTIL);
        vm.expectRevert(window);
        _reveal(auction, Sealed(FIRST, 5, 2));
    }

    /// @dev A copied commitment is bound to the account that it names, so its copy cannot be revealed.
    function test_a_copied_commitment_is_worthless() public {
        uint64 auction = _create(_terms(true, false, 3, 0));
        _commit(auction, Sealed(FIRST, 5, 2));
        bytes32 copied = _sealed.bidOf(auction, 0).commitment;
        vm.prank(_ownerOf(SECOND));
        _sealed.commit(auction, SECOND, copied);
        vm.warp(COMMIT_UNTIL);
        vm.expectPartialRevert(ISealedAuction.WrongCommitment.selector);
        _sealed.reveal(auction, SECOND, 5, 2, _salt(FIRST));
    }

    // ---- pricing ----

    function test_one_lot_goes_to_the_best_bid_at_the_second_price() public {
        uint64 auction = _play(_terms(true, false, 1, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        _assertPrice(auction, 250_000);
        vm.expectEmit();
        emit ISealedAuction.BidSettled(
            auction, 0, FIRST, Outcome.Won, 1, 250_000, DEPOSIT, LOT * SHORT_CAP, 0, 0
        );
        vm.expectEmit();
        emit IPositions.PositionOpened(
            COMMUNITY, FIRST, HOST, 0, DAY, Form.Sealed, 1, 250_000, 1, FIRST_SLOT + 3, hex"00000064000000c8"
        );
        _settleAll(auction);
        vm.assertEq(accounts.freeOf(FIRST), 100e9 - LOT * (250_000 + FEE));
        vm.assertEq(accounts.freeOf(SECOND), 100e9);
        vm.assertEq(accounts.freeOf(HOST), 100e9 - LOT * SHORT_CAP);
    }

    function test_a_purchase_goes_to_the_lowest_bid_at_the_second_lowest_price() public {
        uint64 auction = _play(_terms(false, false, 1, 400_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        _assertPrice(auction, 250_000);
        _settleAll(auction);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, SECOND, DAY).count(), 1);
        vm.assertEq(accounts.freeOf(HOST), 100e9 - LOT * (250_000 + FEE));
        vm.assertEq(accounts.freeOf(SECOND), 100e9 - LOT * SHORT_CAP);
    }

    function test_several_lots_cost_the_best_price_that_got_none() public {
        uint64 auction = _play(_terms(true, false, 4, 10_000), _three(300_000, 1, 200_000, 3, 250_000, 2));
        // 300,000 for one, 250,000 for two, 200,000 for the last: two lots at 200,000 are lost.
        _assertPrice(auction, 200_000);
        vm.assertEq(_sealed.bidOf(auction, 1).won, 1);
    }

    function test_without_competition_the_reserve_is_the_price() public {
        uint64 auction = _play(_terms(true, false, 4, 220_000), _three(300_000, 1, 219_999, 3, 250_000, 2));
        _assertPrice(auction, 220_000);
        vm.assertEq(_sealed.bidOf(auction, 1).won, 0);
        vm.assertEq(accounts.freeOf(HOST), 100e9 - 3 * LOT * SHORT_CAP);
        auction = _play(_terms(false, false, 4, 220_000), new Sealed[](0));
        _assertPrice(auction, 220_000);
    }

    function test_equal_prices_are_served_in_the_order_of_revealing() public {
        uint64 auction = _create(_terms(true, false, 1, 0));
        _commit(auction, Sealed(FIRST, 5, 1));
        _commit(auction, Sealed(SECOND, 5, 1));
        vm.warp(COMMIT_UNTIL);
        _reveal(auction, Sealed(SECOND, 5, 1));
        _reveal(auction, Sealed(FIRST, 5, 1));
        vm.warp(REVEAL_UNTIL);
        _sealed.finalise(auction);
        vm.assertEq(_sealed.bidOf(auction, 0).won, 0);
        vm.assertEq(_sealed.bidOf(auction, 1).won, 1);
        _assertPrice(auction, 5);
    }

    function test_pay_as_bid_charges_each_winner_its_own_price() public {
        uint64 auction = _play(_terms(true, true, 3, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 2));
        _settleAll(auction);
        vm.assertEq(accounts.freeOf(FIRST), 100e9 - LOT * (300_000 + FEE));
        vm.assertEq(accounts.freeOf(SECOND), 100e9);
        vm.assertEq(accounts.freeOf(THIRD), 100e9 - 2 * LOT * (250_000 + FEE));
    }

    function test_winners_are_found_once_and_after_revealing() public {
        uint64 auction = _create(_terms(true, false, 1, 0));
        vm.warp(REVEAL_UNTIL - 1);
        vm.expectPartialRevert(ILotMarket.OutsideWindow.selector);
        _sealed.finalise(auction);
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.NotFinal.selector, auction));
        _sealed.settle(auction, new uint256[](0));
        vm.warp(REVEAL_UNTIL);
        vm.expectEmit();
        emit ISealedAuction.SealedFinalised(auction, 0, 0, LOT * SHORT_CAP);
        _sealed.finalise(auction);
        vm.assertEq(accounts.freeOf(HOST), 100e9);
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.AlreadyFinal.selector, auction));
        _sealed.finalise(auction);
        vm.expectRevert(abi.encodeWithSelector(ISealedAuction.UnknownBid.selector, 0));
        _sealed.settle(auction, new uint256[](1));
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.UnknownAuction.selector, 2));
        _sealed.finalise(2);
        vm.expectRevert(abi.encodeWithSelector(ILotMarket.UnknownAuction.selector, 0));
        _sealed.bidCount(0);
    }

    // ---- settling ----

    function test_a_deposit_is_returned_or_forfeited_exactly_once() public {
        uint64 auction = _create(_terms(true, false, 1, 0));
        _commit(auction, Sealed(FIRST, 5, 1));
        _commit(auction, Sealed(SECOND, 6, 1));
        vm.warp(COMMIT_UNTIL);
        _reveal(auction, Sealed(FIRST, 5, 1));
        vm.warp(REVEAL_UNTIL);
        _sealed.finalise(auction);
        uint256[] memory bids = new uint256[](3);
        (bids[0], bids[1], bids[2]) = (1, 1, 1);
        vm.expectEmit();
        emit ISealedAuction.BidSettled(auction, 1, SECOND, Outcome.Unrevealed, 0, 0, 0, 0, 500, 501);
        _sealed.settle(auction, bids);
        vm.assertEq(accounts.freeOf(SECOND), 100e9 - DEPOSIT);
        vm.assertEq(accounts.reserve(), 501);
        vm.assertEq(accounts.freeOf(HOST), 100e9 - LOT * SHORT_CAP + 500);
        _settleAll(auction);
        _settleAll(auction);
        vm.assertEq(accounts.freeOf(FIRST), 100e9 - LOT * FEE);
        (, uint256 pot) = accounts.moduleOf(address(_sealed));
        vm.assertEq(pot, 0);
        vm.assertTrue(_sealed.bidOf(auction, 0).state == BidState.Settled);
    }

    function test_a_winner_who_cannot_pay_loses_its_deposit_and_the_others_trade() public {
        uint64 auction = _play(_terms(true, false, 2, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        vm.prank(_ownerOf(FIRST));
        accounts.requestWithdrawal(FIRST, 100e9 - 10_000);
        uint256 left = accounts.freeOf(FIRST);
        _settleAll(auction);
        vm.assertEq(accounts.freeOf(FIRST), left);
        vm.assertEq(accounts.reserve(), 501);
        vm.assertEq(accounts.freeOf(HOST), 100e9 - LOT * SHORT_CAP + 500);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, THIRD, DAY).count(), 1);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, FIRST, DAY).count(), 0);
    }

    function test_the_deposit_itself_pays_for_a_winner() public {
        uint256 need = LOT * (250_000 + FEE);
        SealedTerms memory terms = _terms(true, false, 1, 10_000);
        terms.deposit = uint64(need - 1000);
        uint64 auction = _play(terms, _three(300_000, 1, 200_000, 1, 250_000, 1));
        vm.prank(_ownerOf(FIRST));
        accounts.requestWithdrawal(FIRST, 100e9 - need);
        vm.assertEq(accounts.freeOf(FIRST), 1000);
        _settleAll(auction);
        vm.assertEq(accounts.freeOf(FIRST), 0);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, FIRST, DAY).count(), 1);
    }

    function test_what_is_not_settled_before_the_slot_returns_to_everybody() public {
        uint64 auction = _play(_terms(true, false, 2, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        vm.warp(DAY_START + 3 * SLOT_SECONDS);
        _settleAll(auction);
        _assertNothingMoved();
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 0);
    }

    function test_a_curtailed_auction_returns_everything() public {
        uint64 auction = _play(_terms(true, false, 2, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        vm.prank(REGULATOR);
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + 4, 0, "");
        _settleAll(auction);
        _assertNothingMoved();
    }

    function test_a_closed_day_returns_everything() public {
        uint64 auction = _play(_terms(true, false, 2, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        vm.prank(ADMIN);
        communities.closeDay(COMMUNITY, DAY);
        _settleAll(auction);
        _assertNothingMoved();
    }

    /// @dev A winner that fills its day with other positions is to blame, an offering account is not paid for it.
    function test_an_account_that_takes_no_more_positions_does_not_stop_the_others() public {
        uint64 auction = _play(_terms(true, false, 2, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        _fill(FIRST, 9);
        _settleAll(auction);
        vm.assertEq(accounts.reserve(), 501);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, THIRD, DAY).count(), 1);
        auction = _play(_terms(true, false, 1, 10_000), _three(300_000, 1, 200_000, 1, 250_000, 1));
        _fill(HOST, 9);
        uint256 reserve = accounts.reserve();
        _settleAll(auction);
        vm.assertEq(accounts.reserve(), reserve);
        (, uint256 pot) = accounts.moduleOf(address(_sealed));
        vm.assertEq(pot, 0);
    }

    /// @dev Against unit lots sorted one by one; the sum of pots, locks and balances never changes.
    function testFuzz_winners_and_price_are_those_of_brute_force(uint256 seed) public {
        bool selling = seed & 1 == 0;
        SealedTerms memory terms = _terms(
            selling, seed & 2 == 0, uint16(clamp(seed >> 8, 1, 6)), int32(int256(clamp(seed >> 16, 0, 4)))
        );
        uint64 auction = _create(terms);
        Sealed[] memory bids = new Sealed[](5);
        uint32[] memory turns = new uint32[](5);
        for (uint32 i = 0; i < 5; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            bids[i] = Sealed(
                FIRST + i, int32(int256(clamp(seed, 0, 5))), uint16(clamp(seed >> 64, 1, terms.lots.count))
            );
            _commit(auction, bids[i]);
        }
        vm.warp(COMMIT_UNTIL);
        // Revealed from a random one on, some not at all.
        uint32 turn = 0;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 j = (i * 2 + seed) % 5;
            if ((seed >> (8 * j)) % 4 == 0) continue;
            _reveal(auction, bids[j]);
            turns[j] = ++turn;
        }
        vm.warp(REVEAL_UNTIL);
        _sealed.finalise(auction);
        (uint16[] memory won, int32 price) = _bruteForce(terms, bids, turns);
        _assertPrice(auction, price);
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertEq(_sealed.bidOf(auction, i).won, won[i]);
        }
        _assertConserved();
        _settleAll(auction);
        _assertConserved();
        (, uint256 pot) = accounts.moduleOf(address(_sealed));
        vm.assertEq(pot, 0);
        for (uint256 i = 0; i < 5; ++i) {
            int32 paid = terms.payAsBid ? bids[i].price : price;
            uint256 perKwh = selling ? uint256(int256(paid)) + FEE : SHORT_CAP;
            uint256 lost = turns[i] == 0 ? DEPOSIT : won[i] * LOT * perKwh;
            vm.assertEq(accounts.freeOf(bids[i].account), 100e9 - lost);
        }
    }

    // ---- helpers ----

    /// @dev Lot by lot: the best bid that wants one more and is within the reserve gets the next one.
    function _bruteForce(SealedTerms memory terms, Sealed[] memory bids, uint32[] memory turns)
        private
        pure
        returns (uint16[] memory won, int32 price)
    {
        won = new uint16[](bids.length);
        for (uint256 lot = 0; lot <= terms.lots.count; ++lot) {
            uint256 best = type(uint256).max;
            for (uint256 i = 0; i < bids.length; ++i) {
                int32 limit = bids[i].price;
                bool within = terms.lots.selling ? limit >= terms.reservePrice : limit <= terms.reservePrice;
                if (turns[i] == 0 || !within || won[i] == bids[i].lots) continue;
                if (best == type(uint256).max) {
                    best = i;
                    continue;
                }
                int32 other = bids[best].price;
                bool better = terms.lots.selling ? limit > other : limit < other;
                if (better || (limit == other && turns[i] < turns[best])) best = i;
            }
            if (best == type(uint256).max) return (won, terms.reservePrice);
            if (lot == terms.lots.count) return (won, bids[best].price);
            ++won[best];
        }
    }

    function _assertConserved() private view {
        (, uint256 pot) = accounts.moduleOf(address(_sealed));
        uint256 free = 0;
        for (uint32 account = HOST; account < HOST + 6; ++account) {
            free += accounts.freeOf(account);
        }
        vm.assertEq(free + pot + accounts.lockTotal(COMMUNITY, DAY) + accounts.reserve(), 600e9);
    }

    function _assertNothingMoved() private view {
        for (uint32 account = HOST; account <= THIRD; ++account) {
            vm.assertEq(accounts.freeOf(account), 100e9);
        }
        (, uint256 pot) = accounts.moduleOf(address(_sealed));
        vm.assertEq(pot, 0);
    }

    function _assertPrice(uint64 auction, int32 price) private view {
        (,, bool isFinal, int32 actual) = _sealed.auctionOf(auction);
        vm.assertTrue(isFinal);
        vm.assertEq(int256(actual), price);
    }

    function _terms(bool selling, bool payAsBid, uint16 count, int32 reserve)
        private
        pure
        returns (SealedTerms memory terms)
    {
        uint32[] memory wh = new uint32[](2);
        (wh[0], wh[1]) = (100, 200);
        terms.lots = Lots(HOST, COMMUNITY, 0, selling, 1, count, FIRST_SLOT + 3, wh);
        (terms.payAsBid, terms.reservePrice, terms.deposit) = (payAsBid, reserve, DEPOSIT);
        (terms.commitUntil, terms.revealUntil) = (COMMIT_UNTIL, REVEAL_UNTIL);
    }

    function _three(int32 a, uint16 m, int32 b, uint16 n, int32 c, uint16 o)
        private
        pure
        returns (Sealed[] memory bids)
    {
        bids = new Sealed[](3);
        (bids[0], bids[1], bids[2]) = (Sealed(FIRST, a, m), Sealed(SECOND, b, n), Sealed(THIRD, c, o));
    }

    /// @dev An auction with these bids, all revealed, whose winners are known.
    function _play(SealedTerms memory terms, Sealed[] memory bids) private returns (uint64 auction) {
        uint40 shift = uint40(vm.getBlockTimestamp() - BEFORE_GATE);
        terms.commitUntil += shift;
        terms.revealUntil += shift;
        auction = _create(terms);
        for (uint256 i = 0; i < bids.length; ++i) {
            _commit(auction, bids[i]);
        }
        vm.warp(terms.commitUntil);
        for (uint256 i = 0; i < bids.length; ++i) {
            _reveal(auction, bids[i]);
        }
        vm.warp(terms.revealUntil);
        _sealed.finalise(auction);
    }

    function _create(SealedTerms memory terms) private returns (uint64) {
        vm.prank(_ownerOf(HOST));
        return _sealed.create(terms);
    }

    function _refuse(SealedTerms memory terms, bytes memory refusal) private {
        vm.prank(_ownerOf(HOST));
        vm.expectRevert(refusal);
        _sealed.create(terms);
    }

    function _commit(uint64 auction, Sealed memory bid) private {
        bytes32 commitment = _commitment(auction, bid.account, bid.price, bid.lots);
        vm.prank(_ownerOf(bid.account));
        _sealed.commit(auction, bid.account, commitment);
    }

    function _reveal(uint64 auction, Sealed memory bid) private {
        _sealed.reveal(auction, bid.account, bid.price, bid.lots, _salt(bid.account));
    }

    function _settleAll(uint64 auction) private {
        uint256[] memory bids = new uint256[](_sealed.bidCount(auction));
        for (uint256 i = 0; i < bids.length; ++i) {
            bids[i] = i;
        }
        _sealed.settle(auction, bids);
    }

    /// @dev Gives an account the most positions of the day.
    function _fill(uint32 account, uint32 partner) private {
        uint32[] memory wh = new uint32[](1);
        wh[0] = 1;
        Agreement memory agreement =
            Agreement(COMMUNITY, 0, account, partner, Form.Bilateral, 0, 0, 1, FIRST_SLOT + 11, wh);
        if (positions.chainOf(COMMUNITY, 0, partner, DAY).count() != 0) agreement.seller = partner - 1;
        while (positions.chainOf(COMMUNITY, 0, account, DAY).count() < 512) {
            vm.prank(address(auction));
            positions.open(agreement);
        }
    }

    function _salt(uint32 account) private pure returns (bytes32) {
        return keccak256(abi.encode("salt", account));
    }

    function _commitment(uint64 auction, uint32 account, int32 price, uint16 lots)
        private
        view
        returns (bytes32)
    {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256("SealedBid(uint64 auction,uint32 account,int32 price,uint16 lots,bytes32 salt)"),
                auction,
                account,
                price,
                lots,
                _salt(account)
            )
        );
        return _digest(address(_sealed), hash);
    }

    function _commitHash(uint64 auction, uint32 account, bytes32 commitment, uint64 validTo)
        private
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                keccak256("SealedCommit(uint64 auction,uint32 account,bytes32 commitment,uint64 validTo)"),
                auction,
                account,
                commitment,
                validTo
            )
        );
    }

    function _signCommit(uint64 auction, uint32 account, bytes32 commitment, uint64 validTo, uint256 key)
        private
        view
        returns (bytes memory)
    {
        return _sign(key, address(_sealed), _commitHash(auction, account, commitment, validTo));
    }
}
