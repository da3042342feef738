// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {IReporterBonds, MeterValue, ReporterBond} from "../interfaces/IReporterBonds.sol";
import {Amounts} from "../libraries/Amounts.sol";
import {Signatures} from "../libraries/Signatures.sol";

/// @title ReporterBonds
/// @notice What reporters sign, and the deposit that signing two values of one round costs them.
abstract contract ReporterBonds is IReporterBonds, EIP712 {
    using Amounts for bytes;

    /// @inheritdoc IReporterBonds
    uint256 public constant BOND_DELAY = 21 days;

    uint256 private constant SIGNATURE_BYTES = 64;

    bytes32 private constant REPORTER_BOND = keccak256("ReporterBond(uint32 account)");

    bytes32 private constant TARIFF_REPORT =
        keccak256("TariffReport(uint32 community,uint8 feed,uint32 day,uint8 round,bytes prices)");

    bytes32 private constant METER_REPORT = keccak256(
        "MeterReport(uint32 community,uint8 product,uint32 slot,uint8 round,bytes32 root,uint64 importWh,uint64 exportWh,uint32 count)"
    );

    IAccounts internal immutable _accounts;

    /// @inheritdoc IReporterBonds
    mapping(uint32 community => uint256 nano) public rewards;

    mapping(address reporter => ReporterBond) private _bonds;

    /// @param accounts Where the money is; this contract must be a module of it.
    constructor(IAccounts accounts) EIP712("Otaniemi", "1") {
        _accounts = accounts;
    }

    /// @inheritdoc IReporterBonds
    function depositBond(uint32 account, uint64 nano, bytes calldata signature) external {
        _requireOwner(account);
        address reporter =
            Signatures.recover(_hashTypedDataV4(keccak256(abi.encode(REPORTER_BOND, account))), signature, 0);
        ReporterBond memory bond = _bonds[reporter];
        if (signature.length != SIGNATURE_BYTES || reporter == address(0) || nano == 0) {
            revert NoBond(reporter);
        }
        if (bond.nano > 0 && bond.account != account) revert BondOfAnotherAccount(reporter, bond.account);
        // Accounts calls nobody back, see [1].
        // slither-disable-next-line reentrancy-no-eth
        _takeFrom(account, nano);
        // All money together is below 2^62.
        _bonds[reporter] = ReporterBond(bond.nano + nano, account, 0);
        emit BondDeposited(reporter, account, nano);
    }

    /// @inheritdoc IReporterBonds
    function releaseBond(address reporter) external {
        ReporterBond storage bond = _bonds[reporter];
        if (bond.nano == 0) revert NoBond(reporter);
        _requireOwner(bond.account);
        bond.freeFrom = uint40(block.timestamp + BOND_DELAY);
        emit BondReleased(reporter, bond.freeFrom);
    }

    /// @inheritdoc IReporterBonds
    // Zero where there is no bond, or it was not released.
    // slither-disable-next-line incorrect-equality
    function takeBond(address reporter) external {
        ReporterBond memory bond = _bonds[reporter];
        if (bond.nano == 0) revert NoBond(reporter);
        if (bond.freeFrom == 0 || block.timestamp < bond.freeFrom) revert BondHeld(bond.freeFrom);
        delete _bonds[reporter];
        emit BondTaken(reporter, bond.account, bond.nano);
        _giveTo(bond.account, bond.nano);
    }

    /// @inheritdoc IReporterBonds
    function slashForTariffs(
        uint32 community,
        uint8 feed,
        uint32 day,
        uint8 round,
        bytes32 first,
        bytes32 second,
        bytes calldata signatures,
        uint32 informer
    ) external {
        _slash(
            community,
            _tariffDigest(community, feed, day, round, first),
            _tariffDigest(community, feed, day, round, second),
            signatures,
            informer
        );
    }

    /// @inheritdoc IReporterBonds
    function slashForMeters(
        uint32 community,
        uint8 product,
        uint32 slot,
        uint8 round,
        MeterValue calldata first,
        MeterValue calldata second,
        bytes calldata signatures,
        uint32 informer
    ) external {
        _slash(
            community,
            _meterDigest(community, product, slot, round, first),
            _meterDigest(community, product, slot, round, second),
            signatures,
            informer
        );
    }

    /// @inheritdoc IReporterBonds
    function bondOf(address reporter) external view returns (ReporterBond memory) {
        return _bonds[reporter];
    }

    /// @dev Takes money of an account, all of it or none.
    function _takeFrom(uint32 account, uint64 nano) internal {
        uint64 taken = _accounts.debit(abi.encodePacked(account, nano)).moneyOf(0);
        if (taken != nano) revert BondNotCovered(account, nano, taken);
    }

    /// @dev Gives money of this contract's pot.
    function _giveTo(uint32 account, uint64 nano) internal {
        _accounts.credit(abi.encodePacked(account, nano));
    }

    function _requireOwner(uint32 account) internal view {
        if (_accounts.ownerOf(account) != msg.sender) revert IAccounts.NotOwner(account, msg.sender);
    }

    /// @dev What reporters sign of prices with the given hash.
    function _tariffDigest(uint32 community, uint8 feed, uint32 day, uint8 round, bytes32 hash)
        internal
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(TARIFF_REPORT, community, feed, day, round, hash)));
    }

    /// @dev What reporters sign of a meter tree.
    function _meterDigest(uint32 community, uint8 product, uint32 slot, uint8 round, MeterValue memory value)
        internal
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    METER_REPORT,
                    community,
                    product,
                    slot,
                    round,
                    value.root,
                    value.importWh,
                    value.exportWh,
                    value.count
                )
            )
        );
    }

    function _slash(
        uint32 community,
        bytes32 first,
        bytes32 second,
        bytes calldata signatures,
        uint32 informer
    ) private {
        address reporter = Signatures.recover(first, signatures, 0);
        address other = Signatures.recover(second, signatures, SIGNATURE_BYTES);
        bool two = first != second && signatures.length == 2 * SIGNATURE_BYTES;
        if (!two || reporter != other || reporter == address(0)) revert NoEquivocation(reporter, other);
        uint64 nano = _bonds[reporter].nano;
        // Zero where there is no bond.
        // slither-disable-next-line incorrect-equality
        if (nano == 0) revert NoBond(reporter);
        delete _bonds[reporter];
        uint64 reward = nano / 2;
        uint64 reserved = nano - reward;
        rewards[community] += reserved;
        emit ReporterSlashed(reporter, community, informer, reward, reserved);
        _giveTo(informer, reward);
    }
}
