// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MarketTerms} from "./MarketTerms.sol";

/// @notice An order as the hash chain holds it, 16 bytes:
/// `account u32 | price u32 (int32 biased by 2**31) | quantity u32 [Wh] | nonce u24 (low bits) | source u7 | buy u1`.
type OrderRecord is uint128;

using {
    account,
    biasedPrice,
    price,
    quantity,
    source,
    isBuy,
    isGreen,
    prefersGreen,
    premium,
    topPrice,
    isKnown,
    isPriced,
    fits,
    withStep,
    lock,
    toBytes
} for OrderRecord global;

/// @dev Added to a signed price so that unsigned comparison orders prices.
uint256 constant PRICE_BIAS = 1 << 31;

/// @dev Sources of energy: 0 grid, 1 pv, 2 battery, 3 v2h, 4 chp.
uint256 constant LAST_SOURCE = 4;

/// @dev In a bid, a source of 64 + k asks for local renewable energy and offers k steps for each kWh labelled so.
uint256 constant PREFERENCE = 64;

/// @dev Step of a premium [micro-token/kWh].
uint256 constant PREMIUM_STEP = 1000;

/// @dev Bits of the flags that say that a bid prefers local renewable energy: the highest of the source, and buy.
uint256 constant PREFERRING = 0x81;

/// @dev A bit for each value of `source << 1 | buy` that names a source, or in a bid a preference: the first
/// `2 * LAST_SOURCE + 2`, and those that have all bits of `PREFERRING`.
uint256 constant KNOWN_FLAGS = 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa000000000000000000000000000003ff;

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

/// @notice The 16 bytes of the record.
function toBytes(OrderRecord record) pure returns (bytes memory data) {
    // Takes two words from the free memory pointer; behind the record stand zeros.
    assembly ("memory-safe") {
        data := mload(0x40)
        mstore(0x40, add(data, 0x40))
        mstore(data, 16)
        mstore(add(data, 0x20), shl(128, record))
    }
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

/// @notice True for an offer of local renewable energy: pv, a battery charged from it, or v2h.
function isGreen(OrderRecord record) pure returns (bool) {
    uint256 flags = uint8(OrderRecord.unwrap(record));
    return flags == 2 || flags == 4 || flags == 6;
}

/// @notice True for a bid that asks for local renewable energy.
function prefersGreen(OrderRecord record) pure returns (bool) {
    return OrderRecord.unwrap(record) & PREFERRING == PREFERRING;
}

/// @notice What the record pays at most on top of the price for energy that is labelled [micro-token/kWh].
function premium(OrderRecord record) pure returns (uint256) {
    if (!prefersGreen(record)) return 0;
    // The source is at least PREFERENCE and below 2**7.
    unchecked {
        return PREMIUM_STEP * (source(record) - PREFERENCE);
    }
}

/// @notice Highest price that the record can come to pay or accepts, biased; at most 2**32 + 63,000.
function topPrice(OrderRecord record) pure returns (uint256) {
    unchecked {
        return biasedPrice(record) + premium(record);
    }
}

/// @notice True if the source is one, or in a bid a preference.
function isKnown(OrderRecord record) pure returns (bool) {
    return isKnownFlags(uint8(OrderRecord.unwrap(record)));
}

/// @notice True if `source << 1 | buy` names a source, or in a bid a preference.
function isKnownFlags(uint256 flags) pure returns (bool) {
    return flags <= type(uint8).max && (KNOWN_FLAGS >> flags) & 1 == 1;
}

/// @notice The record with the step of a profile, `slot u32 | price u32 | quantity u32 | flags u8` from the highest bits;
/// price, quantity and flags of it were 0.
function withStep(OrderRecord record, uint256 step) pure returns (OrderRecord) {
    // Price and quantity are neighbours in both.
    uint256 terms = (step >> 160 & type(uint64).max) << 32 | step >> 152 & type(uint8).max;
    return OrderRecord.wrap(OrderRecord.unwrap(record) | uint128(terms));
}

/// @notice True if the price is within the market's band.
function isPriced(OrderRecord record, MarketTerms terms) pure returns (bool) {
    // One comparison for both ends: what lies below the lower one wraps around to the largest numbers.
    unchecked {
        uint256 priceMin = terms.priceMin();
        return record.biasedPrice() - priceMin <= terms.priceMax() - priceMin;
    }
}

/// @notice True if price and quantity are within the market's limits.
function fits(OrderRecord record, MarketTerms terms) pure returns (bool) {
    // A quantity of 0 wraps beyond every limit.
    unchecked {
        return isPriced(record, terms) && uint256(quantity(record)) - 1 < terms.limitWh();
    }
}

/// @notice Money locked by the record [nano-token]; at most 2**65.
/// @param fee Grid and platform fee of a bought kWh [micro-token/kWh].
/// @param shortCap Highest possible price of missing energy, positive [micro-token/kWh].
function lock(OrderRecord record, uint256 fee, uint256 shortCap) pure returns (uint256) {
    uint256 flags = uint8(OrderRecord.unwrap(record));
    // A fee below 2**32 and a premium below 2**16, as in `premium`.
    unchecked {
        if (flags & PREFERRING == PREFERRING) fee += PREMIUM_STEP * ((flags >> 1) - PREFERENCE);
    }
    return lockOf(flags & 1 == 1, biasedPrice(record), quantity(record), fee, shortCap);
}

/// @notice Money that one side of `wh` locks [nano-token]; positive with the energy. See docs/proofs.md [6].
/// @param buy True for the buyer's side.
/// @param biased Price + 2**31 [micro-token/kWh].
/// @param wh Energy, below 2**64 [Wh].
/// @param fee Grid and platform fee of a bought kWh and what is offered on top, below 2**33 [micro-token/kWh].
/// @param shortCap Highest possible price of missing energy, positive and below 2**32 [micro-token/kWh].
function lockOf(bool buy, uint256 biased, uint256 wh, uint256 fee, uint256 shortCap) pure returns (uint256) {
    // Every term is below 2**34 and the energy below 2**64: no sum or product reaches 2**98.
    unchecked {
        if (buy) {
            if (biased > PRICE_BIAS) fee += biased - PRICE_BIAS;
            return fee == 0 ? wh : wh * fee;
        }
        if (biased < PRICE_BIAS) shortCap += PRICE_BIAS - biased;
        return wh * shortCap;
    }
}
