"""The tables of the store, in two groups.

An **index** of the chain, which can be dropped and rebuilt: every row knows the block that it came from, so
that a reorganisation forgets exactly what it undid. And **private** rows that no chain holds: signed orders
and nominations on their way in, names, meter readings, the leaves that reporters signed and the lines of bills.

Energy is integer Wh, prices are micro-token/kWh, money nano-token, instants Unix seconds; hashes, records
and signed messages are raw bytes.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"}
)


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _number(name: str, *, nullable: bool = False, index: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, index=index)


def _market_key() -> list[Column[int]]:
    return [_key("community"), _key("product"), _key("slot"), _key("session")]


def _block() -> Column[int]:
    return _number("block", index=True)


# Index of the chain

blocks = Table("blocks", metadata, _key("number"), Column("hash", LargeBinary(32), nullable=False))

members = Table(
    "members",
    metadata,
    _key("account"),
    Column("block", BigInteger, primary_key=True, autoincrement=False, index=True),
    _number("community"),
    Column("owner", String(42), nullable=False, index=True),
    Column("device", String(42), nullable=False),
    Column("limits", JSON(none_as_null=True), nullable=True),
    Column("meters", JSON, nullable=False),
)
"""An account as each block that changed it left it; the newest row counts. ``meters`` are hexadecimal, by product."""

markets = Table(
    "markets",
    metadata,
    *_market_key(),
    _number("relay_gate"),
    _number("direct_gate"),
    _number("price", nullable=True),
    _number("volume_wh", nullable=True),
    _number("demand_above_wh", nullable=True),
    _number("supply_below_wh", nullable=True),
    _number("order_count", nullable=True),
    Column("root", LargeBinary(32)),
    _number("block", nullable=True, index=True),
    _number("label_premium", nullable=True),
    _number("green_wh", nullable=True),
    _number("labels_above_wh", nullable=True),
    Column("label_root", LargeBinary(32)),
    _number("label_block", nullable=True, index=True),
)
"""With ``label_block``, labels were given out and ``label_root`` counts."""

orders = Table(
    "orders",
    metadata,
    *_market_key(),
    _key("place"),
    Column("batch_start", BigInteger, nullable=False),
    _number("account", index=True),
    _number("nonce_low"),
    Column("record", LargeBinary(16), nullable=False),
    _number("fill_wh", nullable=True),
    _number("labelled_wh", nullable=True),
    Column("transaction", LargeBinary(32), nullable=False),
    _block(),
)

nominations = Table(
    "nominations",
    metadata,
    _key("community"),
    _key("product"),
    _key("day"),
    _key("batch"),
    _key("leaf"),
    _number("account"),
    _number("slot"),
    _number("seq"),
    Column("wh", LargeBinary, nullable=False),
    _block(),
)

tariffs = Table(
    "tariffs",
    metadata,
    _key("community"),
    _key("feed"),
    _key("day"),
    Column("block", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("prices", LargeBinary, nullable=False),
)
"""Prices as each block that brought some left them; the newest row counts."""

limit_trades = Table(
    "limit_trades",
    metadata,
    Column("transaction", LargeBinary(32), primary_key=True),
    _key("place"),
    Column("buy", LargeBinary(32), nullable=False, index=True),
    Column("sell", LargeBinary(32), nullable=False, index=True),
    _number("quantity"),
    _number("price"),
    _block(),
)
"""What ``ContinuousMarket`` traded, by the digests of the limits; ``place`` counts within the transaction."""

limit_cancels = Table("limit_cancels", metadata, _key("account"), _key("nonce"), _block())

positions = Table(
    "positions",
    metadata,
    Column("transaction", LargeBinary(32), primary_key=True),
    _key("place"),
    _number("sequence"),
    _number("community"),
    _number("product"),
    _number("day", index=True),
    _number("buyer"),
    _number("seller"),
    _number("form"),
    Column("deal", LargeBinary(8), nullable=False),
    _number("price"),
    _number("source"),
    _number("slot"),
    Column("wh", LargeBinary, nullable=False),
    _block(),
)
"""Agreements by ``place`` in their transaction; ``sequence`` is their order on the chain."""

proposals = Table(
    "proposals",
    metadata,
    _key("number"),
    _number("community"),
    _number("day", index=True),
    _number("proposer"),
    Column("claim", LargeBinary(164), nullable=False),
    Column("transaction", LargeBinary(32), nullable=False),
    _block(),
)
"""Bills that anybody proposed: root with sums and number of accounts; what became of them the chain says."""

form_logs = Table(
    "form_logs",
    metadata,
    Column("transaction", LargeBinary(32), primary_key=True),
    _key("place"),
    _number("sequence"),
    Column("address", LargeBinary(20), nullable=False, index=True),
    Column("topics", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    _block(),
)
"""Logs of the contracts whose state is replayed; ``sequence`` is their order on the chain."""

INDEX = (
    tariffs,
    nominations,
    orders,
    members,
    limit_trades,
    limit_cancels,
    positions,
    proposals,
    form_logs,
)
"""Tables whose rows of a block go with the block; markets keep their row and lose their result."""

# Private

order_intake = Table(
    "order_intake",
    metadata,
    _key("account"),
    _key("nonce"),
    _number("community"),
    _number("product"),
    _number("session"),
    _number("slot", nullable=True),
    Column("wire", LargeBinary, nullable=False),
    _number("received_at"),
    Column("receipt", LargeBinary(64)),
    Column("status", String(8), nullable=False, index=True),
    Column("reason", Integer),
    _number("block", nullable=True, index=True),
)

nomination_intake = Table(
    "nomination_intake",
    metadata,
    _key("account"),
    _key("product"),
    _key("slot"),
    _key("seq"),
    _number("community"),
    Column("wire", LargeBinary, nullable=False),
    _number("received_at"),
    Column("status", String(8), nullable=False, index=True),
    Column("reason", Integer),
    _number("block", nullable=True, index=True),
)

names = Table("names", metadata, _key("account"), Column("name", String(80), nullable=False))

bills = Table(
    "bills",
    metadata,
    _key("community"),
    _key("day"),
    _key("account"),
    _key("product"),
    _key("slot"),
    _number("trade_wh"),
    _number("trade_money"),
    _number("seq"),
    _number("batch"),
    _number("leaf"),
    _number("schedule_wh"),
    _number("meter_wh"),
    _number("quality"),
    _number("retail"),
    _number("imbalance"),
    _number("grid_fee"),
    _number("platform_fee"),
    _number("lock_release"),
    Column("references", LargeBinary, nullable=False),
)

bill_claims = Table(
    "bill_claims", metadata, _key("community"), _key("day"), Column("claim", LargeBinary(164), nullable=False)
)
"""What a proposal of the lines in ``bills`` claims."""

meter_leaves = Table(
    "meter_leaves",
    metadata,
    _key("community"),
    _key("product"),
    _key("slot"),
    Column("root", LargeBinary(32), primary_key=True),
    Column("leaves", LargeBinary, nullable=False),
)
"""What the reporters committed to, also where another report counts in the end."""

report_rounds = Table(
    "report_rounds",
    metadata,
    _key("community"),
    _key("product"),
    _key("kind"),
    _key("at"),
    _number("round"),
)
"""The last round that our reporters began, so that they never sign two values in one."""

readings = Table(
    "readings",
    metadata,
    _key("product"),
    _key("slot"),
    _key("account"),
    _number("import_wh"),
    _number("export_wh"),
    _number("received_at"),
)

package_names = Table(
    "package_names",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("name", String(80), nullable=False),
)
"""What packages are called; the chain has the hash alone."""

contract_proposals = Table(
    "contract_proposals",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    _number("account", index=True),
    _number("other", index=True),
    Column("terms", JSON, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    _number("received_at"),
)
"""Terms that ``account`` signed and that ``other`` may accept."""

limits = Table(
    "limits",
    metadata,
    _key("sequence"),
    Column("digest", LargeBinary(32), nullable=False, index=True, unique=True),
    _number("account", index=True),
    _number("community"),
    _number("product"),
    _number("instrument"),
    _number("price"),
    _number("quantity"),
    _number("min_fill"),
    _number("source"),
    Column("buy", Boolean, nullable=False),
    _number("nonce"),
    _number("valid_to"),
    Column("engine", String(42), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    _number("received_at"),
    Column("receipt", LargeBinary(64), nullable=False),
    _number("until", index=True),
    Column("removed", String(80)),
)
"""Limit orders with the receipts that the engine signed; ``until`` is the last instant at which they can trade."""

limit_matches = Table(
    "limit_matches",
    metadata,
    _key("number"),
    _number("buy", index=True),
    _number("sell", index=True),
    _number("quantity"),
    _number("price"),
    _number("matched_at"),
    Column("status", String(8), nullable=False, index=True),
    Column("transaction", LargeBinary(32), index=True),
    _number("place", nullable=True),
    _number("block", nullable=True, index=True),
)
"""What the engine matched, by sequence, and how far each match came."""

engine_log = Table(
    "engine_log",
    metadata,
    _key("place"),
    _number("at"),
    Column("kind", String(8), nullable=False),
    _number("first"),
    _number("second", nullable=True),
    _number("quantity", nullable=True),
    _number("price", nullable=True),
    Column("note", String(80), nullable=False),
    Column("evidence", LargeBinary, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
)
"""Everything that changed a book, in order."""

book_snapshots = Table(
    "book_snapshots",
    metadata,
    _key("community"),
    _key("product"),
    _key("instrument"),
    _key("minute"),
    _number("sequence"),
    Column("buys", JSON, nullable=False),
    Column("sells", JSON, nullable=False),
)
"""The best prices of a book at the end of each minute in which it changed."""
