// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice What a device key may sign: `expires at u40 | most Wh u32 | price min u32 | price max u32`, prices biased by
/// 2**31, from the highest bits of the lowest 136. Zero: everything.
type DeviceLimits is uint256;

using {expiresAt, mostWh, permits, areNone} for DeviceLimits global;

/// @dev No limits.
DeviceLimits constant NO_LIMITS = DeviceLimits.wrap(0);

/// @notice Packs limits; every value must fit its field, and the packed word is not zero.
function limitsOf(uint256 expiresAt_, uint256 mostWh_, uint256 biasedMin, uint256 biasedMax)
    pure
    returns (DeviceLimits)
{
    return DeviceLimits.wrap((expiresAt_ << 96) | (mostWh_ << 64) | (biasedMin << 32) | biasedMax);
}

/// @notice Time from which the key may sign nothing [unix s].
function expiresAt(DeviceLimits limits) pure returns (uint256) {
    return uint40(DeviceLimits.unwrap(limits) >> 96);
}

/// @notice Largest energy of an order, and of a nominated slot in either direction [Wh].
function mostWh(DeviceLimits limits) pure returns (uint256) {
    return uint32(DeviceLimits.unwrap(limits) >> 64);
}

/// @notice True where nothing is limited.
function areNone(DeviceLimits limits) pure returns (bool) {
    return DeviceLimits.unwrap(limits) == 0;
}

/// @notice True if an order at this biased price and quantity [Wh] may be signed now.
function permits(DeviceLimits limits, uint256 biasedPrice, uint256 quantity, uint256 time)
    pure
    returns (bool)
{
    uint256 word = DeviceLimits.unwrap(limits);
    if (word == 0) return true;
    return time < expiresAt(limits) && quantity <= mostWh(limits) && biasedPrice >= uint32(word >> 32)
        && biasedPrice <= uint32(word);
}
