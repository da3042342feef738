"""Labels of local renewable energy for bids that prefer it (protocol section 4).

The energy that green offers sold can be labelled once. It goes to the bids that offer the highest premium for it,
by arrival among equals, each for no more than it bought. All pay the same: the premium of the first Wh that got no
label, nothing where all that was wanted is there. Among all ways to label the energy traded, none has a higher sum
of premium times labelled energy.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from otaniemi.contracts.rules.clearing import Clearing, Labels
from otaniemi.contracts.rules.orders import PREFERENCE, PREMIUM_STEP, Book

_CLASSES = 64


def label(book: Book, clearing: Clearing) -> Clearing:
    """``clearing`` with the labels of ``book``."""
    return replace(clearing, labels=labels_of(book, clearing))


def labels_of(book: Book, clearing: Clearing) -> Labels:
    """Labels of a cleared ``book``, exact, in O(n)."""
    prefers = np.flatnonzero(book.prefers)
    steps, bought = book.source[prefers] - PREFERENCE, clearing.fills[prefers]
    green = int(clearing.fills[book.green].sum())
    wanted = np.zeros(_CLASSES, np.int64)
    np.add.at(wanted, steps, bought)
    above = wanted[::-1].cumsum()[::-1] - wanted
    # Falls with the premium, to 0 at the highest.
    at = int(np.argmax(above <= green))

    marginal = np.flatnonzero(steps == at)
    before = bought[marginal].cumsum() - bought[marginal]
    given = np.where(steps > at, bought, 0)
    given[marginal] = np.clip(green - int(above[at]) - before, 0, bought[marginal])
    wh, prefixes = np.zeros(len(book), np.int64), np.zeros(len(book), np.int64)
    wh[prefers] = given
    prefixes[prefers[marginal]] = before
    return Labels(at * PREMIUM_STEP, green, int(above[at]), wh, prefixes)


def is_worth_labelling(book: Book, clearing: Clearing) -> bool:
    """Whether a bid would get a label: one that prefers them and an offer that has them traded."""
    return bool(clearing.fills[book.prefers].any() and clearing.fills[book.green].any())
