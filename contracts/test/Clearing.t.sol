// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../src/interfaces/ICallAuction.sol";
import {ICallAuction} from "../src/interfaces/ICallAuction.sol";
import {Clearing} from "../src/libraries/Clearing.sol";
import {HashChain} from "../src/libraries/HashChain.sol";
import {OrderRecord} from "../src/types/OrderRecord.sol";
import {OneShot} from "./support/OneShot.sol";
import {PlainAuction, PlainOrder, PlainResult} from "./support/PlainAuction.sol";
import {Trading} from "./support/Trading.sol";
import {clamp, vm} from "./support/Vm.sol";

contract ClearingTest is Trading {
    int32 private constant BAND = 8;

    OneShot private oneShot;

    function setUp() public {
        _deploy(6);
        oneShot = OneShot(vm.deployCode("OneShot.sol:OneShot"));
    }

    /// @dev Prices of a few values, so that ties, one-sided books and gaps all come up.
    function testFuzz_only_one_pair_of_hints_clears_and_fills_follow_price_and_time(uint256 seed)
        public
        view
    {
        PlainOrder[] memory book = _book(seed);
        bytes memory records = _records(book);
        PlainResult memory plain = PlainAuction.clear(book, -BAND, BAND);
        for (int32 lo = -BAND; lo <= BAND; ++lo) {
            for (int32 hi = lo; hi <= BAND; ++hi) {
                (bool valid,) = oneShot.clear(records, lo, hi, BAND);
                vm.assertEq(valid, lo == plain.lo && hi == plain.hi);
            }
        }
        (, Result memory result) = oneShot.clear(records, plain.lo, plain.hi, BAND);
        vm.assertEq(int256(result.price), int256(plain.price), "price");
        vm.assertEq(uint256(result.volume), plain.volume, "volume");
        vm.assertEq(uint256(result.demandAbove), PlainAuction.bought(book, plain.price, false), "demand");
        vm.assertEq(uint256(result.supplyBelow), PlainAuction.sold(book, plain.price, false), "supply");
        bytes32[] memory level = new bytes32[](book.length);
        (uint256 sold, uint256 bought) = (0, 0);
        for (uint32 i = 0; i < book.length; ++i) {
            OrderRecord record = OrderRecord.wrap(uint128(bytes16(_recordOf(book[i]))));
            uint256 fill = Clearing.fillOf(record, uint48(plain.prefixes[i]), result);
            vm.assertEq(fill, plain.fills[i], "fill");
            vm.assertLe(fill, book[i].quantity, "fill <= quantity");
            if (book[i].buy) bought += fill;
            else sold += fill;
            level[i] =
                keccak256(abi.encodePacked(i, _recordOf(book[i]), uint48(plain.prefixes[i]), uint48(0)));
        }
        vm.assertEq(bought, plain.volume, "bought");
        vm.assertEq(sold, plain.volume, "sold");
        while (level.length > 1) {
            level = _plainParents(level);
        }
        vm.assertEq(result.root, level[0]);
    }

    /// @dev No price trades more than the one that the reference finds.
    function testFuzz_no_other_price_trades_more(uint256 seed) public pure {
        PlainOrder[] memory book = _book(seed);
        PlainResult memory plain = PlainAuction.clear(book, -BAND, BAND);
        for (int32 p = -BAND; p <= BAND; ++p) {
            (uint256 d, uint256 s) = (PlainAuction.bought(book, p, true), PlainAuction.sold(book, p, true));
            vm.assertLe(d < s ? d : s, plain.volume, "volume");
        }
    }

    function test_every_changed_record_set_reverts() public {
        for (uint32 i = 0; i < 12; ++i) {
            _order(0, FIRST_HOME + i % 6, int32(uint32(50_000 + (i * 37) % 11 * 10_000)), 100 + i, i % 2 == 0);
        }
        vm.warp(DIRECT_GATE);
        PlainResult memory plain = _result(0);
        bytes memory records = _records(orders[0]);
        for (uint256 i = 0; i < 12; ++i) {
            _rejects(plain, bytes.concat(_cut(records, 0, 16 * i), _cut(records, 16 * i + 16, 192)), 11);
            _rejects(plain, bytes.concat(records, _cut(records, 16 * i, 16 * i + 16)), 13);
            if (i < 11) {
                bytes memory swapped = bytes.concat(
                    _cut(records, 0, 16 * i),
                    _cut(records, 16 * i + 16, 16 * i + 32),
                    _cut(records, 16 * i, 16 * i + 16),
                    _cut(records, 16 * i + 32, 192)
                );
                _rejects(plain, swapped, 12);
            }
        }
        for (uint256 i = 0; i < 192; ++i) {
            bytes memory flipped = bytes.concat(records);
            flipped[i] ^= bytes1(uint8(1 << (i % 8)));
            _rejects(plain, flipped, 12);
        }
        uint16[] memory merged = new uint16[](1);
        merged[0] = 12;
        vm.expectRevert();
        auction.clear(_market(0), plain.lo, plain.hi, records, merged);
        merged[0] = 13;
        vm.expectRevert(HashChain.BatchMismatch.selector);
        auction.clear(_market(0), plain.lo, plain.hi, records, merged);
        _clear(0);
    }

    function test_wrong_hints_revert_on_chain() public {
        _order(0, 4, 120_000, 900, true);
        _order(0, 5, 60_000, 500, false);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.GateOpen.selector, _market(0), DIRECT_GATE));
        auction.clear(_market(0), 0, 0, "", new uint16[](0));
        vm.warp(DIRECT_GATE);
        bytes memory records = _records(orders[0]);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.NotClearing.selector, 120_000, 120_001));
        auction.clear(_market(0), 120_000, 120_001, records, _ones(2));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.HintOutOfBand.selector, 120_001, 120_000));
        auction.clear(_market(0), 120_001, 120_000, records, _ones(2));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.HintOutOfBand.selector, 0, 4_000_001));
        auction.clear(_market(0), 0, 4_000_001, records, _ones(2));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.MarketEmpty.selector, _market(1)));
        auction.clear(_market(1), 0, 0, "", new uint16[](0));
        vm.assertEq(auction.openMarkets(COMMUNITY, DAY), 1);
        _clear(0);
        vm.assertEq(auction.openMarkets(COMMUNITY, DAY), 0);
        vm.assertEq(int256(auction.resultOf(_market(0)).price), 120_000);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.AlreadyCleared.selector, _market(0)));
        auction.clear(_market(0), 120_000, 120_000, records, _ones(2));
    }

    function _rejects(PlainResult memory plain, bytes memory records, uint256 count) private {
        vm.expectRevert();
        auction.clear(_market(0), plain.lo, plain.hi, records, _ones(count));
    }

    function _book(uint256 seed) private pure returns (PlainOrder[] memory book) {
        book = new PlainOrder[](1 + seed % 10);
        for (uint256 i = 0; i < book.length; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            int32 price = int32(int256(clamp(draw >> 16, 0, uint32(2 * BAND)))) - BAND;
            book[i] = PlainOrder(uint32(i), price, uint32(1 + (draw >> 32) % 5), draw & 1 == 0, 0);
        }
    }
}
