// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Amounts of accounts, packed: `account u32 | money u64 [nano-token]`.
library Amounts {
    uint256 internal constant BYTES = 12;

    uint256 private constant CLAIM_BYTES = 36;

    /// @notice The bytes do not split into amounts.
    error MalformedAmounts(uint256 length);

    /// @notice Number of amounts.
    function count(bytes calldata amounts) internal pure returns (uint256) {
        if (amounts.length % BYTES != 0) revert MalformedAmounts(amounts.length);
        return amounts.length / BYTES;
    }

    /// @notice Amount `i` of an array that has it.
    function get(bytes calldata amounts, uint256 i) internal pure returns (uint32 account, uint256 nano) {
        uint256 word;
        assembly ("memory-safe") {
            word := calldataload(add(amounts.offset, mul(i, BYTES)))
        }
        return (uint32(word >> 224), uint64(word >> 160));
    }

    /// @notice An empty array with room for `capacity` amounts.
    function newList(uint256 capacity) internal pure returns (bytes memory amounts) {
        amounts = new bytes(capacity * BYTES + 32);
        _setLength(amounts, 0);
    }

    /// @notice Adds an amount to an array with room for it.
    function push(bytes memory amounts, uint32 account, uint64 nano) internal pure {
        uint256 length = amounts.length;
        _store(amounts, length, (uint256(account) << 224) | (uint256(nano) << 160));
        _setLength(amounts, length + BYTES);
    }

    /// @notice A hash chain with one amount more.
    function link(bytes32 chain, uint32 account, uint64 nano) internal pure returns (bytes32 next) {
        // Scratch space only: the amount stands behind the chain.
        assembly ("memory-safe") {
            mstore(0, chain)
            mstore(0x20, or(shl(224, account), shl(160, nano)))
            next := keccak256(0, add(0x20, BYTES))
        }
    }

    /// @notice Money of amount `i` of an array that has it.
    function moneyOf(bytes memory amounts, uint256 i) internal pure returns (uint64 nano) {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(add(add(amounts, 0x20), mul(i, BYTES)))
        }
        return uint64(word >> 160);
    }

    /// @notice Lowers amount `i` of an array that has it and holds no less.
    function lower(bytes memory amounts, uint256 i, uint256 by) internal pure {
        // Only the bits of the money change; those behind the array are written back as they were.
        assembly ("memory-safe") {
            let entry := add(add(amounts, 0x20), mul(i, BYTES))
            mstore(entry, sub(mload(entry), shl(160, by)))
        }
    }

    /// @notice An empty array with room for `capacity` claims.
    function newClaims(uint256 capacity) internal pure returns (bytes memory claims) {
        claims = new bytes(capacity * CLAIM_BYTES + 32);
        _setLength(claims, 0);
    }

    /// @notice Adds a claim to an array with room for it: `account u32 | retailer's u128 | operator's u128`.
    function pushClaim(bytes memory claims, uint32 account, uint128 retailers, uint128 operators)
        internal
        pure
    {
        uint256 length = claims.length;
        _store(claims, length, (uint256(account) << 224) | (uint256(retailers) << 96));
        _store(claims, length + 20, uint256(operators) << 128);
        _setLength(claims, length + CLAIM_BYTES);
    }

    /// @dev Writes a word whose tail the next entry overwrites; arrays have a word to spare behind the last one.
    function _store(bytes memory data, uint256 offset, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), offset), word)
        }
    }

    /// @dev A length within what was allocated.
    function _setLength(bytes memory data, uint256 length) private pure {
        assembly ("memory-safe") {
            mstore(data, length)
        }
    }
}
