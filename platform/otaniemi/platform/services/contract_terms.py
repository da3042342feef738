"""What can be known about the terms of a contract before both agreed. The chain has the last word."""

from __future__ import annotations

from collections.abc import Iterable

from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.calendar import Rules, day_at
from otaniemi.platform.services.admission import AccountState, RefusedError


def check_terms(
    terms: BilateralTerms,
    seller: AccountState,
    buyer: AccountState,
    payers: Iterable[int],
    rules: Rules,
    now: int,
) -> None:
    """Refuse terms that ``BilateralContracts`` would not conclude.

    Parameters
    ----------
    payers : iterable of int
        The accounts that have agreed, which must be able to deposit the fee.
    now : int
        Unix time.

    Raises
    ------
    RefusedError
        The first field that is in the way.
    FieldError
        Product, price or profile are not of the community.
    """
    paying, parties = set(payers), (("seller", seller), ("buyer", buyer))
    for side, state in parties:
        if state.member.community != terms.community:
            raise RefusedError("community", terms.community, f"{state.member.community}, the {side}'s")
    terms.check(rules)
    for side, state in parties:
        account = state.member.account
        if terms.product not in state.member.meters:
            raise RefusedError(side, account, "an account with an approved meter")
        if account in paying and terms.fee > state.free_nano:
            valid = f"at most {state.free_nano} nano-token, what is free of account {account}"
            raise RefusedError("fee", terms.fee, valid)
    tomorrow = day_at(rules, now) + 1
    if terms.from_day < tomorrow:
        raise RefusedError("from_day", terms.from_day, f"{tomorrow} or later")
    if terms.valid_to < now:
        raise RefusedError("valid_to", terms.valid_to, f"{now} or later")
