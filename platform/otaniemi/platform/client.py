"""A home's own client of the API: it signs here, sends only what is signed, and checks the proofs that come back.

Keys never leave this process. What the server says about fills and bills is checked up to the roots that it
names; `otaniemi audit` checks the roots against the chain.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.chain.sender import Call, Key, sign_transaction
from otaniemi.contracts.rules.calendar import (
    DAY_SECONDS,
    Product,
    Rules,
    Source,
    direct_gate,
    relay_gate,
    slot_start,
)
from otaniemi.contracts.rules.continuous import SERIES, Limit
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.orders import Market, Order, ProfileOrder, Step
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import (
    Domain,
    address_bytes,
    nomination_digest,
    order_digest,
    profile_digest,
    sign,
)
from otaniemi.oracles.meters import Reading, reading_digest
from otaniemi.platform.api.bill_views import BillView
from otaniemi.platform.api.form import Form, to_hex
from otaniemi.platform.api.forms import (
    NominationForm,
    OrderForm,
    ProfileForm,
    ReadingForm,
    RegistrationForm,
    TransactionForm,
)
from otaniemi.platform.api.limit_forms import (
    BookView,
    CancelForm,
    LimitForm,
    LimitView,
    LogView,
    SnapshotView,
)
from otaniemi.platform.api.views import (
    AccountView,
    CommunityView,
    MarketView,
    NominationView,
    OrderView,
    OwnerView,
    PositionView,
    ProblemView,
    TakenView,
    TariffsView,
    TransactionView,
)
from otaniemi.platform.engine_log import cancel_digest
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.kept import KeptLimit, KeptOrder, keep

TRANSACTION_GAS = 300_000
"""Gas limit of a home's own transactions; none needs more."""

MOST_PARTS = 20
"""Parts in which a limit order trades at most, unless it says otherwise; the last one may be smaller."""

LOG_PAGE = 1_000
"""Entries of the engine's log in one answer."""

TIMEOUT = 30.0
"""How long an answer may take. [s]"""

T = TypeVar("T")


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


class MarketClient:
    """A connection to one market.

    Parameters
    ----------
    url : str
        Where the API is, such as ``http://127.0.0.1:8000``.
    http : httpx.Client, optional
        The connection to use; one is opened when left out.
    receipts : Path, optional
        File to which every order sent is added with the relayer's receipt; nothing is kept when left out.
    """

    def __init__(self, url: str, http: httpx.Client | None = None, receipts: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._receipts = receipts

    def __enter__(self) -> MarketClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # The market

    def community(self) -> CommunityView:
        """Rules, contract addresses and the present."""
        return self._get(CommunityView, "community")

    @cached_property
    def deployment(self) -> Deployment:
        """Where the community lives: chain, contracts, rules."""
        return Deployment.from_json(self.community().deployment)

    @property
    def rules(self) -> Rules:
        """The rules of the community."""
        return self.deployment.rules

    def markets(self, day: int | None = None, product: int = Product.ELECTRICITY) -> list[MarketView]:
        """The markets of a trading day, today's when left out, with gates and results."""
        return self._get(list[MarketView], "markets", day=day, product=product)

    def tariffs(self, day: int | None = None) -> TariffsView:
        """Retail and imbalance prices of a trading day."""
        return self._get(TariffsView, "tariffs", day=day)

    # The account

    def register(self, owner: Key, name: str, device: str | None = None) -> AccountView:
        """On a devnet: open an account with test tokens and a meter.

        Parameters
        ----------
        owner : Key
            Who can withdraw.
        name : str
            How people call the home.
        device : str, optional
            Address of the key that may order, nominate and read the meter, but never withdraw.
        """
        account = self._post(AccountView, "register", RegistrationForm(owner=owner.address, name=name))
        if device is None:
            return account
        self.set_device_key(owner, account.account, device)
        return self.account(account.account)

    def account(self, account: int) -> AccountView:
        """Free money, keys, meter, and the numbers that the next messages may carry."""
        return self._get(AccountView, f"accounts/{account}")

    def accounts_of(self, owner: str) -> tuple[int, ...]:
        """The accounts of an address."""
        return self._get(OwnerView, f"owners/{owner}").accounts

    def positions(
        self, account: int, day: int | None = None, product: int = Product.ELECTRICITY
    ) -> list[PositionView]:
        """Trade and schedule of every slot of a trading day."""
        return self._get(list[PositionView], f"accounts/{account}/positions", day=day, product=product)

    def bill(self, account: int, day: int) -> BillView:
        """The bill of a trading day, once it is proposed.

        Raises
        ------
        WrongProofError
            It does not follow from the root that the server names.
        """
        bill = self._get(BillView, f"accounts/{account}/bills/{day}")
        if (
            bill.account != account
            or bill.day != day
            or not bill.holds(self.rules, self.deployment.community)
        ):
            raise WrongProofError(
                f"the bill of account {account} for day {day} does not lead to root {bill.root.hash}"
            )
        return bill

    # Orders

    def bid(
        self,
        key: Key,
        account: int,
        slot: int,
        session: int,
        buy: bool,
        price: int,
        quantity: int,
        source: int = Source.GRID,
        product: int = Product.ELECTRICITY,
        nonce: int | None = None,
        valid_to: int | None = None,
    ) -> OrderView:
        """Sign an order and send it to be relayed; the relayer's receipt is checked, and kept in the file of receipts.

        Parameters
        ----------
        key : Key
            The device key, or the owner's.
        account, slot, session : int
        buy : bool
            False to sell.
        price : int
            Limit. [micro-token/kWh]
        quantity : int
            Energy. [Wh]
        source : int
            What sold energy comes from; in a bid ``orders.preference`` asks for local renewable energy.
        nonce : int, optional
            The account's next when left out. Sending one twice with the same values is one order.
        valid_to : int, optional
            Unix time after which nobody may relay it; the start of the slot when left out.

        Raises
        ------
        WrongProofError
            The order was taken, but its receipt is missing or not the relayer's.
        """
        numbers = self._numbers(account, slot, nonce, valid_to)
        community = self.deployment.community
        order = Order(account, community, product, slot, session, price, quantity, source, buy, *numbers)
        signature = sign(key.secret, order_digest(self._domain("CallAuction"), order))
        return self._admitted(OrderForm.of(order, signature))

    def bid_profile(
        self,
        key: Key,
        account: int,
        session: int,
        steps: Iterable[Step],
        all_or_nothing: bool = False,
        product: int = Product.ELECTRICITY,
        nonce: int | None = None,
        valid_to: int | None = None,
    ) -> OrderView:
        """Sign many steps over the slots of one trading day at once; parameters and errors as `bid`."""
        ordered = tuple(sorted(steps, key=lambda step: step.slot))
        if not ordered:
            raise FieldError("steps", (), "one step or more")
        numbers = self._numbers(account, ordered[0].slot, nonce, valid_to)
        profile = ProfileOrder(
            account, self.deployment.community, product, session, all_or_nothing, *numbers, ordered
        )
        signature = sign(key.secret, profile_digest(self._domain("CallAuction"), profile))
        return self._admitted(ProfileForm.of(profile, signature))

    def bid_directly(
        self,
        key: Key,
        account: int,
        slot: int,
        session: int,
        buy: bool,
        price: int,
        quantity: int,
        source: int = Source.GRID,
        product: int = Product.ELECTRICITY,
        nonce: int | None = None,
    ) -> TransactionView:
        """Enter an order in a transaction of one's own, up to the direct gate; parameters as `bid`.

        For whoever does not find an order on the chain that was sent in time. ``key`` pays the gas.
        """
        market = Market(self.deployment.community, product, slot, session)
        number = self.account(account).nonce.next if nonce is None else nonce
        values = (market.key, account, price, quantity, int(source), buy, number)
        return self._transact(key, "CallAuction", "placeOrder", *values)

    def enter_missing(self, key: Key, kept: Iterable[KeptOrder]) -> list[TransactionView]:
        """Enter directly what a relayer took and did not bring to the chain, while the direct gate is open.

        Parameters
        ----------
        key : Key
            The device key, or the owner's; it pays the gas.
        kept : iterable of KeptOrder
            From `read_kept`.

        Returns
        -------
        list of TransactionView
            One for each step that was entered. The relayed order can no longer come, as its gate has passed; the first
            step takes over its number, so that an order is entered once however often this is called.
        """
        rules, now = self.rules, int(self.community().now.timestamp())
        entered = []
        for one in kept:
            order = one.order.order()
            if self.state_of(one) == "missing":
                late = [
                    step
                    for step in order.steps
                    if relay_gate(rules, step.slot, order.session)
                    <= now
                    < direct_gate(rules, step.slot, order.session)
                ]
                entered += [
                    self.bid_directly(
                        key, order.account, step.slot, order.session, step.buy, step.price, step.quantity,
                        step.source, order.product, None if place else order.nonce,
                    )
                    for place, step in enumerate(late)
                ]  # fmt: skip
        return entered

    def state_of(self, kept: KeptOrder) -> str:
        """What became of an order, as `OrderView.state`; ``missing`` if it is not on the chain after its relay gate."""
        form = kept.order
        try:
            view = self.order(form.account, form.nonce)
        except RefusedByServerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            view = None
        if view is not None and (view.records or view.state == "skipped"):
            return view.state
        gate = min(relay_gate(self.rules, step.slot, form.session) for step in form.order().steps)
        return "received" if int(self.community().now.timestamp()) < gate else "missing"

    def order(self, account: int, nonce: int) -> OrderView:
        """One order with its fills.

        Raises
        ------
        WrongProofError
            A fill does not follow from the root that the server names.
        """
        return self._checked(self._get(OrderView, f"accounts/{account}/orders/{nonce}"))

    def orders(self, account: int, limit: int = 100) -> list[OrderView]:
        """The latest orders of an account, newest first; raises as `order`."""
        found = self._get(list[OrderView], f"accounts/{account}/orders", limit=limit)
        return [self._checked(order) for order in found]

    # Continuous trading

    def place_limit(
        self,
        key: Key,
        account: int,
        instrument: int,
        buy: bool,
        price: int,
        quantity: int,
        min_fill: int | None = None,
        source: int = Source.GRID,
        product: int = Product.ELECTRICITY,
        nonce: int | None = None,
        valid_to: int | None = None,
    ) -> LimitView:
        """Sign a limit order and send it to the engine; its receipt is checked, and kept in the file of receipts.

        Parameters
        ----------
        key : Key
            The device key, or the owner's.
        account : int
        instrument : int
            A slot, or ``SERIES | number`` of a series.
        buy : bool
            False to sell.
        price : int
            Limit. [micro-token/kWh]
        quantity : int
            Energy of a slot [Wh], lots of a series.
        min_fill : int, optional
            Smallest part that it trades at once, unless less is left; a twentieth of the quantity when left out, so
            that nobody can use up the account's positions of a day with crumbs.
        source : int
            What sold energy comes from; a buy with another than grid takes only that.
        nonce : int, optional
            What `cancel_limits` names; a random one when left out. Sending an order twice with the same is one order.
        valid_to : int, optional
            Last instant at which it trades [Unix s]; as long as its slot when left out, a day for a series.

        Raises
        ------
        WrongProofError
            The order was taken, but the receipt is not the engine's for this order.
        """
        number = secrets.randbits(32) if nonce is None else nonce
        last = self._end_of(instrument) if valid_to is None else valid_to
        community, engine = self.deployment.community, self._engine
        least = quantity // MOST_PARTS if min_fill is None else min_fill
        terms = price, quantity, least, int(source), buy, number, last, engine
        limit = Limit(account, community, product, instrument, *terms)
        domain = self._domain("ContinuousMarket")
        form = LimitForm.of(limit, sign(key.secret, limit.digest(domain)))
        view = self._post(LimitView, "limits", form)
        kept = KeptLimit(limit=form, receipt=view.receipt)
        if not kept.holds(domain):
            raise WrongProofError(
                f"what came back for a limit order of account {account} is no receipt of {engine}"
            )
        if self._receipts is not None:
            keep(self._receipts, kept)
        return view

    def cancel_limits(self, key: Key, account: int, nonce: int) -> list[LimitView]:
        """Have the engine drop an account's limit orders with ``nonce``, at once and without gas."""
        digest = cancel_digest(self._domain("ContinuousMarket"), account, nonce)
        form = CancelForm(account=account, nonce=nonce, signature=to_hex(sign(key.secret, digest)))
        return self._post(list[LimitView], "limits/cancel", form)

    def cancel_limits_on_chain(self, key: Key, account: int, nonce: int) -> TransactionView:
        """End an account's limit orders with ``nonce`` for everybody, in a transaction of one's own."""
        return self._transact(key, "ContinuousMarket", "cancel", account, nonce)

    def limit(self, sequence: int) -> LimitView:
        """One limit order by its number, with its matches."""
        return self._get(LimitView, f"limits/{sequence}")

    def limits(self, account: int, limit: int = 100) -> list[LimitView]:
        """The latest limit orders of an account, newest first."""
        return self._get(list[LimitView], f"accounts/{account}/limits", limit=limit)

    def book(self, instrument: int, product: int = Product.ELECTRICITY, levels: int = 10) -> BookView:
        """The best prices of a book."""
        return self._get(BookView, f"books/{instrument}", product=product, levels=levels)

    def book_history(
        self, instrument: int, product: int = Product.ELECTRICITY, since: int = 0, limit: int = 100
    ) -> list[SnapshotView]:
        """How a book stood at the end of each minute in which it changed, from Unix time ``since`` on."""
        path = f"books/{instrument}/history"
        return self._get(list[SnapshotView], path, product=product, since=since, limit=limit)

    def engine_log(self) -> Iterator[LogView]:
        """The whole log of the engine, entry by entry."""
        first = 1
        while entries := self._get(list[LogView], "engine/log", first=first, limit=LOG_PAGE):
            yield from entries
            first = entries[-1].place + 1

    # Delivery

    def nominate(
        self,
        key: Key,
        account: int,
        slot: int,
        wh: Iterable[int],
        product: int = Product.ELECTRICITY,
        seq: int | None = None,
    ) -> NominationView:
        """Sign a schedule and send it to be relayed.

        Parameters
        ----------
        key : Key
            The device key, or the owner's.
        account, slot : int
            ``slot`` is the first.
        wh : iterable of int
            Net energy of consecutive slots of one trading day, import positive. [Wh]
        seq : int, optional
            The highest counts; one above all earlier ones when left out.
        """
        number = self.account(account).next_seq if seq is None else seq
        nomination = Nomination(account, self.deployment.community, product, slot, number, tuple(wh))
        signature = sign(key.secret, nomination_digest(self._domain("Schedules"), nomination))
        return self._post(NominationView, "nominations", NominationForm.of(nomination, signature))

    def send_reading(
        self,
        key: Key,
        account: int,
        slot: int,
        import_wh: int,
        export_wh: int,
        product: int = Product.ELECTRICITY,
    ) -> bool:
        """Sign the reading of a slot that is over and send it; False when it repeats an earlier one.

        ``key`` is the device key or the owner's; both energies are what the meter counted. [Wh]
        """
        reading = Reading(import_wh, export_wh)
        digest = reading_digest(self._domain("Oracle"), account, product, slot, reading)
        form = ReadingForm(
            product=product,
            slot=slot,
            import_wh=import_wh,
            export_wh=export_wh,
            signature=to_hex(sign(key.secret, digest)),
        )
        return self._post(TakenView, f"meters/{account}/readings", form).new

    # Transactions of the owner

    def set_device_key(self, owner: Key, account: int, device: str) -> TransactionView:
        """Let the key of address ``device`` order and nominate for the account."""
        return self._transact(owner, "Accounts", "setDeviceKey", account, device)

    def revoke_device_key(self, owner: Key, account: int) -> TransactionView:
        """Take the device key away at once."""
        return self._transact(owner, "Accounts", "revokeDeviceKey", account)

    def request_withdrawal(self, owner: Key, account: int, nano: int) -> TransactionView:
        """Ask for money of the free balance; `withdraw` sends it after the delay. [nano-token]"""
        return self._transact(owner, "Accounts", "requestWithdrawal", account, nano)

    def withdraw(self, owner: Key, account: int) -> TransactionView:
        """Have requested money sent to the owner's address, once its delay has passed."""
        return self._transact(owner, "Accounts", "withdraw", account)

    def _transact(self, key: Key, contract: str, function: str, *arguments: Any) -> TransactionView:
        to = address_bytes(self.deployment.addresses[contract])
        call = Call(to, artifact(contract).abi.call(function, *arguments), function, gas=TRANSACTION_GAS)
        nonce = self._get(OwnerView, f"owners/{key.address}").transaction_nonce
        raw = sign_transaction(key, self.deployment.chain_id, nonce, call)
        sent = self._post(TransactionView, "transactions", TransactionForm(raw=to_hex(raw)))
        if not sent.ok:
            raise TransactionFailedError(sent)
        return sent

    def _numbers(self, account: int, slot: int, nonce: int | None, valid_to: int | None) -> tuple[int, int]:
        return (
            self.account(account).nonce.next if nonce is None else nonce,
            slot_start(self.rules, slot) if valid_to is None else valid_to,
        )

    def _admitted(self, form: OrderForm | ProfileForm) -> OrderView:
        """Send an order and keep its receipt."""
        view = self._post(OrderView, "orders", form)
        gate = min(relay_gate(self.rules, step.slot, form.session) for step in form.order().steps)
        if view.receipt is not None and view.received_at is not None:
            received_at = int(view.received_at.timestamp())
            kept = KeptOrder(order=form, relayer=self._relayer, received_at=received_at, receipt=view.receipt)
            if received_at < gate and kept.holds(self._domain("CallAuction")):
                if self._receipts is not None:
                    keep(self._receipts, kept)
                return view
        raise WrongProofError(
            f"order {form.nonce} of account {form.account} was taken without a receipt that relayer "
            f"{self._relayer} signed before its gate; see that it reaches the chain, or enter it directly"
        )

    @cached_property
    def _relayer(self) -> str:
        return self.community().relayer

    @cached_property
    def _engine(self) -> str:
        return self.community().engine

    def _end_of(self, instrument: int) -> int:
        if instrument & SERIES:
            return int(self.community().now.timestamp()) + DAY_SECONDS
        return slot_start(self.rules, instrument)

    def _domain(self, contract: str) -> Domain:
        return Domain(self.deployment.chain_id, self.deployment.addresses[contract])

    def _checked(self, order: OrderView) -> OrderView:
        if not order.holds():
            raise WrongProofError(
                f"order {order.nonce} of account {order.account}: its fills do not lead to the roots of its markets"
            )
        return order

    def _get(self, kind: type[T], path: str, **query: object) -> T:
        asked = {name: str(value) for name, value in query.items() if value is not None}
        return self._answer(kind, "GET", path, params=asked)

    def _post(self, kind: type[T], path: str, form: Form) -> T:
        return self._answer(kind, "POST", path, content=form.model_dump_json())

    def _answer(
        self,
        kind: type[T],
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        content: str | None = None,
    ) -> T:
        headers = {"content-type": "application/json"}
        try:
            response = self._http.request(
                method, f"{self.url}/v1/{path}", params=params, content=content, headers=headers
            )
        except httpx.HTTPError as error:
            raise UnreachableError(f"no market answers at {self.url}: {error}") from error
        try:
            if response.is_success:
                return TypeAdapter(kind).validate_json(response.content)
            problem = ProblemView.model_validate_json(response.content)
        except ValidationError as error:
            raise UnreachableError(
                f"what answers at {self.url} is no market of this version "
                f"({method} /v1/{path}: status {response.status_code})"
            ) from error
        raise RefusedByServerError(problem)
