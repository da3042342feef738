// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IAccounts, Module} from "../interfaces/IAccounts.sol";
import {BlockDeal, BlockTrade, IBlockSeries} from "../interfaces/IBlockSeries.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IOracle} from "../interfaces/IOracle.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {Amounts} from "../libraries/Amounts.sol";
import {Wire} from "../libraries/Wire.sol";
import {AccountKey} from "../types/AccountWords.sol";
import {Form} from "../types/Form.sol";
import {LAST_SOURCE, bias, lockOf} from "../types/OrderRecord.sol";
import {Agreement} from "../types/Position.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";
import {Series} from "../types/Series.sol";

/// @title BlockSeries
/// @notice A deal binds for every day of its series; each day becomes a position shortly before. Until then margins
/// stand for what a side's leaving would cost the other; see docs/proofs.md [13].
contract BlockSeries is IBlockSeries, AccessManaged {
    using Wire for bytes;

    struct Mark {
        int32 price;
        uint32 day;
    }

    /// @dev One side of a deal.
    struct Side {
        uint32 account;
        uint64 margin;
        uint40 deadline;
    }

    /// @dev A day's delivery: its slots and times.
    struct Delivery {
        uint32 day;
        uint32 slot;
        uint256 from;
        uint256 due;
        uint256 until;
        Rules rules;
    }

    uint8 private constant ELECTRICITY = 0;
    uint8 private constant REFERENCE = 2;

    /// @dev Bound of the days of a series.
    uint256 private constant MAX_DAYS = 366;

    uint256 private constant DAY = 86_400;

    /// @inheritdoc IBlockSeries
    uint256 public constant DELIVERY_LEAD = 24 hours;

    /// @inheritdoc IBlockSeries
    uint256 public constant DUE_LEAD = 6 hours;

    /// @inheritdoc IBlockSeries
    uint256 public constant TOP_UP_TIME = 24 hours;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;
    IPositions private immutable _positions;
    IOracle private immutable _oracle;
    uint256 private immutable _maxPositions;

    /// @inheritdoc IBlockSeries
    uint32 public seriesCount;

    /// @inheritdoc IBlockSeries
    uint64 public dealCount;

    /// @inheritdoc IBlockSeries
    mapping(uint32 series => Mark) public markOf;

    mapping(uint32 series => Series) private _series;
    mapping(uint64 deal => BlockDeal) private _deals;

    /// @param manager AccessManager that says who is ADMIN.
    /// @param accounts Must know this contract as a market, as `positions` must.
    /// @param communities Calendars and rules.
    /// @param positions Takes each day's delivery.
    /// @param oracle Reference prices.
    constructor(
        address manager,
        IAccounts accounts,
        ICommunities communities,
        IPositions positions,
        IOracle oracle
    ) AccessManaged(manager) {
        (_accounts, _communities, _positions, _oracle) = (accounts, communities, positions, oracle);
        _maxPositions = positions.MAX_POSITIONS();
    }

    /// @inheritdoc IBlockSeries
    function create(Series calldata terms) external restricted returns (uint32 series) {
        Delivery memory first = _deliveryOf(terms, terms.firstDay);
        _require(terms.product == ELECTRICITY && first.rules.products & 1 == 1, "product");
        _require(terms.weekdays < 128, "weekdays");
        // At most 65,535 each.
        unchecked {
            _require(
                terms.slots > 0 && terms.slotOfDay + uint256(terms.slots) <= DAY / first.rules.slotSeconds,
                "slots"
            );
        }
        _require(terms.lastDay >= terms.firstDay && terms.lastDay - terms.firstDay < MAX_DAYS, "lastDay");
        _require(terms.isDelivery(terms.firstDay), "firstDay");
        _require(terms.isDelivery(terms.lastDay), "lastDay");
        _require(terms.lotWh > 0 && terms.lotWh <= first.rules.connectionLimitWh, "lotWh");
        _require(terms.lastTrading > block.timestamp && terms.lastTrading <= first.due, "lastTrading");
        _require(terms.marginPermille <= 1000, "marginPermille");
        _require(terms.marginFloor > 0, "marginFloor");
        series = ++seriesCount;
        _series[series] = terms;
        emit SeriesCreated(series, terms.community, terms);
    }

    /// @inheritdoc IBlockSeries
    function remark(uint32 series, uint32 day, bytes calldata prices) external returns (int32 mark) {
        Series memory terms = _known(series);
        bytes32 reported = _oracle.tariffHash(terms.community, REFERENCE, day);
        if (reported == 0 || keccak256(prices) != reported) revert NotReported(day);
        if (day < markOf[series].day) revert LaterMark(day, markOf[series].day);
        int256 sum = 0;
        // At most the 1,440 slots of a day, two prices each in the report.
        for (uint256 i = 0; i < terms.slots; ++i) {
            sum += prices.i32(8 * (terms.slotOfDay + i) + 4);
        }
        int256 slots = int256(uint256(terms.slots));
        int256 mean = sum / slots;
        // Division truncates.
        if (sum % slots < 0) --mean;
        // A mean of int32.
        // forge-lint: disable-next-line(unsafe-typecast)
        mark = int32(mean);
        markOf[series] = Mark(mark, day);
        emit Marked(series, day, mark);
    }

    /// @inheritdoc IBlockSeries
    function record(BlockTrade calldata trade) external returns (uint64 deal) {
        // Its pot does not matter here.
        // slither-disable-next-line unused-return
        (Module role,) = _accounts.moduleOf(msg.sender);
        if (role != Module.Market) revert NotMarket(msg.sender);
        Series memory terms = _known(trade.series);
        _checkTrade(terms, trade);
        _checkMember(trade.buyer, terms);
        _checkMember(trade.seller, terms);
        int32 mark = _freshMark(trade.series, terms);
        uint256 wh = terms.energyOfDay(trade.lots) * terms.deliveries(terms.firstDay);
        (uint256 move, uint256 buyer, uint256 seller) = terms.margins(trade.price, mark, wh);
        deal = ++dealCount;
        emit BlockTraded(deal, trade.buyer, trade.seller, trade.series, trade.lots, trade.price, trade.source);
        _deals[deal] = BlockDeal({
            series: trade.series,
            buyer: trade.buyer,
            seller: trade.seller,
            lots: trade.lots,
            price: trade.price,
            source: trade.source,
            nextDay: terms.firstDay,
            buyerMargin: _take(deal, trade.buyer, move + buyer),
            sellerMargin: _take(deal, trade.seller, move + seller),
            buyerDeadline: 0,
            sellerDeadline: 0
        });
    }

    /// @inheritdoc IBlockSeries
    function deliver(uint64 deal, uint32 day) external {
        (BlockDeal memory terms, Series memory series) = _open(deal);
        Delivery memory delivery = _next(series, terms.nextDay);
        if (delivery.day != day || day > series.lastDay) revert NotDeliverable(deal, day);
        if (block.timestamp < delivery.from) revert OutsideWindow(delivery.from, delivery.until);
        _requireDeliverable(series, terms.lots, delivery);
        // Days that lapsed give their part of the margins back as well.
        uint256 before = series.deliveries(terms.nextDay);
        uint256 left = series.deliveries(uint256(day) + 1);
        uint64 buyerMargin = _share(terms.buyerMargin, left, before);
        uint64 sellerMargin = _share(terms.sellerMargin, left, before);
        (uint32[] memory wh, uint256 total) = _energies(series, terms.lots, delivery.slot);
        (bool buyerFails, uint256 buyerNeed) =
            _fails(terms, series, delivery, total, true, terms.buyerMargin - buyerMargin);
        (bool sellerFails, uint256 sellerNeed) =
            _fails(terms, series, delivery, total, false, terms.sellerMargin - sellerMargin);
        if (buyerFails || sellerFails) {
            (uint32 account, uint256 need) =
                buyerFails ? (terms.buyer, buyerNeed) : (terms.seller, sellerNeed);
            if (block.timestamp < delivery.due) revert NotReady(account, need, delivery.due);
            terms.nextDay = day;
            return _default(deal, terms, series, buyerFails, sellerFails);
        }
        emit Delivered(deal, day);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        _give(deal, terms.buyer, terms.buyerMargin - buyerMargin);
        _give(deal, terms.seller, terms.sellerMargin - sellerMargin);
        (terms.buyerMargin, terms.sellerMargin) = (buyerMargin, sellerMargin);
        terms.nextDay = day + 1;
        _deals[deal] = terms;
        // Where every slot was curtailed there is nothing to deliver.
        if (total != 0) {
            _positions.open(
                Agreement({
                    community: series.community,
                    product: series.product,
                    buyer: terms.buyer,
                    seller: terms.seller,
                    form: Form.Block,
                    deal: deal,
                    price: terms.price,
                    source: terms.source,
                    slot: delivery.slot,
                    wh: wh
                })
            );
        }
        if (left == 0) emit DealClosed(deal);
    }

    /// @inheritdoc IBlockSeries
    function callMargin(uint64 deal, bool buyer) external {
        (BlockDeal memory terms, Series memory series) = _open(deal);
        int32 mark = _freshMark(terms.series, series);
        uint32 day = _next(series, terms.nextDay).day;
        if (day > series.lastDay) revert NotDeliverable(deal, day);
        uint256 wh = series.energyOfDay(terms.lots) * series.deliveries(day);
        (uint256 move, uint256 buyerLoss, uint256 sellerLoss) = series.margins(terms.price, mark, wh);
        Side memory side = buyer
            ? Side(terms.buyer, terms.buyerMargin, terms.buyerDeadline)
            : Side(terms.seller, terms.sellerMargin, terms.sellerDeadline);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        bool late = _remargin(deal, side, move, buyer ? buyerLoss : sellerLoss);
        // Only margin that was brought to the days that are left leaves those behind that lapsed.
        if (late || side.margin != (buyer ? terms.buyerMargin : terms.sellerMargin)) terms.nextDay = day;
        if (buyer) (terms.buyerMargin, terms.buyerDeadline) = (side.margin, side.deadline);
        else (terms.sellerMargin, terms.sellerDeadline) = (side.margin, side.deadline);
        if (late) _default(deal, terms, series, buyer, !buyer);
        else _deals[deal] = terms;
    }

    /// @inheritdoc IBlockSeries
    function close(uint64 deal) external {
        (BlockDeal memory terms, Series memory series) = _open(deal);
        uint32 day = _next(series, terms.nextDay).day;
        if (day <= series.lastDay) revert NotOver(deal, series.deliveries(day));
        _end(deal, terms, series, terms.buyerMargin, terms.sellerMargin);
    }

    /// @inheritdoc IBlockSeries
    function seriesOf(uint32 series) external view returns (Series memory) {
        return _series[series];
    }

    /// @inheritdoc IBlockSeries
    function dealOf(uint64 deal) external view returns (BlockDeal memory) {
        return _deals[deal];
    }

    /// @dev Moves a side's margin toward what the mark asks for; true where a call was not answered in time.
    function _remargin(uint64 deal, Side memory side, uint256 move, uint256 loss)
        private
        returns (bool late)
    {
        uint256 margin = side.margin;
        uint256 maintenance = move / 2 + loss;
        if (margin > move + loss) {
            _give(deal, side.account, margin - move - loss);
            margin = move + loss;
        } else if (margin < maintenance) {
            uint256 missing = move + loss - margin;
            uint256 free = _accounts.freeOf(side.account);
            margin += _take(deal, side.account, missing < free ? missing : free);
        }
        // At most what it was, or what it was and a free balance, which together are below 2**62.
        // forge-lint: disable-next-line(unsafe-typecast)
        side.margin = uint64(margin);
        if (margin >= maintenance) {
            side.deadline = 0;
        } else if (side.deadline == 0) {
            side.deadline = uint40(block.timestamp + TOP_UP_TIME);
            emit MarginCalled(deal, side.account, maintenance - margin, side.deadline);
        } else {
            late = block.timestamp >= side.deadline;
        }
    }

    /// @dev Ends a deal that a side, or both, failed: the other gets what the failing side's leaving costs it.
    function _default(
        uint64 deal,
        BlockDeal memory terms,
        Series memory series,
        bool buyerFails,
        bool sellerFails
    ) private {
        uint256 wh = series.energyOfDay(terms.lots) * series.deliveries(terms.nextDay);
        int32 mark = _freshMark(terms.series, series);
        (, uint256 buyerLoss, uint256 sellerLoss) = series.margins(terms.price, mark, wh);
        (uint64 buyer, uint64 seller) = (terms.buyerMargin, terms.sellerMargin);
        uint64 compensation = 0;
        // Neither difference is below 0, and the sum of two margins is below 2**62.
        unchecked {
            if (buyerFails && !sellerFails) {
                compensation = _atMost(buyerLoss, buyer);
                (buyer, seller) = (buyer - compensation, seller + compensation);
            } else if (sellerFails && !buyerFails) {
                compensation = _atMost(sellerLoss, seller);
                (buyer, seller) = (buyer + compensation, seller - compensation);
            }
        }
        emit Defaulted(
            deal, buyerFails ? terms.buyer : 0, sellerFails ? terms.seller : 0, terms.nextDay, compensation
        );
        _end(deal, terms, series, buyer, seller);
    }

    function _end(uint64 deal, BlockDeal memory terms, Series memory series, uint64 buyer, uint64 seller)
        private
    {
        terms.nextDay = series.lastDay + 1;
        (terms.buyerMargin, terms.sellerMargin, terms.buyerDeadline, terms.sellerDeadline) = (0, 0, 0, 0);
        _deals[deal] = terms;
        emit DealClosed(deal);
        _give(deal, terms.buyer, buyer);
        _give(deal, terms.seller, seller);
    }

    /// @dev From an account's free balance into the pot, all of it or nothing.
    function _take(uint64 deal, uint32 account, uint256 nano) private returns (uint64) {
        if (nano == 0) return 0;
        uint256 free = _accounts.freeOf(account);
        if (nano > free) revert IAccounts.InsufficientFunds(account, nano, free);
        // A free balance is at most 2**62.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 amount = uint64(nano);
        bytes memory taken = _accounts.debit(abi.encodePacked(account, amount));
        assert(Amounts.moneyOf(taken, 0) == amount);
        emit MarginMoved(deal, account, int256(nano));
        return amount;
    }

    /// @dev From the pot to an account's free balance.
    function _give(uint64 deal, uint32 account, uint256 nano) private {
        if (nano == 0) return;
        // A margin is at most 2**62.
        // forge-lint: disable-next-line(unsafe-typecast)
        _accounts.credit(abi.encodePacked(account, uint64(nano)));
        emit MarginMoved(deal, account, -int256(nano));
    }

    /// @dev What the community does not take is no side's failure, see [13].
    function _requireDeliverable(Series memory series, uint32 lots, Delivery memory delivery) private view {
        if (_communities.closed(series.community, delivery.day)) {
            revert IPositions.ClosedDay(series.community, delivery.day);
        }
        uint256 wh = uint256(lots) * series.lotWh;
        if (wh > delivery.rules.connectionLimitWh || delivery.rules.products & 1 == 0) {
            revert QuantityOutOfRange(lots, wh);
        }
    }

    /// @dev Whether a side cannot take the day's position, even with the margin that it gets back, and what it needs.
    function _fails(
        BlockDeal memory terms,
        Series memory series,
        Delivery memory delivery,
        uint256 wh,
        bool buy,
        uint256 released
    ) private view returns (bool, uint256 need) {
        if (wh == 0) return (false, 0);
        uint32 account = buy ? terms.buyer : terms.seller;
        Rules memory rules = delivery.rules;
        need = lockOf(buy, bias(terms.price), wh, uint256(rules.gridFee) + rules.platformFee, rules.shortCap);
        if (_accounts.freeOf(account) + released < need) return (true, need);
        // Whoever fills its day with other positions leaves the deal as one without money does.
        uint256 count = _positions.chainOf(series.community, series.product, account, delivery.day).count();
        return (count >= _maxPositions, need);
    }

    /// @dev Energy of each slot, 0 where it was curtailed before, and of all [Wh].
    function _energies(Series memory series, uint32 lots, uint32 slot)
        private
        view
        returns (uint32[] memory wh, uint256 total)
    {
        wh = new uint32[](series.slots);
        // Within the connection limit when it was traded.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint32 each = uint32(uint256(lots) * series.lotWh);
        for (uint256 i = 0; i < wh.length; ++i) {
            // Slots of one day.
            // forge-lint: disable-next-line(unsafe-typecast)
            if (_positions.remaining(series.community, series.product, uint32(slot + i)) != 1000) continue;
            wh[i] = each;
            total += each;
        }
    }

    /// @dev Mark by which a side's money moves. Refused while a later report, up to tomorrow's, was not taken in, so that
    /// nobody chooses an older mark.
    function _freshMark(uint32 series, Series memory terms) private view returns (int32) {
        Mark memory mark = markOf[series];
        // The slots do not matter here.
        // slither-disable-next-line unused-return
        (, int32 utcOffset) = _communities.calendarOf(terms.community);
        // A trading day of today.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint32 today = uint32(dayOf(block.timestamp, 1, utcOffset));
        for (uint32 day = today; day < today + 2; ++day) {
            if (mark.day < day && _oracle.tariffHash(terms.community, REFERENCE, day) != 0) {
                revert StaleMark(series, mark.day);
            }
        }
        if (mark.day == 0) revert StaleMark(series, 0);
        return mark.price;
    }

    /// @dev First delivery from `from` on whose window is open or ahead; its day is after the last one where none is.
    function _next(Series memory series, uint32 from) private view returns (Delivery memory delivery) {
        // The slots do not matter here.
        // slither-disable-next-line unused-return
        (, int32 utcOffset) = _communities.calendarOf(series.community);
        uint256 day = dayOf(block.timestamp, 1, utcOffset);
        if (day < from) day = from;
        // At most the days of a series.
        for (; day <= series.lastDay; ++day) {
            if (!series.isDelivery(day)) continue;
            // forge-lint: disable-next-line(unsafe-typecast)
            delivery = _deliveryOf(series, uint32(day));
            if (block.timestamp < delivery.until) return delivery;
        }
        delivery.day = series.lastDay + 1;
    }

    /// @dev Slots, times and rules of a day of delivery.
    function _deliveryOf(Series memory series, uint32 day) private view returns (Delivery memory delivery) {
        Rules memory rules = _communities.rulesAt(series.community, day);
        uint256 start =
            uint256(dayStart(day, rules.utcOffset)) + uint256(series.slotOfDay) * rules.slotSeconds;
        uint256 until = start - rules.nominationDirectLead;
        return Delivery({
            day: day,
            slot: uint32(start / rules.slotSeconds),
            from: until - DELIVERY_LEAD,
            due: until - DUE_LEAD,
            until: until,
            rules: rules
        });
    }

    function _checkTrade(Series memory terms, BlockTrade calldata trade) private view {
        if (trade.community != terms.community || trade.product != terms.product) {
            revert OtherMarket(trade.series, trade.community, trade.product);
        }
        if (block.timestamp >= terms.lastTrading) revert TradingEnded(trade.series, terms.lastTrading);
        if (trade.buyer == trade.seller) revert SelfTrade(trade.buyer);
        if (trade.source > LAST_SOURCE) revert UnknownSource(trade.source);
        Rules memory rules = _communities.rulesAt(terms.community, terms.firstDay);
        uint256 wh = uint256(trade.lots) * terms.lotWh;
        if (wh == 0 || wh > rules.connectionLimitWh) revert QuantityOutOfRange(trade.lots, wh);
        if (trade.price < rules.priceMin || trade.price > rules.priceMax) revert PriceOutOfBand(trade.price);
    }

    function _checkMember(uint32 account, Series memory terms) private view {
        AccountKey key = _accounts.keyOf(account);
        if (key.community() != terms.community || !key.metered(terms.product)) {
            revert NotMember(account, terms.community);
        }
    }

    function _known(uint32 series) private view returns (Series memory terms) {
        terms = _series[series];
        if (terms.community == 0) revert UnknownSeries(series);
    }

    /// @dev A deal that is not over, and its series.
    function _open(uint64 deal) private view returns (BlockDeal memory terms, Series memory series) {
        terms = _deals[deal];
        series = _series[terms.series];
        if (terms.series == 0 || terms.nextDay > series.lastDay) revert UnknownDeal(deal);
    }

    /// @dev The part of a margin for `left` of `before` days, rounded down.
    function _share(uint64 margin, uint256 left, uint256 before) private pure returns (uint64) {
        // left < before
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(margin * left / before);
    }

    function _atMost(uint256 value, uint64 most) private pure returns (uint64) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return value < most ? uint64(value) : most;
    }

    function _require(bool holds, string memory term) private pure {
        if (!holds) revert InvalidSeries(term);
    }
}
