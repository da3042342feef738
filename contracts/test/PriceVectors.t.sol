// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PriceVectors} from "../src/libraries/PriceVectors.sol";
import {vm} from "./support/Vm.sol";

contract PriceVectorsTest {
    int256[8] private _edges =
        [int256(type(int32).min), -2_000_001, -2_000_000, -1, 0, 1, 2_000_000, int256(type(int32).max)];

    function test_eight_at_once_say_what_one_at_a_time_says(
        uint256 seed,
        uint8 slots,
        uint32 limit,
        bool ordered
    ) public view {
        uint256 count = 2 * (1 + uint256(slots) % 12);
        uint256 bound = seed % 3 == 0 ? 2_000_000 : limit % 2 ** 31;
        int256[] memory first = new int256[](count);
        int256[] memory second = new int256[](count);
        bytes memory a;
        bytes memory b;
        bool near = true;
        bool within = true;
        for (uint256 i = 0; i < count; ++i) {
            first[i] = _drawn(seed, 2 * i);
            // Mostly so close that one pair alone decides.
            second[i] = i == seed % count ? _drawn(seed, 2 * i + 1) : first[i];
            (a, b) = (bytes.concat(a, _packed(first[i])), bytes.concat(b, _packed(second[i])));
            near = near && _distance(first[i], second[i]) <= bound;
            within = within && _distance(first[i], 0) <= bound;
            if (ordered && i % 2 == 1) within = within && first[i] <= first[i - 1];
        }
        vm.assertEq(this.near(a, b, bound), near);
        vm.assertEq(this.near(b, a, bound), near);
        vm.assertEq(this.within(a, bound, ordered), within);
    }

    function near(bytes calldata a, bytes calldata b, uint256 limit) external pure returns (bool) {
        return PriceVectors.near(a, b, limit);
    }

    function within(bytes calldata prices, uint256 limit, bool ordered) external pure returns (bool) {
        return PriceVectors.within(prices, limit, ordered);
    }

    /// @dev An edge, or a small price; a third of all vectors are small throughout.
    function _drawn(uint256 seed, uint256 i) private view returns (int256) {
        uint256 random = uint256(keccak256(abi.encode(seed, i)));
        if (seed % 3 > 0 && random % 8 == 0) return _edges[(random >> 8) % 8];
        return int256((random >> 16) % 4_000_001) - 2_000_000;
    }

    function _packed(int256 price) private pure returns (bytes memory) {
        return abi.encodePacked(int32(price));
    }

    function _distance(int256 a, int256 b) private pure returns (uint256) {
        return uint256(a > b ? a - b : b - a);
    }
}
