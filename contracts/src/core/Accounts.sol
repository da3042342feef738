// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IAccounts, Module} from "../interfaces/IAccounts.sol";
import {Amounts} from "../libraries/Amounts.sol";
import {LockRequests} from "../libraries/LockRequests.sol";
import {Wire} from "../libraries/Wire.sol";
import {AccountHot, AccountKey, MAX_OWED, newAccountKey} from "../types/AccountWords.sol";
import {ProductDay, productDay} from "../types/ProductDay.sol";
import {DeviceLimits, NO_LIMITS, limitsOf} from "../types/DeviceLimits.sol";
import {OrderRecord, bias} from "../types/OrderRecord.sol";
import {Skip} from "../types/Skip.sol";

/// @title Accounts
/// @notice The only contract that holds tokens. Modules move money between accounts, locks and their pots;
/// only an owner moves it out.
contract Accounts is IAccounts, AccessManaged, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Wire for bytes;

    struct Account {
        AccountKey key;
        AccountHot hot;
    }

    struct Withdrawal {
        uint64 nano;
        uint64 takenFrom;
    }

    struct Succession {
        address owner;
        uint64 acceptedFrom;
    }

    /// @dev `next` is its role from `nextFrom` on, where that is not zero.
    struct ModuleState {
        Module role;
        uint64 pot;
        Module next;
        uint64 nextFrom;
    }

    /// @dev Nano-token of a micro-token.
    uint256 private constant NANO = 1000;

    uint8 private constant LAST_PRODUCT = 2;

    /// @inheritdoc IAccounts
    uint256 public constant OWNER_DELAY = 2 days;

    /// @inheritdoc IAccounts
    uint256 public constant EXIT_WINDOW = 45 days;

    /// @notice The token of all money, 6 decimals.
    IERC20 public immutable token;

    /// @notice Time between request and withdrawal [s].
    uint32 public immutable withdrawalDelay;

    /// @inheritdoc IAccounts
    uint32 public accountCount;

    /// @inheritdoc IAccounts
    uint256 public owed;

    /// @inheritdoc IAccounts
    uint256 public reserve;

    /// @inheritdoc IAccounts
    mapping(uint32 account => address) public ownerOf;

    /// @notice Account of a meter of a product, zero while it is not bound.
    mapping(uint8 product => mapping(bytes32 meter => uint32 account)) public accountOfMeter;

    /// @inheritdoc IAccounts
    mapping(uint32 account => Withdrawal) public withdrawalOf;

    /// @notice Who becomes owner of an account, and from when it may accept [unix s].
    mapping(uint32 account => Succession) public successionOf;

    mapping(uint32 account => Account) private _accounts;
    mapping(uint256 communityDay => uint256 nano) private _locks;
    mapping(uint32 account => DeviceLimits) private _limits;
    mapping(address module => ModuleState) private _modules;

    modifier onlyOwner(uint32 account) {
        if (ownerOf[account] != msg.sender) revert NotOwner(account, msg.sender);
        _;
    }

    modifier onlyModule(Module role) {
        if (_roleOf(msg.sender) != role) revert NotModule(msg.sender, role);
        _;
    }

    modifier onlyModules() {
        if (_roleOf(msg.sender) == Module.None) revert NotModule(msg.sender, Module.Market);
        _;
    }

    /// @dev Who is no module any more still gives back what its pot holds.
    modifier onlyPots() {
        // A pot of exactly 0 is what refuses: who holds nothing has nothing to give back.
        // slither-disable-next-line incorrect-equality
        if (_roleOf(msg.sender) == Module.None && _modules[msg.sender].pot == 0) {
            revert NotModule(msg.sender, Module.Market);
        }
        _;
    }

    /// @param manager AccessManager that says who is ADMIN and REGISTRAR.
    /// @param token_ Token of all money, 6 decimals.
    /// @param withdrawalDelay_ Time between request and withdrawal [s].
    constructor(address manager, IERC20 token_, uint32 withdrawalDelay_) AccessManaged(manager) {
        token = token_;
        withdrawalDelay = withdrawalDelay_;
    }

    /// @inheritdoc IAccounts
    function register(address owner, uint32 community) external restricted returns (uint32 account) {
        if (owner == address(0)) revert ZeroAddress();
        if (community == 0) revert ZeroCommunity();
        account = ++accountCount;
        ownerOf[account] = owner;
        _accounts[account].key = newAccountKey(owner, community);
        emit Registered(account, community, owner);
        emit DeviceKeySet(account, owner);
    }

    /// @inheritdoc IAccounts
    function approveMeter(uint32 account, uint8 product, bytes32 meter) external restricted {
        if (product > LAST_PRODUCT) revert UnknownProduct(product);
        AccountKey key = _known(account);
        if (key.metered(product) || accountOfMeter[product][meter] != 0) {
            revert MeterTaken(account, product, meter);
        }
        accountOfMeter[product][meter] = account;
        _accounts[account].key = key.withMeter(product);
        emit MeterApproved(account, product, meter);
    }

    /// @inheritdoc IAccounts
    function grantModule(address module, Module role) external restricted {
        ModuleState storage state = _modules[module];
        // Before anyone has an account there is nobody to give time to leave.
        uint256 from = accountCount == 0 ? block.timestamp : block.timestamp + EXIT_WINDOW;
        (state.role, state.next, state.nextFrom) = (_roleOf(module), role, uint64(from));
        emit ModuleGranted(module, role, from);
    }

    /// @inheritdoc IAccounts
    function proposeOwner(uint32 account, address owner) external onlyOwner(account) {
        if (owner == address(0)) {
            delete successionOf[account];
            emit OwnerProposed(account, owner, 0);
            return;
        }
        uint256 from = block.timestamp + OWNER_DELAY;
        successionOf[account] = Succession(owner, uint64(from));
        emit OwnerProposed(account, owner, from);
    }

    /// @inheritdoc IAccounts
    function acceptOwner(uint32 account) external {
        Succession memory next = successionOf[account];
        if (next.owner != msg.sender || block.timestamp < next.acceptedFrom) {
            revert NotSuccessor(account, msg.sender, next.acceptedFrom);
        }
        delete successionOf[account];
        // What the former owner's keys could sign ends with its ownership.
        ownerOf[account] = msg.sender;
        emit OwnerChanged(account, msg.sender);
        _setOrderKey(account, msg.sender, NO_LIMITS);
    }

    /// @inheritdoc IAccounts
    function setDeviceKey(uint32 account, address key) external onlyOwner(account) {
        if (key == address(0)) revert ZeroAddress();
        _setOrderKey(account, key, NO_LIMITS);
    }

    /// @inheritdoc IAccounts
    function setLimitedDeviceKey(
        uint32 account,
        address key,
        uint40 expiresAt,
        uint32 mostWh,
        int32 priceMin,
        int32 priceMax
    ) external onlyOwner(account) {
        if (key == address(0)) revert ZeroAddress();
        if (expiresAt <= block.timestamp || mostWh == 0 || priceMin > priceMax) {
            revert EmptyLimits(expiresAt, mostWh, priceMin, priceMax);
        }
        _setOrderKey(account, key, limitsOf(expiresAt, mostWh, bias(priceMin), bias(priceMax)));
        emit DeviceKeyLimited(account, expiresAt, mostWh, priceMin, priceMax);
    }

    /// @inheritdoc IAccounts
    function revokeDeviceKey(uint32 account) external onlyOwner(account) {
        _setOrderKey(account, msg.sender, NO_LIMITS);
    }

    /// @inheritdoc IAccounts
    function deposit(uint32 account, uint256 amount) external returns (uint256 nano) {
        return _deposit(account, amount);
    }

    /// @inheritdoc IAccounts
    function depositWithPermit(
        uint32 account,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 nano) {
        // Someone may have sent the permit before; then the allowance is there and the deposit goes on.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {}
            catch {}
        return _deposit(account, amount);
    }

    /// @inheritdoc IAccounts
    function requestWithdrawal(uint32 account, uint256 nano) external onlyOwner(account) {
        Withdrawal storage pending = withdrawalOf[account];
        if (pending.nano != 0) revert WithdrawalPending(account, pending.takenFrom);
        nano -= nano % NANO;
        if (nano == 0) revert ZeroAmount();
        AccountHot hot = _accounts[account].hot;
        if (nano > hot.free()) revert InsufficientFunds(account, nano, hot.free());
        uint256 takenFrom = block.timestamp + withdrawalDelay;
        // nano <= free <= 2**62, see [1].
        unchecked {
            _accounts[account].hot = hot.withFree(hot.free() - nano);
        }
        withdrawalOf[account] = Withdrawal(uint64(nano), uint64(takenFrom));
        emit WithdrawalRequested(account, nano, takenFrom);
    }

    /// @inheritdoc IAccounts
    function withdraw(uint32 account) external onlyOwner(account) nonReentrant {
        Withdrawal memory pending = withdrawalOf[account];
        if (pending.nano == 0 || block.timestamp < pending.takenFrom) {
            revert NothingToWithdraw(account, pending.takenFrom);
        }
        delete withdrawalOf[account];
        owed -= pending.nano;
        emit Withdrawn(account, msg.sender, pending.nano);
        token.safeTransfer(msg.sender, pending.nano / NANO);
    }

    /// @inheritdoc IAccounts
    function lockOrder(ProductDay delivery, uint256 request, uint256 ask)
        external
        onlyModule(Module.Market)
        returns (Skip fault)
    {
        fault = _lock(delivery.homeOf(), request, ask, 1);
        // The sum of all locks is at most 2**62, see [1].
        unchecked {
            if (fault == Skip.None) _locks[delivery.communityDay()] += LockRequests.money(ask);
        }
    }

    /// @inheritdoc IAccounts
    function lockBatch(ProductDay delivery, uint256 room, bytes calldata requests)
        external
        onlyModule(Module.Market)
        returns (bytes memory faults)
    {
        uint256 home = delivery.homeOf();
        uint256 count = requests.length / LockRequests.BYTES;
        uint256 total = 0;
        // i < count, and room > 0 where it decreases; the sum of all locks is at most 2**62, see [1].
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                (uint256 request, uint256 ask) = LockRequests.get(requests, i);
                Skip fault = _lock(home, request, ask, room);
                if (fault != Skip.None) {
                    if (faults.length == 0) faults = new bytes(count);
                    faults[i] = bytes1(uint8(fault));
                    continue;
                }
                total += LockRequests.money(ask);
                --room;
            }
        }
        if (total != 0) _locks[delivery.communityDay()] += total;
    }

    /// @inheritdoc IAccounts
    function take(uint32 account, uint32 community, uint32 day, uint256 nano)
        external
        onlyModule(Module.Market)
    {
        AccountHot hot = _accounts[account].hot;
        uint256 free = hot.free();
        if (nano > free) revert InsufficientFunds(account, nano, free);
        // nano <= free <= 2**62, and the sum of all locks is at most 2**62, see [1].
        unchecked {
            _accounts[account].hot = hot.withFree(free - nano);
            _locks[productDay(community, 0, day).communityDay()] += nano;
        }
    }

    /// @inheritdoc IAccounts
    function releaseLocks(uint32 community, uint32 day)
        external
        onlyModule(Module.Settlement)
        returns (uint256 nano)
    {
        uint256 key = productDay(community, 0, day).communityDay();
        nano = _locks[key];
        delete _locks[key];
        // Pots and locks together are at most 2**62, see [1].
        _modules[msg.sender].pot += uint64(nano);
        emit LocksReleased(community, day, nano);
    }

    /// @inheritdoc IAccounts
    function debit(bytes calldata amounts) external onlyModules returns (bytes memory taken) {
        uint256 count = Amounts.count(amounts);
        taken = amounts;
        uint256 total = 0;
        // nano <= free <= 2**62, and all free balances together are at most 2**62, see [1].
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                (uint32 account, uint256 nano) = Amounts.get(amounts, i);
                Account storage held = _accounts[account];
                AccountHot hot = held.hot;
                uint256 free = hot.free();
                if (nano > free) {
                    Amounts.lower(taken, i, nano - free);
                    nano = free;
                }
                if (nano != 0) held.hot = hot.withFree(free - nano);
                total += nano;
            }
        }
        _modules[msg.sender].pot += uint64(total);
    }

    /// @inheritdoc IAccounts
    function credit(bytes calldata amounts) external onlyPots {
        uint256 count = Amounts.count(amounts);
        uint32 last = accountCount;
        uint256 total = 0;
        for (uint256 i = 0; i < count; ++i) {
            (uint32 account, uint256 nano) = Amounts.get(amounts, i);
            if (account == 0 || account > last) revert UnknownAccount(account);
            AccountHot hot = _accounts[account].hot;
            // free <= 2**62 and nano < 2**64; the pot, which covers the total or reverts, bounds the sum by 2**62,
            // see [1].
            unchecked {
                _accounts[account].hot = hot.withFree(hot.free() + nano);
                total += nano;
            }
        }
        _takeFromPot(total);
    }

    /// @inheritdoc IAccounts
    function reserveFromPot(uint256 nano) external onlyPots {
        _takeFromPot(nano);
        reserve += nano;
        emit Reserved(msg.sender, nano);
    }

    /// @inheritdoc IAccounts
    function faultOf(ProductDay delivery, uint256 request)
        external
        view
        returns (Skip fault, uint256 free, DeviceLimits limits)
    {
        Account storage account = _accounts[LockRequests.account(request)];
        fault = _fault(account.key, account.hot, delivery.homeOf(), request, 0);
        if (fault == Skip.None) {
            limits = _limitsFor(account.key, LockRequests.account(request), LockRequests.signer(request));
        }
        free = account.hot.free();
    }

    /// @inheritdoc IAccounts
    function lockTotal(uint32 community, uint32 day) external view returns (uint256 nano) {
        return _locks[productDay(community, 0, day).communityDay()];
    }

    /// @inheritdoc IAccounts
    function words(uint32 account) external view returns (AccountKey key, AccountHot hot) {
        return (_accounts[account].key, _accounts[account].hot);
    }

    /// @inheritdoc IAccounts
    function keyOf(uint32 account) external view returns (AccountKey) {
        return _accounts[account].key;
    }

    /// @inheritdoc IAccounts
    function keysOf(bytes calldata accounts) external view returns (bytes memory keys) {
        // A word for every whole account.
        // slither-disable-next-line divide-before-multiply
        keys = new bytes(accounts.length / 4 * 32);
        // Offsets within the calldata and the array.
        unchecked {
            for (uint256 i = 0; i < keys.length; i += 32) {
                AccountKey key = _accounts[accounts.u32(i / 8)].key;
                assembly ("memory-safe") {
                    mstore(add(add(keys, 0x20), i), key)
                }
            }
        }
    }

    /// @inheritdoc IAccounts
    function communityOf(uint32 account) external view returns (uint32) {
        return _accounts[account].key.community();
    }

    /// @inheritdoc IAccounts
    function mayOrder(uint32 account, address key) external view returns (bool) {
        return key != address(0) && (_accounts[account].key.orderKey() == key || ownerOf[account] == key);
    }

    /// @inheritdoc IAccounts
    function limitsFor(uint32 account, address key) external view returns (DeviceLimits) {
        return _limitsFor(_accounts[account].key, account, key);
    }

    /// @inheritdoc IAccounts
    function freeOf(uint32 account) external view returns (uint256) {
        return _accounts[account].hot.free();
    }

    /// @inheritdoc IAccounts
    function moduleOf(address module) external view returns (Module role, uint256 pot) {
        return (_roleOf(module), _modules[module].pot);
    }

    function _setOrderKey(uint32 account, address key, DeviceLimits limits) private {
        _accounts[account].key = _accounts[account].key.withOrderKey(key, !limits.areNone());
        _limits[account] = limits;
        emit DeviceKeySet(account, key);
    }

    /// @dev Credits what arrives, so that a token with a fee on transfer cannot create money.
    function _deposit(uint32 account, uint256 amount) private nonReentrant returns (uint256 nano) {
        _known(account);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        nano = (token.balanceOf(address(this)) - before) * NANO;
        // What arrived is a difference; a donation before it does not change it.
        // slither-disable-next-line incorrect-equality
        if (nano == 0) revert ZeroAmount();
        uint256 owed_ = owed + nano;
        if (owed_ > MAX_OWED) revert TooMuchMoney(owed_);
        owed = owed_;
        AccountHot hot = _accounts[account].hot;
        // free + nano <= owed <= 2**62, see [1].
        unchecked {
            _accounts[account].hot = hot.withFree(hot.free() + nano);
        }
        emit Deposited(account, msg.sender, nano);
    }

    function _takeFromPot(uint256 nano) private {
        uint64 pot = _modules[msg.sender].pot;
        if (nano > pot) revert InsufficientPot(msg.sender, nano, pot);
        // nano <= pot
        unchecked {
            _modules[msg.sender].pot = pot - uint64(nano);
        }
    }

    /// @dev Uses the nonce and takes the money, or says what is wrong.
    /// @param home What a key word of the community with a meter for the product has, see types/ProductDay.sol.
    /// @param room How many records the market still takes.
    function _lock(uint256 home, uint256 request, uint256 ask, uint256 room) private returns (Skip) {
        Account storage account = _accounts[LockRequests.account(request)];
        (AccountKey key, AccountHot hot) = (account.key, account.hot);
        uint32 nonce = LockRequests.nonce(request);
        // As usual by the order key or by the owner; else one thing after the other.
        bool usual = hot.isFresh(nonce) && LockRequests.isFaultless(request);
        if (!usual || !key.isExactly(home, LockRequests.signer(request)) && !_isOfOwner(key, home, request)) {
            Skip fault = _fault(key, hot, home, request, ask);
            if (fault != Skip.None) return fault;
        }
        (uint256 free, uint256 nano) = (hot.free(), LockRequests.money(ask));
        if (nano > free) return Skip.InsufficientCollateral;
        if (room == 0) return Skip.MarketFull;
        // nano <= free
        unchecked {
            account.hot = hot.use(nonce).withFree(free - nano);
        }
        return Skip.None;
    }

    /// @dev First failure of a request before its money, merged with the fault that it brings.
    function _fault(AccountKey key, AccountHot hot, uint256 home, uint256 request, uint256 ask)
        private
        view
        returns (Skip fault)
    {
        address signer = LockRequests.signer(request);
        fault = LockRequests.fault(request);
        if (fault == Skip.Malformed) return fault;
        if (!key.isHome(home)) return key.isOf(home) ? Skip.NoMeter : Skip.UnknownAccount;
        if (fault == Skip.Expired) return fault;
        if (key.orderKey() != signer && !_isOwner(LockRequests.account(request), signer)) {
            return Skip.BadSignature;
        }
        if (hot.isUsed(LockRequests.nonce(request))) return Skip.NonceUsed;
        if (!key.isLimited()) return fault;
        OrderRecord record = LockRequests.recordOf(ask);
        // A quantity of 0 is a profile's, whose steps the market judges, or is refused by the market.
        if (record.quantity() != 0) {
            DeviceLimits limits = _limitsFor(key, LockRequests.account(request), signer);
            if (!limits.permits(record.topPrice(), record.quantity(), block.timestamp)) {
                return Skip.KeyLimited;
            }
        }
    }

    /// @dev What limits a key; nothing limits the owner's.
    function _limitsFor(AccountKey word, uint32 account, address key) private view returns (DeviceLimits) {
        if (!word.isLimited() || word.orderKey() != key || ownerOf[account] == key) return NO_LIMITS;
        return _limits[account];
    }

    function _roleOf(address module) private view returns (Module) {
        ModuleState storage state = _modules[module];
        return state.nextFrom != 0 && block.timestamp >= state.nextFrom ? state.next : state.role;
    }

    /// @dev True for a request of a home of the community by its owner, whom nothing limits.
    function _isOfOwner(AccountKey key, uint256 home, uint256 request) private view returns (bool) {
        return key.isHome(home) && _isOwner(LockRequests.account(request), LockRequests.signer(request));
    }

    /// @dev An account that exists has an owner, who is not address 0.
    function _isOwner(uint32 account, address key) private view returns (bool) {
        return ownerOf[account] == key;
    }

    function _known(uint32 account) private view returns (AccountKey key) {
        key = _accounts[account].key;
        if (AccountKey.unwrap(key) == 0) revert UnknownAccount(account);
    }
}
