// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BillNode, dueOf, high} from "../types/Bills.sol";
import {Wire} from "./Wire.sol";

/// @notice The bill tree: hash `keccak(tag, left, sums of left, right, sums of right)`, sums added; see docs/proofs.md [5].
library BillTree {
    using Wire for bytes;

    uint8 internal constant LINE = 2;
    uint8 internal constant NODE = 3;
    uint8 internal constant ACCOUNT = 4;
    uint8 internal constant REFERENCE = 6;

    /// @dev A node on the wire: hash and sums.
    uint256 internal constant NODE_BYTES = 160;
    uint256 internal constant ACCOUNT_BYTES = 164;

    /// @notice A proof has too few or too many siblings, or no such position exists.
    error InvalidProof();
    /// @notice A chunk is not a whole subtree: its first index or length does not fit.
    error InvalidChunk(uint256 first, uint256 length);
    /// @notice Two sums exceed 128 bits.
    error SumOverflow();

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
                BillNode memory sibling = read(siblings, used);
                used += NODE_BYTES;
                node = index & 1 == 0 ? join(node, sibling) : join(sibling, node);
            }
            index >>= 1;
            count = (count + 1) >> 1;
        }
        if (used != siblings.length) revert InvalidProof();
        return node;
    }

    /// @notice Root over consecutive account nodes from `first` on, that fill a subtree or run to the end, and what each
    /// account owes.
    /// @param wire Each: account u32, hash and sums of its subtree, 164 bytes.
    function climbChunk(bytes calldata wire, uint256 first, uint256 count, bytes calldata siblings)
        internal
        pure
        returns (BillNode memory root, int256[] memory dues)
    {
        // Checked below to divide exactly.
        // slither-disable-next-line divide-before-multiply
        uint256 length = wire.length / ACCOUNT_BYTES;
        uint256 width = 1;
        while (width < length) width <<= 1;
        if (
            length == 0 || wire.length % ACCOUNT_BYTES != 0 || first % width != 0 || first + length > count
                || (length != width && first + length != count)
        ) revert InvalidChunk(first, length);
        dues = new int256[](length);
        // Nodes stand one behind the other from `level` on.
        bytes memory memoryOfNodes = new bytes(NODE_BYTES * length);
        uint256 level;
        assembly ("memory-safe") {
            level := add(memoryOfNodes, 0x20)
        }
        // Indices stay below `length`, and the wire of as many entries fits in calldata.
        unchecked {
            for (uint256 i = 0; i < length; ++i) {
                dues[i] = _readAccount(level + i * NODE_BYTES, wire, i * ACCOUNT_BYTES);
            }
            for (uint256 left = length; left > 1; left = (left + 1) / 2) {
                // As many whole pairs as there are: the last of an odd number stays as it is.
                // slither-disable-next-line divide-before-multiply
                uint256 end = level + left / 2 * NODE_BYTES;
                uint256 pairs = level;
                for (uint256 target = level; target < end; target += NODE_BYTES) {
                    _joinInto(target, pairs);
                    pairs += 2 * NODE_BYTES;
                }
                if (left & 1 == 1) _copy(end, pairs);
            }
        }
        _copy(_pointer(root), level);
        // The chunk is node first/width of the level whose nodes span `width` accounts.
        root = climb(root, first / width, (count + width - 1) / width, siblings);
    }

    /// @notice Account of entry `i` of a chunk that has it.
    function accountOf(bytes calldata wire, uint256 i) internal pure returns (uint32) {
        // i < wire.length / ACCOUNT_BYTES
        unchecked {
            return wire.u32(i * ACCOUNT_BYTES);
        }
    }

    /// @notice Retail money of entry `i` of a chunk that has it.
    function retailOf(bytes calldata wire, uint256 i) internal pure returns (int256) {
        return high(wire.word(i * ACCOUNT_BYTES + 68));
    }

    /// @notice Commitment to a root: its hash and sums.
    function commitment(BillNode memory root) internal pure returns (bytes32) {
        return keccak256(abi.encode(root));
    }

    /// @notice Parent of two nodes; two empty ones give an empty one.
    function join(BillNode memory left, BillNode memory right) internal pure returns (BillNode memory node) {
        if (_isEmpty(left) && _isEmpty(right)) return node;
        bytes memory memoryOfNodes = new bytes(2 * NODE_BYTES);
        uint256 both;
        assembly ("memory-safe") {
            both := add(memoryOfNodes, 0x20)
        }
        _copy(both, _pointer(left));
        _copy(both + NODE_BYTES, _pointer(right));
        _joinInto(_pointer(node), both);
    }

    /// @notice Node on the wire, of which the caller knows that it is there.
    function read(bytes calldata wire, uint256 offset) internal pure returns (BillNode memory node) {
        // The caller has checked that 160 bytes are there.
        assembly ("memory-safe") {
            calldatacopy(node, add(wire.offset, offset), NODE_BYTES)
        }
    }

    function _isEmpty(BillNode memory node) private pure returns (bool) {
        return uint256(node.hash) | node.trade | node.legs | node.fees | node.settled == 0;
    }

    /// @dev Writes the parent of the node at `left` and the one behind it to `target`, which may be `left`.
    function _joinInto(uint256 target, uint256 left) private pure {
        uint256 overflow;
        // The tag is lent the byte before the left node, which is memory of the same array. Each word of the target is
        // written after the children's words at the same place were read.
        assembly ("memory-safe") {
            function add128(a, b) -> sum, bad {
                let first := add(sar(128, a), sar(128, b))
                let second := add(signextend(15, a), signextend(15, b))
                // A sum of two int128 fits 129 bits; it fits 128 exactly if sign extension leaves it as it is.
                bad := or(xor(first, signextend(15, first)), xor(second, signextend(15, second)))
                sum := or(shl(128, first), and(second, 0xffffffffffffffffffffffffffffffff))
            }
            let before := sub(left, 0x20)
            let saved := mload(before)
            mstore8(sub(left, 1), NODE)
            let hash := keccak256(sub(left, 1), 321)
            mstore(before, saved)
            let right := add(left, NODE_BYTES)
            for { let i := 0x20 } lt(i, NODE_BYTES) { i := add(i, 0x20) } {
                let sum, bad := add128(mload(add(left, i)), mload(add(right, i)))
                overflow := or(overflow, bad)
                mstore(add(target, i), sum)
            }
            mstore(target, hash)
        }
        if (overflow != 0) revert SumOverflow();
    }

    /// @dev Reads an account node from the wire to `target` and returns what the account owes.
    function _readAccount(uint256 target, bytes calldata wire, uint256 offset)
        private
        pure
        returns (int256 owes)
    {
        (uint256 trade, uint256 legs, uint256 fees, uint256 settled) = (0, 0, 0, 0);
        // The preimage is built beyond the free memory pointer; the caller has checked that 164 bytes are there and that
        // the target has room.
        assembly ("memory-safe") {
            let m := mload(0x40)
            let entry := add(wire.offset, offset)
            mstore8(m, ACCOUNT)
            calldatacopy(add(m, 1), entry, ACCOUNT_BYTES)
            mstore(target, keccak256(m, 165))
            trade := calldataload(add(entry, 36))
            legs := calldataload(add(entry, 68))
            fees := calldataload(add(entry, 100))
            settled := calldataload(add(entry, 132))
            mstore(add(target, 0x20), trade)
            mstore(add(target, 0x40), legs)
            mstore(add(target, 0x60), fees)
        }
        owes = dueOf(trade, legs, fees, settled);
        settled = _withDebit(settled, owes);
        assembly ("memory-safe") {
            mstore(add(target, 0x80), settled)
        }
    }

    function _copy(uint256 target, uint256 source) private pure {
        // Both are nodes in memory.
        assembly ("memory-safe") {
            mcopy(target, source, NODE_BYTES)
        }
    }

    function _pointer(BillNode memory node) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := node
        }
    }

    /// @dev The last word of sums with the debit of what is owed.
    function _withDebit(uint256 settled, int256 owes) private pure returns (uint256) {
        if (owes > type(int128).max) revert SumOverflow();
        return ((settled >> 128) << 128) | (owes > 0 ? uint256(owes) : 0);
    }
}
