// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice An order as the hash chain holds it, 16 bytes:
/// `account u32 | price u32 (int32 biased by 2**31) | quantity u32 [Wh] | nonce u24 (low bits) | source u7 | buy u1`.
type OrderRecord is uint128;

using {account, biasedPrice, price, quantity, source, isBuy, lock} for OrderRecord global;

/// @dev Added to a signed price so that unsigned comparison orders prices.
uint256 constant PRICE_BIAS = 1 << 31;

/// @dev Sources of energy: 0 grid, 1 pv, 2 battery, 3 v2h, 4 chp.
uint256 constant LAST_SOURCE = 4;

/// @notice Packs a record.
/// @param biased Price + 2**31 [micro-token/kWh].
/// @param flags `source << 1 | buy`.
function recordOf(uint256 account_, uint256 biased, uint256 quantity_, uint256 nonce, uint256 flags)
    pure
    returns (OrderRecord)
{
    return OrderRecord.wrap(
        // forge-lint: disable-next-line(unsafe-typecast)
        uint128((account_ << 96) | (biased << 64) | (quantity_ << 32) | ((nonce & 0xffffff) << 8) | flags)
    );
}

/// @notice Price with the bias of `PRICE_BIAS`, orders like the price itself.
function bias(int32 price_) pure returns (uint256) {
    // |price| <= 2**31, so the sum is in [0, 2**32).
    unchecked {
        return uint256(int256(price_) + int256(PRICE_BIAS));
    }
}

/// @notice Inverse of `bias` for `biased < 2**32`.
function unbias(uint256 biased) pure returns (int32) {
    // biased < 2**32, so the difference is in [-2**31, 2**31).
    unchecked {
        return int32(int256(biased) - int256(PRICE_BIAS));
    }
}

/// @notice Account that ordered.
function account(OrderRecord record) pure returns (uint32) {
    return uint32(OrderRecord.unwrap(record) >> 96);
}

/// @notice Limit price, biased.
function biasedPrice(OrderRecord record) pure returns (uint256) {
    return uint32(OrderRecord.unwrap(record) >> 64);
}

/// @notice Limit price [micro-token/kWh].
function price(OrderRecord record) pure returns (int32) {
    return unbias(biasedPrice(record));
}

/// @notice Ordered energy [Wh].
function quantity(OrderRecord record) pure returns (uint32) {
    return uint32(OrderRecord.unwrap(record) >> 32);
}

/// @notice Source of the energy.
function source(OrderRecord record) pure returns (uint8) {
    return uint8(OrderRecord.unwrap(record)) >> 1;
}

/// @notice True for a bid, false for an offer.
function isBuy(OrderRecord record) pure returns (bool) {
    return OrderRecord.unwrap(record) & 1 == 1;
}

/// @notice Money locked by the record [nano-token]; at most 2**65.
/// @param fee Grid and platform fee of a bought kWh [micro-token/kWh].
/// @param shortCap Highest possible price of missing energy, positive [micro-token/kWh].
function lock(OrderRecord record, uint256 fee, uint256 shortCap) pure returns (uint256) {
    return lockOf(isBuy(record), biasedPrice(record), quantity(record), fee, shortCap);
}

/// @notice Money that one side of `wh` locks [nano-token]; positive with the energy. See docs/proofs.md [6].
/// @param buy True for the buyer's side.
/// @param biased Price + 2**31 [micro-token/kWh].
/// @param wh Energy, below 2**64 [Wh].
/// @param fee Grid and platform fee of a bought kWh, below 2**32 [micro-token/kWh].
/// @param shortCap Highest possible price of missing energy, positive and below 2**32 [micro-token/kWh].
function lockOf(bool buy, uint256 biased, uint256 wh, uint256 fee, uint256 shortCap) pure returns (uint256) {
    // Every term is below 2**33 and the energy below 2**64: no sum or product reaches 2**98.
    unchecked {
        uint256 perKwh = buy ? fee : shortCap;
        if (buy && biased > PRICE_BIAS) perKwh += biased - PRICE_BIAS;
        if (!buy && biased < PRICE_BIAS) perKwh += PRICE_BIAS - biased;
        return wh * (perKwh == 0 ? 1 : perKwh);
    }
}
