"""A revision of tables in use: add a column, fill it, index it."""

from __future__ import annotations

import sys

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision: str = sys.modules["__main__"].OWN_NEWEST
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A second run would fail: the column is there.
    op.add_column("study", sa.Column("one_more", sa.Text))
    op.execute("UPDATE study SET one_more = study_description")
    with op.get_context().autocommit_block():
        op.create_index("ix_study_one_more", "study", ["one_more"], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_column("study", "one_more")
