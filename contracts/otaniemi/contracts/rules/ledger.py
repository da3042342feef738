"""All money of a community in the plainest form, to hold the contracts' books against.

Every nano-token is at any time free, locked for a trading day, in a module's pot, under way to its owner, or in
the reserve.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeVar

from otaniemi.contracts.rules.errors import LedgerError

_K = TypeVar("_K", int, str)


@dataclass(slots=True)
class Ledger:
    """Balances [nano-token], changed by one method per event.

    Attributes
    ----------
    free, pending : Counter
        Balance by account, and what is under way to the account's owner.
    locks : Counter
        Open locks by (community, day).
    pots : Counter
        Money that modules hold, by name.
    reserve : int
        Money of nobody, from bonds that were lost.
    """

    free: Counter[int] = field(default_factory=Counter)
    pending: Counter[int] = field(default_factory=Counter)
    locks: Counter[tuple[int, int]] = field(default_factory=Counter)
    pots: Counter[str] = field(default_factory=Counter)
    reserve: int = 0

    @property
    def owed(self) -> int:
        """Everything that the token balance must cover."""
        parts = (self.free, self.pending, self.locks, self.pots)
        return sum(part.total() for part in parts) + self.reserve

    def deposit(self, account: int, nano: int) -> None:
        """Tokens arrived for ``account``."""
        self.free[account] += nano

    def request_withdrawal(self, account: int, nano: int) -> None:
        """Money leaves the free balance, to be sent later."""
        _take(self.free, account, nano, f"account {account} has free")
        self.pending[account] += nano

    def withdraw(self, account: int) -> int:
        """Everything under way to the owner of ``account`` is sent; how much."""
        return self.pending.pop(account, 0)

    def lock(self, account: int, nano: int, community: int, day: int) -> None:
        """Orders of ``account`` lock money until the day's bills."""
        _take(self.free, account, nano, f"account {account} has free")
        self.locks[community, day] += nano

    def release_locks(self, module: str, community: int, day: int) -> int:
        """The day's locks move to the pot of ``module``; how much."""
        nano = self.locks.pop((community, day), 0)
        self.pots[module] += nano
        return nano

    def debit(self, module: str, account: int, nano: int) -> int:
        """Money of ``account`` moves to the pot, at most its free balance; how much."""
        taken = min(nano, self.free[account])
        self.free[account] -= taken
        self.pots[module] += taken
        return taken

    def credit(self, module: str, account: int, nano: int) -> None:
        """Money of the pot moves to ``account``."""
        _take(self.pots, module, nano, f"the pot of {module} has")
        self.free[account] += nano

    def reserve_from_pot(self, module: str, nano: int) -> None:
        """Money of the pot moves to the reserve."""
        _take(self.pots, module, nano, f"the pot of {module} has")
        self.reserve += nano


def _take(balances: Counter[_K], key: _K, nano: int, who: str) -> None:
    if not 0 <= nano <= balances[key]:
        raise LedgerError(f"{who} {balances[key]:,} nano-token; {nano:,} are to be taken")
    balances[key] -= nano
