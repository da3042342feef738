// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IOracle, MeterRoot, ReportChallenge} from "../interfaces/IOracle.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {MeterValue} from "../interfaces/IReporterBonds.sol";
import {PriceVectors} from "../libraries/PriceVectors.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Wire} from "../libraries/Wire.sol";
import {ReportMark, ReportMarks, ReportStatus} from "../types/ReportMark.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";
import {ReporterBonds} from "./ReporterBonds.sol";

/// @title Oracle
/// @notice Takes what a quorum of reporters signed, within its window and bounds, and says what of it counts [15].
contract Oracle is IOracle, ReporterBonds, AccessManaged {
    using PriceVectors for bytes;
    using Wire for bytes;

    struct Meters {
        bytes32 root;
        uint64 importWh;
        uint64 exportWh;
        uint32 count;
        uint64 mark;
        bool reported;
    }

    uint8 private constant RETAIL = 0;
    uint8 private constant IMBALANCE = 1;
    uint8 private constant REFERENCE = 2;

    /// @dev Kind of a challenge of meters of product 0.
    uint8 private constant METERS = 8;

    int256 private constant RETAIL_LEAD = 8 days;
    uint256 private constant DAY = 86_400;
    uint32 private constant BASE_DAYS = 7;

    /// @dev So long after prices went to quarantine a second look may confirm them.
    uint256 private constant CONFIRM_DELAY = 10 minutes;

    ICommunities private immutable _communities;

    /// @inheritdoc IOracle
    mapping(uint32 community => mapping(uint8 product => mapping(uint32 day => uint32))) public meteredSlots;

    /// @inheritdoc IOracle
    uint256 public challengeCount;

    mapping(uint32 community => mapping(uint8 feed => mapping(uint32 day => bytes32))) private _tariffs;

    /// @dev Marks of four days a word, the first in the lowest bits.
    mapping(uint32 community => mapping(uint8 feed => mapping(uint32 quarter => uint256))) private _marks;

    mapping(uint32 community => mapping(uint8 product => mapping(uint32 slot => Meters))) private _meters;

    mapping(uint256 id => ReportChallenge) private _challenges;

    /// @param manager AccessManager that says who is ARBITER.
    /// @param accounts Where bonds come from.
    /// @param communities Reporters, windows and bounds.
    constructor(address manager, IAccounts accounts, ICommunities communities)
        ReporterBonds(accounts)
        AccessManaged(manager)
    {
        _communities = communities;
    }

    /// @inheritdoc IOracle
    function reportTariff(
        uint32 community,
        uint8 feed,
        uint32 day,
        uint8 round,
        bytes calldata prices,
        bytes calldata base,
        bytes calldata signatures
    ) external {
        Rules memory rules = _communities.rulesAt(community, day);
        (uint256 from, uint256 until) = _tariffWindow(community, feed, day, rules);
        _checkPrices(prices, rules, feed == RETAIL);
        bytes32 hash = keccak256(prices);
        address[] memory signers;
        ReportMark memory mark;
        (signers, mark.missing) = _checkQuorum(
            _tariffDigest(community, feed, day, round, hash),
            signatures,
            _communities.reportersAt(community, day),
            rules.quorum
        );
        mark.round = round;
        bytes32 former = _tariffs[community][feed][day];
        ReportMark memory last = _markOf(community, feed, day);
        _requireTakeable(last, former != 0, former == hash, mark, from, until, rules.meterWindow);
        _requireBeforeBills(feed, day, rules);
        uint32 baseDay = baseDayOf(community, feed, day);
        // A state and a hash.
        // slither-disable-next-line incorrect-equality
        bool confirmed = last.status == ReportStatus.Quarantined && former == hash;
        if (former != hash) _tariffs[community][feed][day] = hash;
        if (!confirmed && baseDay > 0 && _jumps(prices, base, community, feed, baseDay, rules.deviationLimit))
        {
            mark.status = ReportStatus.Quarantined;
            mark.since = uint40(block.timestamp);
            emit TariffQuarantined(community, feed, day, round, baseDay, prices, signers);
        } else {
            emit TariffReported(community, feed, day, round, prices, signers);
        }
        _setMark(community, feed, day, mark);
    }

    /// @inheritdoc IOracle
    function reportMeters(
        uint32 community,
        uint8 product,
        uint32 slot,
        uint8 round,
        MeterValue calldata value,
        bytes calldata signatures
    ) external {
        (uint32 day, uint256 end, Rules memory rules) = _rulesOf(community, slot);
        // A bit of the rules.
        // slither-disable-next-line incorrect-equality
        if (product > 7 || (rules.products >> product) & 1 == 0) revert UnknownProduct(product);
        uint256 limit = uint256(value.count) * rules.connectionLimitWh;
        if (value.importWh > limit) revert EnergyOutOfBounds(value.importWh, limit);
        if (value.exportWh > limit) revert EnergyOutOfBounds(value.exportWh, limit);
        address[] memory signers;
        ReportMark memory mark;
        (signers, mark.missing) = _checkQuorum(
            _meterDigest(community, product, slot, round, value),
            signatures,
            _communities.reportersAt(community, day),
            rules.quorum
        );
        mark.round = round;
        Meters memory former = _meters[community][product][slot];
        ReportMark memory last = ReportMarks.unpack(former.mark);
        bool same = former.root == value.root && former.importWh == value.importWh
            && former.exportWh == value.exportWh && former.count == value.count;
        _requireTakeable(last, former.reported, same, mark, end, end + rules.meterWindow, rules.meterWindow);
        _meters[community][product][slot] =
            Meters(value.root, value.importWh, value.exportWh, value.count, mark.pack(), true);
        if (!former.reported || !last.counts()) ++meteredSlots[community][product][day];
        emit MetersReported(
            community, product, slot, round, value.root, value.importWh, value.exportWh, value.count, signers
        );
    }

    /// @inheritdoc IOracle
    function decideQuarantine(uint32 community, uint8 feed, uint32 day, bool counting) external restricted {
        ReportMark memory mark = _markOf(community, feed, day);
        if (mark.status != ReportStatus.Quarantined) revert WrongStatus(mark.status);
        _requireBeforeBills(feed, day, _communities.rulesAt(community, day));
        _settle(mark, counting);
        _setMark(community, feed, day, mark);
        emit QuarantineDecided(community, feed, day, counting);
    }

    /// @inheritdoc IOracle
    function challengeTariff(uint32 community, uint8 feed, uint32 day, uint32 challenger)
        external
        returns (uint256 id)
    {
        if (_tariffs[community][feed][day] == 0) revert NoReport();
        Rules memory rules = _communities.rulesAt(community, day);
        (, uint256 until) = _tariffWindow(community, feed, day, rules);
        ReportMark memory mark = _markOf(community, feed, day);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        id = _open(community, feed, day, challenger, mark, until, rules);
        _setMark(community, feed, day, mark);
    }

    /// @inheritdoc IOracle
    function challengeMeters(uint32 community, uint8 product, uint32 slot, uint32 challenger)
        external
        returns (uint256 id)
    {
        Meters storage meters = _meters[community][product][slot];
        if (!meters.reported) revert NoReport();
        (uint32 day, uint256 end, Rules memory rules) = _rulesOf(community, slot);
        ReportMark memory mark = ReportMarks.unpack(meters.mark);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        id = _open(community, METERS + product, slot, challenger, mark, end + rules.meterWindow, rules);
        meters.mark = mark.pack();
        --meteredSlots[community][product][day];
    }

    /// @inheritdoc IOracle
    function decide(uint256 id, bool upheld) external restricted {
        ReportChallenge memory challenge = _challenge(id);
        if (block.timestamp >= challenge.deadline) revert OutsideWindow(0, challenge.deadline);
        _close(id, challenge, !upheld);
        uint256 reserve = rewards[challenge.community];
        if (!upheld) {
            rewards[challenge.community] = reserve + challenge.bond;
            emit ChallengeClosed(id, false, true, 0);
            return;
        }
        // The smaller of two amounts of which one has 64 bits.
        uint64 reward = reserve < challenge.bond ? uint64(reserve) : challenge.bond;
        rewards[challenge.community] = reserve - reward;
        emit ChallengeClosed(id, true, false, challenge.bond + reward);
        _giveTo(challenge.challenger, challenge.bond + reward);
    }

    /// @inheritdoc IOracle
    function lapse(uint256 id) external {
        ReportChallenge memory challenge = _challenge(id);
        if (block.timestamp < challenge.deadline) {
            revert OutsideWindow(challenge.deadline, type(uint256).max);
        }
        _close(id, challenge, true);
        emit ChallengeClosed(id, false, false, challenge.bond);
        _giveTo(challenge.challenger, challenge.bond);
    }

    /// @inheritdoc IOracle
    function tariffHash(uint32 community, uint8 feed, uint32 day) public view returns (bytes32) {
        bytes32 hash = _tariffs[community][feed][day];
        return hash == 0 || _markOf(community, feed, day).counts() ? hash : bytes32(0);
    }

    /// @inheritdoc IOracle
    function tariffReport(uint32 community, uint8 feed, uint32 day)
        external
        view
        returns (bytes32 hash, ReportMark memory mark)
    {
        return (_tariffs[community][feed][day], _markOf(community, feed, day));
    }

    /// @inheritdoc IOracle
    function baseDayOf(uint32 community, uint8 feed, uint32 day) public view returns (uint32) {
        for (uint32 back = 1; back <= BASE_DAYS && back < day; ++back) {
            if (tariffHash(community, feed, day - back) != 0) return day - back;
        }
        return 0;
    }

    /// @inheritdoc IOracle
    function meterRoot(uint32 community, uint8 product, uint32 slot)
        external
        view
        returns (MeterRoot memory root)
    {
        ReportMark memory mark;
        (root, mark) = meterReport(community, product, slot);
        if (!mark.counts()) delete root;
    }

    /// @inheritdoc IOracle
    function meterReport(uint32 community, uint8 product, uint32 slot)
        public
        view
        returns (MeterRoot memory root, ReportMark memory mark)
    {
        Meters memory meters = _meters[community][product][slot];
        root = MeterRoot(meters.root, meters.importWh, meters.exportWh, meters.count, meters.reported);
        mark = ReportMarks.unpack(meters.mark);
    }

    /// @inheritdoc IOracle
    function isComplete(uint32 community, uint32 day) external view returns (bool) {
        if (tariffHash(community, RETAIL, day) == 0 || tariffHash(community, IMBALANCE, day) == 0) {
            return false;
        }
        // [15] Anyone ends a challenge that nobody decided. The status is an enumeration.
        // slither-disable-next-line incorrect-equality
        if (_markOf(community, REFERENCE, day).status == ReportStatus.Challenged) return false;
        Rules memory rules = _communities.rulesAt(community, day);
        uint256 slots = DAY / rules.slotSeconds;
        for (uint8 product = 0; product < 8; ++product) {
            if ((rules.products >> product) & 1 == 1 && meteredSlots[community][product][day] != slots) {
                return false;
            }
        }
        return true;
    }

    /// @inheritdoc IOracle
    function challengeOf(uint256 id) external view returns (ReportChallenge memory) {
        return _challenges[id];
    }

    /// @dev Opens a challenge of a report whose window ends at `until`; `mark` becomes challenged.
    function _open(
        uint32 community,
        uint8 kind,
        uint32 index,
        uint32 challenger,
        ReportMark memory mark,
        uint256 until,
        Rules memory rules
    ) private returns (uint256 id) {
        _requireOwner(challenger);
        if (_accounts.communityOf(challenger) != community) {
            revert IPositions.NotMember(challenger, community);
        }
        if (mark.status != ReportStatus.Counting) revert WrongStatus(mark.status);
        _requireWithin(0, until + rules.challengeWindow);
        mark.status = ReportStatus.Challenged;
        id = ++challengeCount;
        uint40 deadline = uint40(block.timestamp + rules.challengeWindow);
        _challenges[id] = ReportChallenge(community, kind, index, challenger, rules.bond, deadline);
        emit ReportChallenged(community, kind, index, id, challenger, rules.bond, deadline);
        _takeFrom(challenger, rules.bond);
    }

    /// @dev Ends a challenge; its report stands or is discarded.
    function _close(uint256 id, ReportChallenge memory challenge, bool stands) private {
        delete _challenges[id];
        uint32 community = challenge.community;
        if (challenge.kind < METERS) {
            ReportMark memory mark = _markOf(community, challenge.kind, challenge.index);
            _settle(mark, stands);
            _setMark(community, challenge.kind, challenge.index, mark);
            return;
        }
        uint8 product = challenge.kind - METERS;
        Meters storage meters = _meters[community][product][challenge.index];
        ReportMark memory ofMeters = ReportMarks.unpack(meters.mark);
        _settle(ofMeters, stands);
        meters.mark = ofMeters.pack();
        if (stands) {
            (uint32 day,,) = _rulesOf(community, challenge.index);
            ++meteredSlots[community][product][day];
        }
    }

    /// @dev What the arbiter, or the deadline, makes of a report.
    function _settle(ReportMark memory mark, bool stands) private view {
        mark.status = stands ? ReportStatus.Standing : ReportStatus.Discarded;
        mark.since = stands ? 0 : uint40(block.timestamp);
    }

    function _setMark(uint32 community, uint8 feed, uint32 day, ReportMark memory mark) private {
        uint256 shift = 64 * (day & 3);
        uint256 word = _marks[community][feed][day >> 2];
        uint256 next = (word & ~(uint256(type(uint64).max) << shift)) | (uint256(mark.pack()) << shift);
        if (next != word) _marks[community][feed][day >> 2] = next;
    }

    function _challenge(uint256 id) private view returns (ReportChallenge memory challenge) {
        challenge = _challenges[id];
        // Zero where there is no challenge.
        // slither-disable-next-line incorrect-equality
        if (challenge.deadline == 0) revert NoChallenge(id);
    }

    function _markOf(uint32 community, uint8 feed, uint32 day) private view returns (ReportMark memory) {
        return ReportMarks.unpack(uint64(_marks[community][feed][day >> 2] >> (64 * (day & 3))));
    }

    function _rulesOf(uint32 community, uint32 slot)
        private
        view
        returns (uint32 day, uint256 end, Rules memory rules)
    {
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        day = uint32(dayOf(slot, slotSeconds, utcOffset));
        end = (uint256(slot) + 1) * slotSeconds;
        rules = _communities.rulesAt(community, day);
    }

    /// @dev When prices of a day are taken.
    function _tariffWindow(uint32 community, uint8 feed, uint32 day, Rules memory rules)
        private
        view
        returns (uint256 from, uint256 until)
    {
        if (feed == IMBALANCE) {
            from = uint256(dayStart(uint256(day) + 1, rules.utcOffset));
            return (from, from + rules.meterWindow);
        }
        if (feed > REFERENCE) revert UnknownFeed(feed);
        // Later than any change of the rules that can still be announced for the day.
        int256 lead = dayStart(day, rules.utcOffset) - RETAIL_LEAD;
        return (lead < 0 ? 0 : uint256(lead), _communities.firstGate(community, day));
    }

    /// @dev Whether a report may take the place of the last one; `again` is the time that a waiting one leaves.
    // States and rounds are compared, no balances.
    // slither-disable-next-line incorrect-equality
    function _requireTakeable(
        ReportMark memory last,
        bool exists,
        bool same,
        ReportMark memory mark,
        uint256 from,
        uint256 until,
        uint256 again
    ) private view {
        if (!exists) return _requireWithin(from, until);
        if (last.status == ReportStatus.Challenged) revert WrongStatus(last.status);
        bool counts = last.counts();
        if (!counts) {
            from = last.since + (last.status == ReportStatus.Quarantined ? CONFIRM_DELAY : 0);
            if (last.since + again > until) until = last.since + again;
        }
        _requireWithin(from, until);
        if (mark.round < last.round || (mark.round == last.round && (!counts || !same))) {
            revert RoundPassed(mark.round, last.round);
        }
        if (counts && mark.missing >= last.missing) revert NotMoreSignatures(mark.missing, last.missing);
    }

    /// @dev [15] Bills do not wait for reference prices, so they stay as they are once bills can be proposed.
    function _requireBeforeBills(uint8 feed, uint32 day, Rules memory rules) private view {
        if (feed != REFERENCE) return;
        _requireWithin(0, uint256(dayStart(uint256(day) + 1, rules.utcOffset)) + rules.billDelay);
    }

    function _requireWithin(uint256 from, uint256 until) private view {
        if (block.timestamp < from || block.timestamp >= until) revert OutsideWindow(from, until);
    }

    function _jumps(
        bytes calldata prices,
        bytes calldata base,
        uint32 community,
        uint8 feed,
        uint32 baseDay,
        uint256 limit
    ) private view returns (bool) {
        if (keccak256(base) != _tariffs[community][feed][baseDay]) {
            revert NotPricesOf(baseDay);
        }
        // Slots of a community never change, so equal hashes mean equal lengths.
        return !prices.near(base, limit);
    }

    /// @dev Signers of a report, all reporters and enough of them, and how many did not sign.
    function _checkQuorum(
        bytes32 digest,
        bytes calldata signatures,
        address[] memory reporters,
        uint256 quorum
    ) private view returns (address[] memory signers, uint8 missing) {
        uint256 count = signatures.length / 64;
        if (count < quorum || signatures.length % 64 != 0) revert QuorumNotMet(count, quorum);
        signers = new address[](count);
        uint256 next = 0;
        for (uint256 i = 0; i < count; ++i) {
            address signer = Signatures.recover(digest, signatures, 64 * i);
            // Both lists ascend: reporters before the signer did not sign.
            while (next < reporters.length && reporters[next] < signer) ++next;
            // An index that grows by one at a time.
            // slither-disable-next-line incorrect-equality
            if (next == reporters.length || reporters[next] != signer) revert NotReporter(signer);
            ++next;
            signers[i] = signer;
        }
        // More than half of at most 2 * 255 reporters signed.
        missing = uint8(reporters.length - count);
    }

    /// @dev One pass over eight prices at a time; only a refusal looks for the price.
    function _checkPrices(bytes calldata prices, Rules memory rules, bool ordered) private pure {
        // Communities takes only slots that divide a day.
        // slither-disable-next-line divide-before-multiply
        uint256 expected = 8 * (DAY / rules.slotSeconds);
        if (prices.length != expected) revert VectorLength(prices.length, expected);
        if (prices.within(rules.shortCap, ordered)) return;
        int256 cap = int256(uint256(rules.shortCap));
        for (uint256 pos = 0; pos < prices.length; pos += 8) {
            int256 first = prices.i32(pos);
            int256 second = prices.i32(pos + 4);
            if (first > cap || first < -cap) revert PriceOutOfBounds(pos / 4, first);
            if (second > cap || second < -cap || (ordered && second > first)) {
                revert PriceOutOfBounds(pos / 4 + 1, second);
            }
        }
    }
}
