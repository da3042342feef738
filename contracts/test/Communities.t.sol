// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {ICommunities} from "../src/interfaces/ICommunities.sol";
import {Market, marketOf} from "../src/types/Market.sol";
import {MarketTerms} from "../src/types/MarketTerms.sol";
import {Rules, Session} from "../src/types/Rules.sol";
import {Town} from "./support/Town.sol";
import {vm} from "./support/Vm.sol";

contract CommunitiesTest is Town {
    function setUp() public {
        _deploy(0);
    }

    function test_only_the_admin_sets_rules() public {
        bytes memory refusal =
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this));
        vm.expectRevert(refusal);
        communities.create(_rules(), _sessions(), _reporters());
        vm.expectRevert(refusal);
        communities.change(COMMUNITY, DAY + 100, _rules(), _sessions(), _reporters());
    }

    function test_rules_out_of_bounds_are_named() public {
        Rules memory rules = _rules();
        rules.slotSeconds = 7000;
        _refuses(rules, "slotSeconds");
        rules = _rules();
        rules.utcOffset = 3600;
        _refuses(rules, "utcOffset");
        rules = _rules();
        rules.products = 8;
        _refuses(rules, "products");
        rules = _rules();
        rules.priceMin = rules.priceMax + 1;
        _refuses(rules, "priceMin");
        rules = _rules();
        rules.gridFee = type(uint32).max;
        _refuses(rules, "gridFee");
        rules = _rules();
        rules.shortCap = 0;
        _refuses(rules, "shortCap");
        rules = _rules();
        rules.connectionLimitWh = 0;
        _refuses(rules, "connectionLimitWh");
        rules = _rules();
        rules.nominationDirectLead = rules.nominationBatchLead + 1;
        _refuses(rules, "nominationDirectLead");
        rules = _rules();
        rules.quorum = 1;
        _refuses(rules, "quorum");
        rules = _rules();
        rules.deviationLimit = 0;
        _refuses(rules, "deviationLimit");
        rules = _rules();
        rules.challengeWindow = (rules.billDelay - rules.meterWindow) / 2 + 1;
        _refuses(rules, "challengeWindow");
        rules = _rules();
        rules.billDelay = 14 days + 1;
        _refuses(rules, "billDelay");
        rules = _rules();
        rules.billWindow = 7 days + 1;
        _refuses(rules, "billWindow");
        rules = _rules();
        rules.retailer = 99;
        _refuses(rules, "retailer");
    }

    function test_sessions_and_reporters_out_of_bounds_are_named() public {
        Session[] memory sessions = _sessions();
        sessions[1].directGate = 0;
        vm.startPrank(ADMIN);
        vm.expectRevert(abi.encodeWithSelector(ICommunities.InvalidRule.selector, "gates"));
        communities.change(COMMUNITY, DAY + 10, _rules(), sessions, _reporters());
        sessions[1] = Session(true, -800, -900);
        vm.expectRevert(abi.encodeWithSelector(ICommunities.InvalidRule.selector, "gates"));
        communities.change(COMMUNITY, DAY + 10, _rules(), sessions, _reporters());
        vm.expectRevert(abi.encodeWithSelector(ICommunities.InvalidRule.selector, "sessions"));
        communities.change(COMMUNITY, DAY + 10, _rules(), new Session[](9), _reporters());
        address[] memory reporters = _reporters();
        reporters[1] = reporters[0];
        vm.expectRevert(abi.encodeWithSelector(ICommunities.InvalidRule.selector, "reporters"));
        communities.change(COMMUNITY, DAY + 10, _rules(), _sessions(), reporters);
    }

    function test_a_change_counts_from_ten_days_ahead_and_leaves_earlier_days_alone() public {
        // The clock stands on the day before DAY.
        Rules memory rules = _rules();
        rules.gridFee = 30_000;
        vm.startPrank(ADMIN);
        vm.expectRevert(abi.encodeWithSelector(ICommunities.TooSoon.selector, DAY + 8, DAY + 9));
        communities.change(COMMUNITY, DAY + 8, rules, _sessions(), _reporters());
        vm.expectEmit();
        emit ICommunities.RulesSet(COMMUNITY, DAY + 9, rules, _sessions(), _reporters());
        communities.change(COMMUNITY, DAY + 9, rules, _sessions(), _reporters());
        vm.expectRevert(abi.encodeWithSelector(ICommunities.TooSoon.selector, DAY + 9, DAY + 10));
        communities.change(COMMUNITY, DAY + 9, rules, _sessions(), _reporters());
        rules.slotSeconds = 3600;
        vm.expectRevert(abi.encodeWithSelector(ICommunities.InvalidRule.selector, "slotSeconds"));
        communities.change(COMMUNITY, DAY + 10, rules, _sessions(), _reporters());
        vm.assertEq(communities.rulesAt(COMMUNITY, DAY + 8).gridFee, 20_000);
        vm.assertEq(communities.rulesAt(COMMUNITY, DAY + 9).gridFee, 30_000);
        (MarketTerms terms,) = communities.marketTerms(marketOf(COMMUNITY, 0, FIRST_SLOT + 9 * SLOTS, 0));
        vm.assertEq(terms.fee(), 31_000);
        (terms,) = communities.marketTerms(marketOf(COMMUNITY, 0, FIRST_SLOT + 9 * SLOTS - 1, 0));
        vm.assertEq(terms.fee(), 21_000);
    }

    function test_terms_of_a_market() public view {
        (MarketTerms terms, uint256 start) =
            communities.marketTerms(marketOf(COMMUNITY, 0, FIRST_SLOT + 3, 1));
        vm.assertEq(start, DAY_START + 3 * uint256(SLOT_SECONDS));
        vm.assertEq(terms.relayGate(), start - 1200);
        vm.assertEq(terms.directGate(), start - 900);
        vm.assertEq(uint256(terms.day()), DAY);
        vm.assertEq(terms.limitWh(), 20_000);
        vm.assertEq(terms.shortCap(), 2_000_000);
        vm.assertEq(terms.priceMin(), _biased(-4_000_000));
        vm.assertEq(terms.priceMax(), _biased(4_000_000));
        vm.assertEq(communities.firstGate(COMMUNITY, DAY), DAY_START - 39_600);
        (terms,) = communities.marketTerms(marketOf(COMMUNITY, 1, FIRST_SLOT, 0));
        vm.assertEq(MarketTerms.unwrap(terms), 0);
        (terms,) = communities.marketTerms(marketOf(2, 0, FIRST_SLOT, 0));
        vm.assertEq(MarketTerms.unwrap(terms), 0);
        // A key with bits above its own would be another market of the same slot.
        uint256 key = Market.unwrap(marketOf(COMMUNITY, 0, FIRST_SLOT + 3, 1));
        (terms, start) = communities.marketTerms(Market.wrap(key | (1 << 80)));
        vm.assertEq(MarketTerms.unwrap(terms), 0);
        vm.assertEq(start, 0);
    }

    function test_a_slot_is_traded_until_its_nominations_close_by_the_rules_of_its_day() public {
        (uint256 until, int32 priceMin, int32 priceMax) = communities.tradingOf(COMMUNITY, FIRST_SLOT + 3);
        vm.assertEq(until, DAY_START + 3 * uint256(SLOT_SECONDS) - 300);
        vm.assertEq(int256(priceMin), -4_000_000);
        vm.assertEq(int256(priceMax), 4_000_000);
        (until,,) = communities.tradingOf(COMMUNITY, 0);
        vm.assertEq(until, 0);
        Rules memory rules = _rules();
        (rules.nominationDirectLead, rules.priceMin, rules.priceMax) = (400, 1, 2);
        vm.prank(ADMIN);
        communities.change(COMMUNITY, DAY + 100, rules, _sessions(), _reporters());
        (until, priceMin, priceMax) = communities.tradingOf(COMMUNITY, FIRST_SLOT + 100 * SLOTS);
        vm.assertEq(until, DAY_START + 100 * 86_400 - 400);
        vm.assertEq(int256(priceMin) + priceMax, 3);
        vm.expectRevert(abi.encodeWithSelector(ICommunities.UnknownCommunity.selector, 2));
        communities.tradingOf(2, FIRST_SLOT);
    }

    function test_sessions_and_reporters_are_those_of_their_day() public {
        Session[] memory sessions = new Session[](1);
        sessions[0] = Session(false, -39_600, -39_000);
        address[] memory reporters = new address[](2);
        (reporters[0], reporters[1]) = (address(1), address(2));
        vm.prank(ADMIN);
        communities.change(COMMUNITY, DAY + 100, _rules(), sessions, reporters);
        vm.assertEq(communities.sessionsAt(COMMUNITY, DAY + 99).length, 2);
        vm.assertEq(communities.sessionsAt(COMMUNITY, DAY + 100).length, 1);
        vm.assertEq(abi.encode(communities.reportersAt(COMMUNITY, DAY + 99)), abi.encode(_reporters()));
        vm.assertEq(abi.encode(communities.reportersAt(COMMUNITY, DAY + 100)), abi.encode(reporters));
    }

    function test_unknown_communities_have_no_rules() public {
        vm.expectRevert(abi.encodeWithSelector(ICommunities.UnknownCommunity.selector, 2));
        communities.rulesAt(2, DAY);
    }

    function _refuses(Rules memory rules, string memory rule) private {
        vm.prank(ADMIN);
        vm.expectRevert(abi.encodeWithSelector(ICommunities.InvalidRule.selector, rule));
        communities.change(COMMUNITY, DAY + 100, rules, _sessions(), _reporters());
    }
}
