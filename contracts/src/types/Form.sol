// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice The form of trading that an agreement came from. The settlement does not look at it.
enum Form {
    Call,
    Continuous,
    Package,
    Bilateral,
    Block,
    Sealed,
    Dutch
}
