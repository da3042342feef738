// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICallAuction} from "../interfaces/ICallAuction.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {ICourt} from "../interfaces/ICourt.sol";
import {IOracle} from "../interfaces/IOracle.sol";
import {IPackagePrices} from "../interfaces/IPackagePrices.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {ISchedules} from "../interfaces/ISchedules.sol";
import {BillState, Bills, ISettlement, Payout} from "../interfaces/ISettlement.sol";
import {Amounts} from "../libraries/Amounts.sol";
import {BillTree} from "../libraries/BillTree.sol";
import {BillNode, Reason, pair} from "../types/Bills.sol";
import {Rules} from "../types/Rules.sol";
import {Court} from "./Court.sol";
import {WithoutBills} from "./WithoutBills.sol";

/// @title Settlement
/// @notice Bills of a day become final when nobody refutes them in time; then money moves once: debits, parties,
/// credits. See docs/proofs.md [5] to [7].
contract Settlement is WithoutBills {
    using BillTree for BillNode;

    IOracle private immutable _oracle;

    /// @inheritdoc ISettlement
    ICourt public immutable court;

    /// @inheritdoc ISettlement
    uint256 public proposalCount;

    mapping(uint256 id => Bills) private _bills;

    modifier onlyCourt() {
        if (msg.sender != address(court)) revert NotCourt(msg.sender);
        _;
    }

    /// @param accounts Must grant this contract and its court `Module.Settlement`.
    /// @param communities Rules of the bills.
    /// @param auction Fills.
    /// @param schedules Nominations.
    /// @param oracle Prices and meters.
    /// @param positions Trades of the other forms, and curtailments.
    /// @param packages Prices of homes, zero where there are none.
    constructor(
        IAccounts accounts,
        ICommunities communities,
        ICallAuction auction,
        ISchedules schedules,
        IOracle oracle,
        IPositions positions,
        IPackagePrices packages
    ) WithoutBills(accounts, communities, auction, positions) {
        _oracle = oracle;
        court = new Court(accounts, communities, auction, schedules, oracle, positions, packages);
    }

    /// @inheritdoc ISettlement
    function proposeBills(
        uint32 community,
        uint32 day,
        uint32 proposer,
        bytes32 root,
        int128[8] calldata sums,
        uint32 count,
        bytes32 contentHash
    ) external returns (uint256 id) {
        Rules memory rules = _checkDay(community, day);
        uint64 bond = rules.bond;
        // [5] Curtailed trades are rounded, so that both sides may differ.
        if ((sums[0] != 0 || sums[1] != 0) && _positions.curtailedSlots(community, day) == 0) {
            revert TradesNotZero(sums[0], sums[1]);
        }
        uint256 locked = _accounts.lockTotal(community, day);
        if (sums[6] != int256(locked)) revert LocksMismatch(sums[6], locked);
        // Without accounts there is no line that could refute the sums.
        if (count == 0 && (root != 0 || !_areZero(sums))) revert RootMismatch();
        if (_accounts.ownerOf(proposer) != msg.sender) revert NotProposer(proposer, msg.sender);

        id = ++proposalCount;
        Bills storage bills = _bills[id];
        bills.commitment = _rootNode(root, sums).commitment();
        bills.community = community;
        bills.day = day;
        bills.proposer = proposer;
        bills.count = count;
        bills.closesAt = uint40(block.timestamp + rules.billWindow);
        bills.state = BillState.Open;
        bills.bond = bond;
        ++_days[community][day].open;
        emit BillsProposed(community, day, id, proposer, root, sums, count, contentHash, bond);
        if (_debit(proposer, bond) != bond) revert BondNotCovered(proposer, bond);
    }

    /// @inheritdoc ISettlement
    function voidBills(uint256 id, uint32 challenger, Reason reason) external onlyCourt {
        Bills storage bills = _inState(id, BillState.Open);
        _end(bills, BillState.Void);
        // [6] The rest is lost, so that challenging oneself costs as well.
        uint64 reward = bills.bond / 2;
        emit BillsVoided(bills.community, bills.day, id, challenger, reason);
        _credit(challenger, reward);
        _accounts.reserveFromPot(bills.bond - reward);
    }

    /// @inheritdoc ISettlement
    function restartWindow(uint256 id) external onlyCourt {
        Bills storage bills = _inState(id, BillState.Open);
        uint256 until = block.timestamp + _communities.rulesAt(bills.community, bills.day).billWindow;
        bills.closesAt = uint40(until);
        emit WindowRestarted(id, until);
    }

    /// @inheritdoc ISettlement
    function finalise(uint256 id) external {
        Bills storage bills = _inState(id, BillState.Open);
        (uint32 community, uint32 day) = (bills.community, bills.day);
        _requireUnsettled(community, day);
        if (block.timestamp < bills.closesAt) revert TooEarly(bills.closesAt);
        uint256 demands = court.openDemands(id);
        if (demands != 0) revert DemandsOpen(id, demands);

        _end(bills, BillState.Final);
        bills.payout = bills.count == 0 ? Payout.Parties : Payout.Debits;
        // Numbers of proposals are far below 2**128.
        _days[community][day].finalId = uint128(id);
        uint256 released = _accounts.releaseLocks(community, day);
        // All money is below 2**62.
        bills.pot = uint64(released);
        emit BillsFinal(community, day, id, released);
        _returnBond(id, bills);
    }

    /// @inheritdoc ISettlement
    function reclaimBond(uint256 id) external {
        Bills storage bills = _inState(id, BillState.Open);
        if (finalOf(bills.community, bills.day) == 0) revert WrongState(id, BillState.Open);
        if (block.timestamp < bills.closesAt) revert TooEarly(bills.closesAt);
        _end(bills, BillState.Superseded);
        _returnBond(id, bills);
    }

    /// @inheritdoc ISettlement
    function debit(uint256 id, bytes calldata entries, bytes calldata proof) external {
        Bills storage bills = _paying(id, Payout.Debits);
        (uint256 first, uint256 count) = (bills.cursor, bills.count);
        if (BillTree.commitmentOf(entries, first, count, proof) != bills.commitment) revert RootMismatch();
        (bytes memory amounts, uint256 debits, int256 dues) = BillTree.debitsOf(entries);
        uint256 cursor = first + BillTree.entriesIn(entries);
        // [5] Fewer than 2**32 dues of 128 bits.
        (bills.cursor, bills.dues) = (uint32(cursor), int160(bills.dues + dues));
        if (cursor == count) bills.payout = Payout.Parties;
        if (dues != int256(debits)) bills.credits = _linkCredits(bills.credits, entries);
        bytes memory taken = _accounts.debit(amounts);
        bytes memory claims;
        // Where all gave what was asked, nothing is missing, as no account holds 2**64; and all money is below 2**62.
        if (keccak256(taken) != keccak256(amounts)) (debits, claims) = _claim(bills, entries, taken);
        bills.pot += uint64(debits);
        emit Debited(bills.community, bills.day, uint32(first), taken, claims);
    }

    /// @inheritdoc ISettlement
    function payParties(uint256 id, bytes32 root, int128[8] calldata sums) external {
        Bills storage bills = _paying(id, Payout.Parties);
        BillNode memory node = _rootNode(root, sums);
        if (node.commitment() != bills.commitment) revert RootMismatch();
        // [5] Nobody added up the sums on the way to the root.
        if (bills.dues != node.due()) revert DuesMismatch(node.due(), bills.dues);
        Rules memory rules = _communities.rulesAt(bills.community, bills.day);
        bills.payout = bills.credits == 0 ? Payout.Done : Payout.Credits;
        uint32[3] memory parties = [rules.retailer, rules.gridOperator, rules.platform];
        int256[3] memory amounts = [
            sums[2] - int256(uint256(bills.retailClaim)),
            int256(sums[1]) + sums[3] + sums[4] - int256(uint256(bills.operatorClaim)),
            int256(sums[5])
        ];
        uint64 pot = bills.pot;
        for (uint256 i = 0; i < 3; ++i) {
            if (amounts[i] >= 0) continue;
            uint64 nano = _toNano(-amounts[i]);
            if (_debit(parties[i], nano) != nano) revert PartyUnfunded(parties[i], nano);
            pot += nano;
        }
        for (uint256 i = 0; i < 3; ++i) {
            if (amounts[i] <= 0) continue;
            uint64 nano = _toNano(amounts[i]);
            pot -= nano;
            _credit(parties[i], nano);
        }
        bills.pot = pot;
        emit PartiesPaid(bills.community, bills.day, amounts[0], amounts[1], amounts[2]);
    }

    /// @inheritdoc ISettlement
    function credit(uint256 id, bytes32 before, bytes calldata entries) external {
        Bills storage bills = _paying(id, Payout.Credits);
        uint64 total = 0;
        uint256 count = Amounts.count(entries);
        bytes32 chain = before;
        for (uint256 i = 0; i < count; ++i) {
            (uint32 account, uint256 nano) = Amounts.get(entries, i);
            chain = Amounts.link(chain, account, uint64(nano));
            total += uint64(nano);
        }
        if (chain != bills.credits) revert CreditsMismatch(bills.credits, chain);
        bills.credits = before;
        if (before == 0) bills.payout = Payout.Done;
        bills.pot -= total;
        _accounts.credit(entries);
        emit Credited(bills.community, bills.day, entries);
    }

    /// @inheritdoc ISettlement
    function billsOf(uint256 id) external view returns (Bills memory) {
        return _bills[id];
    }

    /// @inheritdoc ISettlement
    function finalOf(uint32 community, uint32 day) public view returns (uint256 id) {
        return _days[community][day].finalId;
    }

    /// @dev Records what was not taken and of whom it is claimed; returns what was taken of all.
    function _claim(Bills storage bills, bytes calldata entries, bytes memory taken)
        private
        returns (uint256 total, bytes memory claims)
    {
        uint256 length = BillTree.entriesIn(entries);
        claims = Amounts.newClaims(length);
        (uint256 owing, uint256 retailClaims, uint256 operatorClaims) = (0, 0, 0);
        // What was taken is at most the debit, which is below 2**127, of fewer than 2**32 accounts.
        unchecked {
            for (uint256 i = 0; i < length; ++i) {
                (uint32 account, int256 due) = BillTree.entryOf(entries, i);
                if (due <= 0) continue;
                uint256 nano = Amounts.moneyOf(taken, owing++);
                total += nano;
                uint256 missing = uint256(due) - nano;
                if (missing == 0) continue;
                // [7] The retailer bears what its own leg adds to the bill, the operator the rest.
                int256 retail = BillTree.retailOf(entries, i);
                uint256 retailClaim = retail > 0 ? Math.min(missing, uint256(retail)) : 0;
                Amounts.pushClaim(claims, account, uint128(retailClaim), uint128(missing - retailClaim));
                retailClaims += retailClaim;
                operatorClaims += missing - retailClaim;
            }
        }
        // [5] Dues that nobody refuted may be false, and their sum larger.
        bills.retailClaim += SafeCast.toUint128(retailClaims);
        bills.operatorClaim += SafeCast.toUint128(operatorClaims);
    }

    function _returnBond(uint256 id, Bills storage bills) private {
        emit BondReturned(id, bills.proposer, bills.bond);
        _credit(bills.proposer, bills.bond);
    }

    /// @dev No proposal of the day is open any more because of these bills.
    function _end(Bills storage bills, BillState state) private {
        bills.state = state;
        --_days[bills.community][bills.day].open;
    }

    /// @dev The day can be billed, by these rules.
    function _checkDay(uint32 community, uint32 day) private view returns (Rules memory rules) {
        rules = _communities.rulesAt(community, day);
        uint256 from = _billsFrom(rules, day);
        if (block.timestamp < from) revert TooEarly(from);
        _requireUnsettled(community, day);
        uint256 open = _auction.openMarkets(community, day);
        if (open != 0) revert MarketsOpen(open);
        if (!_oracle.isComplete(community, day)) revert ReportsMissing(community, day);
    }

    function _requireUnsettled(uint32 community, uint32 day) private view {
        if (finalOf(community, day) != 0) revert DayFinal(community, day);
        if (_days[community][day].alone) revert DaySettledAlone(community, day);
    }

    function _areZero(int128[8] calldata sums) private pure returns (bool) {
        for (uint256 i = 0; i < 8; ++i) {
            if (sums[i] != 0) return false;
        }
        return true;
    }

    function _paying(uint256 id, Payout kind) private view returns (Bills storage bills) {
        bills = _inState(id, BillState.Final);
        if (bills.payout != kind) revert WrongPayout(id, bills.payout);
    }

    function _inState(uint256 id, BillState state) private view returns (Bills storage bills) {
        bills = _bills[id];
        if (bills.state != state) revert WrongState(id, bills.state);
    }

    function _rootNode(bytes32 root, int128[8] calldata sums) private pure returns (BillNode memory) {
        return BillNode(
            root,
            pair(sums[0], sums[1]),
            pair(sums[2], sums[3]),
            pair(sums[4], sums[5]),
            pair(sums[6], sums[7])
        );
    }

    function _debit(uint32 account, uint64 nano) private returns (uint64) {
        return Amounts.moneyOf(_accounts.debit(abi.encodePacked(account, nano)), 0);
    }

    function _credit(uint32 account, uint64 nano) private {
        _accounts.credit(abi.encodePacked(account, nano));
    }

    /// @dev The chain of credits with those of a chunk.
    function _linkCredits(bytes32 chain, bytes calldata entries) private pure returns (bytes32) {
        uint256 length = BillTree.entriesIn(entries);
        for (uint256 i = 0; i < length; ++i) {
            (uint32 account, int256 due) = BillTree.entryOf(entries, i);
            if (due < 0) chain = Amounts.link(chain, account, _toNano(-due));
        }
        return chain;
    }

    /// @dev Money is below 2**62; more would be a bill that nobody can pay.
    function _toNano(int256 nano) private pure returns (uint64) {
        if (nano > int256(uint256(type(uint64).max))) revert BeyondAllMoney(nano);
        return uint64(uint256(nano));
    }
}
