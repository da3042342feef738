// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../interfaces/ICallAuction.sol";
import {OrderRecord} from "../types/OrderRecord.sol";
import {Clearing, Progress} from "./Clearing.sol";
import {Frontier} from "./Frontier.sol";
import {Merkle} from "./Merkle.sol";

/// @notice Labels of local renewable energy in a cleared market: verifies their price by one pass over the records, see
/// docs/proofs.md [11].
/// @dev In `Progress`, `demand` holds the energy wanted above the price of labels and from it on and the bids at the
/// clearing price so far, `supply` the labels to give and the offers at the clearing price so far; 64 bits each from the
/// lowest.
library Labels {
    /// @dev Sums of the records so far [Wh], each below 2**48.
    struct Sums {
        uint256 above;
        uint256 from;
        uint256 bought;
        uint256 green;
        uint256 sold;
    }

    /// @notice Gives the labels out at `premium`, which bids above it pay for all that they bought.
    /// @param progress Where an earlier part of the records led; all zero where there is none.
    /// @param records The records behind them, 16 bytes each.
    /// @param result Outcome of the clearing, which the labels are entered in.
    /// @return valid True if `premium` is the price of labels: the lowest at which there are enough of them for the bids above.
    /// @return green Energy that can be labelled [Wh].
    /// @return above Energy wanted above the price [Wh].
    function run(Progress memory progress, bytes calldata records, Result memory result, uint256 premium)
        internal
        pure
        returns (bool valid, uint256 green, uint256 above)
    {
        uint256 added = records.length / 16;
        Sums memory sums = _unpack(progress);
        uint256 leaves = _sum(sums, progress.count, records, result, premium);
        if (progress.count == 0) {
            result.root = Merkle.rootInPlace(leaves, added);
        } else {
            Frontier.append(progress.peaks, progress.count, leaves, added);
            result.root = Frontier.root(progress.peaks, progress.count + added);
        }
        (green, above) = (sums.green, sums.above);
        valid = above <= green && (premium == 0 || sums.from > green);
        if (!valid) return (false, green, above);
        result.labelled = true;
        result.premium = uint16(premium);
        // above <= green < 2**48
        unchecked {
            result.labelRest = uint48(green - above);
        }
    }

    /// @notice Takes the next records into `progress`, but for the head of the hash chain. The same premium every time.
    function advance(Progress memory progress, bytes calldata records, Result memory result, uint256 premium)
        internal
        pure
    {
        Sums memory sums = _unpack(progress);
        uint256 leaves = _sum(sums, progress.count, records, result, premium);
        Frontier.append(progress.peaks, progress.count, leaves, records.length / 16);
        progress.demand = sums.above | (sums.from << 64) | (sums.bought << 128);
        progress.supply = sums.green | (sums.sold << 64);
        progress.count += records.length / 16;
    }

    /// @dev Adds every record to the sums and returns where the leaves stand, from index `first` on.
    function _sum(
        Sums memory sums,
        uint256 first,
        bytes calldata records,
        Result memory result,
        uint256 premium
    ) private pure returns (uint256 leaves) {
        uint256 write;
        assembly ("memory-safe") {
            leaves := mload(0x40)
            write := leaves
            mstore(0x40, add(leaves, shl(1, records.length)))
        }
        // The length is a multiple of 16. A market holds fewer than 2**16 quantities below 2**32, so that sums and prefixes
        // stay below 2**48.
        unchecked {
            for (uint256 pos = 0; pos < records.length; pos += 16) {
                OrderRecord record;
                assembly ("memory-safe") {
                    record := shr(128, calldataload(add(records.offset, pos)))
                }
                (uint256 prefix, uint256 labelPrefix) = (0, 0);
                bool buy = record.isBuy();
                if (record.price() == result.price) {
                    prefix = buy ? sums.bought : sums.sold;
                    if (buy) sums.bought += record.quantity();
                    else sums.sold += record.quantity();
                }
                if (record.isGreen()) {
                    sums.green += Clearing.fillOf(record, uint48(prefix), result);
                } else if (record.prefersGreen() && record.premium() >= premium) {
                    uint256 fill = Clearing.fillOf(record, uint48(prefix), result);
                    if (record.premium() > premium) sums.above += fill;
                    else labelPrefix = sums.from - sums.above;
                    sums.from += fill;
                }
                uint256 leaf = (first + pos / 16) << 224 | uint256(OrderRecord.unwrap(record)) << 96 | prefix
                    << 48 | labelPrefix;
                assembly ("memory-safe") {
                    mstore(0, leaf)
                    mstore(write, keccak256(0, 0x20))
                    write := add(write, 0x20)
                }
            }
        }
    }

    function _unpack(Progress memory progress) private pure returns (Sums memory) {
        (uint256 demand, uint256 supply) = (progress.demand, progress.supply);
        return Sums(
            uint64(demand), uint64(demand >> 64), uint64(demand >> 128), uint64(supply), uint64(supply >> 64)
        );
    }
}
