// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Rules of a community; a change counts from a trading day on.
/// @param slotSeconds Length of a slot, fixed at creation [s].
/// @param utcOffset Local time - UTC, fixed at creation [s].
/// @param products Bit per product that is traded and metered.
/// @param priceMin Lowest price of an order [micro-token/kWh].
/// @param priceMax Highest price of an order [micro-token/kWh].
/// @param gridFee Paid by buyers to the grid operator [micro-token/kWh].
/// @param platformFee Paid by buyers to the platform [micro-token/kWh].
/// @param shortCap Bound of every reported price, covered by a seller's lock [micro-token/kWh].
/// @param connectionLimitWh Largest energy of an order or of a nominated slot [Wh].
/// @param retailer Account of the retailer.
/// @param gridOperator Account of the grid operator.
/// @param platform Account of the platform.
/// @param nominationBatchLead Relayed nominations close this long before their first slot [s].
/// @param nominationDirectLead Direct nominations close this long before their first slot [s].
/// @param meterWindow Reports of meters and imbalance prices are taken this long after the end of slot or day [s].
/// @param billDelay Bills are proposed this long after the end of the day [s].
/// @param billWindow Bills can be challenged this long [s].
/// @param deviationLimit A price may differ so much from the same slot's of the last day; beyond, it waits [micro-token/kWh].
/// @param challengeWindow A report can be challenged this long after its window, and is decided upon this long [s].
/// @param bond Deposit of a proposer of bills, and of a challenger of a report [nano-token].
/// @param quorum Signatures of a report, more than half of the reporters.
struct Rules {
    uint32 slotSeconds;
    int32 utcOffset;
    uint8 products;
    int32 priceMin;
    int32 priceMax;
    uint32 gridFee;
    uint32 platformFee;
    uint32 shortCap;
    uint32 connectionLimitWh;
    uint32 retailer;
    uint32 gridOperator;
    uint32 platform;
    uint32 nominationBatchLead;
    uint32 nominationDirectLead;
    uint32 meterWindow;
    uint32 billDelay;
    uint32 billWindow;
    uint32 deviationLimit;
    uint32 challengeWindow;
    uint64 bond;
    uint8 quorum;
}

/// @notice A session of the call auction; gates are relative to the start of the trading day, or of the slot.
/// @param perSlot True if the gates are relative to the start of the slot.
/// @param relayGate Relayed orders close [s].
/// @param directGate Direct orders close and clearing opens, not before the relay gate and before the start [s].
struct Session {
    bool perSlot;
    int32 relayGate;
    int32 directGate;
}

/// @notice Start of a trading day [unix s].
function dayStart(uint256 day, int256 utcOffset) pure returns (int256) {
    return int256(day) * 86_400 - utcOffset;
}

/// @notice Trading day of a slot; a slot before local 1970 counts to day 0.
function dayOf(uint256 slot, uint256 slotSeconds, int256 utcOffset) pure returns (uint256) {
    int256 local = int256(slot * slotSeconds) + utcOffset;
    return local < 0 ? 0 : uint256(local) / 86_400;
}
