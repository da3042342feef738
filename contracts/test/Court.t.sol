// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICourt} from "../src/interfaces/ICourt.sol";
import {BillState, ISettlement} from "../src/interfaces/ISettlement.sol";
import {BillLine} from "../src/libraries/BillLine.sol";
import {BillPath} from "../src/libraries/BillPath.sol";
import {Reason, Tariff} from "../src/types/Bills.sol";
import {LineEvidence, MeterNeighbour, MeterProof, Path, ReferenceEvidence} from "../src/types/Evidence.sol";
import {FixedPackages, HomePackage} from "./support/FixedPackages.sol";
import {TradingDay} from "./support/TradingDay.sol";
import {Vm, clamp, vm} from "./support/Vm.sol";

/// @notice Bills of a day with orders, positions, a curtailed slot and packages, and everything that is refuted in them.
contract CourtTest is TradingDay {
    uint32 private constant A = 4;
    uint32 private constant B = 5;
    uint32 private constant C = 6;
    uint32 private constant D = 7;
    uint32 private constant E = 8;
    /// @dev A slot that was curtailed.
    uint32 private constant CURTAILED = 3;
    uint64 private constant DEMAND_BOND = BOND / 16;

    function setUp() public {
        packagePrices = new FixedPackages();
        _deploy(5);
        lastHome = E;
        _order(0, A, 120_000, 900, true);
        _order(0, B, 60_000, 500, false);
        _order(0, C, 80_000, 600, false);
        _order(0, A, 100_000, 300, true);
        _order(CURTAILED, C, -5000, 700, false);
        _order(CURTAILED, B, 90_000, 400, true);
        _order(CURTAILED, D, 20_000, 400, true);
        _order(5, B, 10_000, 400, true);
        uint32[] memory wh = new uint32[](3);
        (wh[0], wh[2]) = (200, 100);
        _agree(A, B, -7000, 0, wh);
        _agree(A, B, 80_000, 0, 300);
        _agree(C, D, 50_000, CURTAILED, 101);
        _fix(A, HomePackage(90_000, 5000, 0, 0, 7e8));
        _fix(B, HomePackage(500_000, 10, 60_000, 100, 0));
        _fix(C, HomePackage(0, 0, 5000, 1000, 0));
        _reportRetail();
        vm.warp(DIRECT_GATE);
        _clearAll();
        _curtail(CURTAILED, 333);
        _nominate(A, 0, 1, 1500);
        _nominate(A, 0, 2, 2500);
        _nominate(B, 0, 1, -1200);
        _nominate(C, CURTAILED, 7, -500);
        readings[0][A] = Reading(2700, 0, 0);
        readings[0][B] = Reading(0, 1100, 0);
        readings[0][C] = Reading(0, 900, 0);
        readings[CURTAILED][B] = Reading(350, 0, 1);
        readings[CURTAILED][C] = Reading(0, 900, 0);
        readings[7][E] = Reading(5000, 0, 0);
        _reportDay();
        vm.recordLogs();
    }

    // ---- honest bills ----

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
        uint256[7] memory sizes = [uint256(320), 320, 320, 164, 6 * 320, 178, 2 * 320 + 13];
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

    // ---- lines ----

    function test_every_altered_byte_of_a_line_falls() public {
        _eachByteFalls(A, 0);
        _eachByteFalls(C, CURTAILED);
        _eachByteFalls(E, 7);
    }

    function test_a_line_without_its_nomination_falls_to_the_nomination() public {
        // The line claims that nothing was nominated, or the older of two nominations.
        Nominated memory newest = nominated[0][A];
        nominated[0][A] = Nominated(0, 0, 0, 0);
        _fallsTo(A, 0, newest);
        nominated[0][A] = Nominated(1, 0, 0, 1500);
        _fallsTo(A, 0, newest);
    }

    function test_a_nomination_that_was_not_curtailed_falls() public {
        nominated[CURTAILED][C].wh = -1502; // a third of which is 500
        altered[CURTAILED][C] = _line(C, CURTAILED);
        nominated[CURTAILED][C].wh = -500;
        _lineFalls(C, CURTAILED);
    }

    function test_a_line_billed_without_the_homes_package_falls() public {
        _falsePackage(A, HomePackage(0, 0, 0, 0, homePackages[A].dailyFee));
        HomePackage memory package = homePackages[A];
        package.dailyFee = 0;
        _falsePackage(A, package);
        _falsePackage(B, HomePackage(0, 0, 0, 0, 0));
    }

    function test_sums_without_references_fall() public {
        bytes memory line = _line(E, 7);
        line[126] = 0x01; // releases locks that nobody placed
        altered[7][E] = line;
        _lineFalls(E, 7);
        line = _line(E, 7);
        line[150] = 0x01;
        altered[7][E] = line;
        _lineFalls(E, 7);
    }

    function test_two_false_lines_that_offset_each_other_fall_both() public {
        // A pays less and B receives less, and one releases what the other does not.
        altered[0][A] = _shifted(_shifted(_line(A, 0), 17, -7), 126, 5);
        altered[0][B] = _shifted(_shifted(_line(B, 0), 17, 7), 126, -5);
        uint256 state = vm.snapshotState();
        uint256 id = _propose(_root());
        court.challengeSum(id, _pathToLine(A, 0), _refRoot(A, 0), C);
        _assertVoid(id);
        vm.revertToState(state);
        id = _propose(_root());
        court.challengeSum(id, _pathToLine(B, 0), _refRoot(B, 0), C);
        _assertVoid(id);
    }

    function test_a_home_that_switches_its_meter_off_after_selling_is_billed_at_the_dearest() public {
        // C sold 600 Wh in slot 0 and its meter went silent: its line stands as an estimated one, or the bills fall.
        Reading memory silent = Reading(40, 0, 1);
        (int256 m, int256 retail, int256 imbalance) = _settle(-600, -600, silent, HomePackage(0, 0, 0, 0, 0));
        vm.assertEq(m, 40);
        vm.assertEq(retail + imbalance, 640 * int256(SHORT));
        vm.assertEq(readings[CURTAILED][B].quality, 1);
        readings[CURTAILED][B].quality = 0;
        altered[CURTAILED][B] = _line(B, CURTAILED);
        readings[CURTAILED][B].quality = 1;
        _lineFalls(B, CURTAILED);
    }

    // ---- references ----

    function test_an_invented_reference_falls() public {
        bytes[7] memory invented = [
            _ref(0, 0, 4, 100), // beyond the market
            _ref(0, 1, 0, 100), // a session without orders
            _ref(0, 256, 0, 100), // no session
            _ref(0, 0, 1, 500), // of another account
            _ref(1, 0, 2, 100), // beyond its positions
            _ref(1, 1, 0, 200), // no such chain
            _ref(2, 0, 0, 200) // no such kind
        ];
        for (uint256 i = 0; i < invented.length; ++i) {
            _altered(A, 0, invented[i]);
            _referenceFalls(A, 0, 0);
        }
        // Of another slot: the record covers slot 0 and 2 only.
        _altered(A, 1, _ref(1, 0, 0, 200));
        _referenceFalls(A, 1, 0);
    }

    function test_a_reference_with_another_energy_falls() public {
        _altered(A, 0, _ref(0, 0, 0, 899));
        _referenceFalls(A, 0, 0);
        _altered(A, 0, _ref(1, 0, 1, 301));
        _referenceFalls(A, 0, 0);
        // Not curtailed.
        _altered(C, CURTAILED, _ref(1, 0, 0, 101));
        _referenceFalls(C, CURTAILED, 0);
    }

    function test_false_sums_of_a_true_reference_fall() public {
        bytes[] memory refs = _refs(A, 0);
        Node memory node = _refNodes(A, 0, refs)[3];
        for (uint256 i = 0; i < 8; ++i) {
            claimed[node.hash] = node;
            claimed[node.hash].sums[i] += 1;
            _referenceFalls(A, 0, 3);
        }
    }

    function test_a_missing_reference_leaves_locks_that_no_bills_can_hide() public {
        bytes[] memory refs = _honestRefs(A, 0);
        for (uint256 i = 1; i < refs.length; ++i) {
            alteredRefs[0][A].push(refs[i]);
        }
        Node memory root = _root();
        vm.expectRevert(
            abi.encodeWithSelector(
                ISettlement.LocksMismatch.selector, root.sums[6], accounts.lockTotal(COMMUNITY, DAY)
            )
        );
        _propose(root);
        // What is missing is added on the way up; there the sum is wrong.
        Node memory node = _subtree(A);
        claimed[node.hash] = node;
        claimed[node.hash].sums[6] += int128(_lock(orders[0][0]));
        uint256 id = _propose(_root());
        _challengeSum(id, _pathToLine(A, 0), LINE_BYTES + 6 * PAIR_BYTES, 3, PAIR_BYTES);
        _assertReason(id, Reason.Sum);
    }

    function test_a_reference_listed_twice_falls() public {
        alteredRefs[0][A] = _honestRefs(A, 0);
        alteredRefs[0][A].push(_honestRefs(A, 0)[3]);
        uint256 id = _proposeAnyway();
        court.challengeOrder(id, _pathToRef(A, 0, 3), _pathToRef(A, 0, 4), B);
        _assertReason(id, Reason.Order);
    }

    // ---- accounts ----

    function test_an_account_listed_twice_falls() public {
        listed = [A, B, B, C, D, E];
        uint256 id = _proposeAnyway();
        // The way to the second one: its nodes are the same.
        Path memory second = _pathToAccount(B);
        Node[] memory level = _accountNodes();
        second.accountIndex = 2;
        second.nodes =
            bytes.concat(_packed(_top(level)), _down(level, 2), abi.encodePacked(B, _packed(_subtree(B))));
        court.challengeOrder(id, _pathToAccount(B), second, A);
        _assertReason(id, Reason.Order);
    }

    function test_accounts_out_of_order_fall() public {
        listed = [A, C, B, D, E];
        uint256 id = _proposeAnyway();
        court.challengeOrder(id, _pathToAccount(C), _pathToAccount(B), A);
        _assertReason(id, Reason.Order);
    }

    function test_an_account_of_another_community_falls() public {
        listed = [A, B, C, D, E, 99];
        uint256 id = _proposeAnyway();
        Path memory none;
        court.challengeOrder(id, _pathToAccount(99), none, A);
        _assertReason(id, Reason.Order);
    }

    function test_a_missing_line_falls() public {
        omitted[7][E] = true;
        uint256 id = _proposeAnyway();
        Path[] memory paths = new Path[](1);
        paths[0] = _pathToLine(E, 7);
        _absentFalls(id, paths, E, 7);
        // The empty place may lie under an empty node.
        omitted[6][E] = true;
        id = _proposeAnyway();
        paths[0] = _shortened(_pathToLine(E, 7), PAIR_BYTES);
        _absentFalls(id, paths, E, 7);
    }

    function test_a_missing_account_falls() public {
        Path[] memory one = new Path[](1);
        listed = [B, C, D, E];
        uint256 id = _proposeAnyway();
        one[0] = _pathToAccount(B);
        _absentFalls(id, one, A, 1);
        listed = [A, B, C, D];
        id = _proposeAnyway();
        one[0] = _pathToAccount(D);
        _absentFalls(id, one, E, 1);
        listed = [A, C, D, E];
        id = _proposeAnyway();
        Path[] memory two = new Path[](2);
        (two[0], two[1]) = (_pathToAccount(A), _pathToAccount(C));
        _absentFalls(id, two, B, 1);
    }

    function test_a_line_of_nobodys_meter_falls() public {
        // 9 has no meter leaf; its line stands behind all others.
        uint32 ninth = _register();
        listed = [A, B, C, D, E, ninth];
        uint256 id = _proposeAnyway();
        MeterNeighbour[] memory last = new MeterNeighbour[](1);
        last[0] = MeterNeighbour(E, _meterProof(E, 0));
        Path memory path = _pathToLine(ninth, 0);
        court.challengeUnmetered(id, path, last, B);
        _assertReason(id, Reason.Unmetered);
    }

    // ---- nodes ----

    function test_false_sums_fall_at_every_level() public {
        Node[] memory level = _accountNodes();
        _sumFalls(_join(level[0], level[1]), 2, 164 + PAIR_BYTES, 3, PAIR_BYTES);
        for (uint256 i = 0; i < 8; ++i) {
            _sumFalls(level[0], i, 164, 4, 164);
        }
        level = _lineNodes(A);
        _sumFalls(_join(level[0], level[1]), 3, LINE_BYTES + PAIR_BYTES, 3, PAIR_BYTES);
        for (uint256 i = 0; i < 8; ++i) {
            _sumFalls(level[0], i, LINE_BYTES, 2, LINE_BYTES);
        }
        level = _refNodes(A, 0, _refs(A, 0));
        for (uint256 i = 0; i < 8; ++i) {
            _sumFalls(_join(level[0], level[1]), i, REF_BYTES + PAIR_BYTES, 3, PAIR_BYTES);
        }
    }

    function test_a_sum_that_overflows_falls() public {
        int128 most = type(int128).max - int128(int256(_uint(_line(A, 0), 62, 16)));
        (altered[0][A], altered[1][A]) = (_shifted(_line(A, 0), 62, most), _shifted(_line(A, 1), 62, 1));
        (Node memory left, Node memory right) = (_lineNode(altered[0][A]), _lineNode(altered[1][A]));
        Node memory node;
        node.hash = keccak256(abi.encodePacked(uint8(3), _packed(left), _packed(right)));
        claimed[node.hash] = node;
        uint256 id = _proposeAnyway();
        _challengeSum(id, _pathToLine(A, 0), LINE_BYTES + PAIR_BYTES, 3, PAIR_BYTES);
        _assertReason(id, Reason.Sum);
    }

    function test_a_node_of_another_kind_falls() public {
        // Where a line should stand there are bytes of any other length, or a node.
        bytes memory strange = bytes.concat(hex"02", _line(A, 0), hex"00");
        _strangeFalls(strange);
        _strangeFalls(bytes.concat(hex"03", new bytes(320)));
        _strangeFalls(hex"02");
    }

    function test_an_empty_node_with_sums_falls() public {
        emptied = _lineNodes(E)[7].hash;
        uint256 id = _proposeAnyway();
        Path memory path = _shortened(_pathToLine(E, 7), LINE_BYTES);
        court.challengeSum(id, path, "", B);
        _assertReason(id, Reason.Sum);
    }

    // ---- withheld nodes ----

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

    // ---- windows and bonds ----

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

    function test_answering_oneself_costs_half_of_the_demands_bond() public {
        uint256 id = _propose(_root());
        uint256 free = accounts.freeOf(B);
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES);
        vm.prank(_ownerOf(B));
        court.demand(id, path, B);
        court.answer(id, bytes.concat(hex"02", _line(A, 0)), B);
        vm.assertEq(accounts.freeOf(B), free - (DEMAND_BOND - DEMAND_BOND / 2));
    }

    function test_only_the_court_voids_and_restarts() public {
        uint256 id = _propose(_root());
        bytes memory refusal = abi.encodeWithSelector(ISettlement.NotCourt.selector, address(this));
        vm.expectRevert(refusal);
        settlement.voidBills(id, B, Reason.Line);
        vm.expectRevert(refusal);
        settlement.restartWindow(id);
    }

    // ---- prices ----

    /// @dev Whatever the packages and prices: what is metered is the cheapest schedule.
    function testFuzz_misnominating_never_pays(uint256 seed, int16 trade, int16 schedule, int16 meter)
        public
        pure
    {
        Tariff memory tariff;
        int256[6] memory prices;
        for (uint256 i = 0; i < 6; ++i) {
            prices[i] = int256(clamp(uint32(seed >> (32 * i)), 0, 800_000)) - 200_000;
        }
        (tariff.importPrice, tariff.feedIn) =
            prices[0] > prices[1] ? (prices[0], prices[1]) : (prices[1], prices[0]);
        (tariff.short, tariff.long, tariff.supplyPrice, tariff.feedInPackagePrice) =
        (prices[2], prices[3], prices[4], prices[5]);
        (tariff.supplyWh, tariff.feedInPackageWh) =
        (int256(uint256(uint16(seed >> 192))), int256(uint256(uint16(seed >> 208))));
        (int256 retail, int256 imbalance) = BillLine.legs(trade, meter, meter, tariff);
        (int256 otherRetail, int256 otherImbalance) = BillLine.legs(trade, schedule, meter, tariff);
        vm.assertTrue(retail + imbalance <= otherRetail + otherImbalance, "the truth is cheapest");
    }

    // ---- calls of their own, so that their memory is freed ----

    function lineSurvives(uint256 id, uint32 account, uint32 slot) external {
        Path memory path = _pathToLine(account, slot);
        LineEvidence memory evidence = _evidence(account, slot);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeLine(id, path, evidence, B);
    }

    function referenceSurvives(uint256 id, uint32 account, uint32 slot, uint32 i) external {
        Path memory path = _pathToRef(account, slot, i);
        ReferenceEvidence memory evidence = _refEvidence(account, slot, _refs(account, slot)[i]);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeReference(id, path, evidence, B);
    }

    /// @dev Proposes bills with an altered line and refutes them.
    function fall(uint32 account, uint32 slot, bytes memory line, uint256 at) external {
        bytes[] memory refs = _refs(account, slot);
        altered[slot][account] = line;
        uint256 id = _proposeAnyway();
        bool ofReferences = (at >= 9 && at < 33) || (at >= 94 && at < 142);
        if (at >= 142 && at < 146) {
            // More references than there are: the way to the first one ends at it, above its level.
            Path memory path = _pathToLine(account, slot);
            bytes memory preimage;
            if (refs.length > 0) {
                path.nodes = bytes.concat(path.nodes, _down(_refNodes(account, slot, refs), 0));
                preimage = bytes.concat(hex"06", refs[0]);
            }
            court.challengeSum(id, path, preimage, B);
        } else if (refs.length == 0 || !(ofReferences || at >= 146)) {
            LineEvidence memory evidence = _evidence(account, slot);
            // Where the claimed place holds another nomination, that one is shown.
            uint256 batch = _uint(line, 37, 4);
            bool claims = _uint(line, 33, 4) != 0 && batch < entries.length;
            if (claims) evidence.nomination = _nominationProof(uint32(batch));
            court.challengeLine(id, _pathToLine(account, slot), evidence, B);
        } else if (at >= 146) {
            // Nobody knows what the root of the references is the hash of.
            Path memory path = _pathToLine(account, slot);
            vm.prank(_ownerOf(B));
            court.demand(id, path, B);
            vm.warp(vm.getBlockTimestamp() + 86_400);
            court.expire(id, bytes32(_uint(line, 146, 32)));
        } else if (refs.length == 1) {
            ReferenceEvidence memory evidence = _refEvidence(account, slot, refs[0]);
            court.challengeReference(id, _pathToRef(account, slot, 0), evidence, B);
        } else {
            court.challengeSum(id, _pathToLine(account, slot), _refRoot(account, slot), B);
        }
        _assertVoid(id);
    }

    // ---- helpers ----

    function _eachByteFalls(uint32 account, uint32 slot) private {
        bytes memory honest = _line(account, slot);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < honest.length; ++i) {
            bytes memory line = bytes.concat(honest);
            line[i] ^= i >= 142 && i < 146 ? bytes1(0x08) : bytes1(0x01);
            this.fall(account, slot, line, i);
            vm.revertToState(state);
        }
    }

    function _fix(uint32 account, HomePackage memory package) private {
        homePackages[account] = package;
        FixedPackages(address(packagePrices)).fix(account, package);
    }

    /// @dev Bills whose root pretends to fit the day, so that what is wrong below is all that is wrong.
    function _proposeAnyway() private returns (uint256 id) {
        Node memory root = _root();
        (root.sums[0], root.sums[1]) = (0, 0);
        root.sums[6] = int128(uint128(accounts.lockTotal(COMMUNITY, DAY)));
        claimed[root.hash] = root;
        return _propose(root);
    }

    /// @dev Bills that carry the hash of nothing in place of A's first line.
    function _withheld() private returns (uint256 id) {
        Node memory node = _lineNodes(A)[0];
        claimed[node.hash] = Node(keccak256("withheld"), node.sums);
        return _propose(_root());
    }

    function _falsePackage(uint32 account, HomePackage memory package) private {
        HomePackage memory honest = homePackages[account];
        homePackages[account] = package;
        altered[0][account] = _line(account, 0);
        homePackages[account] = honest;
        _lineFalls(account, 0);
    }

    function _lineFalls(uint32 account, uint32 slot) private {
        uint256 id = _proposeAnyway();
        court.challengeLine(id, _pathToLine(account, slot), _evidence(account, slot), B);
        _assertReason(id, Reason.Line);
        delete altered[slot][account];
    }

    function _altered(uint32 account, uint32 slot, bytes memory ref) private {
        delete alteredRefs[slot][account];
        alteredRefs[slot][account].push(ref);
    }

    function _referenceFalls(uint32 account, uint32 slot, uint32 i) private {
        uint256 id = _proposeAnyway();
        ReferenceEvidence memory evidence = _refEvidence(account, slot, _refs(account, slot)[i]);
        court.challengeReference(id, _pathToRef(account, slot, i), evidence, B);
        _assertReason(id, Reason.Reference);
    }

    /// @dev A node on the way to A's first reference claims other sums than it has.
    /// @param cut Bytes of the way from the node on down.
    function _sumFalls(Node memory node, uint256 lane, uint256 cut, uint8 tag, uint256 size) private {
        Node memory other = Node(node.hash, node.sums);
        other.sums[lane] += 1;
        claimed[node.hash] = other;
        uint256 id = _proposeAnyway();
        Path memory path = tag == 4 || cut == 164 + PAIR_BYTES
            ? _pathToAccount(A)
            : cut >= LINE_BYTES && cut != REF_BYTES + PAIR_BYTES ? _pathToLine(A, 0) : _pathToRef(A, 0, 0);
        _challengeSum(id, path, cut, tag, size);
        _assertReason(id, Reason.Sum);
        delete claimed[node.hash];
    }

    /// @dev Challenges the node whose preimage begins `cut` bytes before the end of the path.
    function _challengeSum(uint256 id, Path memory path, uint256 cut, uint8 tag, uint256 size) private {
        uint256 end = path.nodes.length - cut;
        bytes memory preimage = bytes.concat(bytes1(tag), _cut(path.nodes, end, end + size));
        court.challengeSum(id, _shortened(path, cut), preimage, B);
    }

    function _strangeFalls(bytes memory strange) private {
        Node memory node = _lineNode(_line(A, 0));
        claimed[node.hash] = Node(keccak256(strange), node.sums);
        uint256 id = _proposeAnyway();
        court.challengeSum(id, _shortened(_pathToLine(A, 0), LINE_BYTES), strange, B);
        _assertReason(id, Reason.Sum);
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

    function _absentFalls(uint256 id, Path[] memory paths, uint32 account, uint32 slot) private {
        court.challengeAbsent(id, paths, account, 0, FIRST_SLOT + slot, _meterProof(account, slot), B);
        _assertReason(id, Reason.Absent);
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

    function _fallsTo(uint32 account, uint32 slot, Nominated memory shown) private {
        LineEvidence memory evidence = _evidence(account, slot);
        evidence.nomination = _nominationProof(shown.batch);
        uint256 id = _proposeAnyway();
        court.challengeLine(id, _pathToLine(account, slot), evidence, B);
        _assertReason(id, Reason.Line);
    }

    /// @dev Preimage of the root of a line's references.
    function _refRoot(uint32 account, uint32 slot) private view returns (bytes memory) {
        bytes memory nodes = _down(_refNodes(account, slot, _refs(account, slot)), 0);
        return bytes.concat(hex"03", _cut(nodes, 0, PAIR_BYTES));
    }

    /// @dev The line with an int128 at `offset` raised.
    function _shifted(bytes memory line, uint256 offset, int128 by) private pure returns (bytes memory) {
        bytes memory value = abi.encodePacked(int128(uint128(_uint(line, offset, 16))) + by);
        for (uint256 i = 0; i < 16; ++i) {
            line[offset + i] = value[i];
        }
        return line;
    }

    function _assertVoid(uint256 id) private view {
        vm.assertEq(uint256(settlement.billsOf(id).state), uint256(BillState.Void));
    }

    /// @dev The bills fell, and the event says why.
    function _assertReason(uint256 id, Reason reason) private {
        _assertVoid(id);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bool found = false;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != ISettlement.BillsVoided.selector || logs[i].topics[3] != bytes32(id)) {
                continue;
            }
            (, Reason said) = abi.decode(logs[i].data, (uint32, Reason));
            vm.assertEq(uint256(said), uint256(reason), "reason");
            found = true;
        }
        vm.assertTrue(found, "no event");
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
        bytes memory wire = _wire();
        settlement.debit(id, wire, "");
        settlement.payParties(id, root.hash, root.sums);
        settlement.credit(id, wire, "");
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
