"""Keep what a restart needs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _keys(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False) for name in names]


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "proposals",
        *_keys("number"),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("community", "day", "proposer")],
        sa.Column("claim", sa.LargeBinary(length=164), nullable=False),
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_proposals")),
    )
    for column in ("day", "block"):
        op.create_index(op.f(f"ix_proposals_{column}"), "proposals", [column])
    op.create_table(
        "bill_claims",
        *_keys("community", "day"),
        sa.Column("claim", sa.LargeBinary(length=164), nullable=False),
        sa.PrimaryKeyConstraint("community", "day", name=op.f("pk_bill_claims")),
    )
    op.create_table(
        "meter_leaves",
        *_keys("community", "product", "slot"),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("community", "product", "slot", "root", name=op.f("pk_meter_leaves")),
    )
    op.create_table(
        "report_rounds",
        *_keys("community", "product", "kind", "at"),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("community", "product", "kind", "at", name=op.f("pk_report_rounds")),
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    for table in ("report_rounds", "meter_leaves", "bill_claims", "proposals"):
        op.drop_table(table)
