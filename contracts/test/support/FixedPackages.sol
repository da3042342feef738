// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IPackagePrices, PackagePrice} from "../../src/interfaces/IPackagePrices.sol";

/// @notice What a home's packages say in every slot.
struct HomePackage {
    int32 supplyPrice;
    uint32 supplyWh;
    int32 feedInPrice;
    uint32 feedInWh;
    uint64 dailyFee;
}

/// @notice Packages of electricity that a test fixes.
contract FixedPackages is IPackagePrices {
    mapping(uint32 account => HomePackage) private _packages;

    function fix(uint32 account, HomePackage calldata package) external {
        _packages[account] = package;
    }

    function pricesAt(
        uint32,
        uint32 account,
        uint8 product,
        uint32,
        uint32 slotOfDay,
        int32 spot,
        bool hasSpot
    ) external view returns (PackagePrice memory supply, PackagePrice memory feedIn, uint256 dailyFee) {
        HomePackage memory package = _packages[account];
        if (product != 0) return (supply, feedIn, 0);
        supply = PackagePrice(hasSpot ? spot : package.supplyPrice, package.supplyWh);
        feedIn = PackagePrice(package.feedInPrice, package.feedInWh);
        dailyFee = slotOfDay == 0 ? package.dailyFee : 0;
    }
}
