// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice An owner that is a contract and accepts one digest, whatever the signature.
contract DigestWallet {
    bytes32 private _accepted;

    function accept(bytes32 digest) external {
        _accepted = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == _accepted ? this.isValidSignature.selector : bytes4(0);
    }
}
