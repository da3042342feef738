"""What can go wrong between a home and its market."""

from __future__ import annotations

from otaniemi.platform.api.views import ProblemView, TransactionView
from otaniemi.platform.errors import OtaniemiError


class UnreachableError(OtaniemiError):
    """No market answers where one was named, or what answers is none."""


class RefusedByServerError(OtaniemiError):
    """The market refused a request.

    Attributes
    ----------
    status : int
        HTTP status.
    field, value, valid : str or None
        Which field is in the way, what it held, and what would be accepted.
    """

    def __init__(self, problem: ProblemView) -> None:
        super().__init__(problem.detail)
        self.status = problem.status
        self.field, self.value, self.valid = problem.field, problem.value, problem.valid


class TransactionFailedError(OtaniemiError):
    """A transaction reached the chain and was undone there."""

    def __init__(self, sent: TransactionView) -> None:
        super().__init__(f"transaction {sent.hash} in block {sent.block} failed: {sent.error}")
        self.sent = sent


class WrongProofError(OtaniemiError):
    """What the server says does not follow from the root that it names: do not believe it."""
