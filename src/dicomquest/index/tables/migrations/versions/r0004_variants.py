"""The demographics of each study: rows of patients that are variants of a main row (PS3.4 C.6.2).

It adds empty columns, which takes no time however many patients there are. Older programs must not
open the index any more: they would let a study show the name of another one. Those that are open
go on, and NULL in ``demographics`` tells the rows that they write.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Alembic would add the foreign key by a statement of its own, which SQLite does not have, and
    # for which PostgreSQL reads the whole table.
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE patient ADD COLUMN variant_of {kind} REFERENCES patient (id) DEFERRABLE"
    )
    op.add_column("patient", sa.Column("demographics", sa.Integer))
    op.execute("UPDATE setting SET value = '0004' WHERE name = 'oldest_revision'")


def downgrade() -> None:
    op.execute("UPDATE setting SET value = '0002' WHERE name = 'oldest_revision'")
    op.execute(
        "UPDATE study SET parent = (SELECT variant_of FROM patient WHERE id = study.parent) "
        "WHERE parent IN (SELECT id FROM patient WHERE variant_of IS NOT NULL)"
    )
    op.execute("DELETE FROM patient WHERE variant_of IS NOT NULL")
    op.drop_column("patient", "demographics")
    op.drop_column("patient", "variant_of")
