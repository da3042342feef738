"""The one door between the services and the chain: calls go out, what the chain says goes into the store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from otaniemi.contracts.chain.artifacts import artifact, explain
from otaniemi.contracts.chain.blocks import RawBlock, Receipt
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.signing import address_bytes
from otaniemi.platform.clock import Clock
from otaniemi.platform.services.admission import AccountState, NotFoundError
from otaniemi.platform.services.contracts import Contracts
from otaniemi.platform.services.index import index_events
from otaniemi.platform.store import chain_index, form_logs, intake, members
from otaniemi.platform.store.database import Store

KEPT_LOGS = ("PricePackages", "BilateralContracts", "SealedAuction", "DutchAuction", "BlockSeries")
"""Contracts whose logs are kept, as their state is replayed from them."""


class Gateway:
    """One community on one chain.

    Attributes
    ----------
    rules : Rules
    community : int
    product : int
        What the agents of its homes trade; orders, meters, bills, packages and contracts are of any.
    contracts : Contracts
        Typed bindings.
    store : Store
        Index of the chain, and the private rows.
    clock : Clock
        Gives each block its time.
    """

    def __init__(
        self,
        sender: Sender,
        contracts: Contracts,
        rules: Rules,
        community: int,
        product: int,
        store: Store,
        clock: Clock,
    ) -> None:
        self.sender, self.contracts, self.store, self.clock = sender, contracts, store, clock
        self.rules, self.community, self.product = rules, community, product
        self._decoder = EventDecoder(contracts.addresses)
        self._kept = {
            address_bytes(address) for name, address in contracts.addresses.items() if name in KEPT_LOGS
        }

    def send(self, calls: Sequence[tuple[Key, Call]]) -> list[Event]:
        """Mine ``calls`` at the clock's time, index and return their events.

        Raises
        ------
        RevertedError
            The first call that reverted; what the others did is indexed all the same.
        """
        return self._mine(calls)[1] if calls else []

    def send_one(self, key: Key, call: Call) -> tuple[Receipt, list[Event]]:
        """Mine one call; its receipt and events. See ``send``."""
        receipts, found = self._mine([(key, call)])
        return receipts[0], found

    def send_raw(self, transactions: Sequence[bytes]) -> list[Receipt]:
        """Mine transactions that somebody else signed, and index their events."""
        self.catch_up()
        self.set_time()
        receipts = self.sender.chain.mine(transactions)
        self._index(self._blocks_of(receipts), receipts)
        return receipts

    def member(self, transaction: Connection, account: int) -> members.Member:
        """Who holds ``account``.

        Raises
        ------
        NotFoundError
            There is no such account in the community.
        """
        member = members.get(transaction, account)
        if member is None or member.community != self.community:
            raise NotFoundError("account", account)
        return member

    def account(self, transaction: Connection, account: int) -> AccountState:
        """An account's keys, money and the numbers that its next messages may carry.

        Raises
        ------
        NotFoundError
            There is no such account in the community.
        """
        member, contract = self.member(transaction, account), self.contracts.accounts
        free, nonces = contract.words(account)
        pending, taken_from = contract.withdrawal_of(account)
        return AccountState(
            member=member,
            free_nano=free,
            pending_nano=pending,
            pending_from=taken_from,
            nonces=nonces,
            next_nonce=intake.next_nonce(transaction, account, nonces),
            next_seq=intake.next_seq(transaction, account),
        )

    def events_since(self, moment: int) -> list[Event]:
        """Everything that our contracts said from a time on, whoever made them, in order."""
        chain, found = self.sender.chain, list[Event]()
        for number in range(chain.head().number, -1, -1):
            block = chain.block(number)
            if block.timestamp < moment:
                break
            logs = [log for receipt in block.decoded_receipts() for log in receipt.logs]
            found[:0] = self._decoder.decode_all(logs)
        return found

    def events_of(self, transaction: Connection, contract: str, subject: int | None = None) -> list[Event]:
        """Everything that one of `KEPT_LOGS` said, in order; with ``subject``, of that auction, series or deal."""
        logs = form_logs.logs_of(transaction, address_bytes(self.contracts.addresses[contract]), subject)
        return list(self._decoder.decode_all(logs))

    def subjects_of(
        self, transaction: Connection, contract: str, kinds: Collection[str], account: int | None = None
    ) -> list[int]:
        """The numbers of which one of `KEPT_LOGS` said an event of ``kinds``, of ``account`` if given; newest first."""
        hashes = [hashed for hashed, entry in artifact(contract).abi.events.items() if entry.name in kinds]
        address = address_bytes(self.contracts.addresses[contract])
        return form_logs.subjects(transaction, address, hashes, account)

    def counts_of(self, transaction: Connection, contract: str) -> dict[int, Counter[str]]:
        """How often one of `KEPT_LOGS` said which event of each number."""
        address, known = address_bytes(self.contracts.addresses[contract]), artifact(contract).abi.events
        found: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for subject, kind, count in form_logs.counts(transaction, address):
            found[subject][known[kind].name] = count
        return dict(found)

    def catch_up(self) -> None:
        """Index every block that the index does not know yet, and forget those that the chain no longer has."""
        chain = self.sender.chain
        head = chain.head()
        with self.store.read() as transaction:
            last = chain_index.last_block(transaction)
        if last is not None and last.hash != self._hash_of(last.number, head):
            last = self._undo(last, head)
        for number in range(0 if last is None else last.number + 1, head.number + 1):
            block = chain.block(number)
            self._index([block], block.decoded_receipts())

    def _undo(self, last: chain_index.IndexedBlock, head: RawBlock) -> chain_index.IndexedBlock | None:
        """Forget what the chain lost after the last block that it shares with the index; that block."""
        with self.store.begin() as transaction:
            common = min(last.number, head.number)
            while common >= 0 and chain_index.hash_of_block(transaction, common) != self._hash_of(
                common, head
            ):
                common -= 1
            chain_index.forget_from(transaction, common + 1)
            shared = chain_index.last_block(transaction)
        self.sender.forget_nonces()
        return shared

    def _hash_of(self, number: int, head: RawBlock) -> bytes | None:
        """The hash of block ``number``; None beyond the ``head``."""
        if number > head.number:
            return None
        return head.hash if number == head.number else self.sender.chain.block(number).hash

    def set_time(self) -> None:
        """Make the clock's time that of the next block; a second after the head where that is later."""
        chain = self.sender.chain
        chain.set_time(max(self.clock.now, chain.head().timestamp + 1))

    def _mine(self, calls: Sequence[tuple[Key, Call]]) -> tuple[list[Receipt], list[Event]]:
        self.catch_up()
        self.set_time()
        receipts = self.sender.try_all(calls)
        found = self._index(self._blocks_of(receipts), receipts)
        for (_, call), receipt in zip(calls, receipts, strict=True):
            if not receipt.ok:
                raise explain(call.label, receipt.revert_data)
        return receipts, found

    def _blocks_of(self, receipts: Sequence[Receipt]) -> list[RawBlock]:
        return [self.sender.chain.block(number) for number in sorted({receipt.block for receipt in receipts})]

    def _index(self, blocks: Sequence[RawBlock], receipts: Sequence[Receipt]) -> list[Event]:
        events: list[Event] = []
        with self.store.begin() as transaction:
            for block in blocks:
                chain_index.add_block(transaction, chain_index.IndexedBlock(block.number, block.hash))
            for receipt in receipts:
                found = list(self._decoder.decode_all(receipt.logs))
                index_events(transaction, self.rules, found, receipt.block, receipt.transaction)
                kept = [log for log in receipt.logs if log.address in self._kept]
                form_logs.add_logs(transaction, receipt.transaction, kept, receipt.block)
                events += found
        return events
