// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Wire} from "./Wire.sol";

/// @notice The Merkle-sum tree of a slot's meters.
library MeterTree {
    using Wire for bytes;

    /// @dev Hash and sums of a node.
    struct Node {
        bytes32 hash;
        uint64 importWh;
        uint64 exportWh;
    }

    uint256 private constant NODE_BYTES = 48;

    /// @notice A proof has too few or too many siblings, or no such leaf exists.
    error InvalidProof();

    /// @notice Leaf of an account's meter.
    function leaf(uint32 account, uint32 importWh, uint32 exportWh, uint8 quality, bytes32 salt)
        internal
        pure
        returns (Node memory)
    {
        return Node(
            keccak256(abi.encodePacked(uint8(0), account, importWh, exportWh, quality, salt)),
            importWh,
            exportWh
        );
    }

    /// @notice Root that the leaf at `index` of `count` and its siblings lead to.
    /// @param siblings From below, each: hash, import u64, export u64.
    function climb(Node memory node, uint256 index, uint256 count, bytes calldata siblings)
        internal
        pure
        returns (Node memory)
    {
        if (index >= count) revert InvalidProof();
        uint256 used = 0;
        while (count > 1) {
            bool promoted = index + 1 == count && count & 1 == 1;
            if (!promoted) {
                if (used + NODE_BYTES > siblings.length) revert InvalidProof();
                uint256 sums = siblings.word(used + 32);
                Node memory sibling =
                    Node(bytes32(siblings.word(used)), uint64(sums >> 192), uint64(sums >> 128));
                used += NODE_BYTES;
                node = index & 1 == 0 ? _join(node, sibling) : _join(sibling, node);
            }
            index >>= 1;
            count = (count + 1) >> 1;
        }
        if (used != siblings.length) revert InvalidProof();
        return node;
    }

    function _join(Node memory left, Node memory right) private pure returns (Node memory) {
        return Node(
            keccak256(
                abi.encodePacked(
                    uint8(1),
                    left.hash,
                    left.importWh,
                    left.exportWh,
                    right.hash,
                    right.importWh,
                    right.exportWh
                )
            ),
            left.importWh + right.importWh,
            left.exportWh + right.exportWh
        );
    }
}
