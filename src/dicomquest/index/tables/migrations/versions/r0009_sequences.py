"""The sequences of new ids, for several writers at a time: older programs may go on without.

An older program takes the id after the greatest one. A newer one that meets it in a block of its
own renews its blocks.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("patient", "study", "series", "instance")


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _TABLES:
        op.execute(f"CREATE SEQUENCE {table}_ids INCREMENT BY 32")
        op.execute(f"SELECT setval('{table}_ids', max(id)) FROM {table} HAVING max(id) IS NOT NULL")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"DROP SEQUENCE {table}_ids")
