"""Nominated schedules (protocol section 5): what an account says it will draw, import positive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle import root_of

_HEAD_BYTES = 4 + 4 + 4 + 2
_SIGNATURE_BYTES = 64
_LEAF_TAG = b"\x00"


@dataclass(frozen=True, slots=True)
class Nomination:
    """Net energy of consecutive slots from ``slot``, all in one trading day; the highest ``seq`` counts."""

    account: int
    community: int
    product: int
    slot: int
    seq: int
    wh: tuple[int, ...]

    def __post_init__(self) -> None:
        within("account", self.account, 0, 2**32 - 1)
        within("community", self.community, 0, 2**32 - 1)
        within("product", self.product, 0, 2**8 - 1)
        within("slot", self.slot, 0, 2**32 - 1)
        within("seq", self.seq, 0, 2**32 - 1)
        within("number of slots", len(self.wh), 0, 2**16 - 1)
        for value in self.wh:
            within("wh", value, -(2**31), 2**31 - 1)

    def packed_wh(self) -> bytes:
        """``wh`` as bytes, one ``int32`` a slot; the field that is signed."""
        return b"".join([value.to_bytes(4, "big", signed=True) for value in self.wh])

    def entry(self) -> bytes:
        """The nomination as events carry it."""
        return (
            self.account.to_bytes(4, "big")
            + self.slot.to_bytes(4, "big")
            + self.seq.to_bytes(4, "big")
            + len(self.wh).to_bytes(2, "big")
            + self.packed_wh()
        )

    def wire(self, signature: bytes) -> bytes:
        """The nomination with its signature, as ``nominateBatch`` takes it."""
        if len(signature) != _SIGNATURE_BYTES:
            raise FieldError(
                "length of the signature", len(signature), f"{_SIGNATURE_BYTES} bytes (EIP-2098)"
            )
        return self.entry() + signature

    def leaf(self) -> bytes:
        """The nomination's leaf in the tree of its batch."""
        head = self.account.to_bytes(4, "big") + self.slot.to_bytes(4, "big") + self.seq.to_bytes(4, "big")
        return keccak(_LEAF_TAG + head + self.packed_wh())


def decode_entries(community: int, product: int, entries: bytes) -> list[Nomination]:
    """The nominations of a ``NominationsAccepted`` event, in order.

    Raises
    ------
    FieldError
        The bytes end inside an entry.
    """
    return [nomination for nomination, _ in _decode(community, product, entries, 0)]


def decode_nominations(community: int, product: int, wire: bytes) -> list[tuple[Nomination, bytes]]:
    """The nominations and signatures of a ``nominateBatch`` call, in order.

    Raises
    ------
    FieldError
        The bytes end inside an entry.
    """
    return list(_decode(community, product, wire, _SIGNATURE_BYTES))


def batch_root(nominations: Sequence[Nomination]) -> bytes:
    """Root of the tree of one accepted batch without its low 16 bits, which hold the count on the chain."""
    return root_of([nomination.leaf() for nomination in nominations])[:-2] + bytes(2)


class Scheduled(NamedTuple):
    """The nominated energy of one slot and where the nomination stands: ``leaf`` of ``batch`` of the day."""

    wh: int
    seq: int
    batch: int
    leaf: int


def schedules(batches: Iterable[Sequence[Nomination]]) -> dict[tuple[int, int], Scheduled]:
    """What counts for each (account, slot) after the accepted ``batches`` of one product and trading day.

    The entry with the highest ``seq`` counts, the first accepted among equals. Who nominated nothing is not
    listed.
    """
    counting: dict[tuple[int, int], Scheduled] = {}
    for batch, nominations in enumerate(batches):
        for leaf, nomination in enumerate(nominations):
            for offset, wh in enumerate(nomination.wh):
                key = nomination.account, nomination.slot + offset
                if key not in counting or nomination.seq > counting[key].seq:
                    counting[key] = Scheduled(wh, nomination.seq, batch, leaf)
    return counting


def _decode(community: int, product: int, data: bytes, tail: int) -> Iterator[tuple[Nomination, bytes]]:
    at = 0
    while at < len(data):
        count = int.from_bytes(data[at + 12 : at + _HEAD_BYTES], "big")
        wh_at = at + _HEAD_BYTES
        wh_end = wh_at + 4 * count
        if wh_at > len(data) or wh_end + tail > len(data):
            raise FieldError(
                "length of nominations", len(data), f"at least {wh_end + tail} for the entry at byte {at}"
            )
        yield (
            Nomination(
                account=int.from_bytes(data[at : at + 4], "big"),
                community=community,
                product=product,
                slot=int.from_bytes(data[at + 4 : at + 8], "big"),
                seq=int.from_bytes(data[at + 8 : at + 12], "big"),
                wh=tuple(
                    int.from_bytes(data[i : i + 4], "big", signed=True) for i in range(wh_at, wh_end, 4)
                ),
            ),
            data[wh_end : wh_end + tail],
        )
        at = wh_end + tail
