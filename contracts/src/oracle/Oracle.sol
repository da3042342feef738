// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ICommunities} from "../interfaces/ICommunities.sol";
import {IOracle, MeterRoot} from "../interfaces/IOracle.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Wire} from "../libraries/Wire.sol";
import {Rules, dayOf, dayStart} from "../types/Rules.sol";

/// @title Oracle
/// @notice Takes what a quorum of reporters signed, within its window and bounds, once.
contract Oracle is IOracle, EIP712 {
    using Wire for bytes;

    uint8 private constant RETAIL = 0;
    uint8 private constant IMBALANCE = 1;
    uint8 private constant REFERENCE = 2;

    int256 private constant RETAIL_LEAD = 8 days;
    uint256 private constant DAY = 86_400;

    bytes32 private constant TARIFF_REPORT =
        keccak256("TariffReport(uint32 community,uint8 feed,uint32 day,bytes prices)");

    bytes32 private constant METER_REPORT = keccak256(
        "MeterReport(uint32 community,uint8 product,uint32 slot,bytes32 root,uint64 importWh,uint64 exportWh,uint32 count)"
    );

    ICommunities private immutable _communities;

    /// @inheritdoc IOracle
    mapping(uint32 community => mapping(uint8 feed => mapping(uint32 day => bytes32))) public tariffHash;

    /// @inheritdoc IOracle
    mapping(uint32 community => mapping(uint8 product => mapping(uint32 day => uint32))) public meteredSlots;

    mapping(uint32 community => mapping(uint8 product => mapping(uint32 slot => MeterRoot))) private _meters;

    /// @param communities Reporters, windows and bounds.
    constructor(ICommunities communities) EIP712("Otaniemi", "1") {
        _communities = communities;
    }

    /// @inheritdoc IOracle
    function reportTariff(
        uint32 community,
        uint8 feed,
        uint32 day,
        bytes calldata prices,
        bytes calldata signatures
    ) external {
        Rules memory rules = _communities.rulesAt(community, day);
        if (feed == RETAIL || feed == REFERENCE) {
            // Later than any change of the rules that can still be announced for the day.
            int256 from = dayStart(day, rules.utcOffset) - RETAIL_LEAD;
            _requireWithin(from < 0 ? 0 : uint256(from), _communities.firstGate(community, day));
        } else if (feed == IMBALANCE) {
            uint256 end = uint256(dayStart(uint256(day) + 1, rules.utcOffset));
            _requireWithin(end, end + rules.meterWindow);
        } else {
            revert UnknownFeed(feed);
        }
        if (tariffHash[community][feed][day] != 0) revert AlreadyReported();
        uint256 expected = 8 * (DAY / rules.slotSeconds);
        if (prices.length != expected) revert VectorLength(prices.length, expected);
        _checkPrices(prices, int256(uint256(rules.shortCap)), feed == RETAIL);
        bytes32 hash = keccak256(prices);
        address[] memory signers = _checkQuorum(
            keccak256(abi.encode(TARIFF_REPORT, community, feed, day, hash)),
            signatures,
            _communities.reportersAt(community, day),
            rules.quorum
        );
        tariffHash[community][feed][day] = hash;
        emit TariffReported(community, feed, day, prices, signers);
    }

    /// @inheritdoc IOracle
    function reportMeters(
        uint32 community,
        uint8 product,
        uint32 slot,
        bytes32 root,
        uint64 importWh,
        uint64 exportWh,
        uint32 count,
        bytes calldata signatures
    ) external {
        (uint32 slotSeconds, int32 utcOffset) = _communities.calendarOf(community);
        uint32 day = uint32(dayOf(slot, slotSeconds, utcOffset));
        Rules memory rules = _communities.rulesAt(community, day);
        if (product > 7 || (rules.products >> product) & 1 == 0) revert UnknownProduct(product);
        uint256 end = (uint256(slot) + 1) * slotSeconds;
        _requireWithin(end, end + rules.meterWindow);
        if (_meters[community][product][slot].reported) revert AlreadyReported();
        address[] memory signers = _checkQuorum(
            keccak256(abi.encode(METER_REPORT, community, product, slot, root, importWh, exportWh, count)),
            signatures,
            _communities.reportersAt(community, day),
            rules.quorum
        );
        _meters[community][product][slot] = MeterRoot(root, importWh, exportWh, count, true);
        ++meteredSlots[community][product][day];
        emit MetersReported(community, product, slot, root, importWh, exportWh, count, signers);
    }

    /// @inheritdoc IOracle
    function meterRoot(uint32 community, uint8 product, uint32 slot)
        external
        view
        returns (MeterRoot memory)
    {
        return _meters[community][product][slot];
    }

    /// @inheritdoc IOracle
    function isComplete(uint32 community, uint32 day) external view returns (bool) {
        if (tariffHash[community][RETAIL][day] == 0 || tariffHash[community][IMBALANCE][day] == 0) {
            return false;
        }
        Rules memory rules = _communities.rulesAt(community, day);
        uint256 slots = DAY / rules.slotSeconds;
        for (uint8 product = 0; product < 8; ++product) {
            if ((rules.products >> product) & 1 == 1 && meteredSlots[community][product][day] != slots) {
                return false;
            }
        }
        return true;
    }

    function _requireWithin(uint256 from, uint256 until) private view {
        if (block.timestamp < from || block.timestamp >= until) revert OutsideWindow(from, until);
    }

    /// @dev Signers of a report, all reporters and enough of them.
    function _checkQuorum(
        bytes32 structHash,
        bytes calldata signatures,
        address[] memory reporters,
        uint256 quorum
    ) private view returns (address[] memory signers) {
        uint256 count = signatures.length / 64;
        if (count < quorum || signatures.length % 64 != 0) revert QuorumNotMet(count, quorum);
        bytes32 digest = _hashTypedDataV4(structHash);
        signers = new address[](count);
        uint256 next = 0;
        for (uint256 i = 0; i < count; ++i) {
            address signer = Signatures.recover(digest, signatures, 64 * i);
            // Both lists ascend: reporters before the signer did not sign.
            while (next < reporters.length && reporters[next] < signer) ++next;
            if (next == reporters.length || reporters[next] != signer) revert NotReporter(signer);
            ++next;
            signers[i] = signer;
        }
    }

    function _checkPrices(bytes calldata prices, int256 cap, bool ordered) private pure {
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
