// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccountHot, AccountKey} from "../types/AccountWords.sol";
import {ProductDay} from "../types/ProductDay.sol";
import {DeviceLimits} from "../types/DeviceLimits.sol";
import {Skip} from "../types/Skip.sol";

/// @notice What a module may do with the money of accounts: a market locks it, the settlement releases locks, and either
/// moves free money into its own pot and back.
enum Module {
    None,
    Market,
    Settlement
}

/// @notice Accounts of homes and companies: keys, meters, nonces and all money.
/// @dev Every token is at any time free, locked, in a pot, in withdrawal or in the reserve; see docs/proofs.md [1].
interface IAccounts {
    /// @notice An account was opened in a community.
    event Registered(uint32 indexed account, uint32 indexed community, address indexed owner);

    /// @notice The key that may order and nominate for the account beside its owner; the owner after a revocation.
    event DeviceKeySet(uint32 indexed account, address indexed key);

    /// @notice A meter was bound to an account and product.
    event MeterApproved(uint32 indexed account, uint8 indexed product, bytes32 indexed meter);

    /// @notice What the device key that was just set may sign is limited: until `expiresAt`, orders of at most `mostWh` at
    /// prices of the band, nominations of at most `mostWh` a slot. Nothing limits the owner.
    event DeviceKeyLimited(
        uint32 indexed account, uint40 expiresAt, uint32 mostWh, int32 priceMin, int32 priceMax
    );

    /// @notice The owner named its successor, who may accept from then on; the zero address takes that back.
    event OwnerProposed(uint32 indexed account, address indexed owner, uint256 acceptedFrom);

    /// @notice The account has another owner.
    event OwnerChanged(uint32 indexed account, address indexed owner);

    /// @notice A contract becomes a module, or stops being one (`Module.None`), from then on [unix s].
    event ModuleGranted(address indexed module, Module role, uint256 effectiveFrom);

    /// @notice Tokens arrived for an account.
    /// @param nano What was really received [nano-token].
    event Deposited(uint32 indexed account, address indexed from, uint256 nano);

    /// @notice The owner asked for money, which is out of the account's free balance from now on.
    event WithdrawalRequested(uint32 indexed account, uint256 nano, uint256 takenFrom);

    /// @notice The money was sent.
    event Withdrawn(uint32 indexed account, address indexed to, uint256 nano);

    /// @notice All locks of a trading day moved to the pot of a module.
    event LocksReleased(uint32 indexed community, uint32 indexed day, uint256 nano);

    /// @notice A module moved money of its pot to the reserve.
    event Reserved(address indexed module, uint256 nano);

    /// @notice There is no such account.
    error UnknownAccount(uint32 account);
    /// @notice The caller is not the owner of the account.
    error NotOwner(uint32 account, address caller);
    /// @notice The caller has no such role among the modules.
    error NotModule(address caller, Module needed);
    /// @notice An owner or key is the zero address.
    error ZeroAddress();
    /// @notice The caller was not named as the next owner, or may not accept before.
    error NotSuccessor(uint32 account, address caller, uint256 acceptedFrom);
    /// @notice Limits that nothing could keep.
    error EmptyLimits(uint40 expiresAt, uint32 mostWh, int32 priceMin, int32 priceMax);
    /// @notice A community of number 0.
    error ZeroCommunity();
    /// @notice The meter is bound already, or the account has one for this product.
    error MeterTaken(uint32 account, uint8 product, bytes32 meter);
    /// @notice Products are 0 electricity, 1 heat, 2 cooling.
    error UnknownProduct(uint8 product);
    /// @notice Nothing arrived, or nothing was asked for.
    error ZeroAmount();
    /// @notice The balance does not cover the amount.
    error InsufficientFunds(uint32 account, uint256 need, uint256 free);
    /// @notice The pot of the module does not cover the amount.
    error InsufficientPot(address module, uint256 need, uint256 pot);
    /// @notice The sum of all money would exceed 2**62 nano-token.
    error TooMuchMoney(uint256 owed);
    /// @notice A withdrawal is under way until the given time.
    error WithdrawalPending(uint32 account, uint256 takenFrom);
    /// @notice There is nothing to withdraw yet.
    error NothingToWithdraw(uint32 account, uint256 takenFrom);

    /// @notice Opens an account; numbers start at 1. REGISTRAR only.
    function register(address owner, uint32 community) external returns (uint32 account);

    /// @notice Binds a meter to an account and product; a meter is bound once. REGISTRAR only.
    function approveMeter(uint32 account, uint8 product, bytes32 meter) external;

    /// @notice Makes a contract a module, or with `Module.None` stops it, after `EXIT_WINDOW`; at once while there are no
    /// accounts. ADMIN only.
    /// @dev A pot stays with its module.
    function grantModule(address module, Module role) external;

    /// @notice Lets `key` order and nominate for the account. Owner only.
    function setDeviceKey(uint32 account, address key) external;

    /// @notice Lets `key` order and nominate within limits. Owner only.
    /// @param expiresAt From then on it may sign nothing [unix s].
    /// @param mostWh Largest energy of an order, and of a nominated slot in either direction [Wh].
    /// @param priceMin Lowest price of an order [micro-token/kWh].
    /// @param priceMax Highest price of an order [micro-token/kWh].
    function setLimitedDeviceKey(
        uint32 account,
        address key,
        uint40 expiresAt,
        uint32 mostWh,
        int32 priceMin,
        int32 priceMax
    ) external;

    /// @notice Names the next owner, who may accept after `OWNER_DELAY`; the zero address takes that back. Owner only.
    function proposeOwner(uint32 account, address owner) external;

    /// @notice Makes the caller the owner; device key and limits of the former one end. Named successor only.
    function acceptOwner(uint32 account) external;

    /// @notice Takes the device key away at once. Owner only.
    function revokeDeviceKey(uint32 account) external;

    /// @notice Moves approved tokens to an account; what arrives counts, times 1000.
    /// @param amount Tokens [micro-token].
    /// @return nano Credited [nano-token].
    function deposit(uint32 account, uint256 amount) external returns (uint256 nano);

    /// @notice Deposit with an EIP-2612 approval; a permit that was used already does not disturb.
    function depositWithPermit(
        uint32 account,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 nano);

    /// @notice Takes money out of the free balance, to be sent after the delay. Owner only.
    /// @param nano Rounded down to whole micro-tokens [nano-token].
    function requestWithdrawal(uint32 account, uint256 nano) external;

    /// @notice Sends requested money to the owner once the delay has passed. Owner only.
    function withdraw(uint32 account) external;

    /// @notice Uses a nonce and locks money until the day's bills, as far as key, nonce and funds allow.
    /// Market modules only.
    /// @param delivery Product and trading day of the order.
    /// @param request See `LockRequests`; its own fault counts in the order of `Skip`.
    /// @param ask See `LockRequests`: the record of a single order, money to lock [nano-token].
    /// @return fault `Skip.None` where accepted, else the first failure.
    function lockOrder(ProductDay delivery, uint256 request, uint256 ask) external returns (Skip fault);

    /// @notice `lockOrder` for many orders of one product and day. Market modules only.
    /// @param room How many can be accepted.
    /// @param requests Request and ask of each, 64 bytes.
    /// @return faults A byte each, none if all were accepted.
    function lockBatch(ProductDay delivery, uint256 room, bytes calldata requests)
        external
        returns (bytes memory faults);

    /// @notice Locks money of an account until the day's bills; reverts beyond its free balance. Market modules only.
    /// @dev Uses no nonce: the market makes sure that the account agreed, once.
    /// @param day Trading day of the energy that it is for.
    function take(uint32 account, uint32 community, uint32 day, uint256 nano) external;

    /// @notice Moves all locks of the day to the caller's pot. Settlement modules only.
    function releaseLocks(uint32 community, uint32 day) external returns (uint256 nano);

    /// @notice Moves money of accounts to the caller's own pot, of each at most its free balance. Modules only: the
    /// settlement by its bills, a market what the account agreed to put up there.
    /// @param amounts Each: account u32, money u64 [nano-token].
    /// @return taken The same accounts, each with what it gave.
    function debit(bytes calldata amounts) external returns (bytes memory taken);

    /// @notice Moves money of the caller's own pot to accounts. Modules, and who was one while its pot is not empty.
    /// @param amounts Each: account u32, money u64 [nano-token].
    function credit(bytes calldata amounts) external;

    /// @notice Moves money of the caller's own pot to the reserve. Modules, and who was one while its pot is not empty.
    function reserveFromPot(uint256 nano) external;

    /// @notice What `lockOrder` would say to a request that locks nothing, the account's free balance, and what limits its key.
    function faultOf(ProductDay delivery, uint256 request)
        external
        view
        returns (Skip fault, uint256 free, DeviceLimits limits);

    /// @notice Key word and hot word of an account.
    function words(uint32 account) external view returns (AccountKey key, AccountHot hot);

    /// @notice Key word of an account, zero where there is none.
    function keyOf(uint32 account) external view returns (AccountKey);

    /// @notice Key words of accounts, zero where there is none.
    /// @param accounts 4 bytes each.
    /// @return keys 32 bytes each.
    function keysOf(bytes calldata accounts) external view returns (bytes memory keys);

    /// @notice Owner of an account, zero where there is none.
    function ownerOf(uint32 account) external view returns (address);

    /// @notice Community of an account, zero where there is none.
    function communityOf(uint32 account) external view returns (uint32);

    /// @notice True if `key` is the owner's or the device key of the account.
    function mayOrder(uint32 account, address key) external view returns (bool);

    /// @notice What limits `key` of the account; nothing where it is the owner's or no device key.
    function limitsFor(uint32 account, address key) external view returns (DeviceLimits);

    /// @notice Free balance of an account [nano-token].
    function freeOf(uint32 account) external view returns (uint256);

    /// @notice Time between naming and accepting an owner [s].
    function OWNER_DELAY() external view returns (uint256);

    /// @notice Time between granting and becoming a module, longer than the longest lock and the withdrawal delay [s].
    function EXIT_WINDOW() external view returns (uint256);

    /// @notice Number of accounts, which is the highest.
    function accountCount() external view returns (uint32);

    /// @notice Money under way to the owner of an account and when it can be taken.
    function withdrawalOf(uint32 account) external view returns (uint64 nano, uint64 takenFrom);

    /// @notice Sum of the open locks of a trading day [nano-token].
    function lockTotal(uint32 community, uint32 day) external view returns (uint256);

    /// @notice Role and pot of a module.
    function moduleOf(address module) external view returns (Module role, uint256 pot);

    /// @notice Money of nobody, from bonds that were lost [nano-token].
    function reserve() external view returns (uint256);

    /// @notice Sum of everything owed; the token balance x 1000 covers it [nano-token].
    function owed() external view returns (uint256);
}
