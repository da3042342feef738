// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "../types/Market.sol";
import {OrderRecord} from "../types/OrderRecord.sol";
import {Digests, newDigests} from "./Digests.sol";

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
        digests.set(1, market.community());
        digests.set(2, market.product());
        digests.set(3, market.slot());
        digests.set(4, market.session());
    }

    /// @notice Digest of an `Order` of the market.
    function order(Digests digests, OrderRecord record, uint32 nonce, uint64 validTo)
        internal
        pure
        returns (bytes32)
    {
        digests.set(0, record.account());
        digests.set(5, uint256(int256(record.price())));
        digests.set(6, record.quantity());
        digests.set(7, record.source());
        digests.set(8, OrderRecord.unwrap(record) & 1); // buy
        digests.set(9, nonce);
        digests.set(10, validTo);
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
