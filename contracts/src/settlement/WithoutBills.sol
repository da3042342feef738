// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICallAuction, Result} from "../interfaces/ICallAuction.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Amounts} from "../libraries/Amounts.sol";
import {Records} from "../libraries/Records.sol";
import {Billed, Trades} from "../libraries/Trades.sol";
import {high, low} from "../types/Bills.sol";
import {OrderProof, PositionProof} from "../types/Evidence.sol";
import {Market} from "../types/Market.sol";
import {PositionChain} from "../types/Position.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";

/// @title WithoutBills
/// @notice Ends a day that nobody could bill: every trade counts as delivered, see docs/proofs.md [9].
abstract contract WithoutBills is ISettlement {
    /// @dev Where the bills of a day stand.
    struct DayState {
        uint128 finalId;
        uint32 open;
        bool alone;
        uint64 pot;
    }

    /// @dev What one record brings to its account and the parties [nano-token].
    struct Share {
        uint256 own;
        uint256 grid;
        uint256 platform;
    }

    /// @dev How long bills may come after they are due.
    uint256 private constant PATIENCE = 14 days;
    uint256 private constant WHOLE = 1000;

    IAccounts internal immutable _accounts;
    ICommunities internal immutable _communities;
    ICallAuction internal immutable _auction;
    IPositions internal immutable _positions;

    mapping(uint32 community => mapping(uint32 day => DayState)) internal _days;

    /// @dev Bits of the records that are settled, 256 of a market or of an account's positions to a word.
    mapping(bytes32 records => uint256) private _settled;

    constructor(IAccounts accounts, ICommunities communities, ICallAuction auction, IPositions positions) {
        _accounts = accounts;
        _communities = communities;
        _auction = auction;
        _positions = positions;
    }

    /// @inheritdoc ISettlement
    function settleAlone(uint32 community, uint32 day) external {
        uint256 from = _billsFrom(_communities.rulesAt(community, day), day) + PATIENCE;
        if (block.timestamp < from) revert TooEarly(from);
        DayState storage state = _days[community][day];
        if (state.finalId != 0) revert DayFinal(community, day);
        if (state.alone) revert DaySettledAlone(community, day);
        if (state.open != 0) revert ProposalsOpen(state.open);
        state.alone = true;
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        uint256 released = _accounts.releaseLocks(community, day);
        // All money is below 2**62.
        state.pot = uint64(released);
        emit SettledAlone(community, day, released);
    }

    /// @inheritdoc ISettlement
    function settleAloneOrders(Market market, uint32[] calldata indices, OrderProof[] calldata proofs)
        external
    {
        uint32 community = market.community();
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        uint32 day = uint32(dayOf(market.slot(), slotSeconds, utcOffset));
        Rules memory rules = _aloneRules(community, day, indices.length, proofs.length);
        Result memory result = _auction.resultOf(market);
        // Only the number of orders matters here.
        // slither-disable-next-line unused-return
        (uint32 count,) = _auction.statusOf(market);
        uint256 permille = _positions.remaining(community, market.product(), market.slot());
        bytes memory amounts = Amounts.newList(indices.length + 2);
        Share memory total;
        uint256 pot = _days[community][day].pot;
        for (uint256 i = 0; i < indices.length; ++i) {
            if (!Records.isOrder(proofs[i], indices[i], count, result.root)) revert InvalidEvidence();
            if (!_mark(keccak256(abi.encode(market, indices[i] >> 8)), indices[i])) continue;
            Billed memory trade = Trades.ofOrder(proofs[i], result, rules, permille);
            Share memory share;
            _add(share, trade, rules);
            pot = _give(amounts, Records.recordOf(proofs[i]).account(), share.own, pot);
            total.grid += share.grid;
            total.platform += share.platform;
        }
        _pay(community, day, rules, amounts, total, pot);
    }

    /// @inheritdoc ISettlement
    function settleAlonePositions(
        uint32 community,
        uint8 product,
        uint32 account,
        uint32 day,
        uint32[] calldata indices,
        PositionProof[] calldata proofs
    ) external {
        Rules memory rules = _aloneRules(community, day, indices.length, proofs.length);
        PositionChain chain = _positions.chainOf(community, product, account, day);
        bool curtailed = _positions.curtailedSlots(community, day) != 0;
        Share memory total;
        for (uint256 i = 0; i < indices.length; ++i) {
            if (!Records.isPosition(proofs[i], indices[i], chain)) revert InvalidEvidence();
            bytes32 word = keccak256(abi.encode(community, product, account, day, indices[i] >> 8));
            if (!_mark(word, indices[i])) continue;
            bytes calldata record = proofs[i].record;
            uint256 slot = Trades.firstSlot(record);
            for (uint256 end = slot + Trades.slots(record); slot < end; ++slot) {
                uint256 permille = curtailed ? _positions.remaining(community, product, uint32(slot)) : WHOLE;
                _add(total, Trades.ofPosition(record, slot, rules, permille), rules);
            }
        }
        bytes memory amounts = Amounts.newList(3);
        uint256 pot = _give(amounts, account, total.own, _days[community][day].pot);
        _pay(community, day, rules, amounts, total, pot);
    }

    /// @inheritdoc ISettlement
    function aloneOf(uint32 community, uint32 day) external view returns (bool alone, uint256 pot) {
        DayState storage state = _days[community][day];
        return (state.alone, state.pot);
    }

    /// @dev Pays the parties what is left of their fees, and everybody at once.
    function _pay(
        uint32 community,
        uint32 day,
        Rules memory rules,
        bytes memory amounts,
        Share memory total,
        uint256 pot
    ) private {
        pot = _give(amounts, rules.gridOperator, total.grid, pot);
        pot = _give(amounts, rules.platform, total.platform, pot);
        // It was a u64 and only shrank.
        _days[community][day].pot = uint64(pot);
        _accounts.credit(amounts);
        emit PaidAlone(community, day, amounts);
    }

    /// @dev True if the record was not settled before; from now on it is.
    function _mark(bytes32 word, uint32 index) private returns (bool) {
        uint256 bit = 1 << (index & 0xff);
        uint256 bits = _settled[word];
        if (bits & bit != 0) return false;
        _settled[word] = bits | bit;
        return true;
    }

    function _aloneRules(uint32 community, uint32 day, uint256 indices, uint256 proofs)
        private
        view
        returns (Rules memory)
    {
        if (!_days[community][day].alone) revert NotSettledAlone(community, day);
        if (indices != proofs) revert InvalidEvidence();
        return _communities.rulesAt(community, day);
    }

    /// @dev Time from which bills of a day can be proposed.
    function _billsFrom(Rules memory rules, uint32 day) internal pure returns (uint256) {
        return uint256(dayStart(uint256(day) + 1, rules.utcOffset)) + rules.billDelay;
    }

    function _add(Share memory share, Billed memory trade, Rules memory rules) private pure {
        uint256 fees = trade.sums(rules).fees;
        share.own += trade.credit(rules);
        share.grid += uint256(high(fees));
        share.platform += uint256(low(fees));
    }

    /// @dev Adds what the pot still has of an amount; rounding of curtailed trades may leave it a few nano short.
    function _give(bytes memory amounts, uint32 account, uint256 nano, uint256 pot)
        private
        pure
        returns (uint256)
    {
        uint256 given = nano < pot ? nano : pot;
        // The pot is below 2**62.
        Amounts.push(amounts, account, uint64(given));
        return pot - given;
    }
}
