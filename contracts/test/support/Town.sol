// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

import {Accounts} from "../../src/core/Accounts.sol";
import {Communities} from "../../src/core/Communities.sol";
import {TestEuro} from "../../src/devnet/TestEuro.sol";
import {Module} from "../../src/interfaces/IAccounts.sol";
import {IPackagePrices} from "../../src/interfaces/IPackagePrices.sol";
import {MeterValue} from "../../src/interfaces/IReporterBonds.sol";
import {CallAuction} from "../../src/markets/CallAuction.sol";
import {Positions} from "../../src/markets/Positions.sol";
import {Oracle} from "../../src/oracle/Oracle.sol";
import {Court} from "../../src/settlement/Court.sol";
import {Schedules} from "../../src/settlement/Schedules.sol";
import {Settlement} from "../../src/settlement/Settlement.sol";
import {Market, marketOf} from "../../src/types/Market.sol";
import {OrderRecord} from "../../src/types/OrderRecord.sol";
import {Rules, Session} from "../../src/types/Rules.sol";
import {clamp, vm} from "./Vm.sol";

/// @notice All contracts, deployed as docs/protocol.md section 9 says, one community and its people.
/// @dev The contracts' code is read from the build, as every `new` here would compile them all once more for each test.
/// Accounts 1 to 3 are retailer, grid operator and platform; homes follow.
abstract contract Town {
    uint32 internal constant COMMUNITY = 1;
    uint32 internal constant RETAILER = 1;
    uint32 internal constant OPERATOR = 2;
    uint32 internal constant PLATFORM = 3;
    uint32 internal constant FIRST_HOME = 4;

    uint32 internal constant SLOT_SECONDS = 7200;
    uint32 internal constant SLOTS = 12;
    int32 internal constant UTC_OFFSET = 7200;
    uint32 internal constant DAY = 20_000;
    uint256 internal constant DAY_START = uint256(DAY) * 86_400 - 7200;
    uint32 internal constant FIRST_SLOT = uint32(DAY_START / SLOT_SECONDS);
    uint256 internal constant BEFORE_GATE = DAY_START - 50_000;
    uint256 internal constant DIRECT_GATE = DAY_START - 39_000;
    uint256 internal constant BILLS_FROM = DAY_START + 86_400 + 21_600;

    uint64 internal constant BOND = 1e9;
    uint32 internal constant WITHDRAWAL_DELAY = 3 days;
    uint64 internal constant NEVER = type(uint64).max;

    address internal constant ADMIN = address(0xAD);
    address internal constant ARBITER = address(0xA4B);
    address internal constant REGISTRAR = address(0x4E6);
    address internal constant REGULATOR = address(0x4E7);

    TestEuro internal token;
    AccessManager internal manager;
    Accounts internal accounts;
    Communities internal communities;
    Positions internal positions;
    CallAuction internal auction;
    Schedules internal schedules;
    Oracle internal oracle;
    Settlement internal settlement;
    Court internal court;

    /// @dev None unless a test sets it before all is deployed.
    IPackagePrices internal packagePrices;

    /// @dev Keys of three reporters in ascending order of their addresses.
    uint256[3] internal reporterKeys;

    /// @dev Prices that `_reportTariff` reported last.
    mapping(uint8 feed => mapping(uint32 day => bytes)) internal reportedPrices;

    function _deploy(uint256 homes) internal {
        vm.warp(BEFORE_GATE);
        token = TestEuro(vm.deployCode("TestEuro.sol:TestEuro"));
        manager = AccessManager(vm.deployCode("AccessManager.sol:AccessManager", abi.encode(ADMIN)));
        accounts =
            Accounts(vm.deployCode("Accounts.sol:Accounts", abi.encode(manager, token, WITHDRAWAL_DELAY)));
        communities = Communities(vm.deployCode("Communities.sol:Communities", abi.encode(manager, accounts)));
        positions =
            Positions(vm.deployCode("Positions.sol:Positions", abi.encode(manager, accounts, communities)));
        auction = CallAuction(
            vm.deployCode("CallAuction.sol:CallAuction", abi.encode(accounts, communities, positions))
        );
        schedules = Schedules(vm.deployCode("Schedules.sol:Schedules", abi.encode(accounts, communities)));
        oracle = Oracle(vm.deployCode("Oracle.sol:Oracle", abi.encode(manager, accounts, communities)));
        settlement = Settlement(
            vm.deployCode(
                "Settlement.sol:Settlement",
                abi.encode(accounts, communities, auction, schedules, oracle, positions, packagePrices)
            )
        );
        court = Court(address(settlement.court()));
        _deployForms();
        bytes4[] memory registration = new bytes4[](2);
        (registration[0], registration[1]) = (Accounts.register.selector, Accounts.approveMeter.selector);
        bytes4[] memory curtailment = new bytes4[](1);
        curtailment[0] = Positions.curtail.selector;
        bytes4[] memory arbitration = new bytes4[](2);
        (arbitration[0], arbitration[1]) = (Oracle.decide.selector, Oracle.decideQuarantine.selector);
        vm.startPrank(ADMIN);
        manager.setTargetFunctionRole(address(oracle), arbitration, 4);
        manager.grantRole(4, ARBITER, 0);
        accounts.grantModule(address(oracle), Module.Market);
        manager.setTargetFunctionRole(address(positions), curtailment, 3);
        manager.grantRole(3, REGULATOR, 0);
        accounts.grantModule(address(positions), Module.Market);
        manager.setTargetFunctionRole(address(accounts), registration, 1);
        manager.grantRole(1, REGISTRAR, 0);
        accounts.grantModule(address(auction), Module.Market);
        accounts.grantModule(address(settlement), Module.Settlement);
        accounts.grantModule(address(court), Module.Settlement);
        vm.stopPrank();
        for (uint256 i = 0; i < 3; ++i) {
            _register();
        }
        _findReporters();
        vm.prank(ADMIN);
        communities.create(_rules(), _sessions(), _reporters());
        for (uint256 i = 0; i < homes; ++i) {
            _addHome(100e6);
        }
        _fund(RETAILER, 1000e6);
        _fund(OPERATOR, 1000e6);
        _fund(PLATFORM, 1000e6);
    }

    /// @dev Creates more contracts while there are no accounts, when a module's role counts at once.
    function _deployForms() internal virtual {}

    /// @dev Lets a contract that was just created be a market.
    function _grantMarket(address module) internal {
        vm.prank(ADMIN);
        accounts.grantModule(module, Module.Market);
    }

    function _rules() internal pure returns (Rules memory) {
        return Rules({
            slotSeconds: SLOT_SECONDS,
            utcOffset: UTC_OFFSET,
            products: 1,
            priceMin: -4_000_000,
            priceMax: 4_000_000,
            gridFee: 20_000,
            platformFee: 1000,
            shortCap: 2_000_000,
            connectionLimitWh: 20_000,
            retailer: RETAILER,
            gridOperator: OPERATOR,
            platform: PLATFORM,
            nominationBatchLead: 480,
            nominationDirectLead: 300,
            meterWindow: 7200,
            billDelay: 21_600,
            billWindow: 86_400,
            deviationLimit: 500_000,
            challengeWindow: 3600,
            bond: BOND,
            quorum: 2
        });
    }

    function _sessions() internal pure returns (Session[] memory sessions) {
        sessions = new Session[](2);
        sessions[0] = Session(false, -39_600, -39_000);
        sessions[1] = Session(true, -1200, -900);
    }

    function _reporters() internal view returns (address[] memory reporters) {
        reporters = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            reporters[i] = vm.addr(reporterKeys[i]);
        }
    }

    function _register() internal returns (uint32 account) {
        account = accounts.accountCount() + 1;
        vm.prank(REGISTRAR);
        accounts.register(vm.addr(_keyOf(account)), COMMUNITY);
    }

    /// @dev A home with a meter and money [micro-token].
    function _addHome(uint256 money) internal returns (uint32 account) {
        account = _register();
        vm.prank(REGISTRAR);
        accounts.approveMeter(account, 0, bytes32(uint256(account)));
        _fund(account, money);
    }

    function _fund(uint32 account, uint256 money) internal {
        if (money == 0) return;
        token.mint(address(this), money);
        token.approve(address(accounts), money);
        accounts.deposit(account, money);
    }

    function _ownerOf(uint32 account) internal pure returns (address) {
        return vm.addr(_keyOf(account));
    }

    function _keyOf(uint32 account) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("owner", account)));
    }

    function _market(uint32 slotOfDay) internal pure returns (Market) {
        return marketOf(COMMUNITY, 0, FIRST_SLOT + slotOfDay, 0);
    }

    function _place(Market market, uint32 account, int32 price, uint32 quantity, bool buy, uint32 nonce)
        internal
    {
        vm.prank(_ownerOf(account));
        auction.placeOrder(market, account, price, quantity, 1, buy, nonce);
    }

    /// @dev A relayed order as on the wire, signed by `key`.
    function _signedOrder(
        Market market,
        uint32 account,
        int32 price,
        uint32 quantity,
        bool buy,
        uint32 nonce,
        uint64 validTo,
        uint256 key
    ) internal view returns (bytes memory) {
        bytes memory record = _record(account, price, quantity, buy, nonce);
        bytes32 hash = _orderHash(market, record, nonce, validTo);
        return abi.encodePacked(record, uint8(nonce >> 24), validTo, _sign(key, address(auction), hash));
    }

    /// @dev EIP-712 struct hash of an order.
    function _orderHash(Market market, bytes memory wire, uint32 nonce, uint64 validTo)
        internal
        pure
        returns (bytes32)
    {
        OrderRecord record = OrderRecord.wrap(uint128(bytes16(wire)));
        return keccak256(
            abi.encode(
                keccak256(
                    "Order(uint32 account,uint32 community,uint8 product,uint32 slot,uint8 session,int32 price,uint32 quantity,uint8 source,bool buy,uint32 nonce,uint64 validTo)"
                ),
                record.account(),
                market.community(),
                market.product(),
                market.slot(),
                market.session(),
                record.price(),
                record.quantity(),
                record.source(),
                record.isBuy(),
                nonce,
                validTo
            )
        );
    }

    /// @dev A relayed profile as on the wire, signed by the owner.
    function _signedProfile(
        uint32 account,
        bool allOrNothing,
        uint32 nonce,
        uint64 validTo,
        bytes memory steps
    ) internal view returns (bytes memory) {
        return _signedProfileBy(account, allOrNothing, nonce, validTo, steps, _keyOf(account));
    }

    /// @dev A relayed profile as on the wire, signed by `key`.
    function _signedProfileBy(
        uint32 account,
        bool allOrNothing,
        uint32 nonce,
        uint64 validTo,
        bytes memory steps,
        uint256 key
    ) internal view returns (bytes memory) {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "ProfileOrder(uint32 account,uint32 community,uint8 product,uint8 session,bool allOrNothing,uint32 nonce,uint64 validTo,bytes steps)"
                ),
                account,
                COMMUNITY,
                uint8(0),
                uint8(0),
                allOrNothing,
                nonce,
                validTo,
                keccak256(steps)
            )
        );
        return abi.encodePacked(
            account,
            allOrNothing,
            nonce,
            validTo,
            uint16(steps.length / 13),
            steps,
            _sign(key, address(auction), hash)
        );
    }

    function _step(uint32 slotOfDay, int32 price, uint32 quantity, bool buy)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(FIRST_SLOT + slotOfDay, _biased(price), quantity, uint8(buy ? 3 : 2));
    }

    /// @dev A nomination as on the wire, signed by the owner.
    function _signedNomination(uint32 account, uint32 slot, uint32 seq, bytes memory wh)
        internal
        view
        returns (bytes memory)
    {
        return _signedNominationBy(account, slot, seq, wh, _keyOf(account));
    }

    /// @dev A relayed nomination as on the wire, signed by `key`.
    function _signedNominationBy(uint32 account, uint32 slot, uint32 seq, bytes memory wh, uint256 key)
        internal
        view
        returns (bytes memory)
    {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "Nomination(uint32 account,uint32 community,uint8 product,uint32 slot,uint32 seq,bytes wh)"
                ),
                account,
                COMMUNITY,
                uint8(0),
                slot,
                seq,
                keccak256(wh)
            )
        );
        return
            abi.encodePacked(
                account, slot, seq, uint16(wh.length / 4), wh, _sign(key, address(schedules), hash)
            );
    }

    /// @dev Reports prices in round 0, signed by all reporters.
    function _reportTariff(uint8 feed, uint32 day, bytes memory prices) internal {
        _reportTariff(feed, day, 0, prices, 0, 3);
    }

    /// @dev Reports prices, signed by `count` reporters from number `from` on.
    function _reportTariff(
        uint8 feed,
        uint32 day,
        uint8 round,
        bytes memory prices,
        uint256 from,
        uint256 count
    ) internal {
        bytes memory signatures = _tariffSignatures(feed, day, round, prices, from, count);
        oracle.reportTariff(COMMUNITY, feed, day, round, prices, _basePrices(feed, day), signatures);
        reportedPrices[feed][day] = prices;
    }

    /// @dev What the oracle compares the prices of a day with.
    function _basePrices(uint8 feed, uint32 day) internal view returns (bytes memory) {
        return reportedPrices[feed][oracle.baseDayOf(COMMUNITY, feed, day)];
    }

    function _tariffSignatures(uint8 feed, uint32 day, bytes memory prices, uint256 from, uint256 count)
        internal
        view
        returns (bytes memory)
    {
        return _tariffSignatures(feed, day, 0, prices, from, count);
    }

    function _tariffSignatures(
        uint8 feed,
        uint32 day,
        uint8 round,
        bytes memory prices,
        uint256 from,
        uint256 count
    ) internal view returns (bytes memory) {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256("TariffReport(uint32 community,uint8 feed,uint32 day,uint8 round,bytes prices)"),
                COMMUNITY,
                feed,
                day,
                round,
                keccak256(prices)
            )
        );
        return _reporterSignatures(hash, from, count);
    }

    /// @dev Reports a meter tree in round 0, signed by all reporters.
    function _reportMeterTree(uint32 slot, MeterValue memory value) internal {
        oracle.reportMeters(COMMUNITY, 0, slot, 0, value, _meterSignatures(slot, 0, value, 0, 3));
    }

    function _meterSignatures(uint32 slot, uint8 round, MeterValue memory value, uint256 from, uint256 count)
        internal
        view
        returns (bytes memory)
    {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "MeterReport(uint32 community,uint8 product,uint32 slot,uint8 round,bytes32 root,uint64 importWh,uint64 exportWh,uint32 count)"
                ),
                COMMUNITY,
                uint8(0),
                slot,
                round,
                value
            )
        );
        return _reporterSignatures(hash, from, count);
    }

    /// @dev Signatures of `count` reporters from number `from` on.
    function _reporterSignatures(bytes32 structHash, uint256 from, uint256 count)
        internal
        view
        returns (bytes memory signatures)
    {
        for (uint256 i = from; i < from + count; ++i) {
            signatures = bytes.concat(signatures, _sign(reporterKeys[i], address(oracle), structHash));
        }
    }

    function _sign(uint256 key, address verifier, bytes32 structHash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(verifier, structHash));
        return abi.encodePacked(r, uint256(s) | (uint256(v - 27) << 255));
    }

    function _digest(address verifier, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Otaniemi"),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _record(uint32 account, int32 price, uint32 quantity, bool buy, uint32 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(account, _biased(price), quantity, uint24(nonce), uint8(buy ? 3 : 2));
    }

    function _biased(int32 price) internal pure returns (uint32) {
        return uint32(uint256(int256(price) + 2 ** 31));
    }

    function _pair(int32 first, int32 second) internal pure returns (bytes memory vector) {
        for (uint256 i = 0; i < SLOTS; ++i) {
            vector = bytes.concat(vector, abi.encodePacked(first, second));
        }
    }

    function _findReporters() private {
        for (uint256 i = 0; i < 3; ++i) {
            reporterKeys[i] = uint256(keccak256(abi.encode("reporter", i)));
        }
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < 2 - i; ++j) {
                if (vm.addr(reporterKeys[j]) > vm.addr(reporterKeys[j + 1])) {
                    (reporterKeys[j], reporterKeys[j + 1]) = (reporterKeys[j + 1], reporterKeys[j]);
                }
            }
        }
    }
}
