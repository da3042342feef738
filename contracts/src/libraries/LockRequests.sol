// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {OrderRecord} from "../types/OrderRecord.sol";
import {Skip} from "../types/Skip.sol";

/// @notice Requests of a market to lock money, two words each:
/// `signer u160 | account u32 | nonce u32 | 0 u24 | fault u8`, and the ask
/// `record u128 | money u128 [nano-token]`, the record 0 for a profile.
library LockRequests {
    uint256 internal constant BYTES = 64;

    /// @notice First word of a request.
    /// @param signer_ Who ordered, zero if the signature is invalid.
    /// @param fault_ What the market found wrong, of `Skip`.
    function pack(address signer_, uint32 account_, uint32 nonce_, uint256 fault_)
        internal
        pure
        returns (uint256)
    {
        return
            (uint256(uint160(signer_)) << 96) | (uint256(account_) << 64) | (uint256(nonce_) << 32) | fault_;
    }

    /// @notice Second word of the request of a single order.
    /// @param nano Money to lock, below 2**128 [nano-token].
    function ask(OrderRecord record, uint256 nano) internal pure returns (uint256) {
        return (uint256(OrderRecord.unwrap(record)) << 128) | nano;
    }

    /// @notice Writes request `i` of an array with room for it.
    function set(bytes memory requests, uint256 i, uint256 request, uint256 ask_) internal pure {
        assembly ("memory-safe") {
            let entry := add(add(requests, 0x20), shl(6, i))
            mstore(entry, request)
            mstore(add(entry, 0x20), ask_)
        }
    }

    /// @notice Reads request `i` of an array that has it.
    function get(bytes calldata requests, uint256 i) internal pure returns (uint256 request, uint256 ask_) {
        assembly ("memory-safe") {
            let entry := add(requests.offset, shl(6, i))
            request := calldataload(entry)
            ask_ := calldataload(add(entry, 0x20))
        }
    }

    function signer(uint256 request) internal pure returns (address) {
        return address(uint160(request >> 96));
    }

    function account(uint256 request) internal pure returns (uint32) {
        return uint32(request >> 64);
    }

    function nonce(uint256 request) internal pure returns (uint32) {
        return uint32(request >> 32);
    }

    function fault(uint256 request) internal pure returns (Skip) {
        return Skip(uint8(request));
    }

    /// @notice Money that a request asks for [nano-token].
    function money(uint256 ask_) internal pure returns (uint256) {
        return uint128(ask_);
    }

    /// @notice The order that asks; its quantity is 0 for a profile, whose steps the market judges.
    function recordOf(uint256 ask_) internal pure returns (OrderRecord) {
        return OrderRecord.wrap(uint128(ask_ >> 128));
    }

    function isFaultless(uint256 request) internal pure returns (bool) {
        return uint8(request) == 0;
    }
}
