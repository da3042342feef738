"""Profiles that a market would skip, judged before they are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import first_slot
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.orders import PREMIUM_STEP, NonceWindow, ProfileOrder, Step, preference
from otaniemi.contracts.rules.signing import Domain, profile_digest, sign
from otaniemi.platform.services.admission import AccountState, RefusedError, check_order
from otaniemi.platform.store.members import Member

from ...support.rules import HOURLY, LAST_CALL

KEY, OWNER = Key(b"\x07" * 32), Key(b"\x08" * 32)
DOMAIN = Domain(31_337, "0x" + "11" * 20)
DAY = 19_576  # 2023-08-07
RULES = replace(HOURLY, sessions=(LAST_CALL,))
SLOT = first_slot(RULES, DAY)
NOW = SLOT * 3600 - 7200


def check(
    offsets: list[int],
    limits: DeviceLimits | None = None,
    owner: Key = OWNER,
    source: int = 0,
) -> None:
    steps = tuple(Step(SLOT + offset, 10_000, 100, source, True) for offset in offsets)
    profile = ProfileOrder(7, 1, 0, 0, False, 0, NOW + 10**6, steps)
    member = Member(7, 1, owner.address, KEY.address, {}, "Aino", limits)
    state = AccountState(member, 10**12, 0, 0, NonceWindow(), 0, 1)
    check_order(profile, sign(KEY.secret, profile_digest(DOMAIN, profile)), state, RULES, DOMAIN, NOW)


def test_slots_of_one_day_that_never_decrease_pass() -> None:
    check([0, 0, 5, 23])


@pytest.mark.parametrize("offsets", [[], [1, 0], [0, 24]])
def test_a_malformed_profile_is_refused(offsets: list[int]) -> None:
    with pytest.raises(RefusedError, match="one step or more, slots never decreasing, all in one trading"):
        check(offsets)


def test_an_account_may_order_as_often_as_it_likes_in_a_slot() -> None:
    check([0] * 300)


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (DeviceLimits(NOW, 100, 0, 20_000), "signature"),
        (DeviceLimits(NOW + 1, 99, 0, 20_000), "steps[0].quantity"),
        (DeviceLimits(NOW + 1, 100, 10_001, 20_000), "steps[0].price"),
    ],
)
def test_what_the_owner_did_not_let_the_device_sign_is_refused(limits: DeviceLimits, field: str) -> None:
    with pytest.raises(RefusedError, match="device key") as refusal:
        check([0], limits=limits)
    assert refusal.value.field == field
    check([0], limits=limits, owner=KEY)
    premium = DeviceLimits(NOW + 1, 100, 0, 10_000 + 2 * PREMIUM_STEP)
    check([0], limits=premium, source=preference(2 * PREMIUM_STEP))
    with pytest.raises(RefusedError, match=r"steps\[0\].source is 67, which makes 13000"):
        check([0], limits=premium, source=preference(3 * PREMIUM_STEP))
    check([0], limits=DeviceLimits(NOW + 1, 100, 10_000, 10_000))
