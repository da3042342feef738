"""Keep positions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    numbers = ("sequence", "community", "product", "day", "buyer", "seller", "form")
    op.create_table(
        "positions",
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers],
        sa.Column("deal", sa.LargeBinary(length=8), nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("price", "source", "slot")],
        sa.Column("wh", sa.LargeBinary(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction", "place", name=op.f("pk_positions")),
    )
    for column in ("day", "block"):
        op.create_index(op.f(f"ix_positions_{column}"), "positions", [column])


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("positions")
