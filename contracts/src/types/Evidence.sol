// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice A way from the root of bills down to a node.
/// @param accountIndex Position of the account node.
/// @param position Position of the line in its account's subtree.
/// @param refIndex Position of the reference in its line.
/// @param nodes The root (hash and sums, 160 bytes) and the preimages without tags from it down, one behind the other: node
/// 320, account 196, line 178, reference 13 bytes. It may end at any of them.
struct Path {
    uint32 accountIndex;
    uint32 position;
    uint32 refIndex;
    bytes nodes;
}

/// @notice The true leaf of a fill tree at the index of a reference: record and prefixes [Wh].
struct OrderProof {
    bytes16 record;
    uint48 prefix;
    uint48 labelPrefix;
    bytes32[] siblings;
}

/// @notice The true record of an account's positions at the index of a reference.
/// @param record Its bytes.
/// @param others Hashes of all other records of the chain, in their order.
struct PositionProof {
    bytes record;
    bytes32[] others;
}

/// @notice What is shown of the record of a reference; that of the other kind is empty.
struct ReferenceEvidence {
    OrderProof order;
    PositionProof position;
}

/// @notice A true nomination; `entry` is empty where none is shown.
/// @param entry Preimage of the leaf but for its tag: account u32, slot u32, seq u32, wh.
struct NominationProof {
    uint32 batch;
    uint32 leaf;
    bytes entry;
    bytes32[] siblings;
}

/// @notice The true meter leaf of an account, product and slot.
struct MeterProof {
    uint32 index;
    uint32 importWh;
    uint32 exportWh;
    uint8 quality;
    bytes32 salt;
    bytes siblings;
}

/// @notice A meter leaf beside the place where an account's own would stand.
struct MeterNeighbour {
    uint32 account;
    MeterProof leaf;
}

/// @notice Everything from which a line follows, but for its references.
/// @param retailPrices The reported vector of feed 0.
/// @param imbalancePrices The reported vector of feed 1.
/// @param referencePrices The reported vector of feed 2, empty where none was reported.
struct LineEvidence {
    NominationProof nomination;
    MeterProof meter;
    bytes retailPrices;
    bytes imbalancePrices;
    bytes referencePrices;
}
