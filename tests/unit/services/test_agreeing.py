"""Choices of packages and terms of contracts, judged before they are brought to the chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otaniemi.contracts.chain.forms.bilateral import (
    Closed,
    Concluded,
    Defaulted,
    Delivered,
    DeliveredMetered,
    Proposed,
    Revoked,
    Terminated,
)
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.calendar import day_start, tariff_deadline
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.orders import NonceWindow
from otaniemi.contracts.rules.price_packages import Band, PackageBook, PackageChoice, PackageTerms
from otaniemi.contracts.rules.signing import Domain, sign
from otaniemi.platform.services.admission import AccountState, RefusedError
from otaniemi.platform.services.choices import check_choice
from otaniemi.platform.services.contract_states import Stage, contract_states
from otaniemi.platform.services.contract_terms import check_terms
from otaniemi.platform.store.members import Member

from ...support.rules import HOURLY as RULES

OWNER, DEVICE = Key(b"\x07" * 32), Key(b"\x08" * 32)
DOMAIN = Domain(31_337, "0x" + "11" * 20)
DAY = 19_576
MORNING = day_start(RULES, DAY) + 6 * 3_600
HOME = Member(7, 1, OWNER.address, DEVICE.address, {0: b"\x01" * 32}, "Aino")
LIMITED = replace(HOME, limits=DeviceLimits(MORNING + 10**6, 10**6, 0, 10**6))


def book() -> PackageBook:
    """1: import with five days of notice, 2: import for one home, 3: feed-in, 4: withdrawn, 5: of another community."""
    offered = PackageBook(lambda _: 9)
    terms = PackageTerms(1, 0, False, False, (Band(24, 100_000),), 0, 10, DAY, DAY + 300, 0, 5, 0, bytes(32))
    for number, changed in enumerate(
        ({}, {"homes": 1, "notice_days": 1}, {"feed_in": True}, {}, {"community": 2}), 1
    ):
        offered.publish(number, 9, 10**6, replace(terms, **changed))
    offered.withdraw(4)
    offered.subscribe(8, 2, DAY - 1)
    return offered


def judge(
    package: int,
    from_day: int,
    feed_in: bool = False,
    key: Key = OWNER,
    member: Member = HOME,
    now: int = MORNING,
    valid_to: int = MORNING,
    offered: PackageBook | None = None,
) -> None:
    choice = PackageChoice(7, 0, feed_in, package, from_day, valid_to)
    signature = sign(key.secret, choice.digest(DOMAIN))
    check_choice(choice, signature, offered or book(), member, RULES, DOMAIN, now)


def test_a_choice_within_notice_and_window_passes() -> None:
    judge(1, DAY + 5)
    judge(1, DAY + 62)
    judge(3, DAY + 5, feed_in=True, key=DEVICE)
    judge(1, DAY + 5, member=LIMITED)


@pytest.mark.parametrize(
    ("package", "from_day", "changed", "told"),
    [
        (1, DAY + 4, {}, f"from_day is {DAY + 4}; valid is {DAY + 5} .. {DAY + 62}"),
        (1, DAY + 63, {}, f"from_day is {DAY + 63}; valid is"),
        (2, DAY + 5, {}, "package is 2; valid is one with a place left"),
        (3, DAY + 5, {}, "package is 3; valid is one that is offered for import: 1, 2$"),
        (4, DAY + 5, {}, "package is 4; valid is one that is offered"),
        (5, DAY + 5, {}, "package is 5; valid is one that is offered"),
        (99, DAY + 5, {}, "package is 99; valid is one that is offered"),
        (0, DAY + 5, {}, "package is 0; valid is another than the home has"),
        (1, DAY + 5, {"valid_to": MORNING - 1}, f"valid_to is {MORNING - 1}; valid is {MORNING} or later"),
        (
            1,
            DAY + 5,
            {"member": replace(HOME, meters={})},
            "account is 7; valid is one with an approved",
        ),
        (1, DAY + 5, {"key": DEVICE, "member": LIMITED}, "signature is that of a limited device key"),
        (1, DAY + 5, {"key": Key(b"\x09" * 32)}, "signature is that of 0x"),
    ],
)
def test_a_choice_that_the_chain_would_refuse_is_refused_by_field(
    package: int, from_day: int, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(RefusedError, match=told):
        judge(package, from_day, **changed)


def test_the_first_gate_of_a_day_ends_its_choices() -> None:
    offered = book()
    offered.leave(8, 2, DAY)
    gate = tariff_deadline(RULES, DAY + 1)
    judge(2, DAY + 1, offered=offered, now=gate - 1, valid_to=gate)
    with pytest.raises(RefusedError, match=f"valid is {DAY + 2} .. "):
        judge(2, DAY + 1, offered=offered, now=gate, valid_to=gate)


def test_nobody_chooses_again_before_the_last_choice_counts() -> None:
    offered = book()
    offered.subscribe(7, 1, DAY + 1)
    with pytest.raises(RefusedError, match=f"a choice made on day {DAY + 1} or later"):
        judge(0, DAY + 9, offered=offered)


TERMS = BilateralTerms(1, 0, 7, 8, 1, DAY + 1, DAY + 9, False, 90_000, 500, (), 1, 5 * 10**9, MORNING, 3)


def account(number: int, nano: int = 5 * 10**9, **changed: Any) -> AccountState:
    member = replace(HOME, account=number, **changed)
    return AccountState(member, nano, 0, 0, NonceWindow(), 0, 1)


def test_terms_that_both_can_pay_for_pass() -> None:
    check_terms(TERMS, account(7), account(8), (7, 8), RULES, MORNING)


def test_who_has_not_agreed_yet_need_not_have_the_fee() -> None:
    check_terms(TERMS, account(7), account(8, 0), (7,), RULES, MORNING)
    with pytest.raises(RefusedError, match=r"fee is 5000000000; valid is at most 0 nano-token, .* account 8"):
        check_terms(TERMS, account(7), account(8, 0), (7, 8), RULES, MORNING)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"from_day": DAY}, f"from_day is {DAY}; valid is {DAY + 1} or later"),
        ({"valid_to": MORNING - 1}, "valid_to is"),
        ({"community": 2}, "community is 2; valid is 1, the seller's"),
        ({"price": RULES.price_max + 1}, "price is"),
        ({"product": 1}, "product is 1"),
        ({"share_permille": 0, "profile": (1,) * 23}, "slots of the profile is 23"),
    ],
)
def test_terms_that_the_chain_would_not_conclude_are_refused_by_field(
    changed: dict[str, Any], told: str
) -> None:
    with pytest.raises((RefusedError, FieldError), match=told):
        check_terms(replace(TERMS, **changed), account(7), account(8), (), RULES, MORNING)


def test_a_party_without_a_meter_is_refused() -> None:
    with pytest.raises(RefusedError, match="buyer is 8; valid is an account with an approved meter"):
        check_terms(TERMS, account(7), account(8, meters={}), (), RULES, MORNING)


def test_contracts_stand_as_the_chain_said() -> None:
    first, second, third = (bytes([number]) * 32 for number in (1, 2, 3))
    told = [
        Proposed(first, 8, TERMS),
        Revoked(third, 7),
        Concluded(1, 7, 8, first, TERMS),
        Concluded(2, 7, 8, second, TERMS),
        Delivered(1, DAY + 1),
        DeliveredMetered(2, 400_000, 300, 90_000),
        Terminated(1, 7, DAY + 4, False),
        Closed(1),
        Terminated(2, 8, DAY + 2, True),
    ]
    states = contract_states(told)
    one, two = states[first], states[second]
    assert (one.deal, one.proposed_by, one.last_day, one.delivered) == (1, 8, DAY + 4, {DAY + 1})
    assert (one.deposits_held, two.deposits_held, two.last_day) == (False, False, DAY + 2)
    assert two.delivered == {400_000}
    assert one.stage(DAY + 4, 0) is Stage.AGREED
    assert one.stage(DAY + 5, 0) is Stage.ENDED
    assert states[third].stage(DAY, 0) is Stage.REVOKED
    [waiting] = contract_states([Proposed(first, 8, TERMS)]).values()
    assert [waiting.stage(DAY, now) for now in (MORNING, MORNING + 1)] == [Stage.PROPOSED, Stage.EXPIRED]
    failed = contract_states([*told[:4], Defaulted(2, 7, 400_000, DAY + 1)])[second]
    assert (failed.last_day, failed.deposits_held) == (DAY + 1, False)
