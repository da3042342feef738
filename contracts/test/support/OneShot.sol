// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../../src/interfaces/ICallAuction.sol";
import {Clearing, Progress} from "../../src/libraries/Clearing.sol";
import {Labels} from "../../src/libraries/Labels.sol";
import {bias} from "../../src/types/OrderRecord.sol";

/// @notice Clearing and labels of a whole book at once, without a market around it.
contract OneShot {
    /// @param band Prices lie from minus this to this, so that a test can try all hints.
    function clear(bytes calldata records, int32 lo, int32 hi, int32 band)
        external
        pure
        returns (bool, Result memory)
    {
        Progress memory start;
        return Clearing.run(start, records, bias(lo), bias(hi), bias(-band), bias(band));
    }

    function label(bytes calldata records, Result memory result, uint256 premium)
        external
        pure
        returns (bool valid, Result memory)
    {
        Progress memory start;
        (valid,,) = Labels.run(start, records, result, premium);
        return (valid, result);
    }
}
