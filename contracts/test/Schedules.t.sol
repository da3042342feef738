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

    function _skips(uint32 account, uint32 seq, Skip reason, bytes memory wire) private {
        vm.expectEmit();
        emit ISchedules.NominationSkipped(COMMUNITY, 0, DAY, account, seq, reason);
        schedules.nominateBatch(COMMUNITY, 0, DAY, wire);
    }
}
