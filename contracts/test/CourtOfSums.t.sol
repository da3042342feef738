// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICourt} from "../src/interfaces/ICourt.sol";
import {Reason} from "../src/types/Bills.sol";
import {MeterNeighbour, Path} from "../src/types/Evidence.sol";
import {CourtDay} from "./support/CourtDay.sol";
import {vm} from "./support/Vm.sol";

/// @notice Accounts and lines that are missing, out of place or wrongly summed fall.
contract CourtOfSumsTest is CourtDay {
    function test_an_account_listed_twice_falls() public {
        listed = [A, B, B, C, D, E];
        uint256 id = _proposeAnyway();
        // The way to the second one: its nodes are the same.
        Path memory second = _pathToAccount(B);
        Node[] memory level = _accountNodes();
        second.accountIndex = 2;
        second.nodes = bytes.concat(_packed(_top(level)), _down(level, 2), _opened(B));
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

    function test_a_line_of_a_slot_without_report_is_not_judged_by_its_neighbours() public {
        // Of the first slot after the day, whose meters nobody reported.
        altered[7][E] = bytes.concat(
            _cut(_line(E, 7), 0, 5), abi.encodePacked(FIRST_SLOT + SLOTS), _cut(_line(E, 7), 9, LINE_BYTES)
        );
        uint256 id = _proposeAnyway();
        Path memory path = _pathToLine(E, 7);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeUnmetered(id, path, new MeterNeighbour[](1), B);
    }

    function test_false_sums_fall_at_every_level() public {
        Node[] memory level = _accountNodes();
        _sumFalls(_join(level[0], level[1]), 2, ACCOUNT_BYTES + PAIR_BYTES, 3, PAIR_BYTES);
        for (uint256 i = 0; i < 8; ++i) {
            _sumFalls(level[0], i, ACCOUNT_BYTES, 4, ACCOUNT_BYTES);
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

    function test_a_false_due_or_retail_of_an_account_falls() public {
        for (uint256 i = 0; i < 4; ++i) {
            raised[A] = [
                [int128(1), int128(0)],
                [int128(0), int128(1)],
                [int128(-1), int128(0)],
                [int128(1), int128(-1)]
            ][i];
            uint256 id = _proposeAnyway();
            _challengeSum(id, _pathToAccount(A), ACCOUNT_BYTES, 4, ACCOUNT_BYTES);
            _assertReason(id, Reason.Sum);
        }
    }

    function test_a_due_beyond_128_bits_falls() public {
        // What the node can say of it are its last bits, a credit.
        Node memory top = _subtree(A);
        int128 most = type(int128).max;
        claimed[top.hash] = Node(top.hash, [int128(0), most, most, 0, 0, 0, 0, 0]);
        uint256 id = _proposeAnyway();
        _challengeSum(id, _pathToAccount(A), ACCOUNT_BYTES, 4, ACCOUNT_BYTES);
        _assertReason(id, Reason.Sum);
    }

    function test_a_sum_that_overflows_falls() public {
        int128 most = type(int128).max - int128(int256(_uint(_line(A, 0), 62, 16)));
        (altered[0][A], altered[1][A]) = (_shifted(_line(A, 0), 62, most), _shifted(_line(A, 1), 62, 1));
        (Node memory left, Node memory right) = (_lineNode(altered[0][A]), _lineNode(altered[1][A]));
        Node memory node;
        node.hash = keccak256(abi.encodePacked(uint8(3), left.hash, right.hash, _sumsHash(left, right)));
        claimed[node.hash] = node;
        uint256 id = _proposeAnyway();
        _challengeSum(id, _pathToLine(A, 0), LINE_BYTES + PAIR_BYTES, 3, PAIR_BYTES);
        _assertReason(id, Reason.Sum);
    }

    function test_a_node_of_another_kind_falls() public {
        // Where a line should stand there are bytes of any other length, or a node.
        bytes memory strange = bytes.concat(hex"02", _line(A, 0), hex"00");
        _strangeFalls(strange);
        _strangeFalls(hex"02");
        _strangeFalls("");
    }

    function test_a_node_of_another_kind_falls_as_it_is_opened() public {
        // Where A's first line should stand there is an inner node, or an account.
        Node[] memory level = _lineNodes(A);
        _otherFalls(
            _join(level[2], level[3]).hash, bytes.concat(hex"03", _packed(level[2]), _packed(level[3]))
        );
        _otherFalls(_accountNode(B, _subtree(B)).hash, bytes.concat(hex"04", _opened(B)));
    }

    function test_what_an_inner_node_is_hashed_from_opens_nothing() public {
        Node[] memory level = _lineNodes(A);
        bytes memory hashed =
            abi.encodePacked(uint8(3), level[0].hash, level[1].hash, _sumsHash(level[0], level[1]));
        uint256 id = _propose(_root());
        Path memory path = _shortened(_pathToLine(A, 0), LINE_BYTES + PAIR_BYTES);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeSum(id, path, hashed, B);
        Node memory top = _subtree(A);
        hashed = abi.encodePacked(uint8(4), _head(A, top), keccak256(_packed(top)));
        path = _shortened(_pathToAccount(A), ACCOUNT_BYTES);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeSum(id, path, hashed, B);
        vm.prank(_ownerOf(B));
        court.demand(id, path, B);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotDemanded.selector, id, bytes32(0)));
        court.answer(id, hashed, C);
        court.answer(id, bytes.concat(hex"04", _opened(A)), C);
    }

    function test_an_empty_node_with_sums_falls() public {
        emptied = _lineNodes(E)[7].hash;
        uint256 id = _proposeAnyway();
        Path memory path = _shortened(_pathToLine(E, 7), LINE_BYTES);
        court.challengeSum(id, path, "", B);
        _assertReason(id, Reason.Sum);
    }

    // ---- helpers ----

    /// @dev A node on the way to A's first reference claims other sums than it has.
    /// @param cut Bytes of the way from the node on down.
    function _sumFalls(Node memory node, uint256 lane, uint256 cut, uint8 tag, uint256 size) private {
        Node memory other = Node(node.hash, node.sums);
        other.sums[lane] += 1;
        claimed[node.hash] = other;
        uint256 id = _proposeAnyway();
        Path memory path = tag == 4 || cut == ACCOUNT_BYTES + PAIR_BYTES
            ? _pathToAccount(A)
            : cut >= LINE_BYTES && cut != REF_BYTES + PAIR_BYTES ? _pathToLine(A, 0) : _pathToRef(A, 0, 0);
        _challengeSum(id, path, cut, tag, size);
        _assertReason(id, Reason.Sum);
        delete claimed[node.hash];
    }

    function _strangeFalls(bytes memory strange) private {
        _otherFalls(keccak256(strange), strange);
    }

    /// @dev Something else stands where A's first line should.
    function _otherFalls(bytes32 hash, bytes memory strange) private {
        Node memory node = _lineNode(_line(A, 0));
        claimed[node.hash] = Node(hash, node.sums);
        uint256 id = _proposeAnyway();
        court.challengeSum(id, _shortened(_pathToLine(A, 0), LINE_BYTES), strange, B);
        _assertReason(id, Reason.Sum);
    }

    function _absentFalls(uint256 id, Path[] memory paths, uint32 account, uint32 slot) private {
        court.challengeAbsent(id, paths, account, 0, FIRST_SLOT + slot, _meterProof(account, slot), B);
        _assertReason(id, Reason.Absent);
    }
}
