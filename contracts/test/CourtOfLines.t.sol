// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICourt} from "../src/interfaces/ICourt.sol";
import {BillState, ISettlement} from "../src/interfaces/ISettlement.sol";
import {BillLine} from "../src/libraries/BillLine.sol";
import {Reason, Tariff} from "../src/types/Bills.sol";
import {LineEvidence, Path, ReferenceEvidence} from "../src/types/Evidence.sol";
import {FixedPackages, HomePackage} from "./support/FixedPackages.sol";
import {CourtDay} from "./support/CourtDay.sol";
import {TradingDay} from "./support/TradingDay.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice Every false line and every false reference of a line falls.
contract CourtOfLinesTest is CourtDay {
    function test_every_altered_byte_of_a_line_falls() public {
        _eachByteFalls(A, 0);
        _eachByteFalls(C, CURTAILED);
        _eachByteFalls(E, 7);
    }

    function test_a_line_without_its_nomination_falls_to_the_nomination() public {
        // The line claims that nothing was nominated, or the older of two nominations.
        Nominated memory newest = nominated[0][A];
        nominated[0][A] = Nominated(0, 0, 0, 0);
        _fallsTo(A, 0, newest);
        nominated[0][A] = Nominated(1, 0, 0, 1500);
        _fallsTo(A, 0, newest);
    }

    function test_a_line_that_claims_a_nomination_which_nobody_made_falls() public {
        // A batch, and a leaf of a batch, that are not there.
        _inventedFalls(Nominated(2, 99, 0, 2500));
        _inventedFalls(Nominated(2, 1, 1, 2500));
        // One that is there has to be shown.
        LineEvidence memory evidence = _evidence(A, 0);
        delete evidence.nomination;
        uint256 id = _propose(_root());
        Path memory path = _pathToLine(A, 0);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeLine(id, path, evidence, B);
    }

    function test_a_nomination_that_was_not_curtailed_falls() public {
        nominated[CURTAILED][C].wh = -1502; // a third of which is 500
        altered[CURTAILED][C] = _line(C, CURTAILED);
        nominated[CURTAILED][C].wh = -500;
        _lineFalls(C, CURTAILED);
    }

    function test_a_line_billed_without_the_homes_package_falls() public {
        _falsePackage(A, HomePackage(0, 0, 0, 0, homePackages[A].dailyFee));
        HomePackage memory package = homePackages[A];
        package.dailyFee = 0;
        _falsePackage(A, package);
        _falsePackage(B, HomePackage(0, 0, 0, 0, 0));
    }

    function test_sums_without_references_fall() public {
        bytes memory line = _line(E, 7);
        line[126] = 0x01; // releases locks that nobody placed
        altered[7][E] = line;
        _lineFalls(E, 7);
        line = _line(E, 7);
        line[150] = 0x01;
        altered[7][E] = line;
        _lineFalls(E, 7);
    }

    function test_two_false_lines_that_offset_each_other_fall_both() public {
        // A pays less and B receives less, and one releases what the other does not.
        altered[0][A] = _shifted(_shifted(_line(A, 0), 17, -7), 126, 5);
        altered[0][B] = _shifted(_shifted(_line(B, 0), 17, 7), 126, -5);
        uint256 state = vm.snapshotState();
        uint256 id = _propose(_root());
        court.challengeSum(id, _pathToLine(A, 0), _refRoot(A, 0), C);
        _assertVoid(id);
        vm.revertToState(state);
        id = _propose(_root());
        court.challengeSum(id, _pathToLine(B, 0), _refRoot(B, 0), C);
        _assertVoid(id);
    }

    function test_a_home_that_switches_its_meter_off_after_selling_is_billed_at_the_dearest() public {
        // C sold 600 Wh in slot 0 and its meter went silent: its line stands as an estimated one, or the bills fall.
        Reading memory silent = Reading(40, 0, 1);
        (int256 m, int256 retail, int256 imbalance) = _settle(-600, -600, silent, HomePackage(0, 0, 0, 0, 0));
        vm.assertEq(m, 40);
        vm.assertEq(retail + imbalance, 640 * int256(SHORT));
        vm.assertEq(readings[CURTAILED][B].quality, 1);
        readings[CURTAILED][B].quality = 0;
        altered[CURTAILED][B] = _line(B, CURTAILED);
        readings[CURTAILED][B].quality = 1;
        _lineFalls(B, CURTAILED);
    }

    /// @dev Whatever the packages and prices: what is metered is the cheapest schedule.
    function testFuzz_misnominating_never_pays(uint256 seed, int16 trade, int16 schedule, int16 meter)
        public
        pure
    {
        Tariff memory tariff;
        int256[6] memory prices;
        for (uint256 i = 0; i < 6; ++i) {
            prices[i] = int256(clamp(uint32(seed >> (32 * i)), 0, 800_000)) - 200_000;
        }
        (tariff.importPrice, tariff.feedIn) =
            prices[0] > prices[1] ? (prices[0], prices[1]) : (prices[1], prices[0]);
        (tariff.short, tariff.long, tariff.supplyPrice, tariff.feedInPackagePrice) =
        (prices[2], prices[3], prices[4], prices[5]);
        (tariff.supplyWh, tariff.feedInPackageWh) =
        (int256(uint256(uint16(seed >> 192))), int256(uint256(uint16(seed >> 208))));
        (int256 retail, int256 imbalance) = BillLine.legs(trade, meter, meter, tariff);
        (int256 otherRetail, int256 otherImbalance) = BillLine.legs(trade, schedule, meter, tariff);
        vm.assertTrue(retail + imbalance <= otherRetail + otherImbalance, "the truth is cheapest");
    }

    function test_an_invented_reference_falls() public {
        bytes[7] memory invented = [
            _ref(0, 0, 4, 100), // beyond the market
            _ref(0, 1, 0, 100), // a session without orders
            _ref(0, 256, 0, 100), // no session
            _ref(0, 0, 1, 500), // of another account
            _ref(1, 0, 2, 100), // beyond its positions
            _ref(1, 1, 0, 200), // no such chain
            _ref(2, 0, 0, 200) // no such kind
        ];
        for (uint256 i = 0; i < invented.length; ++i) {
            _altered(A, 0, invented[i]);
            _referenceFalls(A, 0, 0);
        }
        // Of another slot: the record covers slot 0 and 2 only.
        _altered(A, 1, _ref(1, 0, 0, 200));
        _referenceFalls(A, 1, 0);
    }

    function test_a_reference_with_another_energy_falls() public {
        _altered(A, 0, _ref(0, 0, 0, 899));
        _referenceFalls(A, 0, 0);
        _altered(A, 0, _ref(1, 0, 1, 301));
        _referenceFalls(A, 0, 0);
        // Not curtailed.
        _altered(C, CURTAILED, _ref(1, 0, 0, 101));
        _referenceFalls(C, CURTAILED, 0);
    }

    function test_false_sums_of_a_true_reference_fall() public {
        bytes[] memory refs = _refs(A, 0);
        Node memory node = _refNodes(A, 0, refs)[3];
        for (uint256 i = 0; i < 8; ++i) {
            claimed[node.hash] = node;
            claimed[node.hash].sums[i] += 1;
            _referenceFalls(A, 0, 3);
        }
    }

    function test_a_missing_reference_leaves_locks_that_no_bills_can_hide() public {
        bytes[] memory refs = _honestRefs(A, 0);
        for (uint256 i = 1; i < refs.length; ++i) {
            alteredRefs[0][A].push(refs[i]);
        }
        Node memory root = _root();
        vm.expectRevert(
            abi.encodeWithSelector(
                ISettlement.LocksMismatch.selector, root.sums[6], accounts.lockTotal(COMMUNITY, DAY)
            )
        );
        _propose(root);
        // What is missing is added on the way up; there the sum is wrong.
        Node memory node = _subtree(A);
        claimed[node.hash] = node;
        claimed[node.hash].sums[6] += int128(_lock(orders[0][0]));
        uint256 id = _propose(_root());
        _challengeSum(id, _pathToLine(A, 0), LINE_BYTES + 6 * PAIR_BYTES, 3, PAIR_BYTES);
        _assertReason(id, Reason.Sum);
    }

    function test_a_reference_listed_twice_falls() public {
        alteredRefs[0][A] = _honestRefs(A, 0);
        alteredRefs[0][A].push(_honestRefs(A, 0)[3]);
        uint256 id = _proposeAnyway();
        court.challengeOrder(id, _pathToRef(A, 0, 3), _pathToRef(A, 0, 4), B);
        _assertReason(id, Reason.Order);
    }

    // ---- helpers ----

    /// @dev Proposes bills with a line that claims a nomination, and shows none against it.
    function _inventedFalls(Nominated memory invented) private {
        LineEvidence memory evidence = _evidence(A, 0);
        delete evidence.nomination;
        Nominated memory honest = nominated[0][A];
        nominated[0][A] = invented;
        altered[0][A] = _line(A, 0);
        nominated[0][A] = honest;
        uint256 id = _proposeAnyway();
        court.challengeLine(id, _pathToLine(A, 0), evidence, B);
        _assertReason(id, Reason.Line);
        delete altered[0][A];
    }

    /// @dev Proposes bills with an altered line and refutes them.
    function fall(uint32 account, uint32 slot, bytes memory line, uint256 at) external {
        bytes[] memory refs = _refs(account, slot);
        altered[slot][account] = line;
        uint256 id = _proposeAnyway();
        bool ofReferences = (at >= 9 && at < 33) || (at >= 94 && at < 142);
        if (at >= 142 && at < 146) {
            // More references than there are: the way to the first one ends at it, above its level.
            Path memory path = _pathToLine(account, slot);
            bytes memory preimage;
            if (refs.length > 0) {
                path.nodes = bytes.concat(path.nodes, _down(_refNodes(account, slot, refs), 0));
                preimage = bytes.concat(hex"06", refs[0]);
            }
            court.challengeSum(id, path, preimage, B);
        } else if (refs.length == 0 || !(ofReferences || at >= 146)) {
            LineEvidence memory evidence = _evidence(account, slot);
            // Where the claimed place holds another nomination, that one is shown.
            uint256 batch = _uint(line, 37, 4);
            bool claims = _uint(line, 33, 4) != 0 && batch < entries.length;
            if (claims) evidence.nomination = _nominationProof(uint32(batch));
            court.challengeLine(id, _pathToLine(account, slot), evidence, B);
        } else if (at >= 146) {
            // Nobody knows what the root of the references is the hash of.
            Path memory path = _pathToLine(account, slot);
            vm.prank(_ownerOf(B));
            court.demand(id, path, B);
            vm.warp(vm.getBlockTimestamp() + 86_400);
            court.expire(id, bytes32(_uint(line, 146, 32)));
        } else if (refs.length == 1) {
            ReferenceEvidence memory evidence = _refEvidence(account, slot, refs[0]);
            court.challengeReference(id, _pathToRef(account, slot, 0), evidence, B);
        } else {
            court.challengeSum(id, _pathToLine(account, slot), _refRoot(account, slot), B);
        }
        _assertVoid(id);
    }

    function _eachByteFalls(uint32 account, uint32 slot) private {
        bytes memory honest = _line(account, slot);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < honest.length; ++i) {
            bytes memory line = bytes.concat(honest);
            line[i] ^= i >= 142 && i < 146 ? bytes1(0x08) : bytes1(0x01);
            this.fall(account, slot, line, i);
            vm.revertToState(state);
        }
    }

    function _falsePackage(uint32 account, HomePackage memory package) private {
        HomePackage memory honest = homePackages[account];
        homePackages[account] = package;
        altered[0][account] = _line(account, 0);
        homePackages[account] = honest;
        _lineFalls(account, 0);
    }

    function _lineFalls(uint32 account, uint32 slot) private {
        uint256 id = _proposeAnyway();
        court.challengeLine(id, _pathToLine(account, slot), _evidence(account, slot), B);
        _assertReason(id, Reason.Line);
        delete altered[slot][account];
    }

    function _fallsTo(uint32 account, uint32 slot, Nominated memory shown) private {
        LineEvidence memory evidence = _evidence(account, slot);
        evidence.nomination = _nominationProof(shown.batch);
        uint256 id = _proposeAnyway();
        court.challengeLine(id, _pathToLine(account, slot), evidence, B);
        _assertReason(id, Reason.Line);
    }

    function _referenceFalls(uint32 account, uint32 slot, uint32 i) private {
        uint256 id = _proposeAnyway();
        ReferenceEvidence memory evidence = _refEvidence(account, slot, _refs(account, slot)[i]);
        court.challengeReference(id, _pathToRef(account, slot, i), evidence, B);
        _assertReason(id, Reason.Reference);
    }
}

/// @notice A day whose packages follow the spot price.
contract SpotDayTest is TradingDay {
    uint32 private constant A = 4;
    uint32 private constant B = 5;
    int32 private constant SPOT = 70_000;

    function setUp() public {
        packagePrices = new FixedPackages();
        _deploy(2);
        lastHome = B;
        FixedPackages(address(packagePrices)).fix(A, HomePackage(1, 1000, 0, 0, 0));
        homePackages[A] = HomePackage(SPOT, 1000, 0, 0, 0);
        _reportTariff(2, DAY, _pair(SPOT, 1));
        _reportRetail();
        _nominate(A, 3, 1, 900);
        readings[3][A] = Reading(900, 0, 0);
        _reportDay();
    }

    function test_a_line_is_judged_by_the_days_spot_prices() public {
        uint256 id = _propose(_root());
        LineEvidence memory evidence = _evidence(A, 3);
        evidence.referencePrices = _pair(SPOT, 1);
        Path memory path = _pathToLine(A, 3);
        vm.expectRevert(ICourt.ClaimHolds.selector);
        court.challengeLine(id, path, evidence, B);
        evidence.referencePrices = _pair(SPOT + 1, 1);
        vm.expectRevert(ICourt.InvalidEvidence.selector);
        court.challengeLine(id, path, evidence, B);
        // At the price that its package would have without spot prices.
        homePackages[A].supplyPrice = 1;
        id = _propose(_root());
        evidence.referencePrices = _pair(SPOT, 1);
        court.challengeLine(id, _pathToLine(A, 3), evidence, B);
        vm.assertEq(uint256(settlement.billsOf(id).state), uint256(BillState.Void));
    }
}
