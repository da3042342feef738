"""What a home keeps of the orders that it sent: each with its receipt, evidence if it is held back or passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError

from otaniemi.contracts.rules.continuous import Receipt
from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.orders import Market
from otaniemi.contracts.rules.receipts import RelayReceipt
from otaniemi.contracts.rules.signing import Domain, address_bytes, recover
from otaniemi.platform.api.form import U64, Address, Form, Signature, from_hex
from otaniemi.platform.api.forms import OrderForm, ProfileForm
from otaniemi.platform.api.limits.messages import LimitForm, LogView, ReceiptForm
from otaniemi.platform.engine_log import HeldReceipt, Told
from otaniemi.platform.errors import OtaniemiError

FormT = TypeVar("FormT", bound=Form)


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


class KeptLimit(Form):
    """A signed limit order, and the engine's receipt for it."""

    limit: LimitForm
    receipt: ReceiptForm

    @property
    def held(self) -> HeldReceipt:
        """The receipt as the auditor takes it."""
        receipt = self.receipt
        received_at = int(receipt.received_at.timestamp())
        return HeldReceipt(self.limit.limit(), receipt.sequence, received_at, from_hex(receipt.signature))

    def holds(self, domain: Domain) -> bool:
        """Whether the engine that the order names signed the receipt; ``domain`` is that of ``ContinuousMarket``."""
        held = self.held
        digest = held.limit.digest(domain)
        receipt = Receipt(digest, held.sequence, held.received_at)
        try:
            signer = recover(receipt.digest(domain), held.signature)
        except SignatureError:
            return False
        return from_hex(self.receipt.digest) == digest and address_bytes(signer) == address_bytes(
            held.limit.engine
        )


def keep(path: Path, kept: KeptOrder | KeptLimit) -> None:
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
    """The orders for call auctions in a file; one that was sent twice comes once.

    Raises
    ------
    KeptFileError
        The file cannot be read, or a line is no kept order.
    """
    return list(dict.fromkeys(kept for kept in _lines(path) if isinstance(kept, KeptOrder)))


def read_kept_limits(path: Path) -> Sequence[KeptLimit]:
    """The limit orders in a file; see `read_kept`."""
    return list(dict.fromkeys(kept for kept in _lines(path) if isinstance(kept, KeptLimit)))


def _lines(path: Path) -> Iterator[KeptOrder | KeptLimit]:
    for number, line in read_lines(path):
        if '"limit":' in line:
            yield parse(KeptLimit, path, number, line)
        else:
            yield parse(KeptOrder, path, number, line)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that say something, numbered from 1.

    Raises
    ------
    KeptFileError
        It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeptFileError(f"{path} cannot be read: {error}") from error
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def parse(kind: type[FormT], path: Path, number: int, line: str) -> FormT:
    """The form of one line of JSON.

    Raises
    ------
    KeptFileError
        It is none; the message names file, line and field.
    """
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise KeptFileError(f"{path} line {number}: {field}: {first['msg']}") from error


def read_engine_log(path: Path) -> list[Told]:
    """The log of an engine that `otaniemi limit log` saved.

    Raises
    ------
    KeptFileError
        The file cannot be read, or a line is no entry of a log.
    """
    return [told_of(parse(LogView, path, number, line)) for number, line in read_lines(path)]


def told_of(view: LogView) -> Told:
    """An entry as the auditor takes it."""
    limit = None if view.terms is None else view.terms.limit()
    if view.receipt is None:
        return Told(view.entry(), limit, None, b"")
    sent = view.receipt
    receipt = Receipt(from_hex(sent.digest), sent.sequence, int(sent.received_at.timestamp()))
    return Told(view.entry(), limit, receipt, from_hex(sent.signature))
