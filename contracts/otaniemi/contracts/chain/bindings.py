"""The contracts as typed methods: transactions come back as ``Call``, views as values.

Other forms of trading are in ``forms``, settlement and court in ``billing``.

Money is nano-token unless a name says otherwise; addresses are checksummed text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.calendar import Rules, Session
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.meters import MeterReport
from otaniemi.contracts.rules.orders import PRICE_BIAS, Market, NonceWindow, Order
from otaniemi.contracts.rules.reports import ReportMark, ReportStatus
from otaniemi.contracts.rules.resume import Progress
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import TariffReport


class TestEuro(Contract):
    """The devnet's token, 6 decimals; anyone mints. Amounts are micro-token."""

    name = "TestEuro"

    def mint(self, to: str, micro: int) -> Call:
        """Create tokens for ``to``."""
        return self._call("fund", "mint", to, micro)

    def approve(self, spender: str, micro: int) -> Call:
        """Let ``spender`` take tokens of the caller."""
        return self._call("fund", "approve", spender, micro)

    def balance_of(self, holder: str) -> int:
        """Tokens of ``holder``. [micro-token]"""
        return int(self._view("balanceOf", holder))


class AccessManager(Contract):
    """Roles, by OpenZeppelin."""

    name = "AccessManager"

    def label_role(self, role: int, label: str) -> Call:
        """Name a role."""
        return self._call("deploy", "labelRole", role, label)

    def grant_role(self, role: int, to: str, delay: int = 0) -> Call:
        """Give ``role`` to an address, its calls delayed by ``delay``. [s]"""
        return self._call("deploy", "grantRole", role, to, delay)

    def set_target_function_role(self, target: Contract, functions: Iterable[str], role: int) -> Call:
        """Let ``role`` call ``functions`` of ``target``."""
        selectors = [target.abi.functions[function].selector for function in functions]
        return self._call("deploy", "setTargetFunctionRole", target.address, selectors, role)


class Accounts(Contract):
    """Keys, meters, nonces and all money."""

    name = "Accounts"

    def register(self, owner: str, community: int) -> Call:
        """Open an account; numbers start at 1. REGISTRAR only."""
        return self._call("register", "register", owner, community)

    def approve_meter(self, account: int, product: int, meter: bytes) -> Call:
        """Bind a meter (32 bytes) to an account and product. REGISTRAR only."""
        return self._call("register", "approveMeter", account, product, meter)

    def grant_module(self, module: str, role: int) -> Call:
        """Make a contract a module: 1 market, 2 settlement, 0 none; at once before the first account. ADMIN only."""
        return self._call("deploy", "grantModule", module, role)

    def set_device_key(self, account: int, key: str) -> Call:
        """Let ``key`` order and nominate for the account. Owner only."""
        return self._call("register", "setDeviceKey", account, key)

    def set_limited_device_key(self, account: int, key: str, limits: DeviceLimits) -> Call:
        """Let ``key`` order and nominate for the account within ``limits``. Owner only."""
        values = limits.expires_at, limits.most_wh, limits.price_min, limits.price_max
        return self._call("register", "setLimitedDeviceKey", account, key, *values)

    def propose_owner(self, account: int, owner: str) -> Call:
        """Name the next owner, who may accept after the delay; the zero address takes that back. Owner only."""
        return self._call("register", "proposeOwner", account, owner)

    def accept_owner(self, account: int) -> Call:
        """Become the owner. Named successor only."""
        return self._call("register", "acceptOwner", account)

    def revoke_device_key(self, account: int) -> Call:
        """Take the device key away at once. Owner only."""
        return self._call("register", "revokeDeviceKey", account)

    def deposit(self, account: int, micro: int) -> Call:
        """Move approved tokens to an account. [micro-token]"""
        return self._call("deposit", "deposit", account, micro)

    def request_withdrawal(self, account: int, nano: int) -> Call:
        """Take money out of the free balance, to be sent after the delay. Owner only."""
        return self._call("withdraw", "requestWithdrawal", account, nano)

    def withdraw(self, account: int) -> Call:
        """Send requested money to the owner. Owner only."""
        return self._call("withdraw", "withdraw", account)

    def account_count(self) -> int:
        """Number of accounts, which is the highest."""
        return int(self._view("accountCount"))

    def owner_of(self, account: int) -> str:
        """Owner of an account, the zero address where there is none."""
        return str(self._view("ownerOf", account))

    def community_of(self, account: int) -> int:
        """Community of an account, 0 where there is none."""
        return int(self._view("communityOf", account))

    def may_order(self, account: int, key: str) -> bool:
        """Whether ``key`` is the owner's or the device key of the account."""
        return bool(self._view("mayOrder", account, key))

    def limits_for(self, account: int, key: str) -> DeviceLimits | None:
        """What limits ``key`` of the account; None where nothing does."""
        word = int(self._view("limitsFor", account, key))
        if word == 0:
            return None
        low, high = (word >> 32 & 0xFFFFFFFF) - PRICE_BIAS, (word & 0xFFFFFFFF) - PRICE_BIAS
        return DeviceLimits(word >> 96, word >> 64 & 0xFFFFFFFF, low, high)

    def free_of(self, account: int) -> int:
        """Free balance of an account."""
        return int(self._view("freeOf", account))

    def words(self, account: int) -> tuple[int, NonceWindow]:
        """Free balance and used nonces of an account."""
        _, hot = self._view("words", account)
        return hot >> 192, NonceWindow(hot >> 160 & 0xFFFFFFFF, hot & (1 << 128) - 1)

    def withdrawal_of(self, account: int) -> tuple[int, int]:
        """Money under way to the owner, and when it can be taken. [nano-token, Unix s]"""
        nano, taken_from = self._view("withdrawalOf", account)
        return int(nano), int(taken_from)

    def lock_total(self, community: int, day: int) -> int:
        """Open locks of a trading day."""
        return int(self._view("lockTotal", community, day))

    def pot_of(self, module: str) -> int:
        """Money in the pot of a module."""
        return int(self._view("moduleOf", module)[1])

    def reserve(self) -> int:
        """Money of nobody, from bonds that were lost."""
        return int(self._view("reserve"))

    def owed(self) -> int:
        """Everything owed; the token balance x 1000 covers it."""
        return int(self._view("owed"))

    def withdrawal_delay(self) -> int:
        """Time between request and withdrawal. [s]"""
        return int(self._view("withdrawalDelay"))


class Communities(Contract):
    """The rules of every community."""

    name = "Communities"

    def create(self, rules: Rules) -> Call:
        """Create a community; numbers start at 1. ADMIN only."""
        return self._call("deploy", "create", *rules_arguments(rules))

    def change(self, community: int, from_day: int, rules: Rules) -> Call:
        """Change the rules from a trading day on, at least 10 days ahead. ADMIN only."""
        return self._call("deploy", "change", community, from_day, *rules_arguments(rules))

    def close_day(self, community: int, day: int) -> Call:
        """Keep markets of a day that have no orders yet from taking any. GUARDIAN only."""
        return self._call("guard", "closeDay", community, day)

    def reopen_day(self, community: int, day: int) -> Call:
        """End ``close_day``. ADMIN only."""
        return self._call("guard", "reopenDay", community, day)

    def community_count(self) -> int:
        """Number of communities, which is the highest."""
        return int(self._view("communityCount"))

    def rules_at(self, community: int, day: int) -> Rules:
        """Rules of a community on a trading day."""
        struct = self._view("rulesAt", community, day)
        sessions = self._view("sessionsAt", community, day)
        return rules_of(struct, sessions, self._view("reportersAt", community, day))


class Positions(Contract):
    """What accounts agreed on in other forms, and curtailments."""

    name = "Positions"

    def curtail(self, community: int, product: int, slot: int, permille: int, reason: str) -> Call:
        """Let only ``permille`` of what was traded in a slot count, before it begins. REGULATOR only."""
        return self._call("guard", "curtail", community, product, slot, permille, reason)

    def remaining(self, community: int, product: int, slot: int) -> int:
        """What counts of the trades of a slot, 1000 where it is not curtailed. [permille]"""
        return int(self._view("remaining", community, product, slot))

    def chain_of(self, community: int, product: int, account: int, day: int) -> int:
        """Chain of an account's positions of a trading day, as ``rules.positions.chain_of`` gives it."""
        return int(self._view("chainOf", community, product, account, day))

    def curtailed_slots(self, community: int, day: int) -> int:
        """Number of curtailed slots of a trading day, over all products."""
        return int(self._view("curtailedSlots", community, day))


class CallAuction(Contract):
    """Markets: orders in, verified clearing out."""

    name = "CallAuction"

    def place_order(
        self, market: Market, account: int, price: int, quantity: int, source: int, buy: bool, nonce: int
    ) -> Call:
        """Place an order in the caller's own transaction. [micro-token/kWh, Wh]"""
        arguments = (market.key, account, price, quantity, source, buy, nonce)
        return self._call("order", "placeOrder", *arguments)

    def place_order_of_wallet(self, order: Order, signature: bytes) -> Call:
        """Place an order that the owner, a contract wallet, accepts as its own (EIP-1271). [micro-token/kWh, Wh]"""
        o = order
        arguments = (o.market.key, o.account, o.price, o.quantity, o.source, o.buy, o.nonce, o.valid_to)
        return self._call("order", "placeOrderOfWallet", *arguments, signature)

    def relay_orders(self, market: Market, wire: bytes) -> Call:
        """Append signed orders of one market, as ``Order.wire`` packs them; those that fail are skipped."""
        return self._call("relay", "relayOrders", market.key, wire)

    def relay_profiles(self, community: int, product: int, session: int, wire: bytes) -> Call:
        """Append signed profiles, as ``ProfileOrder.wire`` packs them; what fails is skipped."""
        return self._call("relay", "relayProfiles", community, product, session, wire)

    def clear(self, market: Market, lo: int, hi: int, records: bytes, batches: Sequence[int]) -> Call:
        """Clear a market by its lowest and highest clearing price; ``batches`` are numbers of records."""
        return self._call("clear", "clear", market.key, lo, hi, records, list(batches))

    def advance(
        self, market: Market, lo: int, hi: int, progress: Progress, records: bytes, batches: Sequence[int]
    ) -> Call:
        """Take the next whole batches of a large market into a clearing that has come to ``progress``."""
        return self._call("clear", "advance", market.key, lo, hi, progress, records, list(batches))

    def clear_from(
        self, market: Market, lo: int, hi: int, progress: Progress, records: bytes, batches: Sequence[int]
    ) -> Call:
        """Clear a market with its last batches, from where ``advance`` has come."""
        return self._call("clear", "clearFrom", market.key, lo, hi, progress, records, list(batches))

    def void_slot(self, market: Market, progress: Progress, records: bytes, batches: Sequence[int]) -> Call:
        """Declare a market void that nobody cleared before its slot began."""
        return self._call("clear", "voidSlot", market.key, progress, records, list(batches))

    def label(
        self, market: Market, premium: int, progress: Progress, records: bytes, batches: Sequence[int]
    ) -> Call:
        """Give out the labels of a cleared market at their price [micro-token/kWh], after ``advance_labels``."""
        return self._call("label", "label", market.key, premium, progress, records, list(batches))

    def advance_labels(
        self, market: Market, premium: int, progress: Progress, records: bytes, batches: Sequence[int]
    ) -> Call:
        """Take the next whole batches of a large cleared market into its labels."""
        return self._call("label", "advanceLabels", market.key, premium, progress, records, list(batches))

    def close_curtailed(self, market: Market) -> Call:
        """Close a market with orders whose slot was curtailed."""
        return self._call("guard", "closeCurtailed", market.key)

    def status_of(self, market: Market) -> tuple[int, bool]:
        """Number of records of a market, and whether it was cleared or void."""
        count, cleared = self._view("statusOf", market.key)
        return int(count), bool(cleared)

    def head_of(self, market: Market) -> bytes:
        """Head of a market's hash chain, zero while it has no orders."""
        return bytes(self._view("marketOf", market.key)[0])

    def open_markets(self, community: int, day: int) -> int:
        """Markets of a trading day that have orders and were not cleared."""
        return int(self._view("openMarkets", community, day))


class Schedules(Contract):
    """Nominated schedules, one root per accepted batch."""

    name = "Schedules"

    def nominate_batch(self, community: int, product: int, day: int, wire: bytes) -> Call:
        """Accept signed nominations of a trading day, as ``Nomination.wire`` packs them."""
        return self._call("nominate", "nominateBatch", community, product, day, wire)

    def nominate(self, nomination: Nomination) -> Call:
        """Nominate in the caller's own transaction. Owner or device key only."""
        n = nomination
        arguments = (n.community, n.product, n.account, n.slot, n.seq, n.packed_wh())
        return self._call("nominate", "nominate", *arguments)

    def batch_count(self, community: int, product: int, day: int) -> int:
        """Number of accepted batches of a trading day."""
        return int(self._view("batchCount", community, product, day))

    def batch_of(self, community: int, product: int, day: int, batch: int) -> tuple[bytes, int]:
        """Root of a batch, as ``batch_root`` gives it, and number of its leaves."""
        root, count = self._view("batchOf", community, product, day, batch)
        return bytes(root), int(count)


class Oracle(Contract):
    """Tariffs and meter roots, signed by a quorum, and what of them counts."""

    name = "Oracle"

    def report_tariff(self, report: TariffReport, signatures: bytes, base: bytes = b"") -> Call:
        """Report the prices of a day; 64-byte ``signatures`` joined, signers ascending.

        ``base`` are the packed prices of ``base_day_of`` the report, none where there is no such day.
        """
        r = report
        arguments = (r.community, r.feed, r.day, r.round, r.packed_prices(), base, signatures)
        return self._call("report", "reportTariff", *arguments)

    def report_meters(self, report: MeterReport, signatures: bytes) -> Call:
        """Report the meter tree of a slot; 64-byte ``signatures`` joined, signers ascending."""
        r, value = report, _meter_value(report)
        return self._call(
            "report", "reportMeters", r.community, r.product, r.slot, r.round, value, signatures
        )

    def decide_quarantine(self, community: int, feed: int, day: int, counting: bool) -> Call:
        """Let prices in quarantine count, or discard them. ARBITER only."""
        return self._call("arbitrate", "decideQuarantine", community, feed, day, counting)

    def challenge_tariff(self, community: int, feed: int, day: int, challenger: int) -> Call:
        """Challenge the prices of a day; the bond comes from account ``challenger``. Owner of it only."""
        return self._call("challenge", "challengeTariff", community, feed, day, challenger)

    def challenge_meters(self, community: int, product: int, slot: int, challenger: int) -> Call:
        """Challenge the meters of a slot; the bond comes from account ``challenger``. Owner of it only."""
        return self._call("challenge", "challengeMeters", community, product, slot, challenger)

    def decide(self, number: int, upheld: bool) -> Call:
        """Decide challenge ``number`` before its deadline. ARBITER only."""
        return self._call("arbitrate", "decide", number, upheld)

    def lapse(self, number: int) -> Call:
        """End challenge ``number``, which was not decided in time: the report stands, the bond returns."""
        return self._call("arbitrate", "lapse", number)

    def deposit_bond(self, account: int, nano: int, signature: bytes) -> Call:
        """Put money behind the reporter who signed ``reporter_bond_digest``. Owner of the account only."""
        return self._call("bond", "depositBond", account, nano, signature)

    def release_bond(self, reporter: str) -> Call:
        """Ask for a reporter's bond back. Owner of its account only."""
        return self._call("bond", "releaseBond", reporter)

    def take_bond(self, reporter: str) -> Call:
        """Return a reporter's bond to its account once the delay has passed."""
        return self._call("bond", "takeBond", reporter)

    def slash_for_tariffs(
        self, first: TariffReport, second: TariffReport, signatures: bytes, informer: int
    ) -> Call:
        """Show that one reporter signed both reports on a feed, day and round; half its bond to ``informer``."""
        subject = (first.community, first.feed, first.day, first.round)
        shown = (first.hash(), second.hash(), signatures, informer)
        return self._call("challenge", "slashForTariffs", *subject, *shown)

    def slash_for_meters(
        self, first: MeterReport, second: MeterReport, signatures: bytes, informer: int
    ) -> Call:
        """Show that one reporter signed both reports on a slot and round; half its bond to ``informer``."""
        subject = (first.community, first.product, first.slot, first.round)
        shown = (_meter_value(first), _meter_value(second), signatures, informer)
        return self._call("challenge", "slashForMeters", *subject, *shown)

    def tariff_hash(self, community: int, feed: int, day: int) -> bytes:
        """Keccak of the packed prices of a day, zero while none count."""
        return bytes(self._view("tariffHash", community, feed, day))

    def tariff_mark(self, community: int, feed: int, day: int) -> ReportMark | None:
        """What the last report of a day's prices is worth, None while there is none."""
        value, mark = self._view("tariffReport", community, feed, day)
        return _mark(mark) if any(value) else None

    def base_day_of(self, community: int, feed: int, day: int) -> int | None:
        """The day whose prices a report of ``day`` is compared with, None without one."""
        return int(self._view("baseDayOf", community, feed, day)) or None

    def meter_root(self, community: int, product: int, slot: int) -> MeterReport | None:
        """The meter report of a slot that counts, None while there is none."""
        value, mark = self._view("meterReport", community, product, slot)
        root, import_wh, export_wh, count, reported = value
        if not (reported and _mark(mark).counts):
            return None
        return MeterReport(community, product, slot, bytes(root), import_wh, export_wh, count, mark[1])

    def meter_mark(self, community: int, product: int, slot: int) -> ReportMark | None:
        """What the last report of a slot's meters is worth, None while there is none."""
        root, mark = self._view("meterReport", community, product, slot)
        return _mark(mark) if root[-1] else None

    def is_complete(self, community: int, day: int) -> bool:
        """Whether retail and imbalance prices of a day and the meters of all its slots and products count."""
        return bool(self._view("isComplete", community, day))

    def bond_of(self, reporter: str) -> int:
        """Bond of a reporter."""
        return int(self._view("bondOf", reporter)[0])


def _meter_value(report: MeterReport) -> tuple[Any, ...]:
    return report.root, report.import_wh, report.export_wh, report.count


def _mark(values: Sequence[int]) -> ReportMark:
    status, round_, missing, since = values
    return ReportMark(ReportStatus(status), round_, missing, since)


_RULE_FIELDS = (
    "slot_seconds",
    "utc_offset",
    "products",
    "price_min",
    "price_max",
    "grid_fee",
    "platform_fee",
    "short_cap",
    "connection_limit_wh",
    "retailer",
    "grid_operator",
    "platform",
    "nomination_batch_lead",
    "nomination_direct_lead",
    "meter_window",
    "bill_delay",
    "bill_window",
    "deviation_limit",
    "challenge_window",
    "bond",
    "quorum",
)


def rules_arguments(rules: Rules) -> tuple[Any, Any, Any]:
    """Struct, sessions and reporters as ``Communities`` takes them."""
    struct = tuple(getattr(rules, name) for name in _RULE_FIELDS)
    sessions = [(session.per_slot, session.relay_gate, session.direct_gate) for session in rules.sessions]
    return struct, sessions, list(rules.reporters)


def rules_of(struct: Sequence[Any], sessions: Sequence[Sequence[Any]], reporters: Sequence[str]) -> Rules:
    """The rules that ``Communities`` gives back or emits."""
    return Rules(
        **dict(zip(_RULE_FIELDS, struct, strict=True)),
        sessions=tuple(Session(*session) for session in sessions),
        reporters=tuple(reporters),
    )
