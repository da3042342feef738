// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice A standard contract: the same energy in the same slots of every day of a calendar mask.
/// @param community Community that trades it.
/// @param product 0 electricity, 1 heat, 2 cooling.
/// @param weekdays Bit 0 for Monday to bit 6 for Sunday: the days of delivery.
/// @param slotOfDay First slot of a day's delivery, 0 for the one that starts at local midnight.
/// @param slots Number of slots of a day's delivery.
/// @param firstDay First trading day of delivery.
/// @param lastDay Last trading day of delivery.
/// @param lotWh Energy of a lot in each slot [Wh].
/// @param lastTrading From then on it is not traded [unix s].
/// @param marginPermille Margin of both sides, in permille of the mark's size.
/// @param marginFloor Least margin of both sides [micro-token/kWh].
struct Series {
    uint32 community;
    uint8 product;
    uint8 weekdays;
    uint16 slotOfDay;
    uint16 slots;
    uint32 firstDay;
    uint32 lastDay;
    uint32 lotWh;
    uint40 lastTrading;
    uint16 marginPermille;
    uint32 marginFloor;
}

using {energyOfDay, isDelivery, deliveries, margins} for Series global;

/// @notice Energy of some lots on one day [Wh].
function energyOfDay(Series memory series, uint32 lots) pure returns (uint256) {
    return uint256(lots) * series.lotWh * series.slots;
}

/// @notice True if the series delivers on the trading day.
function isDelivery(Series memory series, uint256 day) pure returns (bool) {
    return day >= series.firstDay && day <= series.lastDay && _isMasked(series.weekdays, day);
}

/// @notice Number of days of delivery from a trading day on, that day included.
function deliveries(Series memory series, uint256 from) pure returns (uint256 count) {
    if (from < series.firstDay) from = series.firstDay;
    if (from > series.lastDay) return 0;
    uint256 days_ = series.lastDay - from + 1;
    for (uint256 i = 0; i < 7; ++i) {
        if (_isMasked(series.weekdays, from + i)) count += (days_ + 6 - i) / 7;
    }
}

/// @notice What each side is to put up: a move of the price, and what its leaving would cost the other side by the mark.
/// @param price Price of the deal [micro-token/kWh].
/// @param mark Price of the series by the reference feed [micro-token/kWh].
/// @param wh Energy that is left to deliver [Wh].
/// @return move Against a move of the price, of either side [nano-token].
/// @return buyer What the buyer would lose the seller by leaving [nano-token].
/// @return seller What the seller would lose the buyer by leaving [nano-token].
function margins(Series memory series, int256 price, int256 mark, uint256 wh)
    pure
    returns (uint256 move, uint256 buyer, uint256 seller)
{
    uint256 rate = uint256(mark < 0 ? -mark : mark) * series.marginPermille / 1000;
    move = wh * (rate < series.marginFloor ? series.marginFloor : rate);
    if (price > mark) buyer = wh * uint256(price - mark);
    else seller = wh * uint256(mark - price);
}

/// @dev Trading day 0 was a Thursday.
function _isMasked(uint8 weekdays, uint256 day) pure returns (bool) {
    return (weekdays >> ((day + 3) % 7)) & 1 == 1;
}
