"""What a home will draw, and what its meter counted."""

from __future__ import annotations

from collections.abc import Iterable

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import Product
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, sign
from otaniemi.oracles.meters import Reading, reading_digest
from otaniemi.platform.api.form import to_hex
from otaniemi.platform.api.forms import NominationForm, ReadingForm
from otaniemi.platform.api.views import NominationView, TakenView
from otaniemi.platform.client.accounts import Accounts


class Delivery(Accounts):
    """Nominations and readings."""

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
