// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MeterProof} from "../types/Evidence.sol";

/// @notice What two accounts agree on.
/// @param community Community of both.
/// @param product 0 electricity, 1 heat, 2 cooling.
/// @param seller Account that feeds the energy in.
/// @param buyer Account that draws it.
/// @param source Source of the energy, as in orders.
/// @param fromDay First trading day.
/// @param toDay Last trading day.
/// @param spot True if the price is added to the reference price of the slot.
/// @param price Of the energy, or what is added [micro-token/kWh].
/// @param sharePermille Part of the seller's metered surplus that is sold; 0 for a profile.
/// @param profile Energy of each slot of a day, 4 bytes each; empty for a share [Wh].
/// @param noticeDays By notice the contract ends so many days later.
/// @param fee Deposited by both, lost to the other by who ends without notice or cannot deliver [nano-token].
/// @param validTo Last time at which it may be concluded [unix s].
/// @param salt Tells apart contracts that are equal otherwise.
struct BilateralTerms {
    uint32 community;
    uint8 product;
    uint32 seller;
    uint32 buyer;
    uint8 source;
    uint32 fromDay;
    uint32 toDay;
    bool spot;
    int32 price;
    uint16 sharePermille;
    bytes profile;
    uint16 noticeDays;
    uint64 fee;
    uint64 validTo;
    uint64 salt;
}

/// @notice A contract in force; its terms are known by their hash.
/// @param hash Of the terms.
/// @param lastDay Last trading day, earlier than agreed after a termination.
/// @param depositsHeld True until the deposits were paid out, once.
struct BilateralDeal {
    bytes32 hash;
    uint32 community;
    uint32 seller;
    uint32 buyer;
    uint32 lastDay;
    uint16 noticeDays;
    uint64 fee;
    bool depositsHeld;
}

/// @notice Contracts between two accounts: agreed once, delivered day by day or slot by slot by anyone.
/// @dev See docs/proofs.md [16].
interface IBilateralContracts {
    /// @notice A party agreed to terms, which the other one may accept.
    event Proposed(bytes32 indexed hash, uint32 indexed account, BilateralTerms terms);

    /// @notice A party took back what it agreed to; the terms can never be concluded.
    event Revoked(bytes32 indexed hash, uint32 indexed account);

    /// @notice A contract is in force.
    event Concluded(
        uint64 indexed deal, uint32 indexed seller, uint32 indexed buyer, bytes32 hash, BilateralTerms terms
    );

    /// @notice The positions of a day were opened.
    event Delivered(uint64 indexed deal, uint32 indexed day);

    /// @notice The position of a measured slot was opened.
    event DeliveredMetered(uint64 indexed deal, uint32 indexed slot, uint32 wh, int32 price);

    /// @notice The contract ends earlier than agreed.
    /// @param early True without notice: both deposits went to the other party.
    event Terminated(uint64 indexed deal, uint32 indexed account, uint32 lastDay, bool early);

    /// @notice A party could not deliver or pay from a slot on; the contract ended and both deposits went to the other one.
    event Defaulted(uint64 indexed deal, uint32 indexed account, uint32 indexed slot, uint32 lastDay);

    /// @notice The contract is over and both deposits went back.
    event Closed(uint64 indexed deal);

    /// @notice A part of the terms is outside its bounds.
    error InvalidTerms(string part);
    /// @notice The terms can no longer be concluded.
    error Expired(uint64 validTo);
    /// @notice These terms were concluded already, or revoked.
    error Spent(bytes32 hash);
    /// @notice The account is no party, or nobody who may bind it called or signed.
    error NotAuthorised(uint32 account, address caller);
    /// @notice The other party did not propose these terms.
    error NotProposed(bytes32 hash);
    /// @notice A party cannot deposit the fee.
    error InsufficientDeposit(uint32 account, uint256 need, uint256 taken);
    /// @notice There is no such contract in force.
    error UnknownDeal(uint64 deal);
    /// @notice There is no contract of such terms.
    error NotConcluded(bytes32 hash);
    /// @notice The contract delivers from `fromDay` to `lastDay`.
    error OutsidePeriod(uint256 day, uint256 fromDay, uint256 lastDay);
    /// @notice The call is possible from `from` on, until before `until`.
    error OutsideWindow(uint256 from, uint256 until);
    /// @notice The day or slot was delivered already.
    error AlreadyDelivered(uint256 dayOrSlot);
    /// @notice Nothing is to be delivered: no surplus, curtailed, or beyond what the rules allow by now.
    error NothingToDeliver(uint256 dayOrSlot);
    /// @notice These are not the reported reference prices of the day.
    error WrongPrices(uint32 day);
    /// @notice The meter leaf is not of the slot's reported tree, or was not measured.
    error WrongMeter(uint32 account, uint32 slot);
    /// @notice The other party could deliver and pay, or the claimant could not.
    error NoDefault(uint32 account);
    /// @notice The contract ends by then anyway.
    error EndsAnyway(uint32 lastDay);

    /// @notice Concludes terms that both signed, or that a party proposed where its signature is empty. Anyone.
    /// @param sellerSignature 64 bytes (EIP-2098) of a key that binds the account, or what its owner accepts by EIP-1271.
    function conclude(
        BilateralTerms calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) external returns (uint64 deal);

    /// @notice Agrees to terms as `account`. Keys that bind it only.
    function propose(BilateralTerms calldata terms, uint32 account) external;

    /// @notice Agrees to terms that the other party proposed, as `account`, and concludes them. Keys that bind it only.
    function accept(BilateralTerms calldata terms, uint32 account) external returns (uint64 deal);

    /// @notice Takes back what `account` signed or proposed, unless concluded. Keys that bind it only.
    function revoke(BilateralTerms calldata terms, uint32 account) external;

    /// @notice Opens the positions of a day, from two days before it until it begins. Anyone.
    /// @param prices Reference prices of the day as reported; empty with a fixed price.
    function deliver(BilateralTerms calldata terms, uint32 day, bytes calldata prices) external;

    /// @notice Opens the position of a slot by the seller's meter, when the report is final and until the bills. Anyone.
    function deliverMetered(
        BilateralTerms calldata terms,
        uint32 slot,
        MeterProof calldata meter,
        bytes calldata prices
    ) external;

    /// @notice Ends the contract by notice. Keys that bind `account`, a party, only.
    function terminate(uint64 deal, uint32 account) external;

    /// @notice Ends the contract with today; the deposit of `account` goes to the other party. Keys that bind it only.
    function terminateEarly(uint64 deal, uint32 account) external;

    /// @notice Ends the contract because the party other than `claimant` lacks the money for the positions of a day, in the
    /// hour before it. Keys that bind `claimant` only.
    function claimDefault(BilateralTerms calldata terms, uint32 day, bytes calldata prices, uint32 claimant)
        external;

    /// @notice `claimDefault` for a measured slot, in the hour before the bills.
    function claimMeteredDefault(
        BilateralTerms calldata terms,
        uint32 slot,
        MeterProof calldata meter,
        bytes calldata prices,
        uint32 claimant
    ) external;

    /// @notice Pays both deposits back once nothing can be delivered any more. Anyone.
    function close(uint64 deal) external;

    /// @notice Hash of terms, which both parties sign as typed data.
    function hashOf(BilateralTerms calldata terms) external view returns (bytes32);

    /// @notice A contract by its number.
    function dealAt(uint64 deal) external view returns (BilateralDeal memory);

    /// @notice Number of the contract of terms with that hash, 0 without one.
    function dealOf(bytes32 hash) external view returns (uint64);

    /// @notice True if a day (of a profile) or a slot (of a share) was delivered.
    function isDelivered(uint64 deal, uint32 dayOrSlot) external view returns (bool);

    /// @notice Number of contracts, which is the highest.
    function dealCount() external view returns (uint64);
}
