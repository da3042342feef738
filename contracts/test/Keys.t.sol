// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {Communities} from "../src/core/Communities.sol";
import {IAccounts, Module} from "../src/interfaces/IAccounts.sol";
import {ICallAuction} from "../src/interfaces/ICallAuction.sol";
import {ICommunities} from "../src/interfaces/ICommunities.sol";
import {ISchedules} from "../src/interfaces/ISchedules.sol";
import {Market} from "../src/types/Market.sol";
import {productDay} from "../src/types/ProductDay.sol";
import {Skip} from "../src/types/Skip.sol";
import {Town} from "./support/Town.sol";
import {vm} from "./support/Vm.sol";

/// @notice A wallet that accepts one digest.
contract Wallet is IERC1271 {
    bytes32 public accepted;

    function accept(bytes32 digest) external {
        accepted = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bool good = digest == accepted && keccak256(signature) == keccak256("yes");
        return good ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Who may act for an account, and what those in power cannot do.
contract KeysTest is Town {
    uint32 private constant HOME = 4;
    uint32 private constant OTHER = 5;
    uint256 private constant DEVICE = 4242;
    uint40 private constant EXPIRY = uint40(DAY_START - 40_000);

    function setUp() public {
        _deploy(2);
    }

    function test_a_limited_device_key_orders_within_its_limits_and_time() public {
        _limit();
        _skips(0, 99_999, 500, true, Skip.KeyLimited);
        _skips(0, 200_001, 500, true, Skip.KeyLimited);
        _skips(0, 100_000, 501, true, Skip.KeyLimited);
        _accepts(0, 100_000, 500);
        _accepts(1, 200_000, 1);
        vm.warp(EXPIRY - 1);
        _accepts(2, 150_000, 1);
        vm.warp(EXPIRY);
        _skips(3, 150_000, 1, true, Skip.KeyLimited);
        // Earlier faults come first, and nothing limits the owner.
        _skips(0, 1, 1, true, Skip.NonceUsed);
        auction.relayOrders(
            _market(0), _signedOrder(_market(0), HOME, 1, 20_000, true, 3, NEVER, _keyOf(HOME))
        );
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 4);
    }

    function test_limits_hold_for_profiles_direct_orders_and_nominations() public {
        _limit();
        bytes memory steps = bytes.concat(_step(0, 100_000, 500, true), _step(1, 100_000, 501, true));
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(_market(1), HOME, 0, Skip.KeyLimited);
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfileBy(HOME, false, 0, NEVER, steps, DEVICE));
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 1);

        address device = vm.addr(DEVICE);
        vm.startPrank(device);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.KeyLimited.selector, HOME, device));
        auction.placeOrder(_market(0), HOME, 100_000, 501, 0, true, 1);
        auction.placeOrder(_market(0), HOME, 100_000, 500, 0, true, 1);
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 1, abi.encodePacked(int32(500), int32(-500)));
        vm.expectRevert(abi.encodeWithSelector(ISchedules.KeyLimited.selector, HOME, device));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 2, abi.encodePacked(int32(-501)));
        vm.warp(EXPIRY);
        vm.expectRevert(abi.encodeWithSelector(ISchedules.KeyLimited.selector, HOME, device));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 2, abi.encodePacked(int32(1)));
        vm.stopPrank();
        vm.prank(_ownerOf(HOME));
        schedules.nominate(COMMUNITY, 0, HOME, FIRST_SLOT, 2, abi.encodePacked(int32(20_000)));
    }

    function test_a_revoked_or_renewed_key_has_no_old_limits() public {
        _limit();
        vm.prank(_ownerOf(HOME));
        accounts.setDeviceKey(HOME, vm.addr(DEVICE));
        _accepts(0, 1, 20_000);
        _limit();
        vm.prank(_ownerOf(HOME));
        accounts.revokeDeviceKey(HOME);
        _skips(1, 100_000, 500, true, Skip.BadSignature);
        vm.startPrank(_ownerOf(HOME));
        vm.expectPartialRevert(IAccounts.EmptyLimits.selector);
        accounts.setLimitedDeviceKey(HOME, address(1), uint40(block.timestamp), 1, 0, 0);
        vm.expectPartialRevert(IAccounts.EmptyLimits.selector);
        accounts.setLimitedDeviceKey(HOME, address(1), EXPIRY, 0, 0, 0);
        vm.expectPartialRevert(IAccounts.EmptyLimits.selector);
        accounts.setLimitedDeviceKey(HOME, address(1), EXPIRY, 1, 1, 0);
        vm.expectRevert(IAccounts.ZeroAddress.selector);
        accounts.setLimitedDeviceKey(HOME, address(0), EXPIRY, 1, 0, 1);
    }

    function test_an_account_changes_hands_after_the_delay() public {
        address successor = address(0x5C);
        _limit();
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotOwner.selector, HOME, address(this)));
        accounts.proposeOwner(HOME, successor);
        vm.prank(_ownerOf(HOME));
        accounts.proposeOwner(HOME, successor);
        uint256 from = block.timestamp + accounts.OWNER_DELAY();
        vm.warp(from - 1);
        vm.prank(successor);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotSuccessor.selector, HOME, successor, from));
        accounts.acceptOwner(HOME);
        vm.warp(from);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotSuccessor.selector, HOME, address(this), from));
        accounts.acceptOwner(HOME);
        vm.prank(successor);
        accounts.acceptOwner(HOME);
        vm.assertEq(accounts.ownerOf(HOME), successor);
        vm.assertTrue(accounts.mayOrder(HOME, successor));
        vm.assertTrue(!accounts.mayOrder(HOME, vm.addr(_keyOf(HOME))));
        vm.assertTrue(!accounts.mayOrder(HOME, vm.addr(DEVICE)));
        vm.prank(vm.addr(_keyOf(HOME)));
        vm.expectPartialRevert(IAccounts.NotOwner.selector);
        accounts.requestWithdrawal(HOME, 1000);
        vm.prank(successor);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotSuccessor.selector, HOME, successor, 0));
        accounts.acceptOwner(HOME);
    }

    function test_the_owner_takes_a_succession_back() public {
        vm.startPrank(_ownerOf(HOME));
        accounts.proposeOwner(HOME, address(0x5C));
        accounts.proposeOwner(HOME, address(0));
        vm.stopPrank();
        vm.warp(block.timestamp + accounts.OWNER_DELAY());
        vm.prank(address(0x5C));
        vm.expectPartialRevert(IAccounts.NotSuccessor.selector);
        accounts.acceptOwner(HOME);
    }

    /// @dev Attack "admin abuse": a module granted today could empty every account today.
    function test_everybody_can_leave_before_a_new_module_has_power() public {
        address module = address(0xBAD);
        vm.startPrank(ADMIN);
        accounts.grantModule(module, Module.Settlement);
        accounts.grantModule(address(auction), Module.None);
        vm.stopPrank();
        uint256 from = block.timestamp + accounts.EXIT_WINDOW();
        vm.prank(_ownerOf(HOME));
        accounts.requestWithdrawal(HOME, 100e9);
        vm.warp(from - 1);
        vm.prank(module);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotModule.selector, module, Module.Market));
        accounts.debit(abi.encodePacked(OTHER, uint64(1)));
        vm.prank(address(auction));
        accounts.lockBatch(productDay(COMMUNITY, 0, DAY), 0, "");
        vm.prank(_ownerOf(HOME));
        accounts.withdraw(HOME);
        vm.warp(from);
        vm.prank(module);
        accounts.debit(abi.encodePacked(OTHER, uint64(1)));
        (Module role, uint256 pot) = accounts.moduleOf(module);
        vm.assertTrue(role == Module.Settlement && pot == 1);
        vm.prank(address(auction));
        vm.expectPartialRevert(IAccounts.NotModule.selector);
        accounts.lockBatch(productDay(COMMUNITY, 0, DAY), 0, "");
    }

    function test_a_contract_wallet_orders_through_anyone() public {
        Wallet wallet = new Wallet();
        uint32 home = accounts.accountCount() + 1;
        vm.startPrank(REGISTRAR);
        accounts.register(address(wallet), COMMUNITY);
        accounts.approveMeter(home, 0, bytes32(uint256(home)));
        vm.stopPrank();
        _fund(home, 100e6);
        vm.expectPartialRevert(ICallAuction.NotSigned.selector);
        _placeOfWallet(home, bytes("yes"));
        bytes32 order = _orderHash(_market(0), _record(home, 100_000, 500, true, 0), 0, NEVER);
        wallet.accept(_digest(address(auction), order));
        vm.expectPartialRevert(ICallAuction.NotSigned.selector);
        _placeOfWallet(home, "no");
        _placeOfWallet(home, bytes("yes"));
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 1);
        vm.expectPartialRevert(ICallAuction.NonceUsed.selector);
        _placeOfWallet(home, bytes("yes"));
        // An owner that is no contract has other ways.
        vm.expectPartialRevert(ICallAuction.NotSigned.selector);
        _placeOfWallet(HOME, "yes");
        vm.warp(DAY_START - 39_500);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.Expired.selector, uint64(1)));
        auction.placeOrderOfWallet(_market(0), home, 100_000, 500, 1, true, 0, 1, "yes");
    }

    /// @dev Attack "guardian abuse": what has begun goes on.
    function test_the_guardian_closes_only_markets_without_orders() public {
        _place(_market(0), HOME, 100_000, 500, true, 0);
        address guardian = address(0x6A);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Communities.closeDay.selector;
        vm.startPrank(ADMIN);
        manager.setTargetFunctionRole(address(communities), selectors, 2);
        manager.grantRole(2, guardian, 0);
        vm.stopPrank();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this))
        );
        communities.closeDay(COMMUNITY, DAY);
        vm.startPrank(guardian);
        communities.closeDay(COMMUNITY, DAY);
        vm.expectPartialRevert(ICommunities.UnknownCommunity.selector);
        communities.closeDay(77, DAY);
        vm.expectPartialRevert(IAccessManaged.AccessManagedUnauthorized.selector);
        communities.reopenDay(COMMUNITY, DAY);
        vm.stopPrank();
        _place(_market(0), OTHER, 90_000, 500, false, 0);
        vm.prank(_ownerOf(OTHER));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.GateClosed.selector, _market(1)));
        auction.placeOrder(_market(1), OTHER, 90_000, 500, 0, false, 1);
        vm.prank(ADMIN);
        communities.reopenDay(COMMUNITY, DAY);
        _place(_market(1), OTHER, 90_000, 500, false, 1);
    }

    /// @dev The hand-over of docs/guides/operator.md.
    function test_who_took_over_from_the_founder_announces_two_days_ahead() public {
        address successor = address(0xA2);
        vm.startPrank(ADMIN);
        communities.closeDay(COMMUNITY, DAY + 5);
        manager.grantRole(0, successor, 2 days);
        manager.renounceRole(0, ADMIN);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, ADMIN));
        communities.reopenDay(COMMUNITY, DAY + 5);
        vm.stopPrank();
        bytes memory call = abi.encodeCall(Communities.reopenDay, (COMMUNITY, DAY + 5));
        vm.startPrank(successor);
        vm.expectPartialRevert(IAccessManager.AccessManagerNotScheduled.selector);
        communities.reopenDay(COMMUNITY, DAY + 5);
        manager.schedule(address(communities), call, 0);
        vm.warp(vm.getBlockTimestamp() + 2 days - 1);
        vm.expectPartialRevert(IAccessManager.AccessManagerNotReady.selector);
        communities.reopenDay(COMMUNITY, DAY + 5);
        vm.warp(vm.getBlockTimestamp() + 1);
        communities.reopenDay(COMMUNITY, DAY + 5);
        vm.stopPrank();
        vm.assertTrue(!communities.closed(COMMUNITY, DAY + 5));
    }

    function _limit() private {
        vm.prank(_ownerOf(HOME));
        accounts.setLimitedDeviceKey(HOME, vm.addr(DEVICE), EXPIRY, 500, 100_000, 200_000);
    }

    function _placeOfWallet(uint32 home, bytes memory signature) private {
        auction.placeOrderOfWallet(_market(0), home, 100_000, 500, 1, true, 0, NEVER, signature);
    }

    function _accepts(uint32 nonce, int32 price, uint32 quantity) private {
        (uint32 before,) = auction.statusOf(_market(0));
        auction.relayOrders(
            _market(0), _signedOrder(_market(0), HOME, price, quantity, true, nonce, NEVER, DEVICE)
        );
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, before + 1);
    }

    function _skips(uint32 nonce, int32 price, uint32 quantity, bool buy, Skip reason) private {
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(_market(0), HOME, nonce, reason);
        auction.relayOrders(
            _market(0), _signedOrder(_market(0), HOME, price, quantity, buy, nonce, NEVER, DEVICE)
        );
    }
}
