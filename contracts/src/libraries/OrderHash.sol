// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "../types/Market.sol";
import {OrderRecord} from "../types/OrderRecord.sol";
import {Digests, FIELDS, newDigests} from "./Digests.sol";

/// @notice EIP-712 hashes of orders.
library OrderHash {
    bytes32 internal constant ORDER = keccak256(
        "Order(uint32 account,uint32 community,uint8 product,uint32 slot,uint8 session,int32 price,uint32 quantity,uint8 source,bool buy,uint32 nonce,uint64 validTo)"
    );

    uint256 private constant ORDER_FIELDS = 11;

    bytes32 internal constant PROFILE_ORDER = keccak256(
        "ProfileOrder(uint32 account,uint32 community,uint8 product,uint8 session,bool allOrNothing,uint32 nonce,uint64 validTo,bytes steps)"
    );

    /// @notice For the digests of a market's orders.
    function digestsOf(bytes32 domain, Market market) internal pure returns (Digests digests) {
        digests = newDigests(domain, ORDER, ORDER_FIELDS);
        // Words of the digests.
        assembly ("memory-safe") {
            let fields := add(digests, FIELDS)
            mstore(add(fields, 0x20), and(shr(48, market), 0xffffffff)) // community
            mstore(add(fields, 0x40), and(shr(40, market), 0xff)) // product
            mstore(add(fields, 0x60), and(shr(8, market), 0xffffffff)) // slot
            mstore(add(fields, 0x80), and(market, 0xff)) // session
        }
    }

    /// @notice Digest of an `Order` of the market.
    function order(Digests digests, OrderRecord record, uint32 nonce, uint64 validTo)
        internal
        pure
        returns (bytes32)
    {
        // Words of the digests.
        assembly ("memory-safe") {
            let fields := add(digests, FIELDS)
            mstore(fields, shr(96, record)) // account
            mstore(add(fields, 0xa0), sub(and(shr(64, record), 0xffffffff), 0x80000000)) // price
            mstore(add(fields, 0xc0), and(shr(32, record), 0xffffffff)) // quantity
            mstore(add(fields, 0xe0), and(shr(1, record), 0x7f)) // source
            mstore(add(fields, 0x100), and(record, 1)) // buy
            mstore(add(fields, 0x120), nonce)
            mstore(add(fields, 0x140), validTo)
        }
        return digests.digest(ORDER_FIELDS);
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
