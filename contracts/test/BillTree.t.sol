// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BillTree} from "../src/libraries/BillTree.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice The pass of any chunk against a plain tree: arrays, recursion and `abi.encodePacked`.
contract BillTreeTest {
    bytes32[] private _hashes;
    bytes[] private _sums;

    function pass(bytes calldata entries, uint256 first, uint256 count, bytes calldata proof)
        external
        pure
        returns (bytes32)
    {
        return BillTree.commitmentOf(entries, first, count, proof);
    }

    function opened(uint8 tag, bytes calldata body) external pure returns (bytes32) {
        return BillTree.hashOf(tag, body);
    }

    function entryAt(bytes calldata entries, uint256 i)
        external
        pure
        returns (uint32 account, int256 due, int256 retail)
    {
        (account, due) = BillTree.entryOf(entries, i);
        retail = BillTree.retailOf(entries, i);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_any_chunk_leads_to_the_root(uint256 count, uint256 power, uint256 place, uint256 seed)
        public
    {
        count = clamp(count, 1, 40);
        uint256 width = 1 << clamp(power, 0, 6);
        uint256 first = clamp(place, 0, (count - 1) / width) * width;
        uint256 end = first + width < count ? first + width : count;
        _leads(_grow(count, first, end, seed), first, end);
    }

    function test_opened_nodes_hash_what_a_pass_shows_of_them(bytes32 left, bytes32 right, bytes32 seed)
        public
        view
    {
        bytes memory sums = abi.encode(seed, left, right, seed);
        bytes memory other = abi.encode(right, seed, seed, left);
        bytes memory both = abi.encodePacked(left, sums, right, other);
        bytes32 hash =
            keccak256(abi.encodePacked(uint8(3), left, right, keccak256(bytes.concat(sums, other))));
        vm.assertEq(this.opened(3, both), hash);
        bytes memory head = abi.encodePacked(uint32(7), int128(-5), int128(9));
        hash = keccak256(abi.encodePacked(uint8(4), head, keccak256(abi.encodePacked(left, sums))));
        vm.assertEq(this.opened(4, abi.encodePacked(head, left, sums)), hash);
        vm.assertEq(this.opened(2, both), keccak256(bytes.concat(hex"02", both)));
    }

    function test_an_entry_is_read_as_it_is_laid_out(uint32 account, int128 due, int128 retail) public view {
        bytes memory entries = abi.encodePacked(new bytes(68), account, due, retail, bytes32(0));
        (uint32 readAccount, int256 readDue, int256 readRetail) = this.entryAt(entries, 1);
        vm.assertEq(uint256(readAccount), account);
        vm.assertEq(readDue, int256(due));
        vm.assertEq(readRetail, int256(retail));
    }

    /// @dev The entries lead to the root, and others do not.
    function _leads(bytes memory entries, uint256 first, uint256 end) private {
        uint256 count = _hashes.length;
        (bytes memory proof, bytes32 commitment) = _climb(first, end);
        vm.assertEq(this.pass(entries, first, count, proof), commitment);
        entries[uint256(commitment) % entries.length] ^= 0x10;
        vm.assertTrue(this.pass(entries, first, count, proof) != commitment);
    }

    /// @dev Plants accounts; returns the entries of those of the chunk.
    function _grow(uint256 count, uint256 first, uint256 end, uint256 seed)
        private
        returns (bytes memory entries)
    {
        for (uint256 i = 0; i < count; ++i) {
            bytes memory entry = bytes.concat(_word(seed, i), _word(seed, i + 1000), bytes4(uint32(i)));
            _hashes.push(keccak256(bytes.concat(hex"04", entry)));
            _sums.push(abi.encode(seed, i, "sums", count));
            if (i >= first && i < end) entries = bytes.concat(entries, entry);
        }
    }

    /// @dev What leads from the chunk to the root, and the commitment to it.
    function _climb(uint256 first, uint256 end) private returns (bytes memory proof, bytes32 commitment) {
        for (; _hashes.length > 1; _parents()) {
            for (uint256 i = first & ~uint256(1); i < end && i + 1 < _hashes.length; i += 2) {
                if (end - first == 1) proof = bytes.concat(proof, _hashes[first ^ 1]);
                proof = bytes.concat(proof, keccak256(bytes.concat(_sums[i], _sums[i + 1])));
            }
            (first, end) = (first / 2, (end + 1) / 2);
        }
        bytes memory sums = new bytes(128);
        sums[7] = 0x01;
        return (bytes.concat(proof, sums), keccak256(bytes.concat(_hashes[0], sums)));
    }

    function _word(uint256 seed, uint256 i) private pure returns (bytes32) {
        return keccak256(abi.encode(seed, i));
    }

    /// @dev One level up; an odd last node is promoted.
    function _parents() private {
        uint256 count = _hashes.length;
        for (uint256 i = 0; i < count; i += 2) {
            if (i + 1 == count) {
                (_hashes[i / 2], _sums[i / 2]) = (_hashes[i], _sums[i]);
                continue;
            }
            bytes32 sums = keccak256(bytes.concat(_sums[i], _sums[i + 1]));
            _hashes[i / 2] = keccak256(abi.encodePacked(uint8(3), _hashes[i], _hashes[i + 1], sums));
            _sums[i / 2] = bytes.concat(sums, sums, sums, sums);
        }
        while (_hashes.length > (count + 1) / 2) {
            _hashes.pop();
            _sums.pop();
        }
    }
}
