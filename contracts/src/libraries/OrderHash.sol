// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "../types/Market.sol";
import {OrderRecord} from "../types/OrderRecord.sol";

/// @notice EIP-712 struct hashes of orders.
library OrderHash {
    bytes32 internal constant ORDER = keccak256(
        "Order(uint32 account,uint32 community,uint8 product,uint32 slot,uint8 session,int32 price,uint32 quantity,uint8 source,bool buy,uint32 nonce,uint64 validTo)"
    );

    bytes32 internal constant PROFILE_ORDER = keccak256(
        "ProfileOrder(uint32 account,uint32 community,uint8 product,uint8 session,bool allOrNothing,uint32 nonce,uint64 validTo,bytes steps)"
    );

    /// @notice Struct hash of `Order`.
    function order(OrderRecord record, Market market, uint32 nonce, uint64 validTo)
        internal
        pure
        returns (bytes32 hash)
    {
        bytes32 typeHash = ORDER;
        // Writes beyond the free memory pointer only. 1,000 `abi.encode`s in one call would pay for 400 kB of memory.
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, typeHash)
            mstore(add(m, 0x20), shr(96, record)) // account
            mstore(add(m, 0x40), and(shr(48, market), 0xffffffff)) // community
            mstore(add(m, 0x60), and(shr(40, market), 0xff)) // product
            mstore(add(m, 0x80), and(shr(8, market), 0xffffffff)) // slot
            mstore(add(m, 0xa0), and(market, 0xff)) // session
            mstore(add(m, 0xc0), sub(and(shr(64, record), 0xffffffff), 0x80000000)) // price
            mstore(add(m, 0xe0), and(shr(32, record), 0xffffffff)) // quantity
            mstore(add(m, 0x100), and(shr(1, record), 0x7f)) // source
            mstore(add(m, 0x120), and(record, 1)) // buy
            mstore(add(m, 0x140), nonce)
            mstore(add(m, 0x160), validTo)
            hash := keccak256(m, 0x180)
        }
    }

    /// @notice Struct hash of `ProfileOrder` in the community, product and session of `market`.
    function profile(
        Market market,
        uint32 account,
        bool allOrNothing,
        uint32 nonce,
        uint64 validTo,
        bytes calldata steps
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                PROFILE_ORDER,
                account,
                market.community(),
                market.product(),
                market.session(),
                allOrNothing,
                nonce,
                validTo,
                keccak256(steps)
            )
        );
    }
}
