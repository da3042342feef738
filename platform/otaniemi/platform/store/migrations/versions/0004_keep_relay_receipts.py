"""Keep relay receipts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("order_intake", schema=None) as batch_op:
        batch_op.add_column(sa.Column("receipt", sa.LargeBinary(length=64), nullable=True))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    with op.batch_alter_table("order_intake", schema=None) as batch_op:
        batch_op.drop_column("receipt")
