// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {Bid, BidState, ISealedAuction, Outcome, SealedTerms} from "../interfaces/ISealedAuction.sol";
import {Consent} from "../libraries/Consent.sol";
import {Ranking} from "../libraries/Ranking.sol";
import {Form} from "../types/Form.sol";
import {Frame, Lots} from "../types/Lots.sol";
import {Rules} from "../types/Rules.sol";
import {LotMarket} from "./LotMarket.sol";

/// @title SealedAuction
/// @notice Sealed bids for lots: commit, reveal, one price for all winners or each its own.
contract SealedAuction is ISealedAuction, LotMarket {
    struct Auction {
        SealedTerms terms;
        Frame frame;
        bool isFinal;
        int32 price;
        uint16 revealed;
        Bid[] bids;
    }

    /// @dev What settling bids of an auction needs.
    struct Closing {
        uint64 auction;
        SealedTerms terms;
        Frame frame;
        Rules rules;
        int32 price;
        bool over;
    }

    bytes32 private constant BID =
        keccak256("SealedBid(uint64 auction,uint32 account,int32 price,uint16 lots,bytes32 salt)");

    bytes32 private constant COMMIT =
        keccak256("SealedCommit(uint64 auction,uint32 account,bytes32 commitment,uint64 validTo)");

    /// @dev Least time to reveal, and least time to settle before nominations close [s].
    uint256 private constant LEAST_TIME = 300;

    /// @inheritdoc ISealedAuction
    uint256 public constant MAX_BIDS = 128;

    /// @inheritdoc ISealedAuction
    uint64 public auctionCount;

    mapping(uint64 auction => Auction) private _auctions;

    /// @dev Number of an account's bid, from 1 on.
    mapping(uint64 auction => mapping(uint32 account => uint256)) private _bidOf;

    constructor(IAccounts accounts, ICommunities communities, IPositions positions)
        LotMarket(accounts, communities, positions)
    {}

    /// @inheritdoc ISealedAuction
    function create(SealedTerms calldata terms) external returns (uint64 auction) {
        if (terms.deposit == 0) revert Zero();
        (Frame memory frame, Rules memory rules) = _offer(terms.lots, terms.reservePrice);
        bool inOrder = terms.commitUntil > block.timestamp
            && terms.revealUntil >= uint256(terms.commitUntil) + LEAST_TIME
            && uint256(terms.revealUntil) + LEAST_TIME + rules.nominationBatchLead <= frame.start;
        if (!inOrder) revert InvalidTimes(frame.start);
        auction = ++auctionCount;
        (_auctions[auction].terms, _auctions[auction].frame) = (terms, frame);
        emit SealedCreated(auction, terms.lots.account, terms, uint256(frame.perLot) * terms.lots.count);
    }

    /// @inheritdoc ISealedAuction
    function commit(uint64 auction, uint32 account, bytes32 commitment) external {
        if (!Consent.mayBind(_accounts, account, msg.sender)) revert NotAllowed(account, msg.sender);
        _commit(auction, account, commitment);
    }

    /// @inheritdoc ISealedAuction
    function commitSigned(
        uint64 auction,
        uint32 account,
        bytes32 commitment,
        uint64 validTo,
        bytes calldata signature
    ) external {
        if (validTo < block.timestamp) revert Expired(validTo);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(COMMIT, auction, account, commitment, validTo)));
        if (!Consent.isSigned(_accounts, account, digest, signature)) revert NotSigned(account);
        // An account bids once, so the signature works once.
        _commit(auction, account, commitment);
    }

    /// @inheritdoc ISealedAuction
    function reveal(uint64 auction, uint32 account, int32 price, uint16 lots, bytes32 salt) external {
        Auction storage known = _known(auction);
        (uint256 from, uint256 until) = (known.terms.commitUntil, known.terms.revealUntil);
        if (block.timestamp < from || block.timestamp >= until) revert OutsideWindow(from, until);
        uint256 number = _bidOf[auction][account];
        if (number == 0) revert NotCommitted(account);
        // number > 0
        Bid storage bid = known.bids[number - 1];
        if (bid.state != BidState.Committed) revert NotCommitted(account);
        if (lots == 0 || lots > known.frame.most) revert QuantityOutOfRange(lots, known.frame.peak);
        bytes32 commitment = _hashTypedDataV4(keccak256(abi.encode(BID, auction, account, price, lots, salt)));
        if (bid.commitment != commitment) revert WrongCommitment(commitment);
        (bid.price, bid.lots, bid.turn) = (price, lots, ++known.revealed);
        bid.state = BidState.Revealed;
        emit BidRevealed(auction, number - 1, account, price, lots);
    }

    /// @inheritdoc ISealedAuction
    function finalise(uint64 auction) external {
        Auction storage known = _known(auction);
        if (known.isFinal) revert AlreadyFinal(auction);
        uint256 until = known.terms.revealUntil;
        if (block.timestamp < until) revert OutsideWindow(until, type(uint256).max);
        Lots memory lots = known.terms.lots;
        (uint16 sold, int32 price) = _award(known, lots);
        (known.isFinal, known.price) = (true, price);
        // At most `count` lots are won.
        uint256 released = uint256(known.frame.perLot) * (lots.count - sold);
        _giveBack(lots.account, released);
        emit SealedFinalised(auction, price, sold, released);
    }

    /// @inheritdoc ISealedAuction
    function settle(uint64 auction, uint256[] calldata bids) external {
        Auction storage known = _known(auction);
        if (!known.isFinal) revert NotFinal(auction);
        Closing memory closing = Closing(
            auction,
            known.terms,
            known.frame,
            _communities.rulesAt(known.terms.lots.community, known.frame.day),
            known.price,
            false
        );
        closing.over =
            block.timestamp >= closing.frame.start || _isShut(closing.terms.lots, closing.frame.day);
        for (uint256 i = 0; i < bids.length; ++i) {
            if (bids[i] >= known.bids.length) revert UnknownBid(bids[i]);
            Bid storage bid = known.bids[bids[i]];
            if (bid.state == BidState.Settled) continue;
            Bid memory seen = bid;
            bid.state = BidState.Settled;
            _settle(closing, bids[i], seen);
        }
    }

    /// @inheritdoc ISealedAuction
    function auctionOf(uint64 auction)
        external
        view
        returns (SealedTerms memory terms, Frame memory frame, bool isFinal, int32 price)
    {
        Auction storage known = _known(auction);
        return (known.terms, known.frame, known.isFinal, known.price);
    }

    /// @inheritdoc ISealedAuction
    function bidOf(uint64 auction, uint256 bid) external view returns (Bid memory) {
        Auction storage known = _known(auction);
        if (bid >= known.bids.length) revert UnknownBid(bid);
        return known.bids[bid];
    }

    /// @inheritdoc ISealedAuction
    function bidCount(uint64 auction) external view returns (uint256) {
        return _known(auction).bids.length;
    }

    function _commit(uint64 auction, uint32 account, bytes32 commitment) private {
        Auction storage known = _known(auction);
        Lots memory lots = known.terms.lots;
        if (block.timestamp >= known.terms.commitUntil) revert OutsideWindow(0, known.terms.commitUntil);
        if (commitment == 0) revert Zero();
        if (account == lots.account) revert OwnAuction(account);
        _checkMember(account, lots);
        if (_bidOf[auction][account] != 0) revert AlreadyCommitted(account);
        uint256 number = known.bids.length;
        if (number == MAX_BIDS) revert TooManyBids(MAX_BIDS);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        _putUp(account, known.terms.deposit);
        Bid storage bid = known.bids.push();
        (bid.commitment, bid.account) = (commitment, account);
        _bidOf[auction][account] = number + 1;
        emit BidCommitted(auction, number, account, commitment);
    }

    /// @dev Gives the lots to the best revealed bids no worse than the reserve price; see docs/proofs.md [14].
    /// @return sold Number of lots that were won.
    /// @return price Of the best of these bids for a lot that it did not get, else the reserve price.
    function _award(Auction storage auction, Lots memory lots) private returns (uint16 sold, int32 price) {
        price = auction.terms.reservePrice;
        uint256[] memory ranks = new uint256[](auction.revealed);
        uint256 ranked = 0;
        for (uint256 i = 0; i < auction.bids.length; ++i) {
            Bid storage bid = auction.bids[i];
            bool within = lots.selling ? bid.price >= price : bid.price <= price;
            if (bid.state != BidState.Revealed || !within) continue;
            // Not more than were revealed.
            ranks[ranked++] = Ranking.rankOf(lots.selling, bid.price, bid.turn, i);
        }
        Ranking.sort(ranks, ranked);
        for (uint256 i = 0; i < ranked; ++i) {
            Bid storage bid = auction.bids[Ranking.indexOf(ranks[i])];
            (uint16 wanted, uint16 left) = (bid.lots, lots.count - sold);
            uint16 won = wanted < left ? wanted : left;
            if (won != 0) bid.won = won;
            sold += won;
            if (won < wanted) return (sold, bid.price);
        }
    }

    /// @dev Brings a bid that is marked as settled to its end.
    function _settle(Closing memory closing, uint256 number, Bid memory bid) private {
        if (bid.state == BidState.Committed) return _forfeit(closing, number, bid, Outcome.Unrevealed);
        uint256 deposit = closing.terms.deposit;
        if (bid.won == 0) return _return(closing, number, bid, Outcome.Lost);
        Lots memory lots = closing.terms.lots;
        (uint32 account, uint32 day) = (lots.account, closing.frame.day);
        if (closing.over || _isFull(lots, account, day)) {
            return _return(closing, number, bid, Outcome.Lapsed);
        }
        int32 price = closing.terms.payAsBid ? bid.price : closing.price;
        uint256 need = _lock(lots.selling, price, _total(lots) * bid.won, closing.rules);
        if (_accounts.freeOf(bid.account) + deposit < need || _isFull(lots, bid.account, day)) {
            return _forfeit(closing, number, bid, Outcome.Unpaid);
        }
        _return(closing, number, bid, Outcome.Won);
        _deliver(lots, Form.Sealed, closing.auction, bid.account, bid.won, price);
    }

    /// @dev Gives back what both sides put up.
    function _return(Closing memory closing, uint256 number, Bid memory bid, Outcome outcome) private {
        uint256 deposit = closing.terms.deposit;
        _giveBack(bid.account, deposit);
        _end(closing, number, bid, outcome, deposit, 0, 0);
    }

    /// @dev Half of the deposit is lost to the reserve, so that bids of one's own that are not meant cost as well.
    function _forfeit(Closing memory closing, uint256 number, Bid memory bid, Outcome outcome) private {
        uint256 reserved = closing.terms.deposit - closing.terms.deposit / 2;
        uint256 forfeited = closing.terms.deposit / 2;
        _giveBack(closing.terms.lots.account, forfeited);
        _accounts.reserveFromPot(reserved);
        _end(closing, number, bid, outcome, 0, forfeited, reserved);
    }

    function _end(
        Closing memory closing,
        uint256 number,
        Bid memory bid,
        Outcome outcome,
        uint256 returned,
        uint256 forfeited,
        uint256 reserved
    ) private {
        uint256 released = uint256(closing.frame.perLot) * bid.won;
        _giveBack(closing.terms.lots.account, released);
        emit BidSettled(
            closing.auction,
            number,
            bid.account,
            outcome,
            bid.won,
            closing.terms.payAsBid ? bid.price : closing.price,
            returned,
            released,
            forfeited,
            reserved
        );
    }

    function _known(uint64 auction) private view returns (Auction storage known) {
        known = _auctions[auction];
        if (auction == 0 || auction > auctionCount) revert UnknownAuction(auction);
    }

    /// @dev True if the account can take no more positions of the day.
    function _isFull(Lots memory lots, uint32 account, uint32 day) private view returns (bool) {
        return
            _positions.chainOf(lots.community, lots.product, account, day).count()
                == _positions.MAX_POSITIONS();
    }

    function _total(Lots memory lots) private pure returns (uint256 wh) {
        for (uint256 i = 0; i < lots.wh.length; ++i) {
            wh += lots.wh[i];
        }
    }
}
