// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {Accounts} from "../src/core/Accounts.sol";
import {IAccounts, Module} from "../src/interfaces/IAccounts.sol";
import {ICallAuction, Result} from "../src/interfaces/ICallAuction.sol";
import {Trading} from "./support/Trading.sol";
import {vm} from "./support/Vm.sol";

/// @notice A token that calls back in the middle of every transfer, and owns an account itself.
contract CallingToken is ERC20 {
    address private _target;
    bytes private _call;

    /// @notice What the last call back answered, and whether it went through.
    bool public success;
    bytes public answer;

    constructor() ERC20("Calling", "CAL") {
        _mint(msg.sender, 1e12);
        _mint(address(this), 1e12);
    }

    function callBack(address target, bytes memory call) external {
        (_target, _call) = (target, call);
    }

    function run(address target, bytes memory call) external {
        (bool done,) = target.call(call);
        require(done, "refused");
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_call.length == 0) return;
        bytes memory call = _call;
        delete _call;
        (success, answer) = _target.call(call);
    }
}

/// @notice Attacks that belong to no contract alone; docs/attacks.md says which test holds which.
contract AttacksTest is Trading {
    uint32 private constant HOME = 4;
    uint32 private constant OTHER = 5;
    uint32 private constant THIRD = 6;

    function setUp() public {
        _deploy(3);
    }

    function test_a_token_that_calls_back_finds_accounts_locked() public {
        CallingToken calling = new CallingToken();
        Accounts vault =
            Accounts(vm.deployCode("Accounts.sol:Accounts", abi.encode(manager, calling, uint32(0))));
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Accounts.register.selector;
        vm.prank(ADMIN);
        manager.setTargetFunctionRole(address(vault), selectors, 1);
        vm.prank(REGISTRAR);
        uint32 account = vault.register(address(calling), COMMUNITY);
        calling.approve(address(vault), 1e12);
        calling.run(address(calling), abi.encodeCall(calling.approve, (address(vault), 1e12)));
        vault.deposit(account, 1000);
        calling.run(address(vault), abi.encodeCall(vault.requestWithdrawal, (account, 400e3)));

        bytes memory withdraw = abi.encodeCall(vault.withdraw, (account));
        bytes memory deposit = abi.encodeCall(vault.deposit, (account, 100));
        calling.callBack(address(vault), withdraw);
        vault.deposit(account, 50);
        _refused(calling);
        calling.callBack(address(vault), deposit);
        vault.deposit(account, 50);
        _refused(calling);
        calling.callBack(address(vault), withdraw);
        calling.run(address(vault), withdraw);
        _refused(calling);
        vm.assertEq(calling.balanceOf(address(vault)), 700);
        vm.assertEq(vault.owed(), 700e3);
        vm.assertEq(vault.freeOf(account), 700e3);
    }

    function test_dust_moves_no_price_and_locks_the_money_of_its_sender() public {
        _order(0, OTHER, 200_000, 500, true);
        _order(0, THIRD, 100_000, 500, false);
        PlainPrice memory without = _price();
        for (uint256 i = 0; i < 60; ++i) {
            uint256 free = accounts.freeOf(HOME);
            _order(0, HOME, i % 2 == 0 ? int32(-4_000_000) : int32(4_000_000 - 1), 1, i % 2 == 0);
            vm.assertTrue(accounts.freeOf(HOME) < free);
        }
        vm.prank(_ownerOf(HOME));
        vm.expectPartialRevert(ICallAuction.QuantityOutOfRange.selector);
        auction.placeOrder(_market(0), HOME, 0, 0, 1, true, 60);
        vm.warp(DIRECT_GATE);
        _clear(0);
        Result memory result = auction.resultOf(_market(0));
        vm.assertEq(result.price, without.price);
        vm.assertEq(uint256(result.volume), without.volume);
    }

    function test_a_self_trade_earns_nothing_and_leaves_others_within_their_limits() public {
        _order(0, OTHER, 200_000, 500, true);
        _order(0, THIRD, 100_000, 500, false);
        // Within the gap, where it moves the price, but to no better place than a limit of the others.
        _order(0, HOME, 190_000, 1, true);
        _order(0, HOME, 190_000, 1, false);
        vm.warp(DIRECT_GATE);
        _clear(0);
        Result memory result = auction.resultOf(_market(0));
        uint256[] memory fills = _result(0).fills;
        vm.assertEq(fills[0], 500);
        vm.assertEq(fills[1], 500);
        vm.assertEq(fills[2], fills[3]);
        vm.assertTrue(result.price >= 100_000 && result.price <= 200_000);
    }

    function test_what_an_order_locked_cannot_be_withdrawn() public {
        _order(0, HOME, 200_000, 500, true);
        uint256 free = accounts.freeOf(HOME);
        vm.assertEq(100e9 - free, accounts.lockTotal(COMMUNITY, DAY));
        vm.startPrank(_ownerOf(HOME));
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccounts.InsufficientFunds.selector, HOME, free / 1000 * 1000 + 1000, free
            )
        );
        accounts.requestWithdrawal(HOME, uint64(free / 1000 * 1000 + 1000));
        // Nor can what is withdrawn be locked.
        accounts.requestWithdrawal(HOME, uint64(free));
        vm.expectPartialRevert(ICallAuction.InsufficientCollateral.selector);
        auction.placeOrder(_market(1), HOME, 200_000, 500, 1, true, 1);
    }

    function test_a_forged_order_uses_up_no_nonce() public {
        bytes memory forged = _signedOrder(_market(0), HOME, 200_000, 500, true, 5, NEVER, _keyOf(OTHER));
        auction.relayOrders(_market(0), forged);
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 0);
        bytes memory signed = _signedOrder(_market(0), HOME, 200_000, 500, true, 5, NEVER, _keyOf(HOME));
        auction.relayOrders(_market(0), signed);
        (count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 1);
    }

    function test_no_role_moves_anybodys_money() public {
        address[4] memory offices = [ADMIN, ARBITER, REGISTRAR, REGULATOR];
        bytes memory entry = abi.encodePacked(HOME, uint64(1000));
        for (uint256 i = 0; i < offices.length; ++i) {
            bytes memory owner = abi.encodeWithSelector(IAccounts.NotOwner.selector, HOME, offices[i]);
            vm.startPrank(offices[i]);
            vm.expectRevert(owner);
            accounts.requestWithdrawal(HOME, 1000);
            vm.expectRevert(owner);
            accounts.withdraw(HOME);
            vm.expectRevert(owner);
            accounts.proposeOwner(HOME, offices[i]);
            vm.expectRevert(owner);
            accounts.setDeviceKey(HOME, offices[i]);
            vm.expectPartialRevert(IAccounts.NotModule.selector);
            accounts.debit(entry);
            vm.expectPartialRevert(IAccounts.NotModule.selector);
            accounts.credit(entry);
            vm.expectPartialRevert(IAccounts.NotModule.selector);
            accounts.take(HOME, COMMUNITY, DAY, 1000);
            vm.expectPartialRevert(IAccounts.NotModule.selector);
            accounts.releaseLocks(COMMUNITY, DAY);
            vm.expectPartialRevert(IAccounts.NotModule.selector);
            accounts.reserveFromPot(1000);
            vm.stopPrank();
        }
        // A module of the admin's own has no power before everybody could leave.
        vm.prank(ADMIN);
        accounts.grantModule(ADMIN, Module.Settlement);
        vm.prank(ADMIN);
        vm.expectPartialRevert(IAccounts.NotModule.selector);
        accounts.debit(entry);
    }

    function test_a_closed_day_stops_no_clearing_nomination_or_withdrawal() public {
        _order(0, OTHER, 200_000, 500, true);
        _order(0, THIRD, 100_000, 500, false);
        vm.prank(_ownerOf(HOME));
        accounts.requestWithdrawal(HOME, 100e9);
        vm.prank(ADMIN);
        communities.closeDay(COMMUNITY, DAY);
        vm.prank(_ownerOf(OTHER));
        schedules.nominate(COMMUNITY, 0, OTHER, FIRST_SLOT, 1, abi.encodePacked(int32(500)));
        vm.warp(DIRECT_GATE);
        _clear(0);
        vm.assertEq(uint256(auction.resultOf(_market(0)).volume), 500);
        vm.warp(DIRECT_GATE + WITHDRAWAL_DELAY);
        vm.prank(_ownerOf(HOME));
        accounts.withdraw(HOME);
        vm.assertEq(token.balanceOf(_ownerOf(HOME)), 100e6);
    }

    struct PlainPrice {
        int256 price;
        uint256 volume;
    }

    function _price() private view returns (PlainPrice memory) {
        return PlainPrice(_result(0).price, _result(0).volume);
    }

    function _refused(CallingToken calling) private view {
        vm.assertTrue(!calling.success());
        vm.assertEq(
            calling.answer(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
    }
}
