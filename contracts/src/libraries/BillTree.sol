// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BillNode} from "../types/Bills.sol";
import {Amounts} from "./Amounts.sol";
import {Wire} from "./Wire.sol";

/// @notice Hashes of the bill tree, and the pass over its account nodes; see docs/proofs.md [5].
library BillTree {
    using Wire for bytes;

    uint8 internal constant LINE = 2;
    uint8 internal constant NODE = 3;
    uint8 internal constant ACCOUNT = 4;
    uint8 internal constant REFERENCE = 6;

    /// @dev A node as its parent claims it: hash and sums.
    uint256 internal constant NODE_BYTES = 160;
    /// @dev An opened inner node: both children.
    uint256 internal constant PAIR_BYTES = 320;
    /// @dev An opened account: its entry, with the root of its subtree in place of the commitment.
    uint256 internal constant ACCOUNT_BYTES = 196;

    uint256 private constant HEAD_BYTES = 36;
    uint256 private constant ENTRY_BYTES = 68;
    uint256 private constant SUMS_BYTES = 128;
    /// @dev As in `Amounts`.
    uint256 private constant AMOUNT_BYTES = 12;

    /// @notice The proof is too long or too short for the entries.
    error InvalidProof(uint256 expected, uint256 actual);
    /// @notice A chunk is not a whole subtree: its first index or length does not fit.
    error InvalidChunk(uint256 first, uint256 length);

    /// @notice Commitment to the root that consecutive account nodes from `first` on lead to.
    /// @param entries Of accounts that fill a subtree or run to the end; `entryOf` says how they are laid out.
    /// @param proof For every two nodes that are joined the hash of both's sums, level by level; above the chunk each behind
    /// the hash of the node beside the path. At the end the root's sums.
    function commitmentOf(bytes calldata entries, uint256 first, uint256 count, bytes calldata proof)
        internal
        pure
        returns (bytes32)
    {
        uint256 length = entriesIn(entries);
        uint256 width = 1;
        while (width < length) width <<= 1;
        if (
            length == 0 || entries.length % ENTRY_BYTES != 0 || first % width != 0 || first + length > count
                || (length != width && first + length != count)
        ) revert InvalidChunk(first, length);
        bytes32[] memory level = new bytes32[](length);
        uint256 used = 0;
        // Preimages are built beyond the free memory pointer. Hashes are written within `level`, each where one stood that
        // was read before; entries fit in calldata. What is read beyond the proof is of no use, as its length is checked.
        assembly ("memory-safe") {
            let m := mload(0x40)
            let hashes := add(level, 0x20)
            let target := hashes
            mstore8(m, ACCOUNT)
            for { let entry := entries.offset } lt(used, length) { used := add(used, 1) } {
                calldatacopy(add(m, 1), entry, ENTRY_BYTES)
                mstore(target, keccak256(m, 69))
                entry := add(entry, ENTRY_BYTES)
                target := add(target, 0x20)
            }
            mstore8(m, NODE)
            let sums := proof.offset
            for {} gt(length, 1) { length := shr(1, add(length, 1)) } {
                let pair := hashes
                target := hashes
                for { let end := add(hashes, shl(5, shr(1, length))) } lt(target, end) {
                    target := add(target, 0x20)
                } {
                    mcopy(add(m, 1), pair, 0x40)
                    calldatacopy(add(m, 65), sums, 0x20)
                    mstore(target, keccak256(m, 97))
                    pair := add(pair, 0x40)
                    sums := add(sums, 0x20)
                }
                // An odd last node is promoted.
                if and(length, 1) { mstore(target, mload(pair)) }
            }
            used := sub(sums, proof.offset)
        }
        bytes32 top = level[0];
        // The chunk is node first / width of the level whose nodes span `width` accounts.
        (first, count) = (first / width, (count + width - 1) / width);
        for (; count > 1; (first, count) = (first / 2, (count + 1) / 2)) {
            if (first | 1 >= count) continue;
            (bytes32 beside, bytes32 sums) = (bytes32(proof.word(used)), bytes32(proof.word(used + 32)));
            top = first & 1 == 0 ? node(top, beside, sums) : node(beside, top, sums);
            used += 64;
        }
        if (proof.length != used + SUMS_BYTES) revert InvalidProof(used + SUMS_BYTES, proof.length);
        return keccak256(bytes.concat(top, proof[used:]));
    }

    /// @notice Number of whole entries.
    function entriesIn(bytes calldata entries) internal pure returns (uint256) {
        return entries.length / ENTRY_BYTES;
    }

    /// @notice What the accounts of a chunk owe, as amounts and in total, and the sum of their dues with signs.
    function debitsOf(bytes calldata entries)
        internal
        pure
        returns (bytes memory amounts, uint256 debits, int256 dues)
    {
        amounts = Amounts.newList(entriesIn(entries));
        // The entries are whole, and there is room for an amount of each, whose tail the next one overwrites. No account
        // holds 2**64.
        assembly ("memory-safe") {
            let target := add(amounts, 0x20)
            let end := add(entries.offset, entries.length)
            for { let entry := entries.offset } lt(entry, end) { entry := add(entry, ENTRY_BYTES) } {
                let head := calldataload(entry)
                let due := signextend(15, shr(96, head))
                dues := add(dues, due)
                if sgt(due, 0) {
                    debits := add(debits, due)
                    if shr(64, due) { due := 0xffffffffffffffff }
                    mstore(target, or(shl(224, shr(224, head)), shl(160, due)))
                    target := add(target, AMOUNT_BYTES)
                }
            }
            mstore(amounts, sub(sub(target, amounts), 0x20))
        }
    }

    /// @notice Account and due of entry `i` of a chunk that has it. An entry is `account u32, due i128, retail i128,
    /// commitment to the subtree's root`, 68 bytes.
    function entryOf(bytes calldata entries, uint256 i) internal pure returns (uint32 account, int256 due) {
        // i < entriesIn(entries)
        unchecked {
            uint256 word = entries.word(i * ENTRY_BYTES);
            return (uint32(word >> 224), int128(uint128(word >> 96)));
        }
    }

    /// @notice Retail money of entry `i` of a chunk that has it.
    function retailOf(bytes calldata entries, uint256 i) internal pure returns (int256) {
        return int256(entries.word(i * ENTRY_BYTES + 20)) >> 128;
    }

    /// @notice Hash of an opened node, whose bytes without its tag are as many as its kind has.
    function hashOf(uint8 tag, bytes calldata body) internal pure returns (bytes32) {
        if (tag == NODE) {
            bytes memory sums = bytes.concat(body[32:NODE_BYTES], body[NODE_BYTES + 32:]);
            return node(bytes32(body.word(0)), bytes32(body.word(NODE_BYTES)), keccak256(sums));
        }
        if (tag == ACCOUNT) {
            return keccak256(bytes.concat(bytes1(tag), body[:HEAD_BYTES], keccak256(body[HEAD_BYTES:])));
        }
        return keccak256(bytes.concat(bytes1(tag), body));
    }

    /// @notice Hash of an inner node.
    /// @param sums Hash of the sums of the left child and those of the right one.
    function node(bytes32 left, bytes32 right, bytes32 sums) internal pure returns (bytes32 hash) {
        // The preimage is built beyond the free memory pointer.
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore8(m, NODE)
            mstore(add(m, 1), left)
            mstore(add(m, 33), right)
            mstore(add(m, 65), sums)
            hash := keccak256(m, 97)
        }
    }

    /// @notice Commitment to a root: its hash and sums.
    function commitment(BillNode memory root) internal pure returns (bytes32) {
        return keccak256(abi.encode(root));
    }

    /// @notice Node on the wire, of which the caller knows that it is there.
    function read(bytes calldata wire, uint256 offset) internal pure returns (BillNode memory node_) {
        // The caller has checked that 160 bytes are there.
        assembly ("memory-safe") {
            calldatacopy(node_, add(wire.offset, offset), NODE_BYTES)
        }
    }
}
