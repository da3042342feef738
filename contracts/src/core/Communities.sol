// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {Market} from "../types/Market.sol";
import {MarketTerms, termsOf} from "../types/MarketTerms.sol";
import {bias} from "../types/OrderRecord.sol";
import {Rules, Session, dayOf, dayStart} from "../types/Rules.sol";

/// @title Communities
/// @notice One place for the rules of every community. A version counts from its first day until the next one's.
contract Communities is ICommunities, AccessManaged {
    struct Version {
        uint32 fromDay;
        Rules rules;
        Session[] sessions;
        address[] reporters;
    }

    /// @dev Later than any slot that can be ordered when the change is made, so rules of open markets stay.
    uint32 private constant CHANGE_DAYS = 10;

    /// @dev With the days ahead of an order and the patience of `settleAlone` no lock outlasts the notice of a new module.
    uint256 private constant MAX_BILL_DELAY = 14 days;

    uint256 private constant MAX_BILL_WINDOW = 7 days;

    uint256 private constant DAY = 86_400;

    IAccounts private immutable _accounts;

    /// @inheritdoc ICommunities
    uint32 public communityCount;

    /// @inheritdoc ICommunities
    mapping(uint32 community => mapping(uint32 day => bool)) public closed;

    mapping(uint32 community => Version[]) private _versions;

    /// @param manager AccessManager that says who is ADMIN.
    /// @param accounts Where the parties of a community are registered.
    constructor(address manager, IAccounts accounts) AccessManaged(manager) {
        _accounts = accounts;
    }

    /// @inheritdoc ICommunities
    function create(Rules calldata rules, Session[] calldata sessions, address[] calldata reporters)
        external
        restricted
        returns (uint32 community)
    {
        community = ++communityCount;
        _set(community, 0, rules, sessions, reporters);
    }

    /// @inheritdoc ICommunities
    function change(
        uint32 community,
        uint32 fromDay,
        Rules calldata rules,
        Session[] calldata sessions,
        address[] calldata reporters
    ) external restricted {
        Version[] storage versions = _known(community);
        Version storage last = versions[versions.length - 1];
        Rules storage current = versions[0].rules;
        _require(rules.slotSeconds == current.slotSeconds, "slotSeconds");
        _require(rules.utcOffset == current.utcOffset, "utcOffset");
        uint32 today = uint32(dayOf(block.timestamp, 1, current.utcOffset));
        uint32 earliest = today + CHANGE_DAYS;
        if (last.fromDay >= earliest) earliest = last.fromDay + 1;
        if (fromDay < earliest) revert TooSoon(fromDay, earliest);
        _set(community, fromDay, rules, sessions, reporters);
    }

    /// @inheritdoc ICommunities
    function closeDay(uint32 community, uint32 day) external restricted {
        _known(community);
        closed[community][day] = true;
        emit DayClosed(community, day);
    }

    /// @inheritdoc ICommunities
    function reopenDay(uint32 community, uint32 day) external restricted {
        delete closed[community][day];
        emit DayReopened(community, day);
    }

    /// @inheritdoc ICommunities
    function rulesAt(uint32 community, uint32 day) external view returns (Rules memory) {
        return _versionAt(community, day).rules;
    }

    /// @inheritdoc ICommunities
    function sessionsAt(uint32 community, uint32 day) external view returns (Session[] memory) {
        return _versionAt(community, day).sessions;
    }

    /// @inheritdoc ICommunities
    function reportersAt(uint32 community, uint32 day) external view returns (address[] memory) {
        return _versionAt(community, day).reporters;
    }

    /// @inheritdoc ICommunities
    function calendarOf(uint32 community) external view returns (uint32 slotSeconds, int32 utcOffset) {
        Rules storage rules = _known(community)[0].rules;
        return (rules.slotSeconds, rules.utcOffset);
    }

    /// @inheritdoc ICommunities
    function marketTerms(Market market) external view returns (MarketTerms terms, uint256 slotStart) {
        // Only the key itself is a market: one with higher bits set would have the same community, slot and session.
        if (Market.unwrap(market) >> 80 != 0) return (terms, 0);
        Version[] storage versions = _versions[market.community()];
        if (versions.length == 0) return (terms, 0);
        Rules storage rules = versions[0].rules;
        (uint256 slotSeconds, int256 utcOffset) = (rules.slotSeconds, rules.utcOffset);
        slotStart = market.slot() * slotSeconds;
        uint256 day = dayOf(market.slot(), slotSeconds, utcOffset);
        Version storage version = _versionAt(market.community(), uint32(day));
        rules = version.rules;
        bool traded = market.product() < 8 && (rules.products >> market.product()) & 1 == 1;
        if (!traded || market.session() >= version.sessions.length || closed[market.community()][uint32(day)])
        {
            return (terms, slotStart);
        }
        Session memory session = version.sessions[market.session()];
        int256 origin = session.perSlot ? int256(slotStart) : dayStart(day, utcOffset);
        int256 gate = origin + session.relayGate;
        terms = termsOf(
            uint16(day),
            gate < 0 ? 0 : uint32(uint256(gate)),
            uint32(session.directGate - session.relayGate),
            bias(rules.priceMin),
            bias(rules.priceMax),
            rules.connectionLimitWh,
            rules.gridFee + rules.platformFee,
            rules.shortCap
        );
    }

    /// @inheritdoc ICommunities
    function tradingOf(uint32 community, uint32 slot)
        external
        view
        returns (uint256 until, int32 priceMin, int32 priceMax)
    {
        Rules storage calendar = _known(community)[0].rules;
        uint256 slotSeconds = calendar.slotSeconds;
        // A trading day of 32 bits, as the slot's.
        uint32 day = uint32(dayOf(slot, slotSeconds, calendar.utcOffset));
        Rules storage rules = _versionAt(community, day).rules;
        uint256 start = slot * slotSeconds;
        uint256 lead = rules.nominationDirectLead;
        return (start < lead ? 0 : start - lead, rules.priceMin, rules.priceMax);
    }

    /// @inheritdoc ICommunities
    function firstGate(uint32 community, uint32 day) external view returns (uint256) {
        Version storage version = _versionAt(community, day);
        int256 first = type(int256).max;
        for (uint256 i = 0; i < version.sessions.length; ++i) {
            int256 gate = version.sessions[i].relayGate;
            if (gate < first) first = gate;
        }
        // The first slot of a day starts with the day, so gates of slots need no other origin.
        first += dayStart(day, version.rules.utcOffset);
        return first < 0 ? 0 : uint256(first);
    }

    function _set(
        uint32 community,
        uint32 fromDay,
        Rules calldata rules,
        Session[] calldata sessions,
        address[] calldata reporters
    ) private {
        _check(rules);
        _checkParties(community, rules);
        _require(sessions.length > 0 && sessions.length <= 8, "sessions");
        _require(2 * uint256(rules.quorum) > reporters.length && rules.quorum <= reporters.length, "quorum");
        Version storage version = _versions[community].push();
        version.fromDay = fromDay;
        version.rules = rules;
        for (uint256 i = 0; i < sessions.length; ++i) {
            int256 gap = int256(sessions[i].directGate) - sessions[i].relayGate;
            // What is not open to clearing before the slot begins would always be void.
            _require(gap >= 0 && gap < 1 << 24 && sessions[i].directGate < 0, "gates");
            version.sessions.push(sessions[i]);
        }
        address previous = address(0);
        for (uint256 i = 0; i < reporters.length; ++i) {
            _require(reporters[i] > previous, "reporters");
            previous = reporters[i];
            version.reporters.push(previous);
        }
        emit RulesSet(community, fromDay, rules, sessions, reporters);
    }

    function _checkParties(uint32 community, Rules calldata rules) private view {
        _require(_accounts.communityOf(rules.retailer) == community, "retailer");
        _require(_accounts.communityOf(rules.gridOperator) == community, "gridOperator");
        _require(_accounts.communityOf(rules.platform) == community, "platform");
    }

    function _versionAt(uint32 community, uint32 day) private view returns (Version storage) {
        Version[] storage versions = _known(community);
        uint256 i = versions.length - 1;
        // The first version counts from day 0.
        while (versions[i].fromDay > day) --i;
        return versions[i];
    }

    function _known(uint32 community) private view returns (Version[] storage versions) {
        versions = _versions[community];
        if (versions.length == 0) revert UnknownCommunity(community);
    }

    function _check(Rules calldata rules) private pure {
        uint32 slot = rules.slotSeconds;
        _require(slot >= 60 && DAY % slot == 0, "slotSeconds");
        _require(rules.utcOffset % int256(uint256(slot)) == 0, "utcOffset");
        _require(rules.utcOffset >= -50_400 && rules.utcOffset <= 50_400, "utcOffset");
        _require(rules.products > 0 && rules.products < 8, "products");
        _require(rules.priceMin < rules.priceMax, "priceMin");
        _require(uint256(rules.gridFee) + rules.platformFee <= uint32(type(int32).max), "gridFee");
        _require(rules.shortCap > 0 && rules.shortCap <= uint32(type(int32).max), "shortCap");
        _require(
            rules.connectionLimitWh > 0 && rules.connectionLimitWh <= uint32(type(int32).max),
            "connectionLimitWh"
        );
        _require(rules.nominationDirectLead <= rules.nominationBatchLead, "nominationDirectLead");
        _require(rules.meterWindow > 0, "meterWindow");
        _require(rules.billDelay <= MAX_BILL_DELAY, "billDelay");
        _require(rules.billWindow > 0 && rules.billWindow <= MAX_BILL_WINDOW, "billWindow");
        _require(
            rules.deviationLimit > 0 && rules.deviationLimit <= uint32(type(int32).max), "deviationLimit"
        );
        // Whatever the oracle was asked is decided when bills can be proposed.
        _require(
            rules.challengeWindow > 0
                && uint256(rules.meterWindow) + 2 * uint256(rules.challengeWindow) <= rules.billDelay,
            "challengeWindow"
        );
        _require(rules.bond > 0, "bond");
    }

    function _require(bool holds, string memory rule) private pure {
        if (!holds) revert InvalidRule(rule);
    }
}
