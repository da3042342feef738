// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Wire} from "./Wire.sol";

/// @notice Compact signatures (EIP-2098): `r`, then `yParity << 255 | s`.
library Signatures {
    using Wire for bytes;

    /// @dev Half of the order of secp256k1; a higher `s` is the second form of another signature.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Signer of a digest by the signature at `offset` of `wire`, zero if it is invalid.
    function recover(bytes32 digest, bytes calldata wire, uint256 offset)
        internal
        view
        returns (address signer)
    {
        (bytes32 r, bytes32 vs) = wire.signature(offset);
        uint256 s = uint256(vs) & type(uint256).max >> 1;
        if (s > HALF_ORDER) return address(0);
        // Writes beyond the free memory pointer only; ecrecover returns nothing for an invalid signature and the
        // result word was cleared.
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, digest)
            mstore(add(m, 0x20), add(27, shr(255, vs)))
            mstore(add(m, 0x40), r)
            mstore(add(m, 0x60), s)
            mstore(0, 0)
            pop(staticcall(gas(), 1, m, 0x80, 0, 0x20))
            signer := mload(0)
        }
    }
}
