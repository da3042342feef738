// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Line, Tariff} from "../types/Bills.sol";
import {Wire} from "./Wire.sol";

/// @notice Layout and pricing of a line of the bills.
library BillLine {
    using Wire for bytes;

    uint256 internal constant HEAD_BYTES = 142;
    uint256 internal constant REFERENCE_BYTES = 9;
    uint256 internal constant MAX_REFERENCES = 64;

    /// @notice The line is shorter than its fixed part.
    error MalformedLine(uint256 length);

    /// @notice Reads the fixed part; `references` is the number of whole references behind it.
    function read(bytes calldata wire) internal pure returns (Line memory line) {
        if (wire.length < HEAD_BYTES) revert MalformedLine(wire.length);
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
        line.references = (wire.length - HEAD_BYTES) / REFERENCE_BYTES;
    }

    /// @notice Reference `i` of a line.
    function referenceOf(bytes calldata wire, uint256 i)
        internal
        pure
        returns (uint8 session, uint32 index, uint32 fill)
    {
        uint256 word = wire.word(HEAD_BYTES + i * REFERENCE_BYTES);
        return (uint8(word >> 248), uint32(word >> 216), uint32(word >> 184));
    }

    /// @notice Retail and imbalance money of trade, schedule and meter [Wh in, nano-token out].
    /// @dev docs/protocol.md, section 7. Inputs are below 2**64 and prices below 2**32 in magnitude.
    function legs(int256 trade, int256 schedule, int256 meter, Tariff memory tariff)
        internal
        pure
        returns (int256 retail, int256 imbalance)
    {
        int256 short = _max(tariff.short, _max(tariff.importPrice, tariff.feedIn));
        int256 long = _min(tariff.long, _min(tariff.feedIn, tariff.importPrice));
        int256 nominated = schedule - trade;
        if (nominated >= 0) {
            retail = nominated * tariff.importPrice;
        } else {
            int256 paid = _min(-nominated, _max(-meter, 0));
            retail = -(paid * tariff.feedIn + (-nominated - paid) * long);
        }
        int256 deviation = meter - schedule;
        imbalance = deviation > 0 ? deviation * short : deviation * long;
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
            return (meter, retail, imbalance);
        }
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
