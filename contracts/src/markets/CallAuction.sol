// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICallAuction, Result} from "../interfaces/ICallAuction.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {Books} from "../libraries/Books.sol";
import {Clearing} from "../libraries/Clearing.sol";
import {OrderHash} from "../libraries/OrderHash.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Wire} from "../libraries/Wire.sol";
import {AccountHot, AccountKey} from "../types/AccountWords.sol";
import {Market, marketOf as marketKey} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {LAST_SOURCE, OrderRecord, bias, recordOf} from "../types/OrderRecord.sol";
import {dayOf} from "../types/Rules.sol";
import {Skip} from "../types/Skip.sol";

/// @title CallAuction
/// @notice Anyone relays signed orders, anyone clears: nobody can leave an order out, move it or choose the price.
contract CallAuction is ICallAuction, EIP712 {
    using Wire for bytes;
    using Books for Books.Book;
    using Books for Books.Shelf;

    struct State {
        bytes32 head;
        MarketTerms terms;
        Result result;
    }

    /// @dev A relayed profile order; its steps stay in calldata.
    struct Profile {
        uint32 account;
        uint32 nonce;
        uint64 validTo;
        uint8 allOrNothing;
        uint256 stepsAt;
        uint256 stepsEnd;
    }

    uint256 private constant ORDER_BYTES = 89;
    uint256 private constant PROFILE_BYTES = 19;
    uint256 private constant STEP_BYTES = 13;
    uint256 private constant SIGNATURE_BYTES = 64;

    /// @dev A market with more records could not be cleared in one transaction.
    uint256 private constant MAX_RECORDS = 4096;

    /// @dev Shorter than the notice of a change of rules, so that a market's rules stand before its first order [s].
    uint256 private constant HORIZON = 8 days;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;

    mapping(Market => State) private _states;

    /// @inheritdoc ICallAuction
    mapping(uint32 community => mapping(uint32 day => uint256)) public openMarkets;

    /// @param accounts Must grant this contract `Module.Market`.
    /// @param communities Rules of the markets.
    constructor(IAccounts accounts, ICommunities communities) EIP712("Otaniemi", "1") {
        _accounts = accounts;
        _communities = communities;
    }

    /// @inheritdoc ICallAuction
    function placeOrder(
        Market market,
        uint32 account,
        int32 price,
        uint32 quantity,
        uint8 source,
        bool buy,
        uint32 nonce
    ) external {
        if (source > LAST_SOURCE) revert UnknownSource(source);
        (AccountKey key, AccountHot hot) = _accounts.words(account);
        if (!_belongs(key, market)) revert UnknownAccount(account);
        if (!key.metered(market.product())) revert NoMeter(account, market.product());
        if (msg.sender != key.orderKey() && msg.sender != _accounts.ownerOf(account)) {
            revert NotOrderKey(account, msg.sender);
        }
        if (hot.isUsed(nonce)) revert NonceUsed(account, nonce);
        OrderRecord record =
            recordOf(account, bias(price), quantity, nonce, (uint256(source) << 1) | (buy ? uint256(1) : 0));
        Books.Book memory book = _open(market);
        (Skip reason, uint256 need) = _judge(book, record, hot.free(), book.terms.directGate(), 0);
        if (reason != Skip.None) _refuse(reason, market, record, need, hot.free());
        book.append(record);
        _accounts.lock(account, nonce, need, market.community(), book.terms.day());
        _commit(book);
    }

    /// @inheritdoc ICallAuction
    function relayOrders(Market market, bytes calldata orders) external {
        if (orders.length % ORDER_BYTES != 0) revert MalformedWire();
        Books.Book memory book = _open(market);
        for (uint256 pos = 0; pos < orders.length; pos += ORDER_BYTES) {
            _relay(book, orders, pos);
        }
        _commit(book);
    }

    /// @inheritdoc ICallAuction
    function relayProfiles(uint32 community, uint8 product, uint8 session, bytes calldata profiles) external {
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        Market first = marketKey(community, product, 0, session);
        Books.Shelf memory shelf = Books.newShelf(block.timestamp / slotSeconds, HORIZON / slotSeconds + 2);
        uint256 pos = 0;
        while (pos < profiles.length) {
            Profile memory profile = _readProfile(profiles, pos);
            _relayProfile(shelf, first, profiles, profile, slotSeconds, utcOffset);
            pos = profile.stepsEnd + SIGNATURE_BYTES;
        }
        for (Books.Book memory book = shelf.first(); !book.isNone(); book = book.next()) {
            _commit(book);
        }
    }

    /// @inheritdoc ICallAuction
    function clear(Market market, int32 lo, int32 hi, bytes calldata records, uint16[] calldata batches)
        external
    {
        State storage state = _states[market];
        MarketTerms terms = state.terms;
        if (terms.count() == 0) revert MarketEmpty(market);
        if (block.timestamp < terms.directGate()) revert GateOpen(market, terms.directGate());
        if (terms.isCleared()) revert AlreadyCleared(market);
        if (lo > hi || bias(lo) < terms.priceMin() || bias(hi) > terms.priceMax()) {
            revert HintOutOfBand(lo, hi);
        }
        bytes32 head = _replay(records, batches);
        if (head != state.head) revert ChainMismatch(state.head, head);
        (bool valid, Result memory result) =
            Clearing.run(records, bias(lo), bias(hi), terms.priceMin(), terms.priceMax());
        if (!valid) revert NotClearing(lo, hi);
        state.terms = terms.asCleared();
        state.result = result;
        --openMarkets[market.community()][terms.day()];
        emit Cleared(
            market,
            result.price,
            lo,
            hi,
            result.volume,
            result.demandAbove,
            result.supplyBelow,
            uint32(terms.count()),
            result.root
        );
    }

    /// @inheritdoc ICallAuction
    function marketOf(Market market) external view returns (bytes32 head, MarketTerms terms) {
        return (_states[market].head, _states[market].terms);
    }

    /// @inheritdoc ICallAuction
    function statusOf(Market market) external view returns (uint32 count, bool cleared) {
        MarketTerms terms = _states[market].terms;
        return (uint32(terms.count()), terms.isCleared());
    }

    /// @inheritdoc ICallAuction
    function resultOf(Market market) external view returns (Result memory) {
        return _states[market].result;
    }

    function _relay(Books.Book memory book, bytes calldata orders, uint256 pos) private {
        uint256 head = orders.word(pos);
        OrderRecord record = OrderRecord.wrap(uint128(head >> 128));
        // The record holds the low 24 bits of the nonce, the wire the 8 bits above them.
        uint32 nonce =
            uint32(((head >> 120) & 0xff) << 24 | (uint256(OrderRecord.unwrap(record)) >> 8) & 0xffffff);
        uint64 validTo = uint64(head >> 56);
        Skip reason = Skip.Malformed;
        uint256 need = 0;
        if (record.source() <= LAST_SOURCE) {
            uint256 free;
            (reason, free) = _authorise(
                book.market,
                record.account(),
                nonce,
                validTo,
                OrderHash.order(record, book.market, nonce, validTo),
                orders,
                pos + (ORDER_BYTES - SIGNATURE_BYTES)
            );
            if (reason == Skip.None) {
                (reason, need) = _judge(book, record, free, book.terms.relayGate(), 0);
            }
        }
        if (reason != Skip.None) {
            emit OrderSkipped(book.market, record.account(), nonce, reason);
            return;
        }
        book.append(record);
        _accounts.lock(record.account(), nonce, need, book.market.community(), book.terms.day());
    }

    function _relayProfile(
        Books.Shelf memory shelf,
        Market first,
        bytes calldata profiles,
        Profile memory profile,
        uint256 slotSeconds,
        int256 utcOffset
    ) private {
        Skip reason = _wellFormed(profiles, profile, slotSeconds, utcOffset);
        uint256 free = 0;
        if (reason == Skip.None) {
            bytes32 hash = OrderHash.profile(
                first,
                profile.account,
                profile.allOrNothing == 1,
                profile.nonce,
                profile.validTo,
                profiles[profile.stepsAt:profile.stepsEnd]
            );
            (reason, free) = _authorise(
                first, profile.account, profile.nonce, profile.validTo, hash, profiles, profile.stepsEnd
            );
        }
        if (reason != Skip.None) {
            uint32 slot = profile.stepsAt == profile.stepsEnd ? 0 : profiles.u32(profile.stepsAt);
            emit OrderSkipped(_sibling(first, slot), profile.account, profile.nonce, reason);
            return;
        }
        if (profile.allOrNothing == 1 && !_allPass(shelf, first, profiles, profile, free)) return;
        uint256 need = 0;
        uint32 day = 0;
        bool accepted = false;
        for (uint256 pos = profile.stepsAt; pos < profile.stepsEnd; pos += STEP_BYTES) {
            (Books.Book memory book, OrderRecord record) = _step(shelf, first, profiles, profile, pos);
            (Skip fault, uint256 lock) = _judge(book, record, free - need, book.terms.relayGate(), 0);
            if (fault != Skip.None) {
                emit OrderSkipped(book.market, profile.account, profile.nonce, fault);
                continue;
            }
            book.append(record);
            // lock <= free - need
            unchecked {
                need += lock;
            }
            day = book.terms.day();
            accepted = true;
        }
        if (accepted) _accounts.lock(profile.account, profile.nonce, need, first.community(), day);
    }

    /// @dev First pass of an all-or-nothing profile: true if every step would be accepted after those before it.
    function _allPass(
        Books.Shelf memory shelf,
        Market first,
        bytes calldata profiles,
        Profile memory profile,
        uint256 free
    ) private returns (bool) {
        uint256 before = 0;
        Market previous;
        for (uint256 pos = profile.stepsAt; pos < profile.stepsEnd; pos += STEP_BYTES) {
            (Books.Book memory book, OrderRecord record) = _step(shelf, first, profiles, profile, pos);
            // Slots never decrease, so the steps of a market follow one another.
            before = Market.unwrap(book.market) == Market.unwrap(previous) ? before + 1 : 0;
            previous = book.market;
            (Skip fault, uint256 lock) = _judge(book, record, free, book.terms.relayGate(), before);
            if (fault != Skip.None) {
                emit OrderSkipped(book.market, profile.account, profile.nonce, fault);
                return false;
            }
            // lock <= free
            unchecked {
                free -= lock;
            }
        }
        return true;
    }

    /// @dev Appends the book's new records to its market.
    function _commit(Books.Book memory book) private {
        if (book.added == 0) return;
        State storage state = _states[book.market];
        MarketTerms terms = book.terms;
        uint256 count = terms.count();
        if (count == 0) ++openMarkets[book.market.community()][terms.day()];
        (bytes32 head, bytes memory records) = book.chain(state.head);
        state.head = head;
        // At most MAX_RECORDS, as judged for every record.
        unchecked {
            state.terms = terms.withCount(count + book.added);
        }
        emit OrdersAccepted(book.market, uint32(count), records);
    }

    /// @dev The market with its frozen terms, or with those that its first order will freeze.
    function _open(Market market) private view returns (Books.Book memory book) {
        book.market = market;
        book.terms = _states[market].terms;
        if (book.terms.count() == 0) {
            uint256 start;
            (book.terms, start) = _communities.marketTerms(market);
            book.tooFar = start > block.timestamp + HORIZON;
        }
    }

    /// @dev The book and the record of a step.
    function _step(
        Books.Shelf memory shelf,
        Market first,
        bytes calldata profiles,
        Profile memory profile,
        uint256 pos
    ) private view returns (Books.Book memory book, OrderRecord record) {
        uint256 step = profiles.word(pos);
        uint32 slot = uint32(step >> 224);
        book = shelf.find(slot);
        if (book.isNone()) {
            book = _open(_sibling(first, slot));
            shelf.put(slot, book);
        }
        record = recordOf(
            profile.account, uint32(step >> 192), uint32(step >> 160), profile.nonce, uint8(step >> 152)
        );
    }

    /// @dev Checks 2 to 6 of a relayed order; `free` is the account's free balance.
    function _authorise(
        Market market,
        uint32 account,
        uint32 nonce,
        uint64 validTo,
        bytes32 structHash,
        bytes calldata wire,
        uint256 signatureAt
    ) private view returns (Skip reason, uint256 free) {
        (AccountKey key, AccountHot hot) = _accounts.words(account);
        if (!_belongs(key, market)) return (Skip.UnknownAccount, 0);
        if (!key.metered(market.product())) return (Skip.NoMeter, 0);
        if (validTo < block.timestamp) return (Skip.Expired, 0);
        address signer = Signatures.recover(
            _hashTypedDataV4(structHash),
            bytes32(wire.word(signatureAt)),
            bytes32(wire.word(signatureAt + 32))
        );
        if (signer == address(0) || (signer != key.orderKey() && signer != _accounts.ownerOf(account))) {
            return (Skip.BadSignature, 0);
        }
        if (hot.isUsed(nonce)) return (Skip.NonceUsed, 0);
        return (Skip.None, hot.free());
    }

    /// @dev Checks 7 to 12 of a record.
    /// @param free What is left of the account's free balance [nano-token].
    /// @param gate From when on orders are refused [unix s].
    /// @param before Records that will be appended before it and are not in the book yet.
    /// @return reason The first failure.
    /// @return need What the record locks [nano-token].
    function _judge(Books.Book memory book, OrderRecord record, uint256 free, uint256 gate, uint256 before)
        private
        view
        returns (Skip reason, uint256 need)
    {
        MarketTerms terms = book.terms;
        if (block.timestamp >= gate) return (Skip.GateClosed, 0);
        if (book.tooFar) return (Skip.TooFarAhead, 0);
        uint256 price = record.biasedPrice();
        if (price < terms.priceMin() || price > terms.priceMax()) return (Skip.PriceOutOfBand, 0);
        uint256 quantity = record.quantity();
        if (quantity == 0 || quantity > terms.limitWh()) return (Skip.QuantityOutOfRange, 0);
        need = record.lock(terms.fee(), terms.shortCap());
        if (need > free) return (Skip.InsufficientCollateral, need);
        // Three numbers below 2**32.
        unchecked {
            if (terms.count() + book.added + before >= MAX_RECORDS) return (Skip.MarketFull, need);
        }
    }

    /// @dev Check 1 of a profile.
    function _wellFormed(
        bytes calldata profiles,
        Profile memory profile,
        uint256 slotSeconds,
        int256 utcOffset
    ) private pure returns (Skip) {
        if (profile.stepsAt == profile.stepsEnd || profile.allOrNothing > 1) {
            return Skip.Malformed;
        }
        uint256 previous = 0;
        for (uint256 pos = profile.stepsAt; pos < profile.stepsEnd; pos += STEP_BYTES) {
            uint256 step = profiles.word(pos);
            uint256 slot = step >> 224;
            if (slot < previous || uint8(step >> 152) >> 1 > LAST_SOURCE) return Skip.Malformed;
            previous = slot;
        }
        uint256 day = dayOf(profiles.u32(profile.stepsAt), slotSeconds, utcOffset);
        return dayOf(previous, slotSeconds, utcOffset) == day ? Skip.None : Skip.Malformed;
    }

    function _readProfile(bytes calldata profiles, uint256 pos)
        private
        pure
        returns (Profile memory profile)
    {
        if (pos + PROFILE_BYTES > profiles.length) revert MalformedWire();
        uint256 head = profiles.word(pos);
        profile.account = uint32(head >> 224);
        profile.allOrNothing = uint8(head >> 216);
        profile.nonce = uint32(head >> 184);
        profile.validTo = uint64(head >> 120);
        profile.stepsAt = pos + PROFILE_BYTES;
        profile.stepsEnd = profile.stepsAt + STEP_BYTES * uint16(head >> 104);
        if (profile.stepsEnd + SIGNATURE_BYTES > profiles.length) revert MalformedWire();
    }

    /// @dev Head of the hash chain over the batches, which must use up the records.
    function _replay(bytes calldata records, uint16[] calldata batches) private pure returns (bytes32 head) {
        uint256 pos = 0;
        for (uint256 i = 0; i < batches.length; ++i) {
            uint256 end = pos + 16 * uint256(batches[i]);
            if (end > records.length) revert MalformedWire();
            // The batch is copied beyond the free memory pointer, behind the head.
            assembly ("memory-safe") {
                let m := mload(0x40)
                mstore(m, head)
                calldatacopy(add(m, 0x20), add(records.offset, pos), sub(end, pos))
                head := keccak256(m, add(0x20, sub(end, pos)))
            }
            pos = end;
        }
        if (pos != records.length) revert MalformedWire();
    }

    function _sibling(Market market, uint32 slot) private pure returns (Market) {
        return marketKey(market.community(), market.product(), slot, market.session());
    }

    function _belongs(AccountKey key, Market market) private pure returns (bool) {
        return AccountKey.unwrap(key) != 0 && key.community() == market.community();
    }

    /// @dev Reverts with the error of a direct order.
    function _refuse(Skip reason, Market market, OrderRecord record, uint256 need, uint256 free)
        private
        pure
    {
        if (reason == Skip.GateClosed) revert GateClosed(market);
        if (reason == Skip.TooFarAhead) revert TooFarAhead(market);
        if (reason == Skip.PriceOutOfBand) revert PriceOutOfBand(record.price());
        if (reason == Skip.QuantityOutOfRange) revert QuantityOutOfRange(record.quantity());
        if (reason == Skip.MarketFull) revert MarketFull(market);
        revert InsufficientCollateral(record.account(), need, free);
    }
}
