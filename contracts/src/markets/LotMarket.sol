// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {ILotMarket} from "../interfaces/ILotMarket.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {Consent} from "../libraries/Consent.sol";
import {AccountKey} from "../types/AccountWords.sol";
import {Form} from "../types/Form.sol";
import {Frame, Lots} from "../types/Lots.sol";
import {LAST_SOURCE, bias, lockOf} from "../types/OrderRecord.sol";
import {Agreement} from "../types/Position.sol";
import {Rules, dayOf} from "../types/Rules.sol";

/// @title LotMarket
/// @notice What auctions of lots have in common: who may offer what, the money put up for it, and the position of a
/// lot that was sold.
/// @dev The offering account puts up at creation what its side can lock at most, so that it can always deliver; each
/// lot's share returns to it right before the position locks, or when the lot stays unsold. See docs/proofs.md [14].
abstract contract LotMarket is ILotMarket, EIP712 {
    /// @dev Days ahead; rules of such days are frozen.
    uint256 private constant HORIZON = 8;

    IAccounts internal immutable _accounts;
    ICommunities internal immutable _communities;
    IPositions internal immutable _positions;

    constructor(IAccounts accounts, ICommunities communities, IPositions positions) EIP712("Otaniemi", "1") {
        (_accounts, _communities, _positions) = (accounts, communities, positions);
    }

    /// @dev Checks an offer of the caller's and takes what it puts up.
    /// @param worst Price at which its side locks most.
    function _offer(Lots memory lots, int32 worst) internal returns (Frame memory frame, Rules memory rules) {
        if (!Consent.mayBind(_accounts, lots.account, msg.sender)) {
            revert NotAllowed(lots.account, msg.sender);
        }
        _checkMember(lots.account, lots);
        if (lots.source > LAST_SOURCE) revert UnknownSource(lots.source);
        rules = _place(lots, frame);
        uint256 total = 0;
        for (uint256 i = 0; i < lots.wh.length; ++i) {
            uint32 wh = lots.wh[i];
            total += wh;
            if (wh > frame.peak) frame.peak = wh;
        }
        if (total == 0 || lots.count == 0 || frame.peak > rules.connectionLimitWh) {
            revert QuantityOutOfRange(lots.count, frame.peak);
        }
        uint256 most = rules.connectionLimitWh / frame.peak;
        frame.most = most < lots.count ? uint16(most) : lots.count;
        uint256 perLot = _lock(!lots.selling, worst, total, rules);
        _putUp(lots.account, perLot * lots.count);
        // Not more than a free balance.
        frame.perLot = uint64(perLot);
    }

    /// @dev Moves money of an account into the pot; the account must have agreed.
    function _putUp(uint32 account, uint256 nano) internal {
        uint256 free = _accounts.freeOf(account);
        if (nano > free) revert InsufficientFunds(account, nano, free);
        // It takes all of it: that much is free.
        // slither-disable-next-line unused-return
        _accounts.debit(abi.encodePacked(account, uint64(nano)));
    }

    /// @dev Moves money of the pot to an account.
    function _giveBack(uint32 account, uint256 nano) internal {
        if (nano != 0) _accounts.credit(abi.encodePacked(account, uint64(nano)));
    }

    /// @dev Opens the position of lots that an account took.
    function _deliver(Lots memory lots, Form form, uint64 deal, uint32 taker, uint256 count, int32 price)
        internal
    {
        uint256 slots = lots.wh.length;
        uint32[] memory wh = new uint32[](slots);
        for (uint256 i = 0; i < slots; ++i) {
            // An account takes at most what its connection limit, an int32, allows.
            wh[i] = uint32(lots.wh[i] * count);
        }
        _positions.open(
            Agreement({
                community: lots.community,
                product: lots.product,
                buyer: lots.selling ? taker : lots.account,
                seller: lots.selling ? lots.account : taker,
                form: form,
                deal: deal,
                price: price,
                source: lots.source,
                slot: lots.slot,
                wh: wh
            })
        );
    }

    function _checkMember(uint32 account, Lots memory lots) internal view {
        AccountKey key = _accounts.keyOf(account);
        if (AccountKey.unwrap(key) == 0 || key.community() != lots.community) {
            revert NotMember(account, lots.community);
        }
        if (!key.metered(lots.product)) revert NoMeter(account, lots.product);
    }

    /// @dev True if the day was closed or a slot of the lots curtailed.
    function _isShut(Lots memory lots, uint32 day) internal view returns (bool) {
        if (_communities.closed(lots.community, day)) return true;
        if (_positions.curtailedSlots(lots.community, day) == 0) return false;
        for (uint256 i = 0; i < lots.wh.length; ++i) {
            if (lots.wh[i] == 0) continue;
            // A slot of the same day.
            if (_positions.remaining(lots.community, lots.product, uint32(lots.slot + i)) != 1000) {
                return true;
            }
        }
        return false;
    }

    /// @dev Money that a side of energy at a price locks [nano-token].
    function _lock(bool buy, int32 price, uint256 wh, Rules memory rules) internal pure returns (uint256) {
        return lockOf(buy, bias(price), wh, uint256(rules.gridFee) + rules.platformFee, rules.shortCap);
    }

    /// @dev Day, start and rules of the lots' slots.
    function _place(Lots memory lots, Frame memory frame) private view returns (Rules memory rules) {
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(lots.community);
        (uint256 slot, uint256 slots) = (lots.slot, lots.wh.length);
        uint256 day = dayOf(slot, slotSeconds, utcOffset);
        if (slots == 0 || dayOf(slot + slots - 1, slotSeconds, utcOffset) != day) {
            revert NotOneDay(lots.slot, slots);
        }
        (frame.start, frame.day) = (uint40(slot * slotSeconds), uint32(day));
        rules = _communities.rulesAt(lots.community, frame.day);
        bool traded =
            (rules.products >> lots.product) & 1 == 1 && !_communities.closed(lots.community, frame.day);
        if (!traded || day > dayOf(block.timestamp, 1, utcOffset) + HORIZON) {
            revert NotTraded(lots.product, frame.day);
        }
    }
}
