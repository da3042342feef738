"""Keep labels"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NUMBERS = ("label_premium", "green_wh", "labels_above_wh", "label_block")


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("markets", schema=None) as batch_op:
        for name in _NUMBERS:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("label_root", sa.LargeBinary(length=32), nullable=True))
        batch_op.create_index(batch_op.f("ix_markets_label_block"), ["label_block"], unique=False)
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("labelled_wh", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_column("labelled_wh")
    with op.batch_alter_table("markets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_markets_label_block"))
        for name in (*_NUMBERS, "label_root"):
            batch_op.drop_column(name)
