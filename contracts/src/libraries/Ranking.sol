// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {bias} from "../types/OrderRecord.sol";

/// @notice Ranks of bids, best first: `price u32 | turn u16 | index u16`, the price so that the better one is smaller.
library Ranking {
    /// @notice Rank of a bid: by price, then by turn.
    /// @param selling True if the highest price is the best, false if the lowest is.
    /// @param turn Below 2**16; the lower one is better.
    /// @param index Below 2**16.
    function rankOf(bool selling, int32 price, uint256 turn, uint256 index) internal pure returns (uint256) {
        uint256 biased = bias(price);
        // biased < 2**32
        unchecked {
            return ((selling ? type(uint32).max - biased : biased) << 32) | (turn << 16) | index;
        }
    }

    /// @notice Index of the bid that has the rank.
    function indexOf(uint256 rank) internal pure returns (uint256) {
        return uint16(rank);
    }

    /// @notice Sorts the first `count` ranks of a list that has them, the smallest first.
    /// @dev By insertion: lists are short. Every word read and written is one of these ranks, but for the list's length,
    /// which is read before the first rank and not used.
    function sort(uint256[] memory ranks, uint256 count) internal pure {
        assembly ("memory-safe") {
            let first := add(ranks, 0x20)
            let end := add(first, shl(5, count))
            for { let next := add(first, 0x20) } lt(next, end) { next := add(next, 0x20) } {
                let rank := mload(next)
                let hole := next
                for { let before := mload(sub(hole, 0x20)) } and(gt(hole, first), gt(before, rank)) {
                    before := mload(sub(hole, 0x20))
                } {
                    mstore(hole, before)
                    hole := sub(hole, 0x20)
                }
                mstore(hole, rank)
            }
        }
    }
}
