// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../src/interfaces/ICallAuction.sol";
import {Clearing} from "../src/libraries/Clearing.sol";
import {OrderRecord} from "../src/types/OrderRecord.sol";
import {PlainAuction, PlainOrder, PlainResult} from "./support/PlainAuction.sol";
import {TradingDay} from "./support/TradingDay.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @notice Plays a day in any order of actions, beside a ledger of plain numbers.
contract Player is TradingDay {
    uint32 private constant HOMES = 4;

    mapping(uint32 account => uint256) public free;
    mapping(uint32 account => uint256) public pending;
    uint256 public locks;
    uint256 public pot;
    uint256 public donated;
    bool public settled;

    /// @dev Slots that are traded; few, so that orders meet.
    uint32 private constant TRADED = 3;
    bytes[] private _signatures;
    uint32[] private _signatureSlots;
    bool[3] public cleared;

    constructor() {
        _deploy(HOMES);
        lastHome = FIRST_HOME + HOMES - 1;
        _reportRetail();
        for (uint32 i = 1; i <= lastHome; ++i) {
            free[i] = accounts.freeOf(i);
        }
    }

    function order(uint256 seed) external {
        uint32 slot = uint32(seed % TRADED);
        if (_closed() || orders[slot].length >= 8 || curtailed[slot] != 0) return;
        uint32 home = FIRST_HOME + uint32(seed >> 8) % HOMES;
        int32 price = int32(int256(clamp(seed >> 16, 0, 8))) * 25_000 - 50_000;
        uint32 quantity = uint32(clamp(seed >> 32, 1, 4));
        PlainOrder memory plain = PlainOrder(home, price, quantity, (seed >> 48) & 1 == 0, _nonces(home));
        uint256 need = uint256(_lock(plain));
        if (need > free[home]) return;
        if ((seed >> 49) & 1 == 0) {
            _place(_market(slot), home, price, quantity, plain.buy, plain.nonce);
        } else {
            if (block.timestamp >= DAY_START - 39_600) return;
            bytes memory wire = _signedOrder(
                _market(slot), home, price, quantity, plain.buy, plain.nonce, NEVER, _keyOf(home)
            );
            auction.relayOrders(_market(slot), wire);
            _signatures.push(wire);
            _signatureSlots.push(slot);
        }
        orders[slot].push(plain);
        free[home] -= need;
        locks += need;
    }

    /// @dev Two homes agree on energy of one or two slots outside the auction.
    function agree(uint256 seed) external {
        uint32 slot = uint32(seed % (TRADED - 1));
        uint32 buyer = FIRST_HOME + uint32(seed >> 8) % HOMES;
        uint32 seller = FIRST_HOME + (buyer - FIRST_HOME + 1 + uint32(seed >> 16) % (HOMES - 1)) % HOMES;
        if (block.timestamp >= DAY_START || records[buyer].length + records[seller].length >= 8) return;
        uint32[] memory wh = new uint32[](1 + (seed >> 24) % 2);
        uint256 total = 0;
        for (uint256 i = 0; i < wh.length; ++i) {
            if (curtailed[slot + uint32(i)] != 0) return;
            wh[i] = uint32(clamp(seed >> (32 + 8 * i), 1, 5));
            total += wh[i];
        }
        int32 price = int32(int256(clamp(seed >> 64, 0, 8))) * 25_000 - 50_000;
        uint256 bought = uint256(_lock(PlainOrder(buyer, price, uint32(total), true, 0)));
        uint256 sold = uint256(_lock(PlainOrder(seller, price, uint32(total), false, 0)));
        if (bought > free[buyer] || sold > free[seller]) return;
        _agree(buyer, seller, price, slot, wh);
        free[buyer] -= bought;
        free[seller] -= sold;
        locks += bought + sold;
    }

    function curtail(uint256 seed) external {
        uint32 slot = uint32(seed % TRADED);
        uint16 permille = uint16(clamp(seed >> 8, 0, 999));
        if (seed >> 24 & 3 != 0 || block.timestamp >= DAY_START) return;
        if (permille >= 1000 - curtailed[slot]) return;
        _curtail(slot, permille);
    }

    /// @dev A signature works once: replaying one changes nothing.
    function replay(uint256 seed) external {
        if (_signatures.length == 0) return;
        uint256 i = seed % _signatures.length;
        (bytes32 head,) = auction.marketOf(_market(_signatureSlots[i]));
        auction.relayOrders(_market(_signatureSlots[i]), _signatures[i]);
        (bytes32 after_,) = auction.marketOf(_market(_signatureSlots[i]));
        vm.assertEq(head, after_);
    }

    function deposit(uint256 seed) external {
        uint32 account = uint32(clamp(seed, 1, lastHome));
        uint256 money = clamp(seed >> 32, 1, 1e6);
        _fund(account, money);
        free[account] += money * 1000;
    }

    function donate(uint256 seed) external {
        uint256 money = clamp(seed, 1, 1e6);
        token.mint(address(accounts), money);
        donated += money * 1000;
    }

    function request(uint256 seed) external {
        uint32 account = uint32(clamp(seed, 1, lastHome));
        uint256 nano = clamp(seed >> 32, 0, free[account] / 4);
        nano -= nano % 1000;
        if (nano == 0 || pending[account] != 0) return;
        vm.prank(_ownerOf(account));
        accounts.requestWithdrawal(account, nano + seed % 1000);
        free[account] -= nano;
        pending[account] = nano;
    }

    function withdraw(uint256 seed) external {
        uint32 account = uint32(clamp(seed, 1, lastHome));
        (, uint64 from) = accounts.withdrawalOf(account);
        if (pending[account] == 0 || block.timestamp < from) return;
        uint256 before = token.balanceOf(_ownerOf(account));
        vm.prank(_ownerOf(account));
        accounts.withdraw(account);
        vm.assertEq((token.balanceOf(_ownerOf(account)) - before) * 1000, pending[account]);
        pending[account] = 0;
    }

    /// @dev Clears the next market; every other pair of hints and every changed record set reverts.
    function clear(uint256 seed) external {
        if (seed % 4 == 0 && !_closed()) vm.warp(DIRECT_GATE);
        if (!_closed()) return;
        for (uint32 slot = 0; slot < TRADED; ++slot) {
            if (cleared[slot] || orders[slot].length == 0) continue;
            PlainResult memory plain = _result(slot);
            int32 off = int32(int256(clamp(seed >> 8, 1, 30_000)));
            bytes memory records = _records(orders[slot]);
            uint16[] memory batches = _ones(orders[slot].length);
            vm.expectRevert();
            auction.clear(_market(slot), plain.lo - off, plain.hi, records, batches);
            vm.expectRevert();
            auction.clear(_market(slot), plain.lo, plain.hi + off, records, batches);
            records[(seed >> 32) % records.length] ^= bytes1(uint8(1 << (seed % 8)));
            vm.expectRevert();
            auction.clear(_market(slot), plain.lo, plain.hi, records, batches);
            _clear(slot);
            cleared[slot] = true;
            return;
        }
    }

    /// @dev Delivers, reports, bills and pays the day.
    function settle(uint256 seed) external {
        if (settled || !_closed()) return;
        for (uint32 slot = 0; slot < TRADED; ++slot) {
            if (!cleared[slot] && orders[slot].length > 0) return;
            for (uint32 home = FIRST_HOME; home <= lastHome; ++home) {
                uint256 draw = uint256(keccak256(abi.encode(seed, slot, home)));
                readings[slot][home] = Reading(
                    uint32(draw % 9),
                    draw >> 64 & 3 == 0 ? 0 : uint32(draw >> 32) % 9,
                    draw >> 64 & 3 == 0 ? 1 : 0
                );
            }
        }
        _reportDay();
        Node memory root = _root();
        uint256 id = _propose(root);
        vm.warp(BILLS_FROM + 86_400);
        settlement.finalise(id);
        _debitAll(id);
        settlement.payParties(id, root.hash, root.sums);
        _creditAll(id);
        settled = true;
        locks = 0;
        // The plain ledger: everyone pays what the lines say, and the day sums to zero.
        int256 total =
            int256(root.sums[1]) + root.sums[2] + root.sums[3] + root.sums[4] + int256(root.sums[5]);
        free[RETAILER] = uint256(int256(free[RETAILER]) + root.sums[2]);
        free[OPERATOR] = uint256(int256(free[OPERATOR]) + root.sums[1] + root.sums[3] + root.sums[4]);
        free[PLATFORM] = uint256(int256(free[PLATFORM]) + root.sums[5]);
        for (uint32 home = FIRST_HOME; home <= lastHome; ++home) {
            Node memory top = _subtree(home);
            free[home] = uint256(int256(free[home]) - _due(top));
            total -= _due(top) + int256(top.sums[6]);
        }
        vm.assertEq(total, 0, "the day sums to zero");
    }

    /// @dev Invariant 1 against the plain ledger.
    function checkMoney() external view {
        uint256 owed = locks;
        for (uint32 i = 1; i <= lastHome; ++i) {
            vm.assertEq(accounts.freeOf(i), free[i], "free");
            owed += free[i] + pending[i];
        }
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), locks, "locks");
        (, uint256 inPot) = accounts.moduleOf(address(settlement));
        vm.assertEq(inPot, 0, "pot");
        vm.assertEq(accounts.owed(), owed + accounts.reserve(), "owed");
        vm.assertEq(token.balanceOf(address(accounts)) * 1000, owed + donated, "tokens");
    }

    /// @dev Invariants 2, 3 and 5 of every cleared market against the plain auction.
    function checkMarkets() external view {
        for (uint32 slot = 0; slot < TRADED; ++slot) {
            if (!cleared[slot]) continue;
            PlainResult memory plain = _result(slot);
            Result memory result = auction.resultOf(_market(slot));
            vm.assertEq(uint256(result.volume), plain.volume, "volume");
            vm.assertEq(int256(result.price), int256(plain.price), "price");
            (int256 wh, int256 money, uint256 bought) = (0, 0, 0);
            for (uint256 i = 0; i < orders[slot].length; ++i) {
                PlainOrder memory plainOrder = orders[slot][i];
                OrderRecord record = OrderRecord.wrap(uint128(bytes16(_recordOf(plainOrder))));
                uint256 fill = Clearing.fillOf(record, uint48(plain.prefixes[i]), result);
                vm.assertEq(fill, plain.fills[i], "fill");
                vm.assertTrue(fill <= plainOrder.quantity, "fill <= quantity");
                bool worse =
                    plainOrder.buy ? plainOrder.price < result.price : plainOrder.price > result.price;
                vm.assertTrue(fill == 0 || !worse, "never beyond the limit");
                wh += plainOrder.buy ? int256(fill) : -int256(fill);
                money += (plainOrder.buy ? int256(fill) : -int256(fill)) * result.price;
                if (plainOrder.buy) bought += fill;
            }
            vm.assertEq(wh, 0, "bought == sold");
            vm.assertEq(money, 0, "money");
            vm.assertEq(bought, plain.volume, "bought == volume");
        }
    }

    function _closed() private view returns (bool) {
        return vm.getBlockTimestamp() >= DIRECT_GATE;
    }

    function _nonces(uint32 home) private view returns (uint32 nonce) {
        for (uint32 slot = 0; slot < TRADED; ++slot) {
            for (uint256 i = 0; i < orders[slot].length; ++i) {
                if (orders[slot][i].account == home) ++nonce;
            }
        }
    }
}

/// @notice docs/proofs.md: what holds after any sequence of actions.
contract InvariantsTest {
    Player private _player;
    address[] private _targets;

    function setUp() public {
        _player = Player(vm.deployCode("Invariants.t.sol:Player"));
        _targets.push(address(_player));
    }

    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    function invariant_every_nano_token_is_where_the_plain_ledger_says() public view {
        _player.checkMoney();
    }

    function invariant_markets_clear_like_the_plain_auction() public view {
        _player.checkMarkets();
    }

    /// @dev A whole day, so that the sequence to its end is played at least once.
    function testFuzz_a_day_played_to_its_end(uint256 seed) public {
        for (uint256 i = 0; i < 20; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            _player.order(seed);
            if (i % 4 == 0) _player.agree(seed);
        }
        _player.curtail(seed);
        for (uint256 i = 0; i < 3; ++i) {
            _player.clear(seed >> 2 << 2);
        }
        _player.settle(seed);
        vm.assertTrue(_player.settled(), "settled");
        _player.checkMoney();
        _player.checkMarkets();
    }
}
