// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Progress} from "../src/libraries/Clearing.sol";
import {Market} from "../src/types/Market.sol";
import {Town} from "./support/Town.sol";
import {vm} from "./support/Vm.sol";

/// @notice Gas of whole transactions, kept in contracts/snapshots.
/// @dev Checked by `FORGE_SNAPSHOT_CHECK=true forge test --match-contract GasTest`.
contract GasTest is Town {
    string private constant GROUP = "auction";

    function setUp() public {
        _deploy(0);
    }

    /// forge-config: default.isolate = true
    function test_direct_order() public {
        uint32 home = _addHome(100e6);
        uint32 other = _addHome(100e6);
        _place(_market(0), home, 100_000, 500, true, 0);
        vm.snapshotGasLastCall(GROUP, "direct order, first of a market");
        _place(_market(0), other, 100_000, 500, true, 0);
        _place(_market(0), home, 100_000, 500, true, 1);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "direct order");
        vm.assertLe(gas, 55_000, "direct order <= 55k");
        vm.prank(_ownerOf(home));
        accounts.setDeviceKey(home, address(7));
        _place(_market(0), home, 100_000, 500, true, 2);
        gas = vm.snapshotGasLastCall(GROUP, "direct order by an owner beside a device key");
        vm.assertLe(gas, 55_000, "direct order <= 55k");
    }

    /// forge-config: default.isolate = true
    function test_relay_and_clear_of_1000_orders() public {
        bytes memory orders;
        bytes[] memory parts = new bytes[](1000);
        bytes[] memory records = new bytes[](1000);
        for (uint32 i = 0; i < 1000; ++i) {
            uint32 home = _addHome(100e6);
            (int32 price, uint32 quantity, bool buy) =
                (int32(100_000 + (i * 7919) % 1000), 500 + i % 500, i % 2 == 0);
            parts[i] =
                _signedOrder(_market(0), home, price, quantity, buy, 0, uint64(DAY_START), _keyOf(home));
            records[i] = _record(home, price, quantity, buy, 0);
        }
        orders = _concat(parts);
        auction.relayOrders(_market(0), orders);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "relay of 1000 orders");
        vm.assertLe(gas, 15_000_000, "relay <= 15k per order");
        vm.warp(DIRECT_GATE);
        (int32 lo, int32 hi) = _hints(parts);
        uint16[] memory batches = new uint16[](1);
        batches[0] = 1000;
        auction.clear(_market(0), lo, hi, _concat(records), batches);
        gas = vm.snapshotGasLastCall(GROUP, "clear of 1000 orders");
        vm.assertLe(gas, 900_000, "clear <= 900 per order");
    }

    /// forge-config: default.isolate = true
    function test_labels_of_1000_orders() public {
        bytes[] memory parts = new bytes[](1000);
        bytes[] memory records = new bytes[](1000);
        for (uint32 i = 0; i < 1000; ++i) {
            uint32 home = _addHome(100e6);
            bool buy = i % 2 == 0;
            uint8 source = buy ? uint8(64 + (i / 2) % 40) : 1;
            parts[i] = _signedFrom(home, source, buy);
            records[i] = abi.encodePacked(
                home, _biased(100_000), uint32(500), uint24(0), (source << 1) | uint8(buy ? 1 : 0)
            );
        }
        auction.relayOrders(_market(0), _concat(parts));
        vm.warp(DIRECT_GATE);
        uint16[] memory batches = new uint16[](1);
        batches[0] = 1000;
        auction.clear(_market(0), 100_000, 100_000, _concat(records), batches);
        Progress memory none;
        auction.label(_market(0), 0, none, _concat(records), batches);
        vm.snapshotGasLastCall(GROUP, "labels of 1000 orders");
    }

    /// forge-config: default.isolate = true
    function test_relay_of_profiles() public {
        bytes memory profiles;
        for (uint32 i = 0; i < 50; ++i) {
            uint32 home = _addHome(1000e6);
            bytes memory steps;
            for (uint32 slot = 0; slot < SLOTS; ++slot) {
                steps = bytes.concat(steps, _step(slot, int32(100_000 + i), 500, i % 2 == 0));
            }
            profiles = bytes.concat(profiles, _signedProfile(home, false, 0, NEVER, steps));
        }
        auction.relayProfiles(COMMUNITY, 0, 0, profiles);
        uint256 gas = vm.snapshotGasLastCall(GROUP, "relay of 50 profiles of 12 steps");
        vm.assertLe(gas, 50 * 12 * 6000, "profile <= 6k per step");
    }

    /// @dev 500 Wh at 100,000 from a source or with a preference.
    function _signedFrom(uint32 home, uint8 source, bool buy) private view returns (bytes memory) {
        bytes memory record = abi.encodePacked(
            home, _biased(100_000), uint32(500), uint24(0), (source << 1) | uint8(buy ? 1 : 0)
        );
        bytes32 hash = _orderHash(_market(0), record, 0, NEVER);
        return abi.encodePacked(record, uint8(0), NEVER, _sign(_keyOf(home), address(auction), hash));
    }

    function _hints(bytes[] memory parts) private pure returns (int32 lo, int32 hi) {
        uint256 n = parts.length;
        for (int32 p = 100_000; p < 101_000; ++p) {
            (uint256 above, uint256 from, uint256 below, uint256 upTo) = (0, 0, 0, 0);
            for (uint256 i = 0; i < n; ++i) {
                (int32 price, uint256 q, bool buy) =
                    (int32(int256(100_000 + (i * 7919) % 1000)), 500 + i % 500, i % 2 == 0);
                if (buy && price > p) above += q;
                if (buy && price >= p) from += q;
                if (!buy && price < p) below += q;
                if (!buy && price <= p) upTo += q;
            }
            if (above <= upTo && below <= from) {
                if (lo == 0) lo = p;
                hi = p;
            }
        }
    }

    function _concat(bytes[] memory parts) private pure returns (bytes memory all) {
        uint256 size = parts[0].length;
        all = new bytes(size * parts.length);
        for (uint256 i = 0; i < parts.length; ++i) {
            bytes memory part = parts[i];
            assembly ("memory-safe") {
                mcopy(add(add(all, 0x20), mul(i, size)), add(part, 0x20), size)
            }
        }
    }
}
