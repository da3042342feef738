// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice What a home's package says about one slot.
/// @param price Of the energy that it covers [micro-token/kWh].
/// @param volume Energy that it covers, 0 without a package [Wh].
struct PackagePrice {
    int32 price;
    uint32 volume;
}

/// @notice What the bills need to know of a retailer's packages; the rest is in the contract's own interface.
interface IPackagePrices {
    /// @notice Packages of an account in a slot of a trading day, and the fee of the day.
    /// @param spot Price of the slot in the reference feed, 0 where none was reported [micro-token/kWh].
    /// @param hasSpot True where one was; a package that follows it covers nothing else.
    /// @return supply Covers what the home takes from the retailer.
    /// @return feedIn Covers what the home gives to the retailer.
    /// @return dailyFee Of both together, in the first slot of the day, 0 in any other [nano-token].
    function pricesAt(
        uint32 community,
        uint32 account,
        uint8 product,
        uint32 day,
        uint32 slotOfDay,
        int32 spot,
        bool hasSpot
    ) external view returns (PackagePrice memory supply, PackagePrice memory feedIn, uint256 dailyFee);
}
