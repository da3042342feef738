// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Why an entry of a batch was skipped; checked in this order, the first failure counts; `KeyLimited`
/// comes after `NonceUsed`.
enum Skip {
    None,
    Malformed,
    UnknownAccount,
    NoMeter,
    Expired,
    BadSignature,
    NonceUsed,
    GateClosed,
    TooFarAhead,
    PriceOutOfBand,
    QuantityOutOfRange,
    InsufficientCollateral,
    MarketFull,
    KeyLimited
}
