// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {LineEvidence, Path, ReferenceEvidence} from "../src/types/Evidence.sol";
import {TradingDay} from "./support/TradingDay.sol";
import {vm} from "./support/Vm.sol";

/// @notice Gas of a day's nominations, reports and bills, kept in contracts/snapshots.
contract GasOfDayTest is TradingDay {
    uint32 private constant HOMES = 64;
    string private constant GROUP = "day";

    function setUp() public {
        _deploy(HOMES);
        lastHome = FIRST_HOME + HOMES - 1;
        for (uint32 i = 0; i < HOMES; ++i) {
            _order(i % 4, FIRST_HOME + i, i % 8 < 4 ? int32(100_000) : int32(50_000), 400 + i, i % 8 < 4);
            readings[i % 4][FIRST_HOME + i] = i % 8 < 4 ? Reading(900 + i, 0, 0) : Reading(0, 400 + i, 0);
        }
    }

    /// forge-config: default.isolate = true
    function test_a_day() public {
        _reportRetail();
        bytes memory prices = _pair(IMPORT + 1000, FEED_IN);
        bytes memory base = _pair(IMPORT, FEED_IN);
        bytes memory two = _tariffSignatures(0, DAY + 1, prices, 0, 2);
        oracle.reportTariff(COMMUNITY, 0, DAY + 1, 0, prices, base, two);
        vm.snapshotGasLastCall(GROUP, "tariff report of 12 slots");
        prices = _pair(IMPORT - 1000, FEED_IN);
        two = _tariffSignatures(2, DAY + 1, prices, 0, 3);
        _reportTariff(2, DAY, _pair(IMPORT, FEED_IN));
        oracle.reportTariff(COMMUNITY, 2, DAY + 1, 0, prices, base, two);
        vm.snapshotGasLastCall(GROUP, "tariff report of 12 slots, all sign");
        _nominations();
        vm.warp(DIRECT_GATE);
        _clearAll();
        _reportDay();

        Node memory root = _root();
        uint256 id = _propose(root);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "bills root");
        vm.assertLe(gas, 300_000, "bills root <= 300k");
        vm.warp(BILLS_FROM + 86_400);
        settlement.finalise(id);
        vm.snapshotGasLastCall(GROUP, "finalise");
        _debitAll(id);
        gas = vm.snapshotGasLastCall(GROUP, "debit of 64 accounts, half owe");
        settlement.payParties(id, root.hash, root.sums);
        vm.snapshotGasLastCall(GROUP, "parties");
        _creditAll(id);
        gas += vm.snapshotGasLastCall(GROUP, "credit of 64 accounts, half receive");
        vm.assertLe(gas, HOMES * 2 * 8000, "debit and credit <= 8k per account each");
    }

    /// forge-config: default.isolate = true
    function test_a_challenge() public {
        _reportRetail();
        vm.warp(DIRECT_GATE);
        _clearAll();
        _reportDay();
        bytes memory line = _line(FIRST_HOME, 0);
        line[77] ^= 0x01;
        altered[0][FIRST_HOME] = line;
        uint256 id = _propose(_root());
        Path memory path = _pathToLine(FIRST_HOME, 0);
        LineEvidence memory evidence = _evidence(FIRST_HOME, 0);
        court.challengeLine(id, path, evidence, FIRST_HOME);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "challenge of a line");
        vm.assertLe(gas, 500_000, "challenge <= 500k");
    }

    /// forge-config: default.isolate = true
    function test_a_missing_answer() public {
        _reportRetail();
        vm.warp(DIRECT_GATE);
        _clearAll();
        _reportDay();
        Node memory root = _root();
        uint256 id = _propose(root);
        Path memory path = _shortened(_pathToLine(FIRST_HOME, 0), LINE_BYTES);
        vm.prank(_ownerOf(FIRST_HOME));
        court.demand(id, path, FIRST_HOME);
        vm.snapshotGasLastCall(GROUP, "demand of a line");
        bytes memory line = bytes.concat(hex"02", _line(FIRST_HOME, 0));
        court.answer(id, line, FIRST_HOME + 1);
        vm.snapshotGasLastCall(GROUP, "answer with a line");
    }

    /// forge-config: default.isolate = true
    function test_a_challenge_of_a_reference() public {
        _reportRetail();
        vm.warp(DIRECT_GATE);
        _clearAll();
        _reportDay();
        alteredRefs[0][FIRST_HOME].push(_ref(0, 0, 0, 1));
        Node memory root = _root();
        (root.sums[0], root.sums[1]) = (0, 0);
        claimed[root.hash] = root;
        uint256 id = _propose(root);
        Path memory path = _pathToRef(FIRST_HOME, 0, 0);
        ReferenceEvidence memory evidence = _refEvidence(FIRST_HOME, 0, _ref(0, 0, 0, 1));
        court.challengeReference(id, path, evidence, FIRST_HOME);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "challenge of a reference");
        vm.assertLe(gas, 500_000, "challenge <= 500k");
    }

    function _nominations() private {
        bytes memory wire;
        for (uint32 home = FIRST_HOME; home <= lastHome; ++home) {
            wire = bytes.concat(wire, _signedNomination(home, FIRST_SLOT, 1, new bytes(4 * SLOTS)));
        }
        schedules.nominateBatch(COMMUNITY, 0, DAY, wire);
        vm.snapshotGasLastCall(GROUP, "nomination of 64 homes for 12 slots");
    }
}
