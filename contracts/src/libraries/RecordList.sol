// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {OrderRecord} from "../types/OrderRecord.sol";

/// @notice Records in memory, 16 bytes each, with room for a number of them.
struct RecordList {
    uint256 end;
    bytes data;
}

using {push, toBytes} for RecordList global;

/// @notice An empty list with room for `capacity` records.
function newRecordList(uint256 capacity) pure returns (RecordList memory list) {
    // One word more than the records need, as `push` writes whole words.
    list.data = new bytes(16 * capacity + 32);
    bytes memory data = list.data;
    uint256 end;
    assembly ("memory-safe") {
        end := add(data, 0x20)
    }
    list.end = end;
}

/// @notice Adds a record; the list must have room for it.
function push(RecordList memory list, OrderRecord record) pure {
    uint256 end = list.end;
    // The record and 16 bytes of zero, which the next record or nothing needs.
    assembly ("memory-safe") {
        mstore(end, shl(128, record))
        mstore(list, add(end, 16))
    }
}

/// @notice The records; the list is used up.
function toBytes(RecordList memory list) pure returns (bytes memory data) {
    data = list.data;
    uint256 end = list.end;
    // The end is within the data, which only gets shorter.
    assembly ("memory-safe") {
        mstore(data, sub(end, add(data, 0x20)))
    }
}
