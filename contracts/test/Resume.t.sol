// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICallAuction, Result} from "../src/interfaces/ICallAuction.sol";
import {Clearing, Progress} from "../src/libraries/Clearing.sol";
import {Frontier, HEIGHTS} from "../src/libraries/Frontier.sol";
import {HashChain} from "../src/libraries/HashChain.sol";
import {Merkle} from "../src/libraries/Merkle.sol";
import {OrderRecord} from "../src/types/OrderRecord.sol";
import {PlainResult} from "./support/PlainAuction.sol";
import {Trading} from "./support/Trading.sol";
import {vm} from "./support/Vm.sol";

/// @notice Clearings in several transactions, and markets that nobody cleared in time.
contract ResumeTest is Trading {
    uint256 private constant ORDERS = 23;

    function setUp() public {
        _deploy(6);
        for (uint32 i = 0; i < ORDERS; ++i) {
            _order(0, FIRST_HOME + i % 6, int32(uint32(90_000 + (i * 37) % 5 * 10_000)), 100 + i, i % 2 == 0);
        }
        vm.warp(DIRECT_GATE);
    }

    function testFuzz_any_split_gives_the_one_shot_clearing(uint256 seed) public {
        PlainResult memory plain = _result(0);
        uint256 before = vm.snapshotState();
        _clear(0);
        Result memory oneShot = auction.resultOf(_market(0));
        vm.revertToState(before);

        (Progress memory progress, uint256 done) = _advanceAtRandom(plain.lo, plain.hi, seed);
        auction.clearFrom(_market(0), plain.lo, plain.hi, progress, _rest(done), _ones(ORDERS - done));
        Result memory result = auction.resultOf(_market(0));
        vm.assertEq(keccak256(abi.encode(result)), keccak256(abi.encode(oneShot)));
        vm.assertEq(auction.openMarkets(COMMUNITY, DAY), 0);
    }

    function testFuzz_the_frontier_has_the_root_of_the_whole_tree(uint256 count, uint256 cut) public pure {
        count = count % 70;
        cut = count == 0 ? 0 : cut % (count + 1);
        bytes32[HEIGHTS] memory peaks;
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = keccak256(abi.encode(i));
        }
        uint256 start;
        assembly {
            start := add(leaves, 0x20)
        }
        Frontier.append(peaks, 0, start, cut);
        Frontier.append(peaks, cut, start + 32 * cut, count - cut);
        bytes32 root = Frontier.root(peaks, count);
        vm.assertEq(root, Merkle.rootInPlace(start, count));
    }

    function test_progress_that_nobody_reached_is_refused() public {
        PlainResult memory plain = _result(0);
        (int32 lo, int32 hi) = (plain.lo, plain.hi);
        Progress memory progress = _advance(lo, hi, _none(), 0, 7);
        Progress memory forged = _copy(progress);
        forged.demand += 1;
        _refuses(lo, hi, forged, 7);
        forged = _copy(progress);
        forged.peaks[0] = bytes32(uint256(1));
        _refuses(lo, hi, forged, 7);
        // Reached with other hints, or in another market.
        _refuses(lo, hi + 1, progress, 7);
        // Sums without records are the start.
        forged = _none();
        forged.demand = 1;
        auction.clearFrom(_market(0), lo, hi, forged, _rest(0), _ones(ORDERS));
        vm.assertEq(uint256(auction.resultOf(_market(0)).volume), plain.volume);
    }

    function test_a_poisoned_checkpoint_leads_nowhere() public {
        PlainResult memory plain = _result(0);
        bytes memory garbage = _record(FIRST_HOME, 4_000_000, 20_000, true, 9);
        auction.advance(_market(0), plain.lo, plain.hi, _none(), garbage, _ones(1));
        Progress memory poisoned = _none();
        poisoned.head = keccak256(bytes.concat(bytes32(0), garbage)) & HashChain.HEAD;
        poisoned.count = 1;
        poisoned.peaks[0] = Clearing.leafOf(0, OrderRecord.wrap(uint128(bytes16(garbage))), 0, 0);
        // Energy beyond lo, from lo on, beyond hi and from hi on.
        poisoned.demand = uint256(20_000) * (1 + (1 << 64) + (1 << 128) + (1 << 192));
        vm.expectPartialRevert(ICallAuction.ChainMismatch.selector);
        auction.clearFrom(_market(0), plain.lo, plain.hi, poisoned, _rest(1), _ones(ORDERS - 1));
        bytes memory many = new bytes(16 * (ORDERS + 1));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.BatchTooLong.selector, ORDERS));
        auction.advance(_market(0), plain.lo, plain.hi, _none(), many, _ones(ORDERS + 1));
        _clear(0);
    }

    function testFuzz_an_uncleared_market_is_void_when_its_slot_begins(uint256 seed) public {
        (Progress memory progress, uint256 done) = _advanceAtRandom(4_000_000, -4_000_000, seed);
        vm.warp(DAY_START - 1);
        vm.expectPartialRevert(ICallAuction.SlotAhead.selector);
        auction.voidSlot(_market(0), progress, _rest(done), _ones(ORDERS - done));
        vm.warp(DAY_START);
        vm.expectPartialRevert(ICallAuction.SlotBegun.selector);
        _clear(0);
        auction.voidSlot(_market(0), progress, _rest(done), _ones(ORDERS - done));

        Result memory result = auction.resultOf(_market(0));
        vm.assertEq(uint256(result.volume), 0);
        vm.assertEq(auction.openMarkets(COMMUNITY, DAY), 0);
        (uint32 count, bool cleared) = auction.statusOf(_market(0));
        vm.assertEq(count, ORDERS);
        vm.assertTrue(cleared);
        vm.assertEq(result.root, _rootWithoutFills(result));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.AlreadyCleared.selector, _market(0)));
        auction.voidSlot(_market(0), progress, _rest(done), _ones(ORDERS - done));
    }

    function _rootWithoutFills(Result memory result) private view returns (bytes32) {
        bytes32[] memory level = new bytes32[](ORDERS);
        for (uint32 i = 0; i < ORDERS; ++i) {
            OrderRecord record = OrderRecord.wrap(uint128(bytes16(_recordOf(orders[0][i]))));
            vm.assertEq(Clearing.fillOf(record, 0, result), 0, "fill");
            level[i] = Clearing.leafOf(i, record, 0, 0);
        }
        while (level.length > 1) {
            level = _plainParents(level);
        }
        return level[0];
    }

    /// @dev Parts of one to five records, until the seed says to stop.
    function _advanceAtRandom(int32 lo, int32 hi, uint256 seed)
        private
        returns (Progress memory progress, uint256 done)
    {
        while (seed & 7 != 0 && done + 5 < ORDERS) {
            uint256 length = 1 + (seed >> 3) % 5;
            progress = _advance(lo, hi, progress, done, length);
            done += length;
            seed = uint256(keccak256(abi.encode(seed)));
        }
    }

    function _advance(int32 lo, int32 hi, Progress memory from, uint256 done, uint256 length)
        private
        returns (Progress memory)
    {
        vm.recordLogs();
        auction.advance(
            _market(0),
            lo,
            hi,
            from,
            _cut(_records(orders[0]), 16 * done, 16 * (done + length)),
            _ones(length)
        );
        (,, Progress memory next) = abi.decode(vm.getRecordedLogs()[0].data, (int32, int32, Progress));
        vm.assertEq(next.count, done + length);
        return next;
    }

    function _refuses(int32 lo, int32 hi, Progress memory progress, uint256 done) private {
        vm.expectPartialRevert(ICallAuction.UnknownProgress.selector);
        auction.clearFrom(_market(0), lo, hi, progress, _rest(done), _ones(ORDERS - done));
    }

    function _rest(uint256 done) private view returns (bytes memory) {
        return _cut(_records(orders[0]), 16 * done, 16 * ORDERS);
    }

    function _copy(Progress memory progress) private pure returns (Progress memory) {
        return abi.decode(abi.encode(progress), (Progress));
    }

    function _none() private pure returns (Progress memory progress) {}
}
