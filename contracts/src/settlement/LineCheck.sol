// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICommunities} from "../interfaces/ICommunities.sol";
import {ICourt} from "../interfaces/ICourt.sol";
import {IOracle, MeterRoot} from "../interfaces/IOracle.sol";
import {IPackagePrices, PackagePrice} from "../interfaces/IPackagePrices.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {ISchedules} from "../interfaces/ISchedules.sol";
import {BillLine} from "../libraries/BillLine.sol";
import {HashChain} from "../libraries/HashChain.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {MeterTree} from "../libraries/MeterTree.sol";
import {Wire} from "../libraries/Wire.sol";
import {Line, Tariff} from "../types/Bills.sol";
import {LineEvidence, MeterNeighbour, MeterProof, NominationProof} from "../types/Evidence.sol";
import {Rules, dayStart} from "../types/Rules.sol";

/// @title LineCheck
/// @notice Recomputes a line of the bills from what the chain knows, see docs/proofs.md [6].
/// @dev Evidence that the chain does not confirm reverts, so it can never refute an honest line.
abstract contract LineCheck is ICourt {
    using Wire for bytes;

    /// @dev The bills that are judged: whose, of which day, and what counts for them.
    struct Day {
        uint32 community;
        uint32 day;
        uint256 firstSlot;
        uint256 slots;
        uint256 depth;
        Rules rules;
    }

    uint8 private constant RETAIL = 0;
    uint8 private constant IMBALANCE = 1;
    uint8 private constant REFERENCE = 2;

    uint256 private constant SECONDS_A_DAY = 86_400;
    uint256 private constant PRODUCTS = 4;
    uint256 private constant NOMINATION_BYTES = 12;
    int256 private constant WHOLE = 1000;

    ICommunities internal immutable _communities;
    ISchedules internal immutable _schedules;
    IOracle internal immutable _oracle;
    IPositions internal immutable _positions;
    IPackagePrices internal immutable _packages;

    constructor(
        ICommunities communities,
        ISchedules schedules,
        IOracle oracle,
        IPositions positions,
        IPackagePrices packages
    ) {
        _communities = communities;
        _schedules = schedules;
        _oracle = oracle;
        _positions = positions;
        _packages = packages;
    }

    /// @dev An account's subtree has a power of two of at least the slots of the day per product.
    function _dayOf(uint32 community, uint32 day) internal view returns (Day memory found) {
        Rules memory rules = _communities.rulesAt(community, day);
        found.community = community;
        found.day = day;
        found.firstSlot = uint256(dayStart(day, rules.utcOffset)) / rules.slotSeconds;
        found.slots = SECONDS_A_DAY / rules.slotSeconds;
        found.depth = 2;
        while (1 << found.depth < PRODUCTS * found.slots) ++found.depth;
        found.rules = rules;
    }

    /// @dev Where the line of a product and slot stands in its account's subtree; none where it has no place.
    function _placeOf(Day memory day, uint8 product, uint256 slot)
        internal
        pure
        returns (bool exists, uint256 position)
    {
        exists = product < PRODUCTS && (day.rules.products >> product) & 1 == 1 && slot >= day.firstSlot
            && slot < day.firstSlot + day.slots;
        // Both are powers of two, the first the larger.
        // slither-disable-next-line divide-before-multiply
        if (exists) position = product * ((1 << day.depth) / PRODUCTS) + (slot - day.firstSlot);
    }

    /// @dev True if the line is not what follows from the evidence and its references, or stands in the wrong place.
    function _isWrong(
        Day memory day,
        uint32 account,
        uint256 position,
        Line memory line,
        LineEvidence calldata evidence
    ) internal view returns (bool) {
        (bool exists, uint256 place) = _placeOf(day, line.product, line.slot);
        if (!exists || line.account != account || place != position) return true;
        if (line.refCount == 0) {
            if (line.refRoot != 0 || line.tradeWh != 0 || line.tradeMoney != 0) return true;
            if (line.gridFee != 0 || line.platformFee != 0 || line.lockRelease != 0) return true;
        }
        (bool wrong, int256 schedule) = _schedule(day, line, evidence.nomination);
        if (wrong || schedule != line.scheduleWh) return true;
        Tariff memory tariff = _tariff(day, line, evidence);
        return _isMisbilled(day.community, line, schedule, tariff, evidence.meter);
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

    function _requireMeter(
        uint32 community,
        uint8 product,
        uint32 slot,
        uint32 account,
        MeterProof calldata meter
    ) internal view {
        _requireLeaf(_oracle.meterRoot(community, product, slot), account, meter);
    }

    /// @dev What the nomination leaves of the line's energy; `wrong` if another nomination counts or the claimed one does
    /// not exist.
    function _schedule(Day memory day, Line memory line, NominationProof calldata nomination)
        private
        view
        returns (bool wrong, int256 schedule)
    {
        if (line.seq == 0 && (line.batch != 0 || line.leaf != 0)) return (true, 0);
        if (nomination.entry.length == 0) {
            if (line.seq == 0) return (false, line.tradeWh);
            if (line.batch >= _schedules.batchCount(day.community, line.product, day.day)) return (true, 0);
            // Whether there is such a leaf matters here, not the root.
            // slither-disable-next-line unused-return
            (, uint32 count) = _schedules.batchOf(day.community, line.product, day.day, line.batch);
            if (line.leaf >= count) return (true, 0);
            revert InvalidEvidence();
        }
        _requireNomination(day, line.product, nomination);
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
            int256 permille = int256(_positions.remaining(day.community, line.product, line.slot));
            return (false, nomination.entry.i32(NOMINATION_BYTES + 4 * offset) * permille / WHOLE);
        }
        bool first =
            nomination.batch < line.batch || (nomination.batch == line.batch && nomination.leaf < line.leaf);
        if (covers && (seq > line.seq || (seq == line.seq && first))) return (true, 0);
        revert InvalidEvidence();
    }

    function _requireNomination(Day memory day, uint8 product, NominationProof calldata nomination)
        private
        view
    {
        if (nomination.batch >= _schedules.batchCount(day.community, product, day.day)) {
            revert InvalidEvidence();
        }
        (bytes32 root, uint32 count) = _schedules.batchOf(day.community, product, day.day, nomination.batch);
        bytes32 leaf = keccak256(abi.encodePacked(uint8(0), nomination.entry));
        bytes32 shown = Merkle.rootOf(leaf, nomination.leaf, count, nomination.siblings);
        if (shown & HashChain.HEAD != root) {
            revert InvalidEvidence();
        }
    }

    /// @dev Prices of the line's slot from the reported vectors and the home's packages.
    function _tariff(Day memory day, Line memory line, LineEvidence calldata evidence)
        private
        view
        returns (Tariff memory tariff)
    {
        uint256 slotOfDay = line.slot - day.firstSlot;
        _requireVector(day, RETAIL, evidence.retailPrices);
        _requireVector(day, IMBALANCE, evidence.imbalancePrices);
        tariff.importPrice = evidence.retailPrices.i32(8 * slotOfDay);
        tariff.feedIn = evidence.retailPrices.i32(8 * slotOfDay + 4);
        tariff.short = evidence.imbalancePrices.i32(8 * slotOfDay);
        tariff.long = evidence.imbalancePrices.i32(8 * slotOfDay + 4);
        if (address(_packages) == address(0)) return tariff;

        // Without a report, the hash that the oracle knows is zero and no bytes are shown.
        bool hasSpot = _oracle.tariffHash(day.community, REFERENCE, day.day) != 0;
        if (hasSpot) _requireVector(day, REFERENCE, evidence.referencePrices);
        (PackagePrice memory supply, PackagePrice memory feedIn, uint256 dailyFee) = _packages.pricesAt(
            day.community,
            line.account,
            line.product,
            day.day,
            uint32(slotOfDay),
            hasSpot ? evidence.referencePrices.i32(8 * slotOfDay) : int32(0),
            hasSpot
        );
        (tariff.supplyPrice, tariff.supplyWh) = (supply.price, int256(uint256(supply.volume)));
        (tariff.feedInPackagePrice, tariff.feedInPackageWh) = (feedIn.price, int256(uint256(feedIn.volume)));
        tariff.dailyFee = int256(dailyFee);
    }

    function _requireVector(Day memory day, uint8 feed, bytes calldata prices) private view {
        if (keccak256(prices) != _oracle.tariffHash(day.community, feed, day.day)) revert InvalidEvidence();
    }

    /// @dev True if meter, quality, retail or imbalance are not what the meter leaf gives.
    function _isMisbilled(
        uint32 community,
        Line memory line,
        int256 schedule,
        Tariff memory tariff,
        MeterProof calldata meter
    ) private view returns (bool) {
        _requireMeter(community, line.product, line.slot, line.account, meter);
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

    function _requireLeaf(MeterRoot memory root, uint32 account, MeterProof calldata meter) private pure {
        MeterTree.Node memory node = MeterTree.climb(
            MeterTree.leaf(account, meter.importWh, meter.exportWh, meter.quality, meter.salt),
            meter.index,
            root.count,
            meter.siblings
        );
        if (node.hash != root.root) revert InvalidEvidence();
    }
}
