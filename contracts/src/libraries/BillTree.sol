// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BillNode, Line, pair} from "../types/Bills.sol";

/// @notice The bill tree: hash `keccak(tag, left, sums of left, right, sums of right)`, sums added; see docs/proofs.md [5].
library BillTree {
    /// @dev An account with what it owes, of an account node.
    struct Share {
        uint32 account;
        int256 due;
        int256 retail;
    }

    uint8 private constant LINE = 2;
    uint8 private constant NODE = 3;
    uint8 private constant ACCOUNT = 4;

    uint256 private constant NODE_BYTES = 160;
    uint256 private constant ACCOUNT_BYTES = 164;

    /// @notice A proof has too few or too many siblings, or no such position exists.
    error InvalidProof();
    /// @notice A chunk is not a whole subtree: its first index or length does not fit.
    error InvalidChunk(uint256 first, uint256 length);
    /// @notice Two sums exceed 128 bits.
    error SumOverflow();

    /// @notice Node of a line.
    function lineNode(bytes calldata wire, Line memory line) internal pure returns (BillNode memory) {
        return BillNode(
            keccak256(abi.encodePacked(LINE, wire)),
            pair(line.tradeWh, line.tradeMoney),
            pair(line.retail, line.imbalance),
            pair(line.gridFee, line.platformFee),
            pair(line.lockRelease, 0)
        );
    }

    /// @notice Node of an account over the top of its subtree.
    function accountNode(uint32 account, BillNode memory top) internal pure returns (BillNode memory node) {
        node.hash = keccak256(
            abi.encodePacked(ACCOUNT, account, top.hash, top.trade, top.legs, top.fees, top.settled)
        );
        node.trade = top.trade;
        node.legs = top.legs;
        node.fees = top.fees;
        node.settled = _withDebit(top);
    }

    /// @notice Climbs from a node at `index` of `count` nodes to the top, an odd last node being promoted.
    /// @param siblings Nodes beside the path, 160 bytes each, from below.
    function climb(BillNode memory node, uint256 index, uint256 count, bytes calldata siblings)
        internal
        pure
        returns (BillNode memory)
    {
        if (index >= count) revert InvalidProof();
        uint256 used = 0;
        while (count > 1) {
            bool promoted = index + 1 == count && count & 1 == 1;
            if (!promoted) {
                if (used + NODE_BYTES > siblings.length) revert InvalidProof();
                BillNode memory sibling = _read(siblings, used);
                used += NODE_BYTES;
                node = index & 1 == 0 ? join(node, sibling) : join(sibling, node);
            }
            index >>= 1;
            count = (count + 1) >> 1;
        }
        if (used != siblings.length) revert InvalidProof();
        return node;
    }

    /// @notice Root over consecutive account nodes from `first` on, that fill a subtree or run to the end, and the shares
    /// of the accounts.
    /// @param wire Each: account u32, hash and sums of its subtree, 164 bytes.
    function climbChunk(bytes calldata wire, uint256 first, uint256 count, bytes calldata siblings)
        internal
        pure
        returns (BillNode memory root, Share[] memory shares)
    {
        uint256 length = wire.length / ACCOUNT_BYTES;
        uint256 width = 1;
        while (width < length) width <<= 1;
        if (
            length == 0 || wire.length % ACCOUNT_BYTES != 0 || first % width != 0 || first + length > count
                || (length != width && first + length != count)
        ) revert InvalidChunk(first, length);
        shares = new Share[](length);
        BillNode[] memory nodes = new BillNode[](length);
        for (uint256 i = 0; i < length; ++i) {
            bytes calldata entry = wire[i * ACCOUNT_BYTES:(i + 1) * ACCOUNT_BYTES];
            BillNode memory top = _read(entry, 4);
            shares[i] = Share(uint32(bytes4(entry)), top.due(), top.retail());
            nodes[i] = accountNode(shares[i].account, top);
        }
        uint256 left = length;
        while (left > 1) {
            for (uint256 i = 0; i < left / 2; ++i) {
                nodes[i] = join(nodes[2 * i], nodes[2 * i + 1]);
            }
            if (left & 1 == 1) nodes[left / 2] = nodes[left - 1];
            left = (left + 1) / 2;
        }
        // The chunk is node first/width of the level whose nodes span `width` accounts.
        root = climb(nodes[0], first / width, (count + width - 1) / width, siblings);
    }

    /// @notice Commitment to a root: its hash and sums.
    function commitment(BillNode memory root) internal pure returns (bytes32) {
        return keccak256(abi.encode(root));
    }

    /// @notice Parent of two nodes; two empty ones give an empty one.
    function join(BillNode memory left, BillNode memory right) internal pure returns (BillNode memory node) {
        if (left.hash == 0 && right.hash == 0) return node;
        bool overflow;
        // The children are copied beyond the free memory pointer behind the tag; the parent is a struct of its own.
        assembly ("memory-safe") {
            function add128(a, b) -> sum, bad {
                let high := add(sar(128, a), sar(128, b))
                let low := add(signextend(15, a), signextend(15, b))
                // A sum of two int128 fits 129 bits; it fits 128 exactly if sign extension leaves it as it is.
                bad := or(xor(high, signextend(15, high)), xor(low, signextend(15, low)))
                sum := or(shl(128, high), and(low, 0xffffffffffffffffffffffffffffffff))
            }
            let m := mload(0x40)
            mstore8(m, NODE)
            mcopy(add(m, 1), left, NODE_BYTES)
            mcopy(add(m, 161), right, NODE_BYTES)
            mstore(node, keccak256(m, 321))
            for { let i := 0x20 } lt(i, NODE_BYTES) { i := add(i, 0x20) } {
                let sum, bad := add128(mload(add(left, i)), mload(add(right, i)))
                overflow := or(overflow, bad)
                mstore(add(node, i), sum)
            }
            overflow := iszero(iszero(overflow))
        }
        if (overflow) revert SumOverflow();
    }

    function _read(bytes calldata wire, uint256 offset) private pure returns (BillNode memory node) {
        // The caller has checked that 160 bytes are there.
        assembly ("memory-safe") {
            calldatacopy(node, add(wire.offset, offset), NODE_BYTES)
        }
    }

    /// @dev The last word of sums with the account's debit.
    function _withDebit(BillNode memory top) private pure returns (uint256) {
        int256 debit = top.due();
        if (debit < 0) debit = 0;
        if (debit > type(int128).max) revert SumOverflow();
        return ((top.settled >> 128) << 128) | uint256(debit);
    }
}
