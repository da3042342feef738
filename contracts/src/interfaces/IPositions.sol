// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Form} from "../types/Form.sol";
import {Agreement, PositionChain} from "../types/Position.sol";

/// @notice What accounts agreed on in any form but the call auction: the agreement and its dispatch instruction in one.
interface IPositions {
    /// @notice Buyer and seller agreed, and the energy is to be delivered so.
    /// @param wh Energy of each slot from `slot` on, 4 bytes each [Wh].
    event PositionOpened(
        uint32 indexed community,
        uint32 indexed buyer,
        uint32 indexed seller,
        uint8 product,
        uint32 day,
        Form form,
        uint64 deal,
        int32 price,
        uint8 source,
        uint32 slot,
        bytes wh
    );

    /// @notice Trades and schedules of a slot count for `permille` of their energy only, rounded toward zero.
    event Curtailed(
        uint32 indexed community, uint8 indexed product, uint32 indexed slot, uint16 permille, string reason
    );

    /// @notice The caller is no market.
    error NotMarket(address caller);
    /// @notice Buyer and seller are the same account.
    error SelfTrade(uint32 account);
    /// @notice The account is of another community.
    error NotMember(uint32 account, uint32 community);
    /// @notice The product is not traded in the community on that day.
    error NotTraded(uint8 product);
    /// @notice The account has no meter of the product.
    error NoMeter(uint32 account, uint8 product);
    /// @notice There is no such source.
    error UnknownSource(uint8 source);
    /// @notice No energy, or more in a slot than the connection limit [Wh].
    error QuantityOutOfRange(uint32 slot, uint256 wh);
    /// @notice The slots are not of one trading day.
    error NotOneDay(uint32 slot, uint256 slots);
    /// @notice Measured energy is agreed on slot by slot.
    error NotOneSlot(uint256 slots);
    /// @notice The first slot has begun, or the energy of a metered slot comes before its end or after the bills.
    error OutsideWindow(uint256 from, uint256 until);
    /// @notice The guardian closed the trading day.
    error ClosedDay(uint32 community, uint32 day);
    /// @notice The slot was curtailed and takes no more trades.
    error SlotCurtailed(uint32 slot);
    /// @notice The account has the largest number of positions of a day.
    error TooManyPositions(uint32 account, uint32 day);
    /// @notice The slot has begun.
    error SlotBegun(uint32 slot, uint256 start);
    /// @notice What remains must be less than before.
    error InvalidPermille(uint16 permille, uint256 remaining);

    /// @notice Records an agreement before its first slot, locks the money of both sides and instructs both. Markets only.
    function open(Agreement calldata agreement) external;

    /// @notice Records an agreement on measured energy of one slot, after it and before the bills. Markets only.
    function openMetered(Agreement calldata agreement) external;

    /// @notice Curtails a slot before it begins; it takes no more trades. REGULATOR only. A later call may only lower it.
    /// @param permille What remains of trades and schedules, 0 to 999.
    function curtail(uint32 community, uint8 product, uint32 slot, uint16 permille, string calldata reason)
        external;

    /// @notice Largest number of positions of an account, product and day.
    function MAX_POSITIONS() external view returns (uint256);

    /// @notice Hash and number of an account's positions of a day.
    function chainOf(uint32 community, uint8 product, uint32 account, uint32 day)
        external
        view
        returns (PositionChain);

    /// @notice What remains of trades and schedules of a slot, 1000 where it is not curtailed [permille].
    function remaining(uint32 community, uint8 product, uint32 slot) external view returns (uint256 permille);

    /// @notice Number of curtailed slots of a day, over all products.
    function curtailedSlots(uint32 community, uint32 day) external view returns (uint256);
}
