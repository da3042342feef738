"""What a home keeps of the orders that it sent: each with the relayer's receipt, evidence if it is held back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.orders import Market
from otaniemi.contracts.rules.receipts import RelayReceipt
from otaniemi.contracts.rules.signing import Domain, address_bytes, recover
from otaniemi.platform.api.form import U64, Address, Form, Signature, from_hex
from otaniemi.platform.api.forms import OrderForm, ProfileForm
from otaniemi.platform.errors import OtaniemiError


class KeptFileError(OtaniemiError):
    """A file of kept orders cannot be read or written."""


class KeptOrder(Form):
    """A signed order, and the relayer's signature that it had it at ``received_at`` [Unix s]."""

    order: Annotated[OrderForm | ProfileForm, Field(discriminator="kind")]
    relayer: Address
    received_at: U64
    receipt: Signature

    @property
    def wire(self) -> bytes:
        """The order with its signature, as a relay batch carries it."""
        return self.order.order().wire(from_hex(self.order.signature))

    def records(self) -> list[tuple[Market, bytes]]:
        """What the order leaves on the chain, and where."""
        return self.order.order().records()

    def holds(self, domain: Domain) -> bool:
        """Whether the relayer signed the receipt; ``domain`` is that of ``CallAuction``."""
        receipt = RelayReceipt.of(domain, self.order.order(), self.received_at)
        try:
            signer = recover(receipt.digest(domain), from_hex(self.receipt))
        except SignatureError:
            return False
        return address_bytes(signer) == address_bytes(self.relayer)


def keep(path: Path, kept: KeptOrder) -> None:
    """Add an order to a file, one line of JSON each.

    Raises
    ------
    KeptFileError
        The file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(kept.model_dump_json() + "\n")
    except OSError as error:
        raise KeptFileError(f"{path} cannot be written: {error.strerror}") from error


def read_kept(path: Path) -> Sequence[KeptOrder]:
    """The orders of a file; one that was sent twice comes once.

    Raises
    ------
    KeptFileError
        The file cannot be read, or a line is no kept order.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeptFileError(f"{path} cannot be read: {error}") from error
    return list(dict.fromkeys(_orders(path, text)))


def _orders(path: Path, text: str) -> Iterator[KeptOrder]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield KeptOrder.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"]) or "line"
                raise KeptFileError(f"{path} line {number}: {field}: {first['msg']}") from error
