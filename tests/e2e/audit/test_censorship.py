"""A relayer that signed receipts, before the chain that shows what it brought."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import relay_gate
from otaniemi.contracts.rules.orders import Market, Order, ProfileOrder, Step
from otaniemi.contracts.rules.receipts import RelayReceipt
from otaniemi.contracts.rules.signing import order_digest, profile_digest, sign
from otaniemi.platform.api.form import to_hex
from otaniemi.platform.api.forms import OrderForm, ProfileForm
from otaniemi.platform.audit.audit import Evidence
from otaniemi.platform.audit.findings import EvidenceMissingError
from otaniemi.platform.audit.receipts import censorship
from otaniemi.platform.kept import KeptOrder

from .small_day import COMMUNITY, FIRST, FOREVER, HOMES, RULES, A, B, C, SmallDay

RELAYER = Key(b"\x41" * 32)
GATE = relay_gate(RULES, FIRST, 0)


@pytest.fixture(scope="module")
def day() -> SmallDay:
    """Trading over, the gate of the day-ahead call passed."""
    day = SmallDay.start()
    day.chain.set_time(GATE - 500)
    return day


def kept(
    day: SmallDay, order: Order | ProfileOrder, key: Key, received_at: int = GATE - 600, signer: Key = RELAYER
) -> KeptOrder:
    domain = day.auction.domain
    receipt = to_hex(sign(signer.secret, RelayReceipt.of(domain, order, received_at).digest(domain)))
    form: OrderForm | ProfileForm
    if isinstance(order, Order):
        form = OrderForm.of(order, sign(key.secret, order_digest(domain, order)))
    else:
        form = ProfileForm.of(order, sign(key.secret, profile_digest(domain, order)))
    return KeptOrder(order=form, relayer=RELAYER.address, received_at=received_at, receipt=receipt)


def test_only_orders_that_were_held_back_are_found(day: SmallDay) -> None:
    market = Market(COMMUNITY, 0, FIRST, 0)

    def order(account: int, nonce: int, valid_to: int = FOREVER) -> Order:
        return Order(account, *market, 100_000, 10, 0, True, nonce, valid_to)

    steps = (Step(FIRST, 90_000, 10, 0, True), Step(FIRST + 1, 90_000, 10, 0, True))
    profile = ProfileOrder(B, COMMUNITY, 0, 0, False, 0, FOREVER, steps)
    brought, skipped, forged = (order(A, nonce) for nonce in (0, 1, 2))
    late, expired, direct, never, too_late = (order(A, nonce) for nonce in (3, 4, 5, 6, 7))
    expired = replace(expired, valid_to=GATE - 550)
    poor = replace(skipped, quantity=RULES.connection_limit_wh + 1)
    home = HOMES[0]
    receipts = {
        name: kept(day, one, home)
        for name, one in {
            "brought": brought, "poor": poor, "forged": forged, "late": late, "expired": expired,
            "direct": direct, "never": never,
        }.items()
    }  # fmt: skip
    receipts["profile"] = kept(day, profile, HOMES[1])
    receipts["too late"] = kept(day, too_late, home, received_at=GATE)
    wires = [receipts[name].wire for name in ("brought", "poor", "expired")]
    wires.append(forged.wire(sign(RELAYER.secret, order_digest(day.auction.domain, forged))))
    sender, auction = day.sender, day.auction
    sender.send(RELAYER_PAYER, auction.relay_orders(market, b"".join(wires)))
    sender.send(RELAYER_PAYER, auction.relay_profiles(COMMUNITY, 0, 0, receipts["profile"].wire))
    sender.send(home, auction.place_order(market, A, 100_000, 10, 0, True, 5))
    evidence = evidence_of(day)
    assert censorship(evidence, list(receipts.values())) == []  # the gate has not passed
    day.chain.set_time(GATE + 1)
    sender.send(RELAYER_PAYER, auction.relay_orders(market, receipts["late"].wire))
    findings = censorship(evidence_of(day), list(receipts.values()))
    had = f"relayer {RELAYER.address} had it at {GATE - 600} and the gate was at {GATE}"
    assert [(finding.where, finding.why) for finding in findings] == [
        (f"receipt for order 2 of account {A}", f"{had}, but it brought it to no market in time"),
        (f"receipt for order 3 of account {A}", f"{had}, but it brought it to no market in time"),
        (f"receipt for order 4 of account {A}", f"{had}, but it held it back until it had expired"),
        (f"receipt for order 6 of account {A}", f"{had}, but it brought it to no market in time"),
    ]


def test_a_receipt_that_the_relayer_did_not_sign_is_no_evidence(day: SmallDay) -> None:
    order = Order(C, COMMUNITY, 0, FIRST, 0, 100_000, 10, 0, True, 0, FOREVER)
    with pytest.raises(EvidenceMissingError, match=f"order 0 of account {C}: relayer 0x.* did not sign it"):
        censorship(evidence_of(day), [kept(day, order, HOMES[2], signer=HOMES[2])])


RELAYER_PAYER = HOMES[3]
"""Who pays for relaying makes no difference."""


def evidence_of(day: SmallDay) -> Evidence:
    return Evidence(day.chain.blocks(0, day.chain.head().number), day.deployment, Path())
