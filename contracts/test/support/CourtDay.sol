// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICourt} from "../../src/interfaces/ICourt.sol";
import {BillState, ISettlement} from "../../src/interfaces/ISettlement.sol";
import {Reason} from "../../src/types/Bills.sol";
import {LineEvidence, Path} from "../../src/types/Evidence.sol";
import {FixedPackages, HomePackage} from "./FixedPackages.sol";
import {TradingDay} from "./TradingDay.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Bills of a day with orders, positions, a curtailed slot and packages, before the court.
abstract contract CourtDay is TradingDay {
    uint32 internal constant A = 4;
    uint32 internal constant B = 5;
    uint32 internal constant C = 6;
    uint32 internal constant D = 7;
    uint32 internal constant E = 8;
    /// @dev A slot that was curtailed.
    uint32 internal constant CURTAILED = 3;
    uint64 internal constant DEMAND_BOND = BOND / 16;

    function setUp() public virtual {
        packagePrices = new FixedPackages();
        _deploy(5);
        lastHome = E;
        _order(0, A, 120_000, 900, true);
        _order(0, B, 60_000, 500, false);
        _order(0, C, 80_000, 600, false);
        _order(0, A, 100_000, 300, true);
        _order(CURTAILED, C, -5000, 700, false);
        _order(CURTAILED, B, 90_000, 400, true);
        _order(CURTAILED, D, 20_000, 400, true);
        _order(5, B, 10_000, 400, true);
        uint32[] memory wh = new uint32[](3);
        (wh[0], wh[2]) = (200, 100);
        _agree(A, B, -7000, 0, wh);
        _agree(A, B, 80_000, 0, 300);
        _agree(C, D, 50_000, CURTAILED, 101);
        _fix(A, HomePackage(90_000, 5000, 0, 0, 7e8));
        _fix(B, HomePackage(500_000, 10, 60_000, 100, 0));
        _fix(C, HomePackage(0, 0, 5000, 1000, 0));
        _reportRetail();
        vm.warp(DIRECT_GATE);
        _clearAll();
        _curtail(CURTAILED, 333);
        _nominate(A, 0, 1, 1500);
        _nominate(A, 0, 2, 2500);
        _nominate(B, 0, 1, -1200);
        _nominate(C, CURTAILED, 7, -500);
        readings[0][A] = Reading(2700, 0, 0);
        readings[0][B] = Reading(0, 1100, 0);
        readings[0][C] = Reading(0, 900, 0);
        readings[CURTAILED][B] = Reading(350, 0, 1);
        readings[CURTAILED][C] = Reading(0, 900, 0);
        readings[7][E] = Reading(5000, 0, 0);
        _reportDay();
        vm.recordLogs();
    }

    function lineSurvives(uint256 id, uint32 account, uint32 slot) external {
        Path memory path = _pathToLine(account, slot);
        LineEvidence memory evidence = _evidence(account, slot);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeLine(id, path, evidence, B);
    }

    function _fix(uint32 account, HomePackage memory package) internal {
        homePackages[account] = package;
        FixedPackages(address(packagePrices)).fix(account, package);
    }

    /// @dev Bills whose root pretends to fit the day, so that what is wrong below is all that is wrong.
    function _proposeAnyway() internal returns (uint256 id) {
        Node memory root = _root();
        (root.sums[0], root.sums[1]) = (0, 0);
        root.sums[6] = int128(uint128(accounts.lockTotal(COMMUNITY, DAY)));
        claimed[root.hash] = root;
        return _propose(root);
    }

    function _altered(uint32 account, uint32 slot, bytes memory ref) internal {
        delete alteredRefs[slot][account];
        alteredRefs[slot][account].push(ref);
    }

    /// @dev Challenges the node whose preimage begins `cut` bytes before the end of the path.
    function _challengeSum(uint256 id, Path memory path, uint256 cut, uint8 tag, uint256 size) internal {
        uint256 end = path.nodes.length - cut;
        bytes memory preimage = bytes.concat(bytes1(tag), _cut(path.nodes, end, end + size));
        court.challengeSum(id, _shortened(path, cut), preimage, B);
    }

    /// @dev The line with an int128 at `offset` raised.
    function _shifted(bytes memory line, uint256 offset, int128 by) internal pure returns (bytes memory) {
        bytes memory value = abi.encodePacked(int128(uint128(_uint(line, offset, 16))) + by);
        for (uint256 i = 0; i < 16; ++i) {
            line[offset + i] = value[i];
        }
        return line;
    }

    /// @dev Preimage of the root of a line's references.
    function _refRoot(uint32 account, uint32 slot) internal view returns (bytes memory) {
        bytes memory nodes = _down(_refNodes(account, slot, _refs(account, slot)), 0);
        return bytes.concat(hex"03", _cut(nodes, 0, PAIR_BYTES));
    }

    function _assertVoid(uint256 id) internal view {
        vm.assertEq(uint256(settlement.billsOf(id).state), uint256(BillState.Void));
    }

    /// @dev The bills fell, and the event says why.
    function _assertReason(uint256 id, Reason reason) internal {
        _assertVoid(id);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bool found = false;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != ISettlement.BillsVoided.selector || logs[i].topics[3] != bytes32(id)) {
                continue;
            }
            (, Reason said) = abi.decode(logs[i].data, (uint32, Reason));
            vm.assertEq(uint256(said), uint256(reason), "reason");
            found = true;
        }
        vm.assertTrue(found, "no event");
    }
}
