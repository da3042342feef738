// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICallAuction, Result} from "../src/interfaces/ICallAuction.sol";
import {Clearing, Progress, Trade} from "../src/libraries/Clearing.sol";
import {Market} from "../src/types/Market.sol";
import {OrderRecord} from "../src/types/OrderRecord.sol";
import {Skip} from "../src/types/Skip.sol";
import {OneShot} from "./support/OneShot.sol";
import {PlainAuction, PlainOrder, PlainResult} from "./support/PlainAuction.sol";
import {PlainGiven, PlainLabels} from "./support/PlainLabels.sol";
import {Trading} from "./support/Trading.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice Labels of local renewable energy, and the preferences that ask for them.
contract LabelsTest is Trading {
    int32 private constant BAND = 8;
    uint256 private constant WHOLE = 1000;

    OneShot private oneShot;
    PlainOrder[] private _book;
    uint8[] private _sources;

    function setUp() public {
        _deploy(6);
        oneShot = OneShot(vm.deployCode("OneShot.sol:OneShot"));
    }

    function testFuzz_one_price_labels_and_who_has_them_follows_premium_and_time(uint256 seed) public {
        _draw(seed, 1 + seed % 12);
        (PlainGiven memory plain, Result memory cleared) = _plain(BAND);
        bytes memory records = _bookRecords();
        // Every step, and what lies between two.
        for (uint256 q = 0; q < 64_500; q += 500) {
            (bool valid,) = oneShot.label(records, cleared, q);
            vm.assertEq(valid, q == plain.premium);
        }
        (, Result memory result) = oneShot.label(records, cleared, plain.premium);
        vm.assertEq(result.premium, plain.premium, "premium");
        vm.assertEq(result.labelRest, plain.green - plain.above, "rest");
        _compare(plain, result);
    }

    /// @dev Also after a curtailment each side gets no more than it paid for, rounded toward zero.
    function testFuzz_money_of_labels_sums_to_zero_and_stays_within_the_locks(uint256 seed) public {
        _draw(seed, 2 + seed % 14);
        (PlainGiven memory plain, Result memory cleared) = _plain(BAND);
        (, Result memory result) = oneShot.label(_bookRecords(), cleared, plain.premium);
        PlainResult memory fills = PlainAuction.clear(_book, -BAND, BAND);
        int256 sum = 0;
        for (uint256 i = 0; i < _book.length; ++i) {
            Trade memory trade = _tradeAt(i, fills, plain, result, WHOLE);
            vm.assertEq(trade.wh, fills.fills[i], "energy is untouched");
            sum += trade.money;
            _lockCovers(_recordAt(i), trade, seed % 3);
            Trade memory part = _tradeAt(i, fills, plain, result, seed % WHOLE);
            vm.assertLe(part.labelled, part.wh, "labels of a curtailed fill");
            vm.assertEq(part.labelled, trade.labelled * (seed % WHOLE) / WHOLE, "curtailed");
        }
        vm.assertEq(sum, 0);
    }

    function testFuzz_any_split_gives_the_one_shot_labels(uint256 seed) public {
        PlainGiven memory plain = _cleared(seed, 17);
        uint256 before = vm.snapshotState();
        _label(plain.premium);
        Result memory oneShot = auction.resultOf(_market(0));
        vm.revertToState(before);
        Progress memory progress;
        uint256 done = 0;
        while (seed & 7 != 0 && done + 5 < 17) {
            uint256 length = 1 + (seed >> 3) % 5;
            progress = _advance(uint16(plain.premium), progress, done, length);
            done += length;
            seed = uint256(keccak256(abi.encode(seed)));
        }
        bytes memory rest = _cut(_bookRecords(), 16 * done, 16 * 17);
        auction.label(_market(0), uint16(plain.premium), progress, rest, _ones(17 - done));
        Result memory result = auction.resultOf(_market(0));
        vm.assertEq(keccak256(abi.encode(result)), keccak256(abi.encode(oneShot)));
    }

    function test_scarce_labels_go_to_the_higher_premium_and_pay_the_green_seller() public {
        // 600 Wh of pv and 400 Wh of the grid meet bids of 300, 500 and 200 Wh.
        _add(4, 90_000, 600, 1, false);
        _add(5, 90_000, 400, 0, false);
        _add(6, 200_000, 300, 64 + 30, true);
        _add(7, 200_000, 500, 64 + 10, true);
        _add(8, 200_000, 200, 0, true);
        // Price, premium and fees.
        vm.assertEq(accounts.freeOf(6), 100e9 - 300 * (200_000 + 30_000 + 21_000));
        vm.warp(DIRECT_GATE);
        PlainResult memory plain = _clearBook();
        bytes memory records = _bookRecords();
        uint256 state = vm.snapshotState();
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.NotLabelPrice.selector, 30_000));
        this.label(30_000, records);
        vm.recordLogs();
        this.label(10_000, records);
        Result memory result = auction.resultOf(_market(0));
        vm.assertEq(
            vm.getRecordedLogs()[0].data, abi.encode(uint16(10_000), uint64(600), uint64(300), result.root)
        );
        int256 price = plain.price;
        int256[5] memory money = [
            -600 * (price + 10_000),
            -400 * price,
            300 * (price + 10_000),
            500 * price + 3_000_000,
            200 * price
        ];
        uint256[5] memory labelled = [uint256(600), 0, 300, 300, 0];
        for (uint256 i = 0; i < 5; ++i) {
            Trade memory trade = Clearing.tradeOf(_recordAt(i), uint48(plain.prefixes[i]), 0, result, WHOLE);
            vm.assertEq(trade.money, money[i]);
            vm.assertEq(trade.labelled, labelled[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.AlreadyLabelled.selector, _market(0)));
        this.label(10_000, records);
        // Whose label nobody gave out pays no premium.
        vm.revertToState(state);
        result = auction.resultOf(_market(0));
        vm.assertEq(Clearing.tradeOf(_recordAt(2), 0, 0, result, WHOLE).money, 300 * price);
    }

    function test_labels_need_the_true_records_a_clearing_and_time() public {
        Progress memory none;
        _add(4, 90_000, 600, 2, false);
        _add(6, 200_000, 300, 64, true);
        bytes memory records = _bookRecords();
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.NotCleared.selector, _market(0)));
        this.label(0, records);
        vm.warp(DIRECT_GATE);
        _clearBook();
        for (uint256 i = 0; i < 32; ++i) {
            bytes memory flipped = bytes.concat(records);
            flipped[i] ^= bytes1(uint8(1 << (i % 8)));
            vm.expectPartialRevert(ICallAuction.ChainMismatch.selector);
            this.label(0, flipped);
        }
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.BatchTooLong.selector, 2));
        auction.advanceLabels(_market(0), 0, none, bytes.concat(records, records), _ones(4));
        vm.warp(DAY_START);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.SlotBegun.selector, _market(0), DAY_START));
        this.label(0, records);
    }

    function test_label_progress_that_nobody_reached_is_refused() public {
        PlainGiven memory plain = _cleared(3, 9);
        uint16 premium = uint16(plain.premium);
        Progress memory progress = _advance(premium, _none(), 0, 4);
        bytes memory rest = _cut(_bookRecords(), 64, 144);
        vm.expectPartialRevert(ICallAuction.UnknownProgress.selector);
        auction.label(_market(0), premium + 1000, progress, rest, _ones(5));
        progress.supply += 1;
        vm.expectPartialRevert(ICallAuction.UnknownProgress.selector);
        auction.label(_market(0), premium, progress, rest, _ones(5));
    }

    function test_progress_of_a_clearing_is_none_of_labels() public {
        for (uint32 i = 0; i < 4; ++i) {
            _add(4 + i, 100_000, 100 + i, i % 2 == 0 ? 70 : 1, i % 2 == 0);
        }
        vm.warp(DIRECT_GATE);
        PlainResult memory plain = PlainAuction.clear(_book, -4_000_000, 4_000_000);
        vm.recordLogs();
        auction.advance(_market(0), plain.lo, plain.hi, _none(), _cut(_bookRecords(), 0, 32), _ones(2));
        (,, Progress memory progress) = abi.decode(vm.getRecordedLogs()[0].data, (int32, int32, Progress));
        _clearBook();
        for (uint16 premium = 0; premium < 8; ++premium) {
            vm.expectPartialRevert(ICallAuction.UnknownProgress.selector);
            auction.label(_market(0), premium * 1000, progress, _cut(_bookRecords(), 32, 64), _ones(2));
        }
    }

    function test_sources_are_known_by_side() public {
        for (uint256 source = 0; source < 256; ++source) {
            _takes(uint8(source), false, source <= 4);
            _takes(uint8(source), true, source <= 4 || (source >= 64 && source < 128));
        }
    }

    function test_malformed_preferences_are_skipped() public {
        bytes memory offer = _step(0, 1, 1, false);
        offer[12] = bytes1(uint8(64 << 1));
        bytes memory bid = _step(0, 1, 1, true);
        bid[12] = bytes1(uint8((63 << 1) | 1));
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectEmit();
            emit ICallAuction.OrderSkipped(_market(0), 4, 0, Skip.Malformed);
            auction.relayProfiles(COMMUNITY, 0, 0, _signedProfile(4, false, 0, NEVER, i == 0 ? offer : bid));
        }
        bid[12] = bytes1(uint8((64 << 1) | 1));
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfile(4, false, 0, NEVER, bid));
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 1);
    }

    function test_a_limited_key_offers_no_premium_beyond_its_price() public {
        vm.prank(_ownerOf(4));
        accounts.setLimitedDeviceKey(4, vm.addr(77), uint40(DAY_START), 1000, 0, 100_000);
        vm.prank(vm.addr(77));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.KeyLimited.selector, 4, vm.addr(77)));
        auction.placeOrder(_market(0), 4, 90_000, 500, 64 + 11, true, 0);
        vm.prank(vm.addr(77));
        auction.placeOrder(_market(0), 4, 90_000, 500, 64 + 10, true, 0);
        bytes memory step = _step(0, 90_000, 500, true);
        step[12] = bytes1(uint8(((64 + 11) << 1) | 1));
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(_market(0), 4, 1, Skip.KeyLimited);
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfileBy(4, false, 1, NEVER, step, 77));
    }

    function test_a_curtailed_slot_opens_no_market_and_closes_those_with_orders() public {
        Market open = _market(3);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.MarketEmpty.selector, open));
        auction.closeCurtailed(open);
        _place(open, 4, 100_000, 500, false, 0);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.NotCurtailed.selector, open));
        auction.closeCurtailed(open);
        for (uint32 slot = 2; slot < 4; ++slot) {
            vm.prank(REGULATOR);
            positions.curtail(COMMUNITY, 0, FIRST_SLOT + slot, 500, "transformer");
        }
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.GateClosed.selector, _market(2)));
        vm.prank(_ownerOf(4));
        auction.placeOrder(_market(2), 4, 100_000, 500, 1, true, 1);
        // It has orders, so it takes more until somebody closes it.
        _place(open, 5, 120_000, 500, true, 0);
        vm.expectEmit();
        emit ICallAuction.MarketClosed(open);
        auction.closeCurtailed(open);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.GateClosed.selector, open));
        vm.prank(_ownerOf(5));
        auction.placeOrder(open, 5, 120_000, 500, 1, true, 1);
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(open, 4, 1, Skip.GateClosed);
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfile(4, false, 1, NEVER, _step(3, 1, 1, true)));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.GateClosed.selector, open));
        auction.closeCurtailed(open);
        bytes memory records =
            bytes.concat(_record(4, 100_000, 500, false, 0), _record(5, 120_000, 500, true, 0));
        auction.clear(open, 100_000, 120_000, records, _ones(2));
        vm.assertEq(uint256(auction.resultOf(open).volume), 500);
    }

    function label(uint16 premium, bytes calldata records) external {
        auction.label(_market(0), premium, _none(), records, _ones(records.length / 16));
    }

    function _tradeAt(
        uint256 i,
        PlainResult memory fills,
        PlainGiven memory plain,
        Result memory result,
        uint256 permille
    ) private view returns (Trade memory) {
        return Clearing.tradeOf(
            _recordAt(i), uint48(fills.prefixes[i]), uint48(plain.prefixes[i]), result, permille
        );
    }

    /// @dev The lock of a bid covers price, premium and fees.
    function _lockCovers(OrderRecord record, Trade memory trade, uint256 fee) private pure {
        int256 lock = int256(record.lock(fee, 100));
        if (record.isBuy()) vm.assertTrue(trade.money + int256(fee * trade.wh) <= lock);
    }

    function _compare(PlainGiven memory plain, Result memory result) private view {
        PlainResult memory fills = PlainAuction.clear(_book, -BAND, BAND);
        bytes32[] memory level = new bytes32[](_book.length);
        for (uint32 i = 0; i < _book.length; ++i) {
            (uint48 prefix, uint48 labelPrefix) = (uint48(fills.prefixes[i]), uint48(plain.prefixes[i]));
            Trade memory trade = Clearing.tradeOf(_recordAt(i), prefix, labelPrefix, result, WHOLE);
            vm.assertEq(trade.labelled, plain.wh[i], "labels");
            level[i] = keccak256(abi.encodePacked(i, OrderRecord.unwrap(_recordAt(i)), prefix, labelPrefix));
        }
        while (level.length > 1) {
            level = _plainParents(level);
        }
        vm.assertEq(result.root, level[0]);
    }

    /// @dev A few premiums and prices, so that ties come up, and all kinds of sources.
    function _draw(uint256 seed, uint256 size) private {
        for (uint256 i = 0; i < size; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            int32 price = int32(int256(clamp(draw >> 16, 0, uint32(2 * BAND)))) - BAND;
            bool buy = draw & 1 == 0;
            _book.push(PlainOrder(uint32(i), price, uint32(1 + (draw >> 32) % 9), buy, 0));
            uint256 source = (draw >> 48) % 5;
            if (buy && (draw >> 64) % 4 != 0) source = 64 + (source == 4 ? 63 : source);
            _sources.push(uint8(source));
        }
    }

    /// @dev A drawn book that was placed and cleared on the chain.
    function _cleared(uint256 seed, uint256 size) private returns (PlainGiven memory plain) {
        _draw(seed, size);
        for (uint32 i = 0; i < size; ++i) {
            (_book[i].account, _book[i].nonce) = (FIRST_HOME + i % 6, i / 6);
            PlainOrder memory order = _book[i];
            vm.prank(_ownerOf(order.account));
            auction.placeOrder(
                _market(0), order.account, order.price, order.quantity, _sources[i], order.buy, order.nonce
            );
        }
        vm.warp(DIRECT_GATE);
        _clearBook();
        (plain,) = _plain(4_000_000);
    }

    function _add(uint32 account, int32 price, uint32 quantity, uint8 source, bool buy) private {
        vm.prank(_ownerOf(account));
        auction.placeOrder(_market(0), account, price, quantity, source, buy, 0);
        _book.push(PlainOrder(account, price, quantity, buy, 0));
        _sources.push(source);
    }

    function _takes(uint8 source, bool buy, bool known) private {
        uint256 state = vm.snapshotState();
        if (!known) vm.expectRevert(abi.encodeWithSelector(ICallAuction.UnknownSource.selector, source));
        vm.prank(_ownerOf(4));
        auction.placeOrder(_market(0), 4, 1, 1, source, buy, 0);
        vm.revertToState(state);
    }

    function _clearBook() private returns (PlainResult memory plain) {
        plain = PlainAuction.clear(_book, -4_000_000, 4_000_000);
        auction.clear(_market(0), plain.lo, plain.hi, _bookRecords(), _ones(_book.length));
    }

    function _label(uint256 premium) private {
        auction.label(_market(0), uint16(premium), _none(), _bookRecords(), _ones(_book.length));
    }

    function _advance(uint16 premium, Progress memory from, uint256 done, uint256 length)
        private
        returns (Progress memory next)
    {
        vm.recordLogs();
        auction.advanceLabels(
            _market(0), premium, from, _cut(_bookRecords(), 16 * done, 16 * (done + length)), _ones(length)
        );
        (, next) = abi.decode(vm.getRecordedLogs()[0].data, (uint16, Progress));
        vm.assertEq(next.count, done + length);
    }

    function _plain(int32 band) private view returns (PlainGiven memory plain, Result memory cleared) {
        PlainResult memory result = PlainAuction.clear(_book, -band, band);
        plain = PlainLabels.give(_book, _sources, result);
        if (band == BAND) (, cleared) = oneShot.clear(_bookRecords(), result.lo, result.hi, BAND);
    }

    function _bookRecords() private view returns (bytes memory records) {
        for (uint256 i = 0; i < _book.length; ++i) {
            records = bytes.concat(records, bytes16(OrderRecord.unwrap(_recordAt(i))));
        }
    }

    function _recordAt(uint256 i) private view returns (OrderRecord) {
        bytes memory record = _recordOf(_book[i]);
        record[15] = bytes1((_sources[i] << 1) | (_book[i].buy ? 1 : 0));
        return OrderRecord.wrap(uint128(bytes16(record)));
    }

    function _none() private pure returns (Progress memory progress) {}
}
