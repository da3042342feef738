// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Fill, SignedLimit} from "../src/interfaces/IContinuousMarket.sol";
import {ContinuousTown} from "./support/ContinuousTown.sol";
import {vm} from "./support/Vm.sol";

/// @notice Gas of whole transactions of continuous trading and of block series, kept in contracts/snapshots.
contract ContinuousGasTest is ContinuousTown {
    string private constant GROUP = "continuous";

    uint64 private _pairs;

    function setUp() public {
        _deploy(6);
    }

    /// forge-config: default.isolate = true
    function test_a_match_of_a_slot_with_receipts() public {
        _match(4, 5, 0);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "match of a slot, first of both homes");
        vm.assertLe(gas, 300_000, "the first match of two homes");
        _match(4, 5, 0);
        gas = vm.snapshotGasLastCall(GROUP, "match of a slot");
        vm.assertLe(gas, 205_000, "match <= 205k");
    }

    /// forge-config: default.isolate = true
    function test_a_batch_of_50_matches() public {
        SignedLimit[] memory limits = new SignedLimit[](51);
        Fill[] memory fills = new Fill[](50);
        limits[50] = _received(_limit(4, true, 120_000, 5000, 0), 51, ENGINE_KEY);
        for (uint16 i = 0; i < 50; ++i) {
            limits[i] = _received(_limit(5 + i % 5, false, 100_000, 100 + i, 0), i + 1, ENGINE_KEY);
            fills[i] = Fill(50, i, 100);
        }
        vm.prank(_engine());
        continuous.matchBatch(limits, fills);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "batch of 50 matches of a slot");
        vm.assertEq(continuous.filled(_orderOf(limits[50].limit)), 5000);
        vm.assertLe(gas, 50 * 205_000, "match <= 205k");
    }

    /// forge-config: default.isolate = true
    function test_a_block_deal() public {
        uint32 series = _createSeries(EVERY_DAY, DAY + 1, DAY + 30);
        _mark(series, DAY, 100_000);
        _match(4, 5, series);
        _match(4, 5, series);
        vm.snapshotGasLastCall(GROUP, "match of a series");
        vm.warp(_dayStart(DAY + 1));
        blocks.deliver(1, DAY + 1);
        vm.snapshotGasLastCall(GROUP, "delivery of a day of two slots");
        blocks.callMargin(1, true);
        vm.snapshotGasLastCall(GROUP, "margin call");
    }

    function _match(uint32 buyer, uint32 seller, uint32 series) private {
        uint64 next = ++_pairs;
        SignedLimit memory buy =
            _received(_limit(buyer, true, 120_000, uint32(5 + next), series), 2 * next, ENGINE_KEY);
        SignedLimit memory sell =
            _received(_limit(seller, false, 100_000, uint32(5 + next), series), 2 * next + 1, ENGINE_KEY);
        vm.prank(_engine());
        continuous.matchOrders(buy, sell, 5);
    }
}
