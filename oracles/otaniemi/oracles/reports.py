"""The common report: what most reporters observed, and the salts that keep a home's load private.

Pure; who signs it is decided in `reporters`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.meters import MeterLeaf, Quality
from otaniemi.contracts.rules.tariffs import TariffReport
from otaniemi.oracles.meters import MeterFeed


def leaf_salt(seed: bytes, product: int, slot: int, account: int) -> bytes:
    """The salt of one account's meter leaf: repeatable with the secret ``seed``, a riddle without."""
    message = product.to_bytes(1, "big") + slot.to_bytes(4, "big") + account.to_bytes(4, "big")
    return hmac.new(seed, message, hashlib.sha256).digest()


def observe_meters(
    feed: MeterFeed, salt_seed: bytes, product: int, slot: int, accounts: Iterable[int]
) -> tuple[MeterLeaf, ...]:
    """The leaves of ``slot`` as one reporter sees them, accounts ascending; a silent meter is estimated.

    Parameters
    ----------
    feed : MeterFeed
        The reporter's own readings.
    salt_seed : bytes
        The secret that the reporters share.
    product, slot : int
    accounts : iterable of int
        Every account with a meter.
    """
    leaves = []
    for account, reading in sorted(feed.observe(slot, accounts).items()):
        salt = leaf_salt(salt_seed, product, slot, account)
        if reading is None:
            leaves.append(MeterLeaf(account, feed.estimate(account, slot), 0, Quality.ESTIMATED, salt))
        else:
            leaves.append(MeterLeaf(account, reading.import_wh, reading.export_wh, Quality.MEASURED, salt))
    return tuple(leaves)


def common_leaves(observations: Sequence[Sequence[MeterLeaf]]) -> tuple[MeterLeaf, ...]:
    """Per account the leaf that most reporters observed, accounts ascending.

    Of leaves seen equally often a measured one stands before an estimated one, a smaller before a larger.
    """
    votes: dict[int, Counter[MeterLeaf]] = {}
    for leaves in observations:
        for leaf in leaves:
            votes.setdefault(leaf.account, Counter())[leaf] += 1
    return tuple(_most_seen(votes[account]) for account in sorted(votes))


def common_tariff(observations: Sequence[TariffReport]) -> TariffReport:
    """The median of the observed prices, slot by slot (of an even number the lower middle one).

    Raises
    ------
    FieldError
        There is no observation, or they are about different feeds, days or slots.
    """
    subjects = {(seen.community, seen.feed, seen.day, len(seen.prices)) for seen in observations}
    if len(subjects) != 1:
        raise FieldError(
            "tariff observations", sorted(subjects), "one or more of one community, feed and day"
        )
    community, feed, day, slots = subjects.pop()
    prices = tuple(
        (
            _median([seen.prices[slot][0] for seen in observations]),
            _median([seen.prices[slot][1] for seen in observations]),
        )
        for slot in range(slots)
    )
    return TariffReport(community, feed, day, prices)


def _most_seen(votes: Mapping[MeterLeaf, int]) -> MeterLeaf:
    return min(votes, key=lambda leaf: (-votes[leaf], leaf.quality, leaf.import_wh, leaf.export_wh))


def _median(values: list[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]
