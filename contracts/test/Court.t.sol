// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICourt} from "../src/interfaces/ICourt.sol";
import {BillState, ISettlement} from "../src/interfaces/ISettlement.sol";
import {BillPath} from "../src/libraries/BillPath.sol";
import {Merkle} from "../src/libraries/Merkle.sol";
import {Reason} from "../src/types/Bills.sol";
import {LineEvidence, MeterNeighbour, MeterProof, Path, ReferenceEvidence} from "../src/types/Evidence.sol";
import {TradingDay} from "./support/TradingDay.sol";
import {CourtDay} from "./support/CourtDay.sol";
import {vm} from "./support/Vm.sol";

/// @notice What honest bills survive, and when and for whom the court judges.
contract CourtTest is CourtDay {
    function test_every_honest_line_survives_its_challenge() public {
        uint256 id = _propose(_root());
        for (uint32 home = A; home <= lastHome; ++home) {
            for (uint32 slot = 0; slot < 8; ++slot) {
                this.lineSurvives(id, home, slot);
            }
        }
    }

    function test_every_honest_reference_survives_its_challenge() public {
        uint256 id = _propose(_root());
        uint256 count = 0;
        for (uint32 home = A; home <= lastHome; ++home) {
            for (uint32 slot = 0; slot < 8; ++slot) {
                bytes[] memory refs = _refs(home, slot);
                for (uint32 i = 0; i < refs.length; ++i) {
                    this.referenceSurvives(id, home, slot, i);
                    ++count;
                }
            }
        }
        vm.assertEq(count, 8 + 8, "orders and slots of positions");
    }

    function test_every_honest_node_on_the_way_survives_its_challenge() public {
        uint256 id = _propose(_root());
        Path memory path = _pathToRef(A, 0, 2);
        uint256[7] memory sizes = [uint256(320), 320, 320, ACCOUNT_BYTES, 6 * 320, 178, 2 * 320 + 13];
        uint256 end = 160;
        for (uint256 i = 0; i < 6; ++i) {
            bytes memory preimage = _cut(path.nodes, end, end + (i == 4 ? 320 : sizes[i]));
            uint8 tag = i == 3 ? 4 : i == 5 ? 2 : 3;
            Path memory part = Path(path.accountIndex, path.position, 2, _cut(path.nodes, 0, end));
            _sumHolds(id, part, bytes.concat(bytes1(tag), preimage));
            end += sizes[i];
        }
        Path memory leaf = _shortened(path, REF_BYTES);
        _sumHolds(id, leaf, bytes.concat(hex"06", _refs(A, 0)[2]));
    }

    function test_honest_neighbours_survive_their_challenge() public {
        uint256 id = _propose(_root());
        _orderHolds(id, _pathToAccount(A), _pathToAccount(B));
        _orderHolds(id, _pathToRef(A, 0, 1), _pathToRef(A, 0, 2));
        Path memory path = _pathToLine(A, 0);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeOrder(id, _pathToAccount(B), _pathToAccount(A), B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeOrder(id, path, _pathToRef(A, 0, 0), B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeOrder(id, _pathToRef(A, 0, 0), _pathToRef(A, 0, 2), B);
    }

    function test_no_honest_line_is_absent_or_unmetered() public {
        uint256 id = _propose(_root());
        Path[] memory paths = new Path[](1);
        paths[0] = _pathToLine(A, 1);
        _absentHolds(id, paths, A, 1);
        // An empty place elsewhere in the subtree is no missing line.
        paths[0] = _shortened(_pathToLine(A, 1), LINE_BYTES + 5 * PAIR_BYTES);
        paths[0].position = 63;
        _absentHolds(id, paths, A, 1);
        paths[0] = _pathToAccount(A);
        _absentHolds(id, paths, B, 1);
        paths = new Path[](2);
        (paths[0], paths[1]) = (_pathToAccount(A), _pathToAccount(C));
        _absentHolds(id, paths, B, 1);
        _absentHolds(id, new Path[](0), B, 1);
        MeterNeighbour[] memory beside = new MeterNeighbour[](2);
        beside[0] = MeterNeighbour(A, _meterProof(A, 1));
        beside[1] = MeterNeighbour(C, _meterProof(C, 1));
        Path memory path = _pathToLine(B, 1);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeUnmetered(id, path, beside, B);
    }

    function test_false_evidence_refutes_nothing() public {
        uint256 id = _propose(_root());
        Path memory path = _pathToLine(A, 0);
        LineEvidence memory evidence = _evidence(A, 0);
        evidence.meter.importWh += 1;
        _lineEvidenceFails(id, path, evidence);
        evidence = _evidence(A, 0);
        evidence.retailPrices[3] = 0x01;
        _lineEvidenceFails(id, path, evidence);
        evidence = _evidence(A, 0);
        evidence.nomination = _nominationProof(0);
        _lineEvidenceFails(id, path, evidence);
        evidence.nomination.entry[15] = 0x01;
        _lineEvidenceFails(id, path, evidence);
        evidence = _evidence(A, 0);
        evidence.nomination.batch = 99;
        _lineEvidenceFails(id, path, evidence);
        _referenceEvidenceFails(id, 0, 0);
        _referenceEvidenceFails(id, 3, 1);
        path = _pathToLine(A, 0);
        path.accountIndex = 1;
        vm.expectRevert(BillPath.InvalidPath.selector);
        court.challengeLine(id, path, _evidence(A, 0), B);
        path = _pathToLine(A, 0);
        path.nodes = bytes.concat(path.nodes, hex"00");
        vm.expectRevert(BillPath.InvalidPath.selector);
        court.challengeLine(id, path, _evidence(A, 0), B);
        path = _pathToLine(A, 0);
        path.nodes[1] ^= 0x01;
        vm.expectRevert(BillPath.InvalidPath.selector);
        court.challengeLine(id, path, _evidence(A, 0), B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeSum(id, _pathToAccount(A), hex"03", B);
    }

    function test_a_path_that_ends_too_early_refutes_nothing() public {
        uint256 id = _propose(_root());
        Path memory toAccount = _shortened(_pathToAccount(A), ACCOUNT_BYTES);
        Path memory toLine = _shortened(_pathToLine(A, 0), LINE_BYTES);
        Path memory opened = _pathToLine(A, 0);
        LineEvidence memory evidence = _evidence(A, 0);
        ReferenceEvidence memory shown;
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeOrder(id, toAccount, opened, B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeLine(id, toLine, evidence, B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeReference(id, opened, shown, B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeUnmetered(id, toLine, new MeterNeighbour[](1), B);
        // Nothing is left to open below a reference.
        opened = _pathToRef(A, 0, 0);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeSum(id, opened, "", B);
    }

    function test_a_path_that_goes_on_too_far_opens_nothing() public {
        uint256 id = _propose(_root());
        LineEvidence memory evidence = _evidence(E, 7);
        // Behind a line without references, behind a reference, and beyond the references that there are.
        Path memory path = _pathToLine(E, 7);
        path.nodes = bytes.concat(path.nodes, hex"00");
        vm.expectRevert(BillPath.InvalidPath.selector);
        court.challengeLine(id, path, evidence, B);
        ReferenceEvidence memory shown = _refEvidence(A, 0, _refs(A, 0)[0]);
        path = _pathToRef(A, 0, 0);
        path.nodes = bytes.concat(path.nodes, hex"00");
        vm.expectRevert(BillPath.InvalidPath.selector);
        court.challengeReference(id, path, shown, B);
        path = _pathToRef(A, 0, 0);
        path.refIndex = 4;
        vm.expectRevert(BillPath.InvalidPath.selector);
        court.challengeReference(id, path, shown, B);
    }

    function test_absence_is_shown_by_one_place_or_two_neighbours_of_a_member() public {
        uint256 id = _propose(_root());
        MeterProof memory meter = _meterProof(A, 1);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeAbsent(id, new Path[](3), A, 0, FIRST_SLOT + 1, meter, B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeAbsent(id, new Path[](1), A, 1, FIRST_SLOT + 1, meter, B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeAbsent(id, new Path[](1), A, 0, FIRST_SLOT + SLOTS, meter, B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeAbsent(id, new Path[](1), 99, 0, FIRST_SLOT + 1, meter, B);
        Path memory path = _pathToLine(A, 1);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeUnmetered(id, path, new MeterNeighbour[](0), B);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeUnmetered(id, path, new MeterNeighbour[](3), B);
    }

    function test_an_empty_place_without_sums_survives_its_challenge() public {
        uint256 id = _propose(_root());
        Path memory path = _shortened(_pathToLine(A, 1), LINE_BYTES + 5 * PAIR_BYTES);
        path.position = 63;
        _sumHolds(id, path, "");
    }

    function test_a_proof_of_another_length_proves_nothing() public {
        uint256 id = _propose(_root());
        Path memory path = _pathToLine(A, 0);
        LineEvidence memory evidence = _evidence(A, 0);
        evidence.nomination.leaf = 1;
        _proofFails(id, path, evidence);
        evidence = _evidence(A, 0);
        evidence.nomination.siblings = new bytes32[](1);
        _proofFails(id, path, evidence);
        evidence = _evidence(A, 0);
        evidence.meter.index = 5;
        _proofFails(id, path, evidence);
        evidence = _evidence(A, 0);
        evidence.meter.siblings = bytes.concat(evidence.meter.siblings, new bytes(48));
        _proofFails(id, path, evidence);
        evidence.meter.siblings = "";
        _proofFails(id, path, evidence);
    }

    function test_nothing_is_judged_after_the_window_or_twice() public {
        altered[7][E] = _line(E, 7);
        altered[7][E][61] = 0x01;
        uint256 id = _propose(_root());
        uint256 late = _propose(_root());
        Path memory path = _pathToLine(E, 7);
        LineEvidence memory evidence = _evidence(E, 7);
        court.challengeLine(id, path, evidence, B);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotOpen.selector, id));
        court.challengeLine(id, path, evidence, B);
        vm.warp(BILLS_FROM + 86_400);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WindowClosed.selector, late));
        court.challengeLine(late, path, evidence, B);
        Path memory node = _shortened(path, LINE_BYTES);
        vm.prank(_ownerOf(B));
        vm.expectRevert(abi.encodeWithSelector(ICourt.WindowClosed.selector, late));
        court.demand(late, node, B);
    }

    function test_challenging_oneself_costs_half_of_the_bond() public {
        altered[7][E] = _line(E, 7);
        altered[7][E][61] = 0x01;
        uint256 free = accounts.freeOf(RETAILER);
        uint256 id = _propose(_root());
        court.challengeLine(id, _pathToLine(E, 7), _evidence(E, 7), RETAILER);
        vm.assertEq(accounts.freeOf(RETAILER), free - (BOND - BOND / 2));
        vm.assertEq(accounts.reserve(), BOND - BOND / 2);
    }

    function test_only_the_court_voids_and_restarts() public {
        uint256 id = _propose(_root());
        bytes memory refusal = abi.encodeWithSelector(ISettlement.NotCourt.selector, address(this));
        vm.expectRevert(refusal);
        settlement.voidBills(id, B, Reason.Line);
        vm.expectRevert(refusal);
        settlement.restartWindow(id);
    }

    // ---- helpers ----

    function referenceSurvives(uint256 id, uint32 account, uint32 slot, uint32 i) external {
        Path memory path = _pathToRef(account, slot, i);
        ReferenceEvidence memory evidence = _refEvidence(account, slot, _refs(account, slot)[i]);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeReference(id, path, evidence, B);
    }

    function _sumHolds(uint256 id, Path memory path, bytes memory preimage) private {
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeSum(id, path, preimage, B);
    }

    function _orderHolds(uint256 id, Path memory first, Path memory second) private {
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeOrder(id, first, second, B);
    }

    function _absentHolds(uint256 id, Path[] memory paths, uint32 account, uint32 slot) private {
        MeterProof memory meter = _meterProof(account, slot);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeAbsent(id, paths, account, 0, FIRST_SLOT + slot, meter, B);
    }

    function _proofFails(uint256 id, Path memory path, LineEvidence memory evidence) private {
        vm.expectRevert(Merkle.InvalidProof.selector);
        court.challengeLine(id, path, evidence, B);
    }

    function _lineEvidenceFails(uint256 id, Path memory path, LineEvidence memory evidence) private {
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeLine(id, path, evidence, B);
    }

    /// @dev The record of A's reference with one bit changed proves nothing.
    function _referenceEvidenceFails(uint256 id, uint32 i, uint8 kind) private {
        Path memory path = _pathToRef(A, 0, i);
        ReferenceEvidence memory evidence = _refEvidence(A, 0, _refs(A, 0)[i]);
        if (kind == 0) evidence.order.prefix += 1;
        else evidence.position.record[26] ^= 0x01;
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeReference(id, path, evidence, B);
    }
}

/// @notice Days of other kinds.
contract OtherDaysTest is TradingDay {
    uint32 private constant A = 4;
    uint32 private constant B = 5;

    function setUp() public {
        _deploy(2);
        lastHome = B;
        _reportRetail();
    }

    function test_more_than_64_orders_of_a_home_in_a_slot_are_billed() public {
        for (uint32 i = 0; i < 70; ++i) {
            _order(0, A, int32(100_000 + 10 * i), 1, true);
        }
        _order(0, B, 50_000, 40, false);
        _agree(A, B, 70_000, 0, 5);
        vm.warp(DIRECT_GATE);
        _clearAll();
        _reportDay();
        Node memory root = _root();
        uint256 id = _propose(root);
        vm.assertEq(_refs(A, 0).length, 71);
        Path memory path = _pathToRef(A, 0, 68);
        ReferenceEvidence memory evidence = _refEvidence(A, 0, _refs(A, 0)[68]);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeReference(id, path, evidence, B);
        vm.warp(BILLS_FROM + 86_400);
        settlement.finalise(id);
        _debitAll(id);
        settlement.payParties(id, root.hash, root.sums);
        _creditAll(id);
        (, uint256 pot) = accounts.moduleOf(address(settlement));
        vm.assertEq(pot, 0, "pot");
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 0, "locks");
    }

    function test_bills_without_accounts_fall_where_there_are_meters() public {
        _reportDay();
        int128[8] memory sums;
        vm.prank(_ownerOf(RETAILER));
        uint256 id = settlement.proposeBills(COMMUNITY, DAY, RETAILER, 0, sums, 0, 0);
        court.challengeAbsent(id, new Path[](0), A, 0, FIRST_SLOT, _meterProof(A, 0), B);
        vm.assertEq(uint256(settlement.billsOf(id).state), uint256(BillState.Void));
    }
}
