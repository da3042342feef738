"""The routes of price packages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from otaniemi.platform.api.form import from_hex
from otaniemi.platform.api.packages.desk import PackageDesk
from otaniemi.platform.api.packages.messages import ChoiceForm, HomeSideView, NameForm, PackageView
from otaniemi.platform.api.parameters import AccountNumber, router_for

ForAccount = Annotated[
    int | None, Query(ge=1, le=2**32 - 1, description="who asks; a home without packages when left out")
]


def package_routes(desk: PackageDesk) -> APIRouter:
    """What is offered, what homes have, and their choices."""
    router = router_for("price packages")

    @router.get("/packages")
    def packages(account: ForAccount = None) -> list[PackageView]:
        """Every package that was published, with its prices, and from when on it can be had."""
        return [PackageView.of(state) for state in desk.offered(account)]

    @router.post("/packages/names")
    def tell_name(name: NameForm) -> list[PackageView]:
        """Say what packages are called: those that were published with the hash of the name."""
        return [PackageView.of(state) for state in desk.tell_name(name.name)]

    @router.post("/packages/choices", status_code=202)
    def choose(signed: ChoiceForm) -> list[HomeSideView]:
        """Send a signed choice, which is brought to the chain at once; sent twice it is one choice."""
        return [HomeSideView.of(side) for side in desk.choose(signed.choice(), from_hex(signed.signature))]

    @router.get("/accounts/{account}/packages")
    def of_home(account: AccountNumber) -> list[HomeSideView]:
        """What a home has for its import and for its feed-in of every product."""
        return [HomeSideView.of(side) for side in desk.of_home(account)]

    return router
