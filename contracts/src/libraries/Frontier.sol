// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @dev Heights of complete subtrees in trees of at most 2**16 - 1 leaves.
uint256 constant HEIGHTS = 16;

/// @notice A binary Merkle tree that grows leaf by leaf: the roots of its complete subtrees, and the same root as a tree
/// over all leaves at once in which an odd last node is promoted, see docs/proofs.md [8].
library Frontier {
    /// @notice Adds leaves that stand in memory from `start` on.
    /// @param peaks Root of the complete subtree of every height that is a bit of the count, by height.
    /// @param count Leaves so far.
    /// @param added Leaves to add; there are at most 2**16 - 1 in all.
    function append(bytes32[HEIGHTS] memory peaks, uint256 count, uint256 start, uint256 added)
        internal
        pure
    {
        // Reads the leaves, writes peaks below HEIGHTS: a count below 2**16 - 1 has a zero bit below 16.
        assembly ("memory-safe") {
            for { let end := add(start, shl(5, added)) } lt(start, end) { start := add(start, 0x20) } {
                let node := mload(start)
                let peak := peaks
                for { let bits := count } and(bits, 1) { bits := shr(1, bits) } {
                    mstore(0, mload(peak))
                    mstore(0x20, node)
                    node := keccak256(0, 0x40)
                    peak := add(peak, 0x20)
                }
                mstore(peak, node)
                count := add(count, 1)
            }
        }
    }

    /// @notice Root of the tree; 0 without leaves.
    function root(bytes32[HEIGHTS] memory peaks, uint256 count) internal pure returns (bytes32 node) {
        bool any = false;
        for (uint256 height = 0; height < HEIGHTS; ++height) {
            if ((count >> height) & 1 == 0) continue;
            node = any ? keccak256(abi.encodePacked(peaks[height], node)) : peaks[height];
            any = true;
        }
    }
}
