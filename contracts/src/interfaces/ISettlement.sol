// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Reason} from "../types/Bills.sol";
import {OrderProof, PositionProof} from "../types/Evidence.sol";
import {Market} from "../types/Market.sol";
import {ICourt} from "./ICourt.sol";

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
/// @param closesAt End of the challenge window [unix s].
/// @param state Where they stand.
/// @param bond Deposit of the proposer [nano-token].
/// @param payout What is done next.
/// @param cursor Number of accounts already debited.
/// @param pot Money of the day that is in the contract's pot [nano-token].
/// @param dues Sum of what the accounts owe that were debited, credits negative [nano-token].
/// @param retailClaim What members could not pay of their retail legs [nano-token].
/// @param operatorClaim What members could not pay of the rest [nano-token].
/// @param credits Hash chain of what is still to be credited, zero without any.
struct Bills {
    bytes32 commitment;
    uint32 community;
    uint32 day;
    uint32 proposer;
    uint32 count;
    uint40 closesAt;
    BillState state;
    uint64 bond;
    Payout payout;
    uint32 cursor;
    uint64 pot;
    int160 dues;
    uint128 retailClaim;
    uint128 operatorClaim;
    bytes32 credits;
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

    /// @notice The bills were refuted; half of the bond went to the challenger, the rest to the reserve.
    event BillsVoided(
        uint32 indexed community, uint32 indexed day, uint256 indexed id, uint32 challenger, Reason reason
    );

    /// @notice The window for challenges ends later, as a demanded node was shown.
    event WindowRestarted(uint256 indexed id, uint256 closesAt);

    /// @notice The bills stand, and the day's locks are in the pot.
    event BillsFinal(uint32 indexed community, uint32 indexed day, uint256 indexed id, uint256 released);

    /// @notice The bond of a proposer went back to it.
    event BondReturned(uint256 indexed id, uint32 proposer, uint64 bond);

    /// @notice Accounts from position `first` on were debited.
    /// @param entries Of those that owe, each: account u32, taken u64.
    /// @param claims Of those that owe more than was taken, each: account u32, retailer's claim u128, operator's u128.
    event Debited(uint32 indexed community, uint32 indexed day, uint32 first, bytes entries, bytes claims);

    /// @notice Retailer, grid operator and platform were paid; negative: they paid [nano-token].
    event PartiesPaid(
        uint32 indexed community, uint32 indexed day, int256 retailer, int256 gridOperator, int256 platform
    );

    /// @notice Accounts were credited.
    /// @param entries Each: account u32, amount u64.
    event Credited(uint32 indexed community, uint32 indexed day, bytes entries);

    /// @notice Nobody billed the day; its locks are in the pot, from which every trade is paid as delivered.
    event SettledAlone(uint32 indexed community, uint32 indexed day, uint256 released);

    /// @notice Records of such a day were paid.
    /// @param entries Each: account u32, amount u64.
    event PaidAlone(uint32 indexed community, uint32 indexed day, bytes entries);

    /// @notice The day has final bills.
    error DayFinal(uint32 community, uint32 day);
    /// @notice Bills of the day are not due before.
    error TooEarly(uint256 from);
    /// @notice Markets of the day were not cleared yet.
    error MarketsOpen(uint256 count);
    /// @notice Prices or meters of the day were not reported yet.
    error ReportsMissing(uint32 community, uint32 day);
    /// @notice The trades of the root do not cancel, though no slot was curtailed.
    error TradesNotZero(int128 wh, int128 money);
    /// @notice The root does not release exactly the day's locks.
    error LocksMismatch(int128 released, uint256 locked);
    /// @notice The caller is not the owner of the proposer's account.
    error NotProposer(uint32 account, address caller);
    /// @notice The proposer's free balance does not cover the bond.
    error BondNotCovered(uint32 account, uint256 bond);
    /// @notice The bills are in another state.
    error WrongState(uint256 id, BillState state);
    /// @notice Demands to see nodes of the bills are open.
    error DemandsOpen(uint256 id, uint256 count);
    /// @notice Bills of the day are proposed; they must end first.
    error ProposalsOpen(uint256 count);
    /// @notice The day was settled without bills.
    error DaySettledAlone(uint32 community, uint32 day);
    /// @notice The day was not settled without bills.
    error NotSettledAlone(uint32 community, uint32 day);
    /// @notice The caller is not the court.
    error NotCourt(address caller);
    /// @notice The next payment is of another kind.
    error WrongPayout(uint256 id, Payout next);
    /// @notice The nodes do not lead to the proposed root.
    error RootMismatch();
    /// @notice What the accounts owe does not add up to what the root says.
    error DuesMismatch(int256 expected, int256 actual);
    /// @notice A bill pays more than there can be money.
    error BeyondAllMoney(int256 nano);
    /// @notice These are not the last credits that are still to be paid.
    error CreditsMismatch(bytes32 expected, bytes32 actual);
    /// @notice The evidence is not what the chain knows.
    error InvalidEvidence();
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

    /// @notice Voids bills; half the bond goes to the challenger. Court only.
    /// @param challenger Account that receives the reward.
    function voidBills(uint256 id, uint32 challenger, Reason reason) external;

    /// @notice Lets the window of open bills begin anew. Court only.
    function restartWindow(uint256 id) external;

    /// @notice Makes bills final after their window, when no demand is open, and returns the bond.
    function finalise(uint256 id) external;

    /// @notice Returns the bond of bills that lost no challenge, once other bills of the day are final.
    function reclaimBond(uint256 id) external;

    /// @notice Debits the next accounts, as far as their funds go, and notes what others are to be credited:
    /// `credits = keccak(credits, account u32, amount u64)` for each.
    /// @param entries Account nodes, each: account u32, due i128, retail i128, commitment to the root of its subtree,
    /// 68 bytes.
    /// @param proof Of every node that joins two of the chunk, level by level: the hash of both's sums; of every node above
    /// the chunk: hash of the sibling and the hash of both's sums; the root's sums.
    function debit(uint256 id, bytes calldata entries, bytes calldata proof) external;

    /// @notice Pays retailer, grid operator and platform once all debits are in and add up to what the root says.
    function payParties(uint256 id, bytes32 root, int128[8] calldata sums) external;

    /// @notice Credits accounts, the last ones first.
    /// @param before What `credits` of the bills was before the first of them was noted.
    /// @param entries Any number of them in the order of the bills, each: account u32, amount u64.
    function credit(uint256 id, bytes32 before, bytes calldata entries) external;

    /// @notice Ends a day that has no final bills 14 days after they were due: its locks move to the pot, and every trade
    /// counts as delivered. Not while bills are proposed.
    function settleAlone(uint32 community, uint32 day) external;

    /// @notice Pays orders of such a day; those that were paid are passed over.
    /// @param indices Of the records in the market, one per proof.
    function settleAloneOrders(Market market, uint32[] calldata indices, OrderProof[] calldata proofs)
        external;

    /// @notice Pays positions of an account of such a day; those that were paid are passed over.
    /// @param indices Of the records among the account's positions of product and day, one per proof.
    function settleAlonePositions(
        uint32 community,
        uint8 product,
        uint32 account,
        uint32 day,
        uint32[] calldata indices,
        PositionProof[] calldata proofs
    ) external;

    /// @notice True for a day that was settled without bills, and what is left in its pot [nano-token].
    function aloneOf(uint32 community, uint32 day) external view returns (bool alone, uint256 pot);

    /// @notice Judge of the challenges.
    function court() external view returns (ICourt);

    /// @notice Bills by number; numbers start at 1.
    function billsOf(uint256 id) external view returns (Bills memory);

    /// @notice Number of the final bills of a day, zero while there are none.
    function finalOf(uint32 community, uint32 day) external view returns (uint256 id);

    /// @notice Number of proposals, which is the highest.
    function proposalCount() external view returns (uint256);
}
