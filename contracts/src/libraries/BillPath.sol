// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BillNode, Line, Reference, high, low} from "../types/Bills.sol";
import {Path} from "../types/Evidence.sol";
import {BillLine} from "./BillLine.sol";
import {BillTree} from "./BillTree.sol";
import {Wire} from "./Wire.sol";

/// @notice Kinds of nodes that a path can end at: above the accounts, an account, in its subtree, a line, above the
/// references, a reference, and nothing more to open.
enum Stage {
    Upper,
    Account,
    Subtree,
    Line,
    Branch,
    Reference,
    End
}

/// @notice Where a path ends and what it opened on the way.
/// @param stage Kind of the node where it ends.
/// @param claimed Hash and sums of that node as its parent claims them, of no meaning at the end.
/// @param account Account of the account node, where one was opened.
/// @param line The line, where one was opened.
/// @param opened The reference, where one was opened.
struct Opening {
    Stage stage;
    BillNode claimed;
    uint32 account;
    Line line;
    Reference opened;
}

/// @notice Opens bills from the root down. Only hashes are checked, so that wrong sums on the way shield nothing; see
/// docs/proofs.md [6].
library BillPath {
    using Wire for bytes;
    using BillLine for Line;

    uint256 private constant REFERENCE_BYTES = 13;

    /// @notice The bytes do not open the bills at these positions.
    error InvalidPath();

    /// @notice Follows a path.
    /// @param commitment To the root: hash of its hash and sums.
    /// @param count Number of accounts.
    /// @param depth Of an account's subtree.
    function walk(Path calldata path, bytes32 commitment, uint256 count, uint256 depth)
        internal
        pure
        returns (Opening memory opening)
    {
        bytes calldata nodes = path.nodes;
        uint256 pos = BillTree.NODE_BYTES;
        if (
            nodes.length < pos || keccak256(nodes[:pos]) != commitment || path.accountIndex >= count
                || path.position >> depth != 0
        ) revert InvalidPath();
        opening.claimed = BillTree.read(nodes, 0);
        pos = _descend(opening, nodes, pos, path.accountIndex, count, Stage.Upper);
        if (pos == nodes.length) return opening;

        _check(opening, nodes, pos, BillTree.ACCOUNT, BillTree.ACCOUNT_BYTES);
        opening.account = nodes.u32(pos);
        pos += BillTree.ACCOUNT_BYTES;
        opening.claimed = BillTree.read(nodes, pos - BillTree.NODE_BYTES);
        pos = _descend(opening, nodes, pos, path.position, 1 << depth, Stage.Subtree);
        if (pos == nodes.length) return opening;

        _check(opening, nodes, pos, BillTree.LINE, BillLine.BYTES);
        Line memory line = BillLine.read(nodes[pos:]);
        opening.line = line;
        pos += BillLine.BYTES;
        if (line.refCount == 0) {
            if (pos != nodes.length) revert InvalidPath();
            opening.stage = Stage.End;
            return opening;
        }
        if (path.refIndex >= line.refCount) revert InvalidPath();
        opening.claimed = line.references();
        pos = _descend(opening, nodes, pos, path.refIndex, line.refCount, Stage.Branch);
        if (pos == nodes.length) return opening;

        _check(opening, nodes, pos, BillTree.REFERENCE, REFERENCE_BYTES);
        if (pos + REFERENCE_BYTES != nodes.length) revert InvalidPath();
        opening.opened = Reference.wrap(nodes.word(pos) >> 152);
        opening.stage = Stage.End;
    }

    /// @notice Hash of a node by its preimage, zero where there is none: opened as on a path, with its tag in front.
    function hashOf(bytes calldata preimage) internal pure returns (bytes32) {
        uint8 tag = preimage.length == 0 ? 0 : uint8(preimage[0]);
        if (tag != BillTree.NODE && tag != BillTree.ACCOUNT) return keccak256(preimage);
        // [6] What an inner node is hashed from is shorter than what opens it, and opens nothing.
        bool opens = isOfKind(tag == BillTree.NODE ? Stage.Upper : Stage.Account, preimage);
        return opens ? BillTree.hashOf(tag, preimage[1:]) : bytes32(0);
    }

    /// @notice True if the bytes have tag and length of a node of that kind.
    function isOfKind(Stage stage, bytes calldata preimage) internal pure returns (bool) {
        if (preimage.length == 0) return false;
        (uint8 tag, uint256 length) = (BillTree.NODE, BillTree.PAIR_BYTES);
        if (stage == Stage.Account) (tag, length) = (BillTree.ACCOUNT, BillTree.ACCOUNT_BYTES);
        if (stage == Stage.Line) (tag, length) = (BillTree.LINE, BillLine.BYTES);
        if (stage == Stage.Reference) (tag, length) = (BillTree.REFERENCE, REFERENCE_BYTES);
        return uint8(preimage[0]) == tag && preimage.length == length + 1;
    }

    /// @notice True if the sums claimed for a node are those of its preimage, which is of its kind; of an account, also if
    /// its due and retail money are those of its subtree. What a reference sums up to is not in its preimage.
    function isSum(Stage stage, BillNode memory claimed, bytes calldata preimage)
        internal
        pure
        returns (bool)
    {
        bytes calldata body = preimage[1:];
        if (stage == Stage.Reference) return true;
        if (stage == Stage.Account) {
            BillNode memory top = BillTree.read(body, BillTree.ACCOUNT_BYTES - BillTree.NODE_BYTES);
            int256 due = top.due();
            return high(body.word(4)) == due && high(body.word(20)) == high(top.legs)
                && claimed.trade == top.trade && claimed.legs == top.legs && claimed.fees == top.fees
                && high(claimed.settled) == high(top.settled)
                && low(claimed.settled) == (due > 0 ? due : int256(0));
        }
        if (stage == Stage.Line) {
            Line memory line = BillLine.read(body);
            BillNode memory trades = line.references();
            return claimed.trade == trades.trade && high(claimed.legs) == line.retail
                && low(claimed.legs) == line.imbalance && claimed.fees == trades.fees
                && claimed.settled == trades.settled;
        }
        BillNode memory left = BillTree.read(body, 0);
        BillNode memory right = BillTree.read(body, BillTree.NODE_BYTES);
        return _adds(left.trade, right.trade, claimed.trade) && _adds(left.legs, right.legs, claimed.legs)
            && _adds(left.fees, right.fees, claimed.fees)
            && _adds(left.settled, right.settled, claimed.settled);
    }

    /// @dev True if both halves add up, so that no sum that overflows does.
    function _adds(uint256 left, uint256 right, uint256 sum) private pure returns (bool) {
        return high(left) + high(right) == high(sum) && low(left) + low(right) == low(sum);
    }

    /// @dev Opens the inner nodes of a tree of `count` leaves on the way to leaf `index`, an odd last one being promoted;
    /// `inner` is their kind and the next one that of the leaves. Ends where the bytes end.
    function _descend(
        Opening memory opening,
        bytes calldata nodes,
        uint256 pos,
        uint256 index,
        uint256 count,
        Stage inner
    ) private pure returns (uint256) {
        uint256 level = 0;
        while ((count - 1) >> level != 0) ++level;
        for (; level > 0; --level) {
            uint256 child = index >> (level - 1);
            // The level below has ceil(count / 2**(level - 1)) nodes.
            if (child | 1 > (count - 1) >> (level - 1)) continue;
            opening.stage = inner;
            if (pos == nodes.length) return pos;
            _check(opening, nodes, pos, BillTree.NODE, BillTree.PAIR_BYTES);
            opening.claimed = BillTree.read(nodes, pos + (child & 1) * BillTree.NODE_BYTES);
            pos += BillTree.PAIR_BYTES;
        }
        opening.stage = Stage(uint8(inner) + 1);
        return pos;
    }

    /// @dev The bytes at `pos` must be the preimage of the hash claimed last.
    function _check(Opening memory opening, bytes calldata nodes, uint256 pos, uint8 tag, uint256 length)
        private
        pure
    {
        if (
            pos + length > nodes.length
                || BillTree.hashOf(tag, nodes[pos:pos + length]) != opening.claimed.hash
        ) revert InvalidPath();
    }
}
