// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {OrderProof, PositionProof} from "../src/types/Evidence.sol";
import {TradingDay} from "./support/TradingDay.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice Days that nobody could bill, as their reports never came.
contract WithoutBillsTest is TradingDay {
    uint32 private constant A = 4;
    uint32 private constant B = 5;
    uint32 private constant C = 6;
    uint256 private constant ALONE_FROM = BILLS_FROM + 14 days;

    function setUp() public {
        _deploy(3);
        lastHome = C;
    }

    function test_every_trade_of_a_day_without_bills_is_paid_as_delivered() public {
        _tradeDay();
        uint256 owed = accounts.owed();
        uint256 locked = accounts.lockTotal(COMMUNITY, DAY);
        int256[7] memory expected;
        int256[2] memory fees;
        for (uint32 i = 1; i <= C; ++i) {
            expected[i] = int256(accounts.freeOf(i));
        }
        for (uint32 home = A; home <= C; ++home) {
            for (uint32 slot = 0; slot < SLOTS; ++slot) {
                Node[] memory nodes = _refNodes(home, slot, _refs(home, slot));
                for (uint256 i = 0; i < nodes.length; ++i) {
                    expected[home] -= _due(nodes[i]);
                    fees[0] += nodes[i].sums[4];
                    fees[1] += nodes[i].sums[5];
                }
            }
        }
        vm.warp(ALONE_FROM);
        settlement.settleAlone(COMMUNITY, DAY);
        (, uint256 pot) = settlement.aloneOf(COMMUNITY, DAY);
        vm.assertEq(pot, locked, "released");
        _payAll();
        for (uint32 home = A; home <= C; ++home) {
            vm.assertEq(int256(accounts.freeOf(home)), expected[home], "home");
        }
        // One slot was curtailed to a third; the parties bear what rounding gives sellers more than it takes of buyers.
        int256 parties = int256(accounts.freeOf(OPERATOR) + accounts.freeOf(PLATFORM));
        int256 missing = expected[OPERATOR] + expected[PLATFORM] + fees[0] + fees[1] - parties;
        vm.assertTrue(missing >= 0 && missing <= 3 * 120_000, "parties");
        vm.assertEq(accounts.owed(), owed, "owed");
        (, pot) = settlement.aloneOf(COMMUNITY, DAY);
        (, uint256 inPot) = accounts.moduleOf(address(settlement));
        vm.assertEq(pot, inPot, "pot");
        vm.assertLe(pot, 3 * 120_000, "rest");
    }

    function test_nothing_is_paid_twice() public {
        _tradeDay();
        vm.warp(ALONE_FROM);
        settlement.settleAlone(COMMUNITY, DAY);
        _payAll();
        (, uint256 pot) = settlement.aloneOf(COMMUNITY, DAY);
        uint256 free = accounts.freeOf(A) + accounts.freeOf(B) + accounts.freeOf(C);
        _payAll();
        (, uint256 after_) = settlement.aloneOf(COMMUNITY, DAY);
        vm.assertEq(after_, pot);
        vm.assertEq(accounts.freeOf(A) + accounts.freeOf(B) + accounts.freeOf(C), free);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.DaySettledAlone.selector, COMMUNITY, DAY));
        settlement.settleAlone(COMMUNITY, DAY);
        int128[8] memory sums;
        vm.prank(_ownerOf(RETAILER));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.DaySettledAlone.selector, COMMUNITY, DAY));
        settlement.proposeBills(COMMUNITY, DAY, RETAILER, 0, sums, 0, 0);
    }

    function test_false_records_are_not_paid() public {
        _tradeDay();
        OrderProof[] memory proofs = new OrderProof[](1);
        uint32[] memory indices = new uint32[](1);
        proofs[0] = _orderProof(0, 0, _result(0));
        bytes memory refusal = abi.encodeWithSelector(ISettlement.NotSettledAlone.selector, COMMUNITY, DAY);
        vm.expectRevert(refusal);
        settlement.settleAloneOrders(_market(0), indices, proofs);
        PositionProof[] memory shown = new PositionProof[](1);
        shown[0] = _positionProof(A, 0);
        vm.expectRevert(refusal);
        settlement.settleAlonePositions(COMMUNITY, 0, A, DAY, indices, shown);
        vm.warp(ALONE_FROM);
        settlement.settleAlone(COMMUNITY, DAY);
        proofs[0].record ^= bytes16(uint128(1 << 64)); // a higher price
        vm.expectRevert(ISettlement.InvalidEvidence.selector);
        settlement.settleAloneOrders(_market(0), indices, proofs);
        vm.expectRevert(ISettlement.InvalidEvidence.selector);
        settlement.settleAloneOrders(_market(0), new uint32[](2), proofs);
        shown[0].record[22] ^= 0x01;
        vm.expectRevert(ISettlement.InvalidEvidence.selector);
        settlement.settleAlonePositions(COMMUNITY, 0, A, DAY, indices, shown);
        shown[0] = _positionProof(A, 0);
        vm.expectRevert(ISettlement.InvalidEvidence.selector);
        settlement.settleAlonePositions(COMMUNITY, 0, B, DAY, indices, shown);
    }

    function test_bills_have_fourteen_days_and_come_first() public {
        _reportRetail();
        _tradeDay();
        _reportDay();
        vm.expectRevert(abi.encodeWithSelector(ISettlement.TooEarly.selector, ALONE_FROM));
        settlement.settleAlone(COMMUNITY, DAY);
        vm.warp(ALONE_FROM);
        uint256 id = _propose(_root());
        vm.expectRevert(abi.encodeWithSelector(ISettlement.ProposalsOpen.selector, 1));
        settlement.settleAlone(COMMUNITY, DAY);
        vm.warp(ALONE_FROM + 86_400);
        settlement.finalise(id);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.DayFinal.selector, COMMUNITY, DAY));
        settlement.settleAlone(COMMUNITY, DAY);
    }

    /// @dev Two bids of 1 Wh are curtailed to nothing and an offer of 2 to 1: who comes last gets less.
    function test_rounding_never_takes_more_than_the_days_locks() public {
        _order(0, A, 100_000, 1, true);
        _order(0, B, 100_000, 1, true);
        _order(0, C, 100_000, 2, false);
        vm.warp(DIRECT_GATE);
        _clearAll();
        _curtail(0, 500);
        uint256 free = accounts.freeOf(B);
        vm.warp(ALONE_FROM);
        settlement.settleAlone(COMMUNITY, DAY);
        uint32[3] memory order = [uint32(2), 0, 1];
        for (uint256 i = 0; i < 3; ++i) {
            _payOrder(0, order[i]);
        }
        vm.assertEq(accounts.freeOf(B), free + 121_000 - 100_000);
        (, uint256 pot) = settlement.aloneOf(COMMUNITY, DAY);
        vm.assertEq(pot, 0);
    }

    function testFuzz_no_order_of_claims_moves_money_of_others(uint256 seed, uint16 permille) public {
        _fund(OPERATOR, 1e6);
        for (uint32 i = 0; i < 6; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            int32 price = int32(int256(clamp(draw, 0, 6))) * 20_000 - 40_000;
            _order(0, A + uint32(draw >> 8) % 3, price, uint32(clamp(draw >> 16, 1, 9)), draw >> 32 & 1 == 0);
        }
        _agree(A, C, -1000, 0, uint32(clamp(seed, 1, 50)));
        vm.warp(DIRECT_GATE);
        _clearAll();
        _curtail(0, uint16(clamp(permille, 0, 999)));
        uint256 locked = accounts.lockTotal(COMMUNITY, DAY);
        uint256 owed = accounts.owed();
        vm.warp(ALONE_FROM);
        settlement.settleAlone(COMMUNITY, DAY);
        uint256 given = 0;
        for (uint32 home = 1; home <= C; ++home) {
            given += accounts.freeOf(home);
        }
        for (uint32 i = 0; i < 6; ++i) {
            _payOrder(0, uint32((seed % 6 + i * 5) % 6));
        }
        _payPositions(A);
        _payPositions(C);
        uint256 now_ = 0;
        for (uint32 home = 1; home <= C; ++home) {
            now_ += accounts.freeOf(home);
        }
        (, uint256 pot) = settlement.aloneOf(COMMUNITY, DAY);
        vm.assertEq(now_ - given + pot, locked, "the locks and nothing else");
        vm.assertEq(accounts.owed(), owed, "owed");
        vm.assertLe(pot, 7 * 100_000, "only rounding is left");
    }

    function _tradeDay() private {
        _order(0, A, 120_000, 900, true);
        _order(0, B, 60_000, 500, false);
        _order(0, C, 80_000, 600, false);
        _order(3, C, -5000, 700, false);
        _order(3, B, 90_000, 400, true);
        _order(3, A, 20_000, 400, true);
        uint32[] memory wh = new uint32[](3);
        (wh[0], wh[2]) = (200, 100);
        _agree(A, B, -7000, 2, wh);
        _agree(C, A, 80_000, 3, 301);
        vm.warp(DIRECT_GATE);
        _clearAll();
        _curtail(3, 333);
    }

    function _payAll() private {
        for (uint32 slot = 0; slot < 4; ++slot) {
            uint32 count = uint32(orders[slot].length);
            if (count == 0) continue;
            OrderProof[] memory proofs = new OrderProof[](count);
            uint32[] memory indices = new uint32[](count);
            for (uint32 i = 0; i < count; ++i) {
                (indices[i], proofs[i]) = (i, _orderProof(slot, i, _result(slot)));
            }
            settlement.settleAloneOrders(_market(slot), indices, proofs);
        }
        for (uint32 home = A; home <= C; ++home) {
            _payPositions(home);
        }
    }

    function _payOrder(uint32 slot, uint32 index) private {
        OrderProof[] memory proofs = new OrderProof[](1);
        uint32[] memory indices = new uint32[](1);
        (indices[0], proofs[0]) = (index, _orderProof(slot, index, _result(slot)));
        settlement.settleAloneOrders(_market(slot), indices, proofs);
    }

    function _payPositions(uint32 account) private {
        uint32 count = uint32(records[account].length);
        PositionProof[] memory proofs = new PositionProof[](count);
        uint32[] memory indices = new uint32[](count);
        for (uint32 i = 0; i < count; ++i) {
            (indices[i], proofs[i]) = (i, _positionProof(account, i));
        }
        settlement.settleAlonePositions(COMMUNITY, 0, account, DAY, indices, proofs);
    }
}
