"""Errors that the command line and the API turn into one clear line."""

from __future__ import annotations


class OtaniemiError(Exception):
    """Something the user can mend; the message says what, which and what would be valid."""


class RunDirectoryError(OtaniemiError):
    """A run directory cannot be used: not writable, not empty, or not a complete run."""
