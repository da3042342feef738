// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICallAuction, Result} from "../interfaces/ICallAuction.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {ICourt} from "../interfaces/ICourt.sol";
import {IOracle} from "../interfaces/IOracle.sol";
import {IPackagePrices} from "../interfaces/IPackagePrices.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {ISchedules} from "../interfaces/ISchedules.sol";
import {BillState, Bills, ISettlement} from "../interfaces/ISettlement.sol";
import {Amounts} from "../libraries/Amounts.sol";
import {BillPath, Opening, Stage} from "../libraries/BillPath.sol";
import {Records} from "../libraries/Records.sol";
import {Billed, Trades} from "../libraries/Trades.sol";
import {BillNode, Line, ORDER, POSITION, Reason, Reference} from "../types/Bills.sol";
import {
    LineEvidence,
    MeterNeighbour,
    MeterProof,
    OrderProof,
    Path,
    PositionProof,
    ReferenceEvidence
} from "../types/Evidence.sol";
import {Market, marketOf} from "../types/Market.sol";
import {PositionChain} from "../types/Position.sol";
import {LineCheck} from "./LineCheck.sol";

/// @title Court
/// @notice Judges challenges of proposed bills for the settlement that created it.
contract Court is LineCheck {
    using BillPath for Path;

    /// @dev A demand to see a node; its state is `answered` or open while there is a demander.
    struct Demand {
        uint32 demander;
        uint64 bond;
        uint40 until;
        Stage stage;
        bool closed;
    }

    /// @dev A demand costs this part of the bond of the bills.
    uint64 private constant DEMAND_SHARE = 16;

    ISettlement private immutable _settlement;
    IAccounts private immutable _accounts;
    ICallAuction private immutable _auction;

    /// @inheritdoc ICourt
    mapping(uint256 id => uint256) public openDemands;

    mapping(uint256 id => mapping(bytes32 hash => Demand)) private _demands;

    /// @dev Created by the settlement whose bills it judges; must be granted `Module.Settlement` for the bonds of demands.
    constructor(
        IAccounts accounts,
        ICommunities communities,
        ICallAuction auction,
        ISchedules schedules,
        IOracle oracle,
        IPositions positions,
        IPackagePrices packages
    ) LineCheck(communities, schedules, oracle, positions, packages) {
        _settlement = ISettlement(msg.sender);
        _accounts = accounts;
        _auction = auction;
    }

    /// @inheritdoc ICourt
    function challengeLine(uint256 id, Path calldata path, LineEvidence calldata evidence, uint32 challenger)
        external
    {
        (Bills memory bills, Day memory day) = _judged(id);
        Opening memory opening = _walkBelow(Stage.Line, path, bills, day);
        if (!_isWrong(day, opening.account, path.position, opening.line, evidence)) revert ClaimHolds();
        _settlement.voidBills(id, challenger, Reason.Line);
    }

    /// @inheritdoc ICourt
    function challengeReference(
        uint256 id,
        Path calldata path,
        ReferenceEvidence calldata evidence,
        uint32 challenger
    ) external {
        (Bills memory bills, Day memory day) = _judged(id);
        Opening memory opening = _walkToReference(path, bills, day);
        if (_isRight(day, opening, evidence)) revert ClaimHolds();
        _settlement.voidBills(id, challenger, Reason.Reference);
    }

    /// @inheritdoc ICourt
    function challengeOrder(uint256 id, Path calldata first, Path calldata second, uint32 challenger)
        external
    {
        (Bills memory bills, Day memory day) = _judged(id);
        Opening memory left = _walkBelow(Stage.Account, first, bills, day);
        if (_accounts.communityOf(left.account) == bills.community) {
            Opening memory right = _walkBelow(Stage.Account, second, bills, day);
            if (second.accountIndex != first.accountIndex) {
                if (second.accountIndex != uint256(first.accountIndex) + 1) revert InvalidEvidence();
                if (left.account < right.account) revert ClaimHolds();
            } else {
                if (
                    second.position != first.position || second.refIndex != uint256(first.refIndex) + 1
                        || !_hasReference(left) || !_hasReference(right)
                ) revert InvalidEvidence();
                if (left.opened.key() < right.opened.key()) revert ClaimHolds();
            }
        }
        _settlement.voidBills(id, challenger, Reason.Order);
    }

    /// @inheritdoc ICourt
    function challengeAbsent(
        uint256 id,
        Path[] calldata paths,
        uint32 account,
        uint8 product,
        uint32 slot,
        MeterProof calldata meter,
        uint32 challenger
    ) external {
        (Bills memory bills, Day memory day) = _judged(id);
        (bool exists, uint256 position) = _placeOf(day, product, slot);
        if (!exists || _accounts.communityOf(account) != bills.community) revert InvalidEvidence();
        _requireMeter(bills.community, product, slot, account, meter);
        if (!_isAbsent(bills, day, paths, account, position)) revert ClaimHolds();
        _settlement.voidBills(id, challenger, Reason.Absent);
    }

    /// @inheritdoc ICourt
    function challengeUnmetered(
        uint256 id,
        Path calldata path,
        MeterNeighbour[] calldata neighbours,
        uint32 challenger
    ) external {
        (Bills memory bills, Day memory day) = _judged(id);
        Opening memory opening = _walkBelow(Stage.Line, path, bills, day);
        if (!_isUnmetered(bills.community, opening.line, neighbours)) revert ClaimHolds();
        _settlement.voidBills(id, challenger, Reason.Unmetered);
    }

    /// @inheritdoc ICourt
    function challengeSum(uint256 id, Path calldata path, bytes calldata preimage, uint32 challenger)
        external
    {
        (Bills memory bills, Day memory day) = _judged(id);
        Opening memory opening = _walk(path, bills, day);
        Stage stage = opening.stage;
        if (stage == Stage.End) revert InvalidEvidence();
        BillNode memory claimed = opening.claimed;
        if (claimed.hash == 0) {
            bool mayBeEmpty = stage == Stage.Subtree || stage == Stage.Line;
            if (mayBeEmpty && claimed.trade | claimed.legs | claimed.fees | claimed.settled == 0) {
                revert ClaimHolds();
            }
        } else {
            if (BillPath.hashOf(preimage) != claimed.hash) revert InvalidEvidence();
            if (BillPath.isOfKind(stage, preimage) && BillPath.isSum(stage, claimed, preimage)) {
                revert ClaimHolds();
            }
        }
        _settlement.voidBills(id, challenger, Reason.Sum);
    }

    /// @inheritdoc ICourt
    function demand(uint256 id, Path calldata path, uint32 demander) external {
        (Bills memory bills, Day memory day) = _judged(id);
        if (_accounts.ownerOf(demander) != msg.sender) revert NotDemander(demander, msg.sender);
        Opening memory opening = _walk(path, bills, day);
        bytes32 hash = opening.claimed.hash;
        Demand storage made = _demands[id][hash];
        if (opening.stage == Stage.End || hash == 0 || made.demander != 0) revert NotDemandable(hash);
        uint64 bond = bills.bond / DEMAND_SHARE;
        uint256 until = block.timestamp + day.rules.billWindow;
        (made.demander, made.bond, made.until) = (demander, bond, uint40(until));
        made.stage = opening.stage;
        ++openDemands[id];
        emit Demanded(id, hash, demander, bond, until);
        bytes memory taken = _accounts.debit(abi.encodePacked(demander, bond));
        if (Amounts.moneyOf(taken, 0) != bond) revert BondNotCovered(demander, bond);
    }

    /// @inheritdoc ICourt
    function answer(uint256 id, bytes calldata preimage, uint32 answerer) external {
        if (_settlement.billsOf(id).state != BillState.Open) revert NotOpen(id);
        bytes32 hash = BillPath.hashOf(preimage);
        Demand storage made = _openDemand(id, hash);
        if (!BillPath.isOfKind(made.stage, preimage)) revert MalformedAnswer();
        uint64 bond = made.bond;
        made.closed = true;
        --openDemands[id];
        emit Answered(id, hash, preimage, answerer);
        _settlement.restartWindow(id);
        // [6] The rest is lost, so that answering oneself costs as well.
        uint64 reward = bond / 2;
        _accounts.credit(abi.encodePacked(answerer, reward));
        _accounts.reserveFromPot(bond - reward);
    }

    /// @inheritdoc ICourt
    function expire(uint256 id, bytes32 hash) external {
        Demand storage made = _openDemand(id, hash);
        bool open = _settlement.billsOf(id).state == BillState.Open;
        if (open && block.timestamp < made.until) revert TooEarly(made.until);
        made.closed = true;
        --openDemands[id];
        emit DemandReturned(id, hash, made.demander, made.bond);
        _accounts.credit(abi.encodePacked(made.demander, made.bond));
        if (open) _settlement.voidBills(id, made.demander, Reason.Withheld);
    }

    /// @dev True if the reference and the sums claimed for it are those of a record of the line's account and slot.
    function _isRight(Day memory day, Opening memory opening, ReferenceEvidence calldata evidence)
        private
        view
        returns (bool)
    {
        Line memory line = opening.line;
        Reference ref = opening.opened;
        uint256 permille = _positions.remaining(day.community, line.product, line.slot);
        bool exists;
        Billed memory trade;
        if (ref.kind() == ORDER) {
            (exists, trade) = _order(day, line, ref, evidence.order, permille);
        } else if (ref.kind() == POSITION) {
            (exists, trade) = _position(day, line, ref, evidence.position, permille);
        }
        if (!exists || trade.wh != ref.fill()) return false;
        BillNode memory claimed = opening.claimed;
        BillNode memory sums = trade.sums(day.rules);
        return claimed.trade == sums.trade && claimed.legs == 0 && claimed.fees == sums.fees
            && claimed.settled == sums.settled;
    }

    /// @dev The order of a reference; it does not exist beyond the market's count or if it is of another account.
    function _order(
        Day memory day,
        Line memory line,
        Reference ref,
        OrderProof calldata proof,
        uint256 permille
    ) private view returns (bool exists, Billed memory trade) {
        if (ref.chain() > type(uint8).max) return (false, trade);
        Market market = marketOf(day.community, line.product, line.slot, uint8(ref.chain()));
        // Only the number of orders matters here.
        // slither-disable-next-line unused-return
        (uint32 count,) = _auction.statusOf(market);
        if (ref.index() >= count) return (false, trade);
        Result memory result = _auction.resultOf(market);
        if (!Records.isOrder(proof, ref.index(), count, result.root)) revert InvalidEvidence();
        trade = Trades.ofOrder(proof, result, day.rules, permille);
        exists = Records.recordOf(proof).account() == line.account;
    }

    /// @dev The position of a reference in its slot; it does not exist beyond the chain's count or without energy there.
    function _position(
        Day memory day,
        Line memory line,
        Reference ref,
        PositionProof calldata proof,
        uint256 permille
    ) private view returns (bool exists, Billed memory trade) {
        if (ref.chain() != 0) return (false, trade);
        PositionChain chain = _positions.chainOf(day.community, line.product, line.account, day.day);
        if (ref.index() >= chain.count()) return (false, trade);
        if (!Records.isPosition(proof, ref.index(), chain)) revert InvalidEvidence();
        trade = Trades.ofPosition(proof.record, line.slot, day.rules, permille);
        exists = trade.lock != 0;
    }

    /// @dev True if the account's place is empty, or there is no place for it.
    function _isAbsent(
        Bills memory bills,
        Day memory day,
        Path[] calldata paths,
        uint32 account,
        uint256 position
    ) private pure returns (bool) {
        if (paths.length == 0) return bills.count == 0;
        if (paths.length > 2) revert InvalidEvidence();
        Path calldata first = paths[0];
        Opening memory left = _walkBelow(Stage.Account, first, bills, day);
        if (paths.length == 2) {
            Opening memory right = _walkBelow(Stage.Account, paths[1], bills, day);
            return uint256(first.accountIndex) + 1 == paths[1].accountIndex && left.account < account
                && account < right.account;
        }
        if (left.account == account) {
            return first.position == position && left.claimed.hash == 0
                && (left.stage == Stage.Subtree || left.stage == Stage.Line);
        }
        return (first.accountIndex == 0 && account < left.account)
            || (uint256(first.accountIndex) + 1 == bills.count && account > left.account);
    }

    /// @dev Open bills within their window and their day.
    function _judged(uint256 id) private view returns (Bills memory bills, Day memory day) {
        bills = _settlement.billsOf(id);
        if (bills.state != BillState.Open) revert NotOpen(id);
        if (block.timestamp >= bills.closesAt) revert WindowClosed(id);
        day = _dayOf(bills.community, bills.day);
    }

    function _openDemand(uint256 id, bytes32 hash) private view returns (Demand storage made) {
        made = _demands[id][hash];
        if (made.demander == 0 || made.closed) revert NotDemanded(id, hash);
    }

    function _walk(Path calldata path, Bills memory bills, Day memory day)
        private
        pure
        returns (Opening memory)
    {
        return path.walk(bills.commitment, bills.count, day.depth);
    }

    /// @dev A path that goes on below the nodes of a stage.
    function _walkBelow(Stage stage, Path calldata path, Bills memory bills, Day memory day)
        private
        pure
        returns (Opening memory opening)
    {
        opening = _walk(path, bills, day);
        if (opening.stage <= stage) revert InvalidEvidence();
    }

    function _walkToReference(Path calldata path, Bills memory bills, Day memory day)
        private
        pure
        returns (Opening memory opening)
    {
        opening = _walk(path, bills, day);
        if (!_hasReference(opening)) revert InvalidEvidence();
    }

    function _hasReference(Opening memory opening) private pure returns (bool) {
        return opening.stage == Stage.End && opening.line.refCount != 0;
    }
}
