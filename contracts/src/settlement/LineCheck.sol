// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICallAuction, Result} from "../interfaces/ICallAuction.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IOracle, MeterRoot} from "../interfaces/IOracle.sol";
import {ISchedules} from "../interfaces/ISchedules.sol";
import {
    ISettlement,
    LineEvidence,
    LineProof,
    MeterNeighbour,
    MeterProof,
    NominationProof,
    OrderProof
} from "../interfaces/ISettlement.sol";
import {BillLine} from "../libraries/BillLine.sol";
import {Clearing, Trade} from "../libraries/Clearing.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {MeterTree} from "../libraries/MeterTree.sol";
import {Wire} from "../libraries/Wire.sol";
import {Line, Tariff} from "../types/Bills.sol";
import {marketOf} from "../types/Market.sol";
import {OrderRecord} from "../types/OrderRecord.sol";
import {Rules, dayStart} from "../types/Rules.sol";

/// @title LineCheck
/// @notice Recomputes a line of the bills from what the chain knows, see docs/proofs.md [6].
/// @dev Evidence that the chain does not confirm reverts, so it can never refute an honest line.
abstract contract LineCheck is ISettlement {
    using Wire for bytes;

    /// @dev What the references of a line add up to.
    struct Trades {
        int256 wh;
        int256 money;
        int256 bought;
        int256 locks;
    }

    uint256 private constant DAY = 86_400;
    uint256 private constant PRODUCTS = 4;

    /// @dev What is left of a slot that is not curtailed [permille].
    uint256 private constant WHOLE = 1000;
    uint256 private constant NOMINATION_BYTES = 12;

    ICommunities internal immutable _communities;
    ICallAuction internal immutable _auction;
    ISchedules internal immutable _schedules;
    IOracle internal immutable _oracle;

    constructor(ICommunities communities, ICallAuction auction, ISchedules schedules, IOracle oracle) {
        _communities = communities;
        _auction = auction;
        _schedules = schedules;
        _oracle = oracle;
    }

    /// @dev Number of positions in an account's subtree: a power of two of at least the slots of a day per product.
    function _positions(Rules memory rules) internal pure returns (uint256 width) {
        width = 1;
        while (width < DAY / rules.slotSeconds) width <<= 1;
        return width * PRODUCTS;
    }

    /// @dev True if the line is not what follows from the evidence, or stands in the wrong place.
    function _isWrong(
        uint32 community,
        uint32 day,
        Rules memory rules,
        LineProof calldata proof,
        Line memory line,
        LineEvidence calldata evidence
    ) internal view returns (bool) {
        uint256 firstSlot =
            uint256(dayStart(day, rules.utcOffset)) / rules.slotSeconds;
        uint256 slots = DAY / rules.slotSeconds;
        if (line.account != proof.account || line.slot < firstSlot || line.slot >= firstSlot + slots) {
            return true;
        }
        if (line.product >= 8 || (rules.products >> line.product) & 1 == 0) return true;
        uint256 width = _positions(rules) / PRODUCTS;
        if (proof.position != line.product * width + (line.slot - firstSlot)) return true;
        if (proof.line.length != BillLine.HEAD_BYTES + line.references * BillLine.REFERENCE_BYTES) {
            return true;
        }
        if (line.references > BillLine.MAX_REFERENCES) return true;

        (bool wrong, Trades memory trades) = _trades(community, rules, proof.line, line, evidence.orders);
        if (wrong || trades.wh != line.tradeWh || trades.money != line.tradeMoney) return true;
        if (trades.bought * int256(uint256(rules.gridFee)) != line.gridFee) return true;
        if (trades.bought * int256(uint256(rules.platformFee)) != line.platformFee) return true;
        if (trades.locks != line.lockRelease) return true;

        int256 schedule;
        (wrong, schedule) = _schedule(community, day, line, evidence.nomination);
        if (wrong || schedule != line.scheduleWh) return true;

        Tariff memory tariff = _tariff(community, day, line.slot - firstSlot, evidence);
        return _isMisbilled(community, line, schedule, tariff, evidence.meter);
    }

    /// @dev Sums over the references; `wrong` if one of them is refuted.
    function _trades(
        uint32 community,
        Rules memory rules,
        bytes calldata wire,
        Line memory line,
        OrderProof[] calldata orders
    ) private view returns (bool wrong, Trades memory trades) {
        uint256 previous = 0;
        for (uint256 i = 0; i < line.references; ++i) {
            (uint8 session, uint32 index, uint32 fill) = BillLine.referenceOf(wire, i);
            uint256 key = (uint256(session) << 32) | index;
            if (i > 0 && key <= previous) return (true, trades);
            previous = key;
            (uint32 count,) = _auction.statusOf(marketOf(community, line.product, line.slot, session));
            if (index >= count) return (true, trades);
            if (i >= orders.length) revert InvalidEvidence();
            Result memory result = _auction.resultOf(marketOf(community, line.product, line.slot, session));
            OrderRecord record = OrderRecord.wrap(uint128(orders[i].record));
            (uint48 prefix, uint48 labelPrefix) = (orders[i].prefix, orders[i].labelPrefix);
            bytes32 leaf = Clearing.leafOf(index, record, prefix, labelPrefix);
            if (Merkle.rootOf(leaf, index, count, orders[i].siblings) != result.root) {
                revert InvalidEvidence();
            }
            if (record.account() != line.account) return (true, trades);
            Trade memory trade = Clearing.tradeOf(record, prefix, labelPrefix, result, WHOLE);
            if (trade.wh != fill) return (true, trades);
            _add(trades, record, trade, rules);
        }
    }

    /// @dev Nominated energy of the line; `wrong` if another nomination counts or the claimed one does not exist.
    function _schedule(uint32 community, uint32 day, Line memory line, NominationProof calldata nomination)
        private
        view
        returns (bool wrong, int256 schedule)
    {
        if (line.seq == 0 && (line.batch != 0 || line.leaf != 0)) return (true, 0);
        if (nomination.entry.length == 0) {
            if (line.seq == 0) return (false, line.tradeWh);
            if (line.batch >= _schedules.batchCount(community, line.product, day)) return (true, 0);
            (, uint32 count) = _schedules.batchOf(community, line.product, day, line.batch);
            if (line.leaf >= count) return (true, 0);
            revert InvalidEvidence();
        }
        _requireNomination(community, day, line.product, nomination);
        uint256 head = nomination.entry.word(0);
        uint32 seq = uint32(head >> 160);
        bool claimed = nomination.batch == line.batch && nomination.leaf == line.leaf && line.seq != 0;
        // Slots of an entry are consecutive from its first; below it the difference wraps beyond any length.
        uint256 offset;
        unchecked {
            offset = line.slot - uint256(uint32(head >> 192));
        }
        bool covers =
            uint32(head >> 224) == line.account && offset < (nomination.entry.length - NOMINATION_BYTES) / 4;
        if (claimed) {
            if (!covers || seq != line.seq) return (true, 0);
            return (false, nomination.entry.i32(NOMINATION_BYTES + 4 * offset));
        }
        bool first =
            nomination.batch < line.batch || (nomination.batch == line.batch && nomination.leaf < line.leaf);
        if (covers && (seq > line.seq || (seq == line.seq && first))) return (true, 0);
        revert InvalidEvidence();
    }

    function _requireNomination(
        uint32 community,
        uint32 day,
        uint8 product,
        NominationProof calldata nomination
    ) private view {
        if (nomination.batch >= _schedules.batchCount(community, product, day)) {
            revert InvalidEvidence();
        }
        (bytes32 root, uint32 count) = _schedules.batchOf(community, product, day, nomination.batch);
        bytes32 leaf = keccak256(abi.encodePacked(uint8(0), nomination.entry));
        if (Merkle.rootOf(leaf, nomination.leaf, count, nomination.siblings) != root) {
            revert InvalidEvidence();
        }
    }

    /// @dev Prices of a slot of the day from the reported vectors.
    function _tariff(uint32 community, uint32 day, uint256 slotOfDay, LineEvidence calldata evidence)
        private
        view
        returns (Tariff memory)
    {
        bytes calldata retail = evidence.retailPrices;
        bytes calldata imbalance = evidence.imbalancePrices;
        if (
            keccak256(retail) != _oracle.tariffHash(community, 0, day)
                || keccak256(imbalance) != _oracle.tariffHash(community, 1, day)
        ) revert InvalidEvidence();
        uint256 offset = 8 * slotOfDay;
        return
            Tariff(
                retail.i32(offset), retail.i32(offset + 4), imbalance.i32(offset), imbalance.i32(offset + 4)
            );
    }

    /// @dev True if meter, quality, retail or imbalance are not what the meter leaf gives.
    function _isMisbilled(
        uint32 community,
        Line memory line,
        int256 schedule,
        Tariff memory tariff,
        MeterProof calldata meter
    ) private view returns (bool) {
        _requireMeter(community, line, meter);
        (int256 meterWh, int256 retail, int256 imbalance) = BillLine.bill(
            line.tradeWh,
            schedule,
            int256(uint256(meter.importWh)),
            int256(uint256(meter.exportWh)),
            meter.quality != 0,
            tariff
        );
        return line.quality != meter.quality || line.meterWh != meterWh || line.retail != retail
            || line.imbalance != imbalance;
    }

    function _requireMeter(uint32 community, Line memory line, MeterProof calldata meter) private view {
        MeterRoot memory root = _oracle.meterRoot(community, line.product, line.slot);
        _requireLeaf(root, line.account, meter);
    }

    function _requireLeaf(MeterRoot memory root, uint32 account, MeterProof calldata meter) private pure {
        MeterTree.Node memory node = MeterTree.climb(
            MeterTree.leaf(account, meter.importWh, meter.exportWh, meter.quality, meter.salt),
            meter.index,
            root.count,
            meter.siblings
        );
        if (node.hash != root.root) revert InvalidEvidence();
    }

    /// @dev True if the account of the line has no leaf in a reported slot: accounts ascend, so two adjacent leaves, or the
    /// first or last one, leave no place for it.
    function _isUnmetered(uint32 community, Line memory line, MeterNeighbour[] calldata neighbours)
        internal
        view
        returns (bool)
    {
        MeterRoot memory root = _oracle.meterRoot(community, line.product, line.slot);
        if (!root.reported) revert InvalidEvidence();
        if (root.count == 0) return true;
        if (neighbours.length == 0 || neighbours.length > 2) revert InvalidEvidence();
        for (uint256 i = 0; i < neighbours.length; ++i) {
            _requireLeaf(root, neighbours[i].account, neighbours[i].leaf);
        }
        MeterNeighbour calldata first = neighbours[0];
        if (neighbours.length == 2) {
            MeterNeighbour calldata second = neighbours[1];
            return uint256(first.leaf.index) + 1 == second.leaf.index && first.account < line.account
                && line.account < second.account;
        }
        return (first.leaf.index == 0 && line.account < first.account)
            || (uint256(first.leaf.index) + 1 == root.count && line.account > first.account);
    }

    function _add(Trades memory trades, OrderRecord record, Trade memory trade, Rules memory rules)
        private
        pure
    {
        int256 wh = int256(trade.wh);
        if (record.isBuy()) trades.bought += wh;
        else wh = -wh;
        trades.wh += wh;
        trades.money += trade.money;
        uint256 fee = uint256(rules.gridFee) + rules.platformFee;
        trades.locks += int256(record.lock(fee, rules.shortCap));
    }
}
