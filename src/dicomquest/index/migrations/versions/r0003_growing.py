"""What an index needs to grow while it is in use: which programs may use it, its promoted attributes, trigrams.

It only adds, so programs of revision 0002 may go on with the database, if they look for that setting. PostgreSQL has
no trigram tables; its trigram indexes are ``trigrams``' matter, as its extension may come later than the tables.
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
        sa.Column("column_name", _TEXT, nullable=False, unique=True),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("done", _ID, nullable=False, server_default="0"),
        sa.UniqueConstraint("tag", "creator", "level"),
    )
    op.execute("INSERT INTO setting (name, value) VALUES ('oldest_revision', '0002')")


def downgrade() -> None:
    op.execute("DELETE FROM setting WHERE name = 'oldest_revision'")
    op.drop_table("promoted_attribute")
