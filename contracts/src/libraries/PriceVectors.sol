// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Wire} from "./Wire.sol";

/// @notice Compares vectors of `int32` prices, eight at once.
/// @dev A word of eight prices is split into two words of four lanes of 64 bits. Biased by 2^31 a price is below 2^32,
/// so a lane of `GUARD + a - b ± limit` neither borrows from its neighbour nor carries into it, and keeps its guard
/// bit exactly if `a - b ± limit >= 0` [15].
library PriceVectors {
    using Wire for bytes;

    uint256 private constant SIGNS = 0x8000000080000000800000008000000080000000800000008000000080000000;
    uint256 private constant LANES = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant ONES = 0x0000000000000001000000000000000100000000000000010000000000000001;
    uint256 private constant GUARD = 0x0000010000000000000001000000000000000100000000000000010000000000;

    /// @notice True if no price differs by more than `limit` from its place in `others`, a vector of the same length.
    /// @param limit Below 2^31 [micro-token/kWh].
    function near(bytes calldata prices, bytes calldata others, uint256 limit) internal pure returns (bool) {
        uint256 lost = 0;
        for (uint256 pos = 0; pos < prices.length; pos += 32) {
            lost |= _beyond(_word(prices, pos), _word(others, pos), limit);
        }
        return lost == 0;
    }

    /// @notice True if every price is within ±`limit`, and where `ordered` the second of a pair not above the first.
    /// @param limit Below 2^31 [micro-token/kWh].
    function within(bytes calldata prices, uint256 limit, bool ordered) internal pure returns (bool) {
        uint256 lost = 0;
        for (uint256 pos = 0; pos < prices.length; pos += 32) {
            uint256 word = _word(prices, pos);
            lost |= _beyond(word, 0, limit);
            // No lane overflows: see above.
            unchecked {
                if (ordered) lost |= _lost(GUARD + _firsts(word) - _seconds(word));
            }
        }
        return lost == 0;
    }

    /// @dev Guard bits of the lanes in which two words differ by more than `limit`.
    function _beyond(uint256 a, uint256 b, uint256 limit) private pure returns (uint256) {
        // No lane overflows: see above.
        unchecked {
            uint256 room = GUARD + limit * ONES;
            uint256 firsts = _firsts(a);
            uint256 latter = _seconds(a);
            uint256 otherFirsts = _firsts(b);
            uint256 otherLatter = _seconds(b);
            return _lost(
                (room + firsts - otherFirsts) & (room + otherFirsts - firsts) & (room + latter - otherLatter)
                    & (room + otherLatter - latter)
            );
        }
    }

    /// @dev Eight prices from `offset`; those beyond the end are 0.
    function _word(bytes calldata prices, uint256 offset) private pure returns (uint256 word) {
        word = prices.word(offset);
        uint256 rest = prices.length - offset;
        if (rest < 32) word &= type(uint256).max << (256 - 8 * rest);
    }

    function _firsts(uint256 word) private pure returns (uint256) {
        return ((word ^ SIGNS) >> 32) & LANES;
    }

    function _seconds(uint256 word) private pure returns (uint256) {
        return (word ^ SIGNS) & LANES;
    }

    function _lost(uint256 lanes) private pure returns (uint256) {
        return ~lanes & GUARD;
    }
}
