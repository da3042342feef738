// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Skip} from "../types/Skip.sol";

/// @notice Nominated schedules, one Merkle root per accepted batch.
interface ISchedules {
    /// @notice A batch was accepted; its leaves are the entries in this order.
    /// @param entries Each: account u32, slot u32, seq u32, count u16, count x int32 [Wh].
    event NominationsAccepted(
        uint32 indexed community, uint8 indexed product, uint32 indexed day, uint32 batch, bytes entries
    );

    /// @notice A relayed nomination was skipped.
    event NominationSkipped(
        uint32 indexed community,
        uint8 indexed product,
        uint32 indexed day,
        uint32 account,
        uint32 seq,
        Skip reason
    );

    /// @notice Bytes of a batch do not split into entries.
    error MalformedWire();
    /// @notice No slots, slots of two trading days, or seq 0.
    error MalformedNomination();
    /// @notice There is no such account in the community.
    error UnknownAccount(uint32 account);
    /// @notice The account has no approved meter for the product.
    error NoMeter(uint32 account, uint8 product);
    /// @notice The caller is neither owner nor device key of the account.
    error NotOrderKey(uint32 account, address caller);
    /// @notice The device key has expired, or a nominated energy is beyond its limits.
    error KeyLimited(uint32 account, address caller);
    /// @notice Nominations from this slot on are no longer taken.
    error GateClosed(uint32 slot);
    /// @notice The first slot starts more than 8 days ahead.
    error TooFarAhead(uint32 slot);
    /// @notice A nominated energy is beyond the connection limit.
    error QuantityOutOfRange(uint32 account);

    /// @notice Accepts signed nominations of one trading day; those that fail are skipped.
    /// @param nominations Each: an entry as in the event, then its signature of 64 bytes.
    function nominateBatch(uint32 community, uint8 product, uint32 day, bytes calldata nominations) external;

    /// @notice Nominates in the caller's own transaction, open longer than a batch. Owner or device key only.
    /// @param slot First slot.
    /// @param seq At least 1; the highest counts.
    /// @param wh One int32 per slot, import positive [Wh].
    function nominate(
        uint32 community,
        uint8 product,
        uint32 account,
        uint32 slot,
        uint32 seq,
        bytes calldata wh
    ) external;

    /// @notice Number of batches of a trading day.
    function batchCount(uint32 community, uint8 product, uint32 day) external view returns (uint256);

    /// @notice Root of a batch without its low 16 bits, and number of its leaves.
    function batchOf(uint32 community, uint8 product, uint32 day, uint32 batch)
        external
        view
        returns (bytes32 root, uint32 count);
}
