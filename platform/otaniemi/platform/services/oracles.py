"""The oracle service: three reporters, each with its own intake, and their common reports on the chain."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import meter_deadline, slot_at
from otaniemi.contracts.rules.reports import METER_KIND, ReportMark, ReportStatus
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.oracles.meters import MeterFeed, Reading
from otaniemi.oracles.reporters import Reporter, TariffSource, report_meters, report_tariff
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import days, members, readings, reports

_EVERY_PRODUCT = 0
"""Where rounds of prices, which are those of all products, are noted."""
_ESTIMATE_DAYS = 8
"""Silent meters are estimated from readings that are no older."""


class OracleService:
    """Tariffs and meters of one community.

    What it took and signed is in the store: one that starts anew goes on where the last one stopped.

    Parameters
    ----------
    gateway : Gateway
    sender : Key
        Who pays the gas of the reports.
    reporter_keys : sequence of bytes
        The reporters' private keys.
    tariffs : TariffSource
        Where the reporters look prices up.
    salt_seed : bytes
        The secret behind the salts of meter leaves.
    """

    def __init__(
        self,
        gateway: Gateway,
        sender: Key,
        reporter_keys: Sequence[bytes],
        tariffs: TariffSource,
        salt_seed: bytes,
    ) -> None:
        self._gateway, self._sender = gateway, sender
        rules, domain = gateway.rules, gateway.contracts.oracle.domain
        first = slot_at(rules, gateway.clock.now) - _ESTIMATE_DAYS * rules.slots_per_day
        self._feeds: dict[int, list[MeterFeed]] = {}
        self._reporters: dict[int, list[Reporter]] = {}
        for product in rules.traded:
            feeds = self._feeds[product] = [MeterFeed(rules) for _ in reporter_keys]
            self._reporters[product] = [
                Reporter(key, domain, gateway.community, product, tariffs, feed, salt_seed)
                for key, feed in zip(reporter_keys, feeds, strict=True)
            ]
            with gateway.store.read() as transaction:
                for taken in readings.taken_since(transaction, product, first):
                    for feed in feeds:
                        feed.restore(*taken)

    def take_reading(self, account: int, product: int, slot: int, reading: Reading) -> bool:
        """Hand the reading of an account's meter of a product to every reporter; True when it is new.

        Raises
        ------
        FieldError, OracleError
            Implausible, too early, too late, or in conflict with one already taken.
        """
        now = self._gateway.clock.now
        new = [feed.take(account, slot, reading, now) for feed in self._feeds[product]]
        with self._gateway.store.begin() as transaction:
            readings.add_reading(transaction, product, slot, account, reading, now)
        return any(new)

    def report_tariff(self, feed: Feed, day: int) -> None:
        """Put the day's prices of ``feed`` on the chain with a quorum of signatures.

        Each call is another round, as no reporter signs two values in one.
        """
        gateway, oracle = self._gateway, self._gateway.contracts.oracle
        number = self._round(_EVERY_PRODUCT, feed, day, oracle.tariff_mark(gateway.community, feed, day))
        reporters = next(iter(self._reporters.values()))
        signed = report_tariff(reporters, gateway.rules.quorum, feed, day, number)
        call = oracle.report_tariff(signed.report, signed.signatures, self._base(feed, day))
        gateway.send([(self._sender, call)])

    def confirm_tariff(self, feed: Feed, day: int) -> None:
        """Report the day's prices of ``feed`` again where the first report went to quarantine or the chain lost it."""
        mark = self._gateway.contracts.oracle.tariff_mark(self._gateway.community, feed, day)
        if mark is None or mark.status == ReportStatus.QUARANTINED:
            self.report_tariff(feed, day)

    def report_meters(self, slot: int) -> None:
        """Put the meter roots of ``slot`` on the chain, one a product; a silent meter is estimated and marked.

        Each call is another round, as no reporter signs two values in one. Slots before it that were reported here and
        whose reports the chain lost are reported again while it takes them.
        """
        for product in self._feeds:
            self._report_meters(product, slot)
            for earlier in range(slot - 1, -1, -1):
                if meter_deadline(self._gateway.rules, earlier) <= self._gateway.clock.now:
                    break
                if self._is_lost(product, earlier):
                    self._report_meters(product, earlier)

    def _is_lost(self, product: int, slot: int) -> bool:
        gateway = self._gateway
        place = gateway.community, product
        with gateway.store.read() as transaction:
            begun = reports.last_round(transaction, *place, METER_KIND, slot)
        return begun is not None and gateway.contracts.oracle.meter_mark(*place, slot) is None

    def _report_meters(self, product: int, slot: int) -> None:
        gateway = self._gateway
        with gateway.store.read() as transaction:
            everyone = members.of_community(transaction, gateway.community)
        metered = [member.account for member in everyone if product in member.meters]
        oracle = gateway.contracts.oracle
        number = self._round(product, METER_KIND, slot, oracle.meter_mark(gateway.community, product, slot))
        signed = report_meters(
            self._reporters[product], gateway.rules.quorum, gateway.community, product, slot, metered, number
        )
        # Kept first: what a root on the chain commits to is never lost.
        with gateway.store.begin(durable=True) as transaction:
            reports.keep_leaves(transaction, signed.report, signed.leaves)
        gateway.send([(self._sender, oracle.report_meters(signed.report, signed.signatures))])

    def _round(self, product: int, kind: int, at: int, mark: ReportMark | None) -> int:
        """The round of the next report on a feed and day or a slot: after all that were begun here and the chain's."""
        gateway = self._gateway
        subject = gateway.community, product, kind, at
        with gateway.store.begin(durable=True) as transaction:
            begun = reports.last_round(transaction, *subject)
            number = max(-1 if begun is None else begun, -1 if mark is None else mark.round) + 1
            reports.note_round(transaction, *subject, number)
        return number

    def _base(self, feed: Feed, day: int) -> bytes:
        """The packed prices that the oracle compares those of ``day`` with; none where it has none."""
        gateway = self._gateway
        before = gateway.contracts.oracle.base_day_of(gateway.community, feed, day)
        if before is None:
            return b""
        with gateway.store.read() as transaction:
            prices = days.tariff(transaction, gateway.community, feed, before)
        return b"" if prices is None else prices.packed_prices()
