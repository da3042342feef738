// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {Accounts} from "../src/core/Accounts.sol";
import {IAccounts, Module} from "../src/interfaces/IAccounts.sol";
import {Amounts} from "../src/libraries/Amounts.sol";
import {LockRequests} from "../src/libraries/LockRequests.sol";
import {AccountHot, AccountKey} from "../src/types/AccountWords.sol";
import {bias, recordOf} from "../src/types/OrderRecord.sol";
import {ProductDay, productDay} from "../src/types/ProductDay.sol";
import {Skip} from "../src/types/Skip.sol";
import {Town} from "./support/Town.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice A token that keeps a tenth of every transfer.
contract GreedyToken is ERC20 {
    constructor() ERC20("Greedy", "GRD") {
        _mint(msg.sender, 1e12);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(1), value / 10);
    }
}

contract AccountsTest is Town {
    uint32 private constant HOME = 4;
    uint32 private constant OTHER = 5;

    uint32 private constant STRANGER = 6;
    address private constant DEVICE = address(7);

    struct Case {
        uint8 account;
        uint8 product;
        bool elsewhere;
        uint8 who;
        uint8 nonce;
        bool used;
        bool late;
        bool limited;
    }

    mapping(uint32 nonce => bool) private _used;

    function setUp() public {
        _deploy(2);
    }

    function test_only_the_registrar_opens_accounts_and_binds_meters() public {
        bytes memory refusal =
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this));
        vm.expectRevert(refusal);
        accounts.register(address(1), COMMUNITY);
        vm.expectRevert(refusal);
        accounts.approveMeter(HOME, 1, bytes32(0));
        vm.expectRevert(refusal);
        accounts.grantModule(address(this), Module.Settlement);
        vm.startPrank(REGISTRAR);
        vm.expectRevert(IAccounts.ZeroAddress.selector);
        accounts.register(address(0), COMMUNITY);
        vm.expectRevert(IAccounts.ZeroCommunity.selector);
        accounts.register(address(1), 0);
    }

    function test_a_meter_is_bound_once() public {
        vm.startPrank(REGISTRAR);
        vm.expectRevert(
            abi.encodeWithSelector(IAccounts.MeterTaken.selector, OTHER, 0, bytes32(uint256(HOME)))
        );
        accounts.approveMeter(OTHER, 0, bytes32(uint256(HOME)));
        vm.expectRevert(abi.encodeWithSelector(IAccounts.MeterTaken.selector, OTHER, 0, bytes32(uint256(77))));
        accounts.approveMeter(OTHER, 0, bytes32(uint256(77)));
        accounts.approveMeter(OTHER, 1, bytes32(uint256(HOME)));
        vm.expectRevert(abi.encodeWithSelector(IAccounts.UnknownProduct.selector, 3));
        accounts.approveMeter(OTHER, 3, bytes32(uint256(78)));
        vm.expectRevert(abi.encodeWithSelector(IAccounts.UnknownAccount.selector, 99));
        accounts.approveMeter(99, 0, bytes32(uint256(78)));
    }

    function test_a_device_key_orders_until_it_is_revoked_and_never_withdraws() public {
        address key = address(0xDE);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotOwner.selector, HOME, address(this)));
        accounts.setDeviceKey(HOME, key);
        vm.prank(_ownerOf(HOME));
        accounts.setDeviceKey(HOME, key);
        vm.assertTrue(accounts.mayOrder(HOME, key));
        vm.assertTrue(accounts.mayOrder(HOME, _ownerOf(HOME)));
        vm.startPrank(key);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotOwner.selector, HOME, key));
        accounts.requestWithdrawal(HOME, 1000);
        vm.stopPrank();
        vm.prank(_ownerOf(HOME));
        accounts.revokeDeviceKey(HOME);
        vm.assertEq(accounts.mayOrder(HOME, key), false);
        vm.assertEq(accounts.mayOrder(HOME, address(0)), false);
    }

    function test_money_leaves_after_the_delay_in_whole_micro_tokens() public {
        vm.startPrank(_ownerOf(HOME));
        vm.expectRevert(IAccounts.ZeroAmount.selector);
        accounts.requestWithdrawal(HOME, 999);
        vm.expectRevert(
            abi.encodeWithSelector(IAccounts.InsufficientFunds.selector, HOME, 100e9 + 1000, 100e9)
        );
        accounts.requestWithdrawal(HOME, 100e9 + 1000);
        accounts.requestWithdrawal(HOME, 1_999_999);
        vm.assertEq(accounts.freeOf(HOME), 100e9 - 1_999_000);
        uint256 from = block.timestamp + WITHDRAWAL_DELAY;
        vm.expectRevert(abi.encodeWithSelector(IAccounts.WithdrawalPending.selector, HOME, from));
        accounts.requestWithdrawal(HOME, 1000);
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NothingToWithdraw.selector, HOME, from));
        accounts.withdraw(HOME);
        vm.warp(from);
        accounts.withdraw(HOME);
        vm.assertEq(token.balanceOf(_ownerOf(HOME)), 1999);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NothingToWithdraw.selector, HOME, 0));
        accounts.withdraw(HOME);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(accounts)) * 1000, accounts.owed());
    }

    function test_a_deposit_counts_what_arrives() public {
        GreedyToken greedy = new GreedyToken();
        Accounts other =
            Accounts(vm.deployCode("Accounts.sol:Accounts", abi.encode(manager, greedy, uint32(0))));
        vm.startPrank(ADMIN);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Accounts.register.selector;
        manager.setTargetFunctionRole(address(other), selectors, 1);
        vm.stopPrank();
        vm.prank(REGISTRAR);
        other.register(address(this), 1);
        greedy.approve(address(other), 1000);
        vm.assertEq(other.deposit(1, 1000), 900_000);
        vm.assertEq(other.freeOf(1), 900_000);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.UnknownAccount.selector, 2));
        other.deposit(2, 1);
    }

    function test_a_permit_deposits_in_one_transaction_even_if_it_was_sent_before() public {
        address owner = _ownerOf(HOME);
        token.mint(owner, 20);
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 hash = keccak256(
                abi.encode(
                    keccak256(
                        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                    ),
                    owner,
                    address(accounts),
                    uint256(10),
                    token.nonces(owner),
                    block.timestamp
                )
            );
            bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), hash));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keyOf(HOME), digest);
            if (i == 1) token.permit(owner, address(accounts), 10, block.timestamp, v, r, s);
            vm.prank(owner);
            vm.assertEq(accounts.depositWithPermit(HOME, 10, block.timestamp, v, r, s), 10_000);
        }
    }

    function test_money_is_bounded() public {
        token.mint(address(this), 1 << 60);
        token.approve(address(accounts), 1 << 60);
        vm.expectRevert();
        accounts.deposit(HOME, 1 << 60);
    }

    function test_only_modules_of_the_kind_move_money() public {
        bytes memory market =
            abi.encodeWithSelector(IAccounts.NotModule.selector, address(this), Module.Market);
        bytes memory billing =
            abi.encodeWithSelector(IAccounts.NotModule.selector, address(this), Module.Settlement);
        vm.expectRevert(market);
        accounts.lockOrder(productDay(COMMUNITY, 0, DAY), 0, 0);
        vm.expectRevert(market);
        accounts.lockBatch(productDay(COMMUNITY, 0, DAY), 1, "");
        vm.expectRevert(market);
        accounts.take(HOME, COMMUNITY, DAY, 1);
        vm.expectRevert(market);
        accounts.debit("");
        vm.expectRevert(market);
        accounts.credit("");
        vm.expectRevert(market);
        accounts.reserveFromPot(0);
        vm.expectRevert(billing);
        accounts.releaseLocks(COMMUNITY, DAY);
        vm.prank(address(auction));
        vm.expectRevert(
            abi.encodeWithSelector(IAccounts.NotModule.selector, address(auction), Module.Settlement)
        );
        accounts.releaseLocks(COMMUNITY, DAY);
        vm.startPrank(address(settlement));
        vm.expectRevert(
            abi.encodeWithSelector(IAccounts.NotModule.selector, address(settlement), Module.Market)
        );
        accounts.take(HOME, COMMUNITY, DAY, 1);
    }

    function testFuzz_what_is_taken_is_locked_and_never_more_than_is_free(uint64 nano) public {
        vm.startPrank(address(auction));
        if (nano > 100e9) {
            vm.expectRevert(abi.encodeWithSelector(IAccounts.InsufficientFunds.selector, HOME, nano, 100e9));
        }
        accounts.take(HOME, COMMUNITY, DAY, nano);
        uint256 taken = nano > 100e9 ? 0 : nano;
        vm.assertEq(accounts.freeOf(HOME), 100e9 - taken);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), taken);
    }

    function test_a_market_keeps_what_accounts_put_up_in_its_own_pot() public {
        vm.prank(address(positions));
        accounts.debit(abi.encodePacked(HOME, uint64(5)));
        vm.startPrank(address(auction));
        vm.expectRevert(abi.encodeWithSelector(IAccounts.InsufficientPot.selector, auction, 1, 0));
        accounts.credit(abi.encodePacked(HOME, uint64(1)));
        accounts.debit(abi.encodePacked(HOME, uint64(7)));
        accounts.credit(abi.encodePacked(OTHER, uint64(4)));
        accounts.reserveFromPot(3);
        vm.assertEq(accounts.freeOf(HOME), 100e9 - 12);
        vm.assertEq(accounts.freeOf(OTHER), 100e9 + 4);
        (, uint256 pot) = accounts.moduleOf(address(positions));
        vm.assertEq(pot, 5);
    }

    function test_nobody_is_no_key_and_nothing_is_no_deposit() public {
        vm.startPrank(_ownerOf(HOME));
        vm.expectRevert(IAccounts.ZeroAddress.selector);
        accounts.setDeviceKey(HOME, address(0));
        vm.expectRevert(IAccounts.ZeroAddress.selector);
        accounts.setLimitedDeviceKey(HOME, address(0), uint40(block.timestamp + 1), 1, 0, 1);
        vm.expectRevert(IAccounts.ZeroAmount.selector);
        accounts.deposit(HOME, 0);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotOwner.selector, OTHER, _ownerOf(HOME)));
        accounts.revokeDeviceKey(OTHER);
    }

    function test_the_words_of_an_account_say_what_its_views_say() public {
        vm.prank(_ownerOf(HOME));
        accounts.setDeviceKey(HOME, address(7));
        (AccountKey key, AccountHot hot) = accounts.words(HOME);
        vm.assertEq(key.orderKey(), address(7));
        vm.assertEq(AccountKey.unwrap(key), AccountKey.unwrap(accounts.keyOf(HOME)));
        vm.assertEq(hot.free(), accounts.freeOf(HOME));
        // Nano-token are thousandths of what the token counts.
        vm.assertEq(token.decimals(), 6);
    }

    function test_bytes_that_are_no_amounts_move_nothing() public {
        vm.startPrank(address(auction));
        bytes memory refusal = abi.encodeWithSelector(Amounts.MalformedAmounts.selector, 13);
        vm.expectRevert(refusal);
        accounts.debit(abi.encodePacked(HOME, uint64(7), uint8(0)));
        vm.expectRevert(refusal);
        accounts.credit(abi.encodePacked(HOME, uint64(7), uint8(0)));
    }

    /// @dev Attack "admin abuse": who ends a grant keeps nobody's money in the pot.
    function test_a_module_whose_grant_ended_takes_nothing_and_gives_back_its_pot() public {
        vm.prank(address(auction));
        accounts.debit(abi.encodePacked(HOME, uint64(7)));
        vm.prank(ADMIN);
        accounts.grantModule(address(auction), Module.None);
        vm.warp(block.timestamp + accounts.EXIT_WINDOW());
        bytes memory refusal = abi.encodeWithSelector(IAccounts.NotModule.selector, auction, Module.Market);
        vm.startPrank(address(auction));
        vm.expectRevert(refusal);
        accounts.debit(abi.encodePacked(HOME, uint64(1)));
        vm.expectRevert(refusal);
        accounts.take(HOME, COMMUNITY, DAY, 1);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.InsufficientPot.selector, auction, 8, 7));
        accounts.credit(abi.encodePacked(HOME, uint64(8)));
        accounts.credit(abi.encodePacked(HOME, uint64(5)));
        accounts.reserveFromPot(2);
        vm.expectRevert(refusal);
        accounts.credit("");
        vm.expectRevert(refusal);
        accounts.reserveFromPot(0);
        vm.assertEq(accounts.freeOf(HOME), 100e9 - 2);
        vm.assertEq(accounts.reserve(), 2);
    }

    function testFuzz_a_credit_never_exceeds_the_pot_and_a_debit_never_the_balance(
        uint64 a,
        uint64 b,
        uint64 c
    ) public {
        vm.startPrank(address(settlement));
        uint256 taken = a < 100e9 ? a : 100e9;
        bytes memory given = accounts.debit(abi.encodePacked(HOME, a));
        vm.assertEq(given, abi.encodePacked(HOME, uint64(taken)));
        uint256 pot = taken;
        uint64 first = uint64(clamp(b, 0, pot));
        accounts.credit(abi.encodePacked(OTHER, first, HOME, uint64(0)));
        pot -= first;
        if (c > pot) {
            vm.expectRevert(abi.encodeWithSelector(IAccounts.InsufficientPot.selector, settlement, c, pot));
        }
        accounts.credit(abi.encodePacked(OTHER, c));
        if (c <= pot) accounts.reserveFromPot(pot - c);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.UnknownAccount.selector, 99));
        accounts.credit(abi.encodePacked(uint32(99), uint64(0)));
    }

    /// @dev Against a plain set of used nonces and the rule of the window, said in words.
    function testFuzz_nonces_are_used_once_and_die_behind_the_window(uint256 seed) public {
        uint256 highest = 0;
        bool any = false;
        vm.startPrank(address(auction));
        for (uint256 i = 0; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint32 nonce = uint32(seed % 3 == 0 ? seed % 400 : clamp(seed >> 8, 0, highest + 130));
            // Dead: below the 128 nonces that end with the highest used one, once that is above 127.
            bool dead = any && highest >= 128 && nonce + 127 < highest;
            uint256 request = LockRequests.pack(_ownerOf(HOME), HOME, nonce, 0);
            Skip fault = accounts.lockOrder(productDay(COMMUNITY, 0, DAY), request, 1);
            vm.assertEq(uint256(fault), uint256(dead || _used[nonce] ? Skip.NonceUsed : Skip.None));
            if (fault != Skip.None) continue;
            _used[nonce] = true;
            any = true;
            if (nonce > highest) highest = nonce;
        }
    }

    function test_a_lock_says_the_first_thing_wrong() public {
        vm.startPrank(address(auction));
        address owner = _ownerOf(HOME);
        vm.assertEq(_lock(owner, HOME, 0, Skip.Malformed, 0), uint256(Skip.Malformed));
        vm.assertEq(_lock(owner, 99, 0, Skip.Expired, 0), uint256(Skip.UnknownAccount));
        vm.assertEq(_lock(_ownerOf(RETAILER), RETAILER, 0, Skip.Expired, 0), uint256(Skip.NoMeter));
        vm.assertEq(_lock(owner, OTHER, 0, Skip.Expired, 0), uint256(Skip.Expired));
        vm.assertEq(_lock(owner, OTHER, 0, Skip.GateClosed, 0), uint256(Skip.BadSignature));
        vm.assertEq(_lock(address(0), HOME, 0, Skip.GateClosed, 0), uint256(Skip.BadSignature));
        vm.assertEq(_lock(owner, HOME, 0, Skip.GateClosed, 1 << 70), uint256(Skip.GateClosed));
        vm.assertEq(_lock(owner, HOME, 0, Skip.None, 100e9 + 1), uint256(Skip.InsufficientCollateral));
        vm.assertEq(_lock(owner, HOME, 0, Skip.None, 100e9), uint256(Skip.None));
        vm.assertEq(_lock(owner, HOME, 0, Skip.GateClosed, 0), uint256(Skip.NonceUsed));
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 100e9);
        bytes memory requests = abi.encodePacked(
            LockRequests.pack(_ownerOf(OTHER), OTHER, 0, 0),
            uint256(1),
            LockRequests.pack(_ownerOf(OTHER), OTHER, 1, 0),
            uint256(1)
        );
        vm.assertEq(
            accounts.lockBatch(productDay(COMMUNITY, 0, DAY), 1, requests),
            abi.encodePacked(Skip.None, Skip.MarketFull)
        );
    }

    /// @dev Against the checks one by one: the usual case takes a way of its own.
    function testFuzz_a_lock_is_judged_check_by_check(Case memory c) public {
        c.account = uint8(clamp(c.account, HOME - 1, STRANGER));
        uint8[8] memory products = [0, 0, 0, 1, 8, 63, 64, 255];
        c.product = products[c.product % 8];
        if (c.account != STRANGER) {
            vm.startPrank(_ownerOf(c.account));
            if (c.limited) accounts.setLimitedDeviceKey(c.account, DEVICE, type(uint40).max, 1, 0, 1);
            else accounts.setDeviceKey(c.account, DEVICE);
            vm.stopPrank();
        }
        vm.startPrank(address(auction));
        ProductDay delivery = productDay(c.elsewhere ? COMMUNITY + 1 : COMMUNITY, c.product, DAY);
        if (c.used) {
            accounts.lockOrder(delivery, LockRequests.pack(_ownerOf(c.account), c.account, c.nonce, 0), 0);
        }
        uint256 fault = c.late ? uint256(Skip.GateClosed) : 0;
        uint256 request = LockRequests.pack(_signerOf(c), c.account, c.nonce, fault);
        // An order that locks nothing, of more energy than a limited key may sign.
        uint256 ask = LockRequests.ask(recordOf(0, bias(0), 2, 0, 0), 0);
        vm.assertEq(uint256(accounts.lockOrder(delivery, request, ask)), uint256(_expected(c)));
    }

    function _expected(Case memory c) private pure returns (Skip) {
        address signer = _signerOf(c);
        if (c.account == STRANGER || c.elsewhere) return Skip.UnknownAccount;
        if (c.account < HOME || c.product != 0) return Skip.NoMeter;
        if (signer != _ownerOf(c.account) && signer != DEVICE) return Skip.BadSignature;
        if (c.used) return Skip.NonceUsed;
        if (c.limited && signer == DEVICE) return Skip.KeyLimited;
        return c.late ? Skip.GateClosed : Skip.None;
    }

    function _signerOf(Case memory c) private pure returns (address) {
        address[4] memory signers = [_ownerOf(c.account), DEVICE, address(8), address(0)];
        return signers[c.who % 4];
    }

    function _lock(address signer, uint32 account, uint32 nonce, Skip fault, uint256 nano)
        private
        returns (uint256)
    {
        uint256 request = LockRequests.pack(signer, account, nonce, uint256(fault));
        return uint256(accounts.lockOrder(productDay(COMMUNITY, 0, DAY), request, nano));
    }
}
