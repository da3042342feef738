from __future__ import annotations

import pytest

from otaniemi.contracts.rules.errors import LedgerError
from otaniemi.contracts.rules.ledger import Ledger


def test_money_moves_and_none_appears() -> None:
    ledger = Ledger()
    ledger.deposit(4, 1_000)
    ledger.lock(4, 300, community=1, day=7)
    ledger.request_withdrawal(4, 200)
    assert ledger.free[4] == 500
    assert ledger.owed == 1_000
    assert ledger.release_locks("Settlement", 1, 7) == 300
    assert ledger.debit("Settlement", 4, 600) == 500  # as far as the funds go
    ledger.credit("Settlement", 5, 700)
    ledger.reserve_from_pot("Settlement", 100)
    assert (ledger.free[4], ledger.free[5], ledger.reserve, ledger.pots["Settlement"]) == (0, 700, 100, 0)
    assert ledger.owed == 1_000
    assert ledger.withdraw(4) == 200
    assert ledger.owed == 800


def test_nobody_spends_what_it_does_not_have() -> None:
    ledger = Ledger()
    ledger.deposit(4, 10)
    with pytest.raises(LedgerError, match="account 4 has free 10 nano-token; 11 are to be taken"):
        ledger.lock(4, 11, community=1, day=7)
    with pytest.raises(LedgerError, match="account 4"):
        ledger.request_withdrawal(4, 11)
    with pytest.raises(LedgerError, match="pot of Settlement"):
        ledger.credit("Settlement", 4, 1)
    with pytest.raises(LedgerError, match="pot of Settlement"):
        ledger.reserve_from_pot("Settlement", 1)
    assert ledger.owed == 10
