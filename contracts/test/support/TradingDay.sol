// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {LineEvidence, LineProof, NominationProof, OrderProof} from "../../src/interfaces/ISettlement.sol";
import {MeterValue} from "../../src/interfaces/IReporterBonds.sol";
import {PlainOrder, PlainResult} from "./PlainAuction.sol";
import {Trading} from "./Trading.sol";
import {vm} from "./Vm.sol";

/// @notice A day of trading with a plain reference for its bills: arrays, loops and `abi.encodePacked`.
abstract contract TradingDay is Trading {
    struct Node {
        bytes32 hash;
        int128[8] sums;
    }

    struct Reading {
        uint32 importWh;
        uint32 exportWh;
        uint8 quality;
    }

    struct Nominated {
        uint32 seq;
        uint32 batch;
        uint32 leaf;
        int32 wh;
    }

    uint256 internal constant POSITIONS = 64;
    int32 internal constant IMPORT = 150_000;
    int32 internal constant FEED_IN = 40_000;
    int32 internal constant SHORT = 400_000;
    int32 internal constant LONG = 10_000;

    mapping(uint32 slotOfDay => mapping(uint32 account => Reading)) internal readings;
    mapping(uint32 slotOfDay => mapping(uint32 account => Nominated)) internal nominated;
    /// @dev Entry of the only leaf of each batch.
    bytes[] internal entries;

    /// @dev Lines that the bills carry in place of the honest ones.
    mapping(uint32 slotOfDay => mapping(uint32 account => bytes)) internal altered;

    uint32 internal lastHome;

    // ---- nominating ----

    function _nominate(uint32 account, uint32 slotOfDay, uint32 seq, int32 wh) internal {
        vm.prank(_ownerOf(account));
        schedules.nominate(COMMUNITY, 0, account, FIRST_SLOT + slotOfDay, seq, abi.encodePacked(wh));
        if (seq > nominated[slotOfDay][account].seq) {
            nominated[slotOfDay][account] = Nominated(seq, uint32(entries.length), 0, wh);
        }
        entries.push(abi.encodePacked(account, FIRST_SLOT + slotOfDay, seq, wh));
    }

    // ---- reporting ----

    /// @dev Reports retail prices; before the first gate.
    function _reportRetail() internal {
        _reportTariff(0, DAY, _pair(IMPORT, FEED_IN));
    }

    /// @dev Reports every meter and the imbalance prices, at their times.
    function _reportDay() internal {
        for (uint32 slot = 0; slot < SLOTS; ++slot) {
            vm.warp(DAY_START + uint256(slot + 1) * SLOT_SECONDS);
            _reportMeters(slot);
        }
        _reportTariff(1, DAY, _pair(SHORT, LONG));
        vm.warp(BILLS_FROM);
    }

    function _reportMeters(uint32 slotOfDay) internal {
        (bytes32[] memory hashes, uint64[] memory sums) = _meterLevel(slotOfDay);
        while (hashes.length > 1) {
            (hashes, sums) = _meterParents(hashes, sums);
        }
        uint32 count = lastHome - FIRST_HOME + 1;
        _reportMeterTree(FIRST_SLOT + slotOfDay, MeterValue(hashes[0], sums[0], sums[1], count));
    }

    // ---- bills ----

    /// @dev Proposes bills with root `root`; accounts are all homes. The retailer puts up the bond.
    function _propose(Node memory root) internal returns (uint256 id) {
        vm.prank(_ownerOf(RETAILER));
        return settlement.proposeBills(
            COMMUNITY, DAY, RETAILER, root.hash, root.sums, lastHome - FIRST_HOME + 1, keccak256("lines")
        );
    }

    /// @dev Root of the bills.
    function _root() internal view returns (Node memory) {
        Node[] memory level = _accountNodes();
        while (level.length > 1) {
            level = _parents(level);
        }
        return level[0];
    }

    function _accountNodes() internal view returns (Node[] memory nodes) {
        nodes = new Node[](lastHome - FIRST_HOME + 1);
        for (uint32 i = 0; i < nodes.length; ++i) {
            nodes[i] = _accountNode(FIRST_HOME + i, _subtree(FIRST_HOME + i));
        }
    }

    /// @dev Top of an account's subtree.
    function _subtree(uint32 account) internal view returns (Node memory) {
        Node[] memory level = _lineNodes(account);
        while (level.length > 1) {
            level = _parents(level);
        }
        return level[0];
    }

    function _lineNodes(uint32 account) internal view returns (Node[] memory level) {
        level = new Node[](POSITIONS);
        for (uint32 slot = 0; slot < SLOTS; ++slot) {
            level[slot] = _lineNode(_billed(account, slot));
        }
    }

    /// @dev The line in the bills.
    function _billed(uint32 account, uint32 slotOfDay) internal view returns (bytes memory) {
        bytes memory line = altered[slotOfDay][account];
        return line.length > 0 ? line : _line(account, slotOfDay);
    }

    function _lineNode(bytes memory line) internal pure returns (Node memory node) {
        node.hash = keccak256(abi.encodePacked(uint8(2), line));
        node.sums = [
            int128(int64(uint64(_uint(line, 9, 8)))),
            int128(uint128(_uint(line, 17, 16))),
            int128(uint128(_uint(line, 62, 16))),
            int128(uint128(_uint(line, 78, 16))),
            int128(uint128(_uint(line, 94, 16))),
            int128(uint128(_uint(line, 110, 16))),
            int128(uint128(_uint(line, 126, 16))),
            0
        ];
    }

    function _accountNode(uint32 account, Node memory top) internal pure returns (Node memory node) {
        node.hash = keccak256(abi.encodePacked(uint8(4), account, _packed(top)));
        for (uint256 i = 0; i < 7; ++i) {
            node.sums[i] = top.sums[i];
        }
        int128 due = _due(top);
        node.sums[7] = due > 0 ? due : int128(0);
    }

    function _due(Node memory node) internal pure returns (int128) {
        return node.sums[1] + node.sums[2] + node.sums[3] + node.sums[4] + node.sums[5] - node.sums[6];
    }

    /// @dev The honest line, by the words of docs/protocol.md section 7.
    function _line(uint32 account, uint32 slotOfDay) internal view returns (bytes memory) {
        PlainResult memory result = _result(slotOfDay);
        int256[4] memory sums; // Wh, money, bought Wh, locks
        bytes memory references;
        for (uint32 i = 0; i < orders[slotOfDay].length; ++i) {
            PlainOrder memory order = orders[slotOfDay][i];
            if (order.account != account) continue;
            int256 fill = int256(result.fills[i]);
            references = abi.encodePacked(references, uint8(0), i, uint32(uint256(fill)));
            sums[0] += order.buy ? fill : -fill;
            sums[1] += (order.buy ? fill : -fill) * result.price;
            if (order.buy) sums[2] += fill;
            sums[3] += _lock(order);
        }
        Nominated memory nomination = nominated[slotOfDay][account];
        int256 schedule = nomination.seq > 0 ? int256(nomination.wh) : sums[0];
        Reading memory reading = readings[slotOfDay][account];
        (int256 meter, int256 retail, int256 imbalance) = _settle(sums[0], schedule, reading);
        return bytes.concat(
            abi.encodePacked(account, uint8(0), FIRST_SLOT + slotOfDay, int64(sums[0]), int128(sums[1])),
            abi.encodePacked(nomination.seq, nomination.batch, nomination.leaf, int64(schedule)),
            abi.encodePacked(int64(meter), reading.quality, int128(retail), int128(imbalance)),
            abi.encodePacked(int128(sums[2] * 20_000), int128(sums[2] * 1000), int128(sums[3])),
            references
        );
    }

    function _lock(PlainOrder memory order) internal pure returns (int256) {
        int256 price = order.price;
        if (order.buy) return int256(uint256(order.quantity)) * ((price > 0 ? price : int256(0)) + 21_000);
        return int256(uint256(order.quantity)) * (2_000_000 + (price < 0 ? -price : int256(0)));
    }

    function _settle(int256 t, int256 s, Reading memory reading)
        internal
        pure
        returns (int256 m, int256 retail, int256 imbalance)
    {
        if (reading.quality == 0) {
            m = int256(uint256(reading.importWh)) - int256(uint256(reading.exportWh));
            (retail, imbalance) = _legs(t, s, m);
            return (m, retail, imbalance);
        }
        int256[3] memory candidates = [s > 0 ? s : int256(0), int256(uint256(reading.importWh)), int256(0)];
        for (uint256 i = 0; i < 3; ++i) {
            (int256 r, int256 b) = _legs(t, s, candidates[i]);
            if (i == 0 || r + b > retail + imbalance) (m, retail, imbalance) = (candidates[i], r, b);
        }
    }

    function _legs(int256 t, int256 s, int256 m) internal pure returns (int256 retail, int256 imbalance) {
        // SHORT > IMPORT > FEED_IN > LONG, so the bounds of short and long hold as they are.
        int256 r = s - t;
        int256 exported = m < 0 ? -m : int256(0);
        int256 paid = -r < exported ? -r : exported;
        retail = r >= 0 ? r * IMPORT : -(paid * FEED_IN + (-r - paid) * LONG);
        imbalance = m > s ? (m - s) * SHORT : (m - s) * LONG;
    }

    // ---- proofs ----

    /// @dev Where a line stands in the bills.
    function _lineProof(uint32 account, uint32 slotOfDay) internal view returns (LineProof memory proof) {
        Node[] memory level = _lineNodes(account);
        proof = LineProof(_billed(account, slotOfDay), slotOfDay, "", account, account - FIRST_HOME, "");
        for (uint256 i = slotOfDay; level.length > 1; i >>= 1) {
            proof.subtreeSiblings = bytes.concat(proof.subtreeSiblings, _packed(level[i ^ 1]));
            level = _parents(level);
        }
        proof.upperSiblings = _upperSiblings(_accountNodes(), proof.accountIndex);
    }

    function _upperSiblings(Node[] memory level, uint256 index)
        internal
        pure
        returns (bytes memory siblings)
    {
        for (; level.length > 1; index >>= 1) {
            if (index ^ 1 < level.length) {
                siblings = bytes.concat(siblings, _packed(level[index ^ 1]));
            }
            level = _parents(level);
        }
    }

    /// @dev Everything from which an account's line of a slot follows.
    function _evidence(uint32 account, uint32 slotOfDay)
        internal
        view
        returns (LineEvidence memory evidence)
    {
        PlainResult memory result = _result(slotOfDay);
        uint256 count = 0;
        for (uint256 i = 0; i < orders[slotOfDay].length; ++i) {
            if (orders[slotOfDay][i].account == account) ++count;
        }
        evidence.orders = new OrderProof[](count);
        count = 0;
        for (uint32 i = 0; i < orders[slotOfDay].length; ++i) {
            if (orders[slotOfDay][i].account == account) {
                evidence.orders[count++] = _orderProof(slotOfDay, i, result);
            }
        }
        Nominated memory nomination = nominated[slotOfDay][account];
        if (nomination.seq > 0) evidence.nomination = _nominationProof(nomination.batch);
        evidence.meter.index = account - FIRST_HOME;
        Reading memory reading = readings[slotOfDay][account];
        (evidence.meter.importWh, evidence.meter.exportWh) = (reading.importWh, reading.exportWh);
        (evidence.meter.quality, evidence.meter.salt) = (reading.quality, _salt(slotOfDay, account));
        (bytes32[] memory hashes, uint64[] memory sums) = _meterLevel(slotOfDay);
        for (uint256 i = evidence.meter.index; hashes.length > 1; i >>= 1) {
            uint256 j = i ^ 1;
            if (j < hashes.length) {
                evidence.meter.siblings =
                    abi.encodePacked(evidence.meter.siblings, hashes[j], sums[2 * j], sums[2 * j + 1]);
            }
            (hashes, sums) = _meterParents(hashes, sums);
        }
        evidence.retailPrices = _pair(IMPORT, FEED_IN);
        evidence.imbalancePrices = _pair(SHORT, LONG);
    }

    function _nominationProof(uint32 batch) internal view returns (NominationProof memory) {
        return NominationProof(batch, 0, entries[batch], new bytes32[](0));
    }

    function _orderProof(uint32 slotOfDay, uint32 index, PlainResult memory result)
        internal
        view
        returns (OrderProof memory proof)
    {
        PlainOrder[] memory book = orders[slotOfDay];
        bytes32[] memory level = new bytes32[](book.length);
        for (uint32 i = 0; i < book.length; ++i) {
            level[i] =
                keccak256(abi.encodePacked(i, _recordOf(book[i]), uint48(result.prefixes[i]), uint48(0)));
        }
        proof =
            OrderProof(bytes16(_recordOf(book[index])), uint48(result.prefixes[index]), 0, new bytes32[](0));
        bytes memory siblings;
        uint256 count = 0;
        for (uint256 i = index; level.length > 1; i >>= 1) {
            if (i ^ 1 < level.length) {
                siblings = abi.encodePacked(siblings, level[i ^ 1]);
                ++count;
            }
            level = _plainParents(level);
        }
        proof.siblings = abi.decode(bytes.concat(abi.encode(uint256(32), count), siblings), (bytes32[]));
    }

    // ---- payment ----

    /// @dev The chunk of all account nodes as on the wire.
    function _wire() internal view returns (bytes memory wire) {
        for (uint32 home = FIRST_HOME; home <= lastHome; ++home) {
            wire = abi.encodePacked(wire, home, _packed(_subtree(home)));
        }
    }

    // ---- trees ----

    function _parents(Node[] memory level) internal pure returns (Node[] memory next) {
        next = new Node[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            if (2 * i + 1 == level.length) next[i] = level[2 * i];
            else next[i] = _join(level[2 * i], level[2 * i + 1]);
        }
    }

    function _join(Node memory left, Node memory right) internal pure returns (Node memory node) {
        if (left.hash == 0 && right.hash == 0) return node;
        node.hash = keccak256(abi.encodePacked(uint8(3), _packed(left), _packed(right)));
        for (uint256 i = 0; i < 8; ++i) {
            node.sums[i] = left.sums[i] + right.sums[i];
        }
    }

    function _packed(Node memory node) internal pure returns (bytes memory) {
        int128[8] memory s = node.sums;
        return abi.encodePacked(node.hash, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    }

    /// @dev Leaves of a slot's meter tree: hashes, and import and export of each.
    function _meterLevel(uint32 slotOfDay)
        internal
        view
        returns (bytes32[] memory hashes, uint64[] memory sums)
    {
        uint256 count = lastHome - FIRST_HOME + 1;
        (hashes, sums) = (new bytes32[](count), new uint64[](2 * count));
        for (uint32 i = 0; i < count; ++i) {
            uint32 account = FIRST_HOME + i;
            Reading memory r = readings[slotOfDay][account];
            hashes[i] = keccak256(
                abi.encodePacked(
                    uint8(0), account, r.importWh, r.exportWh, r.quality, _salt(slotOfDay, account)
                )
            );
            (sums[2 * i], sums[2 * i + 1]) = (r.importWh, r.exportWh);
        }
    }

    function _meterParents(bytes32[] memory hashes, uint64[] memory sums)
        internal
        pure
        returns (bytes32[] memory next, uint64[] memory nextSums)
    {
        uint256 count = (hashes.length + 1) / 2;
        (next, nextSums) = (new bytes32[](count), new uint64[](2 * count));
        for (uint256 i = 0; i < count; ++i) {
            (next[i], nextSums[2 * i], nextSums[2 * i + 1]) = (hashes[2 * i], sums[4 * i], sums[4 * i + 1]);
            if (2 * i + 1 == hashes.length) continue;
            next[i] = keccak256(
                abi.encodePacked(
                    uint8(1),
                    hashes[2 * i],
                    sums[4 * i],
                    sums[4 * i + 1],
                    hashes[2 * i + 1],
                    sums[4 * i + 2],
                    sums[4 * i + 3]
                )
            );
            nextSums[2 * i] += sums[4 * i + 2];
            nextSums[2 * i + 1] += sums[4 * i + 3];
        }
    }

    function _salt(uint32 slotOfDay, uint32 account) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", slotOfDay, account));
    }

    /// @dev Big-endian number of `size` bytes at `offset`.
    function _uint(bytes memory data, uint256 offset, uint256 size) internal pure returns (uint256 value) {
        for (uint256 i = 0; i < size; ++i) {
            value = (value << 8) | uint8(data[offset + i]);
        }
    }
}
