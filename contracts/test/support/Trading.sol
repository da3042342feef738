// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PlainAuction, PlainOrder, PlainResult} from "./PlainAuction.sol";
import {Town} from "./Town.sol";

/// @notice Orders of a day's first session, beside the plain auction.
abstract contract Trading is Town {
    mapping(uint32 slotOfDay => PlainOrder[]) internal orders;

    function _order(uint32 slotOfDay, uint32 account, int32 price, uint32 quantity, bool buy) internal {
        uint32 nonce = 0;
        for (uint32 slot = 0; slot < SLOTS; ++slot) {
            for (uint256 i = 0; i < orders[slot].length; ++i) {
                if (orders[slot][i].account == account) ++nonce;
            }
        }
        _place(_market(slotOfDay), account, price, quantity, buy, nonce);
        orders[slotOfDay].push(PlainOrder(account, price, quantity, buy, nonce));
    }

    function _clearAll() internal {
        for (uint32 slot = 0; slot < SLOTS; ++slot) {
            if (orders[slot].length > 0) _clear(slot);
        }
    }

    function _clear(uint32 slotOfDay) internal {
        PlainResult memory result = _result(slotOfDay);
        auction.clear(
            _market(slotOfDay),
            result.lo,
            result.hi,
            _records(orders[slotOfDay]),
            _ones(orders[slotOfDay].length)
        );
    }

    function _result(uint32 slotOfDay) internal view returns (PlainResult memory) {
        return PlainAuction.clear(orders[slotOfDay], -4_000_000, 4_000_000);
    }

    function _plainParents(bytes32[] memory level) internal pure returns (bytes32[] memory next) {
        next = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            next[i] = 2 * i + 1 == level.length
                ? level[2 * i]
                : keccak256(abi.encodePacked(level[2 * i], level[2 * i + 1]));
        }
    }

    function _recordOf(PlainOrder memory order) internal pure returns (bytes memory) {
        return _record(order.account, order.price, order.quantity, order.buy, order.nonce);
    }

    function _records(PlainOrder[] memory book) internal pure returns (bytes memory records) {
        for (uint256 i = 0; i < book.length; ++i) {
            records = bytes.concat(records, _recordOf(book[i]));
        }
    }

    function _ones(uint256 count) internal pure returns (uint16[] memory batches) {
        batches = new uint16[](count);
        for (uint256 i = 0; i < count; ++i) {
            batches[i] = 1;
        }
    }

    function _cut(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = 0; i < part.length; ++i) {
            part[i] = data[from + i];
        }
    }
}
