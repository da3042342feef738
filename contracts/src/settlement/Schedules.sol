// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {ISchedules} from "../interfaces/ISchedules.sol";
import {Digests, newDigests} from "../libraries/Digests.sol";
import {HashChain} from "../libraries/HashChain.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Wire} from "../libraries/Wire.sol";
import {AccountKey} from "../types/AccountWords.sol";
import {productDay} from "../types/ProductDay.sol";
import {DeviceLimits} from "../types/DeviceLimits.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";
import {Skip} from "../types/Skip.sol";

/// @title Schedules
/// @notice What every home announces to draw or feed in; the nomination with the highest seq counts.
contract Schedules is ISchedules, EIP712 {
    using Wire for bytes;

    /// @dev What the nominations of one call share. The day's slots are those from `first` on before `end`; a nomination can
    /// begin now in `span` of them, from `open` on.
    struct Frame {
        uint32 community;
        uint8 product;
        uint32 day;
        uint256 home;
        uint256 first;
        uint256 end;
        uint256 open;
        uint256 span;
        uint256 limitWh;
        Digests digests;
    }

    bytes32 private constant NOMINATION = keccak256(
        "Nomination(uint32 account,uint32 community,uint8 product,uint32 slot,uint32 seq,bytes wh)"
    );

    uint256 private constant NOMINATION_FIELDS = 6;

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
        bytes memory keys = _accounts.keysOf(_accountsOf(nominations));
        // Both arrays have room for everything and grow from nothing.
        bytes memory entries = new bytes(nominations.length);
        bytes32[] memory leaves = new bytes32[](keys.length / 32);
        assembly ("memory-safe") {
            mstore(entries, 0)
            mstore(leaves, 0)
        }
        uint256 pos = 0;
        // `_accountsOf` found an entry and its signature at every position, so that none is beyond the wire.
        unchecked {
            for (uint256 i = 0; i < keys.length; i += 32) {
                uint256 head = nominations.word(pos);
                uint256 end = pos + _entryBytes(head);
                (Skip reason, bytes32 leaf) = _check(frame, head, nominations, pos, end, _keyAt(keys, i));
                if (reason == Skip.None) _push(leaves, entries, leaf, nominations.part(pos, end));
                else emit NominationSkipped(community, product, day, _account(head), _seq(head), reason);
                pos = end + SIGNATURE_BYTES;
            }
        }
        if (leaves.length != 0) _append(frame, leaves, entries);
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
        Skip fault = _fault(frame, head, wh, msg.sender, key);
        if (fault == Skip.Malformed) revert MalformedNomination();
        if (fault == Skip.UnknownAccount) revert UnknownAccount(account);
        if (fault == Skip.NoMeter) revert NoMeter(account, product);
        if (fault == Skip.BadSignature) revert NotOrderKey(account, msg.sender);
        if (fault == Skip.KeyLimited) revert KeyLimited(account, msg.sender);
        if (fault == Skip.GateClosed) revert GateClosed(slot);
        if (fault == Skip.TooFarAhead) revert TooFarAhead(slot);
        if (fault == Skip.QuantityOutOfRange) revert QuantityOutOfRange(account);
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
        uint256 lead = relayed ? rules.nominationBatchLead : rules.nominationDirectLead;
        uint256 open = Math.max(first, (block.timestamp + lead) / rules.slotSeconds + 1);
        uint256 last = Math.min(end, (block.timestamp + HORIZON) / rules.slotSeconds + 1);
        return Frame(
            community,
            product,
            day,
            productDay(community, product, day).homeOf(),
            first,
            end,
            open,
            Math.saturatingSub(last, open),
            rules.connectionLimitWh,
            _digestsOf(_domainSeparatorV4(), community, product)
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
        bytes calldata wh = nominations.part(pos + HEAD_BYTES, end);
        bytes32 energies;
        (leaf, energies) = _hashes(head, wh);
        address signer = Signatures.recover(_digest(frame.digests, head, energies), nominations, end);
        // As usual; else one thing after the other.
        if (!key.isExactly(frame.home, signer) || !_isTimely(frame, head, wh) || !_within(wh, frame.limitWh))
        {
            reason = _fault(frame, head, wh, signer, key);
        }
    }

    /// @dev First failure of a nomination by `signer`.
    function _fault(Frame memory frame, uint256 head, bytes calldata wh, address signer, AccountKey key)
        private
        view
        returns (Skip)
    {
        uint256 slot = _slot(head);
        // Numbers of 32 bits and the count of a day's slots.
        unchecked {
            if (
                wh.length == 0 || wh.length % 4 != 0 || _seq(head) == 0 || slot < frame.first
                    || slot + wh.length / 4 > frame.end
            ) return Skip.Malformed;
        }
        if (!key.isOf(frame.home)) return Skip.UnknownAccount;
        if (!key.isMetered(frame.home)) return Skip.NoMeter;
        if (!_maySign(_account(head), signer, key)) return Skip.BadSignature;
        if (!_permitted(_account(head), wh, signer, key)) return Skip.KeyLimited;
        if (slot < frame.open) return Skip.GateClosed;
        if (slot - frame.open >= frame.span) return Skip.TooFarAhead;
        return _within(wh, frame.limitWh) ? Skip.None : Skip.QuantityOutOfRange;
    }

    /// @dev True if a nomination has slots, all of the day, the first of which can be nominated now, and a seq.
    function _isTimely(Frame memory frame, uint256 head, bytes calldata wh) private pure returns (bool) {
        uint256 slot = _slot(head);
        // Numbers of 32 bits and the count of a day's slots; a slot before the first one wraps around.
        unchecked {
            return slot - frame.open < frame.span && slot + wh.length / 4 <= frame.end
                && wh.length * _seq(head) != 0;
        }
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

    /// @dev For the digests of nominations of one product.
    function _digestsOf(bytes32 domain, uint32 community, uint8 product)
        private
        pure
        returns (Digests digests)
    {
        digests = newDigests(domain, NOMINATION, NOMINATION_FIELDS);
        digests.set(1, community);
        digests.set(2, product);
    }

    /// @dev EIP-712 digest of a nomination whose energies have the hash `energies`.
    function _digest(Digests digests, uint256 head, bytes32 energies) private pure returns (bytes32) {
        digests.set(0, _account(head));
        digests.set(3, _slot(head));
        digests.set(4, _seq(head));
        digests.set(5, uint256(energies));
        return digests.digest(NOMINATION_FIELDS);
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
        // What is read beyond the wire is zero, so that an entry without its end leads beyond it.
        unchecked {
            while (pos < nominations.length) {
                uint256 head = nominations.word(pos);
                assembly ("memory-safe") {
                    mstore(add(add(accounts, 0x20), shl(2, count)), head)
                }
                pos += _entryBytes(head) + SIGNATURE_BYTES;
                ++count;
            }
        }
        if (pos != nominations.length || count > MAX_ENTRIES) revert MalformedWire();
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

    /// @dev Key at an offset of words that reach there.
    function _keyAt(bytes memory keys, uint256 offset) private pure returns (AccountKey key) {
        assembly ("memory-safe") {
            key := mload(add(add(keys, 0x20), offset))
        }
    }

    /// @dev Adds a leaf and its entry to arrays that have room for them.
    function _push(bytes32[] memory leaves, bytes memory entries, bytes32 leaf, bytes calldata entry)
        private
        pure
    {
        assembly ("memory-safe") {
            let count := add(mload(leaves), 1)
            mstore(leaves, count)
            mstore(add(leaves, shl(5, count)), leaf)
            let length := mload(entries)
            calldatacopy(add(add(entries, 0x20), length), entry.offset, entry.length)
            mstore(entries, add(length, entry.length))
        }
    }
}
