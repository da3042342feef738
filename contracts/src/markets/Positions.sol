// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IAccounts, Module} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {AccountKey} from "../types/AccountWords.sol";
import {Form} from "../types/Form.sol";
import {LAST_SOURCE, bias, lockOf} from "../types/OrderRecord.sol";
import {Agreement, PositionChain, packWh, recordOf} from "../types/Position.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";

/// @title Positions
/// @notice What accounts agreed on in any form but the call auction. Both sides of an agreement are recorded and locked
/// in one call, so what is bought is sold; see docs/proofs.md [9].
contract Positions is IPositions, AccessManaged {
    /// @inheritdoc IPositions
    uint256 public constant MAX_POSITIONS = 512;

    /// @dev Forms in which the other side alone chooses the parts of a trade add none beyond it, so that nobody takes up the
    /// room of what an account agreed to otherwise; see docs/proofs.md [9].
    uint256 private constant MAX_PARTS = 256;

    /// @dev Days ahead; rules of such days are frozen.
    uint256 private constant HORIZON = 8;

    /// @dev In permille.
    uint256 private constant WHOLE = 1000;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;

    /// @inheritdoc IPositions
    mapping(uint32 community => mapping(uint32 day => uint256)) public curtailedSlots;

    mapping(uint256 key => PositionChain) private _chains;

    /// @dev What was taken off [permille].
    mapping(uint256 key => uint256) private _curtailed;

    /// @param manager AccessManager that says who is REGULATOR.
    constructor(address manager, IAccounts accounts, ICommunities communities) AccessManaged(manager) {
        (_accounts, _communities) = (accounts, communities);
    }

    /// @inheritdoc IPositions
    function open(Agreement calldata agreement) external {
        (uint32 day, Rules memory rules) = _checkParties(agreement);
        uint256 from = uint256(agreement.slot) * rules.slotSeconds;
        uint256 today = dayOf(block.timestamp, 1, rules.utcOffset);
        if (from <= block.timestamp || day > today + HORIZON) {
            revert OutsideWindow(from, uint256(dayStart(today + HORIZON + 1, rules.utcOffset)));
        }
        if (_communities.closed(agreement.community, day)) revert ClosedDay(agreement.community, day);
        _open(agreement, day, rules);
    }

    /// @inheritdoc IPositions
    function openMetered(Agreement calldata agreement) external {
        (uint32 day, Rules memory rules) = _checkParties(agreement);
        if (agreement.wh.length != 1) revert NotOneSlot(agreement.wh.length);
        uint256 end = (uint256(agreement.slot) + 1) * rules.slotSeconds;
        // The slot is of the day, so its end is in it and not negative.
        uint256 until = uint256(dayStart(uint256(day) + 1, rules.utcOffset)) + rules.billDelay;
        if (block.timestamp < end || block.timestamp >= until) revert OutsideWindow(end, until);
        _open(agreement, day, rules);
    }

    /// @inheritdoc IPositions
    function curtail(uint32 community, uint8 product, uint32 slot, uint16 permille, string calldata reason)
        external
        restricted
    {
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        uint32 day = uint32(dayOf(slot, slotSeconds, utcOffset));
        if (!_isTraded(_communities.rulesAt(community, day), product)) revert NotTraded(product);
        uint256 start = uint256(slot) * slotSeconds;
        if (start <= block.timestamp) revert SlotBegun(slot, start);
        uint256 before = remaining(community, product, slot);
        if (permille >= before) revert InvalidPermille(permille, before);
        if (before == WHOLE) ++curtailedSlots[community][day];
        // permille < 1000
        unchecked {
            _curtailed[_slotKey(community, product, slot)] = WHOLE - permille;
        }
        emit Curtailed(community, product, slot, permille, reason);
    }

    /// @inheritdoc IPositions
    function chainOf(uint32 community, uint8 product, uint32 account, uint32 day)
        external
        view
        returns (PositionChain)
    {
        return _chains[_chainKey(community, product, account, day)];
    }

    /// @inheritdoc IPositions
    function remaining(uint32 community, uint8 product, uint32 slot) public view returns (uint256 permille) {
        // At most 1000 was taken off.
        unchecked {
            return WHOLE - _curtailed[_slotKey(community, product, slot)];
        }
    }

    /// @dev Who agrees on what, and the trading day and its rules.
    function _checkParties(Agreement calldata agreement)
        private
        view
        returns (uint32 day, Rules memory rules)
    {
        // Its pot does not matter here.
        // slither-disable-next-line unused-return
        (Module role,) = _accounts.moduleOf(msg.sender);
        if (role != Module.Market) revert NotMarket(msg.sender);
        (uint32 community, uint8 product) = (agreement.community, agreement.product);
        if (agreement.buyer == agreement.seller) revert SelfTrade(agreement.buyer);
        _checkMember(agreement.buyer, community, product);
        _checkMember(agreement.seller, community, product);
        if (agreement.source > LAST_SOURCE) revert UnknownSource(agreement.source);
        (uint256 slot, uint256 slots) = (agreement.slot, agreement.wh.length);
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        uint256 day_ = dayOf(slot, slotSeconds, utcOffset);
        if (slots == 0 || dayOf(slot + slots - 1, slotSeconds, utcOffset) != day_) {
            revert NotOneDay(agreement.slot, slots);
        }
        day = uint32(day_);
        rules = _communities.rulesAt(community, day);
        if (!_isTraded(rules, product)) revert NotTraded(product);
    }

    function _checkMember(uint32 account, uint32 community, uint8 product) private view {
        AccountKey key = _accounts.keyOf(account);
        if (key.community() != community || AccountKey.unwrap(key) == 0) {
            revert NotMember(account, community);
        }
        if (!key.metered(product)) revert NoMeter(account, product);
    }

    /// @dev Records and locks both sides.
    function _open(Agreement memory agreement, uint32 day, Rules memory rules) private {
        uint256 total = _checkEnergy(agreement, day, rules.connectionLimitWh);
        bytes memory wh = packWh(agreement.wh);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        _append(agreement, true, wh, day, total, rules);
        _append(agreement, false, wh, day, total, rules);
        emit PositionOpened(
            agreement.community,
            agreement.buyer,
            agreement.seller,
            agreement.product,
            day,
            agreement.form,
            agreement.deal,
            agreement.price,
            agreement.source,
            agreement.slot,
            wh
        );
    }

    /// @dev Sum of the slots' energy, each within the connection limit and not curtailed [Wh].
    function _checkEnergy(Agreement memory agreement, uint32 day, uint256 limit)
        private
        view
        returns (uint256 total)
    {
        bool curtailed = curtailedSlots[agreement.community][day] != 0;
        for (uint256 i = 0; i < agreement.wh.length; ++i) {
            uint256 wh = agreement.wh[i];
            if (wh == 0) continue;
            // Slots of one day, at most 1,440 of them.
            uint32 slot = uint32(agreement.slot + i);
            if (wh > limit) revert QuantityOutOfRange(slot, wh);
            if (curtailed && remaining(agreement.community, agreement.product, slot) != WHOLE) {
                revert SlotCurtailed(slot);
            }
            total += wh;
        }
        if (total == 0) revert QuantityOutOfRange(agreement.slot, 0);
    }

    function _append(
        Agreement memory agreement,
        bool buy,
        bytes memory wh,
        uint32 day,
        uint256 total,
        Rules memory rules
    ) private {
        uint32 account = buy ? agreement.buyer : agreement.seller;
        uint256 key = _chainKey(agreement.community, agreement.product, account, day);
        PositionChain chain = _chains[key];
        bool inParts = agreement.form == Form.Continuous || agreement.form == Form.Dutch;
        if (chain.count() >= (inParts ? MAX_PARTS : MAX_POSITIONS)) revert TooManyPositions(account, day);
        _chains[key] = chain.append(keccak256(recordOf(agreement, buy, wh)));
        uint256 fee = uint256(rules.gridFee) + rules.platformFee;
        // One price for all slots: the locks of the slots are the lock of their sum.
        uint256 nano = lockOf(buy, bias(agreement.price), total, fee, rules.shortCap);
        _accounts.take(account, agreement.community, day, nano);
    }

    function _isTraded(Rules memory rules, uint8 product) private pure returns (bool) {
        return product < 8 && (rules.products >> product) & 1 == 1;
    }

    function _chainKey(uint32 community, uint8 product, uint32 account, uint32 day)
        private
        pure
        returns (uint256)
    {
        return (uint256(community) << 72) | (uint256(product) << 64) | (uint256(account) << 32) | day;
    }

    function _slotKey(uint32 community, uint8 product, uint32 slot) private pure returns (uint256) {
        return (uint256(community) << 40) | (uint256(product) << 32) | slot;
    }
}
