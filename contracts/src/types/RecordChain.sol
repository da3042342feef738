// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {HashChain} from "../libraries/HashChain.sol";

/// @notice Head of a market's hash chain and the number of its records in one word: `head u240 | count u16`.
type RecordChain is uint256;

using {count, head, extend} for RecordChain global;

/// @notice Number of records.
function count(RecordChain chain) pure returns (uint256) {
    return uint16(RecordChain.unwrap(chain));
}

/// @notice Head, its low 16 bits zero.
function head(RecordChain chain) pure returns (bytes32) {
    return bytes32(RecordChain.unwrap(chain)) & HashChain.HEAD;
}

/// @notice The chain after a batch of records, 16 bytes each; the count must stay below 2**16.
function extend(RecordChain chain, bytes memory records) pure returns (RecordChain) {
    uint256 next = uint256(HashChain.extend(chain.head(), records));
    // Below 2**16 by the caller.
    unchecked {
        return RecordChain.wrap(next | (chain.count() + records.length / 16));
    }
}
