// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice The hash chain of a market: a batch of records moves its head to `keccak(head, records)` with the low 16 bits
/// cleared, where the market keeps the number of its records.
library HashChain {
    /// @dev Bits of a hash that a head keeps.
    bytes32 internal constant HEAD = ~bytes32(uint256(type(uint16).max));

    /// @notice The lengths of the batches do not add up to the records.
    error BatchMismatch();

    /// @notice Head after a batch.
    function extend(bytes32 head, bytes memory records) internal pure returns (bytes32 next) {
        // While hashing, the head stands where the length is.
        assembly ("memory-safe") {
            let length := mload(records)
            mstore(records, head)
            next := keccak256(records, add(length, 0x20))
            mstore(records, length)
        }
        return next & HEAD;
    }

    /// @notice Head after batches.
    /// @param head Where they begin, zero from the start.
    /// @param records All records, 16 bytes each.
    /// @param batches Number of records of every batch.
    function replay(bytes32 head, bytes calldata records, uint16[] calldata batches)
        internal
        pure
        returns (bytes32)
    {
        uint256 done = 0;
        for (uint256 i = 0; i < batches.length; ++i) {
            uint256 end = done + 16 * uint256(batches[i]);
            if (end > records.length) revert BatchMismatch();
            // The batch is copied beyond the free memory pointer, behind the head.
            assembly ("memory-safe") {
                let m := mload(0x40)
                mstore(m, head)
                calldatacopy(add(m, 0x20), add(records.offset, done), sub(end, done))
                head := keccak256(m, add(0x20, sub(end, done)))
            }
            head &= HEAD;
            done = end;
        }
        if (done != records.length) revert BatchMismatch();
        return head;
    }
}
