"""What the API offers of price packages."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.price_packages import PackageChoice
from otaniemi.platform.api.turn import Turn
from otaniemi.platform.services.packages import HomeSide, PackageService, PackageState


class PackageDesk:
    """The packages of one community.

    Parameters
    ----------
    service : PackageService
    turn : callable
        Gives the engine to oneself, at the present.
    """

    def __init__(self, service: PackageService, turn: Turn) -> None:
        self._service, self._turn = service, turn

    def offered(self, account: int | None) -> Sequence[PackageState]:
        """Every package, as ``account`` or a home without packages can have it."""
        with self._turn():
            return self._service.offered(account)

    def of_home(self, account: int) -> Sequence[HomeSide]:
        """What a home has for its import and its feed-in of every product."""
        with self._turn():
            return self._service.of_home(account)

    def choose(self, choice: PackageChoice, signature: bytes) -> Sequence[HomeSide]:
        """Bring a signed choice to the chain; one that stands there already changes nothing."""
        with self._turn():
            return self._service.choose(choice, signature)

    def tell_name(self, name: str) -> Sequence[PackageState]:
        """Note what packages are called."""
        with self._turn():
            return self._service.tell_name(name)
