// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice A node of the bill tree as it stands in memory and on the wire, 160 bytes: its hash and 8 sums of int128,
/// two to a word: `tradeWh, tradeMoney`, `retail, imbalance`, `gridFee, platformFee`, `lockRelease, debit`.
struct BillNode {
    bytes32 hash;
    uint256 trade;
    uint256 legs;
    uint256 fees;
    uint256 settled;
}

/// @notice A line of the bills.
/// @param tradeWh Sum of fills, buys positive [Wh].
/// @param tradeMoney Sum of fills x price, buys positive [nano-token].
/// @param seq Seq of the nomination that counts, 0 without one; `batch` and `leaf` locate it.
/// @param scheduleWh Nominated energy, the trade without one [Wh].
/// @param meterWh Billed energy [Wh].
/// @param quality 0 measured, 1 estimated.
/// @param references Number of references to orders.
struct Line {
    uint32 account;
    uint8 product;
    uint32 slot;
    int64 tradeWh;
    int128 tradeMoney;
    uint32 seq;
    uint32 batch;
    uint32 leaf;
    int64 scheduleWh;
    int64 meterWh;
    uint8 quality;
    int128 retail;
    int128 imbalance;
    int128 gridFee;
    int128 platformFee;
    int128 lockRelease;
    uint256 references;
}

/// @notice Prices of a slot [micro-token/kWh].
struct Tariff {
    int256 importPrice;
    int256 feedIn;
    int256 short;
    int256 long;
}

using {due} for BillNode global;

/// @notice What the account pays beyond its locks, negative if it receives [nano-token].
function due(BillNode memory node) pure returns (int256) {
    return dueOf(node.trade, node.legs, node.fees, node.settled);
}

/// @notice `tradeMoney + retail + imbalance + gridFee + platformFee - lockRelease` of a node's words.
function dueOf(uint256 trade, uint256 legs, uint256 fees, uint256 settled) pure returns (int256) {
    // Six terms of 128 bits.
    unchecked {
        return low(trade) + high(legs) + low(legs) + high(fees) + low(fees) - high(settled);
    }
}

/// @notice Two int128 in a word.
function pair(int128 first, int128 second) pure returns (uint256) {
    return (uint256(uint128(first)) << 128) | uint128(second);
}

/// @notice First int128 of a word.
function high(uint256 word) pure returns (int256) {
    return int256(word) >> 128;
}

/// @notice Second int128 of a word.
function low(uint256 word) pure returns (int256) {
    return int128(uint128(word));
}
