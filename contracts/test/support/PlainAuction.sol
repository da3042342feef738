// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice An order of the plain reference.
struct PlainOrder {
    uint32 account;
    int32 price;
    uint32 quantity;
    bool buy;
    uint32 nonce;
}

/// @notice What the plain reference says of a market.
struct PlainResult {
    int32 lo;
    int32 hi;
    int32 price;
    uint256 volume;
    uint256[] fills;
    uint256[] prefixes;
}

/// @notice The auction said as plainly as possible: try every price, then serve by price and arrival.
library PlainAuction {
    /// @notice Clears by trying the band's ends and every limit, which is where the clearing prices begin and end.
    function clear(PlainOrder[] memory orders, int32 priceMin, int32 priceMax)
        internal
        pure
        returns (PlainResult memory result)
    {
        (result.lo, result.hi) = (priceMax, priceMin);
        for (uint256 i = 0; i < orders.length + 2; ++i) {
            int32 p = i == 0 ? priceMin : i == 1 ? priceMax : orders[i - 2].price;
            if (sold(orders, p, true) >= bought(orders, p, false) && p < result.lo) result.lo = p;
            if (bought(orders, p, true) >= sold(orders, p, false) && p > result.hi) result.hi = p;
        }
        result.price = int32((int256(result.lo) + result.hi) >> 1);
        (uint256 demand, uint256 supply) =
            (bought(orders, result.price, true), sold(orders, result.price, true));
        result.volume = demand < supply ? demand : supply;
        result.fills = new uint256[](orders.length);
        result.prefixes = new uint256[](orders.length);
        for (uint256 side = 0; side < 2; ++side) {
            _serve(orders, result, side == 0);
        }
    }

    /// @notice Energy of bids above, or with `at` at or above, a price.
    function bought(PlainOrder[] memory orders, int256 p, bool at) internal pure returns (uint256 wh) {
        for (uint256 i = 0; i < orders.length; ++i) {
            if (orders[i].buy && (orders[i].price > p || (at && orders[i].price == p))) {
                wh += orders[i].quantity;
            }
        }
    }

    /// @notice Energy of offers below, or with `at` at or below, a price.
    function sold(PlainOrder[] memory orders, int256 p, bool at) internal pure returns (uint256 wh) {
        for (uint256 i = 0; i < orders.length; ++i) {
            if (!orders[i].buy && (orders[i].price < p || (at && orders[i].price == p))) {
                wh += orders[i].quantity;
            }
        }
    }

    /// @dev Serves one side: better limits first, then by arrival.
    function _serve(PlainOrder[] memory orders, PlainResult memory result, bool buy) private pure {
        uint256 left = result.volume;
        for (uint256 round = 0; round < 2; ++round) {
            uint256 served = 0;
            for (uint256 i = 0; i < orders.length; ++i) {
                if (orders[i].buy != buy) continue;
                bool better = buy ? orders[i].price > result.price : orders[i].price < result.price;
                if (round == 0 ? !better : orders[i].price != result.price) continue;
                if (round == 1) result.prefixes[i] = served;
                served += orders[i].quantity;
                uint256 fill = orders[i].quantity < left ? orders[i].quantity : left;
                result.fills[i] = fill;
                left -= fill;
            }
        }
    }
}
