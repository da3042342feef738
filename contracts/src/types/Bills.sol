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
/// @param scheduleWh Nominated energy after curtailment, the trade without a nomination [Wh].
/// @param meterWh Billed energy [Wh].
/// @param quality 0 measured, 1 estimated.
/// @param refCount Number of references to orders and positions.
/// @param refRoot Root of the tree over them, 0 without any.
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
    uint32 refCount;
    bytes32 refRoot;
}

/// @notice A reference of a line: `kind u8 | chain u32 | index u32 | fill u32`, 13 bytes. Kind 0 is the record `index` of the
/// call auction's session `chain`, kind 1 the record `index` of the account's positions of the day.
type Reference is uint256;

using {kind, chain, index, fill, key} for Reference global;

/// @dev Reference to an order of the call auction.
uint256 constant ORDER = 0;
/// @dev Reference to a position.
uint256 constant POSITION = 1;

/// @notice Kind of the record.
function kind(Reference ref) pure returns (uint256) {
    return uint8(Reference.unwrap(ref) >> 96);
}

/// @notice Chain of the record: the session of an order, 0 for a position.
function chain(Reference ref) pure returns (uint256) {
    return uint32(Reference.unwrap(ref) >> 64);
}

/// @notice Index of the record in its chain.
function index(Reference ref) pure returns (uint32) {
    return uint32(Reference.unwrap(ref) >> 32);
}

/// @notice Energy that counts [Wh].
function fill(Reference ref) pure returns (uint32) {
    return uint32(Reference.unwrap(ref));
}

/// @notice What orders the references of a line: kind, chain and index.
function key(Reference ref) pure returns (uint256) {
    return Reference.unwrap(ref) >> 32;
}

/// @notice Prices of a slot for a home [micro-token/kWh] and what of its energy its packages cover [Wh].
struct Tariff {
    int256 importPrice;
    int256 feedIn;
    int256 short;
    int256 long;
    int256 supplyPrice;
    int256 supplyWh;
    int256 feedInPackagePrice;
    int256 feedInPackageWh;
    int256 dailyFee;
}

/// @notice Why bills were voided.
enum Reason {
    Line,
    Reference,
    Order,
    Absent,
    Unmetered,
    Sum,
    Withheld
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
