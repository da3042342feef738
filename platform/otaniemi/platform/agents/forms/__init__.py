"""How homes trade in every form but the calls."""

from __future__ import annotations

from otaniemi.contracts.rules.positions import Form

AHEAD = frozenset({Form.BILATERAL, Form.BLOCK, Form.DUTCH, Form.SEALED})
"""Forms in which homes agree on the day before, ahead of the calls."""
