// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MeterValue} from "../../src/interfaces/IReporterBonds.sol";
import {
    LineEvidence,
    MeterProof,
    NominationProof,
    OrderProof,
    Path,
    PositionProof,
    ReferenceEvidence
} from "../../src/types/Evidence.sol";
import {Form} from "../../src/types/Form.sol";
import {Agreement} from "../../src/types/Position.sol";
import {HomePackage} from "./FixedPackages.sol";
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
    uint256 internal constant PAIR_BYTES = 320;
    uint256 internal constant ACCOUNT_BYTES = 196;
    uint256 internal constant ENTRY_BYTES = 68;
    uint256 internal constant LINE_BYTES = 178;
    uint256 internal constant REF_BYTES = 13;
    int32 internal constant IMPORT = 150_000;
    int32 internal constant FEED_IN = 40_000;
    int32 internal constant SHORT = 400_000;
    int32 internal constant LONG = 10_000;

    mapping(uint32 slotOfDay => mapping(uint32 account => Reading)) internal readings;
    mapping(uint32 slotOfDay => mapping(uint32 account => Nominated)) internal nominated;
    /// @dev Entry of the only leaf of each batch.
    bytes[] internal entries;

    /// @dev Records of an account's positions of the day.
    mapping(uint32 account => bytes[]) internal records;
    /// @dev What was taken off a slot [permille].
    mapping(uint32 slotOfDay => uint256) internal curtailed;
    /// @dev Packages as the town's contract of packages knows them.
    mapping(uint32 account => HomePackage) internal homePackages;

    /// @dev Lines that the bills carry in place of the honest ones, or none at all.
    mapping(uint32 slotOfDay => mapping(uint32 account => bytes)) internal altered;
    mapping(uint32 slotOfDay => mapping(uint32 account => bool)) internal omitted;
    /// @dev References that a line carries in place of the honest ones.
    mapping(uint32 slotOfDay => mapping(uint32 account => bytes[])) internal alteredRefs;
    /// @dev Nodes that the bills claim where the node with this hash belongs.
    mapping(bytes32 hash => Node) internal claimed;
    /// @dev Hash of a node that the bills claim to be empty, with its sums.
    bytes32 internal emptied;
    /// @dev What account nodes say more than they should: due and retail money.
    mapping(uint32 account => int128[2]) internal raised;
    /// @dev Accounts of the bills in their order, all homes where it is empty.
    uint32[] internal listed;

    uint32 internal lastHome;

    // ---- agreeing ----

    /// @dev Two homes agree on energy; a market records it.
    function _agree(uint32 buyer, uint32 seller, int32 price, uint32 slotOfDay, uint32[] memory wh) internal {
        uint64 deal = uint64(records[buyer].length);
        vm.prank(address(auction));
        positions.open(
            Agreement(COMMUNITY, 0, buyer, seller, Form.Bilateral, deal, price, 1, FIRST_SLOT + slotOfDay, wh)
        );
        bytes memory packed;
        for (uint256 i = 0; i < wh.length; ++i) {
            packed = abi.encodePacked(packed, wh[i]);
        }
        bytes memory tail = abi.encodePacked(deal, _biased(price), uint8(1), FIRST_SLOT + slotOfDay, packed);
        records[buyer].push(abi.encodePacked(uint8(Form.Bilateral), uint8(1), seller, tail));
        records[seller].push(abi.encodePacked(uint8(Form.Bilateral), uint8(0), buyer, tail));
    }

    function _agree(uint32 buyer, uint32 seller, int32 price, uint32 slotOfDay, uint32 wh) internal {
        uint32[] memory slots = new uint32[](1);
        slots[0] = wh;
        _agree(buyer, seller, price, slotOfDay, slots);
    }

    function _curtail(uint32 slotOfDay, uint16 permille) internal {
        vm.prank(REGULATOR);
        positions.curtail(COMMUNITY, 0, FIRST_SLOT + slotOfDay, permille, "overload");
        curtailed[slotOfDay] = 1000 - permille;
    }

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
            COMMUNITY,
            DAY,
            RETAILER,
            root.hash,
            root.sums,
            uint32(_billedAccounts().length),
            keccak256("lines")
        );
    }

    /// @dev Proposes the bills, which nobody refutes in time.
    function _final() internal returns (uint256 id) {
        id = _propose(_root());
        vm.warp(BILLS_FROM + 86_400);
        settlement.finalise(id);
    }

    /// @dev Root of the bills.
    function _root() internal view returns (Node memory) {
        return _top(_accountNodes());
    }

    /// @dev Accounts of the bills.
    function _billedAccounts() internal view returns (uint32[] memory all) {
        if (listed.length > 0) return listed;
        all = new uint32[](lastHome - FIRST_HOME + 1);
        for (uint32 i = 0; i < all.length; ++i) {
            all[i] = FIRST_HOME + i;
        }
    }

    function _accountNodes() internal view returns (Node[] memory nodes) {
        uint32[] memory all = _billedAccounts();
        nodes = new Node[](all.length);
        for (uint32 i = 0; i < nodes.length; ++i) {
            nodes[i] = _claim(_accountNode(all[i], _subtree(all[i])));
        }
    }

    /// @dev Top of an account's subtree.
    function _subtree(uint32 account) internal view returns (Node memory) {
        return _top(_lineNodes(account));
    }

    function _top(Node[] memory level) internal view returns (Node memory) {
        while (level.length > 1) {
            level = _parents(level);
        }
        return level[0];
    }

    /// @dev The node, or what the bills claim in its place.
    function _claim(Node memory node) internal view returns (Node memory) {
        if (node.hash != 0 && node.hash == emptied) return Node(0, node.sums);
        Node memory other = claimed[node.hash];
        return other.hash == 0 ? node : other;
    }

    function _lineNodes(uint32 account) internal view returns (Node[] memory level) {
        level = new Node[](POSITIONS);
        for (uint32 slot = 0; slot < SLOTS; ++slot) {
            if (!omitted[slot][account]) level[slot] = _claim(_lineNode(_billed(account, slot)));
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

    function _accountNode(uint32 account, Node memory top) internal view returns (Node memory node) {
        node.hash = keccak256(abi.encodePacked(uint8(4), _head(account, top), keccak256(_packed(top))));
        for (uint256 i = 0; i < 7; ++i) {
            node.sums[i] = top.sums[i];
        }
        int128 due = _due(top);
        node.sums[7] = due > 0 ? due : int128(0);
    }

    /// @dev Account, due and retail money as its node says them.
    function _head(uint32 account, Node memory top) internal view returns (bytes memory) {
        int128[2] memory more = raised[account];
        return abi.encodePacked(account, _due(top) + more[0], top.sums[2] + more[1]);
    }

    /// @dev An opened account without its tag.
    function _opened(uint32 account) internal view returns (bytes memory) {
        Node memory top = _subtree(account);
        return bytes.concat(_head(account, top), _packed(top));
    }

    /// @dev Its last 128 bits where it is larger.
    function _due(Node memory node) internal pure returns (int128) {
        int128[8] memory s = node.sums;
        unchecked {
            return s[1] + s[2] + s[3] + s[4] + s[5] - s[6];
        }
    }

    /// @dev The line that follows from the references, by the words of docs/protocol.md section 7.
    function _line(uint32 account, uint32 slotOfDay) internal view returns (bytes memory) {
        bytes[] memory refs = _refs(account, slotOfDay);
        Node memory trades;
        if (refs.length > 0) trades = _top(_refNodes(account, slotOfDay, refs));
        int128[8] memory sums = trades.sums;
        Nominated memory nomination = nominated[slotOfDay][account];
        int256 schedule = nomination.seq > 0
            ? int256(nomination.wh) * int256(1000 - curtailed[slotOfDay]) / 1000
            : int256(sums[0]);
        Reading memory reading = readings[slotOfDay][account];
        HomePackage memory package = homePackages[account];
        (int256 meter, int256 retail, int256 imbalance) = _settle(sums[0], schedule, reading, package);
        if (slotOfDay == 0) retail += int256(uint256(package.dailyFee));
        return bytes.concat(
            abi.encodePacked(account, uint8(0), FIRST_SLOT + slotOfDay, int64(sums[0]), sums[1]),
            abi.encodePacked(nomination.seq, nomination.batch, nomination.leaf, int64(schedule)),
            abi.encodePacked(int64(meter), reading.quality, int128(retail), int128(imbalance)),
            abi.encodePacked(sums[4], sums[5], sums[6], uint32(refs.length), trades.hash)
        );
    }

    /// @dev References of a line, ascending.
    function _refs(uint32 account, uint32 slotOfDay) internal view returns (bytes[] memory refs) {
        if (alteredRefs[slotOfDay][account].length > 0) return alteredRefs[slotOfDay][account];
        return _honestRefs(account, slotOfDay);
    }

    function _honestRefs(uint32 account, uint32 slotOfDay) internal view returns (bytes[] memory refs) {
        PlainResult memory result = _result(slotOfDay);
        uint256 permille = 1000 - curtailed[slotOfDay];
        bytes[] memory found = new bytes[](orders[slotOfDay].length + records[account].length);
        uint256 count = 0;
        for (uint32 i = 0; i < orders[slotOfDay].length; ++i) {
            if (orders[slotOfDay][i].account != account) continue;
            found[count++] = _ref(0, 0, i, uint32(result.fills[i] * permille / 1000));
        }
        for (uint32 i = 0; i < records[account].length; ++i) {
            uint256 wh = _agreed(records[account][i], slotOfDay);
            if (wh > 0) found[count++] = _ref(1, 0, i, uint32(wh * permille / 1000));
        }
        refs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            refs[i] = found[i];
        }
    }

    function _ref(uint8 kind, uint32 chain, uint32 index, uint32 fill) internal pure returns (bytes memory) {
        return abi.encodePacked(kind, chain, index, fill);
    }

    /// @dev Energy of a slot in a record of positions [Wh].
    function _agreed(bytes memory record, uint32 slotOfDay) internal pure returns (uint256) {
        uint256 first = _uint(record, 19, 4);
        uint256 slot = FIRST_SLOT + slotOfDay;
        if (slot < first || 23 + 4 * (slot - first) >= record.length) return 0;
        return _uint(record, 23 + 4 * (slot - first), 4);
    }

    function _refNodes(uint32 account, uint32 slotOfDay, bytes[] memory refs)
        internal
        view
        returns (Node[] memory nodes)
    {
        PlainResult memory result = _result(slotOfDay);
        nodes = new Node[](refs.length);
        for (uint256 i = 0; i < refs.length; ++i) {
            nodes[i] = _claim(_refNode(account, slotOfDay, refs[i], result.price));
        }
    }

    /// @dev A reference with the sums of its record, none where there is no such record.
    function _refNode(uint32 account, uint32 slotOfDay, bytes memory ref, int256 clearing)
        internal
        view
        returns (Node memory node)
    {
        node.hash = keccak256(abi.encodePacked(uint8(6), ref));
        uint256 index = _uint(ref, 5, 4);
        int256 fill = int256(_uint(ref, 9, 4));
        (bool buy, int256 price, int256 lock) = (false, clearing, 0);
        if (ref[0] == 0 && index < orders[slotOfDay].length) {
            (buy, lock) = (orders[slotOfDay][index].buy, _lock(orders[slotOfDay][index]));
        } else if (ref[0] == 0x01 && index < records[account].length) {
            bytes memory record = records[account][index];
            buy = record[1] == 0x01;
            price = int256(_uint(record, 14, 4)) - 2 ** 31;
            uint32 wh = uint32(_agreed(record, slotOfDay));
            lock = _lock(PlainOrder(account, int32(price), wh, buy, 0));
        }
        int256 signed = buy ? fill : -fill;
        node.sums = [
            int128(signed),
            int128(signed * price),
            0,
            0,
            int128(buy ? fill * 20_000 : int256(0)),
            int128(buy ? fill * 1000 : int256(0)),
            int128(lock),
            0
        ];
    }

    function _lock(PlainOrder memory order) internal pure returns (int256) {
        int256 price = order.price;
        if (order.buy) return int256(uint256(order.quantity)) * ((price > 0 ? price : int256(0)) + 21_000);
        return int256(uint256(order.quantity)) * (2_000_000 + (price < 0 ? -price : int256(0)));
    }

    function _settle(int256 t, int256 s, Reading memory reading, HomePackage memory package)
        internal
        pure
        returns (int256 m, int256 retail, int256 imbalance)
    {
        if (reading.quality == 0) {
            m = int256(uint256(reading.importWh)) - int256(uint256(reading.exportWh));
            (retail, imbalance) = _legs(t, s, m, package);
            return (m, retail, imbalance);
        }
        int256[3] memory candidates = [s > 0 ? s : int256(0), int256(uint256(reading.importWh)), int256(0)];
        for (uint256 i = 0; i < 3; ++i) {
            (int256 r, int256 b) = _legs(t, s, candidates[i], package);
            if (i == 0 || r + b > retail + imbalance) (m, retail, imbalance) = (candidates[i], r, b);
        }
    }

    function _legs(int256 t, int256 s, int256 m, HomePackage memory package)
        internal
        pure
        returns (int256 retail, int256 imbalance)
    {
        // SHORT > IMPORT > FEED_IN > LONG, so only packages can move the bounds of short and long.
        (int256 short, int256 long) = (SHORT, LONG);
        if (package.supplyWh > 0 && package.supplyPrice > short) short = package.supplyPrice;
        if (package.feedInWh > 0 && package.feedInPrice > short) short = package.feedInPrice;
        if (package.supplyWh > 0 && package.supplyPrice < long) long = package.supplyPrice;
        if (package.feedInWh > 0 && package.feedInPrice < long) long = package.feedInPrice;
        int256 r = s - t;
        if (r >= 0) {
            int256 covered = _least(r, int256(uint256(package.supplyWh)), m > 0 ? m : int256(0));
            retail = covered * package.supplyPrice + (r - covered) * IMPORT;
        } else {
            int256 exported = m < 0 ? -m : int256(0);
            int256 paid = -r < exported ? -r : exported;
            int256 covered = _least(paid, int256(uint256(package.feedInWh)), paid);
            retail = -(covered * package.feedInPrice + (paid - covered) * FEED_IN + (-r - paid) * long);
        }
        imbalance = m > s ? (m - s) * short : (m - s) * long;
    }

    function _least(int256 a, int256 b, int256 c) internal pure returns (int256 least) {
        least = a < b ? a : b;
        return c < least ? c : least;
    }

    // ---- proofs ----

    /// @dev The way down to an opened line.
    function _pathToLine(uint32 account, uint32 slotOfDay) internal view returns (Path memory path) {
        path.position = slotOfDay;
        uint32[] memory all = _billedAccounts();
        while (all[path.accountIndex] != account) ++path.accountIndex;
        Node[] memory level = _lineNodes(account);
        path.nodes = bytes.concat(
            _down(level, slotOfDay), omitted[slotOfDay][account] ? bytes("") : _billed(account, slotOfDay)
        );
        path.nodes = bytes.concat(_opened(account), path.nodes);
        level = _accountNodes();
        path.nodes = bytes.concat(_packed(_top(level)), _down(level, path.accountIndex), path.nodes);
    }

    /// @dev The way down to an opened account.
    function _pathToAccount(uint32 account) internal view returns (Path memory path) {
        return _shortened(_pathToLine(account, 0), LINE_BYTES + 6 * PAIR_BYTES);
    }

    /// @dev The way down to an opened reference.
    function _pathToRef(uint32 account, uint32 slotOfDay, uint32 refIndex)
        internal
        view
        returns (Path memory path)
    {
        path = _pathToLine(account, slotOfDay);
        path.refIndex = refIndex;
        bytes[] memory refs = _refs(account, slotOfDay);
        path.nodes =
            bytes.concat(path.nodes, _down(_refNodes(account, slotOfDay, refs), refIndex), refs[refIndex]);
    }

    /// @dev The path without its last bytes: it ends at the node that they open.
    function _shortened(Path memory path, uint256 size) internal pure returns (Path memory) {
        path.nodes = _cut(path.nodes, 0, path.nodes.length - size);
        return path;
    }

    /// @dev Preimages of the nodes above a leaf, from the top down, without tags.
    function _down(Node[] memory level, uint256 index) internal view returns (bytes memory nodes) {
        for (; level.length > 1; index >>= 1) {
            if (index | 1 < level.length) {
                nodes = bytes.concat(_packed(level[index & ~uint256(1)]), _packed(level[index | 1]), nodes);
            }
            level = _parents(level);
        }
    }

    /// @dev The record at the index of a reference.
    function _refEvidence(uint32 account, uint32 slotOfDay, bytes memory ref)
        internal
        view
        returns (ReferenceEvidence memory evidence)
    {
        uint32 index = uint32(_uint(ref, 5, 4));
        if (ref[0] == 0) {
            if (index < orders[slotOfDay].length) {
                evidence.order = _orderProof(slotOfDay, index, _result(slotOfDay));
            }
        } else if (index < records[account].length) {
            evidence.position = _positionProof(account, index);
        }
    }

    function _positionProof(uint32 account, uint32 index) internal view returns (PositionProof memory proof) {
        bytes[] memory all = records[account];
        proof.record = all[index];
        proof.others = new bytes32[](all.length - 1);
        for (uint256 i = 0; i < proof.others.length; ++i) {
            proof.others[i] = keccak256(all[i < index ? i : i + 1]);
        }
    }

    /// @dev Everything from which an account's line of a slot follows, but for its references.
    function _evidence(uint32 account, uint32 slotOfDay)
        internal
        view
        returns (LineEvidence memory evidence)
    {
        Nominated memory nomination = nominated[slotOfDay][account];
        if (nomination.seq > 0) evidence.nomination = _nominationProof(nomination.batch);
        evidence.meter = _meterProof(account, slotOfDay);
        evidence.retailPrices = _pair(IMPORT, FEED_IN);
        evidence.imbalancePrices = _pair(SHORT, LONG);
    }

    function _meterProof(uint32 account, uint32 slotOfDay) internal view returns (MeterProof memory) {
        bytes memory siblings = _meterSiblings(slotOfDay, account - FIRST_HOME);
        Reading memory reading = readings[slotOfDay][account];
        return MeterProof(
            account - FIRST_HOME,
            reading.importWh,
            reading.exportWh,
            reading.quality,
            _salt(slotOfDay, account),
            siblings
        );
    }

    function _meterSiblings(uint32 slotOfDay, uint256 index) internal view returns (bytes memory siblings) {
        (bytes32[] memory hashes, uint64[] memory sums) = _meterLevel(slotOfDay);
        for (; hashes.length > 1; index >>= 1) {
            if (index ^ 1 < hashes.length) {
                siblings = bytes.concat(siblings, _meterNode(hashes, sums, index ^ 1));
            }
            (hashes, sums) = _meterParents(hashes, sums);
        }
    }

    function _meterNode(bytes32[] memory hashes, uint64[] memory sums, uint256 i)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(hashes[i], sums[2 * i], sums[2 * i + 1]);
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

    /// @dev Debits all accounts in one pass.
    function _debitAll(uint256 id) internal {
        (bytes memory entries_, bytes memory proof) = _chunk(0, _billedAccounts().length);
        settlement.debit(id, entries_, proof);
    }

    /// @dev Account nodes from `first` on as on the wire, and what leads from them to the root.
    function _chunk(uint256 first, uint256 length)
        internal
        view
        returns (bytes memory entries_, bytes memory proof)
    {
        uint32[] memory all = _billedAccounts();
        uint256 end = first + length;
        for (uint256 i = first; i < end; ++i) {
            Node memory top = _subtree(all[i]);
            entries_ = bytes.concat(entries_, _head(all[i], top), keccak256(_packed(top)));
        }
        Node[] memory level = _accountNodes();
        for (; level.length > 1; level = _parents(level)) {
            if (end - first > 1) {
                for (uint256 i = first; i + 1 < end; i += 2) {
                    proof = bytes.concat(proof, _sumsHash(level[i], level[i + 1]));
                }
            } else if (first ^ 1 < level.length) {
                (uint256 left, uint256 right) = (first & ~uint256(1), first | 1);
                proof = bytes.concat(proof, level[first ^ 1].hash, _sumsHash(level[left], level[right]));
            }
            (first, end) = (first / 2, (end + 1) / 2);
        }
        proof = bytes.concat(proof, _packedSums(level[0]));
    }

    /// @dev What an account is to be credited, as on the wire; empty if it receives nothing.
    function _creditOf(uint32 account) internal view returns (bytes memory) {
        int128 due = _due(_subtree(account));
        return due < 0 ? abi.encodePacked(account, uint64(uint128(-due))) : bytes("");
    }

    /// @dev Pays all that is to be credited.
    function _creditAll(uint256 id) internal {
        uint32[] memory all = _billedAccounts();
        bytes memory credits;
        for (uint256 i = 0; i < all.length; ++i) {
            credits = bytes.concat(credits, _creditOf(all[i]));
        }
        if (credits.length != 0) settlement.credit(id, 0, credits);
    }

    // ---- trees ----

    function _parents(Node[] memory level) internal view returns (Node[] memory next) {
        next = new Node[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            if (2 * i + 1 == level.length) next[i] = level[2 * i];
            else next[i] = _join(level[2 * i], level[2 * i + 1]);
        }
    }

    function _join(Node memory left, Node memory right) internal view returns (Node memory) {
        Node memory node;
        if (left.hash == 0 && right.hash == 0) return node;
        node.hash = keccak256(abi.encodePacked(uint8(3), left.hash, right.hash, _sumsHash(left, right)));
        if (claimed[node.hash].hash != 0) return claimed[node.hash];
        for (uint256 i = 0; i < 8; ++i) {
            node.sums[i] = left.sums[i] + right.sums[i];
        }
        return node;
    }

    function _packed(Node memory node) internal pure returns (bytes memory) {
        return bytes.concat(node.hash, _packedSums(node));
    }

    function _packedSums(Node memory node) internal pure returns (bytes memory) {
        int128[8] memory s = node.sums;
        return abi.encodePacked(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    }

    function _sumsHash(Node memory left, Node memory right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(_packedSums(left), _packedSums(right)));
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
