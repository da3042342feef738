// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IAccounts} from "../src/interfaces/IAccounts.sol";
import {IOracle} from "../src/interfaces/IOracle.sol";
import {IPositions} from "../src/interfaces/IPositions.sol";
import {IReporterBonds, MeterValue} from "../src/interfaces/IReporterBonds.sol";
import {ReportMark, ReportStatus} from "../src/types/ReportMark.sol";
import {Rules, dayStart} from "../src/types/Rules.sol";
import {Town} from "./support/Town.sol";
import {vm} from "./support/Vm.sol";

contract OracleTest is Town {
    bytes private _prices;
    bytes private _outlier;
    uint32 private _home;
    uint256 private constant AFTER = DAY_START + 86_400;
    uint256 private constant GATE = DAY_START - 39_600;
    uint256 private constant CHALLENGE_WINDOW = 3600;

    function setUp() public {
        _deploy(1);
        _home = FIRST_HOME;
        _prices = _pair(150_000, 40_000);
        _outlier = _pair(650_001, 40_000);
    }

    // ---- a report ----

    function test_a_quorum_reports_prices_before_the_first_gate() public {
        address[] memory signers = new address[](2);
        (signers[0], signers[1]) = (vm.addr(reporterKeys[0]), vm.addr(reporterKeys[1]));
        bytes memory two = _tariffSignatures(0, DAY, _prices, 0, 2);
        vm.expectEmit();
        emit IOracle.TariffReported(COMMUNITY, 0, DAY, 0, _prices, signers);
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, _prices, "", two);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY), keccak256(_prices));
        vm.warp(GATE + 1 days);
        two = _tariffSignatures(0, DAY + 1, _prices, 0, 2);
        vm.expectRevert(_outside(DAY_START - 7 days, GATE + 1 days));
        oracle.reportTariff(COMMUNITY, 0, DAY + 1, 0, _prices, _prices, two);
    }

    function test_prices_are_not_reported_before_rules_can_no_longer_change() public {
        uint32 day = DAY + 9;
        bytes memory two = _tariffSignatures(0, day, _prices, 0, 2);
        vm.warp(DAY_START + 1 days - 1);
        vm.expectRevert(_outside(DAY_START + 1 days, DAY_START + 9 days - 39_600));
        oracle.reportTariff(COMMUNITY, 0, day, 0, _prices, "", two);
        vm.warp(DAY_START + 1 days);
        oracle.reportTariff(COMMUNITY, 0, day, 0, _prices, "", two);
    }

    function test_reports_without_a_quorum_of_reporters_revert() public {
        bytes memory one = _tariffSignatures(0, DAY, _prices, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IOracle.QuorumNotMet.selector, 1, 2));
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, _prices, "", one);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotReporter.selector, vm.addr(reporterKeys[0])));
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, _prices, "", bytes.concat(one, one));
        bytes memory swapped = bytes.concat(_tariffSignatures(0, DAY, _prices, 1, 1), one);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotReporter.selector, vm.addr(reporterKeys[0])));
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, _prices, "", swapped);
        bytes memory others = _tariffSignatures(0, DAY + 1, _prices, 0, 2);
        vm.expectPartialRevert(IOracle.NotReporter.selector);
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, _prices, "", others);
        others = _tariffSignatures(0, DAY, 1, _prices, 0, 2);
        vm.expectPartialRevert(IOracle.NotReporter.selector);
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, _prices, "", others);
        reporterKeys[1] = 77;
        others = _tariffSignatures(0, DAY, _prices, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotReporter.selector, vm.addr(77)));
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, _prices, "", others);
    }

    function test_prices_out_of_bounds_revert() public {
        _refuses(0, _pair(2_000_001, 0), 0, 2_000_001);
        _refuses(0, _pair(0, -2_000_001), 1, -2_000_001);
        _refuses(0, _pair(100, 101), 1, 101);
        vm.expectRevert(abi.encodeWithSelector(IOracle.VectorLength.selector, 8, 96));
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, new bytes(8), "", "");
        vm.expectRevert(abi.encodeWithSelector(IOracle.UnknownFeed.selector, 3));
        oracle.reportTariff(COMMUNITY, 3, DAY, 0, _prices, "", "");
    }

    function test_a_single_price_out_of_bounds_is_found_wherever_it_is(uint256 place, bool above) public {
        place %= 2 * SLOTS;
        bytes memory prices = _pair(0, 0);
        int32 wrong = above ? int32(2_000_001) : int32(-2_000_001);
        bytes4 packed = bytes4(uint32(wrong));
        for (uint256 i = 0; i < 4; ++i) {
            prices[4 * place + i] = packed[i];
        }
        vm.expectRevert(abi.encodeWithSelector(IOracle.PriceOutOfBounds.selector, place, int256(wrong)));
        oracle.reportTariff(COMMUNITY, 2, DAY, 0, prices, "", "");
    }

    function test_imbalance_prices_come_after_the_day_and_long_may_exceed_short() public {
        bytes memory prices = _pair(-100, 100);
        bytes memory two = _tariffSignatures(1, DAY, prices, 1, 2);
        vm.warp(AFTER - 1);
        vm.expectRevert(_outside(AFTER, AFTER + 7200));
        oracle.reportTariff(COMMUNITY, 1, DAY, 0, prices, "", two);
        vm.warp(AFTER + 7200);
        vm.expectRevert(_outside(AFTER, AFTER + 7200));
        oracle.reportTariff(COMMUNITY, 1, DAY, 0, prices, "", two);
        vm.warp(AFTER);
        oracle.reportTariff(COMMUNITY, 1, DAY, 0, prices, "", two);
    }

    function test_reference_prices_come_before_the_first_gate_and_forward_may_exceed_spot() public {
        bytes memory prices = _pair(-60_000, 75_000);
        _reportTariff(2, DAY, prices);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 2, DAY), keccak256(prices));
        vm.warp(GATE + 1 days);
        bytes memory two = _tariffSignatures(2, DAY + 1, prices, 0, 2);
        vm.expectRevert(_outside(DAY_START - 7 days, GATE + 1 days));
        oracle.reportTariff(COMMUNITY, 2, DAY + 1, 0, prices, prices, two);
    }

    function test_meters_are_reported_in_their_window() public {
        uint256 end = DAY_START + SLOT_SECONDS;
        MeterValue memory value = _value(5);
        bytes memory two = _meterSignatures(FIRST_SLOT, 0, value, 0, 2);
        vm.warp(end - 1);
        vm.expectRevert(_outside(end, end + 7200));
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, 0, value, two);
        vm.warp(end + 7200);
        vm.expectRevert(_outside(end, end + 7200));
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, 0, value, two);
        vm.warp(end);
        vm.expectPartialRevert(IOracle.NotReporter.selector);
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, 0, _value(6), two);
        vm.expectRevert(abi.encodeWithSelector(IOracle.UnknownProduct.selector, 1));
        oracle.reportMeters(COMMUNITY, 1, FIRST_SLOT, 0, value, two);
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, 0, value, two);
        vm.assertEq(oracle.meterRoot(COMMUNITY, 0, FIRST_SLOT).root, value.root);
        vm.assertEq(oracle.meteredSlots(COMMUNITY, 0, DAY), 1);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), false);
    }

    function test_meters_beyond_what_the_connections_carry_revert() public {
        vm.warp(DAY_START + SLOT_SECONDS);
        MeterValue memory value = MeterValue(keccak256("root"), 40_001, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IOracle.EnergyOutOfBounds.selector, 40_001, 40_000));
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, 0, value, "");
        value = MeterValue(keccak256("root"), 40_000, 40_001, 2);
        vm.expectRevert(abi.encodeWithSelector(IOracle.EnergyOutOfBounds.selector, 40_001, 40_000));
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, 0, value, "");
    }

    // ---- replacement ----

    function test_more_signatures_in_a_later_round_replace_prices_within_the_window() public {
        bytes memory better = _pair(160_000, 40_000);
        _reportTariff(0, DAY, 0, _prices, 0, 2);
        bytes memory two = _tariffSignatures(0, DAY, 1, better, 1, 2);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotMoreSignatures.selector, 1, 1));
        oracle.reportTariff(COMMUNITY, 0, DAY, 1, better, "", two);
        bytes memory three = _tariffSignatures(0, DAY, 0, better, 0, 3);
        vm.expectRevert(abi.encodeWithSelector(IOracle.RoundPassed.selector, 0, 0));
        oracle.reportTariff(COMMUNITY, 0, DAY, 0, better, "", three);
        three = _tariffSignatures(0, DAY, 1, better, 0, 3);
        vm.warp(GATE);
        vm.expectRevert(_outside(DAY_START - 8 days, GATE));
        oracle.reportTariff(COMMUNITY, 0, DAY, 1, better, "", three);
        vm.warp(GATE - 1);
        oracle.reportTariff(COMMUNITY, 0, DAY, 1, better, "", three);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY), keccak256(better));
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotMoreSignatures.selector, 0, 0));
        oracle.reportTariff(COMMUNITY, 0, DAY, 1, better, "", three);
    }

    function test_the_same_prices_can_gather_signatures_in_their_round() public {
        _reportTariff(0, DAY, 0, _prices, 0, 2);
        _expectMark(0, DAY, ReportStatus.Counting, 0, 1);
        _reportTariff(0, DAY, 0, _prices, 0, 3);
        _expectMark(0, DAY, ReportStatus.Counting, 0, 0);
    }

    function test_more_signatures_in_a_later_round_replace_meters() public {
        vm.warp(DAY_START + SLOT_SECONDS);
        _reportMeters(0, _value(5), 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IOracle.RoundPassed.selector, 0, 0));
        this.reportMeters(0, _value(6), 0, 3);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotMoreSignatures.selector, 1, 1));
        this.reportMeters(1, _value(6), 0, 2);
        _reportMeters(1, _value(6), 0, 3);
        vm.assertEq(oracle.meterRoot(COMMUNITY, 0, FIRST_SLOT).root, _value(6).root);
        vm.assertEq(oracle.meteredSlots(COMMUNITY, 0, DAY), 1);
    }

    // ---- quarantine ----

    function test_a_jump_waits_until_a_second_round_confirms_it() public {
        _reportTariff(0, DAY, _prices);
        bytes memory one = _pair(149_999, 40_000);
        for (uint256 i = 0; i < 4; ++i) {
            one[i + 8 * 11] = bytes4(uint32(650_001))[i];
        }
        _reportTariff(0, DAY + 1, one);
        _expectMark(0, DAY + 1, ReportStatus.Quarantined, 0, 0);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY + 1), bytes32(0));
        bytes memory two = _tariffSignatures(0, DAY + 1, 1, one, 0, 2);
        vm.expectRevert(_outside(BEFORE_GATE + 600, GATE + 1 days));
        oracle.reportTariff(COMMUNITY, 0, DAY + 1, 1, one, _prices, two);
        vm.warp(BEFORE_GATE + 600);
        bytes memory again = _tariffSignatures(0, DAY + 1, 0, one, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IOracle.RoundPassed.selector, 0, 0));
        oracle.reportTariff(COMMUNITY, 0, DAY + 1, 0, one, _prices, again);
        oracle.reportTariff(COMMUNITY, 0, DAY + 1, 1, one, _prices, two);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY + 1), keccak256(one));
        _expectMark(0, DAY + 1, ReportStatus.Counting, 1, 1);
    }

    function test_a_jump_of_exactly_the_limit_counts_and_one_down_waits() public {
        _reportTariff(2, DAY, _pair(0, 0));
        _reportTariff(2, DAY + 1, _pair(500_000, -500_000));
        _expectMark(2, DAY + 1, ReportStatus.Counting, 0, 0);
        _reportTariff(2, DAY + 2, _pair(500_000, -1_000_001));
        _expectMark(2, DAY + 2, ReportStatus.Quarantined, 0, 0);
    }

    function test_reference_prices_in_quarantine_are_not_let_count_once_bills_can_be_proposed() public {
        _reportTariff(2, DAY, _pair(0, 0));
        _reportTariff(2, DAY + 1, _pair(500_001, 0));
        _expectMark(2, DAY + 1, ReportStatus.Quarantined, 0, 0);
        Rules memory rules = communities.rulesAt(COMMUNITY, DAY + 1);
        uint256 bills = uint256(dayStart(DAY + 2, rules.utcOffset)) + rules.billDelay;
        vm.warp(bills);
        vm.prank(ARBITER);
        vm.expectRevert(_outside(0, bills));
        oracle.decideQuarantine(COMMUNITY, 2, DAY + 1, true);
        vm.warp(bills - 1);
        vm.prank(ARBITER);
        oracle.decideQuarantine(COMMUNITY, 2, DAY + 1, true);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 2, DAY + 1), keccak256(_pair(500_001, 0)));
    }

    function test_no_round_lets_reference_prices_count_once_bills_can_be_proposed() public {
        _reportTariff(2, DAY, _pair(0, 0));
        Rules memory rules = communities.rulesAt(COMMUNITY, DAY + 1);
        uint256 bills = uint256(dayStart(DAY + 2, rules.utcOffset)) + rules.billDelay;
        uint8 round = 0;
        // Each jump waits for another round, as long as a report is usually awaited.
        for (uint256 time = GATE + 1 days - 1; time < bills; time += rules.meterWindow - 1) {
            vm.warp(time);
            _reportTariff(2, DAY + 1, round, _pair(1_000_000 + int32(uint32(round)), 0), 0, 3);
            ++round;
        }
        bytes memory last = _pair(999_999 + int32(uint32(round)), 0);
        bytes memory signatures = _tariffSignatures(2, DAY + 1, round, last, 0, 3);
        vm.warp(bills);
        vm.expectRevert(_outside(0, bills));
        oracle.reportTariff(COMMUNITY, 2, DAY + 1, round, last, _pair(0, 0), signatures);
        vm.warp(bills - 1);
        oracle.reportTariff(COMMUNITY, 2, DAY + 1, round, last, _pair(0, 0), signatures);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 2, DAY + 1), keccak256(last));
    }

    function test_a_day_waits_for_the_end_of_a_challenge_of_its_reference_prices() public {
        _reportTariff(2, DAY, _pair(0, 0));
        uint256 id = _challengePrices(2, DAY);
        _reportDay();
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), false);
        vm.warp(AFTER + CHALLENGE_WINDOW);
        oracle.lapse(id);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), true);
    }

    function test_a_jump_that_a_second_round_corrects_counts_corrected() public {
        _reportTariff(0, DAY, _prices);
        _reportTariff(0, DAY + 1, _outlier);
        vm.warp(BEFORE_GATE + 600);
        _reportTariff(0, DAY + 1, 1, _prices, 0, 2);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY + 1), keccak256(_prices));
    }

    function test_another_jump_waits_again() public {
        _reportTariff(0, DAY, _prices);
        _reportTariff(0, DAY + 1, _outlier);
        vm.warp(BEFORE_GATE + 600);
        _reportTariff(0, DAY + 1, 1, _pair(700_000, 40_000), 0, 2);
        _expectMark(0, DAY + 1, ReportStatus.Quarantined, 1, 1);
    }

    function test_a_late_jump_can_be_confirmed_after_its_window() public {
        _reportTariff(0, DAY, _prices);
        vm.warp(GATE + 1 days - 1);
        _reportTariff(0, DAY + 1, _outlier);
        vm.warp(GATE + 1 days + 7198);
        uint256 kept = vm.snapshotState();
        _reportTariff(0, DAY + 1, 1, _outlier, 0, 2);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY + 1), keccak256(_outlier));
        vm.revertToState(kept);
        vm.warp(GATE + 1 days + 7199);
        bytes memory two = _tariffSignatures(0, DAY + 1, 1, _outlier, 0, 2);
        vm.expectRevert(_outside(GATE + 1 days + 599, GATE + 1 days + 7199));
        oracle.reportTariff(COMMUNITY, 0, DAY + 1, 1, _outlier, _prices, two);
    }

    function test_a_jump_is_measured_from_the_last_of_seven_days_that_counts() public {
        _reportTariff(0, DAY, _prices);
        _reportTariff(0, DAY + 1, _outlier);
        // The day in quarantine is passed over.
        _reportTariff(0, DAY + 2, _outlier);
        _expectMark(0, DAY + 2, ReportStatus.Quarantined, 0, 0);
        vm.assertEq(oracle.baseDayOf(COMMUNITY, 0, DAY + 7), DAY);
        vm.assertEq(oracle.baseDayOf(COMMUNITY, 0, DAY + 8), 0);
        bytes memory two = _tariffSignatures(0, DAY + 2, 1, _prices, 0, 2);
        vm.warp(BEFORE_GATE + 600);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NotPricesOf.selector, DAY));
        oracle.reportTariff(COMMUNITY, 0, DAY + 2, 1, _prices, _outlier, two);
        vm.warp(BEFORE_GATE + 1 days);
        _reportTariff(0, DAY + 8, _outlier);
        _expectMark(0, DAY + 8, ReportStatus.Counting, 0, 0);
    }

    function test_the_arbiter_lets_a_jump_count_or_asks_for_another_round() public {
        _reportTariff(0, DAY, _prices);
        _reportTariff(0, DAY + 1, _outlier);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this))
        );
        oracle.decideQuarantine(COMMUNITY, 0, DAY + 1, true);
        uint256 kept = vm.snapshotState();
        vm.prank(ARBITER);
        vm.expectEmit();
        emit IOracle.QuarantineDecided(COMMUNITY, 0, DAY + 1, true);
        oracle.decideQuarantine(COMMUNITY, 0, DAY + 1, true);
        _expectMark(0, DAY + 1, ReportStatus.Standing, 0, 0);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY + 1), keccak256(_outlier));
        vm.revertToState(kept);
        vm.prank(ARBITER);
        oracle.decideQuarantine(COMMUNITY, 0, DAY + 1, false);
        _expectMark(0, DAY + 1, ReportStatus.Discarded, 0, 0);
        vm.prank(ARBITER);
        vm.expectRevert(abi.encodeWithSelector(IOracle.WrongStatus.selector, ReportStatus.Discarded));
        oracle.decideQuarantine(COMMUNITY, 0, DAY + 1, true);
        _reportTariff(0, DAY + 1, 1, _prices, 0, 2);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 0, DAY + 1), keccak256(_prices));
    }

    // ---- challenges ----

    function test_a_challenged_report_does_not_count_and_a_rejected_challenge_leaves_its_bond() public {
        _completeDay();
        uint256 free = accounts.freeOf(_home);
        uint256 id = _challengePrices(1, DAY);
        vm.assertEq(accounts.freeOf(_home), free - BOND);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), false);
        vm.assertEq(oracle.tariffHash(COMMUNITY, 1, DAY), bytes32(0));
        bytes memory three = _tariffSignatures(1, DAY, 1, _prices, 0, 3);
        vm.expectRevert(abi.encodeWithSelector(IOracle.WrongStatus.selector, ReportStatus.Challenged));
        oracle.reportTariff(COMMUNITY, 1, DAY, 1, _prices, "", three);
        vm.prank(ARBITER);
        vm.expectEmit();
        emit IOracle.ChallengeClosed(id, false, true, 0);
        oracle.decide(id, false);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), true);
        vm.assertEq(oracle.rewards(COMMUNITY), BOND);
        _expectMark(1, DAY, ReportStatus.Standing, 0, 0);
        vm.prank(_ownerOf(_home));
        vm.expectRevert(abi.encodeWithSelector(IOracle.WrongStatus.selector, ReportStatus.Standing));
        oracle.challengeTariff(COMMUNITY, 1, DAY, _home);
    }

    function test_an_upheld_challenge_pays_from_what_rejected_ones_left_and_asks_for_another_round() public {
        _completeDay();
        uint256 id = _challengeMeters();
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), false);
        vm.assertEq(oracle.meterRoot(COMMUNITY, 0, LAST_SLOT).reported, false);
        vm.prank(ARBITER);
        oracle.decide(id, false);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), true);
        uint256 free = accounts.freeOf(_home);
        id = _challengePrices(1, DAY);
        vm.prank(ARBITER);
        vm.expectEmit();
        emit IOracle.ChallengeClosed(id, true, false, 2 * BOND);
        oracle.decide(id, true);
        vm.assertEq(accounts.freeOf(_home), free + BOND);
        vm.assertEq(oracle.rewards(COMMUNITY), 0);
        _expectMark(1, DAY, ReportStatus.Discarded, 0, 0);
        vm.warp(BILLS_FROM);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), false);
    }

    function test_an_upheld_challenge_of_meters_leaves_time_for_another_report() public {
        _completeDay();
        uint256 id = _challengeMeters();
        vm.warp(AFTER + 3599);
        vm.prank(ARBITER);
        oracle.decide(id, true);
        vm.warp(AFTER + 3599 + 7199);
        bytes memory two = _meterSignatures(LAST_SLOT, 1, _value(9), 0, 2);
        oracle.reportMeters(COMMUNITY, 0, LAST_SLOT, 1, _value(9), two);
        vm.assertEq(oracle.meterRoot(COMMUNITY, 0, LAST_SLOT).root, _value(9).root);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), true);
    }

    function test_a_challenge_that_nobody_decides_lapses_and_the_report_stands() public {
        _completeDay();
        uint256 free = accounts.freeOf(_home);
        uint256 prices = _challengePrices(1, DAY);
        uint256 meters = _challengeMeters();
        vm.warp(AFTER + CHALLENGE_WINDOW - 1);
        vm.expectRevert(_outside(AFTER + CHALLENGE_WINDOW, type(uint256).max));
        oracle.lapse(prices);
        vm.warp(AFTER + CHALLENGE_WINDOW);
        vm.prank(ARBITER);
        vm.expectRevert(_outside(0, AFTER + CHALLENGE_WINDOW));
        oracle.decide(prices, true);
        oracle.lapse(prices);
        oracle.lapse(meters);
        vm.assertEq(accounts.freeOf(_home), free);
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), true);
        vm.expectRevert(abi.encodeWithSelector(IOracle.NoChallenge.selector, prices));
        oracle.lapse(prices);
    }

    function test_challenges_are_over_when_bills_can_be_proposed() public {
        _completeDay();
        uint256 last = AFTER + 7200 + CHALLENGE_WINDOW;
        vm.warp(last);
        vm.startPrank(_ownerOf(_home));
        vm.expectRevert(_outside(0, last));
        oracle.challengeTariff(COMMUNITY, 1, DAY, _home);
        vm.expectRevert(_outside(0, last));
        oracle.challengeMeters(COMMUNITY, 0, LAST_SLOT, _home);
        vm.warp(last - 1);
        uint256 id = oracle.challengeTariff(COMMUNITY, 1, DAY, _home);
        vm.assertTrue(oracle.challengeOf(id).deadline <= BILLS_FROM);
    }

    function test_only_a_member_with_the_bond_challenges_what_was_reported() public {
        _reportTariff(0, DAY, _prices);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotOwner.selector, _home, address(this)));
        oracle.challengeTariff(COMMUNITY, 0, DAY, _home);
        vm.prank(REGISTRAR);
        uint32 stranger = accounts.register(address(this), COMMUNITY + 1);
        vm.expectRevert(abi.encodeWithSelector(IPositions.NotMember.selector, stranger, COMMUNITY));
        oracle.challengeTariff(COMMUNITY, 0, DAY, stranger);
        vm.prank(REGISTRAR);
        uint32 poor = accounts.register(address(this), COMMUNITY);
        _fund(poor, 100);
        vm.expectRevert(abi.encodeWithSelector(IReporterBonds.BondNotCovered.selector, poor, BOND, 100_000));
        oracle.challengeTariff(COMMUNITY, 0, DAY, poor);
        vm.startPrank(_ownerOf(_home));
        vm.expectRevert(IOracle.NoReport.selector);
        oracle.challengeTariff(COMMUNITY, 2, DAY, _home);
        vm.expectRevert(IOracle.NoReport.selector);
        oracle.challengeMeters(COMMUNITY, 0, FIRST_SLOT, _home);
        vm.stopPrank();
        uint256 id = _challengePrices(0, DAY);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this))
        );
        oracle.decide(id, true);
    }

    // ---- bonds of reporters ----

    function test_two_signatures_over_different_prices_of_a_round_cost_the_bond() public {
        address liar = _bond(1, 1000);
        bytes memory both = bytes.concat(
            _tariffSignatures(0, DAY, 3, _prices, 1, 1), _tariffSignatures(0, DAY, 3, _outlier, 1, 1)
        );
        uint256 free = accounts.freeOf(_home);
        vm.expectEmit();
        emit IReporterBonds.ReporterSlashed(liar, COMMUNITY, _home, 500, 501);
        oracle.slashForTariffs(COMMUNITY, 0, DAY, 3, keccak256(_prices), keccak256(_outlier), both, _home);
        vm.assertEq(accounts.freeOf(_home), free + 500);
        vm.assertEq(oracle.rewards(COMMUNITY), 501);
        vm.assertEq(oracle.bondOf(liar).nano, 0);
        vm.expectRevert(abi.encodeWithSelector(IReporterBonds.NoBond.selector, liar));
        oracle.slashForTariffs(COMMUNITY, 0, DAY, 3, keccak256(_prices), keccak256(_outlier), both, _home);
    }

    function test_two_signatures_over_different_meters_of_a_round_cost_the_bond() public {
        address liar = _bond(2, 1000);
        bytes memory both = bytes.concat(
            _meterSignatures(FIRST_SLOT, 0, _value(5), 2, 1), _meterSignatures(FIRST_SLOT, 0, _value(6), 2, 1)
        );
        oracle.slashForMeters(COMMUNITY, 0, FIRST_SLOT, 0, _value(5), _value(6), both, _home);
        vm.assertEq(oracle.bondOf(liar).nano, 0);
    }

    function test_honest_signatures_cost_no_bond() public {
        _bond(1, 1000);
        bytes memory own = _tariffSignatures(0, DAY, _prices, 1, 1);
        bytes memory others = _tariffSignatures(0, DAY, _outlier, 2, 1);
        bytes memory later = _tariffSignatures(0, DAY, 1, _outlier, 1, 1);
        _noEquivocation(_prices, _prices, bytes.concat(own, own));
        _noEquivocation(_prices, _outlier, bytes.concat(own, others));
        _noEquivocation(_prices, _outlier, bytes.concat(own, later));
        _noEquivocation(_prices, _outlier, own);
        _noEquivocation(_prices, _outlier, new bytes(128));
    }

    function test_a_bond_needs_the_consent_of_both_and_returns_after_the_delay() public {
        bytes memory consent = _consent(0, _home);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotOwner.selector, _home, address(this)));
        oracle.depositBond(_home, 5, consent);
        uint256 free = accounts.freeOf(_home);
        address reporter = _bond(0, 1000);
        bytes memory consentOfOther = _consent(0, OPERATOR);
        vm.prank(_ownerOf(OPERATOR));
        vm.expectRevert(abi.encodeWithSelector(IReporterBonds.BondOfAnotherAccount.selector, reporter, _home));
        oracle.depositBond(OPERATOR, 5, consentOfOther);
        vm.expectRevert(abi.encodeWithSelector(IReporterBonds.BondHeld.selector, 0));
        oracle.takeBond(reporter);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotOwner.selector, _home, address(this)));
        oracle.releaseBond(reporter);
        vm.prank(_ownerOf(_home));
        oracle.releaseBond(reporter);
        vm.warp(BEFORE_GATE + 21 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IReporterBonds.BondHeld.selector, BEFORE_GATE + 21 days));
        oracle.takeBond(reporter);
        vm.warp(BEFORE_GATE + 21 days);
        oracle.takeBond(reporter);
        vm.assertEq(accounts.freeOf(_home), free);
        vm.expectRevert(abi.encodeWithSelector(IReporterBonds.NoBond.selector, reporter));
        oracle.takeBond(reporter);
    }

    function test_a_bond_of_more_than_the_account_has_reverts() public {
        bytes memory consent = _consent(0, _home);
        uint64 free = uint64(accounts.freeOf(_home));
        vm.startPrank(_ownerOf(_home));
        vm.expectRevert(abi.encodeWithSelector(IReporterBonds.BondNotCovered.selector, _home, free + 1, free));
        oracle.depositBond(_home, free + 1, consent);
        vm.expectPartialRevert(IReporterBonds.NoBond.selector);
        oracle.depositBond(_home, 0, consent);
    }

    // ---- properties ----

    /// @dev Whatever is done in whatever order: money is conserved, bills wait for what does not count, what counts was
    /// signed by a quorum, and what counted when bills could be proposed stays.
    function test_states_keep_money_and_meaning(uint256 seed) public {
        uint256 money = accounts.owed();
        uint256[24] memory ids;
        uint256 opened = 0;
        for (uint256 step = 0; step < 24; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            // One that was opened before, or none.
            uint256 id = _act(seed, ids[(seed >> 24) % (opened + 1)]);
            if (id != 0) ids[opened++] = id;
            _checkStates(money);
        }
        // Nothing is stuck: a day later whatever was challenged can be ended by anyone.
        vm.warp(vm.getBlockTimestamp() + 1 days);
        for (uint256 i = 0; i < opened; ++i) {
            if (oracle.challengeOf(ids[i]).deadline != 0) oracle.lapse(ids[i]);
        }
        _checkStates(money);
        (, uint256 pot) = accounts.moduleOf(address(oracle));
        vm.assertEq(pot, oracle.rewards(COMMUNITY));
    }

    function reportTariff(uint8 feed, uint32 day, uint8 round, bytes calldata prices, uint256 from) external {
        _reportTariff(feed, day, round, prices, from, 3 - from);
    }

    function reportMeters(uint8 round, MeterValue calldata value, uint256 from, uint256 count) external {
        _reportMeters(round, value, from, count);
    }

    /// @dev Anything that somebody may try, with a challenge `id`, which may be none; returns a new challenge.
    function _act(uint256 seed, uint256 id) private returns (uint256 opened) {
        uint32 day = DAY + uint32(seed >> 8 & 1);
        uint8 feed = uint8(seed >> 16 & 1) * 2;
        uint256 action = seed % 8;
        bool holds = seed >> 48 & 1 == 0;
        if (action < 3) {
            bytes memory prices = seed >> 40 & 1 == 0 ? _prices : _outlier;
            try this.reportTariff(feed, day, uint8(seed >> 32 & 3), prices, seed >> 41 & 1) {} catch {}
        } else if (action == 3) {
            vm.prank(_ownerOf(_home));
            try oracle.challengeTariff(COMMUNITY, feed, day, _home) returns (uint256 made) {
                opened = made;
            } catch {}
        } else if (action == 4) {
            vm.prank(ARBITER);
            try oracle.decide(id, holds) {} catch {}
        } else if (action == 5) {
            vm.prank(ARBITER);
            try oracle.decideQuarantine(COMMUNITY, feed, day, holds) {} catch {}
        } else if (action == 6) {
            try oracle.lapse(id) {} catch {}
        } else {
            vm.warp(vm.getBlockTimestamp() + (seed >> 64) % 4000);
        }
    }

    function _checkStates(uint256 money) private view {
        vm.assertEq(accounts.owed(), money);
        uint256 held = oracle.rewards(COMMUNITY);
        for (uint256 id = 1; id <= oracle.challengeCount(); ++id) {
            held += oracle.challengeOf(id).bond;
        }
        (, uint256 pot) = accounts.moduleOf(address(oracle));
        vm.assertEq(pot, held);
        for (uint32 day = DAY; day < DAY + 2; ++day) {
            for (uint8 feed = 0; feed < 3; feed += 2) {
                (bytes32 hash, ReportMark memory mark) = oracle.tariffReport(COMMUNITY, feed, day);
                bool counts = mark.status == ReportStatus.Counting || mark.status == ReportStatus.Standing;
                vm.assertEq(oracle.tariffHash(COMMUNITY, feed, day), counts ? hash : bytes32(0));
                bool known = hash == 0 || hash == keccak256(_prices) || hash == keccak256(_outlier);
                vm.assertTrue(known && mark.missing <= 1);
            }
        }
    }

    uint32 private constant LAST_SLOT = FIRST_SLOT + SLOTS - 1;

    /// @dev Everything of the day is reported and the day is over.
    function _completeDay() private {
        _reportDay();
        vm.assertEq(oracle.isComplete(COMMUNITY, DAY), true);
    }

    function _reportDay() private {
        _reportTariff(0, DAY, _prices);
        for (uint32 slot = FIRST_SLOT; slot <= LAST_SLOT; ++slot) {
            vm.warp((uint256(slot) + 1) * SLOT_SECONDS);
            _reportMeterTree(slot, _value(slot));
        }
        _reportTariff(1, DAY, _prices);
    }

    function _challengePrices(uint8 feed, uint32 day) private returns (uint256) {
        vm.prank(_ownerOf(_home));
        return oracle.challengeTariff(COMMUNITY, feed, day, _home);
    }

    function _challengeMeters() private returns (uint256) {
        vm.prank(_ownerOf(_home));
        return oracle.challengeMeters(COMMUNITY, 0, LAST_SLOT, _home);
    }

    function _reportMeters(uint8 round, MeterValue memory value, uint256 from, uint256 count) private {
        bytes memory signatures = _meterSignatures(FIRST_SLOT, round, value, from, count);
        oracle.reportMeters(COMMUNITY, 0, FIRST_SLOT, round, value, signatures);
    }

    function _bond(uint256 reporter, uint64 nano) private returns (address) {
        bytes memory consent = _consent(reporter, _home);
        vm.startPrank(_ownerOf(_home));
        oracle.depositBond(_home, nano, consent);
        oracle.depositBond(_home, 1, consent);
        vm.stopPrank();
        address signer = vm.addr(reporterKeys[reporter]);
        vm.assertEq(oracle.bondOf(signer).nano, nano + 1);
        return signer;
    }

    function _consent(uint256 reporter, uint32 account) private view returns (bytes memory) {
        bytes32 hash = keccak256(abi.encode(keccak256("ReporterBond(uint32 account)"), account));
        return _sign(reporterKeys[reporter], address(oracle), hash);
    }

    function _noEquivocation(bytes memory first, bytes memory second, bytes memory signatures) private {
        vm.expectPartialRevert(IReporterBonds.NoEquivocation.selector);
        oracle.slashForTariffs(COMMUNITY, 0, DAY, 0, keccak256(first), keccak256(second), signatures, _home);
    }

    function _expectMark(uint8 feed, uint32 day, ReportStatus status, uint8 round, uint8 missing)
        private
        view
    {
        (, ReportMark memory mark) = oracle.tariffReport(COMMUNITY, feed, day);
        vm.assertEq(uint256(mark.status), uint256(status), "status");
        vm.assertEq(mark.round, round, "round");
        vm.assertEq(mark.missing, missing, "missing");
    }

    function _value(uint256 number) private pure returns (MeterValue memory) {
        return MeterValue(keccak256(abi.encode(number)), 5, 6, 2);
    }

    function _outside(uint256 from, uint256 until) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOracle.OutsideWindow.selector, from, until);
    }

    function _refuses(uint8 feed, bytes memory prices, uint256 position, int256 price) private {
        vm.expectRevert(abi.encodeWithSelector(IOracle.PriceOutOfBounds.selector, position, price));
        oracle.reportTariff(COMMUNITY, feed, DAY, 0, prices, "", "");
    }
}
