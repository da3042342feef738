// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IAccounts} from "../src/interfaces/IAccounts.sol";
import {IPositions} from "../src/interfaces/IPositions.sol";
import {Form} from "../src/types/Form.sol";
import {OrderRecord, bias, recordOf as orderRecordOf} from "../src/types/OrderRecord.sol";
import {Agreement, PositionChain} from "../src/types/Position.sol";
import {Town} from "./support/Town.sol";
import {clamp, vm} from "./support/Vm.sol";

contract PositionsTest is Town {
    uint32 private constant HOME = 4;
    uint32 private constant OTHER = 5;
    uint32 private constant THIRD = 6;

    uint256 private constant FEE = 21_000;
    uint256 private constant SHORT_CAP = 2_000_000;

    /// @dev Records of every home's day as the events say.
    mapping(uint32 account => bytes[]) private _records;

    function setUp() public {
        _deploy(3);
    }

    // ---- opening ----

    function test_both_sides_are_recorded_locked_and_instructed_in_one_call() public {
        Agreement memory agreement = _agreement(HOME, OTHER, 100_000, 3, 500, 2);
        agreement.wh[1] = 700;
        vm.expectEmit();
        emit IPositions.PositionOpened(
            COMMUNITY,
            HOME,
            OTHER,
            0,
            DAY,
            Form.Bilateral,
            77,
            100_000,
            1,
            FIRST_SLOT + 3,
            hex"000001f4000002bc"
        );
        _open(agreement);
        vm.assertEq(accounts.freeOf(HOME), 100e9 - 1200 * (100_000 + FEE));
        vm.assertEq(accounts.freeOf(OTHER), 100e9 - 1200 * SHORT_CAP);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 1200 * (100_000 + FEE + SHORT_CAP));
        bytes memory bought =
            abi.encodePacked(uint8(3), true, OTHER, uint64(77), uint32(0x800186a0), uint8(1), FIRST_SLOT + 3);
        bytes memory sold =
            abi.encodePacked(uint8(3), false, HOME, uint64(77), uint32(0x800186a0), uint8(1), FIRST_SLOT + 3);
        _assertChain(HOME, _one(keccak256(bytes.concat(bought, hex"000001f4000002bc"))));
        _assertChain(OTHER, _one(keccak256(bytes.concat(sold, hex"000001f4000002bc"))));
        _assertChain(THIRD, new bytes32[](0));
    }

    function test_only_market_modules_open() public {
        Agreement memory agreement = _agreement(HOME, OTHER, 1, 0, 1, 1);
        bytes memory refusal = abi.encodeWithSelector(IPositions.NotMarket.selector, address(this));
        vm.expectRevert(refusal);
        positions.open(agreement);
        vm.expectRevert(refusal);
        positions.openMetered(agreement);
        vm.prank(address(settlement));
        vm.expectRevert(abi.encodeWithSelector(IPositions.NotMarket.selector, settlement));
        positions.open(agreement);
    }

    function test_every_fault_of_an_agreement_is_refused() public {
        Agreement memory agreement = _agreement(HOME, HOME, 1, 0, 1, 1);
        _refuse(agreement, abi.encodeWithSelector(IPositions.SelfTrade.selector, HOME));
        agreement = _agreement(HOME, 99, 1, 0, 1, 1);
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotMember.selector, 99, COMMUNITY));
        agreement = _agreement(0, OTHER, 1, 0, 1, 1);
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotMember.selector, 0, COMMUNITY));
        agreement = _agreement(HOME, OTHER, 1, 0, 1, 1);
        agreement.community = 2;
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotMember.selector, HOME, 2));
        agreement.community = 0;
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotMember.selector, HOME, 0));
        agreement = _agreement(HOME, RETAILER, 1, 0, 1, 1);
        _refuse(agreement, abi.encodeWithSelector(IPositions.NoMeter.selector, RETAILER, 0));
        agreement = _agreement(HOME, OTHER, 1, 0, 1, 1);
        agreement.product = 1;
        _refuse(agreement, abi.encodeWithSelector(IPositions.NoMeter.selector, HOME, 1));
        agreement = _agreement(HOME, OTHER, 1, 0, 1, 1);
        agreement.source = 5;
        _refuse(agreement, abi.encodeWithSelector(IPositions.UnknownSource.selector, 5));
        agreement = _agreement(HOME, OTHER, 1, 0, 1, 0);
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotOneDay.selector, FIRST_SLOT, 0));
        agreement = _agreement(HOME, OTHER, 1, 0, 1, SLOTS + 1);
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotOneDay.selector, FIRST_SLOT, SLOTS + 1));
        agreement = _agreement(HOME, OTHER, 1, SLOTS - 1, 1, 2);
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotOneDay.selector, FIRST_SLOT + SLOTS - 1, 2));
        agreement = _agreement(HOME, OTHER, 1, 0, 0, 2);
        _refuse(agreement, abi.encodeWithSelector(IPositions.QuantityOutOfRange.selector, FIRST_SLOT, 0));
        agreement.wh[1] = 20_001;
        _refuse(
            agreement, abi.encodeWithSelector(IPositions.QuantityOutOfRange.selector, FIRST_SLOT + 1, 20_001)
        );
        agreement.wh[1] = 20_000;
        _open(agreement);
    }

    /// @dev A record of a product without lines could not be billed, and the day with it.
    function test_a_product_that_is_not_traded_is_refused_even_with_meters() public {
        vm.startPrank(REGISTRAR);
        accounts.approveMeter(HOME, 1, "a");
        accounts.approveMeter(OTHER, 1, "b");
        vm.stopPrank();
        Agreement memory agreement = _agreement(HOME, OTHER, 1, 0, 1, 1);
        agreement.product = 1;
        _refuse(agreement, abi.encodeWithSelector(IPositions.NotTraded.selector, 1));
    }

    function test_the_first_slot_lies_ahead_and_the_day_at_most_eight_days() public {
        Agreement memory agreement = _agreement(HOME, OTHER, 1, 4, 1, 2);
        uint256 start = DAY_START + 4 * SLOT_SECONDS;
        vm.warp(start);
        uint256 horizon = DAY_START + 9 * 86_400;
        bytes memory refusal = abi.encodeWithSelector(IPositions.OutsideWindow.selector, start, horizon);
        _refuse(agreement, refusal);
        vm.warp(start - 1);
        _open(agreement);
        agreement.slot = FIRST_SLOT + 9 * SLOTS;
        start = DAY_START + 9 * 86_400;
        _refuse(agreement, abi.encodeWithSelector(IPositions.OutsideWindow.selector, start, horizon));
        vm.warp(DAY_START - 1);
        agreement.slot = FIRST_SLOT + 8 * SLOTS;
        _refuse(
            agreement,
            abi.encodeWithSelector(
                IPositions.OutsideWindow.selector, DAY_START + 8 * 86_400, horizon - 86_400
            )
        );
        vm.warp(DAY_START);
        _open(agreement);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, HOME, DAY + 8).count(), 1);
    }

    /// @dev Attack "guardian abuse": a closed day takes no agreement of any form, and what was measured is paid.
    function test_a_closed_day_takes_no_agreement_but_on_what_was_measured() public {
        vm.prank(ADMIN);
        communities.closeDay(COMMUNITY, DAY);
        Agreement memory agreement = _agreement(HOME, OTHER, 1, 11, 1, 1);
        bytes memory refusal = abi.encodeWithSelector(IPositions.ClosedDay.selector, COMMUNITY, DAY);
        for (uint8 form = 1; form <= uint8(Form.Dutch); ++form) {
            agreement.form = Form(form);
            _refuse(agreement, refusal);
        }
        agreement.slot += SLOTS;
        _open(agreement);
        agreement.slot -= SLOTS;
        uint256 state = vm.snapshotState();
        vm.warp(DAY_START + 86_400);
        _openMetered(agreement);
        vm.revertToState(state);
        vm.prank(ADMIN);
        communities.reopenDay(COMMUNITY, DAY);
        _open(agreement);
    }

    function test_metered_energy_is_agreed_on_between_its_end_and_the_bills() public {
        Agreement memory agreement = _agreement(HOME, OTHER, 50_000, 11, 400, 1);
        uint256 end = DAY_START + 86_400;
        bytes memory refusal = abi.encodeWithSelector(IPositions.OutsideWindow.selector, end, BILLS_FROM);
        vm.warp(end - 1);
        _refuseMetered(agreement, refusal);
        vm.warp(end);
        _openMetered(agreement);
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), 400 * (50_000 + FEE + SHORT_CAP));
        vm.warp(BILLS_FROM - 1);
        _openMetered(agreement);
        vm.warp(BILLS_FROM);
        _refuseMetered(agreement, refusal);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, HOME, DAY).count(), 2);
        agreement.wh = new uint32[](2);
        _refuseMetered(agreement, abi.encodeWithSelector(IPositions.NotOneDay.selector, FIRST_SLOT + 11, 2));
        agreement.slot = FIRST_SLOT;
        _refuseMetered(agreement, abi.encodeWithSelector(IPositions.NotOneSlot.selector, 2));
    }

    function test_a_side_without_the_money_leaves_the_other_untouched() public {
        uint256 most = 100e9 / SHORT_CAP;
        Agreement memory agreement = _agreement(HOME, OTHER, 0, 0, uint32(most / 5), 5);
        agreement.wh[0] += 1;
        uint256 need = (most + 1) * SHORT_CAP;
        _refuse(agreement, abi.encodeWithSelector(IAccounts.InsufficientFunds.selector, OTHER, need, 100e9));
        vm.assertEq(accounts.freeOf(HOME), 100e9);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, HOME, DAY).count(), 0);
        agreement.wh[0] -= 1;
        _open(agreement);
        vm.assertEq(accounts.freeOf(OTHER), 0);
    }

    function test_an_account_takes_512_positions_a_day_and_no_more() public {
        Agreement memory agreement = _agreement(HOME, OTHER, 0, 0, 1, 1);
        for (uint256 i = 0; i < 512; ++i) {
            _open(agreement);
        }
        vm.assertEq(positions.chainOf(COMMUNITY, 0, HOME, DAY).count(), 512);
        (agreement.buyer, agreement.seller) = (THIRD, HOME);
        _refuse(agreement, abi.encodeWithSelector(IPositions.TooManyPositions.selector, HOME, DAY));
        vm.assertEq(positions.chainOf(COMMUNITY, 0, THIRD, DAY).count(), 0);
        agreement.seller = OTHER;
        _refuse(agreement, abi.encodeWithSelector(IPositions.TooManyPositions.selector, OTHER, DAY));
        agreement.slot = FIRST_SLOT + SLOTS;
        _open(agreement);
    }

    function test_trades_in_parts_leave_half_of_the_room_to_what_else_was_agreed() public {
        Agreement memory agreement = _agreement(HOME, OTHER, 0, 0, 1, 1);
        agreement.form = Form.Continuous;
        for (uint256 i = 0; i < 256; ++i) {
            _open(agreement);
        }
        bytes memory full = abi.encodeWithSelector(IPositions.TooManyPositions.selector, HOME, DAY);
        _refuse(agreement, full);
        agreement.form = Form.Dutch;
        _refuse(agreement, full);
        (agreement.buyer, agreement.seller) = (THIRD, HOME);
        _refuse(agreement, full);
        agreement.form = Form.Block;
        _open(agreement);
        vm.assertEq(positions.chainOf(COMMUNITY, 0, HOME, DAY).count(), 257);
    }

    // ---- curtailing ----

    function test_only_the_regulator_curtails_and_only_before_the_slot() public {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this))
        );
        positions.curtail(COMMUNITY, 0, FIRST_SLOT, 500, "");
        vm.startPrank(REGULATOR);
        vm.expectRevert(abi.encodeWithSelector(IPositions.NotTraded.selector, 1));
        positions.curtail(COMMUNITY, 1, FIRST_SLOT, 500, "");
        vm.expectRevert(abi.encodeWithSelector(IPositions.NotTraded.selector, 200));
        positions.curtail(COMMUNITY, 200, FIRST_SLOT, 500, "");
        vm.expectRevert();
        positions.curtail(2, 0, FIRST_SLOT, 500, "");
        vm.expectRevert(abi.encodeWithSelector(IPositions.InvalidPermille.selector, 1000, 1000));
        positions.curtail(COMMUNITY, 0, FIRST_SLOT, 1000, "");
        vm.warp(DAY_START);
        vm.expectRevert(abi.encodeWithSelector(IPositions.SlotBegun.selector, FIRST_SLOT, DAY_START));
        positions.curtail(COMMUNITY, 0, FIRST_SLOT, 999, "");
        vm.assertEq(positions.remaining(COMMUNITY, 0, FIRST_SLOT), 1000);
        vm.assertEq(positions.curtailedSlots(COMMUNITY, DAY), 0);
    }

    function test_a_curtailed_slot_is_only_lowered_counted_once_and_closed_to_trades() public {
        vm.startPrank(REGULATOR);
        vm.expectEmit();
        emit IPositions.Curtailed(COMMUNITY, 0, FIRST_SLOT + 2, 999, "line 7");
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + 2, 999, "line 7");
        vm.expectRevert(abi.encodeWithSelector(IPositions.InvalidPermille.selector, 999, 999));
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + 2, 999, "");
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + 2, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IPositions.InvalidPermille.selector, 0, 0));
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + 2, 0, "");
        vm.stopPrank();
        vm.assertEq(positions.remaining(COMMUNITY, 0, FIRST_SLOT + 2), 0);
        vm.assertEq(positions.remaining(COMMUNITY, 0, FIRST_SLOT + 1), 1000);
        vm.assertEq(positions.curtailedSlots(COMMUNITY, DAY), 1);
        Agreement memory agreement = _agreement(HOME, OTHER, 1, 1, 5, 2);
        _refuse(agreement, abi.encodeWithSelector(IPositions.SlotCurtailed.selector, FIRST_SLOT + 2));
        agreement.wh[1] = 0;
        _open(agreement);
        agreement = _agreement(HOME, OTHER, 1, 2, 5, 1);
        vm.warp(DAY_START + 3 * SLOT_SECONDS);
        _refuseMetered(agreement, abi.encodeWithSelector(IPositions.SlotCurtailed.selector, FIRST_SLOT + 2));
    }

    // ---- gas ----

    function test_gas_of_a_position() public {
        _open(_agreement(HOME, OTHER, 100_000, 0, 500, 1));
        vm.snapshotGasLastCall("positions", "open, first of the day");
    }

    // ---- laws ----

    /// @dev Any agreements: replayed chains, conserved money, and locks like those of orders of the same slots.
    function testFuzz_chains_replay_and_money_is_conserved(uint256 seed) public {
        uint256 locked = 0;
        uint256 owed = accounts.owed();
        for (uint256 i = 0; i < 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint32 buyer = HOME + uint32(seed % 3);
            uint32 seller = HOME + uint32((seed + 1 + (seed >> 8) % 2) % 3);
            uint32 first = uint32((seed >> 16) % SLOTS);
            Agreement memory agreement = _agreement(
                buyer,
                seller,
                int32(int256(clamp(seed >> 32, 0, 400_000))) - 200_000,
                first,
                1,
                clamp(seed >> 64, 1, SLOTS - first)
            );
            agreement.form = Form((seed >> 96) % 7);
            agreement.deal = uint64(seed >> 128);
            agreement.source = uint8((seed >> 104) % 5);
            (uint256 bought, uint256 sold) = (0, 0);
            for (uint256 j = 0; j < agreement.wh.length; ++j) {
                agreement.wh[j] = uint32(uint256(keccak256(abi.encode(seed, j))) % 60 + 1);
                bought += _orderLock(agreement, true, agreement.wh[j]);
                sold += _orderLock(agreement, false, agreement.wh[j]);
            }
            (uint256 buyerFree, uint256 sellerFree) = (accounts.freeOf(buyer), accounts.freeOf(seller));
            _open(agreement);
            vm.assertEq(buyerFree - accounts.freeOf(buyer), bought);
            vm.assertEq(sellerFree - accounts.freeOf(seller), sold);
            locked += bought + sold;
            _records[buyer].push(_plainRecord(agreement, true));
            _records[seller].push(_plainRecord(agreement, false));
        }
        vm.assertEq(accounts.lockTotal(COMMUNITY, DAY), locked);
        vm.assertEq(accounts.freeOf(HOME) + accounts.freeOf(OTHER) + accounts.freeOf(THIRD) + locked, 300e9);
        vm.assertEq(accounts.owed(), owed);
        for (uint32 account = HOME; account <= THIRD; ++account) {
            bytes32[] memory hashes = new bytes32[](_records[account].length);
            for (uint256 i = 0; i < hashes.length; ++i) {
                hashes[i] = keccak256(_records[account][i]);
            }
            _assertChain(account, hashes);
            if (hashes.length < 2) continue;
            (hashes[0], hashes[1]) = (hashes[1], hashes[0]);
            uint256 word = PositionChain.unwrap(positions.chainOf(COMMUNITY, 0, account, DAY));
            vm.assertTrue(word != _replayed(hashes), "another order, another chain");
        }
    }

    function test_a_trade_without_price_and_fees_still_locks_one_nano_a_wh() public pure {
        OrderRecord order = orderRecordOf(4, bias(-5), 30, 0, 1);
        vm.assertEq(order.lock(0, 1), 30);
        vm.assertEq(orderRecordOf(4, bias(0), 30, 0, 1).lock(0, 1), 30);
        vm.assertEq(orderRecordOf(4, bias(1), 30, 0, 1).lock(0, 1), 30);
        vm.assertEq(orderRecordOf(4, bias(2), 30, 0, 1).lock(0, 1), 60);
        vm.assertEq(orderRecordOf(4, bias(-5), 30, 0, 0).lock(0, 1), 180);
    }

    // ---- helpers ----

    function _agreement(uint32 buyer, uint32 seller, int32 price, uint32 slotOfDay, uint32 wh, uint256 slots)
        private
        pure
        returns (Agreement memory agreement)
    {
        agreement = Agreement(
            COMMUNITY,
            0,
            buyer,
            seller,
            Form.Bilateral,
            77,
            price,
            1,
            FIRST_SLOT + slotOfDay,
            new uint32[](slots)
        );
        for (uint256 i = 0; i < slots; ++i) {
            agreement.wh[i] = wh;
        }
    }

    function _open(Agreement memory agreement) private {
        vm.prank(address(auction));
        positions.open(agreement);
    }

    function _openMetered(Agreement memory agreement) private {
        vm.prank(address(auction));
        positions.openMetered(agreement);
    }

    function _refuse(Agreement memory agreement, bytes memory refusal) private {
        vm.prank(address(auction));
        vm.expectRevert(refusal);
        positions.open(agreement);
    }

    function _refuseMetered(Agreement memory agreement, bytes memory refusal) private {
        vm.prank(address(auction));
        vm.expectRevert(refusal);
        positions.openMetered(agreement);
    }

    function _orderLock(Agreement memory agreement, bool buy, uint32 wh) private pure returns (uint256) {
        return orderRecordOf(4, bias(agreement.price), wh, 0, buy ? 3 : 2).lock(FEE, SHORT_CAP);
    }

    /// @dev A record of docs/protocol.md, value by value.
    function _plainRecord(Agreement memory agreement, bool buy) private pure returns (bytes memory record) {
        record = abi.encodePacked(
            uint8(agreement.form),
            uint8(buy ? 1 : 0),
            buy ? agreement.seller : agreement.buyer,
            agreement.deal,
            _biased(agreement.price),
            agreement.source,
            agreement.slot
        );
        for (uint256 i = 0; i < agreement.wh.length; ++i) {
            record = bytes.concat(record, bytes4(agreement.wh[i]));
        }
    }

    function _assertChain(uint32 account, bytes32[] memory hashes) private view {
        vm.assertEq(PositionChain.unwrap(positions.chainOf(COMMUNITY, 0, account, DAY)), _replayed(hashes));
    }

    function _replayed(bytes32[] memory hashes) private pure returns (uint256 word) {
        for (uint256 i = 0; i < hashes.length; ++i) {
            uint256 head = word - word % 65_536;
            uint256 next = uint256(keccak256(bytes.concat(bytes32(head), hashes[i])));
            word = next - next % 65_536 + i + 1;
        }
    }

    function _one(bytes32 hash) private pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](1);
        hashes[0] = hash;
    }
}
