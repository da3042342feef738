"""Errors of the rules; each message names the field, its value and what would be valid."""

from __future__ import annotations


class RulesError(ValueError):
    """A value breaks the protocol."""


class FieldError(RulesError):
    """A field lies outside of its range.

    Attributes
    ----------
    field : str
    value : object
    valid : str
        What would be accepted.
    """

    def __init__(self, field: str, value: object, valid: str) -> None:
        super().__init__(f"{field} is {value!r}; valid is {valid}")
        self.field, self.value, self.valid = field, value, valid


class SignatureError(RulesError):
    """A signature is malformed, malleable or recovers to no key."""


class BookError(RulesError):
    """A row of a book file cannot be read; the message names line and column."""


class BillError(RulesError):
    """A day cannot be billed from what was given."""


class BlockError(RulesError):
    """A block deal says what its series, mark and margins do not give."""


class AuctionError(RulesError):
    """An auction says what its terms and bids do not give."""


class LedgerError(RulesError):
    """More money is to be taken than there is."""


def within(field: str, value: int, low: int, high: int) -> int:
    """``value`` itself.

    Raises
    ------
    FieldError
        It is no integer in ``[low, high]``.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise FieldError(field, value, f"an integer in {low:,} .. {high:,}")
    return value
