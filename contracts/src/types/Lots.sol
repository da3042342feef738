// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Energy that an account sells or buys in equal lots.
/// @param account Whose energy it is.
/// @param community Its community.
/// @param product 0 electricity, 1 heat, 2 cooling.
/// @param selling True if the account sells, false if it buys.
/// @param source Source of the energy, as in orders.
/// @param count Number of lots.
/// @param slot First slot.
/// @param wh Energy of one lot in each slot from the first on, all of one trading day [Wh].
struct Lots {
    uint32 account;
    uint32 community;
    uint8 product;
    bool selling;
    uint8 source;
    uint16 count;
    uint32 slot;
    uint32[] wh;
}

/// @notice What follows from lots and the rules of their day.
/// @param start Start of the first slot [unix s].
/// @param day Trading day.
/// @param peak Largest energy of a lot in a slot [Wh].
/// @param most Lots that one account can take within its connection limit, at most all.
/// @param perLot What the offering account puts up for a lot [nano-token].
struct Frame {
    uint40 start;
    uint32 day;
    uint32 peak;
    uint16 most;
    uint64 perLot;
}
