// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {Signatures} from "./Signatures.sol";

/// @notice Who may bind an account for days: its owner, and an order key that nothing limits.
library Consent {
    /// @dev Length of a compact signature.
    uint256 private constant COMPACT = 64;

    /// @notice True if `key` may.
    function mayBind(IAccounts accounts, uint32 account, address key) internal view returns (bool) {
        return
            key != address(0) && accounts.mayOrder(account, key) && accounts.limitsFor(account, key).areNone();
    }

    /// @notice True if such a key signed the digest (64 bytes, EIP-2098), or the owner is a contract that accepts the
    /// signature (EIP-1271).
    function isSigned(IAccounts accounts, uint32 account, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        if (
            signature.length == COMPACT
                && mayBind(accounts, account, Signatures.recover(digest, signature, 0))
        ) {
            return true;
        }
        address owner = accounts.ownerOf(account);
        return owner.code.length > 0 && SignatureChecker.isValidERC1271SignatureNow(owner, digest, signature);
    }
}
