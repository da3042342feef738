// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BillNode, Line, Tariff, pair} from "../types/Bills.sol";
import {Wire} from "./Wire.sol";

/// @notice Layout and pricing of a line of the bills.
library BillLine {
    using Wire for bytes;

    uint256 internal constant BYTES = 178;

    /// @notice Reads a line of `BYTES` bytes.
    function read(bytes calldata wire) internal pure returns (Line memory line) {
        uint256 head = wire.word(0);
        line.account = uint32(head >> 224);
        line.product = uint8(head >> 216);
        line.slot = uint32(head >> 184);
        line.tradeWh = int64(uint64(head >> 120));
        line.tradeMoney = _i128(wire, 17);
        uint256 nomination = wire.word(33);
        line.seq = uint32(nomination >> 224);
        line.batch = uint32(nomination >> 192);
        line.leaf = uint32(nomination >> 160);
        line.scheduleWh = int64(uint64(nomination >> 96));
        line.meterWh = int64(uint64(nomination >> 32));
        line.quality = uint8(nomination >> 24);
        line.retail = _i128(wire, 62);
        line.imbalance = _i128(wire, 78);
        line.gridFee = _i128(wire, 94);
        line.platformFee = _i128(wire, 110);
        line.lockRelease = _i128(wire, 126);
        line.refCount = wire.u32(142);
        line.refRoot = bytes32(wire.word(146));
    }

    /// @notice Root of the references as the line claims it.
    function references(Line memory line) internal pure returns (BillNode memory) {
        return BillNode(
            line.refRoot,
            pair(line.tradeWh, line.tradeMoney),
            0,
            pair(line.gridFee, line.platformFee),
            pair(line.lockRelease, 0)
        );
    }

    /// @notice Retail and imbalance money of trade, schedule and meter [Wh in, nano-token out].
    /// @dev docs/protocol.md, section 7. Inputs are below 2**64 and prices below 2**32 in magnitude.
    function legs(int256 trade, int256 schedule, int256 meter, Tariff memory tariff)
        internal
        pure
        returns (int256 retail, int256 imbalance)
    {
        int256 nominated = schedule - trade;
        int256 long = _long(tariff);
        if (nominated >= 0) {
            int256 covered = _min(_min(nominated, tariff.supplyWh), _max(meter, 0));
            retail = covered * tariff.supplyPrice + (nominated - covered) * tariff.importPrice;
        } else {
            int256 paid = _min(-nominated, _max(-meter, 0));
            int256 covered = _min(paid, tariff.feedInPackageWh);
            retail =
            -(covered * tariff.feedInPackagePrice + (paid - covered) * tariff.feedIn + (-nominated - paid)
                    * long);
        }
        int256 deviation = meter - schedule;
        imbalance = deviation > 0 ? deviation * _short(tariff) : deviation * long;
    }

    /// @notice Billed energy and money of a meter leaf; an estimated one is billed at the dearest candidate.
    function bill(
        int256 trade,
        int256 schedule,
        int256 importWh,
        int256 exportWh,
        bool estimated,
        Tariff memory tariff
    ) internal pure returns (int256 meter, int256 retail, int256 imbalance) {
        if (!estimated) {
            meter = importWh - exportWh;
            (retail, imbalance) = legs(trade, schedule, meter, tariff);
        } else {
            meter = _max(schedule, 0);
            (retail, imbalance) = legs(trade, schedule, meter, tariff);
            int256[2] memory others = [importWh, int256(0)];
            for (uint256 i = 0; i < 2; ++i) {
                (int256 otherRetail, int256 otherImbalance) = legs(trade, schedule, others[i], tariff);
                if (otherRetail + otherImbalance > retail + imbalance) {
                    (meter, retail, imbalance) = (others[i], otherRetail, otherImbalance);
                }
            }
        }
        retail += tariff.dailyFee;
    }

    /// @dev Price of missing energy: no price of energy that was bought in time is above it.
    function _short(Tariff memory tariff) private pure returns (int256 short) {
        short = _max(tariff.short, _max(tariff.importPrice, tariff.feedIn));
        if (tariff.supplyWh > 0) short = _max(short, tariff.supplyPrice);
        if (tariff.feedInPackageWh > 0) short = _max(short, tariff.feedInPackagePrice);
    }

    /// @dev Price of energy left over: no price of energy that was sold in time is below it.
    function _long(Tariff memory tariff) private pure returns (int256 long) {
        long = _min(tariff.long, _min(tariff.feedIn, tariff.importPrice));
        if (tariff.supplyWh > 0) long = _min(long, tariff.supplyPrice);
        if (tariff.feedInPackageWh > 0) long = _min(long, tariff.feedInPackagePrice);
    }

    function _i128(bytes calldata wire, uint256 offset) private pure returns (int128) {
        return int128(uint128(wire.word(offset) >> 128));
    }

    function _max(int256 a, int256 b) private pure returns (int256) {
        return a > b ? a : b;
    }

    function _min(int256 a, int256 b) private pure returns (int256) {
        return a < b ? a : b;
    }
}
