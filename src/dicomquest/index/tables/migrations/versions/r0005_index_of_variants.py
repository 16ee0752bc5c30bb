"""The index that leads from a patient to its variants, and a word on what only files can tell.

It is a revision of its own, because nobody has to wait for an index that is built concurrently, but
that runs in no transaction: if it is interrupted, this revision begins anew.
"""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LOGGER = logging.getLogger("dicomquest.index")

_NAME = "ix_patient_variant_of"
_WHERE = sa.text("variant_of IS NOT NULL")
_WITH_SEVERAL_STUDIES = """
    SELECT count(*) FROM patient
    WHERE number_of_patient_related_studies > 1 AND demographics IS NULL
"""


def upgrade() -> None:
    patients = op.get_bind().exec_driver_sql(_WITH_SEVERAL_STUDIES).scalar_one()
    if patients:
        LOGGER.warning(
            "the studies of %d patient(s) show the demographics received last with any of them, as "
            "before, until `dicomquest index --reread PATH...` has read their files again",
            patients,
        )
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(_NAME, "patient", ["variant_of"], sqlite_where=_WHERE)
        return
    with op.get_context().autocommit_block():
        patience = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar_one()
        # It waits for those who write, but nobody waits for it.
        op.execute("SET lock_timeout = 0")
        # One that was not finished is there, but not valid.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_NAME}")
        op.create_index(
            _NAME,
            "patient",
            ["variant_of"],
            postgresql_where=_WHERE,
            postgresql_concurrently=True,
        )
        op.execute(f"SET lock_timeout = '{patience}'")


def downgrade() -> None:
    op.drop_index(_NAME, "patient")
