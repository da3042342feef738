"""Raw logs turned into events, by the address that emitted them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.bindings import rules_of
from otaniemi.contracts.chain.blocks import Log
from otaniemi.contracts.chain.events import (
    Claim,
    Credit,
    Credited,
    Debit,
    Debited,
    Event,
    PaidAlone,
    RulesSet,
)
from otaniemi.contracts.chain.forms import bilateral, blocks, continuous, dutch, packages, sealed
from otaniemi.contracts.rules.orders import Market
from otaniemi.contracts.rules.signing import address_bytes

_RENAMED = {"from": "source"}

_MODULES: Mapping[str, ModuleType] = {
    "BilateralContracts": bilateral,
    "BlockSeries": blocks,
    "ContinuousMarket": continuous,
    "DutchAuction": dutch,
    "PricePackages": packages,
    "SealedAuction": sealed,
}
"""Where the events of a contract are, if not in ``chain.events``."""


class EventDecoder:
    """Decodes the logs of one deployment.

    Parameters
    ----------
    addresses : mapping
        Contract name to address, as in ``Deployment.addresses``.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._contracts = {
            address_bytes(address): (artifact(name).abi, _MODULES.get(name, events))
            for name, address in addresses.items()
        }

    def decode(self, log: Log) -> Event | None:
        """The event of ``log``; None when it is of no contract of ours, or of no kind that is told here.

        Raises
        ------
        ValueError
            A contract of ours emitted something that its ABI does not hold.
        """
        abi, module = self._contracts.get(log.address, (None, events))
        decoded = abi.decode_event(log) if abi else None
        if decoded is None:
            return None
        name, values = decoded
        kind = getattr(module, name, None)
        if kind is None:
            return None
        return _event(kind, values)

    def decode_all(self, logs: Iterable[Log]) -> Iterator[Event]:
        """The events of ``logs`` in order."""
        for log in logs:
            event = self.decode(log)
            if event is not None:
                yield event


def _event(kind: type[Event], values: Mapping[str, Any]) -> Event:
    fields = {_RENAMED.get(name, name): value for name, value in values.items()}
    if "market" in fields:
        fields["market"] = Market.of(fields["market"])
    if kind is RulesSet:
        struct, sessions, reporters = fields["rules"], fields.pop("sessions"), fields.pop("reporters")
        fields["rules"] = rules_of(struct, sessions, reporters)
    if kind is Debited:
        fields["entries"] = tuple(Debit(*numbers) for numbers in _split(fields["entries"], (4, 8)))
        fields["claims"] = tuple(Claim(*numbers) for numbers in _split(fields["claims"], (4, 16, 16)))
    if kind in (Credited, PaidAlone):
        fields["entries"] = tuple(Credit(*numbers) for numbers in _split(fields["entries"], (4, 8)))
    return kind.of(fields)


def _split(packed: bytes, sizes: Sequence[int]) -> Iterator[list[int]]:
    """The unsigned fields of ``sizes`` bytes of each entry of ``packed``."""
    at = 0
    while at < len(packed):
        numbers = []
        for size in sizes:
            numbers.append(int.from_bytes(packed[at : at + size], "big"))
            at += size
        yield numbers
