// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {OrderRecord} from "../types/OrderRecord.sol";
import {RecordList, newRecordList} from "./RecordList.sol";

/// @notice Records that a batch appends to one market, collected in memory until the batch is read. Offset in memory of
/// seven words: `market, terms, too far, added, first record, last record, next book`; 0 stands for none.
/// @dev A struct would do the same, but every function that returns one pays for an empty one first.
type Book is uint256;

/// @notice Books of consecutive slots, linked in the order in which they were put there.
struct Shelf {
    uint256 firstSlot;
    Book[] books;
    Book first;
    Book last;
}

using {market, terms, tooFar, added, next, isNone, append, records} for Book global;
using {find, put} for Shelf global;

uint256 constant TERMS = 0x20;
uint256 constant TOO_FAR = 0x40;
uint256 constant ADDED = 0x60;
uint256 constant FIRST = 0x80;
uint256 constant LAST = 0xa0;
uint256 constant NEXT = 0xc0;
uint256 constant BOOK_BYTES = 0xe0;

/// @notice An empty book of a market.
/// @param terms_ Its terms before the batch.
/// @param tooFar_ True if its slot starts too far ahead.
function newBook(Market market_, MarketTerms terms_, bool tooFar_) pure returns (Book book) {
    // Takes its words from the free memory pointer and clears them.
    assembly ("memory-safe") {
        book := mload(0x40)
        mstore(0x40, add(book, BOOK_BYTES))
        mstore(book, market_)
        mstore(add(book, TERMS), terms_)
        mstore(add(book, TOO_FAR), tooFar_)
        calldatacopy(add(book, ADDED), calldatasize(), sub(BOOK_BYTES, ADDED))
    }
}

/// @notice True if there is no such book.
function isNone(Book book) pure returns (bool) {
    return Book.unwrap(book) == 0;
}

/// @notice Key of the market.
function market(Book book) pure returns (Market) {
    return Market.wrap(_load(book, 0));
}

/// @notice Terms of the market before the batch.
function terms(Book book) pure returns (MarketTerms) {
    return MarketTerms.wrap(_load(book, TERMS));
}

/// @notice True if the slot starts too far ahead.
function tooFar(Book book) pure returns (bool) {
    return _load(book, TOO_FAR) != 0;
}

/// @notice Number of records of the batch.
function added(Book book) pure returns (uint256) {
    return _load(book, ADDED);
}

/// @notice Next book of the shelf, or none.
function next(Book book) pure returns (Book) {
    return Book.wrap(_load(book, NEXT));
}

/// @notice Adds a record to the batch.
function append(Book book, OrderRecord record) pure {
    // Takes a word `record u128 | offset of the next record u128` from the free memory pointer and links it behind the
    // last one, whose low half is 0. Memory ends long before 2**128.
    assembly ("memory-safe") {
        let node := mload(0x40)
        mstore(0x40, add(node, 0x20))
        mstore(node, shl(128, record))
        let last := mload(add(book, LAST))
        switch last
        case 0 { mstore(add(book, FIRST), node) }
        default { mstore(last, or(mload(last), node)) }
        mstore(add(book, LAST), node)
        mstore(add(book, ADDED), add(mload(add(book, ADDED)), 1))
    }
}

/// @notice Records of the batch in order of arrival.
function records(Book book) pure returns (bytes memory) {
    RecordList memory list = newRecordList(book.added());
    for (uint256 node = _load(book, FIRST); node != 0;) {
        uint256 word = _load(Book.wrap(node), 0);
        list.push(OrderRecord.wrap(uint128(word >> 128)));
        node = uint128(word);
    }
    return list.toBytes();
}

/// @notice A shelf for `size` slots from `firstSlot` on.
function newShelf(uint256 firstSlot, uint256 size) pure returns (Shelf memory) {
    return Shelf(firstSlot, new Book[](size), Book.wrap(0), Book.wrap(0));
}

/// @notice Book of a slot, or none.
function find(Shelf memory shelf, uint256 slot) pure returns (Book) {
    if (slot < shelf.firstSlot || slot - shelf.firstSlot >= shelf.books.length) return Book.wrap(0);
    return shelf.books[slot - shelf.firstSlot];
}

/// @notice Puts a book on the shelf; books of slots beyond it, in which nothing can be accepted, are not kept.
function put(Shelf memory shelf, uint256 slot, Book book) pure {
    if (slot < shelf.firstSlot || slot - shelf.firstSlot >= shelf.books.length) return;
    shelf.books[slot - shelf.firstSlot] = book;
    Book last = shelf.last;
    if (last.isNone()) {
        shelf.first = book;
    } else {
        // `last` is a book, whose link is still 0.
        assembly ("memory-safe") {
            mstore(add(last, NEXT), book)
        }
    }
    shelf.last = book;
}

function _load(Book book, uint256 offset) pure returns (uint256 value) {
    // A word of the book.
    assembly ("memory-safe") {
        value := mload(add(book, offset))
    }
}
