// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICourt} from "../src/interfaces/ICourt.sol";
import {BillState, ISettlement} from "../src/interfaces/ISettlement.sol";
import {Reason} from "../src/types/Bills.sol";
import {Path} from "../src/types/Evidence.sol";
import {CourtDay} from "./support/CourtDay.sol";
import {vm} from "./support/Vm.sol";

/// @notice Nodes that nobody shows.
contract CourtOfDemandsTest is CourtDay {
    function test_a_withheld_line_voids_the_bills() public {
        uint256 id = _withheld();
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES);
        uint256 free = accounts.freeOf(B);
        vm.prank(_ownerOf(B));
        court.demand(id, path, B);
        vm.assertEq(accounts.freeOf(B), free - DEMAND_BOND);
        vm.assertEq(court.openDemands(id), 1);
        bytes32 hash = keccak256("withheld");
        uint256 until = BILLS_FROM + 86_400;
        vm.expectRevert(abi.encodeWithSelector(ICourt.TooEarly.selector, until));
        court.expire(id, hash);
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.DemandsOpen.selector, id, 1));
        settlement.finalise(id);
        court.expire(id, hash);
        _assertReason(id, Reason.Withheld);
        vm.assertEq(accounts.freeOf(B), free + BOND / 2);
        vm.assertEq(court.openDemands(id), 0);
        (, uint256 pot) = accounts.moduleOf(address(court));
        vm.assertEq(pot, 0, "pot");
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotDemanded.selector, id, hash));
        court.expire(id, hash);
    }

    function test_an_answer_begins_the_window_anew_and_earns_half_of_the_bond() public {
        uint256 id = _propose(_root());
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES);
        vm.prank(_ownerOf(B));
        court.demand(id, path, B);
        vm.warp(BILLS_FROM + 100_000);
        bytes memory preimage = bytes.concat(hex"02", _line(A, 0));
        uint256 free = accounts.freeOf(C);
        vm.expectEmit();
        emit ICourt.Answered(id, keccak256(preimage), preimage, C);
        court.answer(id, preimage, C);
        vm.assertEq(accounts.freeOf(C), free + DEMAND_BOND / 2);
        vm.assertEq(accounts.reserve(), DEMAND_BOND - DEMAND_BOND / 2);
        vm.assertEq(uint256(settlement.billsOf(id).closesAt), BILLS_FROM + 186_400);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.TooEarly.selector, BILLS_FROM + 186_400));
        settlement.finalise(id);
        // Once is enough, and what was shown is challenged like anything else.
        vm.prank(_ownerOf(B));
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotDemandable.selector, keccak256(preimage)));
        court.demand(id, path, B);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotDemanded.selector, id, keccak256(preimage)));
        court.answer(id, preimage, C);
        this.lineSurvives(id, A, 0);
        vm.warp(BILLS_FROM + 186_400);
        settlement.finalise(id);
    }

    function test_only_a_node_of_its_kind_answers() public {
        bytes memory strange = bytes.concat(hex"02", _line(A, 0), new bytes(1000));
        Node memory node = _lineNodes(A)[0];
        claimed[node.hash] = Node(keccak256(strange), node.sums);
        uint256 id = _propose(_root());
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES);
        vm.prank(_ownerOf(B));
        court.demand(id, path, B);
        vm.expectRevert(ICourt.MalformedAnswer.selector);
        court.answer(id, strange, C);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotDemanded.selector, id, keccak256("other")));
        court.answer(id, "other", C);
    }

    function test_a_demand_needs_its_owner_its_bond_and_a_node() public {
        uint256 id = _propose(_root());
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotDemander.selector, B, address(this)));
        court.demand(id, path, B);
        vm.startPrank(_ownerOf(B));
        Path memory opened = _pathToRef(A, 0, 0);
        vm.expectPartialRevert(ICourt.NotDemandable.selector);
        court.demand(id, opened, B);
        accounts.requestWithdrawal(B, accounts.freeOf(B));
        vm.expectRevert(abi.encodeWithSelector(ICourt.BondNotCovered.selector, B, DEMAND_BOND));
        court.demand(id, path, B);
        vm.stopPrank();
    }

    function test_a_demand_of_bills_that_fell_otherwise_returns_its_bond() public {
        uint256 id = _withheld();
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES);
        uint256 free = accounts.freeOf(B);
        vm.prank(_ownerOf(B));
        court.demand(id, path, B);
        vm.prank(address(court));
        settlement.voidBills(id, C, Reason.Line);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotOpen.selector, id));
        court.answer(id, "withheld", C);
        court.expire(id, keccak256("withheld"));
        vm.assertEq(accounts.freeOf(B), free);
        vm.assertEq(uint256(settlement.billsOf(id).state), uint256(BillState.Void));
    }

    function test_answering_oneself_costs_half_of_the_demands_bond() public {
        uint256 id = _propose(_root());
        uint256 free = accounts.freeOf(B);
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES);
        vm.prank(_ownerOf(B));
        court.demand(id, path, B);
        court.answer(id, bytes.concat(hex"02", _line(A, 0)), B);
        vm.assertEq(accounts.freeOf(B), free - (DEMAND_BOND - DEMAND_BOND / 2));
    }

    // ---- helpers ----

    /// @dev Bills that carry the hash of nothing in place of A's first line.
    function _withheld() private returns (uint256 id) {
        Node memory node = _lineNodes(A)[0];
        claimed[node.hash] = Node(keccak256("withheld"), node.sums);
        return _propose(_root());
    }
}
