// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../interfaces/ICallAuction.sol";
import {CLEARED, LABELLED, MarketTerms} from "./MarketTerms.sol";

/// @notice Packs a result without its root to stand in the place of the market's terms: `price u32 | volume u48 |
/// demand above u48 | supply below u48 | label rest u48 | 0 u8 | stage u8 | premium u16`.
function packOutcome(Result memory result) pure returns (MarketTerms) {
    uint256 energies = (uint256(result.volume) << 144) | (uint256(result.demandAbove) << 96)
        | (uint256(result.supplyBelow) << 48) | result.labelRest;
    uint256 stage = result.labelled ? LABELLED : CLEARED;
    return MarketTerms.wrap(
        (uint256(uint32(result.price)) << 224) | (energies << 32) | (stage << 16) | result.premium
    );
}

/// @notice The result of a market by the stored word and root, empty before it was cleared.
function unpackOutcome(MarketTerms word, bytes32 root) pure returns (Result memory result) {
    if (!word.isCleared()) return result;
    uint256 packed = MarketTerms.unwrap(word);
    // Every cast takes one field.
    return Result(
        int32(uint32(packed >> 224)),
        uint48(packed >> 176),
        uint48(packed >> 128),
        uint48(packed >> 80),
        uint16(packed),
        uint48(packed >> 32),
        word.isLabelled(),
        root
    );
}
