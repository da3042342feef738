// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {IAccounts} from "../src/interfaces/IAccounts.sol";
import {IBlockSeries} from "../src/interfaces/IBlockSeries.sol";
import {Fill, IContinuousMarket, Limit, SignedLimit} from "../src/interfaces/IContinuousMarket.sol";
import {IPositions} from "../src/interfaces/IPositions.sol";
import {ContinuousMarket} from "../src/markets/ContinuousMarket.sol";
import {ContinuousTown} from "./support/ContinuousTown.sol";
import {vm} from "./support/Vm.sol";

/// @notice A wallet that accepts every signature "yes", or burns all gas that it is given.
contract ContractWallet is IERC1271 {
    bool private _burns;

    function burn() external {
        _burns = true;
    }

    function isValidSignature(bytes32, bytes calldata signature) external view returns (bytes4) {
        while (_burns) {}
        return keccak256(signature) == keccak256("yes") ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Who trades with whom, at which price and how much; and what nobody can do to a signed limit.
contract ContinuousMarketTest is ContinuousTown {
    uint32 private constant BUYER = 4;
    uint32 private constant SELLER = 5;
    uint32 private constant OTHER = 6;
    uint256 private constant DEVICE = 4242;
    uint256 private constant CHAIN = 31_337;
    uint256 private constant GATE = DAY_START - 300;

    int32 private constant BID = 120_001;
    int32 private constant OFFER = 100_000;
    int32 private constant MIDPOINT = 110_000;

    function setUp() public {
        _deploy(3);
    }

    function test_a_match_opens_both_positions_and_locks_both_sides() public {
        SignedLimit memory buy = _received(_bid(500), 2, ENGINE_KEY);
        SignedLimit memory sell = _received(_offer(300), 1, ENGINE_KEY);
        uint64 deal =
            uint64(uint256(keccak256(abi.encode(_orderOf(buy.limit), _orderOf(sell.limit), uint256(300)))));
        vm.expectEmit();
        emit IContinuousMarket.Matched(
            COMMUNITY,
            _orderOf(buy.limit),
            _orderOf(sell.limit),
            0,
            FIRST_SLOT,
            deal,
            BUYER,
            SELLER,
            OFFER,
            300,
            2,
            1
        );
        vm.prank(_engine());
        vm.assertEq(continuous.matchOrders(buy, sell, 300), deal);
        vm.assertEq(continuous.filled(continuous.digestOf(buy.limit)), 300);
        vm.assertEq(continuous.filled(_orderOf(sell.limit)), 300);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, BUYER, DAY).count(), 1);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, SELLER, DAY).count(), 1);
        vm.assertEq(accounts.freeOf(BUYER), 100e9 - 300 * (100_000 + 21_000));
        vm.assertEq(accounts.freeOf(SELLER), 100e9 - 300 * 2_000_000);
    }

    function test_the_earlier_order_of_one_engine_sets_the_price() public {
        _trades(_received(_bid(1), 1, ENGINE_KEY), _received(_offer(1), 2, ENGINE_KEY), BID);
        _trades(_received(_bid(2), 3, ENGINE_KEY), _received(_offer(2), 2, ENGINE_KEY), OFFER);
    }

    function test_without_two_valid_receipts_of_one_engine_the_midpoint_counts() public {
        SignedLimit memory sell = _received(_offer(9), 1, ENGINE_KEY);
        _trades(_signed(_bid(1)), sell, MIDPOINT);
        _trades(_received(_bid(2), 0, ENGINE_KEY), sell, MIDPOINT);
        _trades(_received(_bid(3), 1, ENGINE_KEY), sell, MIDPOINT);
        _trades(_received(_bid(4), 2, OTHER_ENGINE_KEY), sell, MIDPOINT);
        // A receipt of another order, number or time is none.
        SignedLimit memory buy = _received(_bid(5), 2, ENGINE_KEY);
        buy.sequence = 3;
        _trades(buy, sell, MIDPOINT);
        buy = _received(_bid(6), 2, ENGINE_KEY);
        ++buy.receivedAt;
        _trades(buy, sell, MIDPOINT);
        buy.receipt = _receipt(_orderOf(sell.limit), 2, buy.receivedAt, ENGINE_KEY);
        _trades(buy, sell, MIDPOINT);
        // A receipt for a limit that names no engine is none either.
        buy = _signed(_bid(7));
        (buy.sequence, buy.receivedAt) = (2, 1);
        buy.receipt = _receipt(_orderOf(buy.limit), 2, 1, ENGINE_KEY);
        _trades(buy, sell, MIDPOINT);
    }

    function test_only_the_engine_that_a_limit_names_matches_it_and_its_rest() public {
        SignedLimit memory buy = _received(_bid(500), 1, ENGINE_KEY);
        SignedLimit memory sell = _signed(_offer(500));
        bytes memory notEngine =
            abi.encodeWithSelector(IContinuousMarket.NotEngine.selector, _orderOf(buy.limit), _engine());
        vm.expectRevert(notEngine);
        continuous.matchOrders(buy, sell, 100);
        vm.prank(_engine());
        continuous.matchOrders(buy, sell, 100);
        // Signatures and receipt are public now, and nobody else can use them: not the account itself, not in a batch.
        vm.expectRevert(notEngine);
        vm.prank(_ownerOf(BUYER));
        continuous.matchOrders(buy, sell, 100);
        (SignedLimit[] memory limits, Fill[] memory fills) = _batch(buy, sell, 100);
        vm.expectEmit();
        emit IContinuousMarket.MatchSkipped(0, notEngine);
        continuous.matchBatch(limits, fills);
        vm.prank(_engine());
        continuous.matchBatch(limits, fills);
        vm.assertEq(continuous.filled(_orderOf(buy.limit)), 200);
        // The limits of two engines never meet.
        sell.limit.engine = vm.addr(OTHER_ENGINE_KEY);
        sell = _signed(sell.limit);
        vm.expectPartialRevert(IContinuousMarket.NotEngine.selector);
        vm.prank(_engine());
        continuous.matchOrders(buy, sell, 100);
    }

    function test_a_second_receipt_moves_the_price_only_between_the_limits() public {
        SignedLimit memory sell = _received(_offer(9), 5, ENGINE_KEY);
        _trades(_received(_bid(9), 4, ENGINE_KEY), sell, BID);
        _trades(_received(_bid(9), 6, ENGINE_KEY), sell, OFFER);
        SignedLimit memory again = _received(_bid(9), 7, ENGINE_KEY);
        vm.assertEq(continuous.filled(_orderOf(again.limit)), 2);
    }

    function test_the_midpoint_floors_below_zero() public {
        Limit memory buy = _bid(1);
        Limit memory sell = _offer(1);
        (buy.price, sell.price) = (-1, -4);
        _trades(_signed(buy), _signed(sell), -3);
    }

    function test_an_order_is_never_filled_twice() public {
        SignedLimit memory buy = _signed(_bid(500));
        SignedLimit memory sell = _received(_offer(300), 8, ENGINE_KEY);
        bytes32 sold = _orderOf(sell.limit);
        _refused(buy, sell, 301, _range(sold, 301, 0, 300));
        vm.prank(_engine());
        continuous.matchOrders(buy, sell, 200);
        _refused(buy, sell, 101, _range(sold, 101, 0, 100));
        vm.prank(_engine());
        continuous.matchOrders(buy, sell, 100);
        _refused(buy, sell, 1, _range(sold, 1, 0, 0));
        // The same limit with another receipt is the same order.
        _refused(buy, _received(_offer(300), 9, ENGINE_KEY), 1, _range(sold, 1, 0, 0));
        SignedLimit memory other = _signed(_limit(OTHER, false, OFFER, 500, 0));
        _refused(buy, other, 201, _range(_orderOf(buy.limit), 201, 0, 200));
        continuous.matchOrders(buy, other, 200);
        _refused(buy, other, 0, _range(_orderOf(buy.limit), 0, 0, 0));
    }

    function test_a_fill_is_as_large_as_both_ask_for_or_all_that_is_left() public {
        Limit memory bid = _bid(500);
        Limit memory offer = _offer(420);
        (bid.minFill, offer.minFill) = (200, 150);
        (SignedLimit memory buy, SignedLimit memory sell) = (_signed(bid), _signed(offer));
        _refused(buy, sell, 199, _range(_orderOf(bid), 199, 200, 500));
        _refused(buy, sell, 0, _range(_orderOf(bid), 0, 200, 500));
        continuous.matchOrders(buy, sell, 300);
        // 200 are left of the buy and 120 of the sell.
        _refused(buy, sell, 120, _range(_orderOf(bid), 120, 200, 200));
        SignedLimit memory small = _signed(_limit(OTHER, true, BID, 500, 0));
        _refused(small, sell, 119, _range(_orderOf(offer), 119, 120, 120));
        continuous.matchOrders(small, sell, 120);
    }

    function test_a_cancelled_nonce_ends_all_its_limits() public {
        Limit memory bid = _bid(500);
        bid.nonce = 300;
        SignedLimit memory buy = _signed(bid);
        SignedLimit memory sell = _signed(_offer(500));
        continuous.matchOrders(buy, sell, 100);
        vm.expectRevert(abi.encodeWithSelector(IContinuousMarket.NotAllowed.selector, BUYER, address(this)));
        continuous.cancel(BUYER, 300);
        vm.expectEmit();
        emit IContinuousMarket.Cancelled(BUYER, 300);
        vm.prank(_ownerOf(BUYER));
        continuous.cancel(BUYER, 300);
        vm.assertTrue(continuous.isCancelled(BUYER, 300));
        _refused(
            buy, sell, 100, abi.encodeWithSelector(IContinuousMarket.NonceCancelled.selector, BUYER, 300)
        );
        // Nonces and accounts beside it stay.
        ++bid.nonce;
        continuous.matchOrders(_signed(bid), sell, 100);
        vm.assertTrue(!continuous.isCancelled(SELLER, 300));
    }

    function test_a_limit_trades_until_its_last_second() public {
        Limit memory bid = _bid(500);
        bid.validTo = uint64(block.timestamp);
        SignedLimit memory sell = _signed(_offer(500));
        continuous.matchOrders(_signed(bid), sell, 1);
        vm.warp(block.timestamp + 1);
        _refused(
            _signed(bid),
            sell,
            1,
            abi.encodeWithSelector(IContinuousMarket.Expired.selector, _orderOf(bid), bid.validTo)
        );
    }

    function test_a_slot_trades_until_its_nominations_close() public {
        SignedLimit memory buy = _signed(_bid(500));
        SignedLimit memory sell = _signed(_offer(500));
        vm.warp(GATE - 1);
        continuous.matchOrders(buy, sell, 1);
        vm.warp(GATE);
        _refused(
            buy, sell, 1, abi.encodeWithSelector(IContinuousMarket.GateClosed.selector, FIRST_SLOT, GATE)
        );
    }

    function test_only_what_fits_together_matches() public {
        (SignedLimit memory buy, SignedLimit memory sell) = (_signed(_bid(500)), _signed(_offer(500)));
        _refused(sell, buy, 1, abi.encodePacked(IContinuousMarket.WrongSides.selector));
        _refused(buy, buy, 1, abi.encodePacked(IContinuousMarket.WrongSides.selector));
        _refused(
            buy,
            _signed(_limit(BUYER, false, OFFER, 1, 0)),
            1,
            abi.encodeWithSelector(IContinuousMarket.SelfTrade.selector, BUYER)
        );
        _refused(
            buy,
            _signed(_limit(SELLER, false, BID + 1, 1, 0)),
            1,
            abi.encodeWithSelector(IContinuousMarket.NotCrossing.selector, BID, BID + 1)
        );
        bytes memory different = abi.encodePacked(IContinuousMarket.DifferentInstruments.selector);
        Limit memory offer = _offer(500);
        ++offer.instrument;
        _refused(buy, _signed(offer), 1, different);
        offer = _offer(500);
        offer.product = 1;
        _refused(buy, _signed(offer), 1, different);
        offer = _offer(500);
        offer.community = 2;
        _refused(buy, _signed(offer), 1, different);
    }

    function test_both_naming_what_their_account_is_not_in_does_not_help() public {
        (Limit memory bid, Limit memory offer) = (_bid(500), _offer(500));
        (bid.product, offer.product) = (1, 1);
        _refused(
            _signed(bid), _signed(offer), 1, abi.encodeWithSelector(IPositions.NoMeter.selector, BUYER, 1)
        );
        (bid, offer) = (_bid(500), _offer(500));
        (bid.instrument, offer.instrument) = (1 << 33, 1 << 33);
        _refused(
            _signed(bid),
            _signed(offer),
            1,
            abi.encodeWithSelector(IContinuousMarket.UnknownInstrument.selector, 1 << 33)
        );
        (bid.instrument, offer.instrument) = ((1 << 32) | 1, (1 << 32) | 1);
        _refused(
            _signed(bid), _signed(offer), 1, abi.encodeWithSelector(IBlockSeries.UnknownSeries.selector, 1)
        );
        (bid, offer) = (_bid(500), _offer(500));
        (bid.price, offer.price) = (4_000_001, 4_000_001);
        _refused(
            _signed(bid),
            _signed(offer),
            1,
            abi.encodeWithSelector(IContinuousMarket.PriceOutOfBand.selector, 4_000_001)
        );
    }

    function test_a_buy_that_names_a_source_takes_only_that() public {
        Limit memory bid = _bid(500);
        bid.source = 1;
        continuous.matchOrders(_signed(bid), _signed(_offer(1)), 1);
        bid.source = 2;
        _refused(
            _signed(bid),
            _signed(_offer(1)),
            1,
            abi.encodeWithSelector(IContinuousMarket.OtherSource.selector, 2, 1)
        );
    }

    function test_any_changed_field_unsigns_a_limit() public {
        SignedLimit memory sell = _signed(_offer(500));
        for (uint256 i = 0; i < 8; ++i) {
            SignedLimit memory buy = _signed(_bid(500));
            if (i == 0) buy.limit.price += 1;
            if (i == 1) buy.limit.quantity += 1;
            if (i == 2) buy.limit.minFill += 1;
            if (i == 3) buy.limit.source = 1;
            if (i == 4) buy.limit.nonce += 1;
            if (i == 5) buy.limit.validTo -= 1;
            if (i == 6) buy.limit.engine = address(this);
            if (i == 7) buy.limit.account = OTHER;
            vm.expectPartialRevert(IContinuousMarket.NotSigned.selector);
            continuous.matchOrders(buy, sell, 1);
        }
    }

    function test_a_signature_works_on_one_chain_and_contract() public {
        (SignedLimit memory buy, SignedLimit memory sell) = (_signed(_bid(500)), _signed(_offer(500)));
        ContinuousMarket twin = ContinuousMarket(
            vm.deployCode(
                "ContinuousMarket.sol:ContinuousMarket", abi.encode(accounts, communities, positions, blocks)
            )
        );
        vm.expectPartialRevert(IContinuousMarket.NotSigned.selector);
        twin.matchOrders(buy, sell, 1);
        // A variable would be read anew after the cheat.
        vm.chainId(CHAIN + 1);
        vm.expectPartialRevert(IContinuousMarket.NotSigned.selector);
        continuous.matchOrders(buy, sell, 1);
        vm.chainId(CHAIN);
        continuous.matchOrders(buy, sell, 1);
    }

    function test_the_second_form_of_a_signature_is_refused() public {
        SignedLimit memory buy = _signed(_bid(500));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keyOf(BUYER), _orderOf(buy.limit));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        buy.signature = abi.encodePacked(r, bytes32((order - uint256(s)) | (uint256(28 - v) << 255)));
        vm.expectPartialRevert(IContinuousMarket.NotSigned.selector);
        continuous.matchOrders(buy, _signed(_offer(500)), 1);
    }

    function test_a_device_key_trades_slots_within_its_limits_and_no_series() public {
        vm.prank(_ownerOf(BUYER));
        accounts.setLimitedDeviceKey(BUYER, vm.addr(DEVICE), uint40(GATE), 500, 0, BID);
        SignedLimit memory sell = _signed(_offer(5000));
        continuous.matchOrders(_signedBy(DEVICE, _bid(500)), sell, 1);
        bytes memory limited =
            abi.encodeWithSelector(IContinuousMarket.KeyLimited.selector, BUYER, vm.addr(DEVICE));
        _refused(_signedBy(DEVICE, _bid(501)), sell, 1, limited);
        _refused(_signedBy(DEVICE, _limit(BUYER, true, BID + 1, 1, 0)), sell, 1, limited);
        SignedLimit memory lots = _signed(_limit(SELLER, false, OFFER, 1, 1));
        _refused(_signedBy(DEVICE, _limit(BUYER, true, BID, 1, 1)), lots, 1, limited);
        // The owner is not limited, and a stolen key ends with its revocation, what it signed before included.
        continuous.matchOrders(_signed(_bid(5000)), sell, 1);
        vm.prank(_ownerOf(BUYER));
        accounts.revokeDeviceKey(BUYER);
        vm.expectPartialRevert(IContinuousMarket.NotSigned.selector);
        continuous.matchOrders(_signedBy(DEVICE, _bid(500)), sell, 1);
    }

    function test_the_caller_needs_no_signature_for_its_own_account() public {
        SignedLimit memory buy = _signed(_bid(500));
        SignedLimit memory own = SignedLimit(_offer(500), "", 0, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IContinuousMarket.NotAllowed.selector, SELLER, address(this)));
        continuous.matchOrders(buy, own, 100);
        vm.prank(_ownerOf(SELLER));
        continuous.matchOrders(buy, own, 100);
        (SignedLimit[] memory limits, Fill[] memory fills) = _batch(buy, own, 100);
        vm.prank(_ownerOf(SELLER));
        continuous.matchBatch(limits, fills);
        vm.assertEq(continuous.filled(_orderOf(own.limit)), 200);
    }

    function test_nobody_speaks_for_another_caller() public {
        SignedLimit memory own = SignedLimit(_offer(500), "", 0, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IContinuousMarket.NotSelf.selector, address(this)));
        continuous.matchFor(_signed(_bid(500)), own, 1, _ownerOf(SELLER));
    }

    function test_a_contract_wallet_signs_by_its_own_rule() public {
        (uint32 account,) = _addWallet();
        SignedLimit memory buy = _signed(_limit(account, true, BID, 500, 0));
        SignedLimit memory sell = _signed(_offer(500));
        buy.signature = "no";
        _refused(
            buy,
            sell,
            1,
            abi.encodeWithSelector(IContinuousMarket.NotSigned.selector, account, _orderOf(buy.limit))
        );
        buy.signature = "yes";
        continuous.matchOrders(buy, sell, 1);
    }

    function test_a_batch_trades_what_it_can_and_says_what_it_could_not() public {
        (uint32 account, ContractWallet wallet) = _addWallet();
        wallet.burn();
        SignedLimit[] memory limits = new SignedLimit[](4);
        (limits[0], limits[1]) = (_signed(_bid(500)), _signed(_offer(300)));
        limits[2] = _signed(_limit(OTHER, false, OFFER, 300, 0));
        limits[3] = _signed(_limit(account, true, BID, 500, 0));
        limits[3].signature = "yes";
        Fill[] memory fills = new Fill[](4);
        (fills[0], fills[1]) = (Fill(0, 1, 300), Fill(0, 1, 1));
        (fills[2], fills[3]) = (Fill(3, 2, 100), Fill(0, 2, 200));
        vm.expectEmit();
        emit IContinuousMarket.MatchSkipped(1, _range(_orderOf(limits[1].limit), 1, 0, 0));
        vm.expectEmit();
        emit IContinuousMarket.MatchSkipped(
            2,
            abi.encodeWithSelector(IContinuousMarket.NotSigned.selector, account, _orderOf(limits[3].limit))
        );
        continuous.matchBatch{gas: 2_000_000}(limits, fills);
        vm.assertEq(continuous.filled(_orderOf(limits[0].limit)), 500);
        fills[0].buy = 4;
        vm.expectRevert(abi.encodeWithSelector(IContinuousMarket.UnknownLimit.selector, 4));
        continuous.matchBatch(limits, fills);
        (fills[0].buy, fills[0].sell) = (0, 4);
        vm.expectRevert(abi.encodeWithSelector(IContinuousMarket.UnknownLimit.selector, 4));
        continuous.matchBatch(limits, fills);
    }

    function test_a_side_without_money_trades_nothing_and_keeps_its_limit() public {
        uint32 poor = _addHome(0);
        SignedLimit memory buy = _signed(_limit(poor, true, BID, 500, 0));
        SignedLimit memory sell = _signed(_offer(500));
        _refused(
            buy,
            sell,
            1,
            abi.encodeWithSelector(IAccounts.InsufficientFunds.selector, poor, uint256(131_000), 0)
        );
        (SignedLimit[] memory limits, Fill[] memory fills) = _batch(buy, sell, 1);
        continuous.matchBatch(limits, fills);
        vm.assertEq(continuous.filled(_orderOf(sell.limit)), 0);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, SELLER, DAY).count(), 0);
    }

    function test_a_match_in_a_series_is_a_deal_of_lots() public {
        uint32 series = _createSeries(EVERY_DAY, DAY + 1, DAY + 2);
        _mark(series, DAY, OFFER);
        SignedLimit memory buy = _received(_limit(BUYER, true, BID, 5, series), 1, ENGINE_KEY);
        SignedLimit memory sell = _signed(_limit(SELLER, false, OFFER, 3, series));
        vm.prank(_engine());
        vm.assertEq(continuous.matchOrders(buy, sell, 3), 1);
        vm.assertEq(blocks.dealOf(1).lots, 3);
        vm.assertEq(blocks.dealOf(1).price, MIDPOINT);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, BUYER, DAY + 1).count(), 0);
    }

    /// @dev Whatever pairs, quantities and cancellations come: no limit trades more than it holds, beyond its price or
    /// below its smallest part, and the money locked is what the trades ask for.
    function testFuzz_limits_hold_whatever_is_tried(uint256 seed) public {
        Limit[6] memory limits;
        for (uint32 i = 0; i < 6; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            int32 price = int32(uint32(100_000 + (seed >> 8) % 1000));
            limits[i] = _limit(BUYER + i % 3, seed % 2 == 0, price, uint32(1 + (seed >> 32) % 900), 0);
            limits[i].minFill = uint32((seed >> 64) % (limits[i].quantity + 1));
            limits[i].nonce = i;
        }
        uint256[6] memory traded;
        uint256 locked = 0;
        for (uint256 step = 0; step < 24; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            (Limit memory a, Limit memory b) = (limits[seed % 6], limits[(seed >> 8) % 6]);
            uint32 quantity = uint32((seed >> 16) % 900);
            uint256 before = accounts.lockTotal(COMMUNITY, DAY);
            SignedLimit memory buy = _received(a, uint64(seed >> 48) % 3, ENGINE_KEY);
            SignedLimit memory sell = _received(b, uint64(seed >> 112) % 3, ENGINE_KEY);
            vm.prank(_engine());
            try continuous.matchOrders(buy, sell, quantity) {
                uint256 gained = accounts.lockTotal(COMMUNITY, DAY) - before;
                locked += gained;
                // 21,000 of fees and 2,000,000 of short cap beside the price.
                int256 price = int256(gained / quantity) - 2_021_000;
                vm.assertTrue(a.buy && !b.buy && a.account != b.account, "sides");
                vm.assertTrue(price <= a.price && price >= b.price, "limits");
                for (uint256 k = 0; k < 2; ++k) {
                    Limit memory l = k == 0 ? a : b;
                    uint256 left = l.quantity - traded[l.nonce];
                    vm.assertTrue(quantity >= l.minFill || quantity == left, "smallest part");
                    traded[l.nonce] += quantity;
                }
            } catch {
                vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), before);
            }
        }
        for (uint256 i = 0; i < 6; ++i) {
            vm.assertEq(continuous.filled(_orderOf(limits[i])), traded[i]);
            vm.assertTrue(traded[i] <= limits[i].quantity, "quantity");
        }
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), locked);
    }

    function _bid(uint32 quantity) private pure returns (Limit memory) {
        return _limit(BUYER, true, BID, quantity, 0);
    }

    function _offer(uint32 quantity) private pure returns (Limit memory) {
        return _limit(SELLER, false, OFFER, quantity, 0);
    }

    function _batch(SignedLimit memory buy, SignedLimit memory sell, uint32 quantity)
        private
        pure
        returns (SignedLimit[] memory limits, Fill[] memory fills)
    {
        limits = new SignedLimit[](2);
        (limits[0], limits[1]) = (buy, sell);
        fills = new Fill[](1);
        fills[0] = Fill(0, 1, quantity);
    }

    function _range(bytes32 order, uint32 quantity, uint32 least, uint32 left)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(
            IContinuousMarket.QuantityOutOfRange.selector, order, quantity, least, left
        );
    }

    /// @dev A home owned by a contract.
    function _addWallet() private returns (uint32 account, ContractWallet wallet) {
        wallet = new ContractWallet();
        vm.startPrank(REGISTRAR);
        account = accounts.register(address(wallet), COMMUNITY);
        accounts.approveMeter(account, 0, bytes32(uint256(account)));
        vm.stopPrank();
        _fund(account, 100e6);
    }

    /// @dev Trades 1 Wh and finds the price in what the buyer locked beyond fees, or, below zero, what the seller did.
    function _trades(SignedLimit memory buy, SignedLimit memory sell, int256 price) private {
        uint256 bought = accounts.freeOf(buy.limit.account);
        uint256 sold = accounts.freeOf(sell.limit.account);
        vm.prank(_engine());
        continuous.matchOrders(buy, sell, 1);
        bought -= accounts.freeOf(buy.limit.account);
        sold -= accounts.freeOf(sell.limit.account);
        vm.assertEq(int256(bought) - 21_000 - (int256(sold) - 2_000_000), price);
    }

    function _refused(SignedLimit memory buy, SignedLimit memory sell, uint32 quantity, bytes memory reason)
        private
    {
        vm.expectRevert(reason);
        vm.prank(_engine());
        continuous.matchOrders(buy, sell, quantity);
    }
}
