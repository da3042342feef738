// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOracle} from "../src/interfaces/IOracle.sol";
import {Town} from "./support/Town.sol";
import {vm} from "./support/Vm.sol";

contract OracleTest is Town {
    bytes private _prices;
    bytes32 private constant ROOT = keccak256("root");

    function setUp() public {
        _deploy(0);
        _prices = _pair(150_000, 40_000);
    }

    function test_a_quorum_reports_prices_once_and_before_the_first_gate() public {
        bytes memory two = _tariffSignatures(0, DAY, _prices, 0, 2);
        address[] memory signers = new address[](2);
        (signers[0], signers[1]) = (vm.addr(reporterKeys[0]), vm.addr(reporterKeys[1]));
        vm.expectEmit();
        emit IOracle.TariffReported(COMMUNITY, 0, DAY, _prices, signers);
        oracle.reportTariff(COMMUNITY, 0, DAY, _prices, two);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY), keccak256(_prices));
        vm.expectRevert(IOracle.AlreadyReported.selector);
        oracle.reportTariff(COMMUNITY, 0, DAY, _prices, two);
        vm.warp(DAY_START - 39_600 + 86_400);
        two = _tariffSignatures(0, DAY + 1, _prices, 0, 2);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOracle.OutsideWindow.selector, DAY_START + 86_400 - 8 days, DAY_START - 39_600 + 86_400
            )
        );
        oracle.reportTariff(COMMUNITY, 0, DAY + 1, _prices, two);
    }

    function test_prices_are_not_reported_before_rules_can_no_longer_change() public {
        uint32 day = DAY + 9;
        bytes memory two = _tariffSignatures(0, day, _prices, 0, 2);
        vm.warp(DAY_START + 1 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOracle.OutsideWindow.selector, DAY_START + 1 days, DAY_START + 9 days - 39_600
            )
        );
        oracle.reportTariff(COMMUNITY, 0, day, _prices, two);
        vm.warp(DAY_START + 1 days);
        oracle.reportTariff(COMMUNITY, 0, day, _prices, two);
    }

    function test_reports_without_a_quorum_of_reporters_revert() public {
        bytes memory one = _tariffSignatures(0, DAY, _prices, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IOracle.QuorumNotMet.selector, 1, 2));
        oracle.reportTariff(COMMUNITY, 0, DAY, _prices, one);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotReporter.selector, vm.addr(reporterKeys[0])));
        oracle.reportTariff(COMMUNITY, 0, DAY, _prices, bytes.concat(one, one));
        bytes memory swapped = bytes.concat(_tariffSignatures(0, DAY, _prices, 1, 1), one);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotReporter.selector, vm.addr(reporterKeys[0])));
        oracle.reportTariff(COMMUNITY, 0, DAY, _prices, swapped);
        vm.expectRevert();
        oracle.reportTariff(COMMUNITY, 0, DAY, _prices, _tariffSignatures(0, DAY + 1, _prices, 0, 2));
        reporterKeys[1] = 77;
        vm.expectRevert();
        oracle.reportTariff(COMMUNITY, 0, DAY, _prices, _tariffSignatures(0, DAY, _prices, 0, 2));
    }

    function test_prices_out_of_bounds_revert() public {
        _refuses(0, _pair(2_000_001, 0), 0, 2_000_001);
        _refuses(0, _pair(0, -2_000_001), 1, -2_000_001);
        _refuses(0, _pair(100, 101), 1, 101);
        vm.expectRevert(abi.encodeWithSelector(IOracle.VectorLength.selector, 8, 96));
        oracle.reportTariff(COMMUNITY, 0, DAY, new bytes(8), "");
        vm.expectRevert(abi.encodeWithSelector(IOracle.UnknownFeed.selector, 3));
        oracle.reportTariff(COMMUNITY, 3, DAY, _prices, "");
    }

    function test_imbalance_prices_come_after_the_day_and_long_may_exceed_short() public {
        bytes memory prices = _pair(-100, 100);
        bytes memory two = _tariffSignatures(1, DAY, prices, 1, 2);
        uint256 end = DAY_START + 86_400;
        bytes memory outside = abi.encodeWithSelector(IOracle.OutsideWindow.selector, end, end + 7200);
        vm.warp(end - 1);
        vm.expectRevert(outside);
        oracle.reportTariff(COMMUNITY, 1, DAY, prices, two);
        vm.warp(end + 7200);
        vm.expectRevert(outside);
        oracle.reportTariff(COMMUNITY, 1, DAY, prices, two);
        vm.warp(end);
        oracle.reportTariff(COMMUNITY, 1, DAY, prices, two);
    }

    function test_reference_prices_come_before_the_first_gate_and_forward_may_exceed_spot() public {
        bytes memory prices = _pair(-60_000, 75_000);
        bytes memory two = _tariffSignatures(2, DAY, prices, 0, 2);
        oracle.reportTariff(COMMUNITY, 2, DAY, prices, two);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 2, DAY), keccak256(prices));
        vm.warp(DAY_START + 1 days - 39_600);
        two = _tariffSignatures(2, DAY + 1, prices, 0, 2);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOracle.OutsideWindow.selector, DAY_START - 7 days, DAY_START + 1 days - 39_600
            )
        );
        oracle.reportTariff(COMMUNITY, 2, DAY + 1, prices, two);
    }

    function test_meters_are_reported_once_and_in_their_window() public {
        uint256 end = DAY_START + SLOT_SECONDS;
        bytes memory two = _meterSignatures(FIRST_SLOT, ROOT, 5, 6, 2, 2);
        bytes memory outside = abi.encodeWithSelector(IOracle.OutsideWindow.selector, end, end + 7200);
        vm.warp(end - 1);
        vm.expectRevert(outside);
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, ROOT, 5, 6, 2, two);
        vm.warp(end + 7200);
        vm.expectRevert(outside);
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, ROOT, 5, 6, 2, two);
        vm.warp(end);
        vm.expectRevert();
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, ROOT, 5, 7, 2, two);
        vm.expectRevert(abi.encodeWithSelector(IOracle.UnknownProduct.selector, 1));
        oracle.reportMeters(COMMUNITY, 1, FIRST_SLOT, ROOT, 5, 6, 2, two);
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, ROOT, 5, 6, 2, two);
        vm.expectRevert(IOracle.AlreadyReported.selector);
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, ROOT, 5, 6, 2, two);
        vm.assertEq(oracle.meterRoot(COMMUNITY, 0, FIRST_SLOT).root, ROOT);
        vm.assertEq(oracle.meteredSlots(COMMUNITY, 0, DAY), 1);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), false);
    }

    function _refuses(uint8 feed, bytes memory prices, uint256 position, int256 price) private {
        vm.expectRevert(abi.encodeWithSelector(IOracle.PriceOutOfBounds.selector, position, price));
        oracle.reportTariff(COMMUNITY, feed, DAY, prices, "");
    }
}
