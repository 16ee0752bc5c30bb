"""The growth of an index in use: the oldest program for it, and its promoted attributes.

It only adds, so a program of revision 0002 goes on with the database. A revision that removes
something, or needs something of every writer, sets ``oldest_revision`` to the first revision that
copes with that, and comes a release later than that one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "promoted_attribute",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("creator", _TEXT, nullable=False, server_default=""),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("keyword", _TEXT, nullable=False),
        sa.Column("vr", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False, unique=True),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("done", _ID, nullable=False, server_default="0"),
        sa.UniqueConstraint("tag", "creator", "level"),
    )
    op.execute("INSERT INTO setting (name, value) VALUES ('oldest_revision', '0002')")


def downgrade() -> None:
    op.execute("DELETE FROM setting WHERE name = 'oldest_revision'")
    op.drop_table("promoted_attribute")
