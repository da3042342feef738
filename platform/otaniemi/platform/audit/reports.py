"""Whether a report had its quorum, its window and its bounds (protocol section 6)."""

from __future__ import annotations

from itertools import pairwise

from otaniemi.contracts.rules.calendar import (
    Rules,
    day_start,
    meter_deadline,
    slot_end,
    tariff_deadline,
)
from otaniemi.contracts.rules.errors import FieldError, SignatureError
from otaniemi.contracts.rules.meters import MeterReport
from otaniemi.contracts.rules.signing import Domain, address_bytes, meter_digest, recover, tariff_digest
from otaniemi.contracts.rules.tariffs import Feed, TariffReport

SIGNATURE_BYTES = 64


def fault_of_tariff(
    rules: Rules, domain: Domain, report: TariffReport, signatures: bytes, now: int
) -> str | None:
    """Why the oracle should not have taken a tariff report at ``now``; None when it should."""
    if report.feed != Feed.IMBALANCE:
        opens, closes = 0, tariff_deadline(rules, report.day)
    else:
        opens = day_start(rules, report.day + 1)
        closes = opens + rules.meter_window
    if not opens <= now < closes:
        return f"a report of feed {report.feed} came at {now}, outside of {opens} to {closes}"
    try:
        report.check(rules)
    except FieldError as error:
        return str(error)
    return _fault_of_quorum(rules, tariff_digest(domain, report), signatures)


def fault_of_meters(
    rules: Rules, domain: Domain, report: MeterReport, signatures: bytes, now: int
) -> str | None:
    """Why the oracle should not have taken a meter report at ``now``; None when it should."""
    opens, closes = slot_end(rules, report.slot), meter_deadline(rules, report.slot)
    if not opens <= now < closes:
        return f"a report of slot {report.slot} came at {now}, outside of {opens} to {closes}"
    return _fault_of_quorum(rules, meter_digest(domain, report), signatures)


def _fault_of_quorum(rules: Rules, digest: bytes, signatures: bytes) -> str | None:
    parts = [signatures[at : at + SIGNATURE_BYTES] for at in range(0, len(signatures), SIGNATURE_BYTES)]
    try:
        signers = [recover(digest, part) for part in parts]
    except SignatureError as error:
        return str(error)
    strangers = [signer for signer in signers if signer not in rules.reporters]
    if strangers:
        return f"{strangers[0]} signed and is no reporter"
    if any(address_bytes(left) >= address_bytes(right) for left, right in pairwise(signers)):
        return "signers do not ascend"
    if len(signers) < rules.quorum:
        return f"{len(signers)} reporters signed; the quorum is {rules.quorum}"
    return None
