// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {ISchedules} from "../interfaces/ISchedules.sol";
import {HashChain} from "../libraries/HashChain.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Wire} from "../libraries/Wire.sol";
import {AccountKey} from "../types/AccountWords.sol";
import {DeviceLimits} from "../types/DeviceLimits.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";
import {Skip} from "../types/Skip.sol";

/// @title Schedules
/// @notice What every home announces to draw or feed in; the nomination with the highest seq counts.
contract Schedules is ISchedules, EIP712 {
    using Wire for bytes;

    /// @dev What the nominations of one call share. The day's slots are `first` and the `slots - 1` after it.
    struct Frame {
        uint32 community;
        uint8 product;
        uint32 day;
        uint256 first;
        uint256 slots;
        uint256 slotSeconds;
        uint256 lead;
        uint256 limitWh;
        bytes32 domain;
    }

    bytes32 private constant NOMINATION = keccak256(
        "Nomination(uint32 account,uint32 community,uint8 product,uint32 slot,uint32 seq,bytes wh)"
    );

    uint256 private constant HEAD_BYTES = 14;
    uint256 private constant SIGNATURE_BYTES = 64;

    /// @dev As of orders. What was nominated with the highest seq stands, so that no key that is lost or stolen may speak for
    /// later days [s].
    uint256 private constant HORIZON = 8 days;

    /// @dev What the count of a batch holds.
    uint256 private constant MAX_ENTRIES = type(uint16).max;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;

    /// @dev Batches of a day, each `root u240 | count u16`: the root without its low 16 bits.
    // `_append` pushes to it through a reference.
    // slither-disable-next-line uninitialized-state
    mapping(uint32 community => mapping(uint8 product => mapping(uint32 day => uint256[]))) private _batches;

    /// @param accounts Keys and meters.
    /// @param communities Limits and gates.
    constructor(IAccounts accounts, ICommunities communities) EIP712("Otaniemi", "1") {
        _accounts = accounts;
        _communities = communities;
    }

    /// @inheritdoc ISchedules
    function nominateBatch(uint32 community, uint8 product, uint32 day, bytes calldata nominations) external {
        Frame memory frame = _frame(community, product, day, true);
        AccountKey[] memory keys = _accounts.keysOf(_accountsOf(nominations));
        bytes memory entries = new bytes(nominations.length);
        bytes32[] memory leaves = new bytes32[](keys.length);
        (uint256 length, uint256 count, uint256 pos) = (0, 0, 0);
        for (uint256 i = 0; i < keys.length; ++i) {
            // `_accountsOf` found an entry and its signature at every position.
            uint256 head = nominations.word(pos);
            uint256 end = pos + _entryBytes(head);
            (Skip reason, bytes32 leaf) = _check(frame, head, nominations, pos, end, keys[i]);
            if (reason == Skip.None) {
                leaves[count++] = leaf;
                length = _copy(entries, length, nominations[pos:end]);
            } else {
                emit NominationSkipped(community, product, day, _account(head), _seq(head), reason);
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
        uint256 head = (uint256(account) << 224) | (uint256(slot) << 192) | (uint256(seq) << 160);
        AccountKey key = _accounts.keyOf(account);
        Skip reason = _judge(frame, head, wh, key);
        if (reason == Skip.Malformed) revert MalformedNomination();
        if (reason == Skip.UnknownAccount) revert UnknownAccount(account);
        if (reason == Skip.NoMeter) revert NoMeter(account, product);
        if (!_accounts.mayOrder(account, msg.sender)) revert NotOrderKey(account, msg.sender);
        if (!_permitted(account, wh, msg.sender, key)) revert KeyLimited(account, msg.sender);
        if (reason == Skip.GateClosed) revert GateClosed(slot);
        if (reason == Skip.TooFarAhead) revert TooFarAhead(slot);
        if (reason == Skip.QuantityOutOfRange) revert QuantityOutOfRange(account);
        bytes32[] memory leaves = new bytes32[](1);
        (leaves[0],) = _hashes(head, wh);
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
        uint256 found = _batches[community][product][day][batch];
        return (bytes32(found) & HashChain.HEAD, uint16(found));
    }

    function _append(Frame memory frame, bytes32[] memory leaves, bytes memory entries) private {
        uint256[] storage batches = _batches[frame.community][frame.product][frame.day];
        uint32 batch = uint32(batches.length);
        uint256 count = leaves.length;
        uint256 start;
        assembly ("memory-safe") {
            start := add(leaves, 0x20)
        }
        batches.push(uint256(Merkle.rootInPlace(start, count) & HashChain.HEAD) | count);
        emit NominationsAccepted(frame.community, frame.product, frame.day, batch, entries);
    }

    function _frame(uint32 community, uint8 product, uint32 day, bool relayed)
        private
        view
        returns (Frame memory)
    {
        Rules memory rules = _communities.rulesAt(community, day);
        // Slots before local 1970 count to day 0, as in `dayOf`.
        uint256 first = day == 0 ? 0 : uint256(dayStart(day, rules.utcOffset)) / rules.slotSeconds;
        uint256 end = uint256(dayStart(uint256(day) + 1, rules.utcOffset)) / rules.slotSeconds;
        return Frame(
            community,
            product,
            day,
            first,
            end - first,
            rules.slotSeconds,
            relayed ? rules.nominationBatchLead : rules.nominationDirectLead,
            rules.connectionLimitWh,
            _domainSeparatorV4()
        );
    }

    /// @dev First failure of the entry from `pos` to `end` of a batch, whose signature follows it, and its leaf.
    function _check(
        Frame memory frame,
        uint256 head,
        bytes calldata nominations,
        uint256 pos,
        uint256 end,
        AccountKey key
    ) private view returns (Skip reason, bytes32 leaf) {
        bytes calldata wh = nominations[pos + HEAD_BYTES:end];
        reason = _judge(frame, head, wh, key);
        // The signature comes before limits and gate in the order of checks.
        if (reason != Skip.None && reason <= Skip.BadSignature) return (reason, 0);
        bytes32 energies;
        (leaf, energies) = _hashes(head, wh);
        bytes32 digest = MessageHashUtils.toTypedDataHash(frame.domain, _structHash(frame, head, energies));
        address signer = Signatures.recover(digest, nominations, end);
        if (!_maySign(_account(head), signer, key)) return (Skip.BadSignature, 0);
        if (!_permitted(_account(head), wh, signer, key)) return (Skip.KeyLimited, 0);
    }

    /// @dev First failure of a nomination but for its signature.
    function _judge(Frame memory frame, uint256 head, bytes calldata wh, AccountKey key)
        private
        view
        returns (Skip)
    {
        if (wh.length == 0 || wh.length % 4 != 0 || _seq(head) == 0) return Skip.Malformed;
        uint256 slot = _slot(head);
        // The first comparison keeps the differences of the second from wrapping.
        unchecked {
            if (slot - frame.first >= frame.slots) return Skip.Malformed;
            if (wh.length / 4 > frame.slots - (slot - frame.first)) return Skip.Malformed;
        }
        if (AccountKey.unwrap(key) == 0 || key.community() != frame.community) return Skip.UnknownAccount;
        if (!key.metered(frame.product)) return Skip.NoMeter;
        uint256 start = slot * frame.slotSeconds;
        if (block.timestamp + frame.lead >= start) return Skip.GateClosed;
        if (start > block.timestamp + HORIZON) return Skip.TooFarAhead;
        return _within(wh, frame.limitWh) ? Skip.None : Skip.QuantityOutOfRange;
    }

    /// @dev True if the limits of the key that signed allow the nomination now.
    function _permitted(uint32 account, bytes calldata wh, address signer, AccountKey key)
        private
        view
        returns (bool)
    {
        if (!key.isLimited()) return true;
        DeviceLimits limits = _accounts.limitsFor(account, signer);
        if (limits.areNone()) return true;
        return block.timestamp < limits.expiresAt() && _within(wh, limits.mostWh());
    }

    function _maySign(uint32 account, address signer, AccountKey key) private view returns (bool) {
        return signer != address(0) && (signer == key.orderKey() || _accounts.mayOrder(account, signer));
    }

    /// @dev EIP-712 struct hash of a nomination whose energies have the hash `energies`.
    function _structHash(Frame memory frame, uint256 head, bytes32 energies)
        private
        pure
        returns (bytes32 hash)
    {
        (bytes32 typeHash, uint256 community, uint256 product) = (NOMINATION, frame.community, frame.product);
        // Writes beyond the free memory pointer only, so that a batch does not pay for the memory of every entry.
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, typeHash)
            mstore(add(m, 0x20), shr(224, head)) // account
            mstore(add(m, 0x40), community)
            mstore(add(m, 0x60), product)
            mstore(add(m, 0x80), and(shr(192, head), 0xffffffff)) // slot
            mstore(add(m, 0xa0), and(shr(160, head), 0xffffffff)) // seq
            mstore(add(m, 0xc0), energies)
            hash := keccak256(m, 0xe0)
        }
    }

    /// @dev Leaf of a nomination, `keccak(0x00, account, slot, seq, wh)`, and the hash of its energies.
    function _hashes(uint256 head, bytes calldata wh) private pure returns (bytes32 leaf, bytes32 energies) {
        // Writes beyond the free memory pointer only; the energies overwrite what follows the seq.
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, shr(8, head))
            calldatacopy(add(m, 13), wh.offset, wh.length)
            leaf := keccak256(m, add(13, wh.length))
            energies := keccak256(add(m, 13), wh.length)
        }
    }

    /// @dev Accounts of the entries of a batch, 4 bytes each.
    function _accountsOf(bytes calldata nominations) private pure returns (bytes memory accounts) {
        // Every entry takes at least its head and its signature, what is left over is none; one word more, as whole words
        // are written.
        // slither-disable-next-line divide-before-multiply
        accounts = new bytes(nominations.length / (HEAD_BYTES + SIGNATURE_BYTES) * 4 + 32);
        (uint256 count, uint256 pos) = (0, 0);
        while (pos < nominations.length) {
            if (pos + HEAD_BYTES > nominations.length) revert MalformedWire();
            uint256 head = nominations.word(pos);
            assembly ("memory-safe") {
                mstore(add(add(accounts, 0x20), shl(2, count)), head)
            }
            pos += _entryBytes(head) + SIGNATURE_BYTES;
            ++count;
            if (pos > nominations.length || count > MAX_ENTRIES) revert MalformedWire();
        }
        // The array only gets shorter.
        assembly ("memory-safe") {
            mstore(accounts, shl(2, count))
        }
    }

    /// @dev True if every int32 of `wh` is within +-limit.
    function _within(bytes calldata wh, uint256 limit) private pure returns (bool within) {
        within = true;
        // The last 4 bytes of each word read are within `wh`, whose length is a multiple of 4; at least as many bytes of
        // arguments stand before it. A sum below 0 wraps beyond any limit, which has 32 bits.
        assembly ("memory-safe") {
            let pos := sub(wh.offset, 28)
            for { let end := add(pos, wh.length) } lt(pos, end) { pos := add(pos, 4) } {
                let value := signextend(3, calldataload(pos))
                within := and(within, iszero(gt(add(value, limit), shl(1, limit))))
            }
        }
    }

    /// @dev Length of an entry by its first word, `account u32 | slot u32 | seq u32 | count u16`.
    function _entryBytes(uint256 head) private pure returns (uint256) {
        // A product of 18 bits.
        unchecked {
            return HEAD_BYTES + 4 * uint256(uint16(head >> 144));
        }
    }

    function _account(uint256 head) private pure returns (uint32) {
        return uint32(head >> 224);
    }

    function _slot(uint256 head) private pure returns (uint32) {
        return uint32(head >> 192);
    }

    function _seq(uint256 head) private pure returns (uint32) {
        return uint32(head >> 160);
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
