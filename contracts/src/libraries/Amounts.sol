// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Amounts of accounts, packed: `account u32 | money u64 [nano-token]`.
library Amounts {
    uint256 internal constant BYTES = 12;

    uint256 private constant DEBIT_BYTES = 44;
    uint256 private constant TAKEN_BYTES = 8;

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

    /// @notice An empty array with room for `capacity` debits.
    function newDebits(uint256 capacity) internal pure returns (bytes memory debits) {
        debits = new bytes(capacity * DEBIT_BYTES + 32);
        _setLength(debits, 0);
    }

    /// @notice Adds a debit to an array with room for it: `account u32 | taken u64 | retail claim u128 | operator claim u128`.
    function pushDebit(
        bytes memory debits,
        uint32 account,
        uint64 nano,
        uint128 retailClaim,
        uint128 operatorClaim
    ) internal pure {
        uint256 length = debits.length;
        _store(
            debits, length, (uint256(account) << 224) | (uint256(nano) << 160) | (uint256(retailClaim) << 32)
        );
        _store(debits, length + 28, uint256(operatorClaim) << 128);
        _setLength(debits, length + DEBIT_BYTES);
    }

    /// @notice An array for what was taken of `capacity` accounts.
    function newTaken(uint256 capacity) internal pure returns (bytes memory taken) {
        taken = new bytes(capacity * TAKEN_BYTES + 32);
        _setLength(taken, capacity * TAKEN_BYTES);
    }

    /// @notice Writes what was taken of account `i`, after those before it.
    function setTaken(bytes memory taken, uint256 i, uint256 nano) internal pure {
        _store(taken, i * TAKEN_BYTES, nano << 192);
    }

    /// @notice What was taken of account `i`.
    function takenOf(bytes memory taken, uint256 i) internal pure returns (uint64 nano) {
        assembly ("memory-safe") {
            nano := shr(192, mload(add(add(taken, 0x20), mul(i, TAKEN_BYTES))))
        }
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
