// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PlainAuction, PlainOrder, PlainResult} from "./PlainAuction.sol";

/// @notice What the plain reference says of labels.
/// @param premium Price of labels [micro-token/kWh].
/// @param green Energy that can be labelled [Wh].
/// @param above Energy bought by bids with a higher premium [Wh].
/// @param wh Labelled energy of every order; of an offer, what receives the price [Wh].
/// @param prefixes Label prefixes [Wh].
struct PlainGiven {
    uint256 premium;
    uint256 green;
    uint256 above;
    uint256[] wh;
    uint256[] prefixes;
}

/// @notice Labels said as plainly as possible: from the highest premium down, by arrival, as long as there are any.
library PlainLabels {
    uint256 private constant CLASSES = 64;

    function give(PlainOrder[] memory orders, uint8[] memory sources, PlainResult memory result)
        internal
        pure
        returns (PlainGiven memory given)
    {
        given.wh = new uint256[](orders.length);
        given.prefixes = new uint256[](orders.length);
        for (uint256 i = 0; i < orders.length; ++i) {
            if (!orders[i].buy && sources[i] >= 1 && sources[i] <= 3) given.green += result.fills[i];
        }
        uint256 left = given.green;
        bool short = false;
        for (uint256 round = 1; round <= CLASSES; ++round) {
            uint256 k = CLASSES - round;
            (uint256 wanted, uint256 start) = (0, left);
            for (uint256 i = 0; i < orders.length; ++i) {
                if (!orders[i].buy || sources[i] != 64 + k) continue;
                uint256 wh = result.fills[i] < left ? result.fills[i] : left;
                given.wh[i] = wh;
                left -= wh;
                wanted += result.fills[i];
            }
            // The first premium that is not served whole is the price of all.
            if (!short && (wanted > start || k == 0)) {
                short = true;
                (given.premium, given.above) = (1000 * k, given.green - start);
                _prefixes(orders, sources, result, given, 64 + k);
            }
        }
        for (uint256 i = 0; i < orders.length; ++i) {
            bool green = !orders[i].buy && sources[i] >= 1 && sources[i] <= 3;
            if (green && given.premium > 0) given.wh[i] = result.fills[i];
        }
    }

    function _prefixes(
        PlainOrder[] memory orders,
        uint8[] memory sources,
        PlainResult memory result,
        PlainGiven memory given,
        uint256 source
    ) private pure {
        uint256 before = 0;
        for (uint256 i = 0; i < orders.length; ++i) {
            if (!orders[i].buy || sources[i] != source) continue;
            given.prefixes[i] = before;
            before += result.fills[i];
        }
    }
}
