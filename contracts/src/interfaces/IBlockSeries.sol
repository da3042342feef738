// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Series} from "../types/Series.sol";

/// @notice A match of two accounts in a series.
/// @param series What they trade.
/// @param community Community that both named.
/// @param product Product that both named.
/// @param buyer Account that draws the energy.
/// @param seller Account that feeds it in.
/// @param lots Number of lots.
/// @param price Price of every slot [micro-token/kWh].
/// @param source Source of the energy, as in orders.
struct BlockTrade {
    uint32 series;
    uint32 community;
    uint8 product;
    uint32 buyer;
    uint32 seller;
    uint32 lots;
    int32 price;
    uint8 source;
}

/// @notice A deal and what secures it.
/// @param nextDay First trading day that was not delivered; after the last one of the series once the deal is over.
/// @param buyerMargin Put up by the buyer [nano-token].
/// @param sellerMargin Put up by the seller [nano-token].
/// @param buyerDeadline When the buyer must have answered a margin call, 0 without one [unix s].
/// @param sellerDeadline When the seller must have answered a margin call, 0 without one [unix s].
struct BlockDeal {
    uint32 series;
    uint32 buyer;
    uint32 seller;
    uint32 lots;
    int32 price;
    uint8 source;
    uint32 nextDay;
    uint64 buyerMargin;
    uint64 sellerMargin;
    uint40 buyerDeadline;
    uint40 sellerDeadline;
}

/// @notice Standard contracts over a calendar mask, secured by margins until each day's positions are opened.
interface IBlockSeries {
    /// @notice A series can be traded; its terms never change.
    event SeriesCreated(uint32 indexed series, uint32 indexed community, Series terms);

    /// @notice The series has another mark: mean price of its slots in the reference report of `day`.
    event Marked(uint32 indexed series, uint32 indexed day, int32 price);

    /// @notice Two accounts bound each other for all days of a series.
    event BlockTraded(
        uint64 indexed deal,
        uint32 indexed buyer,
        uint32 indexed seller,
        uint32 series,
        uint32 lots,
        int32 price,
        uint8 source
    );

    /// @notice Margin moved from the account's free balance into the pot, or back where negative [nano-token]; after the
    /// event that says why, if it was no margin call.
    event MarginMoved(uint64 indexed deal, uint32 indexed account, int256 nano);

    /// @notice The account is to have `missing` free before `deadline`, or the deal ends by default [nano-token, unix s].
    event MarginCalled(uint64 indexed deal, uint32 indexed account, uint256 missing, uint256 deadline);

    /// @notice The positions of a day were opened.
    event Delivered(uint64 indexed deal, uint32 indexed day);

    /// @notice The deal ended before its last day because the accounts that are named failed; 0 for none.
    /// @param day First day that is not delivered.
    /// @param compensation What the failing side's margin gave the other, 0 where both failed [nano-token].
    event Defaulted(
        uint64 indexed deal, uint32 failingBuyer, uint32 failingSeller, uint32 day, uint256 compensation
    );

    /// @notice The deal is over and its margins are returned.
    event DealClosed(uint64 indexed deal);

    /// @notice There is no such series.
    error UnknownSeries(uint32 series);
    /// @notice There is no such deal, or it is over.
    error UnknownDeal(uint64 deal);
    /// @notice A term of a new series is outside of its bounds.
    error InvalidSeries(string term);
    /// @notice The caller is no market.
    error NotMarket(address caller);
    /// @notice The series is of another community or product.
    error OtherMarket(uint32 series, uint32 community, uint8 product);
    /// @notice Trading of the series ended at this time.
    error TradingEnded(uint32 series, uint256 lastTrading);
    /// @notice Buyer and seller are the same account.
    error SelfTrade(uint32 account);
    /// @notice The account is no metered member of the community.
    error NotMember(uint32 account, uint32 community);
    /// @notice There is no such source.
    error UnknownSource(uint8 source);
    /// @notice No lots, or more energy in a slot than the connection limit [Wh].
    error QuantityOutOfRange(uint32 lots, uint256 wh);
    /// @notice The price lies outside of the community's band.
    error PriceOutOfBand(int32 price);
    /// @notice The series has no mark, or there is a report of a later day up to tomorrow.
    error StaleMark(uint32 series, uint32 day);
    /// @notice The prices are not those of the day's reference report.
    error NotReported(uint32 day);
    /// @notice There is a mark of a later day.
    error LaterMark(uint32 day, uint32 marked);
    /// @notice The series does not deliver on the day, or the deal did already.
    error NotDeliverable(uint64 deal, uint32 day);
    /// @notice A day is delivered from `from` on, until before `until`.
    error OutsideWindow(uint256 from, uint256 until);
    /// @notice The account can not take the day's position yet, and has until `due` to be able to.
    error NotReady(uint32 account, uint256 need, uint256 due);
    /// @notice Days are left to deliver.
    error NotOver(uint64 deal, uint256 deliveries);

    /// @notice Creates a series; numbers start at 1. ADMIN only.
    function create(Series calldata terms) external returns (uint32 series);

    /// @notice Sets a series' mark to the mean of the forward prices of its slots in a day's reference report, rounded
    /// down. Never to a report of an earlier day. Anyone.
    /// @param prices All prices of the report.
    function remark(uint32 series, uint32 day, bytes calldata prices) external returns (int32 mark);

    /// @notice Binds two accounts that agreed and takes the margins of both. Market modules only.
    /// @return deal Numbers start at 1.
    function record(BlockTrade calldata trade) external returns (uint64 deal);

    /// @notice Opens a day's positions and returns that day's part of the margins. Anyone, from a day before the first
    /// slot until its nominations close. An account that cannot lock what its side needs has until `DUE_LEAD` before
    /// the first slot; afterwards the call ends the deal by its default.
    function deliver(uint64 deal, uint32 day) external;

    /// @notice Brings one side's margin to what the mark asks for: returns what is too much; takes what is missing from
    /// the free balance where it has less than maintenance; calls for what the balance does not hold; ends the deal by
    /// default where that was called for before and the time is over. Anyone.
    function callMargin(uint64 deal, bool buyer) external;

    /// @notice Returns the margins of a deal none of whose days can be delivered any more. Anyone.
    function close(uint64 deal) external;

    /// @notice Terms of a series.
    function seriesOf(uint32 series) external view returns (Series memory);

    /// @notice Mark of a series and the day of its report, 0 without one.
    function markOf(uint32 series) external view returns (int32 price, uint32 day);

    /// @notice A deal.
    function dealOf(uint64 deal) external view returns (BlockDeal memory);

    /// @notice Number of series, which is the highest.
    function seriesCount() external view returns (uint32);

    /// @notice Number of deals, which is the highest.
    function dealCount() external view returns (uint64);

    /// @notice Before the first slot of a day so long its positions can be opened [s].
    function DELIVERY_LEAD() external view returns (uint256);

    /// @notice Before the first slot of a day so long both sides must be able to lock what it needs [s].
    function DUE_LEAD() external view returns (uint256);

    /// @notice Time to answer a margin call [s].
    function TOP_UP_TIME() external view returns (uint256);
}
