// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Fill, Limit, SignedLimit} from "../../src/interfaces/IContinuousMarket.sol";
import {BlockSeries} from "../../src/markets/BlockSeries.sol";
import {ContinuousMarket} from "../../src/markets/ContinuousMarket.sol";
import {Series} from "../../src/types/Series.sol";
import {Town} from "./Town.sol";
import {vm} from "./Vm.sol";

/// @notice The town with continuous trading and block series, and an engine that gives receipts.
abstract contract ContinuousTown is Town {
    uint8 internal constant REFERENCE = 2;
    uint8 internal constant MONDAY_TO_FRIDAY = 31;
    uint8 internal constant EVERY_DAY = 127;

    uint256 internal constant ENGINE_KEY = 77;
    uint256 internal constant OTHER_ENGINE_KEY = 78;

    BlockSeries internal blocks;
    ContinuousMarket internal continuous;

    function _deployForms() internal virtual override {
        blocks = BlockSeries(
            vm.deployCode(
                "BlockSeries.sol:BlockSeries", abi.encode(manager, accounts, communities, positions, oracle)
            )
        );
        continuous = ContinuousMarket(
            vm.deployCode(
                "ContinuousMarket.sol:ContinuousMarket", abi.encode(accounts, communities, positions, blocks)
            )
        );
        _grantMarket(address(blocks));
        _grantMarket(address(continuous));
    }

    function _engine() internal pure returns (address) {
        return vm.addr(ENGINE_KEY);
    }

    /// @dev A limit on the first slot of the day, or on `series` where it is not 0, that never expires and that anybody may
    /// match.
    function _limit(uint32 account, bool buy, int32 price, uint32 quantity, uint32 series)
        internal
        pure
        returns (Limit memory)
    {
        return Limit({
            account: account,
            community: COMMUNITY,
            product: 0,
            instrument: series == 0 ? FIRST_SLOT : (uint64(1) << 32) | series,
            price: price,
            quantity: quantity,
            minFill: 0,
            source: buy ? 0 : 1,
            buy: buy,
            nonce: 0,
            validTo: NEVER,
            engine: address(0)
        });
    }

    /// @dev Signed by the owner, without a receipt.
    function _signed(Limit memory limit) internal view returns (SignedLimit memory) {
        return _signedBy(_keyOf(limit.account), limit);
    }

    function _signedBy(uint256 key, Limit memory limit) internal view returns (SignedLimit memory) {
        return SignedLimit(limit, _sign(key, address(continuous), _hashOf(limit)), 0, 0, "");
    }

    /// @dev Signed by the owner for the engine, and received under a number, by whoever holds `engineKey`.
    function _received(Limit memory limit, uint64 sequence, uint256 engineKey)
        internal
        view
        returns (SignedLimit memory order)
    {
        limit.engine = _engine();
        order = _signed(limit);
        (order.sequence, order.receivedAt) = (sequence, uint64(block.timestamp));
        order.receipt = _receipt(_orderOf(limit), sequence, order.receivedAt, engineKey);
    }

    function _receipt(bytes32 order, uint64 sequence, uint64 receivedAt, uint256 engineKey)
        internal
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256("Receipt(bytes32 order,uint64 sequence,uint64 receivedAt)");
        bytes32 hash = keccak256(abi.encode(typeHash, order, sequence, receivedAt));
        return _sign(engineKey, address(continuous), hash);
    }

    /// @dev Digest of a limit.
    function _orderOf(Limit memory limit) internal view returns (bytes32) {
        return _digest(address(continuous), _hashOf(limit));
    }

    function _hashOf(Limit memory l) internal pure returns (bytes32) {
        bytes memory head = abi.encode(
            keccak256(
                "Limit(uint32 account,uint32 community,uint8 product,uint64 instrument,int32 price,uint32 quantity,uint32 minFill,uint8 source,bool buy,uint32 nonce,uint64 validTo,address engine)"
            ),
            l.account,
            l.community,
            l.product,
            l.instrument,
            l.price,
            l.quantity
        );
        return
            keccak256(
                bytes.concat(head, abi.encode(l.minFill, l.source, l.buy, l.nonce, l.validTo, l.engine))
            );
    }

    /// @dev A series of one lot size from `firstDay` to `lastDay`, slots 4 and 5, traded until noon of the day before.
    function _createSeries(uint8 weekdays, uint32 firstDay, uint32 lastDay) internal returns (uint32) {
        vm.prank(ADMIN);
        return blocks.create(_series(weekdays, firstDay, lastDay));
    }

    function _series(uint8 weekdays, uint32 firstDay, uint32 lastDay) internal pure returns (Series memory) {
        return Series({
            community: COMMUNITY,
            product: 0,
            weekdays: weekdays,
            slotOfDay: 4,
            slots: 2,
            firstDay: firstDay,
            lastDay: lastDay,
            lotWh: 100,
            lastTrading: uint40(_dayStart(firstDay) - 12 hours),
            marginPermille: 200,
            marginFloor: 5000
        });
    }

    /// @dev Reports one forward price for all slots of a day and marks the series by it.
    function _mark(uint32 series, uint32 day, int32 forward) internal {
        bytes memory prices = _pair(0, forward);
        _reportTariff(REFERENCE, day, prices);
        blocks.remark(series, day, prices);
    }

    function _dayStart(uint32 day) internal pure returns (uint256) {
        return uint256(day) * 86_400 - uint32(UTC_OFFSET);
    }
}
