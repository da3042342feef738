// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {OrderProof, PositionProof} from "../types/Evidence.sol";
import {OrderRecord} from "../types/OrderRecord.sol";
import {PositionChain} from "../types/Position.sol";
import {Clearing} from "./Clearing.sol";
import {Merkle} from "./Merkle.sol";

/// @notice Shows that a record of an order or of a position is the one that the chain knows.
library Records {
    /// @notice True if the leaf at `index` of `count` in the fill tree of a market is the order's.
    function isOrder(OrderProof calldata proof, uint32 index, uint256 count, bytes32 root)
        internal
        pure
        returns (bool)
    {
        bytes32 leaf = Clearing.leafOf(index, recordOf(proof), proof.prefix, proof.labelPrefix);
        return Merkle.rootOf(leaf, index, count, proof.siblings) == root;
    }

    /// @notice True if record `index` of an account's positions is the one shown.
    function isPosition(PositionProof calldata proof, uint256 index, PositionChain chain)
        internal
        pure
        returns (bool)
    {
        uint256 count = chain.count();
        if (index >= count || proof.others.length + 1 != count) return false;
        PositionChain replayed;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 hash = i == index ? keccak256(proof.record) : proof.others[i < index ? i : i - 1];
            replayed = replayed.append(hash);
        }
        return PositionChain.unwrap(replayed) == PositionChain.unwrap(chain);
    }

    /// @notice The order's record.
    function recordOf(OrderProof calldata proof) internal pure returns (OrderRecord) {
        return OrderRecord.wrap(uint128(proof.record));
    }
}
