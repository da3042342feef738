"""Errors of the oracles; an implausible value is a `FieldError` of the rules."""

from __future__ import annotations


class OracleError(Exception):
    """An observation or a report cannot be used."""


class TariffSourceError(OracleError):
    """A price file or series cannot be read: the message names file, line and column."""


class LateReadingError(OracleError):
    """A reading came after its slot's deadline."""

    def __init__(self, account: int, slot: int, deadline: int) -> None:
        super().__init__(
            f"the reading of account {account} for slot {slot} came after {deadline} (Unix time)"
        )
        self.account, self.slot, self.deadline = account, slot, deadline


class ConflictingReadingError(OracleError):
    """A meter reported two different values for one slot; the first one stands."""

    def __init__(self, account: int, slot: int, first: object, second: object) -> None:
        super().__init__(
            f"account {account} already reported {first} for slot {slot}; {second} differs and is not taken"
        )
        self.account, self.slot = account, slot


class DisagreementError(OracleError):
    """A reporter does not sign, because its own observation differs from the common report."""

    def __init__(self, reporter: str, what: str) -> None:
        super().__init__(f"reporter {reporter} does not sign: {what}")
        self.reporter, self.what = reporter, what


class QuorumError(OracleError):
    """Too few reporters agree with the common report."""

    def __init__(self, subject: str, got: int, need: int, dissent: tuple[str, ...] = ()) -> None:
        reasons = f" ({'; '.join(dissent)})" if dissent else ""
        super().__init__(f"{subject}: {got} of the {need} needed reporters sign{reasons}")
        self.got, self.need, self.dissent = got, need, dissent
