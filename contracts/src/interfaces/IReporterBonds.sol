// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice A reporter's deposit.
/// @param nano Money [nano-token].
/// @param account Whose it was, and to whom it returns.
/// @param freeFrom When it can be taken back, 0 while nobody asked [unix s].
struct ReporterBond {
    uint64 nano;
    uint32 account;
    uint40 freeFrom;
}

/// @notice What the signers of a meter report say.
struct MeterValue {
    bytes32 root;
    uint64 importWh;
    uint64 exportWh;
    uint32 count;
}

/// @notice Deposits of reporters, which two signatures over different values of one round cost them.
interface IReporterBonds {
    /// @notice Money stands behind a reporter now [nano-token].
    event BondDeposited(address indexed reporter, uint32 indexed account, uint64 nano);

    /// @notice A reporter's deposit can be taken back from a time on.
    event BondReleased(address indexed reporter, uint40 freeFrom);

    /// @notice A reporter's deposit went back [nano-token].
    event BondTaken(address indexed reporter, uint32 indexed account, uint64 nano);

    /// @notice A reporter signed two values of one round: half of its deposit goes to the informer, half to the reserve.
    event ReporterSlashed(
        address indexed reporter,
        uint32 indexed community,
        uint32 indexed informer,
        uint64 reward,
        uint64 reserved
    );

    /// @notice The account has less than the deposit [nano-token].
    error BondNotCovered(uint32 account, uint64 nano, uint64 taken);
    /// @notice The deposit of this reporter comes from another account.
    error BondOfAnotherAccount(address reporter, uint32 account);
    /// @notice There is no deposit of this reporter.
    error NoBond(address reporter);
    /// @notice The deposit cannot be taken back yet; 0 if nobody asked for it.
    error BondHeld(uint256 freeFrom);
    /// @notice The two values are the same, or their signatures are not of one reporter.
    error NoEquivocation(address first, address second);

    /// @notice Puts money of an account behind the reporter who signed `ReporterBond(account)`. Owner of the account only.
    /// Ends a request to take it back.
    /// @param nano At least 1 [nano-token].
    /// @param signature 64 bytes.
    function depositBond(uint32 account, uint64 nano, bytes calldata signature) external;

    /// @notice Asks for a reporter's deposit back, which can be taken `BOND_DELAY` later. Owner of its account only.
    function releaseBond(address reporter) external;

    /// @notice Returns a reporter's deposit to its account once the delay has passed. Anyone.
    function takeBond(address reporter) external;

    /// @notice Shows that one reporter signed two price vectors of one feed, day and round.
    /// @param first Keccak of one vector.
    /// @param second Keccak of the other.
    /// @param signatures Of both, 128 bytes.
    /// @param informer Account that receives half of the deposit.
    function slashForTariffs(
        uint32 community,
        uint8 feed,
        uint32 day,
        uint8 round,
        bytes32 first,
        bytes32 second,
        bytes calldata signatures,
        uint32 informer
    ) external;

    /// @notice Shows that one reporter signed two meter trees of one product, slot and round.
    /// @param signatures Of both, 128 bytes.
    /// @param informer Account that receives half of the deposit.
    function slashForMeters(
        uint32 community,
        uint8 product,
        uint32 slot,
        uint8 round,
        MeterValue calldata first,
        MeterValue calldata second,
        bytes calldata signatures,
        uint32 informer
    ) external;

    /// @notice Deposit of a reporter.
    function bondOf(address reporter) external view returns (ReporterBond memory);

    /// @notice Money that lost deposits and challenges left to those who challenge a community's wrong reports [nano-token].
    function rewards(uint32 community) external view returns (uint256);

    /// @notice Time between asking for a deposit and taking it, longer than any day's bills are open [s].
    function BOND_DELAY() external view returns (uint256);
}
