// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IPackagePrices} from "./IPackagePrices.sol";

/// @notice Part of every day, from the end of the band before.
/// @param untilSlot First slot of the day that is no longer of the band.
/// @param price Of the energy, or what is added to the reference price [micro-token/kWh].
struct Band {
    uint16 untilSlot;
    int32 price;
}

/// @notice What a retailer offers.
/// @param community Community of retailer and homes.
/// @param product 0 electricity, 1 heat, 2 cooling.
/// @param feedIn True if the retailer buys what the home gives, false if it sells what the home takes.
/// @param spot True if the prices of the bands are added to the reference price of the slot.
/// @param bands 1 to 8, ascending, the last until the end of the day; one makes a flat price.
/// @param volume Energy of a slot and home that the package covers, 0 for any [Wh].
/// @param homes How many can have it at a time.
/// @param firstDay First trading day on which it counts.
/// @param lastDay Last trading day on which it counts.
/// @param dailyFee Paid by each home for each day [nano-token].
/// @param noticeDays A change to it or from it counts this many days later at the earliest, 1 to 60.
/// @param greenPermille Share of the energy from renewable sources.
/// @param nameHash Keccak of its name.
struct PackageTerms {
    uint32 community;
    uint8 product;
    bool feedIn;
    bool spot;
    Band[] bands;
    uint32 volume;
    uint32 homes;
    uint32 firstDay;
    uint32 lastDay;
    uint64 dailyFee;
    uint16 noticeDays;
    uint16 greenPermille;
    bytes32 nameHash;
}

/// @notice A home's choice, signed or sent.
/// @param account Home that chooses.
/// @param product 0 electricity, 1 heat, 2 cooling.
/// @param feedIn Which of its two packages of the product.
/// @param package Number of the package, 0 for none.
/// @param fromDay First trading day of it.
/// @param validTo Last time at which it may be brought, if signed [unix s].
struct PackageChoice {
    uint32 account;
    uint8 product;
    bool feedIn;
    uint32 package;
    uint32 fromDay;
    uint64 validTo;
}

/// @notice Retailers' packages and who has which of them on which day.
/// @dev A home has at most one package per product and direction. What counts on a day is settled before the first gate
/// of that day and never changes later, see docs/proofs.md [10].
interface IPricePackages is IPackagePrices {
    /// @notice A retailer offers a package. Its terms never change.
    /// @param cap Bound of every price of it [micro-token/kWh].
    event PackagePublished(
        uint32 indexed community,
        uint32 indexed package,
        uint32 indexed retailer,
        uint32 cap,
        PackageTerms terms
    );

    /// @notice Nobody may choose the package any more; who has it keeps it.
    event PackageWithdrawn(uint32 indexed package);

    /// @notice A home without a package has one from a day on.
    event Subscribed(uint32 indexed account, uint32 indexed package, uint32 fromDay);

    /// @notice A home has another package from a day on.
    event Switched(uint32 indexed account, uint32 indexed package, uint32 indexed previous, uint32 fromDay);

    /// @notice A home has no package any more from a day on.
    event Left(uint32 indexed account, uint32 indexed package, uint32 fromDay);

    /// @notice A part of the terms is outside its bounds.
    error InvalidTerms(string part);
    /// @notice The caller may not bind the retailer of the community on the first day.
    error NotRetailer(uint32 community, address caller);
    /// @notice The caller may not bind the account, or did not sign for it.
    error NotAuthorised(uint32 account, address caller);
    /// @notice There is no such package for the account: of its community, for the product and direction.
    error NoSuchPackage(uint32 account, uint32 package);
    /// @notice The package takes no more homes.
    error Withdrawn(uint32 package);
    /// @notice All places of the package are taken on that day.
    error SoldOut(uint32 package, uint32 fromDay);
    /// @notice The account has no meter of the product.
    error NoMeter(uint32 account, uint8 product);
    /// @notice The account has that package already, or has none to leave.
    error NothingChanges(uint32 account, uint32 package);
    /// @notice The account subscribes while it has a package, or switches while it has none.
    error WrongCall(uint32 account, uint32 current);
    /// @notice An earlier choice counts only from a later day on.
    error ChangePending(uint32 account, uint32 fromDay);
    /// @notice A change may count from `earliest` to `latest`.
    error DayOutOfRange(uint32 fromDay, uint256 earliest, uint256 latest);
    /// @notice The first gate of the day has passed.
    error GateClosed(uint32 day);
    /// @notice The signed choice was brought too late.
    error Expired(uint64 validTo);

    /// @notice Offers a package. Keys that bind the retailer's account only.
    function publish(PackageTerms calldata terms) external returns (uint32 package);

    /// @notice Takes a package off the market. Keys that bind the retailer's account only.
    function withdraw(uint32 package) external;

    /// @notice Takes a package. Keys that bind the account only.
    function subscribe(uint32 account, uint32 package, uint32 fromDay) external;

    /// @notice Takes another package instead of the present one of the same product and direction. Keys that bind the
    /// account only.
    function switchTo(uint32 account, uint32 package, uint32 fromDay) external;

    /// @notice Gives the package of a product and direction up. Keys that bind the account only.
    function unsubscribe(uint32 account, uint8 product, bool feedIn, uint32 fromDay) external;

    /// @notice Brings a signed choice to subscribe, switch or unsubscribe.
    /// @param signature 64 bytes (EIP-2098) of a key that binds the account, or what its owner accepts by EIP-1271.
    function chooseSigned(PackageChoice calldata choice, bytes calldata signature) external;

    /// @notice Package that an account has on a day, 0 for none.
    function packageAt(uint32 account, uint8 product, bool feedIn, uint32 day)
        external
        view
        returns (uint32 package);

    /// @notice Homes that can still choose a package from a day on.
    function placesLeft(uint32 package, uint32 fromDay) external view returns (uint256);

    /// @notice Retailer of a package, share from renewable sources, and whether it was withdrawn; zero where there is none.
    function packageOf(uint32 package)
        external
        view
        returns (uint32 community, uint32 retailer, uint16 greenPermille, bool withdrawn);

    /// @notice Number of packages, which is the highest.
    function packageCount() external view returns (uint32);
}
