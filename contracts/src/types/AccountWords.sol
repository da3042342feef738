// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice What rarely changes of an account: `order key u160 | community u32 | limited u1 | metered products u8`.
/// Zero where there is no such account.
type AccountKey is uint256;

/// @notice What every order changes: `free u64 [nano-token] | nonce base u32 | nonce window u128`.
type AccountHot is uint256;

using {
    orderKey,
    community,
    isLimited,
    metered,
    isOf,
    isMetered,
    isHome,
    isExactly,
    withOrderKey,
    withMeter
} for AccountKey global;
using {free, isFresh, isUsed, use, withFree} for AccountHot global;

/// @dev Largest sum of everything owed [nano-token]; no balance can exceed it.
uint256 constant MAX_OWED = 1 << 62;

/// @dev Number of nonces above the base that can be used in any order.
uint256 constant NONCE_WINDOW = 128;

/// @dev How far above the base a nonce may lie, so that no signature can use up all later ones.
uint256 constant NONCE_REACH = 1 << 16;

/// @dev Set where what the device key may sign is limited.
uint256 constant LIMITED = 1 << 63;

/// @notice Key word of a new account: its owner orders until a device key is set.
function newAccountKey(address owner, uint32 community_) pure returns (AccountKey) {
    return AccountKey.wrap((uint256(uint160(owner)) << 96) | (uint256(community_) << 64));
}

/// @notice Key that may order and nominate beside the owner's.
function orderKey(AccountKey word) pure returns (address) {
    return address(uint160(AccountKey.unwrap(word) >> 96));
}

/// @notice Community of the account.
function community(AccountKey word) pure returns (uint32) {
    return uint32(AccountKey.unwrap(word) >> 64);
}

/// @notice True if what the device key may sign is limited.
function isLimited(AccountKey word) pure returns (bool) {
    return AccountKey.unwrap(word) & LIMITED != 0;
}

/// @notice True if the account has an approved meter for the product.
function metered(AccountKey word, uint8 product) pure returns (bool) {
    return product < 8 && (AccountKey.unwrap(word) >> product) & 1 == 1;
}

/// @notice True for an account of the community of `home`, see types/ProductDay.sol.
function isOf(AccountKey word, uint256 home) pure returns (bool) {
    return uint32(AccountKey.unwrap(word) >> 64) == uint32(home >> 64) && AccountKey.unwrap(word) != 0;
}

/// @notice True if the account has an approved meter for the product of `home`, see types/ProductDay.sol.
function isMetered(AccountKey word, uint256 home) pure returns (bool) {
    return AccountKey.unwrap(word) & uint8(home) != 0;
}

/// @notice True for an account of the community of `home` with a meter for its product.
function isHome(AccountKey word, uint256 home) pure returns (bool) {
    return (AccountKey.unwrap(word) ^ home) & ((uint256(type(uint32).max) << 64) | uint16(home)) == 0;
}

/// @notice True for an account of the community of `home` with a meter for its product and the order key without limits.
function isExactly(AccountKey word, uint256 home, address key) pure returns (bool) {
    // Meters of other products may differ.
    return (AccountKey.unwrap(word) ^ ((uint256(uint160(key)) << 96) | home)) & (~uint256(0xff) | home) == 0;
}

/// @notice The word with another order key, limited or not.
function withOrderKey(AccountKey word, address key, bool limited) pure returns (AccountKey) {
    uint256 rest = AccountKey.unwrap(word) & type(uint96).max & ~LIMITED;
    return AccountKey.wrap(rest | (uint256(uint160(key)) << 96) | (limited ? LIMITED : 0));
}

/// @notice The word with a meter for `product < 8`.
function withMeter(AccountKey word, uint8 product) pure returns (AccountKey) {
    return AccountKey.wrap(AccountKey.unwrap(word) | (1 << product));
}

/// @notice Balance that is neither locked nor being withdrawn [nano-token].
function free(AccountHot word) pure returns (uint256) {
    return AccountHot.unwrap(word) >> 192;
}

/// @notice True if the nonce lies in the window and was not used, as usual.
function isFresh(AccountHot word, uint32 nonce) pure returns (bool) {
    // A nonce below the base wraps around to the largest numbers.
    unchecked {
        uint256 bit = uint256(nonce) - uint32(AccountHot.unwrap(word) >> 160);
        return bit < NONCE_WINDOW && (AccountHot.unwrap(word) >> bit) & 1 == 0;
    }
}

/// @notice True if the nonce was used, is older than the window or out of reach.
function isUsed(AccountHot word, uint32 nonce) pure returns (bool) {
    uint256 base = uint32(AccountHot.unwrap(word) >> 160);
    if (nonce < base) return true;
    // nonce >= base
    unchecked {
        uint256 bit = nonce - base;
        return bit >= NONCE_REACH || (bit < NONCE_WINDOW && (AccountHot.unwrap(word) >> bit) & 1 == 1);
    }
}

/// @notice The word after using a nonce that is not used; the window slides with the highest.
function use(AccountHot word, uint32 nonce) pure returns (AccountHot) {
    uint256 base = uint32(AccountHot.unwrap(word) >> 160);
    uint256 window = uint128(AccountHot.unwrap(word));
    // nonce >= base as it is not used, and base + 128 <= nonce where the window slides.
    unchecked {
        uint256 bit = nonce - base;
        if (bit >= NONCE_WINDOW) {
            uint256 slide = bit - (NONCE_WINDOW - 1);
            window >>= slide; // a shift by 256 and more is 0
            base += slide;
            bit = NONCE_WINDOW - 1;
        }
        window |= 1 << bit;
    }
    return AccountHot.wrap(((AccountHot.unwrap(word) >> 192) << 192) | (base << 160) | window);
}

/// @notice The word with another free balance, at most `MAX_OWED`.
function withFree(AccountHot word, uint256 free_) pure returns (AccountHot) {
    return AccountHot.wrap((AccountHot.unwrap(word) & type(uint192).max) | (free_ << 192));
}
