// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IAccounts} from "../src/interfaces/IAccounts.sol";
import {BlockDeal, BlockTrade, IBlockSeries} from "../src/interfaces/IBlockSeries.sol";
import {Limit, SignedLimit} from "../src/interfaces/IContinuousMarket.sol";
import {IPositions} from "../src/interfaces/IPositions.sol";
import {Form} from "../src/types/Form.sol";
import {Rules} from "../src/types/Rules.sol";
import {Agreement} from "../src/types/Position.sol";
import {Series} from "../src/types/Series.sol";
import {ContinuousTown} from "./support/ContinuousTown.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice Series as created, deals as secured, days as delivered, and what a side costs that leaves.
contract BlockSeriesTest is ContinuousTown {
    uint32 private constant BUYER = 4;
    uint32 private constant SELLER = 5;
    int32 private constant PRICE = 100_000;

    /// @dev Saturday to Wednesday: day 20,000 is a Friday.
    uint32 private constant FIRST = DAY + 1;
    uint32 private constant LAST = DAY + 5;

    /// @dev Of 3 lots of 100 Wh in 2 slots.
    uint256 private constant DAY_WH = 600;

    uint32 private series;

    function setUp() public {
        _deploy(3);
        series = _createSeries(EVERY_DAY, FIRST, LAST);
        _mark(series, DAY, PRICE);
    }

    // ---- series ----

    function test_a_series_keeps_its_terms() public {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this))
        );
        blocks.create(_series(EVERY_DAY, FIRST, LAST));
        Series memory terms = blocks.seriesOf(series);
        vm.assertEq(abi.encode(terms), abi.encode(_series(EVERY_DAY, FIRST, LAST)));
        vm.assertEq(blocks.seriesCount(), 1);
        vm.assertEq(terms.deliveries(0), 5);
    }

    function test_a_series_outside_of_its_bounds_is_refused() public {
        for (uint256 i = 0; i < 18; ++i) {
            Series memory terms = _series(EVERY_DAY, FIRST, LAST);
            string memory field = "slots";
            if (i == 0) (terms.product, field) = (1, "product");
            if (i == 1) (terms.weekdays, field) = (128, "weekdays");
            if (i == 2) (terms.weekdays, field) = (0, "firstDay");
            if (i == 3) (terms.weekdays, field) = (MONDAY_TO_FRIDAY, "firstDay");
            if (i == 4) (terms.weekdays, field) = (1 << 5, "lastDay");
            if (i == 5) terms.slots = 0;
            if (i == 6) terms.slots = 9;
            if (i == 7) terms.slotOfDay = 11;
            if (i == 8) (terms.lastDay, field) = (FIRST - 1, "lastDay");
            if (i == 9) (terms.lastDay, field) = (FIRST + 366, "lastDay");
            if (i == 10) (terms.lotWh, field) = (0, "lotWh");
            if (i == 11) (terms.lotWh, field) = (20_001, "lotWh");
            if (i == 12) (terms.lastTrading, field) = (uint40(block.timestamp), "lastTrading");
            if (i == 13) (terms.lastTrading, field) = (uint40(_until(FIRST) - 6 hours + 1), "lastTrading");
            if (i == 14) (terms.marginPermille, field) = (1001, "marginPermille");
            if (i == 15) (terms.marginFloor, field) = (0, "marginFloor");
            if (i == 16) (terms.slots, terms.slotOfDay) = (1, type(uint16).max);
            if (i == 17) (terms.slots, terms.slotOfDay) = (type(uint16).max, 4);
            vm.prank(ADMIN);
            vm.expectRevert(abi.encodeWithSelector(IBlockSeries.InvalidSeries.selector, field));
            blocks.create(terms);
        }
    }

    /// @dev Against counting day by day.
    function testFuzz_deliveries_are_the_masked_days_that_are_left(
        uint8 weekdays,
        uint32 first,
        uint32 length,
        uint256 from
    ) public pure {
        Series memory terms = _series(uint8(clamp(weekdays, 0, 127)), uint32(clamp(first, 1, 30_000)), 0);
        terms.lastDay = terms.firstDay + uint32(clamp(length, 0, 365));
        from = clamp(from, terms.firstDay - 1, terms.lastDay + 1);
        uint256 count = 0;
        for (uint256 day = from; day <= terms.lastDay; ++day) {
            // 2024-01-01, a Monday, was day 19,723.
            uint256 weekday = (day + 7 * 19_723 - 19_723) % 7;
            bool masked = day >= terms.firstDay && (weekdays % 128 >> weekday) & 1 == 1;
            vm.assertEq(terms.isDelivery(day), masked);
            if (masked) ++count;
        }
        vm.assertEq(terms.deliveries(from), count);
    }

    // ---- mark ----

    function test_the_mark_is_the_floored_mean_of_its_slots_forward_prices() public {
        bytes memory prices;
        for (int32 i = 0; i < int32(SLOTS); ++i) {
            int32 forward = i == 4 ? int32(-7) : i == 5 ? int32(2) : int32(999);
            prices = bytes.concat(prices, abi.encodePacked(int32(1), forward));
        }
        _report(DAY + 1, prices);
        vm.expectEmit();
        emit IBlockSeries.Marked(series, DAY + 1, -3);
        vm.assertEq(blocks.remark(series, DAY + 1, prices), -3);
        (int32 mark, uint32 day) = blocks.markOf(series);
        vm.assertEq(mark, -3);
        vm.assertEq(day, DAY + 1);
    }

    function test_a_mark_comes_from_the_reports_and_never_goes_back() public {
        bytes memory prices = _pair(0, 1);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.NotReported.selector, DAY + 1));
        blocks.remark(series, DAY + 1, prices);
        _report(DAY + 1, prices);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.NotReported.selector, DAY + 1));
        blocks.remark(series, DAY + 1, _pair(0, 2));
        blocks.remark(series, DAY + 1, prices);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.LaterMark.selector, DAY, DAY + 1));
        blocks.remark(series, DAY, _pair(0, PRICE));
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.UnknownSeries.selector, 2));
        blocks.remark(2, DAY, prices);
    }

    function test_nothing_moves_by_a_mark_while_a_report_up_to_tomorrow_was_not_taken_in() public {
        uint64 deal = _trade();
        _report(DAY + 2, _pair(0, 1));
        // Today is DAY - 1: a report of the day after tomorrow may wait.
        blocks.callMargin(deal, true);
        vm.warp(DAY_START + 86_400);
        bytes memory stale = abi.encodeWithSelector(IBlockSeries.StaleMark.selector, series, DAY);
        vm.expectRevert(stale);
        blocks.callMargin(deal, true);
        blocks.remark(series, DAY + 2, _pair(0, 1));
        blocks.callMargin(deal, true);
        // Without newer reports the last mark stays.
        vm.warp(_from(FIRST + 2));
        blocks.callMargin(deal, true);
    }

    function test_a_series_without_mark_is_not_traded() public {
        uint32 other = _createSeries(EVERY_DAY, FIRST, LAST);
        _refusesTrade(
            _block(other, 1, PRICE), abi.encodeWithSelector(IBlockSeries.StaleMark.selector, other, 0)
        );
    }

    // ---- trades ----

    function test_a_deal_takes_margins_for_a_move_and_what_the_mark_says() public {
        vm.expectEmit();
        emit IBlockSeries.BlockTraded(1, BUYER, SELLER, series, 3, PRICE + 7000, 1);
        vm.prank(address(continuous));
        uint64 deal = blocks.record(_block(series, 3, PRICE + 7000));
        BlockDeal memory terms = blocks.dealOf(deal);
        // 20 % of the mark for 5 days of 600 Wh; the buyer pays 7,000 above the mark.
        vm.assertEq(terms.buyerMargin, 5 * DAY_WH * (20_000 + 7000));
        vm.assertEq(terms.sellerMargin, 5 * DAY_WH * 20_000);
        vm.assertEq(accounts.freeOf(BUYER), 100e9 - terms.buyerMargin);
        vm.assertEq(accounts.freeOf(SELLER), 100e9 - terms.sellerMargin);
        vm.assertEq(_pot(), uint256(terms.buyerMargin) + terms.sellerMargin);
    }

    function test_a_mark_near_zero_leaves_the_least_margin() public {
        _mark(series, DAY + 1, -10);
        vm.prank(address(continuous));
        BlockDeal memory terms = blocks.dealOf(blocks.record(_block(series, 3, -10)));
        vm.assertEq(terms.buyerMargin, 5 * DAY_WH * 5000);
        vm.assertEq(terms.sellerMargin, 5 * DAY_WH * 5000);
    }

    function test_only_markets_record_and_only_what_is_traded() public {
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.NotMarket.selector, address(this)));
        blocks.record(_block(series, 1, PRICE));
        BlockTrade memory trade = _block(series, 1, PRICE);
        trade.product = 1;
        _refusesTrade(trade, abi.encodeWithSelector(IBlockSeries.OtherMarket.selector, series, COMMUNITY, 1));
        trade = _block(series, 1, PRICE);
        trade.community = 2;
        _refusesTrade(trade, abi.encodeWithSelector(IBlockSeries.OtherMarket.selector, series, 2, 0));
        trade = _block(series, 1, PRICE);
        trade.seller = BUYER;
        _refusesTrade(trade, abi.encodeWithSelector(IBlockSeries.SelfTrade.selector, BUYER));
        trade = _block(series, 1, PRICE);
        trade.seller = OPERATOR;
        _refusesTrade(trade, abi.encodeWithSelector(IBlockSeries.NotMember.selector, OPERATOR, COMMUNITY));
        trade = _block(series, 1, PRICE);
        trade.source = 5;
        _refusesTrade(trade, abi.encodeWithSelector(IBlockSeries.UnknownSource.selector, 5));
        _refusesTrade(
            _block(series, 0, PRICE), abi.encodeWithSelector(IBlockSeries.QuantityOutOfRange.selector, 0, 0)
        );
        _refusesTrade(
            _block(series, 201, PRICE),
            abi.encodeWithSelector(IBlockSeries.QuantityOutOfRange.selector, 201, 20_100)
        );
        _refusesTrade(
            _block(series, 1, 4_000_001),
            abi.encodeWithSelector(IBlockSeries.PriceOutOfBand.selector, 4_000_001)
        );
        _refusesTrade(
            _block(series, 200, 4_000_000),
            abi.encodeWithSelector(
                IAccounts.InsufficientFunds.selector, BUYER, uint256(40_000 * 5 * 3_920_000), 100e9
            )
        );
        vm.warp(_dayStart(FIRST) - 12 hours);
        _refusesTrade(
            _block(series, 1, PRICE),
            abi.encodeWithSelector(IBlockSeries.TradingEnded.selector, series, _dayStart(FIRST) - 12 hours)
        );
    }

    // ---- delivery ----

    function test_each_day_becomes_a_position_and_frees_its_part_of_the_margins() public {
        uint64 deal = _trade();
        uint256 margin = blocks.dealOf(deal).buyerMargin;
        for (uint32 day = FIRST; day <= LAST; ++day) {
            vm.warp(_until(day) - 1);
            vm.expectEmit();
            emit IBlockSeries.Delivered(deal, day);
            blocks.deliver(deal, day);
            uint256 left = LAST - day;
            vm.assertEq(blocks.dealOf(deal).buyerMargin, margin * left / 5);
            uint256 locks = (day - FIRST + 1) * DAY_WH * (uint32(PRICE) + 21_000);
            vm.assertEq(accounts.freeOf(BUYER), 100e9 - margin * left / 5 - locks);
            vm.assertEq(positions.chainOf(COMMUNITY, 0, BUYER, day).count(), 1);
            vm.assertEq(positions.chainOf(COMMUNITY, 0, SELLER, day).count(), 1);
        }
        vm.assertEq(_pot(), 0);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.UnknownDeal.selector, deal));
        blocks.deliver(deal, LAST);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.UnknownDeal.selector, deal));
        blocks.close(deal);
    }

    function test_a_day_is_delivered_once_and_in_its_window() public {
        uint64 deal = _trade();
        vm.warp(_from(FIRST) - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IBlockSeries.OutsideWindow.selector, _from(FIRST), _until(FIRST))
        );
        blocks.deliver(deal, FIRST);
        _notDeliverable(deal, FIRST + 1);
        _notDeliverable(deal, FIRST - 1);
        vm.warp(_from(FIRST));
        blocks.deliver(deal, FIRST);
        _notDeliverable(deal, FIRST);
        vm.expectRevert(
            abi.encodeWithSelector(IBlockSeries.OutsideWindow.selector, _from(FIRST + 1), _until(FIRST + 1))
        );
        blocks.deliver(deal, FIRST + 1);
        vm.warp(_until(FIRST + 1));
        _notDeliverable(deal, FIRST + 1);
        blocks.deliver(deal, FIRST + 2);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.UnknownDeal.selector, 9));
        blocks.deliver(9, FIRST);
    }

    function test_days_off_the_mask_are_not_delivered() public {
        series = _createSeries(MONDAY_TO_FRIDAY, DAY + 3, DAY + 10);
        _mark(series, DAY + 1, PRICE);
        uint64 deal = _trade();
        // Six days of delivery, Monday to Monday.
        vm.assertEq(blocks.dealOf(deal).buyerMargin, 6 * DAY_WH * 20_000);
        for (uint32 day = DAY + 3; day <= DAY + 7; ++day) {
            vm.warp(_from(day));
            blocks.deliver(deal, day);
        }
        vm.warp(_from(DAY + 8));
        _notDeliverable(deal, DAY + 8);
        vm.warp(_from(DAY + 10));
        blocks.deliver(deal, DAY + 10);
        vm.assertEq(_pot(), 0);
    }

    function test_days_that_nobody_delivered_lapse_and_close_returns_the_margins() public {
        uint64 deal = _trade();
        vm.warp(_from(LAST));
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.NotOver.selector, deal, 1));
        blocks.close(deal);
        vm.warp(_until(LAST));
        _notDeliverable(deal, LAST);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.NotDeliverable.selector, deal, LAST + 1));
        blocks.callMargin(deal, true);
        vm.expectEmit();
        emit IBlockSeries.DealClosed(deal);
        blocks.close(deal);
        vm.assertEq(accounts.freeOf(BUYER), 100e9);
        vm.assertEq(accounts.freeOf(SELLER), 100e9);
    }

    function test_curtailed_slots_are_left_out() public {
        uint64 deal = _trade();
        vm.startPrank(REGULATOR);
        positions.curtail(COMMUNITY, 0, _slot(FIRST), 500, "line");
        positions.curtail(COMMUNITY, 0, _slot(FIRST + 1), 0, "line");
        positions.curtail(COMMUNITY, 0, _slot(FIRST + 1) + 1, 0, "line");
        vm.stopPrank();
        vm.warp(_from(FIRST));
        blocks.deliver(deal, FIRST);
        vm.assertEq(accounts.lockTotal(COMMUNITY, FIRST), 300 * (uint32(PRICE) + 21_000 + 2_000_000));
        vm.warp(_from(FIRST + 1));
        blocks.deliver(deal, FIRST + 1);
        vm.assertEq(accounts.lockTotal(COMMUNITY, FIRST + 1), 0);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, BUYER, FIRST + 1).count(), 0);
        vm.assertEq(blocks.dealOf(deal).nextDay, FIRST + 2);
    }

    // ---- default ----

    function test_a_side_that_cannot_lock_has_until_the_due_time() public {
        uint64 deal = _trade();
        _empty(SELLER, 0);
        uint256 need = DAY_WH * 2_000_000;
        vm.warp(_until(FIRST) - 6 hours - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IBlockSeries.NotReady.selector, SELLER, need, _until(FIRST) - 6 hours)
        );
        blocks.deliver(deal, FIRST);
        // The margin that the day frees counts.
        _fund(SELLER, (need - DAY_WH * 20_000) / 1000);
        blocks.deliver(deal, FIRST);
        vm.assertEq(accounts.freeOf(SELLER), 0);
    }

    function test_a_seller_that_leaves_pays_the_rise_for_all_energy_that_is_left() public {
        uint64 deal = _trade();
        vm.warp(_from(FIRST));
        blocks.deliver(deal, FIRST);
        _mark(series, FIRST + 1, PRICE + 6000);
        _empty(SELLER, 0);
        vm.warp(_until(FIRST + 1) - 6 hours);
        uint256 before = accounts.freeOf(BUYER) + blocks.dealOf(deal).buyerMargin;
        uint256 margin = blocks.dealOf(deal).sellerMargin;
        uint256 loss = 4 * DAY_WH * 6000;
        vm.expectEmit();
        emit IBlockSeries.Defaulted(deal, 0, SELLER, FIRST + 1, loss);
        blocks.deliver(deal, FIRST + 1);
        vm.assertEq(accounts.freeOf(BUYER), before + loss);
        vm.assertEq(accounts.freeOf(SELLER), margin - loss);
        vm.assertEq(_pot(), 0);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.UnknownDeal.selector, deal));
        blocks.deliver(deal, FIRST + 1);
    }

    function test_a_buyer_that_leaves_pays_the_fall_at_most_its_margin() public {
        uint64 deal = _trade();
        _mark(series, DAY + 1, PRICE - 50_000);
        _empty(BUYER, 0);
        vm.warp(_until(FIRST) - 6 hours);
        uint256 margin = blocks.dealOf(deal).buyerMargin;
        vm.assertTrue(margin < 5 * DAY_WH * 50_000, "more than the margin");
        blocks.deliver(deal, FIRST);
        vm.assertEq(accounts.freeOf(BUYER), 0);
        vm.assertEq(accounts.freeOf(SELLER), 100e9 + margin);
    }

    function test_leaving_while_the_market_moved_the_others_way_costs_nothing() public {
        uint64 deal = _trade();
        _mark(series, DAY + 1, PRICE + 50_000);
        _empty(BUYER, 0);
        vm.warp(_until(FIRST) - 6 hours);
        uint256 margin = blocks.dealOf(deal).buyerMargin;
        blocks.deliver(deal, FIRST);
        vm.assertEq(accounts.freeOf(BUYER), margin);
        vm.assertEq(accounts.freeOf(SELLER), 100e9);
    }

    function test_where_both_fail_each_gets_its_margin_back() public {
        uint64 deal = _trade();
        _mark(series, DAY + 1, PRICE + 6000);
        _empty(BUYER, 0);
        _empty(SELLER, 0);
        vm.warp(_until(FIRST) - 6 hours);
        uint256 margin = blocks.dealOf(deal).buyerMargin;
        vm.expectEmit();
        emit IBlockSeries.Defaulted(deal, BUYER, SELLER, FIRST, 0);
        blocks.deliver(deal, FIRST);
        vm.assertEq(accounts.freeOf(BUYER), margin);
        vm.assertEq(accounts.freeOf(SELLER), margin);
    }

    function test_a_side_that_fills_its_day_with_other_positions_fails() public {
        uint64 deal = _trade();
        _mark(series, DAY + 1, PRICE + 6000);
        uint32[] memory wh = new uint32[](1);
        wh[0] = 1;
        Agreement memory small =
            Agreement(COMMUNITY, 0, 6, SELLER, Form.Bilateral, 0, PRICE, 0, _slot(FIRST), wh);
        vm.startPrank(address(continuous));
        for (uint256 i = 0; i < positions.MAX_POSITIONS(); ++i) {
            positions.open(small);
        }
        vm.stopPrank();
        vm.warp(_until(FIRST) - 6 hours);
        vm.expectEmit();
        emit IBlockSeries.Defaulted(deal, 0, SELLER, FIRST, 5 * DAY_WH * 6000);
        blocks.deliver(deal, FIRST);
    }

    function test_a_day_that_the_community_does_not_take_is_no_sides_failure() public {
        uint64 deal = _trade();
        _empty(SELLER, 0);
        vm.prank(ADMIN);
        communities.closeDay(COMMUNITY, FIRST);
        vm.warp(_until(FIRST) - 1);
        vm.expectRevert(abi.encodeWithSelector(IPositions.ClosedDay.selector, COMMUNITY, FIRST));
        blocks.deliver(deal, FIRST);
        vm.assertEq(blocks.dealOf(deal).nextDay, FIRST);
        vm.warp(_from(FIRST + 1));
        _fund(SELLER, 10e6);
        blocks.deliver(deal, FIRST + 1);
    }

    function test_a_day_of_less_connection_than_was_traded_is_no_sides_failure() public {
        series = _createSeries(EVERY_DAY, DAY + 8, DAY + 9);
        uint64 deal = _marked();
        Rules memory rules = _rules();
        rules.connectionLimitWh = 299;
        vm.prank(ADMIN);
        communities.change(COMMUNITY, DAY + 9, rules, _sessions(), _reporters());
        _empty(SELLER, 0);
        vm.warp(_until(DAY + 9) - 1);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.QuantityOutOfRange.selector, 3, 300));
        blocks.deliver(deal, DAY + 9);
    }

    function test_nobody_leaves_a_deal_by_filling_the_other_sides_day() public {
        uint64 deal = _trade();
        _mark(series, DAY + 1, PRICE + 6000);
        // The buyer wants more on the day, in parts of any size; the seller, whom the rise costs, trades as many as it can.
        Limit memory bid = _limit(BUYER, true, PRICE, 1000, 0);
        Limit memory ask = _limit(SELLER, false, PRICE, 1000, 0);
        (bid.instrument, ask.instrument) = (_slot(FIRST), _slot(FIRST));
        (SignedLimit memory buy, SignedLimit memory sell) = (_signed(bid), _signed(ask));
        for (uint256 i = 0; i < 256; ++i) {
            continuous.matchOrders(buy, sell, 1);
        }
        vm.expectRevert(abi.encodeWithSelector(IPositions.TooManyPositions.selector, BUYER, FIRST));
        continuous.matchOrders(buy, sell, 1);
        vm.warp(_until(FIRST) - 6 hours);
        blocks.deliver(deal, FIRST);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, BUYER, FIRST).count(), 257);
        vm.assertEq(blocks.dealOf(deal).nextDay, FIRST + 1);
    }

    function test_a_default_waits_for_the_latest_mark() public {
        uint64 deal = _trade();
        _report(FIRST, _pair(0, PRICE + 6000));
        _empty(SELLER, 0);
        vm.warp(_until(FIRST) - 6 hours);
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.StaleMark.selector, series, DAY));
        blocks.deliver(deal, FIRST);
    }

    // ---- margin calls ----

    function test_a_margin_is_called_below_maintenance_and_drawn_from_what_is_free() public {
        uint64 deal = _trade();
        uint256 wh = 5 * DAY_WH;
        // 90,000 now: 18,000 for a move, 9,000 of it maintenance, and 10,000 of loss; 20,000 are there.
        _mark(series, DAY + 1, 90_000);
        blocks.callMargin(deal, true);
        vm.assertEq(blocks.dealOf(deal).buyerMargin, wh * 20_000);
        _mark(series, DAY + 2, 80_000);
        blocks.callMargin(deal, true);
        vm.assertEq(blocks.dealOf(deal).buyerMargin, wh * 36_000);
        vm.assertEq(blocks.dealOf(deal).buyerDeadline, 0);
        vm.assertEq(accounts.freeOf(BUYER), 100e9 - wh * 36_000);
        // The seller has more than the 16,000 that are asked for now.
        blocks.callMargin(deal, false);
        vm.assertEq(blocks.dealOf(deal).sellerMargin, wh * 16_000);
        vm.assertEq(accounts.freeOf(SELLER), 100e9 - wh * 16_000);
    }

    function test_a_call_leaves_lapsed_days_behind_only_where_it_moves_margin() public {
        uint64 deal = _trade();
        uint256 margin = 5 * DAY_WH * 20_000;
        vm.warp(_from(FIRST + 2));
        _mark(series, FIRST + 3, 80_000);
        uint256 state = vm.snapshotState();
        // Of the buyer 36,000 are asked for each of three days now, and 28,000 as maintenance; 33,333 are there.
        blocks.callMargin(deal, true);
        vm.assertEq(blocks.dealOf(deal).nextDay, FIRST);
        blocks.deliver(deal, FIRST + 2);
        vm.assertEq(blocks.dealOf(deal).buyerMargin, margin * 2 / 5);
        vm.assertEq(blocks.dealOf(deal).sellerMargin, margin * 2 / 5);
        vm.revertToState(state);
        // Of the seller 16,000 are asked.
        blocks.callMargin(deal, false);
        vm.assertEq(blocks.dealOf(deal).nextDay, FIRST + 2);
        blocks.deliver(deal, FIRST + 2);
        vm.assertEq(blocks.dealOf(deal).buyerMargin, margin * 2 / 3);
        vm.assertEq(blocks.dealOf(deal).sellerMargin, 2 * DAY_WH * 16_000);
    }

    function test_a_call_that_is_answered_in_time_keeps_the_deal() public {
        uint64 deal = _trade();
        _empty(BUYER, 3000e3);
        _mark(series, DAY + 1, 80_000);
        uint256 deadline = block.timestamp + 24 hours;
        uint256 wh = 5 * DAY_WH;
        vm.expectEmit();
        emit IBlockSeries.MarginCalled(deal, BUYER, wh * 8000 - 3000e3, deadline);
        blocks.callMargin(deal, true);
        vm.assertEq(accounts.freeOf(BUYER), 0);
        vm.assertEq(blocks.dealOf(deal).buyerMargin, wh * 20_000 + 3000e3);
        vm.warp(deadline - 1);
        blocks.callMargin(deal, true);
        vm.assertEq(blocks.dealOf(deal).buyerDeadline, deadline);
        _fund(BUYER, wh * 8);
        // Late is better than never: only whoever still has not answered fails.
        vm.warp(deadline);
        blocks.callMargin(deal, true);
        vm.assertEq(blocks.dealOf(deal).buyerDeadline, 0);
        vm.assertEq(blocks.dealOf(deal).buyerMargin, wh * 28_000 + 3000e3);
    }

    function test_a_call_that_is_not_answered_ends_the_deal() public {
        uint64 deal = _trade();
        _empty(BUYER, 0);
        _mark(series, DAY + 1, 85_000);
        blocks.callMargin(deal, true);
        vm.warp(block.timestamp + 24 hours);
        uint256 wh = 5 * DAY_WH;
        vm.expectEmit();
        emit IBlockSeries.Defaulted(deal, BUYER, 0, FIRST, wh * 15_000);
        blocks.callMargin(deal, true);
        vm.assertEq(accounts.freeOf(BUYER), wh * 5000);
        vm.assertEq(accounts.freeOf(SELLER), 100e9 + wh * 15_000);
        vm.assertEq(_pot(), 0);
    }

    /// @dev Random marks, calls, deliveries, empty purses and time jumps over several deals.
    function testFuzz_margins_are_conserved_whatever_happens(uint256 seed) public {
        for (uint256 i = 0; i < 3; ++i) {
            _trade();
        }
        uint32 marked = DAY;
        for (uint256 step = 0; step < 30; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 deal = uint64(1 + (seed >> 8) % 3);
            uint256 kind = seed % 6;
            uint256 pot = _pot();
            BlockDeal memory before = blocks.dealOf(deal);
            uint256 money = _money();
            if (kind == 0) {
                vm.warp(block.timestamp + (seed >> 16) % 16 hours);
            } else if (kind == 1) {
                uint32 today = uint32((block.timestamp + 7200) / 86_400);
                if (marked < today + 2) marked = today + 2;
                else ++marked;
                if (marked <= today + 7) _mark(series, marked, int32(uint32((seed >> 16) % 200_000)));
            } else if (kind == 2) {
                _empty((seed >> 16) % 2 == 0 ? BUYER : SELLER, (seed >> 24) % 1e9);
                money = _money();
            } else if (kind == 3) {
                _fund((seed >> 16) % 2 == 0 ? BUYER : SELLER, 1 + (seed >> 24) % 1e6);
                money = _money();
            } else if (kind == 4) {
                try blocks.deliver(deal, before.nextDay) {} catch {}
            } else {
                try blocks.callMargin(deal, (seed >> 16) % 2 == 0) {} catch {}
            }
            vm.assertEq(_money(), money, "money of both and their pot");
            if (kind < 4) vm.assertEq(_pot(), pot, "pot");
            uint256 sum = 0;
            for (uint64 i = 1; i <= 3; ++i) {
                BlockDeal memory terms = blocks.dealOf(i);
                sum += uint256(terms.buyerMargin) + terms.sellerMargin;
            }
            vm.assertEq(_pot(), sum, "margins");
        }
        vm.warp(_until(LAST));
        for (uint64 i = 1; i <= 3; ++i) {
            try blocks.close(i) {} catch {}
        }
        vm.assertEq(_pot(), 0, "pot at the end");
    }

    // ---- helpers ----

    function _block(uint32 series_, uint32 lots, int32 price) private pure returns (BlockTrade memory) {
        return BlockTrade(series_, COMMUNITY, 0, BUYER, SELLER, lots, price, 1);
    }

    function _trade() private returns (uint64) {
        vm.prank(address(continuous));
        return blocks.record(_block(series, 3, PRICE));
    }

    function _refusesTrade(BlockTrade memory trade, bytes memory reason) private {
        vm.prank(address(continuous));
        vm.expectRevert(reason);
        blocks.record(trade);
    }

    function _notDeliverable(uint64 deal, uint32 day) private {
        vm.expectRevert(abi.encodeWithSelector(IBlockSeries.NotDeliverable.selector, deal, day));
        blocks.deliver(deal, day);
    }

    function _report(uint32 day, bytes memory prices) private {
        _reportTariff(REFERENCE, day, prices);
    }

    /// @dev Takes an account's free money away but for `left`.
    function _marked() private returns (uint64) {
        _mark(series, DAY + 1, PRICE);
        return _trade();
    }

    function _empty(uint32 account, uint256 left) private {
        uint256 free = accounts.freeOf(account);
        if (free <= left) return;
        vm.prank(address(auction));
        accounts.debit(abi.encodePacked(account, uint64(free - left)));
    }

    function _pot() private view returns (uint256 pot) {
        (, pot) = accounts.moduleOf(address(blocks));
    }

    /// @dev Free money of both, their margins, and the locks of all days.
    function _money() private view returns (uint256 sum) {
        sum = accounts.freeOf(BUYER) + accounts.freeOf(SELLER) + _pot();
        for (uint32 day = FIRST; day <= LAST; ++day) {
            sum += accounts.lockTotal(COMMUNITY, day);
        }
    }

    function _slot(uint32 day) private pure returns (uint32) {
        return uint32(_dayStart(day) / SLOT_SECONDS) + 4;
    }

    function _until(uint32 day) private pure returns (uint256) {
        return uint256(_slot(day)) * SLOT_SECONDS - 300;
    }

    function _from(uint32 day) private pure returns (uint256) {
        return _until(day) - 24 hours;
    }
}
