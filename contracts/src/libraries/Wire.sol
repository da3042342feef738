// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Reads big-endian fields of packed bytes in calldata.
library Wire {
    /// @notice The 32 bytes from `offset`; bytes beyond the end of the calldata are zero.
    /// @dev The caller has checked that the field lies within `data`.
    function word(bytes calldata data, uint256 offset) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(add(data.offset, offset))
        }
    }

    /// @notice Unsigned field of 4 bytes.
    function u32(bytes calldata data, uint256 offset) internal pure returns (uint32) {
        return uint32(word(data, offset) >> 224);
    }

    /// @notice Signed field of 4 bytes.
    function i32(bytes calldata data, uint256 offset) internal pure returns (int32) {
        return int32(u32(data, offset));
    }

    /// @notice The bytes from one offset to another one behind it, both within `data` by the caller.
    function part(bytes calldata data, uint256 from, uint256 to)
        internal
        pure
        returns (bytes calldata slice)
    {
        // Two words, which Slither takes for one.
        // slither-disable-start write-after-write
        assembly ("memory-safe") {
            slice.offset := add(data.offset, from)
            slice.length := sub(to, from)
        }
        // slither-disable-end write-after-write
    }

    /// @notice Compact signature of 64 bytes.
    function signature(bytes calldata data, uint256 offset) internal pure returns (bytes32 r, bytes32 vs) {
        assembly ("memory-safe") {
            let start := add(data.offset, offset)
            r := calldataload(start)
            vs := calldataload(add(start, 0x20))
        }
    }
}
