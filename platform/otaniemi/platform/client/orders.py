"""Orders of the calls."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from http import HTTPStatus

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import Product, Source, direct_gate, relay_gate
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.orders import Market, Order, ProfileOrder, Step
from otaniemi.contracts.rules.signing import order_digest, profile_digest, sign
from otaniemi.platform.api.forms import OrderForm, ProfileForm
from otaniemi.platform.api.views import OrderView, TransactionView
from otaniemi.platform.client.accounts import Accounts
from otaniemi.platform.client.errors import RefusedByServerError, WrongProofError
from otaniemi.platform.kept import KeptOrder, keep


class Orders(Accounts):
    """Orders of the calls: relayed with a receipt, or entered directly."""

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

    def _checked(self, order: OrderView) -> OrderView:
        if not order.holds():
            raise WrongProofError(
                f"order {order.nonce} of account {order.account}: its fills do not lead to the roots of its markets"
            )
        return order
