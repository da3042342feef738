"""The connection to a market: what every kind of request shares."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.chain.sender import Call, Key, sign_transaction
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.signing import Domain, address_bytes
from otaniemi.platform.api.form import Form, to_hex
from otaniemi.platform.api.forms import TransactionForm
from otaniemi.platform.api.views import CommunityView, OwnerView, ProblemView, TransactionView
from otaniemi.platform.client.errors import RefusedByServerError, TransactionFailedError, UnreachableError

TRANSACTION_GAS = 300_000
"""Gas limit of a home's own transactions unless stated."""

TIMEOUT = 30.0
"""How long an answer may take. [s]"""

T = TypeVar("T")


class Connection:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

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

    def _transact(
        self, key: Key, contract: str, function: str, *arguments: Any, gas: int = TRANSACTION_GAS
    ) -> TransactionView:
        to = address_bytes(self.deployment.addresses[contract])
        call = Call(to, artifact(contract).abi.call(function, *arguments), function, gas=gas)
        nonce = self._get(OwnerView, f"owners/{key.address}").transaction_nonce
        raw = sign_transaction(key, self.deployment.chain_id, nonce, call)
        sent = self._post(TransactionView, "transactions", TransactionForm(raw=to_hex(raw)))
        if not sent.ok:
            raise TransactionFailedError(sent)
        return sent

    def _domain(self, contract: str) -> Domain:
        return Domain(self.deployment.chain_id, self.deployment.addresses[contract])

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
