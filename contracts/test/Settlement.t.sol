// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICourt} from "../src/interfaces/ICourt.sol";
import {BillState, Bills, ISettlement, Payout} from "../src/interfaces/ISettlement.sol";
import {BillTree} from "../src/libraries/BillTree.sol";
import {LineEvidence, Path} from "../src/types/Evidence.sol";
import {TradingDay} from "./support/TradingDay.sol";
import {vm} from "./support/Vm.sol";

contract SettlementTest is TradingDay {
    uint32 private constant A = 4;
    uint32 private constant B = 5;
    uint32 private constant C = 6;

    function setUp() public {
        _deploy(5);
        lastHome = 8;
        _order(0, A, 120_000, 900, true);
        _order(0, B, 60_000, 500, false);
        _order(0, C, 80_000, 600, false);
        _order(0, A, 100_000, 300, true);
        _order(3, C, -5000, 700, false);
        _order(3, B, 90_000, 400, true);
        _order(3, 7, 20_000, 400, true);
        _order(5, B, 10_000, 400, true);
        _reportRetail();
        vm.warp(DIRECT_GATE);
        _clearAll();
        _nominate(A, 0, 1, 1500);
        _nominate(A, 0, 2, 1000);
        _nominate(B, 0, 1, -800);
        _nominate(C, 3, 7, -300);
        readings[0][A] = Reading(1200, 0, 0);
        readings[0][B] = Reading(0, 700, 0);
        readings[0][C] = Reading(0, 100, 0);
        readings[3][B] = Reading(350, 0, 1);
        readings[3][C] = Reading(0, 900, 0);
        readings[7][8] = Reading(5000, 0, 0);
        _reportDay();
    }

    function test_a_day_is_paid_and_sums_to_zero() public {
        uint256 id = _propose(_root());
        vm.assertEq(uint256(settlement.billsOf(id).state), uint256(BillState.Open));
        vm.warp(BILLS_FROM + 86_400);
        uint256 owedBefore = accounts.owed();
        int256[9] memory before;
        for (uint32 i = 1; i <= lastHome; ++i) {
            before[i] = int256(accounts.freeOf(i));
        }
        settlement.finalise(id);
        _debitAll(id);
        settlement.payParties(id, _root().hash, _root().sums);
        _creditAll(id);
        int128[8] memory sums = _root().sums;
        vm.assertEq(int256(accounts.freeOf(RETAILER)), before[RETAILER] + sums[2] + int64(BOND), "retailer");
        vm.assertEq(int256(accounts.freeOf(OPERATOR)), before[OPERATOR] + sums[3] + sums[4], "operator");
        vm.assertEq(int256(accounts.freeOf(PLATFORM)), before[PLATFORM] + sums[5], "platform");
        for (uint32 home = FIRST_HOME; home <= lastHome; ++home) {
            int256 due = _due(_subtree(home));
            vm.assertEq(int256(accounts.freeOf(home)), before[home] - due, "home");
        }
        (, uint256 pot) = accounts.moduleOf(address(settlement));
        vm.assertEq(pot, 0, "pot");
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 0, "locks");
        vm.assertEq(accounts.owed(), owedBefore, "owed");
        vm.assertEq(uint256(settlement.billsOf(id).payout), uint256(Payout.Done));
        vm.assertEq(sums[0], 0, "trade");
        vm.assertEq(sums[1], 0, "money");
    }

    function test_chunks_of_any_aligned_size_pay_the_same() public {
        uint256 id = _final();
        (bytes32[] memory chain, bytes[] memory credits) = _debitOneByOne(id);
        settlement.payParties(id, _root().hash, _root().sums);
        for (uint256 i = credits.length; i > 0; --i) {
            if (credits[i - 1].length == 0) continue;
            settlement.credit(id, chain[i - 1], credits[i - 1]);
        }
        vm.assertEq(uint256(settlement.billsOf(id).payout), uint256(Payout.Done));
        (, uint256 pot) = accounts.moduleOf(address(settlement));
        vm.assertEq(pot, 0, "pot");
    }

    function test_only_what_the_bills_say_is_credited_once_and_the_last_first() public {
        uint256 id = _final();
        (bytes32[] memory chain, bytes[] memory credits) = _debitOneByOne(id);
        settlement.payParties(id, _root().hash, _root().sums);
        (uint256 first, uint256 last) = (0, credits.length - 1);
        while (credits[first].length == 0) ++first;
        while (credits[last].length == 0) --last;
        vm.assertLe(first + 1, last, "two homes receive");
        bytes32 noted = settlement.billsOf(id).credits;
        (bytes memory one, bytes memory two) = (credits[first], credits[last]);
        _expectMismatch(noted, _link(chain[first], one));
        settlement.credit(id, chain[first], one);
        _expectMismatch(noted, _link(noted, two));
        settlement.credit(id, chain[last], bytes.concat(two, two));
        _expectMismatch(noted, _link(0, two));
        settlement.credit(id, 0, two);
        two[11] ^= 0x01;
        _expectMismatch(noted, _link(chain[last], two));
        settlement.credit(id, chain[last], two);
        two[11] ^= 0x01;
        settlement.credit(id, chain[last], two);
        _expectMismatch(chain[last], noted);
        settlement.credit(id, chain[last], two);
    }

    function test_a_missing_debit_is_a_claim_of_retailer_and_operator_and_not_taken_from_members() public {
        // Home 8 drew 5 kWh without trade or schedule and has no money left.
        vm.startPrank(_ownerOf(8));
        accounts.requestWithdrawal(8, accounts.freeOf(8));
        vm.stopPrank();
        uint256 id = _final();
        uint256 operator = accounts.freeOf(OPERATOR);
        _debitAll(id);
        Bills memory bills = settlement.billsOf(id);
        vm.assertEq(uint256(bills.retailClaim), 0);
        vm.assertEq(uint256(bills.operatorClaim), 5000 * uint256(uint32(SHORT)));
        settlement.payParties(id, _root().hash, _root().sums);
        _creditAll(id);
        int128[8] memory sums = _root().sums;
        vm.assertEq(
            int256(accounts.freeOf(OPERATOR)),
            int256(operator) + sums[3] + sums[4] - 5000 * int256(SHORT),
            "operator"
        );
        (, uint256 pot) = accounts.moduleOf(address(settlement));
        vm.assertEq(pot, 0, "pot");
    }

    function test_a_challenge_splits_the_bond() public {
        bytes memory line = _line(A, 0);
        line[61] = 0x01;
        altered[0][A] = line;
        uint256 id = _propose(_root());
        uint256 free = accounts.freeOf(B);
        court.challengeLine(id, _pathToLine(A, 0), _evidence(A, 0), B);
        vm.assertEq(accounts.freeOf(B), free + BOND / 2);
        vm.assertEq(accounts.reserve(), BOND - BOND / 2);
        vm.warp(BILLS_FROM + 86_400);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongState.selector, id, BillState.Void));
        settlement.finalise(id);
    }

    function test_bills_are_refused_before_the_day_is_complete() public {
        Node memory root = _root();
        root.sums[1] = 1;
        vm.expectRevert(abi.encodeWithSelector(ISettlement.TradesNotZero.selector, int128(0), int128(1)));
        _propose(root);
        root = _root();
        root.sums[6] += 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                ISettlement.LocksMismatch.selector, root.sums[6], accounts.lockTotal(COMMUNITY, DAY)
            )
        );
        _propose(root);
        vm.warp(BILLS_FROM - 1);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.TooEarly.selector, BILLS_FROM));
        _propose(root);
        vm.warp(BILLS_FROM + 86_400);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.ReportsMissing.selector, COMMUNITY, DAY + 1));
        settlement.proposeBills(COMMUNITY, DAY + 1, RETAILER, 0, root.sums, 0, 0);
        root = _root();
        vm.expectRevert(abi.encodeWithSelector(ISettlement.NotProposer.selector, RETAILER, address(this)));
        settlement.proposeBills(COMMUNITY, DAY, RETAILER, root.hash, root.sums, 5, 0);
    }

    function test_steps_out_of_order_revert() public {
        uint256 id = _propose(_root());
        vm.expectRevert(abi.encodeWithSelector(ISettlement.TooEarly.selector, BILLS_FROM + 86_400));
        settlement.finalise(id);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongState.selector, id, BillState.Open));
        _debitAll(id);
        uint256 rival = _propose(_root());
        vm.warp(BILLS_FROM + 3600);
        uint256 late = _propose(_root());
        vm.warp(BILLS_FROM + 86_400);
        Path memory path = _pathToLine(A, 0);
        LineEvidence memory evidence = _evidence(A, 0);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WindowClosed.selector, id));
        court.challengeLine(id, path, evidence, B);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongState.selector, rival, BillState.Open));
        settlement.reclaimBond(rival);
        settlement.finalise(id);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.DayFinal.selector, COMMUNITY, DAY));
        settlement.finalise(rival);
        settlement.reclaimBond(rival);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.TooEarly.selector, BILLS_FROM + 86_400 + 3600));
        settlement.reclaimBond(late);
        bytes memory entry = abi.encodePacked(B, uint64(1));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongPayout.selector, id, Payout.Debits));
        settlement.credit(id, 0, entry);
        Node memory root = _root();
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongPayout.selector, id, Payout.Debits));
        settlement.payParties(id, root.hash, root.sums);
        _debitAll(id);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongPayout.selector, id, Payout.Parties));
        _debitAll(id);
        root.sums[2] += 1;
        vm.expectRevert(ISettlement.RootMismatch.selector);
        settlement.payParties(id, root.hash, root.sums);
    }

    function test_a_chunk_that_is_no_subtree_is_refused() public {
        uint256 id = _final();
        (bytes memory entries_, bytes memory proof) = _chunk(0, 5);
        _refusesChunk(id, "", 0, 0);
        _refusesChunk(id, bytes.concat(entries_, hex"00"), 0, 5);
        _refusesChunk(id, bytes.concat(entries_, _cut(entries_, 0, ENTRY_BYTES)), 0, 6);
        _refusesChunk(id, _cut(entries_, 0, 3 * ENTRY_BYTES), 0, 3);
        (bytes memory first, bytes memory above) = _chunk(0, 1);
        settlement.debit(id, first, above);
        _refusesChunk(id, _cut(entries_, ENTRY_BYTES, 3 * ENTRY_BYTES), 1, 2);
        // The first accounts again.
        vm.expectRevert(abi.encodeWithSelector(BillTree.InvalidChunk.selector, 1, 5));
        settlement.debit(id, entries_, proof);
    }

    function test_a_pass_with_any_byte_changed_is_refused() public {
        uint256 id = _final();
        (bytes memory entries_, bytes memory proof) = _chunk(0, 2);
        for (uint256 i = 0; i < entries_.length; i += 3) {
            entries_[i] ^= 0x01;
            _refusesPass(id, entries_, proof);
            entries_[i] ^= 0x01;
        }
        for (uint256 i = 0; i < proof.length; i += 7) {
            proof[i] ^= 0x80;
            _refusesPass(id, entries_, proof);
            proof[i] ^= 0x80;
        }
        uint256 size = proof.length;
        vm.expectRevert(abi.encodeWithSelector(BillTree.InvalidProof.selector, size, size - 1));
        settlement.debit(id, entries_, _cut(proof, 0, size - 1));
        vm.expectRevert(abi.encodeWithSelector(BillTree.InvalidProof.selector, size, size + 64));
        settlement.debit(id, entries_, bytes.concat(proof, new bytes(64)));
        settlement.debit(id, entries_, proof);
    }

    function test_dues_that_do_not_add_up_are_not_paid() public {
        // Nobody refuted in time that an account owes 5 more than its lines say.
        raised[B][0] = 5;
        uint256 id = _final();
        _debitAll(id);
        Node memory root = _root();
        int256 due = _due(root);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.DuesMismatch.selector, due, due + 5));
        settlement.payParties(id, root.hash, root.sums);
    }

    function test_a_root_that_says_more_than_its_accounts_is_not_paid() public {
        Node memory root = _root();
        Node memory other = Node(root.hash, _root().sums);
        other.sums[2] += 7;
        claimed[root.hash] = other;
        uint256 id = _final();
        _debitAll(id);
        int256 due = _due(root);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.DuesMismatch.selector, due + 7, due));
        settlement.payParties(id, other.hash, other.sums);
    }

    function test_the_dues_of_passes_add_up_with_their_signs() public {
        uint256 id = _final();
        int256 sum = 0;
        for (uint32 i = 0; i < 5; ++i) {
            (bytes memory entry, bytes memory proof) = _chunk(i, 1);
            settlement.debit(id, entry, proof);
            sum += _due(_subtree(FIRST_HOME + i));
            vm.assertEq(int256(settlement.billsOf(id).dues), sum);
        }
        vm.assertEq(sum, _due(_root()), "of the root");
    }

    function test_what_was_taken_and_claimed_is_told() public {
        // Home 8 owes 5 kWh at the price of missing energy; 1000 micro-token are left to it.
        vm.startPrank(_ownerOf(8));
        accounts.requestWithdrawal(8, accounts.freeOf(8) - 1e6);
        vm.stopPrank();
        uint256 id = _final();
        bytes memory entries_;
        for (uint32 home = FIRST_HOME; home < 8; ++home) {
            int128 due = _due(_subtree(home));
            if (due > 0) entries_ = abi.encodePacked(entries_, home, uint64(uint128(due)));
        }
        entries_ = abi.encodePacked(entries_, uint32(8), uint64(1e6));
        bytes memory claims = abi.encodePacked(uint32(8), uint128(0), 5000 * uint128(uint32(SHORT)) - 1e6);
        (bytes memory nodes, bytes memory proof) = _chunk(0, 5);
        vm.expectEmit();
        emit ISettlement.Debited(COMMUNITY, DAY, 0, entries_, claims);
        settlement.debit(id, nodes, proof);
    }

    function test_a_bill_beyond_all_money_takes_what_there_is_and_claims_the_rest() public {
        // Nobody refuted a retail bill of 2**70 in time; the retailer bears what its own bill lacks.
        int128 retail = 2 ** 70;
        altered[7][8] = _withRetail(_line(8, 7), retail);
        uint256 id = _final();
        uint256 free = accounts.freeOf(8);
        _debitAll(id);
        vm.assertEq(accounts.freeOf(8), 0);
        uint256 due = uint256(uint128(_due(_subtree(8))));
        vm.assertEq(
            uint256(settlement.billsOf(id).retailClaim) + settlement.billsOf(id).operatorClaim, due - free
        );
        settlement.payParties(id, _root().hash, _root().sums);
        _creditAll(id);
        (, uint256 pot) = accounts.moduleOf(address(settlement));
        vm.assertEq(pot, 0, "pot");
    }

    function test_claims_beyond_128_bits_are_refused() public {
        for (uint32 home = 6; home <= 8; ++home) {
            raised[home][0] = type(int128).max - 2 ** 80;
        }
        uint256 id = _final();
        vm.expectPartialRevert(SafeCast.SafeCastOverflowedUintDowncast.selector);
        _debitAll(id);
    }

    function test_nobody_is_credited_more_than_all_money() public {
        altered[7][8] = _withRetail(_line(8, 7), -(2 ** 70));
        uint256 id = _final();
        int256 credited = -int256(_due(_subtree(8)));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BeyondAllMoney.selector, credited));
        _debitAll(id);
    }

    function test_a_party_is_never_charged_more_than_all_money() public {
        // Each of three homes could be credited so much, but the retailer owes them all together.
        for (uint32 home = 6; home <= 8; ++home) {
            altered[7][home] = _withRetail(_line(home, 7), -(2 ** 63));
        }
        uint256 id = _final();
        _debitAll(id);
        Node memory root = _root();
        int256 owed = -int256(root.sums[2]);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BeyondAllMoney.selector, owed));
        settlement.payParties(id, root.hash, root.sums);
    }

    function test_bills_without_accounts_have_no_sums_and_need_a_bond() public {
        // A day on which nobody ordered.
        int128[8] memory sums;
        sums[6] = int128(uint128(accounts.lockTotal(COMMUNITY, DAY)));
        vm.startPrank(_ownerOf(RETAILER));
        vm.expectRevert(ISettlement.RootMismatch.selector);
        settlement.proposeBills(COMMUNITY, DAY, RETAILER, 0, sums, 0, 0);
        Node memory root = _root();
        accounts.requestWithdrawal(RETAILER, accounts.freeOf(RETAILER));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BondNotCovered.selector, RETAILER, BOND));
        settlement.proposeBills(COMMUNITY, DAY, RETAILER, root.hash, root.sums, 5, 0);
    }

    function _refusesPass(uint256 id, bytes memory entries_, bytes memory proof) private {
        vm.expectRevert(ISettlement.RootMismatch.selector);
        settlement.debit(id, entries_, proof);
    }

    function _refusesChunk(uint256 id, bytes memory wire, uint256 first, uint256 length) private {
        vm.expectRevert(abi.encodeWithSelector(BillTree.InvalidChunk.selector, first, length));
        settlement.debit(id, wire, "");
    }

    function _withRetail(bytes memory line, int128 retail) private pure returns (bytes memory) {
        return bytes.concat(_cut(line, 0, 62), abi.encodePacked(retail), _cut(line, 78, line.length));
    }

    function _expectMismatch(bytes32 expected, bytes32 actual) private {
        vm.expectRevert(abi.encodeWithSelector(ISettlement.CreditsMismatch.selector, expected, actual));
    }

    function _link(bytes32 chain, bytes memory entry) private pure returns (bytes32) {
        return keccak256(bytes.concat(chain, entry));
    }

    /// @dev Debits homes one by one; returns the chain of credits before each and what it is to receive.
    function _debitOneByOne(uint256 id) private returns (bytes32[] memory chain, bytes[] memory credits) {
        uint256 length = lastHome - FIRST_HOME + 1;
        (chain, credits) = (new bytes32[](length), new bytes[](length));
        for (uint32 i = 0; i < length; ++i) {
            chain[i] = settlement.billsOf(id).credits;
            credits[i] = _creditOf(FIRST_HOME + i);
            (bytes memory entry, bytes memory proof) = _chunk(i, 1);
            settlement.debit(id, entry, proof);
        }
    }
}

/// @notice Days on which nobody ordered, or not all that was ordered is cleared.
contract QuietDayTest is TradingDay {
    uint32 private constant A = 4;
    uint32 private constant B = 5;

    function setUp() public {
        _deploy(2);
        lastHome = B;
        _reportRetail();
    }

    function test_a_party_that_owes_pays_before_anybody_is_credited() public {
        // A feeds in 5 kWh that it had nominated: the retailer owes it.
        _nominate(A, 0, 1, -5000);
        readings[0][A] = Reading(0, 5000, 0);
        _reportDay();
        uint256 id = _final();
        _debitAll(id);
        vm.startPrank(_ownerOf(RETAILER));
        accounts.requestWithdrawal(RETAILER, accounts.freeOf(RETAILER));
        vm.stopPrank();
        Node memory root = _root();
        uint64 owed = 5000 * uint64(uint32(FEED_IN));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.PartyUnfunded.selector, RETAILER, owed));
        settlement.payParties(id, root.hash, root.sums);
        _fund(RETAILER, owed / 1000);
        settlement.payParties(id, root.hash, root.sums);
        uint256 free = accounts.freeOf(A);
        _creditAll(id);
        vm.assertEq(accounts.freeOf(A), free + owed);
        vm.assertEq(accounts.freeOf(RETAILER), 0);
    }

    function test_a_day_with_an_open_market_is_not_billed() public {
        _order(0, A, 100_000, 500, true);
        _reportDay();
        int128[8] memory sums;
        vm.prank(_ownerOf(RETAILER));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.MarketsOpen.selector, 1));
        settlement.proposeBills(COMMUNITY, DAY, RETAILER, 0, sums, 0, 0);
    }

    function test_bills_without_accounts_pay_nothing_and_end_with_the_parties() public {
        _reportDay();
        int128[8] memory sums;
        vm.prank(_ownerOf(RETAILER));
        uint256 id = settlement.proposeBills(COMMUNITY, DAY, RETAILER, 0, sums, 0, 0);
        vm.warp(BILLS_FROM + 86_400);
        settlement.finalise(id);
        vm.assertEq(uint256(settlement.billsOf(id).payout), uint256(Payout.Parties));
        settlement.payParties(id, 0, sums);
        vm.assertEq(uint256(settlement.billsOf(id).payout), uint256(Payout.Done));
    }
}
