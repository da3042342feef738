// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ISchedules} from "../src/interfaces/ISchedules.sol";
import {HashChain} from "../src/libraries/HashChain.sol";
import {Skip} from "../src/types/Skip.sol";
import {Town} from "./support/Town.sol";
import {vm} from "./support/Vm.sol";

contract SchedulesTest is Town {
    uint32 private constant HOME = 4;
    uint32 private constant OTHER = 5;
    uint32 private constant THIRD = 6;
    uint32 private constant STRANGER = 7;
    uint256 private constant DEVICE_KEY = 0xd1ce;
    int32 private constant MOST = 20_000;
    int32 private constant MOST_OF_KEY = 5_000;

    struct Case {
        uint32 account;
        uint32 slot;
        uint256 count;
        uint32 seq;
        int32 wh;
        uint256 who;
        bool limited;
        uint256 time;
    }

    function setUp() public {
        _deploy(3);
    }

    function test_a_batch_commits_to_its_entries() public {
        bytes memory a = abi.encodePacked(HOME, FIRST_SLOT, uint32(1), uint16(2), int32(-500), int32(20_000));
        bytes memory b = abi.encodePacked(OTHER, FIRST_SLOT + 11, uint32(9), uint16(1), int32(0));
        bytes memory c = abi.encodePacked(THIRD, FIRST_SLOT, uint32(1), uint16(1), int32(7));
        bytes memory wire = bytes.concat(
            _signedNomination(HOME, FIRST_SLOT, 1, abi.encodePacked(int32(-500), int32(20_000))),
            _signedNomination(OTHER, FIRST_SLOT + 11, 9, abi.encodePacked(int32(0))),
            _signedNomination(THIRD, FIRST_SLOT, 1, abi.encodePacked(int32(7)))
        );
        vm.expectEmit();
        emit ISchedules.NominationsAccepted(COMMUNITY, 0, DAY, 0, bytes.concat(a, b, c));
        schedules.nominateBatch(COMMUNITY, 0, DAY, wire);
        (bytes32 root, uint32 count) = schedules.batchOf(COMMUNITY, 0, DAY, 0);
        bytes32 pair = keccak256(
            abi.encodePacked(
                keccak256(
                    abi.encodePacked(uint8(0), HOME, FIRST_SLOT, uint32(1), int32(-500), int32(20_000))
                ),
                keccak256(abi.encodePacked(uint8(0), OTHER, FIRST_SLOT + 11, uint32(9), int32(0)))
            )
        );
        bytes32 third = keccak256(abi.encodePacked(uint8(0), THIRD, FIRST_SLOT, uint32(1), int32(7)));
        vm.assertEq(root, keccak256(abi.encodePacked(pair, third)) & HashChain.HEAD);
        vm.assertEq(count, 3);
        vm.assertEq(schedules.batchCount(COMMUNITY, 0, DAY), 1);
    }

    function test_bad_nominations_are_skipped_alone() public {
        bytes memory one = abi.encodePacked(int32(1));
        _skips(HOME, 1, Skip.Malformed, _signedNomination(HOME, FIRST_SLOT, 1, ""));
        _skips(HOME, 0, Skip.Malformed, _signedNomination(HOME, FIRST_SLOT, 0, one));
        _skips(HOME, 1, Skip.Malformed, _signedNomination(HOME, FIRST_SLOT - 1, 1, one));
        _skips(HOME, 1, Skip.Malformed, _signedNomination(HOME, FIRST_SLOT + 11, 1, bytes.concat(one, one)));
        _skips(99, 1, Skip.UnknownAccount, _signedNomination(99, FIRST_SLOT, 1, one));
        _skips(RETAILER, 1, Skip.NoMeter, _signedNomination(RETAILER, FIRST_SLOT, 1, one));
        bytes memory forged = _signedNomination(HOME, FIRST_SLOT, 1, one);
        forged[17] ^= 0x01;
        _skips(HOME, 1, Skip.BadSignature, forged);
        _skips(
            HOME,
            1,
            Skip.QuantityOutOfRange,
            _signedNomination(HOME, FIRST_SLOT, 1, abi.encodePacked(int32(20_001)))
        );
        _skips(
            HOME,
            1,
            Skip.QuantityOutOfRange,
            _signedNomination(HOME, FIRST_SLOT, 1, abi.encodePacked(int32(-20_001)))
        );
        vm.assertEq(schedules.batchCount(COMMUNITY, 0, DAY), 0);
        vm.expectRevert(ISchedules.MalformedWire.selector);
        schedules.nominateBatch(COMMUNITY, 0, DAY, hex"00");
        vm.expectRevert(ISchedules.MalformedWire.selector);
        schedules.nominateBatch(COMMUNITY, 0, DAY, new bytes(77));
        vm.warp(DAY_START - 480);
        _skips(HOME, 1, Skip.GateClosed, _signedNomination(HOME, FIRST_SLOT, 1, one));
    }

    function test_a_home_nominates_itself_longer_than_a_batch() public {
        bytes memory one = abi.encodePacked(int32(1));
        vm.warp(DAY_START - 301);
        vm.prank(_ownerOf(HOME));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 1, one);
        (bytes32 root,) = schedules.batchOf(COMMUNITY, 0, DAY, 0);
        bytes32 leaf = keccak256(abi.encodePacked(uint8(0), HOME, FIRST_SLOT, uint32(1), one));
        vm.assertEq(root, leaf & HashChain.HEAD);
        vm.expectRevert(abi.encodeWithSelector(ISchedules.NotOrderKey.selector, HOME, address(this)));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 2, one);
        vm.startPrank(_ownerOf(HOME));
        vm.expectRevert(ISchedules.MalformedNomination.selector);
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 0, one);
        vm.expectRevert(abi.encodeWithSelector(ISchedules.NoMeter.selector, HOME, 1));
        schedules.nominate(COMMUNITY, 1, HOME, FIRST_SLOT, 1, one);
        vm.expectRevert(abi.encodeWithSelector(ISchedules.UnknownAccount.selector, 99));
        schedules.nominate(COMMUNITY, 0, 99, FIRST_SLOT, 1, one);
        vm.expectRevert(abi.encodeWithSelector(ISchedules.QuantityOutOfRange.selector, HOME));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 1, abi.encodePacked(int32(20_001)));
        vm.warp(DAY_START - 300);
        vm.expectRevert(abi.encodeWithSelector(ISchedules.GateClosed.selector, FIRST_SLOT));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 2, one);
    }

    function test_a_lost_key_speaks_for_no_day_beyond_the_next_eight() public {
        bytes memory one = abi.encodePacked(int32(1));
        address lost = address(0x105);
        vm.prank(_ownerOf(HOME));
        accounts.setDeviceKey(HOME, lost);
        vm.warp(DAY_START - 8 days - 1);
        vm.prank(lost);
        vm.expectRevert(abi.encodeWithSelector(ISchedules.TooFarAhead.selector, FIRST_SLOT));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, type(uint32).max, one);
        _skips(
            HOME,
            type(uint32).max,
            Skip.TooFarAhead,
            _signedNomination(HOME, FIRST_SLOT, type(uint32).max, one)
        );
        vm.assertEq(schedules.batchCount(COMMUNITY, 0, DAY), 0);
        vm.warp(DAY_START - 8 days);
        vm.prank(lost);
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 1, one);
        vm.assertEq(schedules.batchCount(COMMUNITY, 0, DAY), 1);
    }

    /// @dev Against the checks one by one: the usual case takes a way of its own.
    function testFuzz_a_nomination_is_judged_check_by_check(uint256 seed) public {
        Case memory c = _draw(seed);
        if (c.account < STRANGER && c.account >= HOME) {
            vm.startPrank(_ownerOf(c.account));
            address device = vm.addr(DEVICE_KEY);
            uint32 most = uint32(MOST_OF_KEY);
            if (c.limited) accounts.setLimitedDeviceKey(c.account, device, uint40(DAY_START), most, 0, 1);
            else accounts.setDeviceKey(c.account, device);
            vm.stopPrank();
        }
        bytes memory wire = _wireOf(c);
        vm.warp(c.time);
        Skip expected = _expected(c);
        if (expected != Skip.None) {
            _skips(c.account, c.seq, expected, wire);
            vm.assertEq(schedules.batchCount(COMMUNITY, 0, DAY), 0);
        } else {
            schedules.nominateBatch(COMMUNITY, 0, DAY, wire);
            vm.assertEq(schedules.batchCount(COMMUNITY, 0, DAY), 1);
        }
    }

    /// @dev A nomination of which few things are out of bounds. Slots from 2 before the day to 2 behind it; energies, times
    /// and limits at and beyond their bounds.
    function _draw(uint256 seed) private pure returns (Case memory c) {
        uint32[4] memory others = [OTHER, HOME - 1, STRANGER, HOME];
        int32[8] memory energies = [int32(0), -1, 5_000, -5_001, 20_000, -20_000, 20_001, -20_001];
        uint256[8] memory leads = [uint256(9 days), 8 days + 1, 8 days, 1 days, 1 hours, 481, 480, 0];
        bytes32 draws = keccak256(abi.encode(seed));
        c.account = _isOdd(draws, 0) ? others[_byte(draws, 1) % 4] : HOME;
        c.slot = uint32(_byte(draws, 2) % (SLOTS + 4));
        c.count = 1 + _byte(draws, 3) % 4;
        if (_isOdd(draws, 4)) c.count = 0;
        c.seq = _isOdd(draws, 5) ? 0 : 7;
        c.wh = energies[_byte(draws, 6) % (_isOdd(draws, 7) ? 8 : 6)];
        c.who = _isOdd(draws, 8) ? 2 : _byte(draws, 9) % 2;
        c.limited = _byte(draws, 10) % 2 == 0;
        // So long before the first slot or before the nominated one.
        c.time = DAY_START - (_isOdd(draws, 11) ? leads[_byte(draws, 12) % 8] : 1 hours);
        if (_byte(draws, 13) % 2 == 0) c.time = c.time + SLOT_SECONDS * c.slot - 2 * SLOT_SECONDS;
    }

    function _byte(bytes32 draws, uint256 i) private pure returns (uint256) {
        return uint8(draws[i]);
    }

    /// @dev Once in six times.
    function _isOdd(bytes32 draws, uint256 i) private pure returns (bool) {
        return _byte(draws, i) % 6 == 0;
    }

    function _wireOf(Case memory c) private view returns (bytes memory) {
        bytes memory wh;
        for (uint256 i = 0; i < c.count; ++i) {
            wh = bytes.concat(wh, abi.encodePacked(c.wh));
        }
        uint256[3] memory keys = [_keyOf(c.account), DEVICE_KEY, uint256(1)];
        return _signedNominationBy(c.account, FIRST_SLOT + c.slot - 2, c.seq, wh, keys[c.who]);
    }

    function _expected(Case memory c) private pure returns (Skip) {
        (uint256 slot, int32 wh) = (uint256(FIRST_SLOT) + c.slot - 2, c.wh < 0 ? -c.wh : c.wh);
        if (c.count == 0 || c.seq == 0 || slot < FIRST_SLOT) return Skip.Malformed;
        if (slot + c.count > FIRST_SLOT + SLOTS) return Skip.Malformed;
        if (c.account == STRANGER) return Skip.UnknownAccount;
        if (c.account < HOME) return Skip.NoMeter;
        if (c.who == 2) return Skip.BadSignature;
        if (c.limited && c.who == 1 && (c.time >= DAY_START || wh > MOST_OF_KEY)) return Skip.KeyLimited;
        if (c.time + 480 >= slot * SLOT_SECONDS) return Skip.GateClosed;
        if (c.time + 8 days < slot * SLOT_SECONDS) return Skip.TooFarAhead;
        return wh > MOST ? Skip.QuantityOutOfRange : Skip.None;
    }

    function _skips(uint32 account, uint32 seq, Skip reason, bytes memory wire) private {
        vm.expectEmit();
        emit ISchedules.NominationSkipped(COMMUNITY, 0, DAY, account, seq, reason);
        schedules.nominateBatch(COMMUNITY, 0, DAY, wire);
    }
}
