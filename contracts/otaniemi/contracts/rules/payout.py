"""How final bills move money: the day's locks to the pot, debits, the three parties, credits (protocol section 7)."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.rules.bills import AccountBill, Bills
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import LedgerError
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.references import Reference


@dataclass(frozen=True, slots=True)
class Debit:
    """What an account owes: ``taken`` of its free balance, the rest claimed by retailer and grid operator."""

    account: int
    taken: int
    retail_claim: int
    operator_claim: int


@dataclass(frozen=True, slots=True)
class Payout:
    """Every movement of a day's bills [nano-token]; ``credits`` are (account, amount).

    ``retailer``, ``grid_operator`` and ``platform`` receive; negative: they pay.
    """

    released: int
    debits: tuple[Debit, ...]
    retailer: int
    grid_operator: int
    platform: int
    credits: tuple[tuple[int, int], ...]


def pay_out(ledger: Ledger, module: str, rules: Rules, bills: Bills) -> Payout:
    """Move the money of final ``bills`` in ``ledger`` through the pot of ``module``.

    Raises
    ------
    LedgerError
        A party cannot pay what it owes.
    """
    released = ledger.release_locks(module, bills.community, bills.day)
    debits = [_debit(ledger, module, bill) for bill in bills.accounts if bill.sums.due > 0]
    sums = bills.sums
    retailer = sums.retail - sum(debit.retail_claim for debit in debits)
    # Trades cancel but for the rounding of curtailments, which the operator takes.
    operator = sums.imbalance + sums.grid_fee + sums.trade_money
    grid_operator = operator - sum(debit.operator_claim for debit in debits)
    parties = (
        (rules.retailer, retailer),
        (rules.grid_operator, grid_operator),
        (rules.platform, sums.platform_fee),
    )
    for account, nano in parties:
        if nano < 0 and ledger.debit(module, account, -nano) != -nano:
            raise LedgerError(f"account {account} owes {-nano:,} nano-token and has less; it must deposit")
    for account, nano in parties:
        if nano > 0:
            ledger.credit(module, account, nano)
    credits = [(bill.account, -bill.sums.due) for bill in bills.accounts if bill.sums.due < 0]
    for account, nano in credits:
        ledger.credit(module, account, nano)
    return Payout(released, tuple(debits), retailer, grid_operator, sums.platform_fee, tuple(credits))


def alone_credit(reference: Reference) -> int:
    """What a trade gets for its lock on a day without bills, where all counts as delivered [nano-token]."""
    charges = reference.trade_money + reference.grid_fee + reference.platform_fee
    return reference.lock_release - charges


def _debit(ledger: Ledger, module: str, bill: AccountBill) -> Debit:
    taken = ledger.debit(module, bill.account, bill.sums.due)
    missing = bill.sums.due - taken
    # The retailer bears what its own leg adds to the bill, the operator the rest, members nothing.
    of_retail = min(max(bill.sums.retail, 0), missing)
    return Debit(bill.account, taken, of_retail, missing - of_retail)
