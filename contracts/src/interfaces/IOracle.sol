// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ReportMark, ReportStatus} from "../types/ReportMark.sol";
import {MeterValue} from "./IReporterBonds.sol";

/// @notice Root of a slot's meter tree.
/// @param root Hash of the Merkle-sum tree.
/// @param importWh Sum of all imports [Wh].
/// @param exportWh Sum of all exports [Wh].
/// @param count Number of leaves.
/// @param reported True once reported.
struct MeterRoot {
    bytes32 root;
    uint64 importWh;
    uint64 exportWh;
    uint32 count;
    bool reported;
}

/// @notice A challenge of a report.
/// @param community Whose report.
/// @param kind Feed of a tariff report, 8 + product of a meter report.
/// @param index Its day or slot.
/// @param challenger Account that put up the bond.
/// @param bond Money in question [nano-token].
/// @param deadline Until when the arbiter decides; from then on the report stands [unix s].
struct ReportChallenge {
    uint32 community;
    uint8 kind;
    uint32 index;
    uint32 challenger;
    uint64 bond;
    uint40 deadline;
}

/// @notice Prices and meters, reported by a quorum of the community's reporters. Only what counts is given to bills: a
/// report that jumps waits for a second round or the arbiter, and one that is challenged for the arbiter or the deadline.
interface IOracle {
    /// @notice Prices of a day were reported and count.
    /// @param feed 0 retail (import, feed-in per slot), 1 imbalance (short, long), 2 reference (spot, forward).
    /// @param round Number that the signatures name.
    /// @param prices Two int32 per slot [micro-token/kWh].
    event TariffReported(
        uint32 indexed community,
        uint8 indexed feed,
        uint32 indexed day,
        uint8 round,
        bytes prices,
        address[] signers
    );

    /// @notice Prices of a day were reported that differ from those of `baseDay` by more than the limit, and wait.
    event TariffQuarantined(
        uint32 indexed community,
        uint8 indexed feed,
        uint32 indexed day,
        uint8 round,
        uint32 baseDay,
        bytes prices,
        address[] signers
    );

    /// @notice The arbiter decided about prices in quarantine.
    event QuarantineDecided(uint32 indexed community, uint8 indexed feed, uint32 indexed day, bool counts);

    /// @notice Meters of a slot were reported and count.
    event MetersReported(
        uint32 indexed community,
        uint8 indexed product,
        uint32 indexed slot,
        uint8 round,
        bytes32 root,
        uint64 importWh,
        uint64 exportWh,
        uint32 count,
        address[] signers
    );

    /// @notice A report was challenged and does not count until its challenge is over.
    event ReportChallenged(
        uint32 indexed community,
        uint8 indexed kind,
        uint32 indexed index,
        uint256 id,
        uint32 challenger,
        uint64 bond,
        uint40 deadline
    );

    /// @notice A challenge is over. Upheld: the report is discarded, bond and reward go to the challenger. Rejected: the
    /// report stands and the bond stays for later challengers. Neither: the report stands and the bond returned.
    event ChallengeClosed(uint256 indexed id, bool upheld, bool rejected, uint64 paid);

    /// @notice Feeds are 0 retail, 1 imbalance, 2 reference.
    error UnknownFeed(uint8 feed);
    /// @notice The community does not meter this product.
    error UnknownProduct(uint8 product);
    /// @notice Reports, challenges or decisions are taken from `from` on, until before `until`.
    error OutsideWindow(uint256 from, uint256 until);
    /// @notice A counting report is replaced by one with fewer missing signatures only.
    error NotMoreSignatures(uint256 missing, uint256 before);
    /// @notice The round was reported already; another value needs a later one.
    error RoundPassed(uint8 round, uint8 last);
    /// @notice The report is in another state than the call needs.
    error WrongStatus(ReportStatus status);
    /// @notice The vector has another length than two prices per slot.
    error VectorLength(uint256 length, uint256 expected);
    /// @notice A price is beyond the short cap, or a feed-in price above the import price.
    error PriceOutOfBounds(uint256 position, int256 price);
    /// @notice More energy than so many connections can carry [Wh].
    error EnergyOutOfBounds(uint256 wh, uint256 limit);
    /// @notice These are not the prices of the last day that counts.
    error NotPricesOf(uint32 baseDay);
    /// @notice A signature is not a reporter's, or not in ascending order.
    error NotReporter(address signer);
    /// @notice Too few signatures.
    error QuorumNotMet(uint256 got, uint256 need);
    /// @notice There is no such report.
    error NoReport();
    /// @notice There is no such challenge, or it is over.
    error NoChallenge(uint256 id);

    /// @notice Reports the prices of a day.
    /// @param round After quarantine, arbiter or dissent a later one than before, else 0.
    /// @param base Prices of the last of the seven days before that counts, empty where none does.
    /// @param signatures 64 bytes each, signers ascending.
    function reportTariff(
        uint32 community,
        uint8 feed,
        uint32 day,
        uint8 round,
        bytes calldata prices,
        bytes calldata base,
        bytes calldata signatures
    ) external;

    /// @notice Reports the meter tree of a slot.
    /// @param round After the arbiter or dissent a later one than before, else 0.
    /// @param signatures 64 bytes each, signers ascending.
    function reportMeters(
        uint32 community,
        uint8 product,
        uint32 slot,
        uint8 round,
        MeterValue calldata value,
        bytes calldata signatures
    ) external;

    /// @notice Lets prices in quarantine count, or discards them for another round. ARBITER only.
    function decideQuarantine(uint32 community, uint8 feed, uint32 day, bool counting) external;

    /// @notice Challenges the prices of a day with the community's bond. Owner of `challenger`, a member's account, only.
    /// @return id Number of the challenge.
    function challengeTariff(uint32 community, uint8 feed, uint32 day, uint32 challenger)
        external
        returns (uint256 id);

    /// @notice Challenges the meters of a slot with the community's bond. Owner of `challenger`, a member's account, only.
    /// @return id Number of the challenge.
    function challengeMeters(uint32 community, uint8 product, uint32 slot, uint32 challenger)
        external
        returns (uint256 id);

    /// @notice Decides a challenge before its deadline. ARBITER only.
    function decide(uint256 id, bool upheld) external;

    /// @notice Ends a challenge that was not decided in time: the report stands, the bond returns. Anyone.
    function lapse(uint256 id) external;

    /// @notice Hash of the prices of a day, zero while none count.
    function tariffHash(uint32 community, uint8 feed, uint32 day) external view returns (bytes32);

    /// @notice Hash and state of the last report of a day's prices, whether it counts or not; hash zero before one.
    function tariffReport(uint32 community, uint8 feed, uint32 day)
        external
        view
        returns (bytes32 hash, ReportMark memory mark);

    /// @notice The latest of the seven days before `day` whose prices count, zero without one.
    function baseDayOf(uint32 community, uint8 feed, uint32 day) external view returns (uint32);

    /// @notice Meter root of a slot, all zero while none counts.
    function meterRoot(uint32 community, uint8 product, uint32 slot) external view returns (MeterRoot memory);

    /// @notice Root and state of the last report of a slot's meters, whether it counts or not.
    function meterReport(uint32 community, uint8 product, uint32 slot)
        external
        view
        returns (MeterRoot memory root, ReportMark memory mark);

    /// @notice Number of slots of a day whose meters count.
    function meteredSlots(uint32 community, uint8 product, uint32 day) external view returns (uint32);

    /// @notice True while retail and imbalance prices of a day and the meters of all its slots and products count.
    function isComplete(uint32 community, uint32 day) external view returns (bool);

    /// @notice An open challenge; all zero once it is over.
    function challengeOf(uint256 id) external view returns (ReportChallenge memory);

    /// @notice Number of challenges, which is the highest.
    function challengeCount() external view returns (uint256);
}
