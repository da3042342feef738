// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICallAuction} from "../src/interfaces/ICallAuction.sol";
import {HashChain} from "../src/libraries/HashChain.sol";
import {CallAuction} from "../src/markets/CallAuction.sol";
import {Market, marketOf} from "../src/types/Market.sol";
import {MarketTerms} from "../src/types/MarketTerms.sol";
import {Skip} from "../src/types/Skip.sol";
import {Town} from "./support/Town.sol";
import {vm} from "./support/Vm.sol";

contract CallAuctionTest is Town {
    uint32 private constant HOME = 4;
    uint32 private constant OTHER = 5;
    uint256 private constant RELAY_GATE = DAY_START - 39_600;
    uint256 private constant FUNDS = 100e9;

    struct PlainStep {
        uint32 slot;
        int32 price;
        uint32 quantity;
        bool buy;
    }

    function setUp() public {
        _deploy(2);
    }

    function test_the_chain_hashes_what_the_event_carries() public {
        bytes memory first = _record(HOME, 100_000, 500, true, 0);
        vm.expectEmit();
        emit ICallAuction.OrdersAccepted(_market(0), 0, first);
        _place(_market(0), HOME, 100_000, 500, true, 0);
        bytes memory batch =
            bytes.concat(_record(OTHER, -50_000, 700, false, 0), _record(HOME, 90_000, 1, true, 0x0000012c));
        vm.expectEmit();
        emit ICallAuction.OrdersAccepted(_market(0), 1, batch);
        auction.relayOrders(
            _market(0),
            bytes.concat(
                _signed(OTHER, -50_000, 700, false, 0, NEVER),
                _signed(HOME, 90_000, 1, true, 0x0000012c, NEVER)
            )
        );
        bytes32 once = keccak256(bytes.concat(bytes32(0), first)) & ~bytes32(uint256(0xffff));
        bytes32 head = keccak256(bytes.concat(once, batch)) & ~bytes32(uint256(0xffff));
        (bytes32 actual,) = auction.marketOf(_market(0));
        vm.assertEq(actual, head);
        uint256 locks = 500 * (100_000 + 21_000) + 700 * (2_000_000 + 50_000) + 111_000;
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), locks);
        vm.assertEq(accounts.freeOf(OTHER), 100e9 - 700 * 2_050_000);
        vm.assertEq(auction.openMarkets(COMMUNITY, DAY), 1);
    }

    function test_bad_orders_are_skipped_alone_and_in_the_order_of_checks() public {
        bytes memory good = _signed(HOME, 1, 1, true, 9, NEVER);
        bytes memory bad = bytes.concat(good);
        bad[15] = 0x0b; // source 5
        _expectSkip(HOME, 9, Skip.Malformed, bad);
        bad = bytes.concat(good);
        bad[3] = 0x63;
        _expectSkip(99, 9, Skip.UnknownAccount, bad);
        bytes memory unmetered = _signedOrder(_market(0), RETAILER, 1, 1, true, 0, NEVER, _keyOf(RETAILER));
        _expectSkip(RETAILER, 0, Skip.NoMeter, unmetered);
        _expectSkip(HOME, 0, Skip.Expired, _signed(HOME, 1, 1, true, 0, uint64(block.timestamp - 1)));
        _expectSkip(HOME, 0, Skip.BadSignature, _signedOrder(_market(0), HOME, 1, 1, true, 0, NEVER, 77));
        _expectSkip(
            HOME, 0, Skip.BadSignature, _signedOrder(_market(1), HOME, 1, 1, true, 0, NEVER, _keyOf(HOME))
        );
        _expectSkip(HOME, 0, Skip.PriceOutOfBand, _signed(HOME, 4_000_001, 1, true, 0, NEVER));
        _expectSkip(HOME, 0, Skip.PriceOutOfBand, _signed(HOME, -4_000_001, 1, true, 0, NEVER));
        _expectSkip(HOME, 0, Skip.QuantityOutOfRange, _signed(HOME, 1, 0, true, 0, NEVER));
        _expectSkip(HOME, 0, Skip.QuantityOutOfRange, _signed(HOME, 1, 20_001, true, 0, NEVER));
        for (uint32 i = 0; i < 2; ++i) {
            auction.relayOrders(_market(i), _for(_market(i), HOME, 0, 20_000, false, i));
        }
        _expectSkip(HOME, 2, Skip.InsufficientCollateral, _signed(HOME, 0, 20_000, false, 2, NEVER));
        _expectSkip(HOME, 1, Skip.NonceUsed, _signed(HOME, 1, 1, true, 1, NEVER));
        bytes memory batch =
            bytes.concat(_signed(OTHER, 1, 1, true, 0, NEVER), bad, _signed(OTHER, 2, 1, true, 1, NEVER));
        auction.relayOrders(
            _market(2),
            bytes.concat(
                _for(_market(2), OTHER, 1, 1, true, 0), batch, _for(_market(2), OTHER, 2, 1, true, 1)
            )
        );
        (uint32 count,) = auction.statusOf(_market(2));
        vm.assertEq(count, 2);
        vm.expectRevert(ICallAuction.MalformedWire.selector);
        auction.relayOrders(_market(0), hex"00");
    }

    function test_a_signature_works_once_for_one_chain_and_contract() public {
        bytes memory order = _signed(HOME, 1, 1, true, 0, NEVER);
        uint256 state = vm.snapshotState();
        vm.chainId(block.chainid + 1);
        _expectSkip(HOME, 0, Skip.BadSignature, order);
        vm.revertToState(state);
        CallAuction own = auction;
        auction = CallAuction(address(0xA0C));
        bytes memory ofAnother = _signed(HOME, 1, 1, true, 0, NEVER);
        auction = own;
        _expectSkip(HOME, 0, Skip.BadSignature, ofAnother);
        _expectSkip(HOME, 0, Skip.BadSignature, _for(_market(1), HOME, 1, 1, true, 0));
        bytes memory flipped = bytes.concat(order);
        // The other form of the same signature: s' = n - s, other parity.
        uint256 vs = uint256(_word(order, 57));
        uint256 n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes32 high = bytes32((n - (vs << 1 >> 1)) | ((vs >> 255 ^ 1) << 255));
        for (uint256 i = 0; i < 32; ++i) {
            flipped[57 + i] = high[i];
        }
        _expectSkip(HOME, 0, Skip.BadSignature, flipped);
        auction.relayOrders(_market(0), order);
        _expectSkip(HOME, 0, Skip.NonceUsed, order);
    }

    function test_the_device_key_and_the_owner_both_sign() public {
        vm.prank(_ownerOf(HOME));
        accounts.setDeviceKey(HOME, vm.addr(4242));
        auction.relayOrders(
            _market(0),
            bytes.concat(
                _signedOrder(_market(0), HOME, 1, 1, true, 0, NEVER, 4242),
                _signed(HOME, 1, 1, true, 1, NEVER)
            )
        );
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 2);
        vm.prank(_ownerOf(HOME));
        accounts.revokeDeviceKey(HOME);
        _expectSkip(HOME, 2, Skip.BadSignature, _signedOrder(_market(0), HOME, 1, 1, true, 2, NEVER, 4242));
    }

    function test_gates_close_relay_first_then_direct() public {
        vm.warp(RELAY_GATE - 1);
        auction.relayOrders(_market(0), _signed(HOME, 1, 1, true, 0, NEVER));
        vm.warp(RELAY_GATE);
        _expectSkip(HOME, 1, Skip.GateClosed, _signed(HOME, 1, 1, true, 1, NEVER));
        vm.warp(DIRECT_GATE - 1);
        _place(_market(0), HOME, 1, 1, true, 1);
        vm.warp(DIRECT_GATE);
        _refuses(
            _market(0), HOME, 1, 1, 2, abi.encodeWithSelector(ICallAuction.GateClosed.selector, _market(0))
        );
        Market last = marketOf(COMMUNITY, 0, FIRST_SLOT + 5, 1);
        vm.warp(DAY_START + 5 * uint256(SLOT_SECONDS) - 901);
        _place(last, HOME, 1, 1, true, 2);
        (, MarketTerms terms) = auction.marketOf(last);
        vm.assertEq(uint256(terms.day()), DAY);
    }

    function test_direct_orders_revert_with_what_is_wrong() public {
        Market m = _market(0);
        _refuses(m, 99, 1, 1, 0, abi.encodeWithSelector(ICallAuction.UnknownAccount.selector, 99));
        _refuses(m, RETAILER, 1, 1, 0, abi.encodeWithSelector(ICallAuction.NoMeter.selector, RETAILER, 0));
        _refuses(m, HOME, 5e6, 1, 0, abi.encodeWithSelector(ICallAuction.PriceOutOfBand.selector, int32(5e6)));
        _refuses(m, HOME, 1, 0, 0, abi.encodeWithSelector(ICallAuction.QuantityOutOfRange.selector, 0));
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.NotOrderKey.selector, HOME, address(this)));
        auction.placeOrder(m, HOME, 1, 1, 0, true, 0);
        vm.expectRevert(abi.encodeWithSelector(ICallAuction.UnknownSource.selector, 5));
        auction.placeOrder(m, HOME, 1, 1, 5, true, 0);
        _place(m, HOME, 1, 1, true, 0);
        _refuses(m, HOME, 1, 1, 0, abi.encodeWithSelector(ICallAuction.NonceUsed.selector, HOME, 0));
        Market far = marketOf(COMMUNITY, 0, FIRST_SLOT + 9 * SLOTS, 0);
        _refuses(far, HOME, 1, 1, 1, abi.encodeWithSelector(ICallAuction.TooFarAhead.selector, far));
        Market other = marketOf(COMMUNITY, 0, FIRST_SLOT, 2);
        _refuses(other, HOME, 1, 1, 1, abi.encodeWithSelector(ICallAuction.GateClosed.selector, other));
    }

    function test_a_market_is_full_at_65535_records() public {
        _place(_market(0), OTHER, 1, 1, true, 0);
        (bytes32 head,) = auction.marketOf(_market(0));
        // Head and count of the market come first; EIP-712 has the first two slots.
        bytes32 place = keccak256(abi.encode(_market(0), uint256(2)));
        vm.assertEq(vm.load(address(auction), place), head | bytes32(uint256(1)));
        vm.store(address(auction), place, head | bytes32(uint256(65_534)));
        auction.relayOrders(_market(0), _signed(OTHER, 1, 1, true, 1, NEVER));
        (uint32 count,) = auction.statusOf(_market(0));
        vm.assertEq(count, 65_535);
        _expectSkip(HOME, 0, Skip.MarketFull, _signed(HOME, 1, 1, true, 0, NEVER));
        _refuses(
            _market(0), HOME, 1, 1, 0, abi.encodeWithSelector(ICallAuction.MarketFull.selector, _market(0))
        );
        _skipsProfile(false, bytes.concat(_step(0, 1, 1, true), _step(1, 1, 1, true)), 0, Skip.MarketFull);
        (count,) = auction.statusOf(_market(1));
        vm.assertEq(count, 1);
    }

    function test_a_profile_places_a_record_per_step_with_one_nonce() public {
        bytes memory steps =
            bytes.concat(_step(0, 100_000, 500, true), _step(0, 90_000, 200, true), _step(2, -1, 300, false));
        bytes memory records = bytes.concat(
            _record(HOME, 100_000, 500, true, 7),
            _record(HOME, 90_000, 200, true, 7),
            _record(OTHER, 100_000, 500, true, 0),
            _record(OTHER, 90_000, 200, true, 0)
        );
        vm.expectEmit();
        emit ICallAuction.OrdersAccepted(_market(0), 0, records);
        auction.relayProfiles(
            COMMUNITY,
            0,
            0,
            bytes.concat(
                _signedProfile(HOME, false, 7, NEVER, steps), _signedProfile(OTHER, true, 0, NEVER, steps)
            )
        );
        uint256 locks = 500 * 121_000 + 200 * 111_000 + 300 * uint256(2_000_001);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 2 * locks);
        vm.assertEq(accounts.freeOf(HOME), 100e9 - locks);
        vm.assertEq(auction.openMarkets(COMMUNITY, DAY), 2);
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(_market(0), HOME, 7, Skip.NonceUsed);
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfile(HOME, false, 7, NEVER, steps));
    }

    /// @dev Against the rules one step after the other: the usual step takes a way of its own.
    function testFuzz_steps_are_judged_one_by_one(uint256 seed, bool whole) public {
        bytes[3] memory records;
        bytes memory wire;
        uint256[2] memory left;
        for (uint32 home = HOME; home <= OTHER; ++home) {
            PlainStep[] memory steps = _drawSteps(uint256(keccak256(abi.encode(seed, home))));
            bool[] memory accepted;
            (accepted, left[home - HOME]) = _judge(steps, whole);
            bytes memory packed;
            for (uint256 i = 0; i < steps.length; ++i) {
                PlainStep memory s = steps[i];
                packed = bytes.concat(packed, _step(s.slot, s.price, s.quantity, s.buy));
                if (!accepted[i]) continue;
                records[s.slot] = bytes.concat(records[s.slot], _record(home, s.price, s.quantity, s.buy, 0));
            }
            wire = bytes.concat(wire, _signedProfile(home, whole, 0, NEVER, packed));
        }
        auction.relayProfiles(COMMUNITY, 0, 0, wire);
        for (uint32 slot = 0; slot < 3; ++slot) {
            bytes32 expected = keccak256(bytes.concat(bytes32(0), records[slot])) & HashChain.HEAD;
            (bytes32 head,) = auction.marketOf(_market(slot));
            vm.assertEq(head, records[slot].length == 0 ? bytes32(0) : expected);
            (uint32 count,) = auction.statusOf(_market(slot));
            vm.assertEq(count, records[slot].length / 16);
        }
        vm.assertEq(accounts.freeOf(HOME), left[0]);
        vm.assertEq(accounts.freeOf(OTHER), left[1]);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 2 * FUNDS - left[0] - left[1]);
    }

    /// @dev Up to 8 steps in 3 slots, at and beyond the bounds of price and quantity.
    function _drawSteps(uint256 seed) private pure returns (PlainStep[] memory steps) {
        int32[6] memory prices = [int32(-4_000_001), -4_000_000, -1, 100_000, 4_000_000, 4_000_001];
        uint32[6] memory quantities = [uint32(0), 1, 500, 5_000, 20_000, 20_001];
        steps = new PlainStep[](1 + seed % 8);
        for (uint256 i = 0; i < steps.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            // Bounds come once in eight times, so that whole profiles pass, too.
            uint256 price = seed % 8 == 0 ? (seed >> 8) % 6 : 1 + (seed >> 8) % 4;
            uint256 quantity = (seed >> 16) % 8 == 0 ? (seed >> 24) % 6 : 1 + (seed >> 24) % 4;
            steps[i] = PlainStep(
                uint32(3 * i / steps.length), prices[price], quantities[quantity], (seed >> 32) % 2 == 0
            );
        }
    }

    function _judge(PlainStep[] memory steps, bool whole)
        private
        pure
        returns (bool[] memory accepted, uint256 left)
    {
        accepted = new bool[](steps.length);
        left = FUNDS;
        for (uint256 i = 0; i < steps.length; ++i) {
            PlainStep memory s = steps[i];
            int256 most = s.buy ? int256(21_000) + (s.price > 0 ? s.price : int256(0)) : int256(2_000_000);
            if (!s.buy && s.price < 0) most -= s.price;
            uint256 lock = s.quantity * uint256(most);
            accepted[i] = s.price >= -4_000_000 && s.price <= 4_000_000 && s.quantity > 0
                && s.quantity <= 20_000 && lock <= left;
            if (accepted[i]) left -= lock;
            else if (whole) return (new bool[](steps.length), FUNDS);
        }
    }

    function test_an_all_or_nothing_profile_is_accepted_whole_or_not_at_all() public {
        bytes memory steps =
            bytes.concat(_step(0, 0, 20_000, false), _step(0, 0, 20_000, false), _step(1, 0, 20_000, false));
        _skipsProfile(true, steps, 1, Skip.InsufficientCollateral);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 0);
        _skipsProfile(false, steps, 1, Skip.InsufficientCollateral);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 2 * 20_000 * uint256(2_000_000));
    }

    function test_malformed_profiles_are_skipped_whole() public {
        _skipsProfile(false, bytes.concat(_step(1, 1, 1, true), _step(0, 1, 1, true)), 1, Skip.Malformed);
        _skipsProfile(false, bytes.concat(_step(0, 1, 1, true), _step(12, 1, 1, true)), 0, Skip.Malformed);
        bytes memory steps = _step(3, 1, 1, true);
        steps[12] = 0x0b;
        _skipsProfile(false, steps, 3, Skip.Malformed);
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(marketOf(COMMUNITY, 0, 0, 0), HOME, 0, Skip.Malformed);
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfile(HOME, false, 0, NEVER, ""));
        vm.expectRevert(ICallAuction.MalformedWire.selector);
        auction.relayProfiles(COMMUNITY, 0, 0, hex"00");
        // A slot long past and one far ahead, outside of what a batch keeps in mind.
        bytes memory past = abi.encodePacked(uint32(12), _biased(1), uint32(1), uint8(3));
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(marketOf(COMMUNITY, 0, 12, 0), HOME, 0, Skip.GateClosed);
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfile(HOME, false, 0, NEVER, past));
        _skipsProfile(false, _step(9 * SLOTS, 1, 1, true), 9 * SLOTS, Skip.TooFarAhead);
    }

    function _skipsProfile(bool allOrNothing, bytes memory steps, uint32 slotOfDay, Skip reason) private {
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(_market(slotOfDay), HOME, 0, reason);
        auction.relayProfiles(COMMUNITY, 0, 0, _signedProfile(HOME, allOrNothing, 0, NEVER, steps));
    }

    function _expectSkip(uint32 account, uint32 nonce, Skip reason, bytes memory order) private {
        vm.expectEmit();
        emit ICallAuction.OrderSkipped(_market(0), account, nonce, reason);
        auction.relayOrders(_market(0), order);
    }

    function _refuses(
        Market m,
        uint32 account,
        int32 price,
        uint32 quantity,
        uint32 nonce,
        bytes memory error_
    ) private {
        vm.prank(_ownerOf(account));
        vm.expectRevert(error_);
        auction.placeOrder(m, account, price, quantity, 1, true, nonce);
    }

    function _signed(uint32 account, int32 price, uint32 quantity, bool buy, uint32 nonce, uint64 validTo)
        private
        view
        returns (bytes memory)
    {
        return _signedOrder(_market(0), account, price, quantity, buy, nonce, validTo, _keyOf(account));
    }

    function _for(Market m, uint32 account, int32 price, uint32 quantity, bool buy, uint32 nonce)
        private
        view
        returns (bytes memory)
    {
        return _signedOrder(m, account, price, quantity, buy, nonce, NEVER, _keyOf(account));
    }

    function _word(bytes memory data, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), offset))
        }
    }
}
