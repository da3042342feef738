"""The bills of a trading day, derived anew and held against what was published and proposed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from otaniemi.contracts.rules.bills import Bills, DayFacts, bill_day
from otaniemi.contracts.rules.calendar import Rules, first_slot, slots_of_day
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.packages import NO_PACKAGES, HomePackages
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform.audit.findings import Finding
from otaniemi.platform.audit.leaves import Meters, bills_file
from otaniemi.platform.audit.state import Prices, State


def facts_of(state: State, rules: Rules, community: int, day: int, meters: Meters) -> DayFacts:
    """What the bills of a trading day follow from.

    Raises
    ------
    LookupError
        A tariff of the day was not reported.
    """
    reference = state.tariffs.get((community, Feed.REFERENCE, day))
    listed = {leaf.account for leaves in meters.values() for leaf in leaves}
    members = {number for number, account in state.accounts.items() if account.community == community}
    return replace(
        trades_on(state, rules, community, day),
        batches={
            product: batches
            for (place, product, billed), batches in state.nominations.items()
            if (place, billed) == (community, day)
        },
        meters=meters,
        retail=state.tariffs[community, Feed.RETAIL, day],
        imbalance=state.tariffs[community, Feed.IMBALANCE, day],
        reference=reference,
        packages=_packages(state, rules, community, day, meters, reference),
        strangers=listed - members,
    )


def _packages(
    state: State, rules: Rules, community: int, day: int, meters: Meters, reference: Prices | None
) -> dict[tuple[int, int, int], HomePackages]:
    """What packages cover of homes that have any."""
    book, first, found = state.packages[community], first_slot(rules, day), {}
    if not book.packages:
        return {}
    for (product, slot), leaves in meters.items():
        spot = None if reference is None else reference[slot - first][0]
        for leaf in leaves:
            prices = book.prices_at(leaf.account, product, day, slot - first, spot)
            if prices != NO_PACKAGES:
                found[product, leaf.account, slot] = prices
    return found


def trades_on(state: State, rules: Rules, community: int, day: int) -> DayFacts:
    """What was traded on a day, without anything else that bills follow from."""
    slots = slots_of_day(rules, day)
    return DayFacts(
        rules=rules,
        community=community,
        day=day,
        markets={
            market: cleared
            for market, cleared in state.cleared.items()
            if market.community == community and market.slot in slots
        },
        batches={},
        meters={},
        retail=(),
        imbalance=(),
        positions={
            (product, account): positions
            for (place, product, account, traded), positions in state.positions.items()
            if (place, traded) == (community, day)
        },
        curtailments={
            (product, slot): permille
            for (place, product, slot), permille in state.curtailed.items()
            if place == community and slot in slots
        },
    )


def derive(state: State, rules: Rules, community: int, day: int, meters: Meters) -> tuple[DayFacts, Bills]:
    """The only right bills of a trading day, and what they follow from.

    Raises
    ------
    LookupError
        A tariff of the day was not reported.
    RulesError
        A trade has no meter leaf.
    """
    facts = facts_of(state, rules, community, day, meters)
    return facts, bill_day(facts)


def compare_lines(day: int, published: Sequence[Line], derived: Sequence[Line]) -> Iterator[Finding]:
    """The first published line that is not the derived one in its place."""
    name = bills_file_name(day)
    for number, (line, right) in enumerate(zip(published, derived, strict=False), start=1):
        if line != right:
            yield Finding(f"{name} line {number}", _difference(line, right))
            return
    if len(published) != len(derived):
        yield Finding(name, f"has {len(published)} lines; {len(derived)} follow from the chain")


def zero_sums(facts: DayFacts, lines: Sequence[Line]) -> Iterator[Finding]:
    """Slots in which bought and sold energy, or what is paid for it, do not cancel though they were not curtailed."""
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for line in lines:
        total = sums[line.product, line.slot]
        total[0] += line.trade_wh
        total[1] += line.trade_money
    for (product, slot), (wh, money) in sorted(sums.items()):
        if (wh or money) and (product, slot) not in facts.curtailments:
            place = f"{bills_file_name(facts.day)} product {product} slot {slot}"
            yield Finding(place, f"trades sum to {wh} Wh and {money} nano-token, not to zero")


def bills_file_name(day: int) -> str:
    """Name of the file of the day's bill lines."""
    return bills_file(Path(), day).name


def _difference(line: Line, right: Line) -> str:
    names = [name for name in Line.__dataclass_fields__ if getattr(line, name) != getattr(right, name)]
    told = ", ".join(f"{name} is {getattr(line, name)}, not {getattr(right, name)}" for name in names[:3])
    return f"account {right.account}, slot {right.slot}: {told}"
