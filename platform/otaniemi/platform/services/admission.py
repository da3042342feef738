"""What can be known about a signed message before it is relayed, so that a mistake is answered at once.

The chain checks everything again and has the last word.
"""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.rules.calendar import (
    MAX_LEAD_SECONDS,
    Rules,
    day_of_slot,
    nomination_batch_gate,
    relay_gate,
    slot_start,
)
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.orders import (
    NonceWindow,
    Order,
    ProfileOrder,
    Step,
    is_known_source,
    known_sources,
    lock,
    premium_of,
)
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import (
    Domain,
    address_bytes,
    nomination_digest,
    order_digest,
    profile_digest,
    recover,
)
from otaniemi.oracles.meters import Reading, reading_digest
from otaniemi.platform.engine_log import SETTLE_LEAD
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.store.members import Member

MAX_STANDING = 100
"""Limit orders of an account that may stand at once, so that nobody fills the books."""


class NotFoundError(OtaniemiError):
    """There is no such thing."""

    def __init__(self, what: str, which: object) -> None:
        super().__init__(f"there is no {what} {which}")


class RefusedError(OtaniemiError):
    """What was sent is well formed, but cannot be accepted now.

    Attributes
    ----------
    field, value, valid
        Which field is in the way, what it holds, and what would be accepted.
    """

    def __init__(self, field: str, value: object, valid: str) -> None:
        super().__init__(f"{field} is {value}; valid is {valid}")
        self.field, self.value, self.valid = field, value, valid


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account with its money [nano-token] and the numbers that its next messages may carry.

    ``pending_nano`` has been asked for and can be taken from
    ``pending_from`` [Unix s] on; both are 0 without a withdrawal. ``next_nonce`` and ``next_seq`` lie above all that
    is on the chain or on its way there.
    """

    member: Member
    free_nano: int
    pending_nano: int
    pending_from: int
    nonces: NonceWindow
    next_nonce: int
    next_seq: int


@dataclass(frozen=True, slots=True)
class Held:
    """How many limit orders of an account stand or wait, what they may still lock, and what the next one locks.

    [nano-token]
    """

    orders: int
    nano: int
    this_nano: int


def check_order(
    order: Order | ProfileOrder,
    signature: bytes,
    state: AccountState,
    rules: Rules,
    domain: Domain,
    now: int,
) -> None:
    """Refuse an order that its market would skip.

    Parameters
    ----------
    order : Order or ProfileOrder
    signature : bytes
        64 bytes, EIP-2098.
    state : AccountState
        Of the order's account.
    rules : Rules
        Of its community.
    domain : Domain
        Of ``CallAuction``.
    now : int
        Unix time.

    Raises
    ------
    RefusedError
        The first check of the protocol's section 3 that fails; of a profile's steps the first failing one.
    """
    _check_place(order.community, order.product, state.member, rules)
    if order.session >= len(rules.sessions):
        raise RefusedError("session", order.session, f"0 .. {len(rules.sessions) - 1}")
    digest = order_digest(domain, order) if isinstance(order, Order) else profile_digest(domain, order)
    limits = state.member.limits_for(check_signature(digest, signature, state.member))
    if not state.nonces.usable(order.nonce):
        raise RefusedError("nonce", order.nonce, f"an unused one, such as {state.next_nonce}")
    steps = order.steps
    slots = [step.slot for step in steps]
    if not slots or slots != sorted(slots) or day_of_slot(rules, slots[0]) != day_of_slot(rules, slots[-1]):
        raise RefusedError(
            "steps", f"of slots {slots}", "one step or more, slots never decreasing, all in one trading day"
        )
    for place, step in enumerate(steps):
        where = "" if isinstance(order, Order) else f"steps[{place}]."
        if limits is not None:
            _check_limits(step, limits, now, where)
        _check_step(step, order.session, rules, now, where)
    if order.valid_to < now:
        raise RefusedError("valid_to", order.valid_to, f"{now} or later")
    need = sum(lock(rules, step.buy, step.price, step.quantity, step.source) for step in steps)
    if need > state.free_nano:
        raise RefusedError(
            "quantity", f"{need} nano-token to lock", f"at most {state.free_nano}, what is free"
        )


def check_nomination(
    nomination: Nomination, signature: bytes, member: Member, rules: Rules, domain: Domain, now: int
) -> None:
    """Refuse a nomination that ``Schedules`` would skip; parameters as `check_order`.

    Raises
    ------
    RefusedError
        The first field that is in the way.
    """
    _check_place(nomination.community, nomination.product, member, rules)
    digest = nomination_digest(domain, nomination)
    limits = member.limits_for(check_signature(digest, signature, member))
    if limits is not None and not limits.permit_schedule(nomination.wh, now):
        valid = f"within the device key's limits: up to {limits.most_wh} Wh, before {limits.expires_at}"
        raise RefusedError("wh", f"up to {max(map(abs, nomination.wh), default=0)} Wh at {now}", valid)
    if nomination.seq < 1:
        raise RefusedError("seq", nomination.seq, "1 or more")
    if not nomination.wh:
        raise RefusedError("wh", "empty", "one value per slot")
    last = nomination.slot + len(nomination.wh) - 1
    if day_of_slot(rules, nomination.slot) != day_of_slot(rules, last):
        raise RefusedError("wh", f"{len(nomination.wh)} slots", "slots of one trading day")
    limit = rules.connection_limit_wh
    for place, wh in enumerate(nomination.wh):
        if abs(wh) > limit:
            raise RefusedError(f"wh[{place}]", wh, f"-{limit} .. {limit} Wh")
    gate = nomination_batch_gate(rules, nomination.slot)
    if now >= gate:
        raise RefusedError(
            "slot", nomination.slot, f"a slot whose gate is after {now}; this one's was {gate}"
        )
    _check_ahead("slot", nomination.slot, rules, now)


def check_reading(
    account: int, product: int, slot: int, reading: Reading, signature: bytes, member: Member, domain: Domain
) -> None:
    """Refuse a reading that the home did not sign; ``domain`` is that of ``Oracle``.

    Raises
    ------
    RefusedError
        The signature is of another key, or of other values.
    """
    check_signature(reading_digest(domain, account, product, slot, reading), signature, member)


def check_limit(
    limit: Limit,
    signature: bytes,
    digest: bytes,
    state: AccountState,
    held: Held,
    cancelled: bool,
    until: int,
    rules: Rules,
    engine: str,
    now: int,
) -> None:
    """Refuse a limit order that could not trade; its instrument exists.

    Parameters
    ----------
    limit : Limit
    signature : bytes
        64 bytes, EIP-2098, of ``digest``.
    state : AccountState
        Of the order's account.
    held : Held
    cancelled : bool
        Whether the account cancelled the order's nonce.
    until : int
        Last instant at which the order can be matched. [Unix s]
    engine : str
        Address that the order must name.

    Raises
    ------
    RefusedError
        The first field that is in the way.
    """
    _check_place(limit.community, limit.product, state.member, rules)
    if address_bytes(limit.engine) != address_bytes(engine):
        raise RefusedError("engine", limit.engine, f"{engine}, this market's")
    limits = state.member.limits_for(check_signature(digest, signature, state.member))
    if limits is not None:
        if limit.slot is None:
            valid = "one without limits for a series, which binds for days"
            raise RefusedError("signature", "that of a limited device key", valid)
        _check_limits(_step(limit, limit.slot), limits, now, "")
    if not is_known_source(limit.source, buy=False):
        raise RefusedError("source", limit.source, known_sources(buy=False))
    if cancelled:
        raise RefusedError("nonce", limit.nonce, "one that the account has not cancelled")
    if until < now:
        valid = f"one that can be traded {SETTLE_LEAD} s from {now} on; this order could until {until}"
        if limit.valid_to < now + SETTLE_LEAD:
            raise RefusedError("valid_to", limit.valid_to, valid)
        raise RefusedError("instrument", limit.instrument, valid)
    if limit.slot is not None:
        _check_size(_step(limit, limit.slot), rules, now, "")
    if held.orders >= MAX_STANDING:
        raise RefusedError("account", limit.account, f"one with fewer than {MAX_STANDING} standing orders")
    need = held.nano + held.this_nano
    if need > state.free_nano:
        valid = f"at most {state.free_nano}, what is free"
        raise RefusedError("quantity", f"{need} nano-token to lock with the orders that stand", valid)


def check_binding(digest: bytes, signature: bytes, member: Member) -> None:
    """Refuse what no key signed that may bind the account for days: its owner's, or a device's without limits.

    Raises
    ------
    RefusedError
        Another key signed ``digest``, or the device key has limits.
    """
    if member.limits_for(check_signature(digest, signature, member)) is not None:
        raise RefusedError("signature", "that of a limited device key", f"that of the owner {member.owner}")


def check_signature(digest: bytes, signature: bytes, member: Member) -> str:
    """Who signed ``digest`` for an account.

    Raises
    ------
    RefusedError
        Neither its owner nor its device key.
    """
    valid = f"signed by the device key {member.device} or the owner {member.owner}"
    try:
        signer = recover(digest, signature)
    except SignatureError as error:
        raise RefusedError("signature", str(error), valid) from error
    if signer not in (member.owner, member.device):
        raise RefusedError("signature", f"that of {signer}", valid)
    return signer


def _check_place(community: int, product: int, member: Member, rules: Rules) -> None:
    if community != member.community:
        raise RefusedError("community", community, f"{member.community}, the account's")
    if product not in rules.traded:
        raise RefusedError("product", product, ", ".join(str(int(known)) for known in rules.traded))


def _check_limits(step: Step, limits: DeviceLimits, now: int, where: str) -> None:
    """Refuse what the owner did not let the device key sign."""
    if now >= limits.expires_at:
        raise RefusedError(
            "signature", f"of a device key at {now}", f"before it expired at {limits.expires_at}"
        )
    if step.quantity > limits.most_wh:
        raise RefusedError(
            f"{where}quantity", step.quantity, f"up to {limits.most_wh} Wh with the device key"
        )
    if not limits.price_min <= step.price <= limits.price_max:
        valid = f"{limits.price_min} .. {limits.price_max} with the device key"
        raise RefusedError(f"{where}price", step.price, valid)
    most = step.price + premium_of(step.source, step.buy)
    if most > limits.price_max:
        valid = f"price and premium of up to {limits.price_max} with the device key"
        raise RefusedError(f"{where}source", f"{step.source}, which makes {most}", valid)


def _check_step(step: Step, session: int, rules: Rules, now: int, where: str) -> None:
    if not is_known_source(step.source, step.buy):
        raise RefusedError(f"{where}source", step.source, known_sources(step.buy))
    gate = relay_gate(rules, step.slot, session)
    if now >= gate:
        raise RefusedError(
            f"{where}slot", step.slot, f"a slot whose gate is after {now}; this one's was {gate}"
        )
    _check_size(step, rules, now, where)


def _check_ahead(field: str, slot: int, rules: Rules, now: int) -> None:
    if slot_start(rules, slot) > now + MAX_LEAD_SECONDS:
        latest = (now + MAX_LEAD_SECONDS) // rules.slot_seconds
        raise RefusedError(field, slot, f"at most {latest}, 8 days ahead")


def _step(limit: Limit, slot: int) -> Step:
    """A limit as the only step of a profile."""
    return Step(slot, limit.price, limit.quantity, limit.source, limit.buy)


def _check_size(step: Step, rules: Rules, now: int, where: str) -> None:
    _check_ahead(f"{where}slot", step.slot, rules, now)
    if not rules.price_min <= step.price <= rules.price_max:
        raise RefusedError(f"{where}price", step.price, f"{rules.price_min} .. {rules.price_max}")
    if not 1 <= step.quantity <= rules.connection_limit_wh:
        raise RefusedError(f"{where}quantity", step.quantity, f"1 .. {rules.connection_limit_wh} Wh")
