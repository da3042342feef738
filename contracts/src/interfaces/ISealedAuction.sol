// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Frame, Lots} from "../types/Lots.sol";
import {ILotMarket} from "./ILotMarket.sol";

/// @notice Terms of a sealed auction.
/// @param payAsBid True if winners pay their bid, false if all pay the price of the best bid for a lot that got none.
/// @param reservePrice Worst price for the offering account: the lowest of a sale, the highest of a purchase [micro-token/kWh].
/// @param deposit What every bid puts up [nano-token].
/// @param commitUntil Until then bids are committed [unix s].
/// @param revealUntil From then on and until that they are revealed [unix s].
struct SealedTerms {
    Lots lots;
    bool payAsBid;
    int32 reservePrice;
    uint64 deposit;
    uint40 commitUntil;
    uint40 revealUntil;
}

/// @notice Where a bid stands.
enum BidState {
    Committed,
    Revealed,
    Settled
}

/// @notice How a bid ended.
enum Outcome {
    Lost,
    Won,
    Unrevealed,
    Unpaid,
    Lapsed
}

/// @notice A bid.
/// @param lots Lots that it wants, 0 until it is revealed.
/// @param won Lots that it got.
/// @param turn Its number among the revealed, from 1 on.
struct Bid {
    bytes32 commitment;
    uint32 account;
    int32 price;
    uint16 lots;
    uint16 won;
    uint16 turn;
    BidState state;
}

/// @notice Sealed bids for lots: committed as a hash, revealed, priced and settled; every deposit is given back or
/// forfeited exactly once.
interface ISealedAuction is ILotMarket {
    /// @notice An auction was created.
    /// @param putUp What the account put up for all lots [nano-token].
    event SealedCreated(uint64 indexed auction, uint32 indexed account, SealedTerms terms, uint256 putUp);

    /// @notice A bid was committed and its deposit put up.
    event BidCommitted(uint64 indexed auction, uint256 bid, uint32 indexed account, bytes32 commitment);

    /// @notice A bid was revealed.
    event BidRevealed(uint64 indexed auction, uint256 bid, uint32 indexed account, int32 price, uint16 lots);

    /// @notice Winners are known.
    /// @param price Of the best revealed bid no worse than the reserve price for a lot that it did not get, else the reserve price.
    /// @param sold Lots that were won.
    /// @param released What the offering account got back for the others [nano-token].
    event SealedFinalised(uint64 indexed auction, int32 price, uint16 sold, uint256 released);

    /// @notice A bid came to its end.
    /// @param price What a winner pays [micro-token/kWh].
    /// @param returned What of its deposit its account got back [nano-token].
    /// @param released What the offering account got back for the won lots [nano-token].
    /// @param forfeited What of the deposit went to the offering account [nano-token].
    /// @param reserved What of the deposit went to the reserve [nano-token].
    event BidSettled(
        uint64 indexed auction,
        uint256 bid,
        uint32 indexed account,
        Outcome outcome,
        uint16 lots,
        int32 price,
        uint256 returned,
        uint256 released,
        uint256 forfeited,
        uint256 reserved
    );

    /// @notice The offering account does not bid.
    error OwnAuction(uint32 account);
    /// @notice An account bids once.
    error AlreadyCommitted(uint32 account);
    /// @notice The auction takes no more bids.
    error TooManyBids(uint256 most);
    /// @notice A commitment or a deposit of zero.
    error Zero();
    /// @notice There is no such bid, or it was revealed.
    error NotCommitted(uint32 account);
    /// @notice Price, lots and salt are not what was committed.
    error WrongCommitment(bytes32 commitment);
    /// @notice Winners are known already.
    error AlreadyFinal(uint64 auction);
    /// @notice Winners are not known yet.
    error NotFinal(uint64 auction);
    /// @notice There is no such bid.
    error UnknownBid(uint256 bid);

    /// @notice Offers lots and puts up what they can lock at most. Owner, or order key without limits.
    function create(SealedTerms calldata terms) external returns (uint64 auction);

    /// @notice Bids, and puts up the deposit. Owner, or order key without limits.
    /// @param commitment EIP-712 digest of `SealedBid(auction, account, price, lots, salt)`.
    function commit(uint64 auction, uint32 account, bytes32 commitment) external;

    /// @notice Bids for who signed `SealedCommit`; by anyone.
    /// @param signature 64 bytes (EIP-2098) by owner or order key without limits, or what the owner, a contract, accepts
    /// (EIP-1271).
    function commitSigned(
        uint64 auction,
        uint32 account,
        bytes32 commitment,
        uint64 validTo,
        bytes calldata signature
    ) external;

    /// @notice Opens a committed bid; by anyone who knows the salt.
    function reveal(uint64 auction, uint32 account, int32 price, uint16 lots, bytes32 salt) external;

    /// @notice Finds winners and price once revealing is over; by anyone.
    function finalise(uint64 auction) external;

    /// @notice Settles bids of a final auction, those that are settled already stay as they are; by anyone.
    /// @dev Winners are settled before the first slot; from then on everybody gets back what was put up.
    function settle(uint64 auction, uint256[] calldata bids) external;

    /// @notice Terms of an auction and what follows from them; whether winners are known, and the price.
    function auctionOf(uint64 auction)
        external
        view
        returns (SealedTerms memory terms, Frame memory frame, bool isFinal, int32 price);

    /// @notice A bid; numbers start at 0.
    function bidOf(uint64 auction, uint256 bid) external view returns (Bid memory);

    /// @notice Number of bids.
    function bidCount(uint64 auction) external view returns (uint256);

    /// @notice Number of auctions, which is the highest.
    function auctionCount() external view returns (uint64);

    /// @notice Largest number of bids of an auction.
    function MAX_BIDS() external view returns (uint256);
}
