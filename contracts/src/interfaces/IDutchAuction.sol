// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Frame, Lots} from "../types/Lots.sol";
import {ILotMarket} from "./ILotMarket.sol";

/// @notice Terms of a Dutch auction.
/// @param startPrice Price at `from` [micro-token/kWh].
/// @param endPrice Price at `until`: not above the first one where sold, not below it where bought.
/// @param from When lots can first be taken [unix s].
/// @param until When they can last be taken [unix s].
struct DutchTerms {
    Lots lots;
    int32 startPrice;
    int32 endPrice;
    uint40 from;
    uint40 until;
}

/// @notice A take as it is signed.
/// @param limit Worst price: the highest for a buyer, the lowest for a seller [micro-token/kWh].
/// @param nonce Any number; a take with the same content is carried out once.
/// @param validTo Until when it may be carried out [unix s].
struct DutchTake {
    uint64 auction;
    uint32 account;
    uint16 lots;
    int32 limit;
    uint32 nonce;
    uint64 validTo;
}

/// @notice Lots at a price that moves with time, from bad to good for those who take them; the first ones get them.
interface IDutchAuction is ILotMarket {
    /// @notice An auction was created.
    /// @param putUp What the account put up for all lots [nano-token].
    event DutchCreated(uint64 indexed auction, uint32 indexed account, DutchTerms terms, uint256 putUp);

    /// @notice An account took lots; the position's deal is the auction.
    /// @param released What the offering account got back of what it had put up, for its position's lock [nano-token].
    event DutchTaken(
        uint64 indexed auction, uint32 indexed account, uint16 lots, int32 price, uint256 released
    );

    /// @notice The auction is over.
    /// @param unsold Lots that nobody took.
    /// @param released What the offering account got back for them [nano-token].
    event DutchClosed(uint64 indexed auction, uint16 unsold, uint256 released);

    /// @notice The price moves the wrong way.
    error InvalidPrices(int32 startPrice, int32 endPrice);
    /// @notice The price is worse than the limit of who takes.
    error PriceBeyondLimit(int32 price, int32 limit);
    /// @notice Fewer lots are left.
    error NotEnoughLots(uint16 left);
    /// @notice The take was carried out before.
    error AlreadyTaken(bytes32 digest);
    /// @notice A limited order key may not sign this.
    error KeyLimited(uint32 account, address key);
    /// @notice The auction is over.
    error AuctionClosed(uint64 auction);

    /// @notice Offers lots and puts up what they can lock at most. Owner, or order key without limits.
    function create(DutchTerms calldata terms) external returns (uint64 auction);

    /// @notice Takes lots at the price of now. Owner or order key.
    function take(uint64 auction, uint32 account, uint16 lots, int32 limit) external;

    /// @notice Takes lots at the price of now for who signed; by anyone.
    /// @param signature 64 bytes (EIP-2098) by owner or order key, or what the owner, a contract, accepts (EIP-1271).
    function takeSigned(DutchTake calldata order, bytes calldata signature) external;

    /// @notice Ends an auction and gives back what was put up for unsold lots; by anyone after its end, before by the
    /// offering account.
    function close(uint64 auction) external;

    /// @notice Price at a time within the auction [micro-token/kWh].
    function priceAt(uint64 auction, uint256 time) external view returns (int32);

    /// @notice Terms of an auction, what follows from them, lots that are left and whether it is over.
    function auctionOf(uint64 auction)
        external
        view
        returns (DutchTerms memory terms, Frame memory frame, uint16 left, bool closed);

    /// @notice Number of auctions, which is the highest.
    function auctionCount() external view returns (uint64);
}
