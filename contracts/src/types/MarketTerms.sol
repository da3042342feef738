// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Rules and state of one market in one word, frozen (but for the state) by its first order:
/// `day u16 | relay gate u32 | direct gate - relay gate u24 | price min u32 | price max u32 | limit u32 | fee u32 |
/// short cap u32 | stage u8 | count u16`. Zero where there is no such market. Prices are biased by 2**31. The count is
/// stored with the hash chain and entered when the terms are read. Once cleared, the market keeps its outcome in the same
/// place, see types/Outcome.sol; nothing is left then of the terms but stage and count, so that its gates have passed.
type MarketTerms is uint256;

using {
    day,
    relayGate,
    directGate,
    priceMin,
    priceMax,
    limitWh,
    fee,
    shortCap,
    isCleared,
    isLabelled,
    count,
    ofStage,
    withCount,
    closedAt
} for MarketTerms global;

/// @dev Stage of a market that was cleared, or void.
uint256 constant CLEARED = 1;

/// @dev Stage of a cleared market whose labels were given out.
uint256 constant LABELLED = 2;

/// @notice Packs the terms of a market without orders. Every value must fit its field.
function termsOf(
    uint256 day_,
    uint256 relayGate_,
    uint256 gateGap,
    uint256 priceMin_,
    uint256 priceMax_,
    uint256 limitWh_,
    uint256 fee_,
    uint256 shortCap_
) pure returns (MarketTerms) {
    return MarketTerms.wrap(
        (day_ << 240) | (relayGate_ << 208) | (gateGap << 184) | (priceMin_ << 152) | (priceMax_ << 120)
            | (limitWh_ << 88) | (fee_ << 56) | (shortCap_ << 24)
    );
}

/// @notice Trading day of the market's slot.
function day(MarketTerms terms) pure returns (uint32) {
    return uint16(MarketTerms.unwrap(terms) >> 240);
}

/// @notice Time from which relayed orders are refused [unix s].
function relayGate(MarketTerms terms) pure returns (uint256) {
    return uint32(MarketTerms.unwrap(terms) >> 208);
}

/// @notice Time from which direct orders are refused and the market can be cleared [unix s].
function directGate(MarketTerms terms) pure returns (uint256) {
    // A u32 and a u24 are added.
    unchecked {
        return relayGate(terms) + uint24(MarketTerms.unwrap(terms) >> 184);
    }
}

/// @notice Lowest price of an order, biased.
function priceMin(MarketTerms terms) pure returns (uint256) {
    return uint32(MarketTerms.unwrap(terms) >> 152);
}

/// @notice Highest price of an order, biased.
function priceMax(MarketTerms terms) pure returns (uint256) {
    return uint32(MarketTerms.unwrap(terms) >> 120);
}

/// @notice Largest quantity of an order [Wh]; 0 only where there is no such market.
function limitWh(MarketTerms terms) pure returns (uint256) {
    return uint32(MarketTerms.unwrap(terms) >> 88);
}

/// @notice Grid and platform fee of a bought kWh [micro-token/kWh].
function fee(MarketTerms terms) pure returns (uint256) {
    return uint32(MarketTerms.unwrap(terms) >> 56);
}

/// @notice Highest possible price of missing energy [micro-token/kWh].
function shortCap(MarketTerms terms) pure returns (uint256) {
    return uint32(MarketTerms.unwrap(terms) >> 24);
}

/// @notice True once the market was cleared.
function isCleared(MarketTerms terms) pure returns (bool) {
    return uint8(MarketTerms.unwrap(terms) >> 16) != 0;
}

/// @notice True once the labels of the market were given out.
function isLabelled(MarketTerms terms) pure returns (bool) {
    return uint8(MarketTerms.unwrap(terms) >> 16) == LABELLED;
}

/// @notice Number of records in the hash chain.
function count(MarketTerms terms) pure returns (uint256) {
    return uint16(MarketTerms.unwrap(terms));
}

/// @notice What of a stored word are terms: all of it before the clearing, only the stage from then on.
function ofStage(MarketTerms word) pure returns (MarketTerms) {
    return isCleared(word) ? MarketTerms.wrap(MarketTerms.unwrap(word) & 0xff0000) : word;
}

/// @notice The terms with another number of records, below 2**16.
function withCount(MarketTerms terms, uint256 count_) pure returns (MarketTerms) {
    return MarketTerms.wrap(((MarketTerms.unwrap(terms) >> 16) << 16) | count_);
}

/// @notice The terms with both gates at a time [unix s].
function closedAt(MarketTerms terms, uint256 time) pure returns (MarketTerms) {
    uint256 gates = ((1 << 56) - 1) << 184;
    return MarketTerms.wrap((MarketTerms.unwrap(terms) & ~gates) | (uint256(uint32(time)) << 208));
}
