"""Keep earlier tariffs, which count again when the chain loses a later one"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = ("community", "feed", "day", "block")


def upgrade() -> None:
    """Bring the schema to this revision."""
    _replace(key=_COLUMNS, newest="")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    later = "l.community = e.community AND l.feed = e.feed AND l.day = e.day AND l.block > e.block"
    _replace(key=_COLUMNS[:3], newest=f"WHERE NOT EXISTS (SELECT 1 FROM earlier_tariffs l WHERE {later})")


def _replace(key: tuple[str, ...], newest: str) -> None:
    """Another table with this primary key and the rows of the old one."""
    op.drop_index(op.f("ix_tariffs_block"), "tariffs")
    op.rename_table("tariffs", "earlier_tariffs")
    op.create_table(
        "tariffs",
        *[sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False) for name in _COLUMNS],
        sa.Column("prices", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_tariffs")),
    )
    columns = ", ".join((*_COLUMNS, "prices"))
    op.execute(f"INSERT INTO tariffs ({columns}) SELECT {columns} FROM earlier_tariffs e {newest}")
    op.drop_table("earlier_tariffs")
    op.create_index(op.f("ix_tariffs_block"), "tariffs", ["block"])
