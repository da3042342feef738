// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

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

/// @notice Prices and meters, reported once each by a quorum of the community's reporters.
interface IOracle {
    /// @notice Prices of a day were reported.
    /// @param feed 0 retail (import, feed-in per slot), 1 imbalance (short, long), 2 reference (spot, forward).
    /// @param prices Two int32 per slot [micro-token/kWh].
    event TariffReported(
        uint32 indexed community, uint8 indexed feed, uint32 indexed day, bytes prices, address[] signers
    );

    /// @notice Meters of a slot were reported.
    event MetersReported(
        uint32 indexed community,
        uint8 indexed product,
        uint32 indexed slot,
        bytes32 root,
        uint64 importWh,
        uint64 exportWh,
        uint32 count,
        address[] signers
    );

    /// @notice Feeds are 0 retail, 1 imbalance, 2 reference.
    error UnknownFeed(uint8 feed);
    /// @notice The community does not meter this product.
    error UnknownProduct(uint8 product);
    /// @notice Reports are taken from `from` on, until before `until`.
    error OutsideWindow(uint256 from, uint256 until);
    /// @notice There is a report already.
    error AlreadyReported();
    /// @notice The vector has another length than two prices per slot.
    error VectorLength(uint256 length, uint256 expected);
    /// @notice A price is beyond the short cap, or a feed-in price above the import price.
    error PriceOutOfBounds(uint256 position, int256 price);
    /// @notice A signature is not a reporter's, or not in ascending order.
    error NotReporter(address signer);
    /// @notice Too few signatures.
    error QuorumNotMet(uint256 got, uint256 need);

    /// @notice Reports the prices of a day.
    /// @param signatures 64 bytes each, signers ascending.
    function reportTariff(
        uint32 community,
        uint8 feed,
        uint32 day,
        bytes calldata prices,
        bytes calldata signatures
    ) external;

    /// @notice Reports the meter tree of a slot.
    /// @param signatures 64 bytes each, signers ascending.
    function reportMeters(
        uint32 community,
        uint8 product,
        uint32 slot,
        bytes32 root,
        uint64 importWh,
        uint64 exportWh,
        uint32 count,
        bytes calldata signatures
    ) external;

    /// @notice Hash of the prices of a day, zero while not reported.
    function tariffHash(uint32 community, uint8 feed, uint32 day) external view returns (bytes32);

    /// @notice Meter root of a slot.
    function meterRoot(uint32 community, uint8 product, uint32 slot) external view returns (MeterRoot memory);

    /// @notice Number of slots of a day whose meters were reported.
    function meteredSlots(uint32 community, uint8 product, uint32 day) external view returns (uint32);

    /// @notice True once retail and imbalance prices of a day and the meters of all its slots and products were reported.
    function isComplete(uint32 community, uint32 day) external view returns (bool);
}
