// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICallAuction, Result} from "../interfaces/ICallAuction.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {Clearing, Progress} from "../libraries/Clearing.sol";
import {HashChain} from "../libraries/HashChain.sol";
import {Labels} from "../libraries/Labels.sol";
import {Market} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {bias, unbias} from "../types/OrderRecord.sol";
import {packOutcome, unpackOutcome} from "../types/Outcome.sol";
import {OrderIntake} from "./OrderIntake.sol";

/// @title CallAuction
/// @notice Anyone relays signed orders, anyone clears and labels: nobody can leave an order out, move it or choose a
/// price.
contract CallAuction is OrderIntake {
    /// @dev Where clearings and labels in several transactions have come: hash of market, hints and progress.
    mapping(bytes32 key => bool) private _reached;

    /// @param accounts Must grant this contract `Module.Market`.
    /// @param communities Rules of the markets.
    /// @param positions Says which slots are curtailed.
    constructor(IAccounts accounts, ICommunities communities, IPositions positions)
        OrderIntake(accounts, communities, positions)
    {}

    /// @inheritdoc ICallAuction
    function clear(Market market, int32 lo, int32 hi, bytes calldata records, uint16[] calldata batches)
        external
    {
        Progress memory start;
        _clear(market, lo, hi, start, records, batches);
    }

    /// @inheritdoc ICallAuction
    function clearFrom(
        Market market,
        int32 lo,
        int32 hi,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external {
        _clear(market, lo, hi, _resume(market, lo, hi, progress), records, batches);
    }

    /// @inheritdoc ICallAuction
    function advance(
        Market market,
        int32 lo,
        int32 hi,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external {
        MarketTerms terms = _uncleared(market);
        Progress memory next = _resume(market, lo, hi, progress);
        _extendHead(terms, next, records, batches);
        Clearing.advance(next, records, bias(lo), bias(hi));
        _reached[_key(market, lo, hi, next)] = true;
        emit Advanced(market, lo, hi, next);
    }

    /// @inheritdoc ICallAuction
    function voidSlot(
        Market market,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external {
        MarketTerms terms = _uncleared(market);
        uint256 start = _slotStart(market);
        if (block.timestamp < start) revert SlotAhead(market, start);
        // Crossed, as no clearing's are, so that no record is at the price and no leaf has a prefix.
        (uint256 lo, uint256 hi) = (terms.priceMax(), terms.priceMin());
        (, Result memory result) =
            _run(market, terms, lo, hi, _resume(market, unbias(lo), unbias(hi), progress), records, batches);
        result = Result(0, 0, 0, 0, 0, 0, false, result.root);
        _close(market, terms, result);
        emit Voided(market, uint32(terms.count()), result.root);
    }

    /// @inheritdoc ICallAuction
    function label(
        Market market,
        uint16 premium,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external {
        (, Result memory result) = _unlabelled(market);
        Progress memory start = _resumeLabels(market, premium, progress);
        _requireHead(market, HashChain.replay(start.head, records, batches));
        (bool valid, uint256 green, uint256 above) = Labels.run(start, records, result, premium);
        if (!valid) revert NotLabelPrice(premium);
        _keep(market, result);
        emit Labelled(market, premium, uint64(green), uint64(above), result.root);
    }

    /// @inheritdoc ICallAuction
    function advanceLabels(
        Market market,
        uint16 premium,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external {
        (MarketTerms terms, Result memory result) = _unlabelled(market);
        Progress memory next = _resumeLabels(market, premium, progress);
        _extendHead(terms, next, records, batches);
        Labels.advance(next, records, result, premium);
        _reached[_labelKey(market, premium, next)] = true;
        emit LabelsAdvanced(market, premium, next);
    }

    /// @inheritdoc ICallAuction
    function resultOf(Market market) external view returns (Result memory) {
        return _resultOf(market);
    }

    function _clear(
        Market market,
        int32 lo,
        int32 hi,
        Progress memory progress,
        bytes calldata records,
        uint16[] calldata batches
    ) private {
        MarketTerms terms = _uncleared(market);
        uint256 start = _slotStart(market);
        if (block.timestamp >= start) revert SlotBegun(market, start);
        if (lo > hi || bias(lo) < terms.priceMin() || bias(hi) > terms.priceMax()) {
            revert HintOutOfBand(lo, hi);
        }
        (bool valid, Result memory result) =
            _run(market, terms, bias(lo), bias(hi), progress, records, batches);
        if (!valid) revert NotClearing(lo, hi);
        _close(market, terms, result);
        emit Cleared(
            market,
            result.price,
            lo,
            hi,
            result.volume,
            result.demandAbove,
            result.supplyBelow,
            uint32(terms.count()),
            result.root
        );
    }

    function _close(Market market, MarketTerms terms, Result memory result) private {
        _keep(market, result);
        --openMarkets[market.community()][terms.day()];
    }

    /// @dev The outcome takes the place of the terms, of which nothing is needed any more.
    function _keep(Market market, Result memory result) private {
        _states[market].terms = packOutcome(result);
        _states[market].root = result.root;
    }

    function _resultOf(Market market) private view returns (Result memory) {
        return unpackOutcome(_states[market].terms, _states[market].root);
    }

    /// @dev Terms of a market whose gate has passed and that was not cleared.
    function _uncleared(Market market) private view returns (MarketTerms terms) {
        terms = _termsOf(market);
        if (terms.count() == 0) revert MarketEmpty(market);
        if (block.timestamp < terms.directGate()) revert GateOpen(market, terms.directGate());
        if (terms.isCleared()) revert AlreadyCleared(market);
    }

    /// @dev Terms and result of a market that can be labelled.
    function _unlabelled(Market market) private view returns (MarketTerms terms, Result memory result) {
        terms = _termsOf(market);
        if (!terms.isCleared()) revert NotCleared(market);
        uint256 start = _slotStart(market);
        if (block.timestamp >= start) revert SlotBegun(market, start);
        result = _resultOf(market);
        if (result.labelled) revert AlreadyLabelled(market);
    }

    /// @dev Progress of labels that is the start or was reached with the same premium.
    function _resumeLabels(Market market, uint16 premium, Progress calldata progress)
        private
        view
        returns (Progress memory)
    {
        return _resumeFrom(_labelKey(market, premium, progress), progress);
    }

    function _requireHead(Market market, bytes32 head) private view {
        bytes32 expected = _states[market].chain.head();
        if (head != expected) revert ChainMismatch(expected, head);
    }

    /// @dev The pass over the last records, which must end at the head of the market's chain.
    function _run(
        Market market,
        MarketTerms terms,
        uint256 lo,
        uint256 hi,
        Progress memory progress,
        bytes calldata records,
        uint16[] calldata batches
    ) private view returns (bool, Result memory) {
        _requireHead(market, HashChain.replay(progress.head, records, batches));
        return Clearing.run(progress, records, lo, hi, terms.priceMin(), terms.priceMax());
    }

    /// @dev Progress of a clearing that is the start or was reached with the same hints.
    function _resume(Market market, int32 lo, int32 hi, Progress calldata progress)
        private
        view
        returns (Progress memory)
    {
        return _resumeFrom(_key(market, lo, hi, progress), progress);
    }

    function _resumeFrom(bytes32 key, Progress calldata progress) private view returns (Progress memory) {
        if (progress.count == 0) {
            Progress memory start;
            return start;
        }
        if (!_reached[key]) revert UnknownProgress(key);
        return progress;
    }

    function _slotStart(Market market) private view returns (uint256) {
        // Slots count in UTC.
        // slither-disable-next-line unused-return
        (uint32 slotSeconds,) = _communities.calendarOf(market.community());
        return uint256(market.slot()) * slotSeconds;
    }

    /// @dev Moves the head of progress over the next records of a market.
    function _extendHead(
        MarketTerms terms,
        Progress memory next,
        bytes calldata records,
        uint16[] calldata batches
    ) private pure {
        // The frontier holds no more; a chain with fewer records would not lead to the head anyway.
        if (next.count + records.length / 16 > terms.count()) revert BatchTooLong(terms.count());
        next.head = HashChain.replay(next.head, records, batches);
    }

    function _labelKey(Market market, uint16 premium, Progress memory progress)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(market, premium, progress));
    }

    function _key(Market market, int32 lo, int32 hi, Progress memory progress)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(market, lo, hi, progress));
    }
}
