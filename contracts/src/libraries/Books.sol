// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Market} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {OrderRecord} from "../types/OrderRecord.sol";
import {Skip} from "../types/Skip.sol";

/// @notice What a batch appends to one market. Offset in memory of seven words:
/// `market, terms, fault, room, added, records, next book`; 0 stands for none.
/// @dev A struct would do the same, but every function that returns one pays for an empty one first.
type Book is uint256;

/// @notice Books of consecutive slots, linked in the order in which they were put there, and the records that arrived for
/// all of them.
/// @param arrivals Where the records stand, a word `record u128 | book u128` each.
/// @param end Where the next one goes.
struct Shelf {
    uint256 firstSlot;
    Book[] books;
    Book first;
    Book last;
    uint256 arrivals;
    uint256 end;
}

using {market, terms, fault, room, added, next, isNone, admits, records} for Book global;
using {find, put, append, deal} for Shelf global;

uint256 constant TERMS = 0x20;
uint256 constant FAULT = 0x40;
uint256 constant ROOM = 0x60;
uint256 constant ADDED = 0x80;
uint256 constant RECORDS = 0xa0;
uint256 constant NEXT = 0xc0;
uint256 constant BOOK_BYTES = 0xe0;

/// @notice An empty book of a market.
/// @param terms_ Its terms before the batch.
/// @param fault_ What keeps all records out.
/// @param room_ Number of records that it can still take.
function newBook(Market market_, MarketTerms terms_, Skip fault_, uint256 room_) pure returns (Book book) {
    // Takes its words from the free memory pointer and clears them.
    assembly ("memory-safe") {
        book := mload(0x40)
        mstore(0x40, add(book, BOOK_BYTES))
        calldatacopy(book, calldatasize(), BOOK_BYTES)
    }
    _store(book, 0, Market.unwrap(market_));
    _store(book, TERMS, MarketTerms.unwrap(terms_));
    _store(book, FAULT, uint256(fault_));
    if (fault_ == Skip.None) _store(book, ROOM, room_);
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

/// @notice What keeps all records out.
function fault(Book book) pure returns (Skip) {
    return Skip(uint8(_load(book, FAULT)));
}

/// @notice Number of records that the batch can add, none where a fault keeps them out.
function room(Book book) pure returns (uint256) {
    return _load(book, ROOM);
}

/// @notice True if nothing keeps the record out: neither its market nor its price nor its quantity.
function admits(Book book, OrderRecord record) pure returns (bool) {
    return added(book) < room(book) && record.fits(terms(book));
}

/// @notice Number of records of the batch.
function added(Book book) pure returns (uint256) {
    return _load(book, ADDED);
}

/// @notice Next book of the shelf, or none.
function next(Book book) pure returns (Book) {
    return Book.wrap(_load(book, NEXT));
}

/// @notice Records of the batch in order of arrival, once they were dealt out.
function records(Book book) pure returns (bytes memory list) {
    uint256 start = _load(book, RECORDS);
    assembly ("memory-safe") {
        list := start
    }
}

/// @notice A shelf for `size` slots from `firstSlot` on, and for `capacity` records.
function newShelf(uint256 firstSlot, uint256 size, uint256 capacity) pure returns (Shelf memory shelf) {
    shelf.firstSlot = firstSlot;
    shelf.books = new Book[](size);
    uint256 arrivals;
    assembly ("memory-safe") {
        arrivals := mload(0x40)
        mstore(0x40, add(arrivals, shl(5, capacity)))
    }
    (shelf.arrivals, shelf.end) = (arrivals, arrivals);
}

/// @notice Adds a record for a book; the shelf has room for it.
function append(Shelf memory shelf, Book book, OrderRecord record) pure {
    uint256 end = shelf.end;
    // Memory ends long before 2**128.
    assembly ("memory-safe") {
        mstore(end, or(shl(128, record), book))
    }
    // Offsets in memory and numbers of records.
    unchecked {
        _store(book, ADDED, added(book) + 1);
        shelf.end = end + 32;
    }
}

/// @notice Deals the records that arrived out to their books.
function deal(Shelf memory shelf) pure {
    for (Book book = shelf.first; !book.isNone(); book = book.next()) {
        // A list for as many records, and 16 bytes more, as whole words are written; its length grows with them.
        assembly ("memory-safe") {
            let list := mload(0x40)
            mstore(0x40, add(list, and(add(shl(4, mload(add(book, ADDED))), 0x4f), not(0x1f))))
            mstore(list, 0)
            mstore(add(book, RECORDS), list)
        }
    }
    (uint256 pos, uint256 end) = (shelf.arrivals, shelf.end);
    assembly ("memory-safe") {
        for {} lt(pos, end) { pos := add(pos, 0x20) } {
            let word := mload(pos)
            let list := mload(add(and(word, 0xffffffffffffffffffffffffffffffff), RECORDS))
            let length := mload(list)
            mstore(add(add(list, 0x20), length), word)
            mstore(list, add(length, 16))
        }
    }
}

/// @notice Book of a slot, or none.
function find(Shelf memory shelf, uint256 slot) pure returns (Book) {
    // A slot before the first wraps around to the largest numbers.
    unchecked {
        uint256 place = slot - shelf.firstSlot;
        return place < shelf.books.length ? shelf.books[place] : Book.wrap(0);
    }
}

/// @notice Puts a book on the shelf; books of slots beyond it, in which nothing can be accepted, are not kept.
function put(Shelf memory shelf, uint256 slot, Book book) pure {
    if (slot < shelf.firstSlot || slot - shelf.firstSlot >= shelf.books.length) return;
    shelf.books[slot - shelf.firstSlot] = book;
    Book last = shelf.last;
    if (last.isNone()) {
        shelf.first = book;
    } else {
        _store(last, NEXT, Book.unwrap(book));
    }
    shelf.last = book;
}

function _load(Book book, uint256 offset) pure returns (uint256 value) {
    // A word of the book.
    assembly ("memory-safe") {
        value := mload(add(book, offset))
    }
}

function _store(Book book, uint256 offset, uint256 value) pure {
    // A word of the book.
    assembly ("memory-safe") {
        mstore(add(book, offset), value)
    }
}
