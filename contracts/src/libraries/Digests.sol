// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice EIP-712 digests of many structs of one type in one domain, which write what these share only once. Offset in
/// memory of `0 u240 | 0x1901 | domain | struct hash`, three words, and of the struct behind them.
type Digests is uint256;

using {set, digest} for Digests global;

/// @dev Where the words of the struct behind its type hash begin.
uint256 constant FIELDS = 0x80;

/// @notice Digests of structs with `fields` words besides their type hash, all still zero.
function newDigests(bytes32 domain, bytes32 typeHash, uint256 fields) pure returns (Digests digests) {
    // Takes its words from the free memory pointer.
    assembly ("memory-safe") {
        digests := mload(0x40)
        let size := add(FIELDS, shl(5, fields))
        mstore(0x40, add(digests, size))
        calldatacopy(digests, calldatasize(), size)
        mstore(digests, 0x1901)
        mstore(add(digests, 0x20), domain)
        mstore(add(digests, 0x60), typeHash)
    }
}

/// @notice Writes one of the struct's words; the first one behind the type hash is 0.
function set(Digests digests, uint256 field, uint256 value) pure {
    // A word of the digests.
    assembly ("memory-safe") {
        mstore(add(add(digests, FIELDS), shl(5, field)), value)
    }
}

/// @notice Digest of what the struct's `fields` words are now.
function digest(Digests digests, uint256 fields) pure returns (bytes32 hash) {
    // Words of the digests.
    assembly ("memory-safe") {
        mstore(add(digests, 0x40), keccak256(add(digests, 0x60), add(0x20, shl(5, fields))))
        hash := keccak256(add(digests, 0x1e), 0x42)
    }
}
