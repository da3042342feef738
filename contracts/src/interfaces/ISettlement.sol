// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Where a line stands in proposed bills.
/// @param line The line, docs/protocol.md section 7.
/// @param position Its position in the account's subtree.
/// @param subtreeSiblings Nodes beside the path within the subtree, 160 bytes each, from below.
/// @param account Account of the account node.
/// @param accountIndex Position of the account node.
/// @param upperSiblings Nodes beside the path above the account node.
struct LineProof {
    bytes line;
    uint32 position;
    bytes subtreeSiblings;
    uint32 account;
    uint32 accountIndex;
    bytes upperSiblings;
}

/// @notice The true leaf of a fill tree at the index of a reference: record and prefixes [Wh].
struct OrderProof {
    bytes16 record;
    uint48 prefix;
    uint48 labelPrefix;
    bytes32[] siblings;
}

/// @notice A true nomination; `entry` is empty where none is shown.
/// @param entry Preimage of the leaf but for its tag: account u32, slot u32, seq u32, wh.
struct NominationProof {
    uint32 batch;
    uint32 leaf;
    bytes entry;
    bytes32[] siblings;
}

/// @notice The true meter leaf of the line's account, product and slot.
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

/// @notice Everything from which a line follows.
/// @param orders One per reference, in their order.
/// @param retailPrices The reported vector of feed 0.
/// @param imbalancePrices The reported vector of feed 1.
struct LineEvidence {
    OrderProof[] orders;
    NominationProof nomination;
    MeterProof meter;
    bytes retailPrices;
    bytes imbalancePrices;
}

/// @notice State of proposed bills.
enum BillState {
    None,
    Open,
    Void,
    Final,
    Superseded
}

/// @notice What is done next with final bills.
enum Payout {
    None,
    Debits,
    Parties,
    Credits,
    Done
}

/// @notice Bills of a trading day.
/// @param commitment Hash of the root and its sums.
/// @param community Whose bills.
/// @param day Trading day.
/// @param proposer Account that put up the bond.
/// @param count Number of accounts.
/// @param proposedAt Start of the challenge window [unix s].
/// @param state Where they stand.
/// @param bond Deposit of the proposer [nano-token].
/// @param payout What is done next.
/// @param cursor Number of accounts already debited, or credited.
/// @param pot Money of the day that is in the contract's pot [nano-token].
/// @param retailClaim What members could not pay of their retail legs [nano-token].
/// @param operatorClaim What members could not pay of the rest [nano-token].
struct Bills {
    bytes32 commitment;
    uint32 community;
    uint32 day;
    uint32 proposer;
    uint32 count;
    uint40 proposedAt;
    BillState state;
    uint64 bond;
    Payout payout;
    uint32 cursor;
    uint64 pot;
    uint128 retailClaim;
    uint128 operatorClaim;
}

/// @notice A day's bills: proposed with a bond, open to challenges, paid in bulk.
interface ISettlement {
    /// @notice Bills of a day were proposed; anyone can check them against the published lines.
    /// @param sums Of the root: tradeWh, tradeMoney, retail, imbalance, gridFee, platformFee, lockRelease, debit.
    /// @param contentHash Hash of the published lines.
    event BillsProposed(
        uint32 indexed community,
        uint32 indexed day,
        uint256 indexed id,
        uint32 proposer,
        bytes32 root,
        int128[8] sums,
        uint32 count,
        bytes32 contentHash,
        uint64 bond
    );

    /// @notice A wrong line was shown.
    event BillsVoided(
        uint32 indexed community,
        uint32 indexed day,
        uint256 indexed id,
        uint32 challenger,
        uint32 account,
        uint32 position
    );

    /// @notice The bills stand, and the day's locks are in the pot.
    event BillsFinal(uint32 indexed community, uint32 indexed day, uint256 indexed id, uint256 released);

    /// @notice The bond of a proposer went back to it.
    event BondReturned(uint256 indexed id, uint32 proposer, uint64 bond);

    /// @notice Accounts from position `first` on were debited.
    /// @param entries Of those that owe, each: account u32, taken u64, retail claim u128, operator claim u128.
    event Debited(uint32 indexed community, uint32 indexed day, uint32 first, bytes entries);

    /// @notice Retailer, grid operator and platform were paid; negative: they paid [nano-token].
    event PartiesPaid(
        uint32 indexed community, uint32 indexed day, int256 retailer, int256 gridOperator, int256 platform
    );

    /// @notice Accounts from position `first` on were credited.
    /// @param entries Of those that receive, each: account u32, amount u64.
    event Credited(uint32 indexed community, uint32 indexed day, uint32 first, bytes entries);

    /// @notice The day has final bills.
    error DayFinal(uint32 community, uint32 day);
    /// @notice Bills of the day are not due before.
    error TooEarly(uint256 from);
    /// @notice Markets of the day were not cleared yet.
    error MarketsOpen(uint256 count);
    /// @notice Prices or meters of the day were not reported yet.
    error ReportsMissing(uint32 community, uint32 day);
    /// @notice The trades of the root do not cancel.
    error TradesNotZero(int128 wh, int128 money);
    /// @notice The root does not release exactly the day's locks.
    error LocksMismatch(int128 released, uint256 locked);
    /// @notice The caller is not the owner of the proposer's account.
    error NotProposer(uint32 account, address caller);
    /// @notice The proposer's free balance does not cover the bond.
    error BondNotCovered(uint32 account, uint256 bond);
    /// @notice The bills are in another state.
    error WrongState(uint256 id, BillState state);
    /// @notice The window for challenges has passed.
    error WindowClosed(uint256 id);
    /// @notice The next payment is of another kind.
    error WrongPayout(uint256 id, Payout next);
    /// @notice The nodes do not lead to the proposed root.
    error RootMismatch();
    /// @notice The evidence is not what the chain knows.
    error InvalidEvidence();
    /// @notice The line is right.
    error LineHolds();
    /// @notice A party cannot pay what it owes; it must deposit.
    error PartyUnfunded(uint32 account, uint256 need);

    /// @notice Proposes the bills of a day and puts up the bond from the proposer's free balance. Owner of it only.
    /// @param root Hash of the root of the bill tree.
    /// @param sums Sums of the root.
    /// @param count Number of accounts.
    /// @param contentHash Hash of the published lines.
    function proposeBills(
        uint32 community,
        uint32 day,
        uint32 proposer,
        bytes32 root,
        int128[8] calldata sums,
        uint32 count,
        bytes32 contentHash
    ) external returns (uint256 id);

    /// @notice Voids bills by a line that does not follow from the chain; half the bond goes to the challenger.
    /// @param challenger Account that receives the reward.
    function challengeLine(
        uint256 id,
        LineProof calldata proof,
        LineEvidence calldata evidence,
        uint32 challenger
    ) external;

    /// @notice Voids bills by a line of an account that has no meter leaf in that slot.
    /// @param neighbours The adjacent leaves between which its own would stand, one at either end of the accounts,
    /// none where the slot has no leaves.
    /// @param challenger Account that receives half of the bond.
    function challengeUnmetered(
        uint256 id,
        LineProof calldata proof,
        MeterNeighbour[] calldata neighbours,
        uint32 challenger
    ) external;

    /// @notice Makes bills final after their window and returns the bond.
    function finalise(uint256 id) external;

    /// @notice Returns the bond of bills that lost no challenge, once other bills of the day are final.
    function reclaimBond(uint256 id) external;

    /// @notice Debits the next accounts, as far as their funds go.
    /// @param nodes Account nodes, each: account u32, hash and sums of its subtree, 164 bytes.
    /// @param siblings Nodes beside the path from the chunk to the root, 160 bytes each, from below.
    function debit(uint256 id, bytes calldata nodes, bytes calldata siblings) external;

    /// @notice Pays retailer, grid operator and platform once all debits are in.
    function payParties(uint256 id, bytes32 root, int128[8] calldata sums) external;

    /// @notice Credits the next accounts.
    /// @param nodes As in `debit`.
    /// @param siblings As in `debit`.
    function credit(uint256 id, bytes calldata nodes, bytes calldata siblings) external;

    /// @notice Bills by number; numbers start at 1.
    function billsOf(uint256 id) external view returns (Bills memory);

    /// @notice Number of the final bills of a day, zero while there are none.
    function finalOf(uint32 community, uint32 day) external view returns (uint256 id);

    /// @notice Number of proposals, which is the highest.
    function proposalCount() external view returns (uint256);
}
