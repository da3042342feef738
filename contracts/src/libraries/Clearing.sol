// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../interfaces/ICallAuction.sol";
import {OrderRecord, unbias} from "../types/OrderRecord.sol";
import {Frontier, HEIGHTS} from "./Frontier.sol";
import {Merkle} from "./Merkle.sol";

/// @notice How far a clearing in several transactions has come, for one pair of hints.
/// @param head Of the hash chain after the records so far.
/// @param demand Sums of the bids so far, as in `Clearing.Side`.
/// @param supply Sums of the offers so far.
/// @param count Records so far.
/// @param peaks Frontier of the fill tree.
struct Progress {
    bytes32 head;
    uint256 demand;
    uint256 supply;
    uint256 count;
    bytes32[HEIGHTS] peaks;
}

/// @notice What a record traded.
/// @param wh Energy [Wh].
/// @param labelled Part of it that pays or receives the price of labels [Wh].
/// @param money What its account pays, negative: receives [nano-token].
struct Trade {
    uint256 wh;
    uint256 labelled;
    int256 money;
}

/// @notice Verifies a clearing by one pass over the records of a market, see docs/proofs.md [3].
library Clearing {
    /// @dev Thresholds and sums of one side. For bids "beyond p" is above p, for offers below p; prices and thresholds of
    /// offers are mirrored (`2**32 - 1 - p`), so that both sides compare alike.
    /// @param sums Energy beyond lo, from lo on, beyond hi and from hi on, 64 bits each from the lowest.
    struct Side {
        uint256 lo;
        uint256 hi;
        uint256 sums;
    }

    uint256 private constant MIRROR = type(uint32).max;

    /// @notice Clears all records, 16 bytes each, with the hints `lo <= hi` within the band; all prices biased.
    /// @param progress Where an earlier part of the records led; all zero where there is none.
    /// @param records The records behind them.
    /// @return valid True if `lo` is the lowest and `hi` the highest clearing price.
    /// @return result Outcome at `(lo + hi) >> 1`, of no meaning but for the root unless valid.
    function run(
        Progress memory progress,
        bytes calldata records,
        uint256 lo,
        uint256 hi,
        uint256 priceMin,
        uint256 priceMax
    ) internal pure returns (bool valid, Result memory result) {
        uint256 price = (lo + hi) >> 1;
        (Side memory demand, Side memory supply) = _sides(progress, lo, hi);
        uint256 leaves = _sum(progress.count, records, demand, supply, price == lo);
        if (progress.count == 0) {
            result.root = Merkle.rootInPlace(leaves, records.length / 16);
        } else {
            Frontier.append(progress.peaks, progress.count, leaves, records.length / 16);
            result.root = Frontier.root(progress.peaks, progress.count + records.length / 16);
        }

        (uint48 demandAboveLo, uint48 demandFromLo, uint48 demandAboveHi, uint48 demandFromHi) =
            _unpack(demand);
        (uint48 supplyBelowLo, uint48 supplyToLo, uint48 supplyBelowHi, uint48 supplyToHi) = _unpack(supply);
        // [3] A and B: the lowest and the highest clearing price.
        valid = demandAboveLo <= supplyToLo && (lo == priceMin || demandFromLo > supplyBelowLo)
            && supplyBelowHi <= demandFromHi && (hi == priceMax || supplyToHi > demandAboveHi);

        // [4] No order lies strictly between lo and hi: a price in between has the demand above and the supply up to lo.
        uint48 demandFrom = price == lo ? demandFromLo : demandAboveLo;
        result.price = unbias(price);
        result.volume = demandFrom < supplyToLo ? demandFrom : supplyToLo;
        result.demandAbove = demandAboveLo;
        result.supplyBelow = price == lo ? supplyBelowLo : supplyToLo;
    }

    /// @notice Takes the next records into `progress`, but for the head of the hash chain. The same hints every time.
    function advance(Progress memory progress, bytes calldata records, uint256 lo, uint256 hi) internal pure {
        (Side memory demand, Side memory supply) = _sides(progress, lo, hi);
        uint256 leaves = _sum(progress.count, records, demand, supply, (lo + hi) >> 1 == lo);
        Frontier.append(progress.peaks, progress.count, leaves, records.length / 16);
        progress.demand = demand.sums;
        progress.supply = supply.sums;
        progress.count += records.length / 16;
    }

    /// @notice What a record traded, all that its bill asks of a clearing.
    /// @param prefix Energy at the clearing price on the same side that arrived before, from the record's leaf [Wh].
    /// @param labelPrefix Energy wanted for the price of labels that arrived before, from the record's leaf [Wh].
    /// @param permille What a curtailment left of the slot, 1000 without one.
    function tradeOf(
        OrderRecord record,
        uint48 prefix,
        uint48 labelPrefix,
        Result memory result,
        uint256 permille
    ) internal pure returns (Trade memory trade) {
        uint256 fill = fillOf(record, prefix, result);
        // Fills are below 2**32, prices at most 2**31 and premiums below 2**16: nothing reaches 2**66.
        unchecked {
            trade.wh = fill * permille / 1000;
            trade.labelled = labelledOf(record, fill, labelPrefix, result) * permille / 1000;
            trade.money = int256(trade.wh) * result.price + int256(trade.labelled * result.premium);
            if (!record.isBuy()) trade.money = -trade.money;
        }
    }

    /// @notice Energy of a fill for which the price of labels is paid or received, see docs/proofs.md [11].
    /// @param fill Of the record [Wh].
    /// @param labelPrefix As in `tradeOf`.
    function labelledOf(OrderRecord record, uint256 fill, uint48 labelPrefix, Result memory result)
        internal
        pure
        returns (uint256)
    {
        if (!result.labelled) return 0;
        // Where labels have a price, all energy that can carry one does.
        if (!record.isBuy()) return result.premium != 0 && record.isGreen() ? fill : 0;
        if (!record.prefersGreen() || record.premium() < result.premium) return 0;
        if (record.premium() > result.premium) return fill;
        if (labelPrefix >= result.labelRest) return 0;
        uint256 left = result.labelRest - labelPrefix;
        return left < fill ? left : fill;
    }

    /// @notice Energy that a record traded.
    /// @param prefix Energy at the clearing price on the same side that arrived before, from the record's leaf [Wh].
    function fillOf(OrderRecord record, uint48 prefix, Result memory result) internal pure returns (uint256) {
        // Where nothing trades there is no price that an order could beat; a void market has none either.
        if (result.volume == 0) return 0;
        int256 price = record.price();
        int256 clearing = result.price;
        uint256 quantity = record.quantity();
        if (price == clearing) {
            uint256 before = uint256(prefix) + (record.isBuy() ? result.demandAbove : result.supplyBelow);
            if (before >= result.volume) return 0;
            uint256 left = result.volume - before;
            return left < quantity ? left : quantity;
        }
        return (price > clearing) == record.isBuy() ? quantity : 0;
    }

    /// @notice Leaf of the fill tree: `index u32 | record | prefix u48 | label prefix u48`.
    function leafOf(uint32 index, OrderRecord record, uint48 prefix, uint48 labelPrefix)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(index, OrderRecord.unwrap(record), prefix, labelPrefix));
    }

    /// @dev Adds every record to its side and returns where the leaves stand, from index `first` on. `atLo` says that the
    /// clearing price is lo; else no record is at it.
    function _sum(uint256 first, bytes calldata records, Side memory demand, Side memory supply, bool atLo)
        private
        pure
        returns (uint256 leaves)
    {
        // Leaves are written to memory taken from the free memory pointer, sums to the two structs, the rest to scratch
        // space. The length is a multiple of 16. A market holds fewer than 2**16 quantities below 2**32, so that sums and
        // prefixes stay below 2**48.
        assembly ("memory-safe") {
            leaves := mload(0x40)
            let write := leaves
            // Subtracted from `write`, it leaves 32 times the index.
            let zero := sub(leaves, shl(5, first))
            let end := add(records.offset, records.length)
            for { let pos := records.offset } lt(pos, end) { pos := add(pos, 16) } {
                let record := shr(128, calldataload(pos))
                let price := and(shr(64, record), 0xffffffff)
                let side := demand
                if iszero(and(record, 1)) {
                    side := supply
                    price := xor(price, 0xffffffff)
                }
                let sums := mload(add(side, 0x40))
                // The index, the record, and the prefix of a record at the clearing price, the energy at lo so far; no
                // label prefix yet.
                mstore(0, or(shl(219, sub(write, zero)), shl(96, record)))
                if and(atLo, eq(price, mload(side))) {
                    let prefix := sub(and(shr(64, sums), 0xffffffffffffffff), and(sums, 0xffffffffffffffff))
                    mstore(0, or(mload(0), shl(48, prefix)))
                }
                mstore(write, keccak256(0, 0x20))
                write := add(write, 0x20)
                // A bit per sum that the record counts in.
                let lanes := or(gt(price, mload(side)), shl(64, iszero(lt(price, mload(side)))))
                let hi := mload(add(side, 0x20))
                lanes := or(lanes, shl(128, or(gt(price, hi), shl(64, iszero(lt(price, hi))))))
                mstore(add(side, 0x40), add(sums, mul(lanes, and(shr(32, record), 0xffffffff))))
            }
            mstore(0x40, write)
        }
    }

    function _sides(Progress memory progress, uint256 lo, uint256 hi)
        private
        pure
        returns (Side memory demand, Side memory supply)
    {
        demand = Side(lo, hi, progress.demand);
        supply = Side(MIRROR - lo, MIRROR - hi, progress.supply);
    }

    /// @dev The sums, each below 2**48.
    function _unpack(Side memory side) private pure returns (uint48, uint48, uint48, uint48) {
        return
            (uint48(side.sums), uint48(side.sums >> 64), uint48(side.sums >> 128), uint48(side.sums >> 192));
    }
}
