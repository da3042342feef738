// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {IPackagePrices, PackagePrice} from "../interfaces/IPackagePrices.sol";
import {Band, IPricePackages, PackageChoice, PackageTerms} from "../interfaces/IPricePackages.sol";
import {Consent} from "../libraries/Consent.sol";
import {Rules, dayOf} from "../types/Rules.sol";

/// @title PricePackages
/// @notice A retailer's prices for a home's nominated remainder, in both directions. It holds no money: the bills ask it.
contract PricePackages is IPricePackages, EIP712 {
    using Checkpoints for Checkpoints.Trace224;
    using Consent for IAccounts;
    using SafeCast for uint256;

    /// @dev A package and its places. `taken` counts every choice of it ever, `vacated` those that ended by day `settledTo`;
    /// later ends, up to day `lastVacation`, are in `_vacations`.
    struct Package {
        int32[8] prices;
        uint16[8] untils;
        uint32 community;
        uint32 retailer;
        uint32 firstDay;
        uint32 lastDay;
        uint32 volume;
        uint32 cap;
        uint64 dailyFee;
        uint32 homes;
        uint32 taken;
        uint32 vacated;
        uint32 settledTo;
        uint32 lastVacation;
        uint16 noticeDays;
        uint16 greenPermille;
        uint8 product;
        bool feedIn;
        bool spot;
        bool withdrawn;
    }

    bytes32 private constant CHOICE = keccak256(
        "PackageChoice(uint32 account,uint8 product,bool feedIn,uint32 package,uint32 fromDay,uint64 validTo)"
    );

    uint256 private constant DAY = 86_400;
    uint256 private constant MAX_BANDS = 8;
    uint256 private constant MAX_NOTICE = 60;

    /// @dev How many days ahead a change may count; bounds the loop over days on which places become free.
    uint256 private constant MAX_AHEAD = 62;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;

    /// @inheritdoc IPricePackages
    uint32 public packageCount;

    mapping(uint32 package => Package) private _packages;

    /// @dev Places of a package that become free on a day.
    mapping(uint32 package => mapping(uint256 day => uint256)) private _vacations;

    /// @dev Package of an account by first day.
    mapping(uint32 account => mapping(uint8 product => mapping(bool feedIn => Checkpoints.Trace224))) private
        _histories;

    /// @param accounts Keys and meters.
    /// @param communities Retailer, calendar and gates.
    constructor(IAccounts accounts, ICommunities communities) EIP712("Otaniemi", "1") {
        _accounts = accounts;
        _communities = communities;
    }

    /// @inheritdoc IPricePackages
    function publish(PackageTerms calldata terms) external returns (uint32 package) {
        Rules memory rules = _communities.rulesAt(terms.community, terms.firstDay);
        if (!_accounts.mayBind(rules.retailer, msg.sender)) revert NotRetailer(terms.community, msg.sender);
        _require(terms.firstDay > _today(terms.community) && terms.firstDay <= terms.lastDay, "days");
        _require(terms.product < 8 && (rules.products >> terms.product) & 1 == 1, "product");
        _require(terms.homes > 0, "homes");
        _require(terms.noticeDays > 0 && terms.noticeDays <= MAX_NOTICE, "noticeDays");
        _require(terms.greenPermille <= 1000, "greenPermille");
        package = ++packageCount;
        Package storage p = _packages[package];
        _setBands(p, terms.bands, DAY / rules.slotSeconds, rules.shortCap);
        (p.community, p.retailer) = (terms.community, rules.retailer);
        (p.firstDay, p.lastDay) = (terms.firstDay, terms.lastDay);
        p.volume = terms.volume == 0 ? type(uint32).max : terms.volume;
        (p.cap, p.dailyFee, p.homes) = (rules.shortCap, terms.dailyFee, terms.homes);
        (p.noticeDays, p.greenPermille, p.product) = (terms.noticeDays, terms.greenPermille, terms.product);
        (p.feedIn, p.spot) = (terms.feedIn, terms.spot);
        emit PackagePublished(terms.community, package, rules.retailer, rules.shortCap, terms);
    }

    /// @inheritdoc IPricePackages
    function withdraw(uint32 package) external {
        Package storage p = _packages[package];
        if (!_accounts.mayBind(p.retailer, msg.sender)) revert NotRetailer(p.community, msg.sender);
        if (p.withdrawn) revert Withdrawn(package);
        p.withdrawn = true;
        emit PackageWithdrawn(package);
    }

    /// @inheritdoc IPricePackages
    function subscribe(uint32 account, uint32 package, uint32 fromDay) external {
        Package storage p = _chosen(account, package);
        uint32 current = _current(account, p.product, p.feedIn);
        if (current != 0) revert WrongCall(account, current);
        _choose(account, p.product, p.feedIn, package, fromDay);
    }

    /// @inheritdoc IPricePackages
    function switchTo(uint32 account, uint32 package, uint32 fromDay) external {
        Package storage p = _chosen(account, package);
        if (_current(account, p.product, p.feedIn) == 0) revert WrongCall(account, 0);
        _choose(account, p.product, p.feedIn, package, fromDay);
    }

    /// @inheritdoc IPricePackages
    function unsubscribe(uint32 account, uint8 product, bool feedIn, uint32 fromDay) external {
        _requireKey(account);
        _choose(account, product, feedIn, 0, fromDay);
    }

    /// @inheritdoc IPricePackages
    function chooseSigned(PackageChoice calldata choice, bytes calldata signature) external {
        if (choice.validTo < block.timestamp) revert Expired(choice.validTo);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(CHOICE, choice)));
        if (!_accounts.isSigned(choice.account, digest, signature)) {
            revert NotAuthorised(choice.account, msg.sender);
        }
        _choose(choice.account, choice.product, choice.feedIn, choice.package, choice.fromDay);
    }

    /// @inheritdoc IPackagePrices
    function pricesAt(
        uint32 community,
        uint32 account,
        uint8 product,
        uint32 day,
        uint32 slotOfDay,
        int32 spot,
        bool hasSpot
    ) external view returns (PackagePrice memory supply, PackagePrice memory feedIn, uint256 dailyFee) {
        (uint32 a, uint32 b) = _countingOn(community, account, product, day);
        if (a != 0) supply = _priceAt(_packages[a], slotOfDay, spot, hasSpot);
        if (b != 0) feedIn = _priceAt(_packages[b], slotOfDay, spot, hasSpot);
        // Number 0 has no fee.
        if (slotOfDay == 0) dailyFee = uint256(_packages[a].dailyFee) + _packages[b].dailyFee;
    }

    /// @inheritdoc IPricePackages
    function packageAt(uint32 account, uint8 product, bool feedIn, uint32 day) public view returns (uint32) {
        // Only numbers of packages are stored.
        return uint32(_histories[account][product][feedIn].upperLookup(day));
    }

    /// @inheritdoc IPricePackages
    function placesLeft(uint32 package, uint32 fromDay) external view returns (uint256) {
        Package storage p = _packages[package];
        if (p.withdrawn || fromDay < p.firstDay || fromDay > p.lastDay) return 0;
        uint256 places = p.homes + _vacatedBy(package, fromDay);
        return places > p.taken ? places - p.taken : 0;
    }

    /// @inheritdoc IPricePackages
    function packageOf(uint32 package)
        external
        view
        returns (uint32 community, uint32 retailer, uint16 greenPermille, bool withdrawn)
    {
        Package storage p = _packages[package];
        return (p.community, p.retailer, p.greenPermille, p.withdrawn);
    }

    /// @dev Stores the bands of a package; the order of the ends makes the last one the end of the day.
    function _setBands(Package storage p, Band[] calldata bands, uint256 slots, uint256 cap) private {
        _require(bands.length > 0 && bands.length <= MAX_BANDS, "bands");
        uint256 previous = 0;
        for (uint256 i = 0; i < bands.length; ++i) {
            int256 price = bands[i].price;
            _require(bands[i].untilSlot > previous, "untilSlot");
            _require(price <= int256(cap) && price >= -int256(cap), "price");
            previous = bands[i].untilSlot;
            (p.untils[i], p.prices[i]) = (bands[i].untilSlot, bands[i].price);
        }
        _require(previous == slots, "untilSlot");
    }

    /// @dev The account has `package` (0 for none) from a day on, if notice, gate and places allow it. See [10].
    // One check after the other, each with its own error.
    // slither-disable-next-line cyclomatic-complexity
    function _choose(uint32 account, uint8 product, bool feedIn, uint32 package, uint32 fromDay) private {
        uint32 community = _accounts.communityOf(account);
        Checkpoints.Trace224 storage history = _histories[account][product][feedIn];
        uint256 today = _today(community);
        // Without a checkpoint both are zero, which is no package.
        // slither-disable-next-line unused-return
        (, uint32 since, uint224 latest) = history.latestCheckpoint();
        if (since > today) revert ChangePending(account, since);
        // Only numbers of packages are stored.
        uint32 current = uint32(latest);
        if (current == package) revert NothingChanges(account, package);
        uint256 earliest = today + 1;
        if (current != 0 && fromDay <= _packages[current].lastDay) {
            earliest = today + _packages[current].noticeDays;
        }
        if (package != 0) {
            Package storage p = _packages[package];
            if (p.community != community || p.product != product || p.feedIn != feedIn) {
                revert NoSuchPackage(account, package);
            }
            if (earliest < today + p.noticeDays) earliest = today + p.noticeDays;
        }
        if (fromDay < earliest || fromDay > today + MAX_AHEAD) {
            revert DayOutOfRange(fromDay, earliest, today + MAX_AHEAD);
        }
        if (block.timestamp >= _communities.firstGate(community, fromDay)) revert GateClosed(fromDay);
        if (current != 0) _vacate(current, fromDay, today);
        if (package != 0) _take(account, package, fromDay, today);
        // The former package is known.
        // slither-disable-next-line unused-return
        history.push(fromDay, package);
        if (current == 0) emit Subscribed(account, package, fromDay);
        else if (package == 0) emit Left(account, current, fromDay);
        else emit Switched(account, package, current, fromDay);
    }

    /// @dev Takes a place of a package. Every place ever taken but those free by `fromDay` counts, so none is sold twice.
    function _take(uint32 account, uint32 package, uint32 fromDay, uint256 today) private {
        Package storage p = _packages[package];
        if (p.withdrawn) revert Withdrawn(package);
        if (fromDay < p.firstDay || fromDay > p.lastDay) {
            revert DayOutOfRange(fromDay, p.firstDay, p.lastDay);
        }
        if (!_accounts.keyOf(account).metered(p.product)) revert NoMeter(account, p.product);
        _settle(package, today);
        if (p.taken >= p.homes + _vacatedBy(package, fromDay)) revert SoldOut(package, fromDay);
        ++p.taken;
    }

    /// @dev A place becomes free on a day.
    function _vacate(uint32 package, uint32 fromDay, uint256 today) private {
        _settle(package, today);
        Package storage p = _packages[package];
        if (fromDay > p.lastVacation) p.lastVacation = fromDay;
        ++_vacations[package][fromDay];
    }

    /// @dev Adds the places that have become free by today to the sum.
    function _settle(uint32 package, uint256 today) private {
        Package storage p = _packages[package];
        p.vacated = _vacatedBy(package, today).toUint32();
        p.settledTo = today.toUint32();
    }

    /// @dev Places that were given up by a day. The last one was given up at most `MAX_AHEAD` days after the day of the sum,
    /// which bounds the loop.
    function _vacatedBy(uint32 package, uint256 day) private view returns (uint256 vacated) {
        Package storage p = _packages[package];
        vacated = p.vacated;
        uint256 until = day < p.lastVacation ? day : p.lastVacation;
        for (uint256 d = uint256(p.settledTo) + 1; d <= until; ++d) {
            vacated += _vacations[package][d];
        }
    }

    /// @dev Packages of an account that count on a day, 0 for none. A package is a promise of the account that published it
    /// and binds no other retailer.
    function _countingOn(uint32 community, uint32 account, uint8 product, uint32 day)
        private
        view
        returns (uint32 supply, uint32 feedIn)
    {
        supply = packageAt(account, product, false, day);
        feedIn = packageAt(account, product, true, day);
        if (supply == 0 && feedIn == 0) return (0, 0);
        uint32 retailer = _communities.rulesAt(community, day).retailer;
        if (!_counts(supply, community, retailer, day)) supply = 0;
        if (!_counts(feedIn, community, retailer, day)) feedIn = 0;
    }

    function _counts(uint32 package, uint32 community, uint32 retailer, uint32 day)
        private
        view
        returns (bool)
    {
        Package storage p = _packages[package];
        return p.community == community && p.retailer == retailer && p.firstDay <= day && day <= p.lastDay;
    }

    function _priceAt(Package storage p, uint256 slotOfDay, int256 spot, bool hasSpot)
        private
        view
        returns (PackagePrice memory)
    {
        if (p.spot && !hasSpot) return PackagePrice(0, 0);
        uint256 i = 0;
        while (i + 1 < MAX_BANDS && slotOfDay >= p.untils[i]) ++i;
        int256 price = p.prices[i];
        if (p.spot) {
            int256 cap = int256(uint256(p.cap));
            price += spot;
            if (price > cap) price = cap;
            if (price < -cap) price = -cap;
        }
        // Within ± the cap, which is a positive int32.
        return PackagePrice(int32(price), p.volume);
    }

    /// @dev Package of the newest choice of an account.
    function _current(uint32 account, uint8 product, bool feedIn) private view returns (uint32) {
        return uint32(_histories[account][product][feedIn].latest());
    }

    /// @dev The package that the caller chooses for an account.
    function _chosen(uint32 account, uint32 package) private view returns (Package storage p) {
        _requireKey(account);
        p = _packages[package];
        if (p.community == 0) revert NoSuchPackage(account, package);
    }

    function _requireKey(uint32 account) private view {
        if (!_accounts.mayBind(account, msg.sender)) revert NotAuthorised(account, msg.sender);
    }

    /// @dev Trading day of now.
    function _today(uint32 community) private view returns (uint256) {
        // The slots do not matter here.
        // slither-disable-next-line unused-return
        (, int32 utcOffset) = _communities.calendarOf(community);
        return dayOf(block.timestamp, 1, utcOffset);
    }

    function _require(bool holds, string memory part) private pure {
        if (!holds) revert InvalidTerms(part);
    }
}
