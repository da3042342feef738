"""A home's account: keys, positions, bills, money."""

from __future__ import annotations

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import Product, slot_start
from otaniemi.platform.api.bill_views import BillView
from otaniemi.platform.api.forms import RegistrationForm
from otaniemi.platform.api.views import AccountView, OwnerView, PositionView, TransactionView
from otaniemi.platform.client.connection import Connection
from otaniemi.platform.client.errors import WrongProofError


class Accounts(Connection):
    """What an account is and has, and what its owner alone may do."""

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

    def _numbers(self, account: int, slot: int, nonce: int | None, valid_to: int | None) -> tuple[int, int]:
        return (
            self.account(account).nonce.next if nonce is None else nonce,
            slot_start(self.rules, slot) if valid_to is None else valid_to,
        )
