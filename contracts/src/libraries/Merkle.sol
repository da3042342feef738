// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Binary Merkle trees over a known number of leaves: node `keccak(left, right)`, an odd last node is promoted
/// unchanged. Leaves are never 64 bytes long, so no node passes for a leaf.
library Merkle {
    /// @notice A proof has too few or too many siblings, or no such leaf exists.
    error InvalidProof();

    /// @notice Root of `count` leaves that stand in memory from `start` on, which is overwritten; 0 without leaves.
    function rootInPlace(uint256 start, uint256 count) internal pure returns (bytes32 root) {
        if (count == 0) return 0;
        // Node i of a level is written over leaf i after leaves 2i and 2i+1 were read, i <= 2i: all writes stay within
        // the caller's array.
        assembly ("memory-safe") {
            for {} gt(count, 1) {} {
                let write := start
                let read := start
                for { let last := add(start, shl(6, shr(1, count))) } lt(read, last) {} {
                    mstore(write, keccak256(read, 0x40))
                    write := add(write, 0x20)
                    read := add(read, 0x40)
                }
                if and(count, 1) { mstore(write, mload(read)) }
                count := shr(1, add(count, 1))
            }
            root := mload(start)
        }
    }

    /// @notice Root that a leaf at `index` of `count` and its siblings lead to.
    function rootOf(bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata siblings)
        internal
        pure
        returns (bytes32 node)
    {
        if (index >= count) revert InvalidProof();
        node = leaf;
        uint256 used = 0;
        while (count > 1) {
            bool promoted = index + 1 == count && count & 1 == 1;
            if (!promoted) {
                if (used == siblings.length) revert InvalidProof();
                bytes32 sibling = siblings[used++];
                node = index & 1 == 0 ? _pair(node, sibling) : _pair(sibling, node);
            }
            index >>= 1;
            count = (count + 1) >> 1;
        }
        if (used != siblings.length) revert InvalidProof();
    }

    function _pair(bytes32 left, bytes32 right) private pure returns (bytes32 node) {
        // Scratch space only.
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(0x20, right)
            node := keccak256(0, 0x40)
        }
    }
}
