// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title TestEuro
/// @notice Token of a development network: worth nothing, anyone may mint it.
contract TestEuro is ERC20Permit {
    constructor() ERC20("Test Euro", "tEUR") ERC20Permit("Test Euro") {}

    /// @notice Creates tokens.
    /// @param to Receives them.
    /// @param amount [micro-token]
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice One token is one euro of 1,000,000 micro-token.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
