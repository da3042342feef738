// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {OrderRecord} from "../types/OrderRecord.sol";

/// @notice Records that a batch appends to markets, collected in memory until the batch is read.
library Books {
    /// @dev The memory offset 0 stands for "none" in every link.
    /// @param market Its key.
    /// @param terms Its terms before the batch.
    /// @param tooFar True if its slot starts too far ahead.
    /// @param added Number of records of the batch.
    /// @param head First record, a word `record u128 | next record u128`.
    /// @param tail Last record.
    /// @param link Next book of the shelf.
    struct Book {
        Market market;
        MarketTerms terms;
        bool tooFar;
        uint256 added;
        uint256 head;
        uint256 tail;
        uint256 link;
    }

    /// @notice Books of consecutive slots, in the order in which they were put there.
    struct Shelf {
        uint256 firstSlot;
        uint256[] books;
        uint256 head;
        uint256 tail;
    }

    /// @notice A shelf for `size` slots from `firstSlot` on.
    function newShelf(uint256 firstSlot, uint256 size) internal pure returns (Shelf memory) {
        return Shelf(firstSlot, new uint256[](size), 0, 0);
    }

    /// @notice Book of a slot, or none.
    function find(Shelf memory shelf, uint256 slot) internal pure returns (Book memory) {
        if (slot < shelf.firstSlot || slot - shelf.firstSlot >= shelf.books.length) return _at(0);
        return _at(shelf.books[slot - shelf.firstSlot]);
    }

    /// @notice Puts a book on the shelf; slots beyond it, in which nothing can be accepted, are not kept.
    function put(Shelf memory shelf, uint256 slot, Book memory book) internal pure {
        if (slot < shelf.firstSlot || slot - shelf.firstSlot >= shelf.books.length) return;
        uint256 offset = _offset(book);
        shelf.books[slot - shelf.firstSlot] = offset;
        if (shelf.tail == 0) shelf.head = offset;
        else _at(shelf.tail).link = offset;
        shelf.tail = offset;
    }

    /// @notice First book of the shelf, or none.
    function first(Shelf memory shelf) internal pure returns (Book memory) {
        return _at(shelf.head);
    }

    /// @notice Next book of the shelf, or none.
    function next(Book memory book) internal pure returns (Book memory) {
        return _at(book.link);
    }

    /// @notice True if there is no such book.
    function isNone(Book memory book) internal pure returns (bool) {
        return _offset(book) == 0;
    }

    /// @notice Adds a record to the batch.
    function append(Book memory book, OrderRecord record) internal pure {
        uint256 tail = book.tail;
        uint256 offset;
        // Takes a word from the free memory pointer and links it behind the last one, whose low half is 0.
        assembly ("memory-safe") {
            offset := mload(0x40)
            mstore(0x40, add(offset, 0x20))
            mstore(offset, shl(128, record))
            if tail { mstore(tail, or(mload(tail), offset)) }
        }
        if (tail == 0) book.head = offset;
        book.tail = offset;
        // Memory ends long before 2**256 records.
        unchecked {
            ++book.added;
        }
    }

    /// @notice Extends a hash chain by the batch: `keccak(head, records)`.
    function chain(Book memory book, bytes32 head)
        internal
        pure
        returns (bytes32 newHead, bytes memory records)
    {
        uint256 size = 16 * book.added;
        uint256 node = book.head;
        // Takes length word and 16 bytes per record, rounded up and with one word to spare, from the free memory pointer;
        // each store writes 16 bytes and 16 more that the next store or nothing needs. While hashing, the head
        // stands where the length will be.
        assembly ("memory-safe") {
            records := mload(0x40)
            let write := add(records, 0x20)
            mstore(0x40, add(write, and(add(size, 63), not(31))))
            for {} node {} {
                let word := mload(node)
                mstore(write, shl(128, shr(128, word)))
                write := add(write, 16)
                node := and(word, 0xffffffffffffffffffffffffffffffff)
            }
            mstore(records, head)
            newHead := keccak256(records, add(size, 0x20))
            mstore(records, size)
        }
    }

    function _at(uint256 offset) private pure returns (Book memory book) {
        // Offsets come from `_offset`.
        assembly ("memory-safe") {
            book := offset
        }
    }

    function _offset(Book memory book) private pure returns (uint256 offset) {
        assembly ("memory-safe") {
            offset := book
        }
    }
}
