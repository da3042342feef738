"""Keep packages and contracts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "form_logs",
        sa.Column("transaction", sa.LargeBinary(length=32), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        *[sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("topics", "data")],
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction", "place", name=op.f("pk_form_logs")),
    )
    for column in ("address", "block"):
        op.create_index(op.f(f"ix_form_logs_{column}"), "form_logs", [column])
    op.create_table(
        "package_names",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_package_names")),
    )
    op.create_table(
        "contract_proposals",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("account", "other")],
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_contract_proposals")),
    )
    for column in ("account", "other"):
        op.create_index(op.f(f"ix_contract_proposals_{column}"), "contract_proposals", [column])


def downgrade() -> None:
    """Take the schema back to the revision before."""
    for table in ("contract_proposals", "package_names", "form_logs"):
        op.drop_table(table)
