// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../interfaces/ICallAuction.sol";
import {BillNode, pair} from "../types/Bills.sol";
import {OrderProof} from "../types/Evidence.sol";
import {OrderRecord, lockOf, unbias} from "../types/OrderRecord.sol";
import {Rules} from "../types/Rules.sol";
import {Clearing, Trade} from "./Clearing.sol";
import {Records} from "./Records.sol";
import {Wire} from "./Wire.sol";

/// @notice What one record traded in one slot, as bills count it.
/// @param isBuy True for energy that was bought.
/// @param wh Energy that counts, after curtailment [Wh].
/// @param money What the account pays for it, negative if it receives [nano-token].
/// @param lock What the record locked for the slot, of the energy before curtailment [nano-token].
struct Billed {
    bool isBuy;
    uint256 wh;
    int256 money;
    uint256 lock;
}

using {sums, credit} for Billed global;

/// @notice What the trade adds to the sums of the bills.
function sums(Billed memory trade, Rules memory rules) pure returns (BillNode memory node) {
    // Energy and fees are below 2**32, money and lock below 2**66 in magnitude.
    unchecked {
        int256 wh = int256(trade.wh);
        if (trade.isBuy) {
            node.fees = pair(
                int128(wh * int256(uint256(rules.gridFee))), int128(wh * int256(uint256(rules.platformFee)))
            );
        } else {
            wh = -wh;
        }
        node.trade = pair(int128(wh), int128(trade.money));
        node.settled = pair(int128(int256(trade.lock)), 0);
    }
}

/// @notice What the account of the trade gets for its lock: the rest of a buyer's, a seller's and the proceeds [nano-token].
/// @dev Never negative: the lock covers what the account agreed to, and nobody trades beyond the limit.
function credit(Billed memory trade, Rules memory rules) pure returns (uint256) {
    return uint256(-trade.sums(rules).due());
}

/// @notice Evaluates records of orders and positions, see docs/protocol.md section 7.
library Trades {
    using Wire for bytes;

    uint256 private constant HEAD_BYTES = 23;
    uint256 private constant WHOLE = 1000;

    /// @notice What an order traded.
    /// @param proof Its leaf of the fill tree, of which the caller knows that it is one.
    /// @param result Outcome of its market.
    /// @param permille What remains of trades of the slot.
    function ofOrder(OrderProof calldata proof, Result memory result, Rules memory rules, uint256 permille)
        internal
        pure
        returns (Billed memory trade)
    {
        OrderRecord record = Records.recordOf(proof);
        Trade memory traded = Clearing.tradeOf(record, proof.prefix, proof.labelPrefix, result, permille);
        (trade.isBuy, trade.wh, trade.money) = (record.isBuy(), traded.wh, traded.money);
        trade.lock = record.lock(_fee(rules), rules.shortCap);
    }

    /// @notice What a record of positions traded in a slot, nothing where it does not cover it.
    /// @param record As in docs/protocol.md: `form u8 | buy u8 | counterparty u32 | deal u64 | biased price u32 | source u8 |
    /// slot u32 | wh u32 each`, of which the caller knows that it is one.
    /// @param permille What remains of trades of the slot.
    function ofPosition(bytes calldata record, uint256 slot, Rules memory rules, uint256 permille)
        internal
        pure
        returns (Billed memory trade)
    {
        uint256 head = record.word(0);
        uint256 first = firstSlot(record);
        if (slot < first || slot - first >= slots(record)) return trade;
        trade.isBuy = uint8(head >> 240) != 0;
        uint256 biased = uint32(head >> 112);
        uint256 wh = record.u32(HEAD_BYTES + 4 * (slot - first));
        trade.wh = wh * permille / WHOLE;
        // Energy is below 2**32 and a price below 2**32 in magnitude.
        int256 money = int256(trade.wh) * unbias(biased);
        trade.money = trade.isBuy ? money : -money;
        trade.lock = lockOf(trade.isBuy, biased, wh, _fee(rules), rules.shortCap);
    }

    /// @notice First slot of a record of positions.
    function firstSlot(bytes calldata record) internal pure returns (uint256) {
        return record.u32(19);
    }

    /// @notice Number of slots of a record of positions.
    function slots(bytes calldata record) internal pure returns (uint256) {
        return (record.length - HEAD_BYTES) / 4;
    }

    function _fee(Rules memory rules) private pure returns (uint256) {
        return uint256(rules.gridFee) + rules.platformFee;
    }
}
