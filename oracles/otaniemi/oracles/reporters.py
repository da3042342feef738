"""Reporters: each observes for itself and signs the common report only when it agrees with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from otaniemi.contracts.rules.errors import RulesError
from otaniemi.contracts.rules.meters import MeterLeaf, MeterReport, meter_report
from otaniemi.contracts.rules.signing import (
    Domain,
    address_bytes,
    address_of,
    meter_digest,
    reporter_bond_digest,
    sign,
    tariff_digest,
)
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.oracles.errors import DisagreementError, OracleError, QuorumError
from otaniemi.oracles.meters import MeterFeed
from otaniemi.oracles.reports import common_leaves, common_tariff, observe_meters

TariffSource = Callable[[Feed, int], TariffReport]
"""Gives the tariff of a feed and trading day, as one reporter sees it."""


@dataclass(frozen=True)
class SignedTariff:
    """A tariff report with its quorum: what ``Oracle.reportTariff`` takes."""

    report: TariffReport
    signatures: bytes


@dataclass(frozen=True)
class SignedMeters:
    """A meter report with its quorum: what ``Oracle.reportMeters`` takes, and the leaves under its root."""

    report: MeterReport
    leaves: tuple[MeterLeaf, ...]
    signatures: bytes


class Reporter:
    """One of a community's reporters.

    Parameters
    ----------
    key : bytes
        Its private key.
    domain : Domain
        Of the Oracle contract.
    community, product : int
        What it reports on.
    tariffs : TariffSource
        Its own look at the tariffs.
    meters : MeterFeed
        Its own intake of readings.
    salt_seed : bytes
        The secret that the reporters share, for the salts of the leaves.
    """

    def __init__(
        self,
        key: bytes,
        domain: Domain,
        community: int,
        product: int,
        tariffs: TariffSource,
        meters: MeterFeed,
        salt_seed: bytes,
    ) -> None:
        self.address = address_of(key)
        self._key, self._domain = key, domain
        self._community, self._product = community, product
        self._tariffs, self._meters, self._salt_seed = tariffs, meters, salt_seed
        self._signed: dict[tuple[object, ...], bytes] = {}

    def observe_tariff(self, feed: Feed, day: int) -> TariffReport:
        """What it sees itself."""
        return self._tariffs(feed, day)

    def observe_meters(self, slot: int, accounts: Iterable[int]) -> tuple[MeterLeaf, ...]:
        """The leaves of ``slot`` as it sees them, accounts ascending."""
        return observe_meters(self._meters, self._salt_seed, self._product, slot, accounts)

    def sign_tariff(self, report: TariffReport) -> bytes:
        """Its signature under the common ``report``.

        Raises
        ------
        DisagreementError
            Its own observation differs, or it has signed another report on the same feed, day and round.
        """
        own = self.observe_tariff(Feed(report.feed), report.day)
        if replace(own, round=report.round) != report:
            what = f"the {Feed(report.feed).name.lower()} tariff of day {report.day} differs from its own"
            raise DisagreementError(self.address, what)
        return self._sign(
            ("tariff", report.feed, report.day, report.round), tariff_digest(self._domain, report)
        )

    def sign_meters(self, slot: int, leaves: Sequence[MeterLeaf], number: int = 0) -> bytes:
        """Its signature under the common ``leaves`` of ``slot`` in round ``number``; it computes their root itself.

        Raises
        ------
        DisagreementError
            A leaf differs from its own, or it has signed other leaves for this slot and round.
        """
        accounts = [leaf.account for leaf in leaves]
        for own, common in zip(self.observe_meters(slot, accounts), leaves, strict=True):
            if own != common:
                raise DisagreementError(
                    self.address, f"account {common.account} of slot {slot} differs from its own"
                )
        report = replace(meter_report(self._community, self._product, slot, leaves), round=number)
        return self._sign(("meters", slot, number), meter_digest(self._domain, report))

    def _sign(self, subject: tuple[object, ...], digest: bytes) -> bytes:
        if self._signed.setdefault(subject, digest) != digest:
            raise DisagreementError(self.address, f"it has signed another report on {subject}")
        return sign(self._key, digest)


def sign_bond(key: bytes, domain: Domain, account: int) -> bytes:
    """The consent of the reporter with private ``key`` to a bond that ``account`` puts up for it."""
    return sign(key, reporter_bond_digest(domain, account))


def report_tariff(
    reporters: Sequence[Reporter], quorum: int, feed: Feed, day: int, number: int = 0
) -> SignedTariff:
    """The common tariff report of a feed and day in round ``number`` with the signatures of all who agree.

    Each reporter looks anew in every round, so a second round is a second look.

    Raises
    ------
    QuorumError
        Fewer than ``quorum`` reporters have an observation or agree.
    """
    subject = f"{feed.name.lower()} tariff of day {day}"
    observations, silent = [], []
    for reporter in reporters:
        try:
            observations.append(reporter.observe_tariff(feed, day))
        except (OracleError, RulesError) as error:
            silent.append(str(error))
    if len(observations) < quorum:
        raise QuorumError(subject, len(observations), quorum, tuple(silent))
    report = replace(common_tariff(observations), round=number)
    return SignedTariff(
        report, _collect(reporters, quorum, subject, lambda reporter: reporter.sign_tariff(report))
    )


def report_meters(
    reporters: Sequence[Reporter],
    quorum: int,
    community: int,
    product: int,
    slot: int,
    accounts: Iterable[int],
    number: int = 0,
) -> SignedMeters:
    """The common meter report of a slot in round ``number`` with the signatures of all who agree.

    Raises
    ------
    QuorumError
        Fewer than ``quorum`` reporters agree.
    """
    metered = sorted(accounts)
    leaves = common_leaves([reporter.observe_meters(slot, metered) for reporter in reporters])
    report = replace(meter_report(community, product, slot, leaves), round=number)
    subject = f"meters of slot {slot}"
    signatures = _collect(reporters, quorum, subject, lambda one: one.sign_meters(slot, leaves, number))
    return SignedMeters(report, leaves, signatures)


def _collect(
    reporters: Sequence[Reporter], quorum: int, subject: str, sign_by: Callable[[Reporter], bytes]
) -> bytes:
    """Signatures in ascending order of the signers' addresses."""
    signatures, dissent = [], []
    for reporter in sorted(reporters, key=lambda one: address_bytes(one.address)):
        try:
            signatures.append(sign_by(reporter))
        except (OracleError, RulesError) as error:
            dissent.append(str(error))
    if len(signatures) < quorum:
        raise QuorumError(subject, len(signatures), quorum, tuple(dissent))
    return b"".join(signatures)
