// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {Rules, Session} from "../types/Rules.sol";

/// @notice The rules of every community, by trading day.
interface ICommunities {
    /// @notice Rules that count from a trading day on; `fromDay` is 0 for a new community.
    event RulesSet(
        uint32 indexed community, uint32 indexed fromDay, Rules rules, Session[] sessions, address[] reporters
    );

    /// @notice Markets of the day that have no orders yet take none.
    event DayClosed(uint32 indexed community, uint32 indexed day);

    /// @notice Markets of the day can be opened again.
    event DayReopened(uint32 indexed community, uint32 indexed day);

    /// @notice There is no such community.
    error UnknownCommunity(uint32 community);
    /// @notice A rule is outside its bounds.
    error InvalidRule(string rule);
    /// @notice The change counts too early.
    error TooSoon(uint32 fromDay, uint32 earliest);

    /// @notice Creates a community; numbers start at 1. ADMIN only.
    /// @param rules The accounts of the parties must be registered in the new community's number.
    /// @param sessions 1 to 8.
    /// @param reporters Oracle keys in ascending order.
    function create(Rules calldata rules, Session[] calldata sessions, address[] calldata reporters)
        external
        returns (uint32 community);

    /// @notice Changes the rules from a day on that is at least 10 days ahead and after every earlier change. ADMIN only.
    function change(
        uint32 community,
        uint32 fromDay,
        Rules calldata rules,
        Session[] calldata sessions,
        address[] calldata reporters
    ) external;

    /// @notice Keeps markets of a day that have no orders yet from taking any; those that have go on to their end.
    /// GUARDIAN only.
    function closeDay(uint32 community, uint32 day) external;

    /// @notice Ends `closeDay`. ADMIN only.
    function reopenDay(uint32 community, uint32 day) external;

    /// @notice True if markets of the day that have no orders yet take none.
    function closed(uint32 community, uint32 day) external view returns (bool);

    /// @notice Number of communities, which is the highest.
    function communityCount() external view returns (uint32);

    /// @notice Rules of a community on a trading day.
    function rulesAt(uint32 community, uint32 day) external view returns (Rules memory);

    /// @notice Sessions of a community on a trading day.
    function sessionsAt(uint32 community, uint32 day) external view returns (Session[] memory);

    /// @notice Oracle keys of a community on a trading day, ascending.
    function reportersAt(uint32 community, uint32 day) external view returns (address[] memory);

    /// @notice Slot length and offset of a community, which never change.
    function calendarOf(uint32 community) external view returns (uint32 slotSeconds, int32 utcOffset);

    /// @notice Terms of a market without orders, zero where there is no such market, and the start of its slot.
    function marketTerms(Market market) external view returns (MarketTerms terms, uint256 slotStart);

    /// @notice Time from which nothing is agreed on a slot any more, as its direct nominations close [unix s], and the band
    /// of prices on its day [micro-token/kWh].
    function tradingOf(uint32 community, uint32 slot)
        external
        view
        returns (uint256 until, int32 priceMin, int32 priceMax);

    /// @notice Time of the first relay gate of a trading day [unix s].
    function firstGate(uint32 community, uint32 day) external view returns (uint256);
}
