// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Key of a market: `community << 48 | product << 40 | slot << 8 | session`.
type Market is uint256;

using {community, product, slot, session} for Market global;

/// @notice Key of the market where `product_` of `slot_` is traded in session `session_`.
function marketOf(uint32 community_, uint8 product_, uint32 slot_, uint8 session_) pure returns (Market) {
    return Market.wrap(
        (uint256(community_) << 48) | (uint256(product_) << 40) | (uint256(slot_) << 8) | uint256(session_)
    );
}

/// @notice Community that trades in the market.
function community(Market market) pure returns (uint32) {
    return uint32(Market.unwrap(market) >> 48);
}

/// @notice 0 electricity, 1 heat, 2 cooling.
function product(Market market) pure returns (uint8) {
    return uint8(Market.unwrap(market) >> 40);
}

/// @notice Slot of delivery, `unix time // slotSeconds`.
function slot(Market market) pure returns (uint32) {
    return uint32(Market.unwrap(market) >> 8);
}

/// @notice Index of the session in the community's rules.
function session(Market market) pure returns (uint8) {
    return uint8(Market.unwrap(market));
}
