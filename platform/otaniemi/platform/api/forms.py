"""What a home sends: signed messages in JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from otaniemi.contracts.rules.orders import Order, ProfileOrder, Step
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.oracles.meters import Reading
from otaniemi.platform.api.form import (
    I32,
    U8,
    U32,
    U64,
    Address,
    Form,
    RawTransaction,
    Signature,
    fields_of,
    to_hex,
)

MOST_STEPS = 2_000
"""Steps of one profile, far more than a day needs; its transaction would exceed a node's limit anyway."""

SOURCES = (
    "0 grid, 1 pv, 2 battery, 3 v2h, 4 chp; in a bid, 64 + k asks for local renewable energy and pays up to "
    "k x 1000 micro-token/kWh more for what is labelled so"
)


class OrderForm(Form):
    """A signed order for one market."""

    kind: Literal["order"]
    account: U32
    community: U32
    product: U8
    slot: U32
    session: U8
    price: Annotated[I32, Field(description="limit [micro-token/kWh]")]
    quantity: Annotated[U32, Field(description="[Wh]")]
    source: Annotated[U8, Field(description=SOURCES)]
    buy: bool
    nonce: U32
    valid_to: Annotated[U64, Field(description="Unix time")]
    signature: Signature

    def order(self) -> Order:
        """The order without its signature."""
        return Order(**self.model_dump(exclude={"kind", "signature"}))

    @classmethod
    def of(cls, order: Order, signature: bytes) -> OrderForm:
        """The form of a signed order."""
        return cls(kind="order", **fields_of(order), signature=to_hex(signature))


class StepForm(Form):
    """One slot of a profile."""

    slot: U32
    price: I32
    quantity: U32
    source: Annotated[U8, Field(description=SOURCES)]
    buy: bool


class ProfileForm(Form):
    """Signed steps over the slots of one trading day, slots never decreasing."""

    kind: Literal["profile"]
    account: U32
    community: U32
    product: U8
    session: U8
    all_or_nothing: bool
    nonce: U32
    valid_to: U64
    steps: Annotated[tuple[StepForm, ...], Field(strict=False, min_length=1, max_length=MOST_STEPS)]
    signature: Signature

    def order(self) -> ProfileOrder:
        """The profile without its signature."""
        steps = tuple(Step(**step.model_dump()) for step in self.steps)
        return ProfileOrder(**self.model_dump(exclude={"kind", "signature", "steps"}), steps=steps)

    @classmethod
    def of(cls, profile: ProfileOrder, signature: bytes) -> ProfileForm:
        """The form of a signed profile."""
        steps = tuple(StepForm(**fields_of(step)) for step in profile.steps)
        return cls(kind="profile", **{**fields_of(profile), "steps": steps}, signature=to_hex(signature))


class NominationForm(Form):
    """A signed schedule of consecutive slots of one trading day; the highest ``seq`` counts.

    ``wh`` is the net energy of each, import positive [Wh].
    """

    account: U32
    community: U32
    product: U8
    slot: U32
    seq: Annotated[U32, Field(ge=1)]
    wh: Annotated[tuple[I32, ...], Field(strict=False, min_length=1, max_length=1_440)]
    signature: Signature

    def nomination(self) -> Nomination:
        """The nomination without its signature."""
        return Nomination(**self.model_dump(exclude={"signature"}))

    @classmethod
    def of(cls, nomination: Nomination, signature: bytes) -> NominationForm:
        """The form of a signed nomination."""
        return cls(**fields_of(nomination), signature=to_hex(signature))


class ReadingForm(Form):
    """A meter reading of one slot, signed by the account's device key (typed data ``Reading``)."""

    product: U8
    slot: U32
    import_wh: U32
    export_wh: U32
    signature: Signature

    def reading(self) -> Reading:
        """The reading without its signature."""
        return Reading(self.import_wh, self.export_wh)


class RegistrationForm(Form):
    """Who wants an account on a devnet."""

    owner: Address
    name: Annotated[str, Field(min_length=1, max_length=80)]


class TransactionForm(Form):
    """A transaction that its sender signed."""

    raw: RawTransaction
