// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {LineEvidence, MeterNeighbour, MeterProof, Path, ReferenceEvidence} from "../types/Evidence.sol";

/// @notice Refutes proposed bills, by evidence against any node, or because a node is withheld.
/// @dev Each challenge needs open bills within their window, and voids them: half the bond goes to the account named as
/// challenger. Evidence that the chain does not confirm reverts, so it can never refute honest bills; see
/// docs/proofs.md [6].
interface ICourt {
    /// @notice Somebody put up a bond to see the node with this hash, which may be answered until then.
    event Demanded(uint256 indexed id, bytes32 indexed hash, uint32 demander, uint64 bond, uint256 until);

    /// @notice The node was shown; the window for challenges begins anew.
    event Answered(uint256 indexed id, bytes32 indexed hash, bytes preimage, uint32 answerer);

    /// @notice The bond of a demand went back.
    event DemandReturned(uint256 indexed id, bytes32 indexed hash, uint32 demander, uint64 bond);

    /// @notice The bills are not open.
    error NotOpen(uint256 id);
    /// @notice The window for challenges has passed.
    error WindowClosed(uint256 id);
    /// @notice The evidence is not what the chain knows, or does not belong to the claim.
    error InvalidEvidence();
    /// @notice The bills are right there.
    error ClaimHolds();
    /// @notice The caller is not the owner of the demander's account.
    error NotDemander(uint32 account, address caller);
    /// @notice The demander's free balance does not cover the bond.
    error BondNotCovered(uint32 account, uint256 bond);
    /// @notice The node was demanded before, or there is none.
    error NotDemandable(bytes32 hash);
    /// @notice Nobody demands the node.
    error NotDemanded(uint256 id, bytes32 hash);
    /// @notice The answer is no node of the demanded kind.
    error MalformedAnswer();
    /// @notice The demand can still be answered.
    error TooEarly(uint256 from);

    /// @notice Against a line: its place, schedule, meter, money, or sums without references.
    /// @param path To the opened line.
    function challengeLine(uint256 id, Path calldata path, LineEvidence calldata evidence, uint32 challenger)
        external;

    /// @notice Against a reference: no such record of the account in that slot, another energy, or sums claimed for it that
    /// are not the record's.
    /// @param path To the opened reference.
    function challengeReference(
        uint256 id,
        Path calldata path,
        ReferenceEvidence calldata evidence,
        uint32 challenger
    ) external;

    /// @notice Against two neighbours that do not ascend: opened accounts, or opened references of one line; or against an
    /// account of another community, the first path's.
    /// @param second To the next account, or reference.
    function challengeOrder(uint256 id, Path calldata first, Path calldata second, uint32 challenger) external;

    /// @notice Against a missing line: the account has a meter leaf.
    /// @param paths One, to the account's empty place or to the opened first or last account beyond which it would stand;
    /// two, to the opened neighbours between which it would; none where the bills have no accounts.
    function challengeAbsent(
        uint256 id,
        Path[] calldata paths,
        uint32 account,
        uint8 product,
        uint32 slot,
        MeterProof calldata meter,
        uint32 challenger
    ) external;

    /// @notice Against a line of an account that has no meter leaf in that slot.
    /// @param path To the opened line.
    /// @param neighbours The adjacent leaves between which its own would stand, one at either end of the accounts, none
    /// where the slot has no leaves.
    function challengeUnmetered(
        uint256 id,
        Path calldata path,
        MeterNeighbour[] calldata neighbours,
        uint32 challenger
    ) external;

    /// @notice Against the node at which a path ends: no node of the kind that must stand there, or its sums are not the
    /// claimed ones.
    /// @param preimage Of its hash, with the tag; empty for a node claimed to be empty.
    function challengeSum(uint256 id, Path calldata path, bytes calldata preimage, uint32 challenger) external;

    /// @notice Puts up a bond to see the node at which a path ends. Owner of the demander only; once per node.
    function demand(uint256 id, Path calldata path, uint32 demander) external;

    /// @notice Shows a demanded node; half of the demand's bond goes to the answerer, the rest to the reserve.
    /// @param preimage Of its hash, with the tag.
    function answer(uint256 id, bytes calldata preimage, uint32 answerer) external;

    /// @notice Voids bills of which a node was not shown in time and returns the bond, which is all that happens once the
    /// bills are not open any more.
    function expire(uint256 id, bytes32 hash) external;

    /// @notice Number of demands that nobody answered yet.
    function openDemands(uint256 id) external view returns (uint256);
}
