// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {ISchedules} from "../interfaces/ISchedules.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Wire} from "../libraries/Wire.sol";
import {AccountKey} from "../types/AccountWords.sol";
import {DeviceLimits} from "../types/DeviceLimits.sol";
import {Rules, dayOf} from "../types/Rules.sol";
import {Skip} from "../types/Skip.sol";

/// @title Schedules
/// @notice What every home announces to draw or feed in; the nomination with the highest seq counts.
contract Schedules is ISchedules, EIP712 {
    using Wire for bytes;

    struct Batch {
        bytes32 root;
        uint32 count;
    }

    /// @dev One nomination; its energies stay in calldata.
    struct Nomination {
        uint32 account;
        uint32 slot;
        uint32 seq;
        bytes wh;
    }

    /// @dev What the nominations of one call share.
    struct Frame {
        uint32 community;
        uint8 product;
        uint32 day;
        uint256 lead;
        uint256 slotSeconds;
        int256 utcOffset;
        int256 limitWh;
    }

    bytes32 private constant NOMINATION = keccak256(
        "Nomination(uint32 account,uint32 community,uint8 product,uint32 slot,uint32 seq,bytes wh)"
    );

    uint256 private constant HEAD_BYTES = 14;
    uint256 private constant SIGNATURE_BYTES = 64;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;

    // `_append` pushes to it through a reference.
    // slither-disable-next-line uninitialized-state
    mapping(uint32 community => mapping(uint8 product => mapping(uint32 day => Batch[]))) private _batches;

    /// @param accounts Keys and meters.
    /// @param communities Limits and gates.
    constructor(IAccounts accounts, ICommunities communities) EIP712("Otaniemi", "1") {
        _accounts = accounts;
        _communities = communities;
    }

    /// @inheritdoc ISchedules
    function nominateBatch(uint32 community, uint8 product, uint32 day, bytes calldata nominations) external {
        Frame memory frame = _frame(community, product, day, true);
        bytes memory entries = new bytes(nominations.length);
        bytes32[] memory leaves = new bytes32[](nominations.length / (HEAD_BYTES + SIGNATURE_BYTES));
        uint256 length = 0;
        uint256 count = 0;
        uint256 pos = 0;
        while (pos < nominations.length) {
            if (pos + HEAD_BYTES > nominations.length) revert MalformedWire();
            uint256 end = pos + HEAD_BYTES + 4 * uint256(uint16(nominations.word(pos) >> 144));
            if (end + SIGNATURE_BYTES > nominations.length) revert MalformedWire();
            Nomination memory nomination = Nomination(
                nominations.u32(pos),
                nominations.u32(pos + 4),
                nominations.u32(pos + 8),
                nominations[pos + HEAD_BYTES:end]
            );
            (Skip reason, AccountKey key) = _judge(frame, nomination);
            if (reason == Skip.None || reason > Skip.BadSignature) {
                // The signature comes before limits and gate in the order of checks.
                address signer = _signer(frame, nomination, nominations, end);
                if (!_maySign(nomination.account, signer, key)) reason = Skip.BadSignature;
                else if (!_permitted(nomination, signer, key)) reason = Skip.KeyLimited;
            }
            if (reason == Skip.None) {
                leaves[count++] = _leaf(nomination);
                length = _copy(entries, length, nominations[pos:end]);
            } else {
                emit NominationSkipped(community, product, day, nomination.account, nomination.seq, reason);
            }
            pos = end + SIGNATURE_BYTES;
        }
        if (count == 0) return;
        // Both arrays only get shorter.
        assembly ("memory-safe") {
            mstore(entries, length)
            mstore(leaves, count)
        }
        _append(frame, leaves, entries);
    }

    /// @inheritdoc ISchedules
    function nominate(
        uint32 community,
        uint8 product,
        uint32 account,
        uint32 slot,
        uint32 seq,
        bytes calldata wh
    ) external {
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        uint32 day = uint32(dayOf(slot, slotSeconds, utcOffset));
        Frame memory frame = _frame(community, product, day, false);
        Nomination memory nomination = Nomination(account, slot, seq, wh);
        (Skip reason, AccountKey key) = _judge(frame, nomination);
        if (reason == Skip.Malformed) revert MalformedNomination();
        if (reason == Skip.UnknownAccount) revert UnknownAccount(account);
        if (reason == Skip.NoMeter) revert NoMeter(account, product);
        if (!_accounts.mayOrder(account, msg.sender)) revert NotOrderKey(account, msg.sender);
        if (!_permitted(nomination, msg.sender, key)) revert KeyLimited(account, msg.sender);
        if (reason == Skip.GateClosed) revert GateClosed(slot);
        if (reason == Skip.QuantityOutOfRange) revert QuantityOutOfRange(account);
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = _leaf(nomination);
        // wh.length / 4 <= slots of a day < 2**16
        _append(frame, leaves, abi.encodePacked(account, slot, seq, uint16(wh.length / 4), wh));
    }

    /// @inheritdoc ISchedules
    function batchCount(uint32 community, uint8 product, uint32 day) external view returns (uint256) {
        return _batches[community][product][day].length;
    }

    /// @inheritdoc ISchedules
    function batchOf(uint32 community, uint8 product, uint32 day, uint32 batch)
        external
        view
        returns (bytes32 root, uint32 count)
    {
        Batch storage found = _batches[community][product][day][batch];
        return (found.root, found.count);
    }

    function _append(Frame memory frame, bytes32[] memory leaves, bytes memory entries) private {
        Batch[] storage batches = _batches[frame.community][frame.product][frame.day];
        uint32 batch = uint32(batches.length);
        uint256 count = leaves.length;
        uint256 start;
        assembly ("memory-safe") {
            start := add(leaves, 0x20)
        }
        batches.push(Batch(Merkle.rootInPlace(start, count), uint32(count)));
        emit NominationsAccepted(frame.community, frame.product, frame.day, batch, entries);
    }

    function _frame(uint32 community, uint8 product, uint32 day, bool relayed)
        private
        view
        returns (Frame memory)
    {
        Rules memory rules = _communities.rulesAt(community, day);
        return Frame(
            community,
            product,
            day,
            relayed ? rules.nominationBatchLead : rules.nominationDirectLead,
            rules.slotSeconds,
            rules.utcOffset,
            int256(uint256(rules.connectionLimitWh))
        );
    }

    /// @dev First failure of a nomination but for its signature, and the key word of its account.
    function _judge(Frame memory frame, Nomination memory nomination)
        private
        view
        returns (Skip, AccountKey key)
    {
        uint256 slots = nomination.wh.length / 4;
        if (slots == 0 || nomination.wh.length % 4 != 0 || nomination.seq == 0) {
            return (Skip.Malformed, key);
        }
        uint256 last = nomination.slot + slots - 1;
        if (
            dayOf(nomination.slot, frame.slotSeconds, frame.utcOffset) != frame.day
                || dayOf(last, frame.slotSeconds, frame.utcOffset) != frame.day
        ) return (Skip.Malformed, key);
        key = _accounts.keyOf(nomination.account);
        if (AccountKey.unwrap(key) == 0 || key.community() != frame.community) {
            return (Skip.UnknownAccount, key);
        }
        if (!key.metered(frame.product)) return (Skip.NoMeter, key);
        if (block.timestamp + frame.lead >= nomination.slot * frame.slotSeconds) {
            return (Skip.GateClosed, key);
        }
        return (_within(nomination.wh, frame.limitWh) ? Skip.None : Skip.QuantityOutOfRange, key);
    }

    /// @dev True if the limits of the key that signed allow the nomination now.
    function _permitted(Nomination memory nomination, address signer, AccountKey key)
        private
        view
        returns (bool)
    {
        if (!key.isLimited()) return true;
        DeviceLimits limits = _accounts.limitsFor(nomination.account, signer);
        if (limits.areNone()) return true;
        return block.timestamp < limits.expiresAt() && _within(nomination.wh, int256(limits.mostWh()));
    }

    function _maySign(uint32 account, address signer, AccountKey key) private view returns (bool) {
        return signer != address(0) && (signer == key.orderKey() || _accounts.mayOrder(account, signer));
    }

    /// @dev Who signed a nomination, zero if the signature is invalid.
    function _signer(
        Frame memory frame,
        Nomination memory nomination,
        bytes calldata wire,
        uint256 signatureAt
    ) private view returns (address) {
        bytes32 hash = keccak256(
            abi.encode(
                NOMINATION,
                nomination.account,
                frame.community,
                frame.product,
                nomination.slot,
                nomination.seq,
                keccak256(nomination.wh)
            )
        );
        return Signatures.recover(_hashTypedDataV4(hash), wire, signatureAt);
    }

    /// @dev True if every int32 of `wh` is within +-limit.
    function _within(bytes memory wh, int256 limit) private pure returns (bool within) {
        within = true;
        // Reads of 4 bytes within `wh`, whose length is a multiple of 4.
        assembly ("memory-safe") {
            let pos := add(wh, 4)
            for { let end := add(pos, mload(wh)) } lt(pos, end) { pos := add(pos, 4) } {
                let value := signextend(3, mload(pos))
                within := and(within, iszero(or(sgt(value, limit), slt(value, sub(0, limit)))))
            }
        }
    }

    function _leaf(Nomination memory nomination) private pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(uint8(0), nomination.account, nomination.slot, nomination.seq, nomination.wh)
        );
    }

    /// @dev Copies a part to `target` at `offset`, where there is room for it; returns the end of what was copied.
    function _copy(bytes memory target, uint256 offset, bytes calldata part) private pure returns (uint256) {
        // All parts together are shorter than the wire, which is as long as `target`.
        assembly ("memory-safe") {
            calldatacopy(add(add(target, 0x20), offset), part.offset, part.length)
        }
        return offset + part.length;
    }
}
