// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "./Market.sol";

/// @notice A trading day of a product of a community: `community u32 | product u8 | day u32`.
type ProductDay is uint256;

using {homeOf, communityDay} for ProductDay global;

/// @notice Key of a product's trading day.
function productDay(uint32 community, uint8 product, uint32 day) pure returns (ProductDay) {
    return ProductDay.wrap((uint256(community) << 40) | (uint256(product) << 32) | day);
}

/// @notice The trading day of a market, whose slot is of that `day`.
function productDayOf(Market market, uint32 day) pure returns (ProductDay) {
    // A market has community and product as neighbours, too.
    return ProductDay.wrap(((Market.unwrap(market) >> 40) << 32) | day);
}

/// @notice Key of the day of all products of the community: `community u32 | day u32`.
function communityDay(ProductDay delivery) pure returns (uint256) {
    uint256 word = ProductDay.unwrap(delivery);
    return (uint256(uint32(word >> 40)) << 32) | uint32(word);
}

/// @notice What the key word of an account of the community with a meter for the product has:
/// `community << 64 | 1 << product`; for a product that there is not, a bit that no word has.
function homeOf(ProductDay delivery) pure returns (uint256) {
    uint256 word = ProductDay.unwrap(delivery);
    uint256 product = uint8(word >> 32);
    return (uint256(uint32(word >> 40)) << 64) | (1 << (product < 8 ? product : 8));
}
