// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../interfaces/ICallAuction.sol";
import {OrderRecord, unbias} from "../types/OrderRecord.sol";
import {Merkle} from "./Merkle.sol";

/// @notice Verifies a clearing by one pass over the records of a market, see docs/proofs.md [3].
library Clearing {
    /// @dev Sums of one side. For bids "beyond p" is above p, for offers below p; prices and thresholds of offers are
    /// mirrored (`2**32 - 1 - p`), so that both sides compare alike.
    struct Side {
        uint256 lo;
        uint256 hi;
        uint256 price;
        uint256 beyondLo;
        uint256 fromLo;
        uint256 beyondHi;
        uint256 fromHi;
        uint256 beyondPrice;
        uint256 fromPrice;
    }

    uint256 private constant MIRROR = type(uint32).max;

    /// @notice Clears records with the hints `lo <= hi` within the band; all prices biased.
    /// @return valid True if `lo` is the lowest and `hi` the highest clearing price.
    /// @return result Outcome at `(lo + hi) >> 1`.
    function run(bytes calldata records, uint256 lo, uint256 hi, uint256 priceMin, uint256 priceMax)
        internal
        pure
        returns (bool valid, Result memory result)
    {
        uint256 price = (lo + hi) >> 1;
        Side memory demand = Side(lo, hi, price, 0, 0, 0, 0, 0, 0);
        Side memory supply = Side(MIRROR - lo, MIRROR - hi, MIRROR - price, 0, 0, 0, 0, 0, 0);
        result.root = _sum(records, demand, supply);

        // [3] A and B: the lowest and the highest clearing price.
        valid = demand.beyondLo <= supply.fromLo && (lo == priceMin || demand.fromLo > supply.beyondLo)
            && supply.beyondHi <= demand.fromHi && (hi == priceMax || supply.fromHi > demand.beyondHi);
        result.price = unbias(price);
        uint256 volume = demand.fromPrice < supply.fromPrice ? demand.fromPrice : supply.fromPrice;
        // A market holds at most 2**12 quantities below 2**32 each.
        result.volume = uint64(volume);
        result.demandAbove = uint64(demand.beyondPrice);
        result.supplyBelow = uint64(supply.beyondPrice);
    }

    /// @notice Energy that a record traded.
    /// @param prefix Energy at the clearing price on the same side that arrived before, from the record's leaf [Wh].
    function fillOf(OrderRecord record, uint256 prefix, Result memory result)
        internal
        pure
        returns (uint256)
    {
        int256 price = record.price();
        int256 clearing = result.price;
        uint256 quantity = record.quantity();
        if (price == clearing) {
            uint256 before = prefix + (record.isBuy() ? result.demandAbove : result.supplyBelow);
            if (before >= result.volume) return 0;
            uint256 left = result.volume - before;
            return left < quantity ? left : quantity;
        }
        return (price > clearing) == record.isBuy() ? quantity : 0;
    }

    /// @notice Leaf of the fill tree.
    function leafOf(uint256 index, OrderRecord record, uint256 prefix) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint32(index), OrderRecord.unwrap(record), uint64(prefix)));
    }

    /// @dev Adds every record to its side and returns the root of the fill tree.
    function _sum(bytes calldata records, Side memory demand, Side memory supply)
        private
        pure
        returns (bytes32)
    {
        uint256 leaves;
        // Leaves are written to memory taken from the free memory pointer, sums to the two structs, the rest to scratch
        // space. Sums of 2**12 quantities below 2**32 cannot overflow.
        assembly ("memory-safe") {
            leaves := mload(0x40)
            let write := leaves
            let end := add(records.offset, records.length)
            for { let pos := records.offset } lt(pos, end) { pos := add(pos, 16) } {
                let record := shr(128, calldataload(pos))
                let quantity := and(shr(32, record), 0xffffffff)
                let price := and(shr(64, record), 0xffffffff)
                let side := demand
                if iszero(and(record, 1)) {
                    side := supply
                    price := xor(price, 0xffffffff)
                }
                let threshold := mload(side)
                let sum := add(side, 0x60)
                mstore(sum, add(mload(sum), mul(quantity, gt(price, threshold))))
                sum := add(side, 0x80)
                mstore(sum, add(mload(sum), mul(quantity, iszero(lt(price, threshold)))))
                threshold := mload(add(side, 0x20))
                sum := add(side, 0xa0)
                mstore(sum, add(mload(sum), mul(quantity, gt(price, threshold))))
                sum := add(side, 0xc0)
                mstore(sum, add(mload(sum), mul(quantity, iszero(lt(price, threshold)))))
                threshold := mload(add(side, 0x40))
                let index := shr(5, sub(write, leaves))
                // At the price itself the energy before this record is what is at the price so far.
                let leaf := or(shl(224, index), shl(96, record))
                switch eq(price, threshold)
                case 1 {
                    let from := mload(add(side, 0x100))
                    leaf := or(leaf, shl(32, sub(from, mload(add(side, 0xe0)))))
                    mstore(add(side, 0x100), add(from, quantity))
                }
                default {
                    if gt(price, threshold) {
                        mstore(add(side, 0xe0), add(mload(add(side, 0xe0)), quantity))
                        mstore(add(side, 0x100), add(mload(add(side, 0x100)), quantity))
                    }
                }
                mstore(0, leaf)
                mstore(write, keccak256(0, 28))
                write := add(write, 0x20)
            }
            mstore(0x40, write)
        }
        return Merkle.rootInPlace(leaves, records.length / 16);
    }
}
