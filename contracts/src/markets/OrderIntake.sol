// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICallAuction} from "../interfaces/ICallAuction.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {Book, Shelf, newBook, newShelf} from "../libraries/Books.sol";
import {Digests} from "../libraries/Digests.sol";
import {LockRequests} from "../libraries/LockRequests.sol";
import {OrderHash} from "../libraries/OrderHash.sol";
import {RecordList, newRecordList} from "../libraries/RecordList.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Wire} from "../libraries/Wire.sol";
import {productDayOf} from "../types/ProductDay.sol";
import {DeviceLimits} from "../types/DeviceLimits.sol";
import {Market, marketOf as marketKey} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {KNOWN_FLAGS, OrderRecord, bias, isKnownFlags, recordOf} from "../types/OrderRecord.sol";
import {RecordChain} from "../types/RecordChain.sol";
import {dayOf} from "../types/Rules.sol";
import {Skip} from "../types/Skip.sol";

/// @title OrderIntake
/// @notice Markets of signed and direct orders: each keeps a hash chain of the records that it accepted.
abstract contract OrderIntake is ICallAuction, EIP712 {
    using Wire for bytes;

    /// @dev The terms are stored without the count, which the chain has. Once cleared, the outcome stands in their place and
    /// `root` is that of the fill tree.
    struct State {
        RecordChain chain;
        MarketTerms terms;
        bytes32 root;
    }

    /// @dev A relayed profile order; its steps stay in calldata, `record` is that of any without what the step adds.
    struct Profile {
        uint32 account;
        uint32 nonce;
        uint64 validTo;
        uint8 allOrNothing;
        uint256 stepsAt;
        uint256 stepsEnd;
        OrderRecord record;
        DeviceLimits limits;
    }

    uint256 private constant ORDER_BYTES = 89;
    uint256 private constant PROFILE_BYTES = 19;
    uint256 private constant STEP_BYTES = 13;
    uint256 private constant SIGNATURE_BYTES = 64;

    /// @dev What the count and the frontier of the fill tree hold.
    uint256 private constant MAX_RECORDS = type(uint16).max;

    /// @dev Shorter than the notice of a change of rules, so that a market's rules stand before its first order [s].
    uint256 private constant HORIZON = 8 days;

    /// @dev What is left of a slot that is not curtailed [permille].
    uint256 private constant WHOLE = 1000;

    IAccounts private immutable _accounts;
    ICommunities internal immutable _communities;
    IPositions private immutable _positions;

    mapping(Market => State) internal _states;

    /// @inheritdoc ICallAuction
    mapping(uint32 community => mapping(uint32 day => uint256)) public openMarkets;

    constructor(IAccounts accounts, ICommunities communities, IPositions positions) EIP712("Otaniemi", "1") {
        (_accounts, _communities, _positions) = (accounts, communities, positions);
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
        _place(market, account, price, quantity, source, buy, nonce, msg.sender);
    }

    /// @inheritdoc ICallAuction
    function placeOrderOfWallet(
        Market market,
        uint32 account,
        int32 price,
        uint32 quantity,
        uint8 source,
        bool buy,
        uint32 nonce,
        uint64 validTo,
        bytes calldata signature
    ) external {
        if (validTo < block.timestamp) revert Expired(validTo);
        OrderRecord record = _recordOf(account, price, quantity, source, buy, nonce);
        Digests digests = OrderHash.digestsOf(_domainSeparatorV4(), market);
        bytes32 digest = OrderHash.order(digests, record, nonce, validTo);
        address owner = _accounts.ownerOf(account);
        if (!SignatureChecker.isValidERC1271SignatureNow(owner, digest, signature)) {
            revert NotSigned(account, owner);
        }
        _place(market, account, price, quantity, source, buy, nonce, owner);
    }

    /// @inheritdoc ICallAuction
    function relayOrders(Market market, bytes calldata orders) external {
        // Events of a market carry its key, so none may name one that is no market.
        if (orders.length % ORDER_BYTES != 0 || Market.unwrap(market) >> 80 != 0) revert MalformedWire();
        State storage state = _states[market];
        RecordChain chain = state.chain;
        (MarketTerms terms, bool tooFar) = _open(market, state, chain);
        (bytes memory requests, bytes memory records) = _requests(market, terms, tooFar, orders);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        bytes memory faults =
            _accounts.lockBatch(productDayOf(market, terms.day()), MAX_RECORDS - terms.count(), requests);
        if (faults.length != 0) records = _accepted(market, orders, faults);
        _append(market, state, chain, terms, records);
    }

    /// @inheritdoc ICallAuction
    function relayProfiles(uint32 community, uint8 product, uint8 session, bytes calldata profiles) external {
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        Market first = marketKey(community, product, 0, session);
        Shelf memory shelf =
            newShelf(block.timestamp / slotSeconds, HORIZON / slotSeconds + 2, profiles.length / STEP_BYTES);
        uint256 pos = 0;
        while (pos < profiles.length) {
            Profile memory profile = _readProfile(profiles, pos);
            // Accounts calls nobody back, see [1].
            // slither-disable-next-line reentrancy-no-eth
            _relayProfile(shelf, first, profiles, profile, slotSeconds, utcOffset);
            pos = profile.stepsEnd + SIGNATURE_BYTES;
        }
        shelf.deal();
        for (Book book = shelf.first; !book.isNone(); book = book.next()) {
            State storage state = _states[book.market()];
            _append(book.market(), state, state.chain, book.terms(), book.records());
        }
    }

    /// @inheritdoc ICallAuction
    function closeCurtailed(Market market) external {
        MarketTerms terms = _termsOf(market);
        if (terms.count() == 0) revert MarketEmpty(market);
        if (block.timestamp >= terms.directGate()) revert GateClosed(market);
        if (!_isCurtailed(market)) revert NotCurtailed(market);
        _states[market].terms = terms.closedAt(block.timestamp).withCount(0);
        emit MarketClosed(market);
    }

    /// @inheritdoc ICallAuction
    function marketOf(Market market) external view returns (bytes32 head, MarketTerms terms) {
        return (_states[market].chain.head(), _termsOf(market));
    }

    /// @inheritdoc ICallAuction
    function statusOf(Market market) external view returns (uint32 count, bool cleared) {
        MarketTerms terms = _termsOf(market);
        return (uint32(terms.count()), terms.isCleared());
    }

    /// @dev A direct order of whoever is `signer`.
    function _place(
        Market market,
        uint32 account,
        int32 price,
        uint32 quantity,
        uint8 source,
        bool buy,
        uint32 nonce,
        address signer
    ) private {
        OrderRecord record = _recordOf(account, price, quantity, source, buy, nonce);
        State storage state = _states[market];
        RecordChain chain = state.chain;
        (MarketTerms terms, bool tooFar) = _open(market, state, chain);
        uint256 known = 0;
        if (tooFar || block.timestamp >= terms.directGate() || !record.fits(terms)) {
            known = uint256(_judge(_gateFault(tooFar, terms.directGate()), terms, record));
        }
        uint256 need = record.lock(terms.fee(), terms.shortCap());
        uint256 request = LockRequests.pack(signer, account, nonce, known);
        uint256 ask = LockRequests.ask(record, need);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        Skip fault = _accounts.lockOrder(productDayOf(market, terms.day()), request, ask);
        if (fault != Skip.None) _refuse(fault, market, record, nonce, need, signer);
        if (terms.count() == MAX_RECORDS) revert MarketFull(market);
        _append(market, state, chain, terms, record.toBytes());
    }

    function _relayProfile(
        Shelf memory shelf,
        Market first,
        bytes calldata profiles,
        Profile memory profile,
        uint256 slotSeconds,
        int256 utcOffset
    ) private {
        Skip fault = _wellFormed(profiles, profile, slotSeconds, utcOffset);
        if (fault == Skip.None && profile.validTo < block.timestamp) fault = Skip.Expired;
        uint256 request = LockRequests.pack(
            _signer(first, profiles, profile), profile.account, profile.nonce, uint256(fault)
        );
        uint256 free;
        (fault, free, profile.limits) = _accounts.faultOf(productDayOf(first, 0), request);
        if (fault != Skip.None) {
            uint32 slot = profile.stepsAt == profile.stepsEnd ? 0 : profiles.u32(profile.stepsAt);
            emit OrderSkipped(_sibling(first, slot), profile.account, profile.nonce, fault);
            return;
        }
        if (profile.allOrNothing == 1 && !_allPass(shelf, first, profiles, profile, free)) return;
        (uint256 left, Book accepted) = _takeSteps(shelf, first, profiles, profile, free);
        if (accepted.isNone()) return;
        // Checked above, and the steps lock no more than the account has free.
        // slither-disable-next-line unused-return
        _accounts.lockOrder(productDayOf(first, accepted.terms().day()), request, free - left);
    }

    /// @dev Adds the steps that pass to their books.
    /// @param free What the account has free [nano-token].
    /// @return left What is free after what they lock [nano-token].
    /// @return accepted The book of the last one, or none.
    function _takeSteps(
        Shelf memory shelf,
        Market first,
        bytes calldata profiles,
        Profile memory profile,
        uint256 free
    ) private returns (uint256 left, Book accepted) {
        left = free;
        // Steps end within the calldata, and none locks more than what is left.
        unchecked {
            for (uint256 pos = profile.stepsAt; pos < profile.stepsEnd; pos += STEP_BYTES) {
                (Book book, OrderRecord record) = _step(shelf, first, profiles, profile, pos);
                uint256 lock = record.lock(book.terms().fee(), book.terms().shortCap());
                if (lock > left || !book.admits(record) || !profile.limits.areNone()) {
                    Skip fault = _stepFault(book, record, profile.limits, lock, left, 0);
                    if (fault != Skip.None) {
                        emit OrderSkipped(book.market(), profile.account, profile.nonce, fault);
                        continue;
                    }
                }
                shelf.append(book, record);
                accepted = book;
                left -= lock;
            }
        }
    }

    /// @dev First pass of an all-or-nothing profile: true if every step would be accepted after those before it.
    function _allPass(
        Shelf memory shelf,
        Market first,
        bytes calldata profiles,
        Profile memory profile,
        uint256 free
    ) private returns (bool) {
        uint256 before = 0;
        Market previous;
        for (uint256 pos = profile.stepsAt; pos < profile.stepsEnd; pos += STEP_BYTES) {
            (Book book, OrderRecord record) = _step(shelf, first, profiles, profile, pos);
            // Slots never decrease, so the steps of a market follow one another.
            before = Market.unwrap(book.market()) == Market.unwrap(previous) ? before + 1 : 0;
            previous = book.market();
            uint256 lock = record.lock(book.terms().fee(), book.terms().shortCap());
            Skip fault = _stepFault(book, record, profile.limits, lock, free, before);
            if (fault != Skip.None) {
                emit OrderSkipped(book.market(), profile.account, profile.nonce, fault);
                return false;
            }
            // lock <= free
            unchecked {
                free -= lock;
            }
        }
        return true;
    }

    /// @dev Appends accepted records to a market.
    function _append(
        Market market,
        State storage state,
        RecordChain chain,
        MarketTerms terms,
        bytes memory records
    ) private {
        if (records.length == 0) return;
        uint256 count = chain.count();
        if (count == 0) {
            state.terms = terms;
            ++openMarkets[market.community()][terms.day()];
        }
        // At most MAX_RECORDS.
        state.chain = chain.extend(records);
        emit OrdersAccepted(market, uint32(count), records);
    }

    /// @dev A market's terms with its count.
    function _termsOf(Market market) internal view returns (MarketTerms) {
        State storage state = _states[market];
        return _termsOf(state, state.chain);
    }

    /// @dev A market's terms with the count of its chain.
    function _termsOf(State storage state, RecordChain chain) private view returns (MarketTerms) {
        return state.terms.ofStage().withCount(chain.count());
    }

    /// @dev A market's frozen terms, or those that its first order will freeze, and whether its slot is too far ahead. A
    /// market of a curtailed slot takes no first order.
    function _open(Market market, State storage state, RecordChain chain)
        private
        view
        returns (MarketTerms terms, bool tooFar)
    {
        terms = _termsOf(state, chain);
        if (terms.count() == 0) {
            uint256 start;
            (terms, start) = _communities.marketTerms(market);
            tooFar = start > block.timestamp + HORIZON;
            if (MarketTerms.unwrap(terms) != 0 && _isCurtailed(market)) terms = MarketTerms.wrap(0);
        }
    }

    function _isCurtailed(Market market) private view returns (bool) {
        return _positions.remaining(market.community(), market.product(), market.slot()) != WHOLE;
    }

    /// @dev The book and the record of a step.
    function _step(
        Shelf memory shelf,
        Market first,
        bytes calldata profiles,
        Profile memory profile,
        uint256 pos
    ) private view returns (Book book, OrderRecord record) {
        uint256 step = profiles.word(pos);
        book = shelf.find(step >> 224);
        if (book.isNone()) {
            uint32 slot = uint32(step >> 224);
            Market market = _sibling(first, slot);
            State storage state = _states[market];
            (MarketTerms terms, bool tooFar) = _open(market, state, state.chain);
            book = newBook(market, terms, _gateFault(tooFar, terms.relayGate()), MAX_RECORDS - terms.count());
            shelf.put(slot, book);
        }
        record = profile.record.withStep(step);
    }

    /// @dev Records of the orders without a fault, of which there is a byte for each; the others are skipped.
    function _accepted(Market market, bytes calldata orders, bytes memory faults)
        private
        returns (bytes memory)
    {
        RecordList memory accepted = newRecordList(faults.length);
        for (uint256 i = 0; i < faults.length; ++i) {
            (OrderRecord record, uint32 nonce,) = _readOrder(orders, i * ORDER_BYTES);
            if (faults[i] == 0) accepted.push(record);
            else emit OrderSkipped(market, record.account(), nonce, Skip(uint8(faults[i])));
        }
        return accepted.toBytes();
    }

    /// @dev Requests of relayed orders: who signed each, what the market finds wrong, what it locks.
    function _requests(Market market, MarketTerms terms, bool tooFar, bytes calldata orders)
        private
        view
        returns (bytes memory requests, bytes memory records)
    {
        // The length was checked to be that of whole orders.
        // slither-disable-next-line divide-before-multiply
        requests = new bytes(orders.length / ORDER_BYTES * LockRequests.BYTES);
        RecordList memory list = newRecordList(orders.length / ORDER_BYTES);
        Digests digests = OrderHash.digestsOf(_domainSeparatorV4(), market);
        Skip gateFault = _gateFault(tooFar, terms.relayGate());
        bool shut = gateFault != Skip.None;
        (uint256 fee, uint256 shortCap) = (terms.fee(), terms.shortCap());
        // Positions stay below orders.length + ORDER_BYTES.
        unchecked {
            for ((uint256 i, uint256 pos) = (0, 0); pos < orders.length; (++i, pos += ORDER_BYTES)) {
                (OrderRecord record, uint32 nonce, uint64 validTo) = _readOrder(orders, pos);
                bytes32 digest = OrderHash.order(digests, record, nonce, validTo);
                address signer = Signatures.recover(digest, orders, pos + (ORDER_BYTES - SIGNATURE_BYTES));
                uint256 fault = 0;
                if (shut || validTo < block.timestamp || !record.isKnown() || !record.fits(terms)) {
                    fault = uint256(_orderFault(record, validTo, gateFault, terms));
                }
                uint256 ask = LockRequests.ask(record, record.lock(fee, shortCap));
                LockRequests.set(requests, i, LockRequests.pack(signer, record.account(), nonce, fault), ask);
                list.push(record);
            }
        }
        records = list.toBytes();
    }

    /// @dev Signer of a profile.
    function _signer(Market first, bytes calldata profiles, Profile memory profile)
        private
        view
        returns (address)
    {
        bytes32 hash = OrderHash.profile(
            first,
            profile.account,
            profile.allOrNothing == 1,
            profile.nonce,
            profile.validTo,
            profiles[profile.stepsAt:profile.stepsEnd]
        );
        return Signatures.recover(_hashTypedDataV4(hash), profiles, profile.stepsEnd);
    }

    /// @dev Checks 7 and 8 of a market's records; `gate` is when orders are refused from [unix s].
    function _gateFault(bool tooFar, uint256 gate) private view returns (Skip) {
        if (block.timestamp >= gate) return Skip.GateClosed;
        return tooFar ? Skip.TooFarAhead : Skip.None;
    }

    /// @dev First failure of a step from the limits of the key on.
    /// @param limits Of the key that signed.
    /// @param need What the step locks [nano-token].
    /// @param free What is left of the account's free balance [nano-token].
    /// @param before Records that will be appended before it and are not in the book yet.
    function _stepFault(
        Book book,
        OrderRecord record,
        DeviceLimits limits,
        uint256 need,
        uint256 free,
        uint256 before
    ) private view returns (Skip fault) {
        if (!limits.permits(record.topPrice(), record.quantity(), block.timestamp)) {
            return Skip.KeyLimited;
        }
        fault = _judge(book.fault(), book.terms(), record);
        if (fault != Skip.None) return fault;
        if (need > free) return Skip.InsufficientCollateral;
        // Two numbers below 2**32.
        unchecked {
            if (book.added() + before >= book.room()) return Skip.MarketFull;
        }
    }

    /// @dev Checks of a relayed order that are the market's: 1, 4 and 7 to 10.
    function _orderFault(OrderRecord record, uint64 validTo, Skip gateFault, MarketTerms terms)
        private
        view
        returns (Skip)
    {
        if (!record.isKnown()) return Skip.Malformed;
        return validTo < block.timestamp ? Skip.Expired : _judge(gateFault, terms, record);
    }

    /// @dev Checks 7 to 10 of a record; `gateFault` is what 7 and 8 say.
    function _judge(Skip gateFault, MarketTerms terms, OrderRecord record) private pure returns (Skip) {
        if (gateFault != Skip.None || record.fits(terms)) return gateFault;
        return record.isPriced(terms) ? Skip.QuantityOutOfRange : Skip.PriceOutOfBand;
    }

    function _recordOf(uint32 account, int32 price, uint32 quantity, uint8 source, bool buy, uint32 nonce)
        private
        pure
        returns (OrderRecord)
    {
        uint256 flags = (uint256(source) << 1) | (buy ? uint256(1) : 0);
        if (!isKnownFlags(flags)) revert UnknownSource(source);
        return recordOf(account, bias(price), quantity, nonce, flags);
    }

    function _readOrder(bytes calldata orders, uint256 pos)
        private
        pure
        returns (OrderRecord record, uint32 nonce, uint64 validTo)
    {
        uint256 head = orders.word(pos);
        record = OrderRecord.wrap(uint128(head >> 128));
        // The record holds the low 24 bits of the nonce, the wire the 8 bits above them.
        nonce = uint32((((head >> 120) & 0xff) << 24) | ((head >> 136) & 0xffffff));
        validTo = uint64(head >> 56);
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
        // Bit 0 of `known` falls with flags that are not, bit 255 of `falls` rises with a slot before the last one.
        (uint256 previous, uint256 known, uint256 falls) = (0, 1, 0);
        // Steps end within the calldata; a difference below 0 wraps around.
        unchecked {
            for (uint256 pos = profile.stepsAt; pos < profile.stepsEnd; pos += STEP_BYTES) {
                uint256 step = profiles.word(pos);
                known &= KNOWN_FLAGS >> uint8(step >> 152);
                falls |= (step >> 224) - previous;
                previous = step >> 224;
            }
        }
        if (known == 0 || falls >> 255 == 1) return Skip.Malformed;
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
        profile.record = recordOf(profile.account, 0, 0, profile.nonce, 0);
        profile.stepsAt = pos + PROFILE_BYTES;
        profile.stepsEnd = profile.stepsAt + STEP_BYTES * uint16(head >> 104);
        if (profile.stepsEnd + SIGNATURE_BYTES > profiles.length) revert MalformedWire();
    }

    function _sibling(Market market, uint32 slot) private pure returns (Market) {
        return marketKey(market.community(), market.product(), slot, market.session());
    }

    /// @dev Reverts with the error of a direct order.
    function _refuse(
        Skip fault,
        Market market,
        OrderRecord record,
        uint32 nonce,
        uint256 need,
        address signer
    ) private view {
        uint32 account = record.account();
        if (fault == Skip.UnknownAccount) revert UnknownAccount(account);
        if (fault == Skip.NoMeter) revert NoMeter(account, market.product());
        if (fault == Skip.BadSignature) revert NotOrderKey(account, signer);
        if (fault == Skip.NonceUsed) revert NonceUsed(account, nonce);
        if (fault == Skip.KeyLimited) revert KeyLimited(account, signer);
        if (fault == Skip.GateClosed) revert GateClosed(market);
        if (fault == Skip.TooFarAhead) revert TooFarAhead(market);
        if (fault == Skip.PriceOutOfBand) revert PriceOutOfBand(record.price());
        if (fault == Skip.QuantityOutOfRange) revert QuantityOutOfRange(record.quantity());
        revert InsufficientCollateral(account, need, _accounts.freeOf(account));
    }
}
