"""Keep limit orders and what their engine did"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("limit_trades", "limit_cancels", "limits", "limit_matches", "engine_log", "book_snapshots")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "limit_trades",
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=False),
        _key("place"),
        sa.Column("buy", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sell", sa.LargeBinary(length=32), nullable=False),
        _number("quantity"),
        _number("price"),
        _number("block"),
        sa.PrimaryKeyConstraint("transaction", "place", name=op.f("pk_limit_trades")),
    )
    _index("limit_trades", "block", "buy", "sell")
    op.create_table(
        "limit_cancels",
        _key("account"),
        _key("nonce"),
        _number("block"),
        sa.PrimaryKeyConstraint("account", "nonce", name=op.f("pk_limit_cancels")),
    )
    _index("limit_cancels", "block")
    op.create_table(
        "limits",
        _key("sequence"),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        *[
            _number(name)
            for name in (
                "account", "community", "product", "instrument", "price", "quantity", "min_fill", "source",
            )
        ],
        sa.Column("buy", sa.Boolean(), nullable=False),
        _number("nonce"),
        _number("valid_to"),
        sa.Column("engine", sa.String(length=42), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        _number("received_at"),
        sa.Column("receipt", sa.LargeBinary(length=64), nullable=False),
        _number("until"),
        sa.Column("removed", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_limits")),
    )  # fmt: skip
    _index("limits", "account", "until")
    op.create_index(op.f("ix_limits_digest"), "limits", ["digest"], unique=True)
    op.create_table(
        "limit_matches",
        _key("number"),
        *[_number(name) for name in ("buy", "sell", "quantity", "price", "matched_at")],
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=True),
        _number("place", nullable=True),
        _number("block", nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_limit_matches")),
    )
    _index("limit_matches", "block", "buy", "sell", "status", "transaction")
    op.create_table(
        "engine_log",
        _key("place"),
        _number("at"),
        sa.Column("kind", sa.String(length=8), nullable=False),
        _number("first"),
        *[_number(name, nullable=True) for name in ("second", "quantity", "price")],
        sa.Column("note", sa.String(length=80), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_engine_log")),
    )
    op.create_table(
        "book_snapshots",
        *[_key(name) for name in ("community", "product", "instrument", "minute")],
        _number("sequence"),
        sa.Column("buys", sa.JSON(), nullable=False),
        sa.Column("sells", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint(
            "community", "product", "instrument", "minute", name=op.f("pk_book_snapshots")
        ),
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    for table in TABLES:
        op.drop_table(table)


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)
