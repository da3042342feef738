"""Bilateral contracts and price packages in a ``World``, and what the rules say to them."""

from __future__ import annotations

from otaniemi.contracts.chain.forms.bilateral import BilateralContracts
from otaniemi.contracts.chain.forms.packages import PricePackages
from otaniemi.contracts.rules.bilateral import BilateralBook, BilateralTerms, day_window
from otaniemi.contracts.rules.calendar import (
    bills_due,
    tariff_deadline,
)
from otaniemi.contracts.rules.positions import Agreement, Form
from otaniemi.contracts.rules.price_packages import MAX_AHEAD
from otaniemi.contracts.rules.signing import sign

from .forms_blocks import Blocks
from .forms_setting import (
    ADMIN,
    HOMES,
    PACKAGES,
)


class Contracts(Blocks):
    """A ``World`` with contracts and packages."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.bilateral = BilateralContracts(self.chain, self.addresses["BilateralContracts"])
        self.packages = PricePackages(self.chain, self.addresses["PricePackages"])
        self.contracts = BilateralBook(self.ledger)
        self.agreed: list[BilateralTerms] = []
        self.choices: dict[tuple[int, bool], tuple[int, int]] = {}

    def conclude(self, terms: BilateralTerms, honest: bool) -> None:
        """Put terms in force by the signatures of both, or of the seller alone."""
        digest = terms.digest(self.bilateral.domain)
        signers = (terms.seller, terms.buyer if honest else terms.seller)
        error = None
        if not honest:
            error = "NotAuthorised"
        elif terms in self.agreed:
            error = "Spent"
        elif terms.from_day <= self.today:
            error = "InvalidTerms"
        elif terms.fee > min(self.free(terms.seller), self.free(terms.buyer)):
            error = "InsufficientDeposit"
        signatures = [sign(HOMES[signer].secret, digest) for signer in signers]
        self.attempt(ADMIN, self.bilateral.conclude(terms, *signatures), error)
        if not error:
            self.agreed.append(terms)
            self.contracts.conclude(len(self.agreed), terms)

    def deliver_contract(self, number: int, day: int) -> None:
        deal, terms = self.contracts.deals[number], self.agreed[number - 1]
        curtailed = frozenset(slot for _, slot in self.curtailments)
        runs = terms.deliver(self.rules, day, None, curtailed)
        opens, ends = day_window(self.rules, terms, day)
        trades = [
            Agreement(
                terms.buyer, terms.seller, Form.BILATERAL, number, run.price, terms.source, run.slot, run.wh
            )
            for run in runs
        ]
        error = None
        if not terms.from_day <= day <= deal.last_day:
            error = "OutsidePeriod"
        elif day in deal.delivered:
            error = "AlreadyDelivered"
        elif not opens <= self.now < ends:
            error = "OutsideWindow"
        elif not trades:
            error = "NothingToDeliver"
        else:
            (trade,) = trades  # one price makes one position
            error = self.open_fault(trade)
        self.attempt(ADMIN, self.bilateral.deliver(terms, day), error)
        if not error:
            self.contracts.deliver(number, day)
            self.open(trade)

    def terminate(self, number: int, account: int, early: bool) -> None:
        deal, terms, today = self.contracts.deals[number], self.agreed[number - 1], self.today
        last_day = today if early else today + terms.notice_days
        error = None
        if account not in (terms.seller, terms.buyer):
            error = "NotAuthorised"
        elif last_day >= deal.last_day:
            error = "EndsAnyway"
        elif early and not deal.deposits_held:
            error = "UnknownDeal"
        end = self.bilateral.terminate_early if early else self.bilateral.terminate
        self.attempt(HOMES[account], end(number, account), error)
        if error:
            return
        if early:
            self.contracts.end(number, account, last_day)
        else:
            self.contracts.give_notice(number, last_day)

    def close_contract(self, number: int) -> None:
        deal = self.contracts.deals[number]
        error = None
        if not deal.deposits_held:
            error = "UnknownDeal"
        elif self.now < bills_due(self.rules, deal.last_day):
            error = "OutsideWindow"
        self.attempt(ADMIN, self.bilateral.close(number), error)
        if not error:
            self.contracts.close(number)

    def choose(self, account: int, package: int, feed_in: bool, day: int) -> None:
        """Subscribe to a package, switch to it, or leave with ``package`` 0."""
        if package:
            feed_in = PACKAGES[package - 1].feed_in
        current, since = self.choices.get((account, feed_in), (0, 0))
        error = self._choice_fault(current, since, package, day)
        if not package:
            call = self.packages.unsubscribe(account, 0, feed_in, day)
        elif current:
            call = self.packages.switch_to(account, package, day)
        else:
            call = self.packages.subscribe(account, package, day)
        self.attempt(HOMES[account], call, error)
        if error:
            return
        self.choices[account, feed_in] = package, day
        if not package:
            self.package_book.leave(account, current, day)
        elif current:
            self.package_book.switch(account, package, current, day)
        else:
            self.package_book.subscribe(account, package, day)

    def _choice_fault(self, current: int, since: int, package: int, day: int) -> str | None:
        today = self.today
        if since > today:
            return "ChangePending"
        if current == package:
            return "NothingChanges"
        # All packages have a day's notice, as any change has.
        if not today + 1 <= day <= today + MAX_AHEAD:
            return "DayOutOfRange"
        if self.now >= tariff_deadline(self.rules, day):
            return "GateClosed"
        if package:
            terms = PACKAGES[package - 1]
            if not terms.first_day <= day <= terms.last_day:
                return "DayOutOfRange"
            if not self.package_book.places_left(package, day):
                return "SoldOut"
        return None
