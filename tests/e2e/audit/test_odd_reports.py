"""Reports that wait, are challenged or cost a bond: the contract and the auditor say the same of all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.bindings import Oracle
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.rules.calendar import slot_end
from otaniemi.contracts.rules.meters import MeterLeaf, MeterReport, meter_report
from otaniemi.contracts.rules.reports import ReportMark, ReportStatus
from otaniemi.contracts.rules.signing import meter_digest, sign, tariff_digest
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.oracles.reporters import sign_bond
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import Step, steps_of

from .small_day import ADMIN, COMMUNITY, DAY, FIRST, HOMES, REPORTERS, RULES, SmallDay
from .small_day import A as HOME

QUIET = ((100_000, 40_000),) * 24
JUMP = ((100_000, 40_000),) * 23 + ((100_000, -460_001),)
BOND = RULES.bond


class OddDays:
    """Two days of reports, most of them odd."""

    def __init__(self) -> None:
        self.day = SmallDay.start()
        self.oracle = Oracle(self.day.chain, self.day.deployment.addresses["Oracle"])

    def send(self, *calls: Any) -> None:
        self.day.sender.send_all([*calls])

    def prices(self, day: int, prices: Any, number: int = 0, base: bytes = b"", signers: int = 3) -> None:
        report = TariffReport(COMMUNITY, Feed.REFERENCE, day, prices, number)
        digest = tariff_digest(self.oracle.domain, report)
        signatures = b"".join(sign(key.secret, digest) for key in REPORTERS[:signers])
        self.send((ADMIN, self.oracle.report_tariff(report, signatures, base)))

    def mark(self, day: int) -> ReportMark | None:
        return self.oracle.tariff_mark(COMMUNITY, Feed.REFERENCE, day)

    def later(self, seconds: int) -> None:
        self.day.chain.set_time(self.day.chain.head().timestamp + seconds)

    def meters(self, import_wh: int, number: int = 0) -> MeterReport:
        leaf = MeterLeaf(HOME, import_wh, 0, 0, bytes(32))
        report = replace(meter_report(COMMUNITY, 0, FIRST, [leaf]), round=number)
        digest = meter_digest(self.oracle.domain, report)
        signatures = b"".join(sign(key.secret, digest) for key in REPORTERS[1:])
        self.send((ADMIN, self.oracle.report_meters(report, signatures)))
        return report

    def play(self) -> None:
        """Quarantine, confirmation, replacement, challenges with every end, a slashed bond and one returned."""
        oracle, domain = self.oracle, self.oracle.domain
        base = TariffReport(COMMUNITY, Feed.REFERENCE, DAY, QUIET).packed_prices()
        self.prices(DAY, QUIET, signers=2)
        self.prices(DAY, QUIET)
        assert self.mark(DAY) == ReportMark(ReportStatus.COUNTING, 0, 0)
        self.prices(DAY + 1, JUMP, base=base)
        waiting = self.mark(DAY + 1)
        assert waiting == ReportMark(ReportStatus.QUARANTINED, 0, 0, self.day.chain.head().timestamp)
        assert oracle.tariff_hash(COMMUNITY, Feed.REFERENCE, DAY + 1) == bytes(32)
        self.later(600)
        self.prices(DAY + 1, JUMP, 1, base, signers=2)
        assert self.mark(DAY + 1) == ReportMark(ReportStatus.COUNTING, 1, 1)
        assert oracle.base_day_of(COMMUNITY, Feed.REFERENCE, DAY + 2) == DAY + 1

        challenge = (HOMES[0], oracle.challenge_tariff(COMMUNITY, Feed.REFERENCE, DAY, HOME))
        self.send(challenge, (ADMIN, oracle.decide(1, False)))
        assert self.mark(DAY) == ReportMark(ReportStatus.STANDING, 0, 0)
        self.send((HOMES[0], oracle.challenge_tariff(COMMUNITY, Feed.REFERENCE, DAY + 1, HOME)))
        self.send((ADMIN, oracle.decide(2, True)))
        self.later(60)
        self.prices(DAY + 1, JUMP, 2, base)
        self.send((ADMIN, oracle.decide_quarantine(COMMUNITY, Feed.REFERENCE, DAY + 1, True)))
        assert self.mark(DAY + 1) == ReportMark(ReportStatus.STANDING, 2, 0)

        self.day.chain.set_time(slot_end(RULES, FIRST))
        report = self.meters(500)
        assert oracle.meter_root(COMMUNITY, 0, FIRST) == report
        self.send((HOMES[0], oracle.challenge_meters(COMMUNITY, 0, FIRST, HOME)))
        assert oracle.meter_root(COMMUNITY, 0, FIRST) is None
        self.later(RULES.challenge_window)
        self.send((ADMIN, oracle.lapse(3)))
        assert oracle.meter_root(COMMUNITY, 0, FIRST) == report

        for reporter in REPORTERS[:2]:
            consent = sign_bond(reporter.secret, domain, 3)
            self.send((ADMIN, oracle.deposit_bond(3, 1_001, consent)))
        other = replace(report, import_wh=400)
        both = b"".join(sign(REPORTERS[0].secret, meter_digest(domain, one)) for one in (report, other))
        self.send((ADMIN, oracle.slash_for_meters(report, other, both, HOME)))
        assert (oracle.bond_of(REPORTERS[0].address), oracle.bond_of(REPORTERS[1].address)) == (0, 1_001)
        self.send((ADMIN, oracle.release_bond(REPORTERS[1].address)))
        with pytest.raises(RevertedError, match="BondHeld"):
            self.send((ADMIN, oracle.take_bond(REPORTERS[1].address)))
        self.later(21 * 86_400)
        self.send((ADMIN, oracle.take_bond(REPORTERS[1].address)))

    def steps(self) -> list[Step]:
        chain = self.day.chain
        return list(steps_of(chain.blocks(0, chain.head().number), self.day.deployment.addresses))

    def replayed(self, steps: list[Step]) -> Replay:
        replay = Replay(self.day.deployment, None)
        replay.run(steps)
        return replay


@pytest.fixture(scope="module")
def odd() -> OddDays:
    days = OddDays()
    days.play()
    return days


def test_contract_and_auditor_agree_on_odd_reports(odd: OddDays) -> None:
    replay = odd.replayed(odd.steps())
    assert replay.findings == []
    assert replay.state.tariffs == {
        (COMMUNITY, Feed.REFERENCE, DAY): QUIET,
        (COMMUNITY, Feed.REFERENCE, DAY + 1): JUMP,
    }
    # Of three bonds one was lost and paid as a reward again; half of the slashed one waits for the next challenger.
    assert replay.state.ledger.pots["Oracle"] == 501
    assert odd.day.accounts.pot_of(odd.oracle.address) == 501
    assert odd.day.accounts.free_of(HOME) == replay.state.ledger.free[HOME] == 100_000_000_000 + 500


CHANGED = [
    (e.TariffQuarantined, "base_day", lambda value: value - 1),
    (e.TariffQuarantined, "round", lambda value: value + 1),
    (e.ReportChallenged, "bond", lambda value: value - 1),
    (e.ReportChallenged, "deadline", lambda value: value + 1),
    (e.ReportChallenged, "index", lambda value: value + 1),
    (e.ChallengeClosed, "paid", lambda value: value + 1),
    (e.ChallengeClosed, "upheld", lambda value: not value),
    (e.BondDeposited, "nano", lambda value: value + 1),
    (e.BondReleased, "free_from", lambda value: value - 1),
    (e.BondTaken, "nano", lambda value: value - 1),
    (e.ReporterSlashed, "reward", lambda value: value + 1),
    (e.QuarantineDecided, "day", lambda value: value - 1),
]


@pytest.mark.parametrize(("kind", "name", "other"), CHANGED)
def test_an_odd_report_that_says_something_else_is_found(
    odd: OddDays, kind: type[e.Event], name: str, other: Any
) -> None:
    steps = odd.steps()
    at, index = next(
        (at, index)
        for at, step in enumerate(steps)
        for index, event in enumerate(step.events)
        if type(event) is kind
    )
    found = list(steps[at].events)
    found[index] = replace(found[index], **{name: other(getattr(found[index], name))})
    steps[at] = replace(steps[at], events=tuple(found))
    assert odd.replayed(steps).findings


def test_a_jump_that_counts_at_once_is_found(odd: OddDays) -> None:
    steps = odd.steps()
    at = next(at for at, step in enumerate(steps) if any(type(x) is e.TariffQuarantined for x in step.events))
    (event,) = steps[at].events
    assert isinstance(event, e.TariffQuarantined)
    counted = e.TariffReported(
        event.community, event.feed, event.day, event.round, event.prices, event.signers
    )
    steps[at] = replace(steps[at], events=(counted,))
    assert any("jumps and counts" in str(finding) for finding in odd.replayed(steps).findings)
