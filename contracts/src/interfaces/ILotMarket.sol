// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice What auctions of lots have in common.
interface ILotMarket {
    /// @notice There is no such auction.
    error UnknownAuction(uint64 auction);
    /// @notice The key may not bind the account: it is neither its owner's nor an order key that nothing limits.
    error NotAllowed(uint32 account, address key);
    /// @notice No key of the account signed this.
    error NotSigned(uint32 account);
    /// @notice The signature is no longer valid.
    error Expired(uint64 validTo);
    /// @notice The account is of another community.
    error NotMember(uint32 account, uint32 community);
    /// @notice The account has no meter of the product.
    error NoMeter(uint32 account, uint8 product);
    /// @notice There is no such source.
    error UnknownSource(uint8 source);
    /// @notice The product is not traded on the day, or the day is closed or too far ahead.
    error NotTraded(uint8 product, uint32 day);
    /// @notice The slots are not of one trading day.
    error NotOneDay(uint32 slot, uint256 slots);
    /// @notice No energy, more than the connection limit in a slot [Wh], no lots, or more than one account can take.
    error QuantityOutOfRange(uint256 lots, uint256 wh);
    /// @notice Times do not follow one another, or leave no time before the first slot [unix s].
    error InvalidTimes(uint256 start);
    /// @notice The step is not possible now, but from `from` until before `until` [unix s].
    error OutsideWindow(uint256 from, uint256 until);
    /// @notice The free balance does not cover what is to be put up.
    error InsufficientFunds(uint32 account, uint256 need, uint256 free);
}
