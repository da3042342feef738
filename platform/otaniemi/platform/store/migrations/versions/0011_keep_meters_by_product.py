"""Keep meters by product"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NO_METER = bytes(32)


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("meters", sa.JSON(), nullable=False, server_default="{}"))
    for meter in op.get_bind().scalars(sa.text("SELECT DISTINCT meter FROM members")).all():
        known = json.dumps({} if meter == _NO_METER else {"0": meter.hex()})
        op.execute(
            sa.text("UPDATE members SET meters = :known WHERE meter = :meter").bindparams(
                known=known, meter=meter
            )
        )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.alter_column("meters", server_default=None)
        batch_op.drop_column("meter")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("meter", sa.LargeBinary(length=32), nullable=True))
    for known in op.get_bind().scalars(sa.text("SELECT DISTINCT meters FROM members")).all():
        meter = bytes.fromhex(json.loads(known).get("0", "")) or _NO_METER
        op.execute(
            sa.text("UPDATE members SET meter = :meter WHERE meters = :known").bindparams(
                known=known, meter=meter
            )
        )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.alter_column("meter", nullable=False)
        batch_op.drop_column("meters")
