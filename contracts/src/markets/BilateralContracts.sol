// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {BilateralDeal, BilateralTerms, IBilateralContracts} from "../interfaces/IBilateralContracts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IOracle, MeterRoot} from "../interfaces/IOracle.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {MeterProof} from "../types/Evidence.sol";
import {Amounts} from "../libraries/Amounts.sol";
import {Consent} from "../libraries/Consent.sol";
import {MeterTree} from "../libraries/MeterTree.sol";
import {Wire} from "../libraries/Wire.sol";
import {Form} from "../types/Form.sol";
import {LAST_SOURCE, bias, lockOf} from "../types/OrderRecord.sol";
import {Agreement} from "../types/Position.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";

/// @title BilateralContracts
/// @notice Two accounts agree once; every day or measured slot of the contract then becomes positions without them.
contract BilateralContracts is IBilateralContracts, EIP712 {
    using BitMaps for BitMaps.BitMap;
    using Consent for IAccounts;
    using Wire for bytes;

    bytes32 private constant TERMS = keccak256(
        "BilateralTerms(uint32 community,uint8 product,uint32 seller,uint32 buyer,uint8 source,uint32 fromDay,uint32 toDay,bool spot,int32 price,uint16 sharePermille,bytes profile,uint16 noticeDays,uint64 fee,uint64 validTo,uint64 salt)"
    );

    uint256 private constant DAY = 86_400;
    uint256 private constant WHOLE = 1000;

    /// @dev Feed of the reference prices.
    uint8 private constant REFERENCE = 2;

    /// @dev How long before a day its positions may be opened, so that nobody locks money for longer [s].
    uint256 private constant LEAD = 2 days;

    /// @dev How long before the last moment of a delivery who cannot pay is in default [s].
    uint256 private constant GRACE = 1 hours;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;
    IPositions private immutable _positions;
    IOracle private immutable _oracle;

    /// @inheritdoc IBilateralContracts
    uint64 public dealCount;

    /// @inheritdoc IBilateralContracts
    mapping(bytes32 hash => uint64) public dealOf;

    mapping(uint64 deal => BilateralDeal) private _deals;

    mapping(uint64 deal => BitMaps.BitMap) private _delivered;

    /// @dev Key that agreed on chain for an account; it counts as long as it may bind the account.
    mapping(bytes32 hash => mapping(uint32 account => address)) private _proposers;

    mapping(bytes32 hash => bool) private _revoked;

    /// @param accounts Must grant this contract `Module.Market`.
    /// @param communities Rules and calendar.
    /// @param positions Where deliveries are recorded.
    /// @param oracle Reference prices and meters.
    constructor(IAccounts accounts, ICommunities communities, IPositions positions, IOracle oracle)
        EIP712("Otaniemi", "1")
    {
        (_accounts, _communities, _positions, _oracle) = (accounts, communities, positions, oracle);
    }

    /// @inheritdoc IBilateralContracts
    function conclude(
        BilateralTerms calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) external returns (uint64 deal) {
        bytes32 hash = hashOf(terms);
        _requireAgreed(hash, terms.seller, sellerSignature);
        _requireAgreed(hash, terms.buyer, buyerSignature);
        return _conclude(terms, hash);
    }

    /// @inheritdoc IBilateralContracts
    function propose(BilateralTerms calldata terms, uint32 account) external {
        _requireParty(terms.seller, terms.buyer, account);
        bytes32 hash = hashOf(terms);
        _check(terms, hash);
        _proposers[hash][account] = msg.sender;
        emit Proposed(hash, account, terms);
    }

    /// @inheritdoc IBilateralContracts
    function accept(BilateralTerms calldata terms, uint32 account) external returns (uint64 deal) {
        _requireParty(terms.seller, terms.buyer, account);
        bytes32 hash = hashOf(terms);
        uint32 other = account == terms.seller ? terms.buyer : terms.seller;
        if (!_accounts.mayBind(other, _proposers[hash][other])) revert NotProposed(hash);
        return _conclude(terms, hash);
    }

    /// @inheritdoc IBilateralContracts
    function revoke(BilateralTerms calldata terms, uint32 account) external {
        _requireParty(terms.seller, terms.buyer, account);
        bytes32 hash = hashOf(terms);
        if (dealOf[hash] != 0 || _revoked[hash]) revert Spent(hash);
        _revoked[hash] = true;
        emit Revoked(hash, account);
    }

    /// @inheritdoc IBilateralContracts
    function deliver(BilateralTerms calldata terms, uint32 day, bytes calldata prices) external {
        (uint64 deal, Agreement[] memory parts,) = _dayOf(terms, day, prices, LEAD);
        _delivered[deal].set(day);
        for (uint256 i = 0; i < parts.length; ++i) {
            _positions.open(parts[i]);
        }
        emit Delivered(deal, day);
    }

    /// @inheritdoc IBilateralContracts
    function deliverMetered(
        BilateralTerms calldata terms,
        uint32 slot,
        MeterProof calldata meter,
        bytes calldata prices
    ) external {
        (uint64 deal, Agreement[] memory parts,) = _slotOf(terms, slot, meter, prices, type(uint256).max);
        _delivered[deal].set(slot);
        _positions.openMetered(parts[0]);
        emit DeliveredMetered(deal, slot, parts[0].wh[0], parts[0].price);
    }

    /// @inheritdoc IBilateralContracts
    function terminate(uint64 deal, uint32 account) external {
        BilateralDeal storage d = _deals[deal];
        _requireParty(d.seller, d.buyer, account);
        // The agreed last day is a u32 and ends later, or this reverts.
        uint256 lastDay = _today(d.community) + d.noticeDays;
        if (lastDay >= d.lastDay) revert EndsAnyway(d.lastDay);
        d.lastDay = uint32(lastDay);
        emit Terminated(deal, account, uint32(lastDay), false);
    }

    /// @inheritdoc IBilateralContracts
    function terminateEarly(uint64 deal, uint32 account) external {
        BilateralDeal storage d = _deals[deal];
        _requireParty(d.seller, d.buyer, account);
        if (_today(d.community) >= d.lastDay) revert EndsAnyway(d.lastDay);
        _end(deal, d, account);
        emit Terminated(deal, account, d.lastDay, true);
    }

    /// @inheritdoc IBilateralContracts
    function claimDefault(BilateralTerms calldata terms, uint32 day, bytes calldata prices, uint32 claimant)
        external
    {
        (uint64 deal, Agreement[] memory parts, Rules memory rules) = _dayOf(terms, day, prices, GRACE);
        _default(deal, parts, rules, claimant);
    }

    /// @inheritdoc IBilateralContracts
    function claimMeteredDefault(
        BilateralTerms calldata terms,
        uint32 slot,
        MeterProof calldata meter,
        bytes calldata prices,
        uint32 claimant
    ) external {
        (uint64 deal, Agreement[] memory parts, Rules memory rules) =
            _slotOf(terms, slot, meter, prices, GRACE);
        _default(deal, parts, rules, claimant);
    }

    /// @inheritdoc IBilateralContracts
    function close(uint64 deal) external {
        BilateralDeal storage d = _deals[deal];
        if (!d.depositsHeld) revert UnknownDeal(deal);
        Rules memory rules = _communities.rulesAt(d.community, d.lastDay);
        // Until the bills of the last day a measured slot may be delivered.
        uint256 from = uint256(dayStart(uint256(d.lastDay) + 1, rules.utcOffset)) + rules.billDelay;
        if (block.timestamp < from) revert OutsideWindow(from, type(uint256).max);
        d.depositsHeld = false;
        _credit(d.seller, d.fee, d.buyer, d.fee);
        emit Closed(deal);
    }

    /// @inheritdoc IBilateralContracts
    function dealAt(uint64 deal) external view returns (BilateralDeal memory) {
        return _deals[deal];
    }

    /// @inheritdoc IBilateralContracts
    function isDelivered(uint64 deal, uint32 dayOrSlot) external view returns (bool) {
        return _delivered[deal].get(dayOrSlot);
    }

    /// @inheritdoc IBilateralContracts
    function hashOf(BilateralTerms calldata terms) public view returns (bytes32) {
        bytes memory head = abi.encode(
            TERMS,
            terms.community,
            terms.product,
            terms.seller,
            terms.buyer,
            terms.source,
            terms.fromDay,
            terms.toDay,
            terms.spot
        );
        bytes memory tail = abi.encode(
            terms.price,
            terms.sharePermille,
            keccak256(terms.profile),
            terms.noticeDays,
            terms.fee,
            terms.validTo,
            terms.salt
        );
        return _hashTypedDataV4(keccak256(bytes.concat(head, tail)));
    }

    /// @dev Puts terms in force that both agreed to. Their hash is spent with it.
    function _conclude(BilateralTerms calldata terms, bytes32 hash) private returns (uint64 deal) {
        _check(terms, hash);
        deal = ++dealCount;
        dealOf[hash] = deal;
        _deals[deal] = BilateralDeal({
            hash: hash,
            community: terms.community,
            seller: terms.seller,
            buyer: terms.buyer,
            lastDay: terms.toDay,
            noticeDays: terms.noticeDays,
            fee: terms.fee,
            depositsHeld: true
        });
        if (terms.fee != 0) {
            bytes memory taken =
                _accounts.debit(abi.encodePacked(terms.seller, terms.fee, terms.buyer, terms.fee));
            _requireTaken(taken, 0, terms.seller, terms.fee);
            _requireTaken(taken, 1, terms.buyer, terms.fee);
        }
        emit Concluded(deal, terms.seller, terms.buyer, hash, terms);
    }

    /// @dev Terms that can be concluded now.
    function _check(BilateralTerms calldata terms, bytes32 hash) private view {
        if (dealOf[hash] != 0 || _revoked[hash]) revert Spent(hash);
        if (terms.validTo < block.timestamp) revert Expired(terms.validTo);
        Rules memory rules = _communities.rulesAt(terms.community, terms.fromDay);
        _require(terms.product < 8 && (rules.products >> terms.product) & 1 == 1, "product");
        _require(terms.seller != terms.buyer, "buyer");
        _require(_isMember(terms.seller, terms.community, terms.product), "seller");
        _require(_isMember(terms.buyer, terms.community, terms.product), "buyer");
        _require(terms.source <= LAST_SOURCE, "source");
        _require(terms.fromDay > _today(terms.community) && terms.fromDay <= terms.toDay, "days");
        int256 low = terms.spot ? -int256(uint256(rules.shortCap)) : int256(rules.priceMin);
        int256 high = terms.spot ? int256(uint256(rules.shortCap)) : int256(rules.priceMax);
        _require(terms.price >= low && terms.price <= high, "price");
        if (terms.sharePermille != 0) {
            _require(terms.sharePermille <= WHOLE && terms.profile.length == 0, "sharePermille");
            return;
        }
        // Communities takes only slots that divide a day.
        // slither-disable-next-line divide-before-multiply
        uint256 slots = DAY / rules.slotSeconds;
        _require(terms.profile.length == 4 * slots, "profile");
        uint256 sum = 0;
        for (uint256 i = 0; i < slots; ++i) {
            uint256 wh = terms.profile.u32(4 * i);
            _require(wh <= rules.connectionLimitWh, "profile");
            sum += wh;
        }
        _require(sum > 0, "profile");
    }

    /// @dev The contract ends with today, and both deposits leave the pot: that of `account` goes to the other party, whose
    /// own returns. See [16].
    function _end(uint64 deal, BilateralDeal storage d, uint32 account) private {
        if (!d.depositsHeld) revert UnknownDeal(deal);
        d.depositsHeld = false;
        uint256 today = _today(d.community);
        // Below the last day, which is a u32.
        if (today < d.lastDay) d.lastDay = uint32(today);
        // A deposit was taken, so it is at most 2**62.
        uint64 both = 2 * d.fee;
        if (account == d.seller) _credit(d.seller, 0, d.buyer, both);
        else _credit(d.seller, both, d.buyer, 0);
    }

    /// @dev Ends the contract at the cost of the party other than the claimant.
    function _default(uint64 deal, Agreement[] memory parts, Rules memory rules, uint32 claimant) private {
        BilateralDeal storage d = _deals[deal];
        _requireParty(d.seller, d.buyer, claimant);
        bool sells = claimant == d.seller;
        uint32 other = sells ? d.buyer : d.seller;
        if (_lacks(parts, !sells, rules)) revert NoDefault(claimant);
        if (!_lacks(parts, sells, rules)) revert NoDefault(other);
        _end(deal, d, other);
        emit Defaulted(deal, other, parts[0].slot, d.lastDay);
    }

    function _credit(uint32 seller, uint64 toSeller, uint32 buyer, uint64 toBuyer) private {
        if (toSeller == 0 && toBuyer == 0) return;
        _accounts.credit(abi.encodePacked(seller, toSeller, buyer, toBuyer));
    }

    /// @dev What a day of a profile opens, from `lead` before it on and, where the price follows the reference, when that can
    /// no longer change.
    function _dayOf(BilateralTerms calldata terms, uint32 day, bytes calldata prices, uint256 lead)
        private
        view
        returns (uint64 deal, Agreement[] memory parts, Rules memory rules)
    {
        deal = _due(terms, day, day);
        rules = _communities.rulesAt(terms.community, day);
        // What the community does not take is no party's default, see [16].
        if (_communities.closed(terms.community, day)) revert IPositions.ClosedDay(terms.community, day);
        uint256 start = uint256(dayStart(day, rules.utcOffset));
        uint256 from = start - lead;
        if (terms.spot) {
            _requirePrices(terms.community, day, prices);
            uint256 settled = _communities.firstGate(terms.community, day) + rules.challengeWindow;
            if (from < settled) from = settled;
        }
        if (block.timestamp < from || block.timestamp >= start) revert OutsideWindow(from, start);
        parts = _parts(terms, deal, day, prices, rules);
    }

    /// @dev What a slot of a share opens, from when its meters can no longer change until the bills, at most `lead` before
    /// them.
    function _slotOf(
        BilateralTerms calldata terms,
        uint32 slot,
        MeterProof calldata meter,
        bytes calldata prices,
        uint256 lead
    ) private view returns (uint64 deal, Agreement[] memory parts, Rules memory rules) {
        uint32 day;
        {
            (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(terms.community);
            day = uint32(dayOf(slot, slotSeconds, utcOffset));
        }
        deal = _due(terms, day, slot);
        rules = _communities.rulesAt(terms.community, day);
        uint256 until = uint256(dayStart(uint256(day) + 1, rules.utcOffset)) + rules.billDelay;
        uint256 from = (uint256(slot) + 1) * rules.slotSeconds + rules.meterWindow + rules.challengeWindow;
        if (lead < until && from < until - lead) from = until - lead;
        if (block.timestamp < from || block.timestamp >= until) revert OutsideWindow(from, until);
        uint256 wh = _surplus(terms, slot, meter) * terms.sharePermille / WHOLE;
        if (wh > rules.connectionLimitWh) wh = rules.connectionLimitWh;
        if (wh == 0 || _positions.remaining(terms.community, terms.product, slot) != WHOLE) {
            revert NothingToDeliver(slot);
        }
        int32 price = terms.price;
        if (terms.spot) {
            _requirePrices(terms.community, day, prices);
            uint256 offset = 8 * (slot - uint256(dayStart(day, rules.utcOffset)) / rules.slotSeconds);
            price = _indexed(terms.price, prices.i32(offset), rules);
        }
        parts = new Agreement[](1);
        parts[0] = _agreement(terms, deal, price, slot, 1);
        // At most the connection limit.
        parts[0].wh[0] = uint32(wh);
    }

    /// @dev The contract of the terms, which has the day or slot still to deliver.
    function _due(BilateralTerms calldata terms, uint32 day, uint32 dayOrSlot)
        private
        view
        returns (uint64 deal)
    {
        bytes32 hash = hashOf(terms);
        deal = dealOf[hash];
        if (deal == 0) revert NotConcluded(hash);
        uint256 lastDay = _deals[deal].lastDay;
        if (day < terms.fromDay || day > lastDay) revert OutsidePeriod(day, terms.fromDay, lastDay);
        if (_delivered[deal].get(dayOrSlot)) revert AlreadyDelivered(dayOrSlot);
    }

    /// @dev The profile of a day without curtailed slots, split where the price changes; slots without energy belong to any
    /// price.
    function _parts(
        BilateralTerms calldata terms,
        uint64 deal,
        uint32 day,
        bytes calldata prices,
        Rules memory rules
    ) private view returns (Agreement[] memory parts) {
        // Communities takes only slots that divide a day.
        // slither-disable-next-line divide-before-multiply
        uint256 slots = DAY / rules.slotSeconds;
        if (terms.profile.length != 4 * slots || (rules.products >> terms.product) & 1 == 0) {
            revert NothingToDeliver(day);
        }
        uint256 first = uint256(dayStart(day, rules.utcOffset)) / rules.slotSeconds;
        uint256[] memory wh = _uncurtailed(terms, day, first, slots);
        parts = new Agreement[](slots);
        uint256 count = 0;
        // Each turn writes it once: either it goes past a slot without energy, or past a part.
        // slither-disable-next-line write-after-write
        for (uint256 i = 0; i < slots;) {
            if (wh[i] == 0) {
                ++i;
                continue;
            }
            int32 price = _priceOf(terms, prices, i, rules);
            uint256 end = i + 1;
            // One past the last slot with energy before the price changes.
            for (uint256 j = end; j < slots; ++j) {
                if (wh[j] == 0) continue;
                if (_priceOf(terms, prices, j, rules) != price) break;
                end = j + 1;
            }
            // Slots of the day, each energy read from 4 bytes.
            Agreement memory part = _agreement(terms, deal, price, uint32(first + i), end - i);
            for (uint256 j = i; j < end; ++j) {
                if (wh[j] > rules.connectionLimitWh) revert NothingToDeliver(day);
                part.wh[j - i] = uint32(wh[j]);
            }
            parts[count++] = part;
            i = end;
        }
        if (count == 0) revert NothingToDeliver(day);
        // The array only gets shorter.
        assembly ("memory-safe") {
            mstore(parts, count)
        }
    }

    /// @dev Energy of each slot of the day, 0 where it was curtailed.
    function _uncurtailed(BilateralTerms calldata terms, uint32 day, uint256 first, uint256 slots)
        private
        view
        returns (uint256[] memory wh)
    {
        bool curtailed = _positions.curtailedSlots(terms.community, day) != 0;
        wh = new uint256[](slots);
        for (uint256 i = 0; i < slots; ++i) {
            if (
                !curtailed || _positions.remaining(terms.community, terms.product, uint32(first + i)) == WHOLE
            ) wh[i] = terms.profile.u32(4 * i);
        }
    }

    /// @dev Whether a side lacks the money for its locks, or the room for its positions of the day.
    function _lacks(Agreement[] memory parts, bool buy, Rules memory rules) private view returns (bool) {
        uint256 fee = uint256(rules.gridFee) + rules.platformFee;
        uint256 need = 0;
        for (uint256 i = 0; i < parts.length; ++i) {
            uint256 wh = 0;
            for (uint256 j = 0; j < parts[i].wh.length; ++j) {
                wh += parts[i].wh[j];
            }
            need += lockOf(buy, bias(parts[i].price), wh, fee, rules.shortCap);
        }
        Agreement memory first = parts[0];
        uint32 account = buy ? first.buyer : first.seller;
        if (_accounts.freeOf(account) < need) return true;
        // A trading day of 32 bits, as the slot's.
        uint32 day = uint32(dayOf(first.slot, rules.slotSeconds, rules.utcOffset));
        uint256 count = _positions.chainOf(first.community, first.product, account, day).count();
        return count + parts.length > _positions.MAX_POSITIONS();
    }

    /// @dev What the seller's meter gave beyond what it took [Wh].
    function _surplus(BilateralTerms calldata terms, uint32 slot, MeterProof calldata meter)
        private
        view
        returns (uint256)
    {
        MeterRoot memory root = _oracle.meterRoot(terms.community, terms.product, slot);
        MeterTree.Node memory node = MeterTree.climb(
            MeterTree.leaf(terms.seller, meter.importWh, meter.exportWh, meter.quality, meter.salt),
            meter.index,
            root.count,
            meter.siblings
        );
        if (!root.reported || node.hash != root.root || meter.quality != 0) {
            revert WrongMeter(terms.seller, slot);
        }
        return meter.exportWh > meter.importWh ? meter.exportWh - meter.importWh : 0;
    }

    function _requirePrices(uint32 community, uint32 day, bytes calldata prices) private view {
        if (prices.length == 0 || keccak256(prices) != _oracle.tariffHash(community, REFERENCE, day)) {
            revert WrongPrices(day);
        }
    }

    function _requireAgreed(bytes32 hash, uint32 account, bytes calldata signature) private view {
        bool agreed = signature.length == 0
            ? _accounts.mayBind(account, _proposers[hash][account])
            : _accounts.isSigned(account, hash, signature);
        if (!agreed) revert NotAuthorised(account, msg.sender);
    }

    /// @dev `account` is one of the two and the caller may bind it.
    function _requireParty(uint32 seller, uint32 buyer, uint32 account) private view {
        if ((account != seller && account != buyer) || !_accounts.mayBind(account, msg.sender)) {
            revert NotAuthorised(account, msg.sender);
        }
    }

    function _isMember(uint32 account, uint32 community, uint8 product) private view returns (bool) {
        return _accounts.communityOf(account) == community && _accounts.keyOf(account).metered(product);
    }

    /// @dev Trading day of now.
    function _today(uint32 community) private view returns (uint256) {
        // The slots do not matter here.
        // slither-disable-next-line unused-return
        (, int32 utcOffset) = _communities.calendarOf(community);
        return dayOf(block.timestamp, 1, utcOffset);
    }

    function _requireTaken(bytes memory taken, uint256 i, uint32 account, uint64 need) private pure {
        uint64 got = Amounts.moneyOf(taken, i);
        if (got != need) revert InsufficientDeposit(account, need, got);
    }

    function _agreement(BilateralTerms calldata terms, uint64 deal, int32 price, uint32 slot, uint256 slots)
        private
        pure
        returns (Agreement memory)
    {
        return Agreement({
            community: terms.community,
            product: terms.product,
            buyer: terms.buyer,
            seller: terms.seller,
            form: Form.Bilateral,
            deal: deal,
            price: price,
            source: terms.source,
            slot: slot,
            wh: new uint32[](slots)
        });
    }

    /// @dev Price of a slot of the day; `prices` are the day's where it follows them.
    function _priceOf(
        BilateralTerms calldata terms,
        bytes calldata prices,
        uint256 slotOfDay,
        Rules memory rules
    ) private pure returns (int32) {
        return terms.spot ? _indexed(terms.price, prices.i32(8 * slotOfDay), rules) : terms.price;
    }

    /// @dev Reference price and what is added, within the band of prices of orders.
    function _indexed(int256 margin, int256 spot, Rules memory rules) private pure returns (int32) {
        int256 price = spot + margin;
        if (price < rules.priceMin) return rules.priceMin;
        if (price > rules.priceMax) return rules.priceMax;
        return int32(price);
    }

    function _require(bool holds, string memory part) private pure {
        if (!holds) revert InvalidTerms(part);
    }
}
