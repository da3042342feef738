"""Who is bound by a form of trading agreed to it: keys that sent or signed, by their rights at that moment.

A key binds an account for days when it is the owner's, or the order key and nothing limits it; in a slot a limited
order key may trade within its limits (protocol sections 10 to 14).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms import bilateral, continuous, dutch, packages, sealed
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.price_packages import PackageChoice
from otaniemi.contracts.rules.sealed_auction import commit_digest
from otaniemi.contracts.rules.signing import Domain, recover
from otaniemi.platform.audit.findings import HIDDEN, WALLETS
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step

Permits = Callable[[DeviceLimits], bool]
"""Whether a key with these limits may do it."""

_SENT: Mapping[tuple[str, str], str] = {
    ("BilateralContracts", "propose"): "account",
    ("BilateralContracts", "accept"): "account",
    ("BilateralContracts", "revoke"): "account",
    ("BilateralContracts", "terminate"): "account",
    ("BilateralContracts", "terminateEarly"): "account",
    ("BilateralContracts", "claimDefault"): "claimant",
    ("BilateralContracts", "claimMeteredDefault"): "claimant",
    ("PricePackages", "subscribe"): "account",
    ("PricePackages", "switchTo"): "account",
    ("PricePackages", "unsubscribe"): "account",
    ("SealedAuction", "commit"): "account",
}
"""Functions that bind an account by who sends them, and the argument that names it."""

_SAID_BY: Mapping[type[e.Event], str] = {
    bilateral.Proposed: "BilateralContracts",
    bilateral.Revoked: "BilateralContracts",
    bilateral.Concluded: "BilateralContracts",
    bilateral.DeliveredMetered: "BilateralContracts",
    bilateral.Terminated: "BilateralContracts",
    bilateral.Defaulted: "BilateralContracts",
    continuous.Matched: "ContinuousMarket",
    continuous.Cancelled: "ContinuousMarket",
    dutch.DutchCreated: "DutchAuction",
    dutch.DutchTaken: "DutchAuction",
    packages.PackagePublished: "PricePackages",
    packages.PackageWithdrawn: "PricePackages",
    packages.Subscribed: "PricePackages",
    packages.Switched: "PricePackages",
    packages.Left: "PricePackages",
    sealed.SealedCreated: "SealedAuction",
    sealed.BidCommitted: "SealedAuction",
    sealed.BidRevealed: "SealedAuction",
}
"""Events behind which calldata is looked at, and whose they are."""


class Consents:
    """Judges one transaction after the other, before its events.

    Whether a wallet accepts a signature (EIP-1271) its own code says, and of a call through another contract the chain
    shows no calldata. Both rest on the code of the contracts, which asked; they are counted.
    """

    def __init__(self, state: State, domains: Mapping[str, Domain], counts: Counter[str]) -> None:
        self._state, self._domains, self._counts = state, domains, counts
        self._people: set[str] = set()
        self._proposers: dict[tuple[bytes, int], str] = {}
        self._offered: dict[int, DutchTerms] = {}
        self._retailers: dict[int, int] = {}
        self._judges: Mapping[tuple[str, str], Callable[[Step], Iterable[str]]] = {
            ("BilateralContracts", "conclude"): self._concluded,
            ("BilateralContracts", "accept"): self._accepted,
            ("ContinuousMarket", "matchOrders"): self._matched,
            ("ContinuousMarket", "matchBatch"): self._matched,
            ("ContinuousMarket", "cancel"): self._cancelled,
            ("DutchAuction", "create"): self._offered_lots,
            ("DutchAuction", "take"): self._taken,
            ("DutchAuction", "takeSigned"): self._taken,
            ("DutchAuction", "close"): self._closed,
            ("PricePackages", "publish"): self._package_of_retailer,
            ("PricePackages", "withdraw"): self._package_of_retailer,
            ("PricePackages", "chooseSigned"): self._chosen,
            ("SealedAuction", "create"): self._offered_lots,
            ("SealedAuction", "commitSigned"): self._committed,
        }

    def of(self, step: Step) -> Iterator[str]:
        """Who is bound without having agreed."""
        self._people.add(step.sender)
        called = step.contract, step.function
        if called in _SENT:
            yield from self._sends(step, step.arguments[_SENT[called]])
        if called in self._judges:
            yield from self._judges[called](step)
        for event in step.events:
            if _SAID_BY.get(type(event), step.contract) != step.contract:
                self._counts[HIDDEN] += 1
            self._remember(event, step)

    def _remember(self, event: e.Event, step: Step) -> None:
        match event:
            case bilateral.Proposed() if step.contract == "BilateralContracts":
                self._proposers[event.hash, event.account] = step.sender
            case dutch.DutchCreated():
                self._offered[event.auction] = event.terms
            case packages.PackagePublished():
                self._retailers[event.package] = event.retailer
            case _:
                pass

    def _concluded(self, step: Step) -> Iterator[str]:
        for event in step.events:
            if isinstance(event, bilateral.Concluded):
                for account, argument in (
                    (event.seller, "seller_signature"),
                    (event.buyer, "buyer_signature"),
                ):
                    signature = step.arguments[argument]
                    if signature:
                        yield from self._signs(account, event.hash, signature)
                    else:
                        yield from self._proposed(event.hash, account)

    def _accepted(self, step: Step) -> Iterator[str]:
        for event in step.events:
            if isinstance(event, bilateral.Concluded):
                other = event.buyer if step.arguments["account"] == event.seller else event.seller
                yield from self._proposed(event.hash, other)

    def _proposed(self, terms: bytes, account: int) -> Iterator[str]:
        """Who proposed ``terms`` may still bind ``account``."""
        proposer = self._proposers.get((terms, account))
        if proposer is None:
            # A proposal through another contract is counted where it was made.
            return
        if not self._may(account, proposer):
            yield f"binds account {account} by a proposal of {proposer}, which may not act for it"
            return
        self._counts["consents"] += 1

    def _matched(self, step: Step) -> Iterator[str]:
        arguments, domain = step.arguments, self._domains["ContinuousMarket"]
        batch = step.function == "matchBatch"
        shown: defaultdict[bytes, list[tuple[Limit, bytes]]] = defaultdict(list)
        for order in arguments["limits"] if batch else (arguments["buy"], arguments["sell"]):
            limit = Limit(*order[0])
            shown[limit.digest(domain)].append((limit, order[1]))
        traded = [event for event in step.events if isinstance(event, continuous.Matched)]
        for digest in dict.fromkeys(order for event in traded for order in (event.buy, event.sell)):
            faults = [list(self._agrees(step, limit, digest, how)) for limit, how in shown[digest]]
            if not faults:
                yield f"trades order 0x{digest.hex()}, which it does not show"
            elif all(faults):
                yield faults[0][0]

    def _agrees(self, step: Step, limit: Limit, digest: bytes, signature: bytes) -> Iterator[str]:
        def permits(limits: DeviceLimits) -> bool:
            return limit.series is None and limits.permit_order(limit.price, limit.quantity, step.time)

        if signature:
            return self._signs(limit.account, digest, signature, permits)
        return self._sends(step, limit.account, permits)

    def _cancelled(self, step: Step) -> Iterator[str]:
        return self._sends(step, step.arguments["account"], lambda _: True)

    def _offered_lots(self, step: Step) -> Iterator[str]:
        for event in step.events:
            if isinstance(event, sealed.SealedCreated | dutch.DutchCreated):
                yield from self._sends(step, event.terms.lots.account)

    def _taken(self, step: Step) -> Iterator[str]:
        arguments = step.arguments
        for event in step.events:
            if not isinstance(event, dutch.DutchTaken):
                continue
            terms, said = self._offered[event.auction], (event.auction, event.account, event.lots)
            wh, price = max(terms.lots.wh) * event.lots, event.price

            def permits(limits: DeviceLimits, wh: int = wh, price: int = price) -> bool:
                return limits.permit_order(price, wh, step.time)

            if step.function == "takeSigned":
                take = DutchTake(*arguments["order"])
                digest = take.digest(self._domains["DutchAuction"])
                yield from self._signs(event.account, digest, arguments["signature"], permits)
                asked, worst = (take.auction, take.account, take.lots), take.limit
            else:
                yield from self._sends(step, event.account, permits)
                asked = arguments["auction"], arguments["account"], arguments["lots"]
                worst = arguments["limit"]
            if said != asked or (price > worst if terms.lots.selling else price < worst):
                yield f"takes {said} at {price}; asked for was {asked} at {worst} at worst"

    def _closed(self, step: Step) -> Iterator[str]:
        terms = self._offered[step.arguments["auction"]]
        if step.time <= terms.until:
            yield from self._sends(step, terms.lots.account)

    def _package_of_retailer(self, step: Step) -> Iterator[str]:
        for event in step.events:
            if isinstance(event, packages.PackagePublished):
                yield from self._sends(step, event.retailer)
            elif isinstance(event, packages.PackageWithdrawn):
                yield from self._sends(step, self._retailers[event.package])

    def _chosen(self, step: Step) -> Iterator[str]:
        choice = PackageChoice(*step.arguments["choice"])
        digest = choice.digest(self._domains["PricePackages"])
        yield from self._signs(choice.account, digest, step.arguments["signature"])
        for event in step.events:
            if isinstance(event, packages.Subscribed | packages.Switched | packages.Left):
                package = 0 if isinstance(event, packages.Left) else event.package
                said = event.account, package, event.from_day
                if said != (choice.account, choice.package, choice.from_day):
                    yield f"says {event}; signed was {choice}"

    def _committed(self, step: Step) -> Iterator[str]:
        a = step.arguments
        terms = a["auction"], a["account"], bytes(a["commitment"])
        digest = commit_digest(self._domains["SealedAuction"], *terms, a["valid_to"])
        yield from self._signs(a["account"], digest, a["signature"])
        for event in step.events:
            said = isinstance(event, sealed.BidCommitted) and (event.auction, event.account, event.commitment)
            if said and said != terms:
                yield f"says {event}; signed was another bid"

    def _sends(self, step: Step, account: int, permits: Permits = lambda _: False) -> Iterator[str]:
        """The sender of a transaction may act for ``account``."""
        if self._may(account, step.sender, permits):
            self._counts["consents"] += 1
        else:
            yield f"binds account {account} at the word of {step.sender}, which may not act for it"

    def _signs(
        self, account: int, digest: bytes, signature: bytes, permits: Permits = lambda _: False
    ) -> Iterator[str]:
        """A key that may act for ``account`` signed, or its owner is a wallet, which the contract asked."""
        try:
            signer = recover(digest, signature)
        except SignatureError:
            signer = "nobody"
        if self._may(account, signer, permits):
            self._counts["consents"] += 1
            return
        owner = self._state.accounts[account].owner
        if owner in self._people:
            # Who signs transactions is no contract.
            yield f"binds account {account} by a signature of {signer}, which may not act for it"
        else:
            self._counts[WALLETS] += 1

    def _may(self, account: int, key: str, permits: Permits = lambda _: False) -> bool:
        held = self._state.accounts[account]
        limits = held.limits_for(key)
        return held.may_order(key) and (limits is None or permits(limits))
