// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Form} from "./Form.sol";
import {bias} from "./OrderRecord.sol";

/// @notice Energy that two accounts agreed on, for consecutive slots of one trading day.
/// @param community Community of both accounts.
/// @param product 0 electricity, 1 heat, 2 cooling.
/// @param buyer Account that draws the energy.
/// @param seller Account that feeds it in.
/// @param form Where they agreed.
/// @param deal Number of the agreement in its form.
/// @param price Price of every slot [micro-token/kWh].
/// @param source Source of the energy, as in orders.
/// @param slot First slot.
/// @param wh Energy of each slot from the first on [Wh].
struct Agreement {
    uint32 community;
    uint8 product;
    uint32 buyer;
    uint32 seller;
    Form form;
    uint64 deal;
    int32 price;
    uint8 source;
    uint32 slot;
    uint32[] wh;
}

/// @notice Head of an account's positions of a day and their number: `head u240 | count u16`.
type PositionChain is uint256;

using {count, head, append} for PositionChain global;

/// @notice Number of records.
function count(PositionChain chain) pure returns (uint256) {
    return uint16(PositionChain.unwrap(chain));
}

/// @notice Hash of all records in order, 240 bits in the high end of the word.
function head(PositionChain chain) pure returns (uint256) {
    return (PositionChain.unwrap(chain) >> 16) << 16;
}

/// @notice The chain with one record more, by the record's hash: `head = keccak(head u256 | hash)` without its low 16 bits.
/// @dev The count must be below 2**16 - 1.
function append(PositionChain chain, bytes32 record) pure returns (PositionChain) {
    uint256 next = uint256(keccak256(abi.encode(chain.head(), record)));
    return PositionChain.wrap(((next >> 16) << 16) | (chain.count() + 1));
}

/// @notice One side of an agreement as the chain of its account holds it:
/// `form u8 | buy u8 | counterparty u32 | deal u64 | biased price u32 | source u8 | slot u32 | wh u32 each`, from byte 0 on.
/// `wh` are the agreement's energies as `packWh` gives them.
function recordOf(Agreement memory agreement, bool buy, bytes memory wh) pure returns (bytes memory) {
    return abi.encodePacked(
        uint8(agreement.form),
        buy,
        buy ? agreement.seller : agreement.buyer,
        agreement.deal,
        uint32(bias(agreement.price)),
        agreement.source,
        agreement.slot,
        wh
    );
}

/// @notice The values, 4 bytes each.
function packWh(uint32[] memory values) pure returns (bytes memory packed) {
    uint256 count_ = values.length;
    // A word to spare, as each value is written with a whole word whose tail the next one overwrites.
    packed = new bytes(4 * count_ + 32);
    assembly ("memory-safe") {
        let from := add(values, 0x20)
        let to := add(packed, 0x20)
        for { let end := add(from, shl(5, count_)) } lt(from, end) { from := add(from, 0x20) } {
            mstore(to, shl(224, mload(from)))
            to := add(to, 4)
        }
        mstore(packed, shl(2, count_))
    }
}
