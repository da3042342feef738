"""What the oracle took: whether each report had its quorum, window, bounds and round, and what of it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.rules.calendar import Rules, bills_due
from otaniemi.contracts.rules.errors import FieldError, SignatureError
from otaniemi.contracts.rules.meters import MeterReport
from otaniemi.contracts.rules.reports import (
    METER_KIND,
    ReportMark,
    ReportStatus,
    Window,
    base_day,
    fault_of_succession,
    jumps,
    meter_window,
    next_window,
    tariff_window,
)
from otaniemi.contracts.rules.signing import Domain, address_bytes, meter_digest, recover, tariff_digest
from otaniemi.contracts.rules.tariffs import Feed, TariffReport, unpack_prices
from otaniemi.platform.audit.findings import HIDDEN
from otaniemi.platform.audit.published import Published
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step

SIGNATURE_BYTES = 64
BOND_DELAY = 21 * 86_400
MODULE = "Oracle"

Key = tuple[int, int, int]
"""Community, kind (a feed, or 8 + product of meters), day or slot."""


@dataclass(frozen=True)
class Known:
    """The last report on a subject."""

    report: TariffReport | MeterReport
    mark: ReportMark


class Reports:
    """Follows every report, challenge and bond; prices and meters that count stand in ``state``."""

    def __init__(
        self,
        community: int,
        domain: Domain,
        state: State,
        published: Published | None,
        counts: Counter[str],
    ) -> None:
        self._community, self._domain, self._state = community, domain, state
        self._published, self._counts = published, counts
        self._known: dict[Key, Known] = {}
        self._challenges: dict[int, e.ReportChallenged] = {}
        self._bonds: dict[str, tuple[int, int]] = {}
        self._free_from: dict[str, int] = {}
        self._rewards: Counter[int] = Counter()
        self._handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {
            e.TariffReported: self._tariff_reported,
            e.TariffQuarantined: self._tariff_reported,
            e.QuarantineDecided: self._quarantine_decided,
            e.MetersReported: self._meters_reported,
            e.ReportChallenged: self._challenged,
            e.ChallengeClosed: self._closed,
            e.BondDeposited: self._bond_deposited,
            e.BondReleased: self._bond_released,
            e.BondTaken: self._bond_taken,
            e.ReporterSlashed: self._slashed,
        }

    def handler(self, kind: type[e.Event]) -> Callable[[Any, Step], Iterable[str]] | None:
        """What follows an event of this kind; None for one that is not about reports."""
        return self._handlers.get(kind)

    def _tariff_reported(self, event: e.TariffReported | e.TariffQuarantined, step: Step) -> Iterable[str]:
        prices = unpack_prices(event.prices)
        report = TariffReport(event.community, event.feed, event.day, prices, event.round)
        self._counts["tariffs"] += 1
        key = event.community, event.feed, event.day
        last = self._known.get(key)
        former = last.mark if last else None
        rules = self._state.rules_at(event.community, event.day)
        if rules is None:
            yield f"reports a tariff of community {event.community}, which has no rules"
            return
        yield from self._wrong_signers(
            step, "reportTariff", tariff_digest(self._domain, report), event.signers
        )
        same = last is not None and isinstance(last.report, TariffReport) and last.report.prices == prices
        before = self._base(event.community, event.feed, event.day)
        confirmed = same and former is not None and former.status == ReportStatus.QUARANTINED
        waits = (
            not confirmed
            and before is not None
            and jumps(prices, self._state.tariffs[event.community, event.feed, before], rules.deviation_limit)
        )
        if waits != isinstance(event, e.TariffQuarantined):
            yield f"feed {event.feed} of day {event.day} {'jumps and counts' if waits else 'waits without a jump'}"
        if isinstance(event, e.TariffQuarantined) and event.base_day != before:
            yield f"holds feed {event.feed} of day {event.day} against day {event.base_day}, not {before}"
        mark = _mark(rules, event.round, event.signers, step.time if waits else 0)
        fault = _fault_of_tariff(rules, report, step.time, former)
        fault = fault or _fault_of_quorum(rules, event.signers) or fault_of_succession(former, same, mark)
        yield from (fault,) if fault else ()
        self._keep(key, Known(report, mark))

    def _meters_reported(self, event: e.MetersReported, step: Step) -> Iterable[str]:
        totals = event.root, event.import_wh, event.export_wh, event.count
        report = MeterReport(event.community, event.product, event.slot, *totals, event.round)
        self._counts["meter_reports"] += 1
        key = event.community, METER_KIND + event.product, event.slot
        last = self._known.get(key)
        former = last.mark if last else None
        rules = self._state.rules_of_slot(event.community, event.product, event.slot)
        if rules is None:
            yield f"reports meters of product {event.product} in slot {event.slot}, where nothing is traded"
            return
        yield from self._wrong_signers(
            step, "reportMeters", meter_digest(self._domain, report), event.signers
        )
        same = last is not None and replace(last.report, round=event.round) == report
        mark = _mark(rules, event.round, event.signers, 0)
        fault = _fault_of_meters(rules, report, step.time, former)
        fault = fault or _fault_of_quorum(rules, event.signers) or fault_of_succession(former, same, mark)
        yield from (fault,) if fault else ()
        self._keep(key, Known(report, mark))
        if self._published and event.community == self._community:
            self._published.check_meters(rules, report)

    def _quarantine_decided(self, event: e.QuarantineDecided, step: Step) -> Iterable[str]:
        key = event.community, event.feed, event.day
        known = self._known[key]
        if known.mark.status != ReportStatus.QUARANTINED:
            yield f"decides about feed {event.feed} of day {event.day}, which is not in quarantine"
        self._settle(key, event.counts, step.time)

    def _challenged(self, event: e.ReportChallenged, step: Step) -> Iterable[str]:
        key = event.community, event.kind, event.index
        known, rules = self._known[key], self._rules_of(key)
        until = self._usual_window(key, rules)[1] + rules.challenge_window
        if known.mark.status != ReportStatus.COUNTING or step.time >= until:
            yield f"challenges kind {event.kind} of {event.index} when it cannot be challenged"
        if (event.bond, event.deadline) != (rules.bond, step.time + rules.challenge_window):
            yield f"challenges kind {event.kind} of {event.index} with another bond or deadline than the rules'"
        if self._state.ledger.debit(MODULE, event.challenger, event.bond) != event.bond:
            yield f"takes a bond of {event.bond} of account {event.challenger}, which has less"
        self._challenges[event.id] = event
        self._keep(key, replace(known, mark=replace(known.mark, status=ReportStatus.CHALLENGED)))

    def _closed(self, event: e.ChallengeClosed, step: Step) -> Iterable[str]:
        challenge = self._challenges.pop(event.id)
        lapsed = not event.upheld and not event.rejected
        if lapsed != (step.time >= challenge.deadline):
            yield f"closes challenge {event.id} {'before' if lapsed else 'after'} its deadline"
        reward = min(self._rewards[challenge.community], challenge.bond) if event.upheld else 0
        paid = 0 if event.rejected else challenge.bond + reward
        self._rewards[challenge.community] += challenge.bond if event.rejected else -reward
        if event.paid != paid:
            yield f"pays {event.paid} for challenge {event.id}, not {paid}"
        self._state.ledger.credit(MODULE, challenge.challenger, event.paid)
        self._settle((challenge.community, challenge.kind, challenge.index), not event.upheld, step.time)

    def _bond_deposited(self, event: e.BondDeposited, _: Step) -> Iterable[str]:
        if self._state.ledger.debit(MODULE, event.account, event.nano) != event.nano:
            yield f"takes a bond of {event.nano} of account {event.account}, which has less"
        account, nano = self._bonds.get(event.reporter, (event.account, 0))
        if account != event.account:
            yield f"takes a bond of reporter {event.reporter} from two accounts"
        self._bonds[event.reporter] = event.account, nano + event.nano
        self._free_from.pop(event.reporter, None)

    def _bond_released(self, event: e.BondReleased, step: Step) -> Iterable[str]:
        self._free_from[event.reporter] = event.free_from
        if event.free_from != step.time + BOND_DELAY:
            yield f"frees the bond of {event.reporter} from {event.free_from} on"

    def _bond_taken(self, event: e.BondTaken, step: Step) -> Iterable[str]:
        bond, free_from = self._bonds.pop(event.reporter), self._free_from.pop(event.reporter, None)
        if bond != (event.account, event.nano) or free_from is None or step.time < free_from:
            yield f"returns a bond of {event.nano} to account {event.account}; held was {bond}, until {free_from}"
        self._state.ledger.credit(MODULE, event.account, event.nano)

    def _slashed(self, event: e.ReporterSlashed, _: Step) -> Iterable[str]:
        nano = self._bonds.pop(event.reporter)[1]
        self._free_from.pop(event.reporter, None)
        if (event.reward, event.reserved) != (nano // 2, nano - nano // 2):
            yield f"splits the bond of {event.reporter}, {nano}, into {event.reward} and {event.reserved}"
        self._rewards[event.community] += event.reserved
        self._state.ledger.credit(MODULE, event.informer, event.reward)

    def _settle(self, key: Key, stands: bool, now: int) -> None:
        """What the arbiter, or a deadline, makes of a report."""
        known = self._known[key]
        status = ReportStatus.STANDING if stands else ReportStatus.DISCARDED
        self._keep(key, replace(known, mark=replace(known.mark, status=status, since=0 if stands else now)))

    def _keep(self, key: Key, known: Known) -> None:
        """Note a report, and its value in the books where it counts."""
        self._known[key] = known
        community, kind, index = key
        counts = known.mark.counts
        if isinstance(known.report, TariffReport):
            self._state.tariffs.pop(key, None)
            if counts:
                self._state.tariffs[key] = known.report.prices
        else:
            self._state.meters.pop((community, kind - METER_KIND, index), None)
            if counts:
                self._state.meters[community, kind - METER_KIND, index] = known.report

    def _base(self, community: int, feed: int, day: int) -> int | None:
        counting = {d for c, f, d in self._state.tariffs if (c, f) == (community, feed)}
        return base_day(day, counting)

    def _rules_of(self, key: Key) -> Rules:
        community, kind, index = key
        rules = (
            self._state.rules_at(community, index)
            if kind < METER_KIND
            else self._state.rules_of_slot(community, kind - METER_KIND, index)
        )
        if rules is None:
            raise LookupError(f"community {community} has no rules for kind {kind} of {index}")
        return rules

    def _usual_window(self, key: Key, rules: Rules) -> Window:
        _, kind, index = key
        return tariff_window(rules, kind, index) if kind < METER_KIND else meter_window(rules, index)

    def _wrong_signers(self, step: Step, function: str, digest: bytes, told: Sequence[str]) -> Iterator[str]:
        """Who signed a report, where the calldata shows it, must be who the event says."""
        if step.function != function:
            self._counts[HIDDEN] += 1
            return
        signatures: bytes = step.arguments["signatures"]
        parts = [signatures[at : at + SIGNATURE_BYTES] for at in range(0, len(signatures), SIGNATURE_BYTES)]
        self._counts["signatures"] += len(parts)
        try:
            signers = [recover(digest, part) for part in parts]
        except SignatureError as error:
            yield str(error)
            return
        if signers != [*told]:
            yield f"says that {', '.join(told)} signed; it was {', '.join(signers)}"


def _fault_of_tariff(rules: Rules, report: TariffReport, now: int, last: ReportMark | None) -> str | None:
    """Why the oracle should not have taken a tariff report at ``now``, after the ``last`` one; None when it should."""
    opens, closes = next_window(rules, tariff_window(rules, report.feed, report.day), last)
    if report.feed == Feed.REFERENCE:
        closes = min(closes, bills_due(rules, report.day))
    if not opens <= now < closes:
        return f"a report of feed {report.feed} came at {now}, outside of {opens} to {closes}"
    try:
        report.check(rules)
    except FieldError as error:
        return str(error)
    return None


def _fault_of_meters(rules: Rules, report: MeterReport, now: int, last: ReportMark | None) -> str | None:
    """Why the oracle should not have taken a meter report at ``now``, after the ``last`` one; None when it should."""
    opens, closes = next_window(rules, meter_window(rules, report.slot), last)
    if not opens <= now < closes:
        return f"a report of slot {report.slot} came at {now}, outside of {opens} to {closes}"
    most = report.count * rules.connection_limit_wh
    if max(report.import_wh, report.export_wh) > most:
        return f"the meters of slot {report.slot} say more than {most} Wh, which their connections carry"
    return None


def _mark(rules: Rules, number: int, signers: Sequence[str], since: int) -> ReportMark:
    """The mark of a fresh report; in quarantine where it has a ``since``."""
    status = ReportStatus.QUARANTINED if since else ReportStatus.COUNTING
    return ReportMark(status, number, len(rules.reporters) - len(signers), since)


def _fault_of_quorum(rules: Rules, signers: Sequence[str]) -> str | None:
    strangers = [signer for signer in signers if signer not in rules.reporters]
    if strangers:
        return f"{strangers[0]} signed and is no reporter"
    if any(address_bytes(left) >= address_bytes(right) for left, right in pairwise(signers)):
        return "signers do not ascend"
    if len(signers) < rules.quorum:
        return f"{len(signers)} reporters signed; the quorum is {rules.quorum}"
    return None
