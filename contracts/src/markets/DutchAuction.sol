// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {DutchTake, DutchTerms, IDutchAuction} from "../interfaces/IDutchAuction.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {Consent} from "../libraries/Consent.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Form} from "../types/Form.sol";
import {Frame} from "../types/Lots.sol";
import {bias} from "../types/OrderRecord.sol";
import {Rules} from "../types/Rules.sol";
import {LotMarket} from "./LotMarket.sol";

/// @title DutchAuction
/// @notice Lots at a price that moves with time until somebody takes them.
contract DutchAuction is IDutchAuction, LotMarket {
    struct Auction {
        DutchTerms terms;
        Frame frame;
        uint16 left;
        bool closed;
    }

    bytes32 private constant TAKE = keccak256(
        "DutchTake(uint64 auction,uint32 account,uint16 lots,int32 limit,uint32 nonce,uint64 validTo)"
    );

    uint256 private constant SIGNATURE_BYTES = 64;

    /// @inheritdoc IDutchAuction
    uint64 public auctionCount;

    /// @notice True if the signed take was carried out, by its digest.
    mapping(bytes32 digest => bool) public taken;

    mapping(uint64 auction => Auction) private _auctions;

    constructor(IAccounts accounts, ICommunities communities, IPositions positions)
        LotMarket(accounts, communities, positions)
    {}

    /// @inheritdoc IDutchAuction
    function create(DutchTerms calldata terms) external returns (uint64 auction) {
        (int32 first, int32 last) = (terms.startPrice, terms.endPrice);
        if (terms.lots.selling ? first < last : first > last) revert InvalidPrices(first, last);
        (Frame memory frame, Rules memory rules) = _offer(terms.lots, last);
        bool inOrder = terms.from >= block.timestamp && terms.until > terms.from
            && uint256(terms.until) + rules.nominationDirectLead < frame.start;
        if (!inOrder) revert InvalidTimes(frame.start);
        auction = ++auctionCount;
        Auction storage created = _auctions[auction];
        (created.terms, created.frame, created.left) = (terms, frame, terms.lots.count);
        emit DutchCreated(auction, terms.lots.account, terms, uint256(frame.perLot) * terms.lots.count);
    }

    /// @inheritdoc IDutchAuction
    function take(uint64 auction, uint32 account, uint16 lots, int32 limit) external {
        if (!_accounts.mayOrder(account, msg.sender)) revert NotAllowed(account, msg.sender);
        _take(auction, account, lots, limit, msg.sender);
    }

    /// @inheritdoc IDutchAuction
    function takeSigned(DutchTake calldata order, bytes calldata signature) external {
        if (order.validTo < block.timestamp) revert Expired(order.validTo);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(TAKE, order)));
        if (taken[digest]) revert AlreadyTaken(digest);
        taken[digest] = true;
        address signer =
            signature.length == SIGNATURE_BYTES ? Signatures.recover(digest, signature, 0) : address(0);
        if (!_accounts.mayOrder(order.account, signer)) {
            // The owner, a contract, accepts the signature.
            if (!Consent.isSigned(_accounts, order.account, digest, signature)) {
                revert NotSigned(order.account);
            }
            signer = _accounts.ownerOf(order.account);
        }
        _take(order.auction, order.account, order.lots, order.limit, signer);
    }

    /// @inheritdoc IDutchAuction
    function close(uint64 auction) external {
        Auction storage open = _open(auction);
        (uint32 account, uint256 until) = (open.terms.lots.account, open.terms.until);
        if (block.timestamp <= until && !Consent.mayBind(_accounts, account, msg.sender)) {
            revert OutsideWindow(until + 1, type(uint256).max);
        }
        uint16 left = open.left;
        uint256 released = uint256(open.frame.perLot) * left;
        (open.closed, open.left) = (true, 0);
        _giveBack(account, released);
        emit DutchClosed(auction, left, released);
    }

    /// @inheritdoc IDutchAuction
    function priceAt(uint64 auction, uint256 time) external view returns (int32) {
        return _priceAt(_known(auction), time);
    }

    /// @inheritdoc IDutchAuction
    function auctionOf(uint64 auction)
        external
        view
        returns (DutchTerms memory terms, Frame memory frame, uint16 left, bool closed)
    {
        Auction storage known = _known(auction);
        return (known.terms, known.frame, known.left, known.closed);
    }

    /// @param key Key of the account that ordered or signed.
    function _take(uint64 auction, uint32 account, uint16 lots, int32 limit, address key) private {
        Auction storage open = _open(auction);
        int32 price = _priceAt(open, block.timestamp);
        DutchTerms memory terms = open.terms;
        if (terms.lots.selling ? price > limit : price < limit) revert PriceBeyondLimit(price, limit);
        if (lots == 0 || lots > open.frame.most) revert QuantityOutOfRange(lots, open.frame.peak);
        if (lots > open.left) revert NotEnoughLots(open.left);
        uint256 wh = uint256(open.frame.peak) * lots;
        if (!_accounts.limitsFor(account, key).permits(bias(price), wh, block.timestamp)) {
            revert KeyLimited(account, key);
        }
        // lots <= left
        unchecked {
            open.left -= lots;
        }
        uint256 released = uint256(open.frame.perLot) * lots;
        _giveBack(terms.lots.account, released);
        _deliver(terms.lots, Form.Dutch, auction, account, lots, price);
        emit DutchTaken(auction, account, lots, price, released);
    }

    function _open(uint64 auction) private view returns (Auction storage open) {
        open = _known(auction);
        if (open.closed) revert AuctionClosed(auction);
    }

    function _known(uint64 auction) private view returns (Auction storage known) {
        known = _auctions[auction];
        if (auction == 0 || auction > auctionCount) revert UnknownAuction(auction);
    }

    /// @dev Linear from the first price, rounded toward it.
    function _priceAt(Auction storage auction, uint256 time) private view returns (int32) {
        (uint256 from, uint256 until) = (auction.terms.from, auction.terms.until);
        if (time < from || time > until) revert OutsideWindow(from, until + 1);
        int256 first = auction.terms.startPrice;
        int256 change = auction.terms.endPrice - first;
        // Between two int32.
        return int32(first + change * int256(time - from) / int256(until - from));
    }
}
