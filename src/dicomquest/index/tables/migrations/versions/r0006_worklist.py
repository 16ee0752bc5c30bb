"""The tables of the worklist: they are new, so older programs may go on with the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_COLUMNS = """
    scheduled_procedure_step_start_date_sort scheduled_procedure_step_start_time_sort modality
    scheduled_performing_physician_name_alphabetic scheduled_performing_physician_name_ideographic
    scheduled_performing_physician_name_phonetic scheduled_procedure_step_id
    scheduled_procedure_step_status requested_procedure_id study_instance_uid accession_number
    patient_name_alphabetic patient_name_ideographic patient_name_phonetic patient_id
"""
_INDEXED = """
    source scheduled_procedure_step_start_date_sort patient_name_alphabetic patient_id
    accession_number requested_procedure_id study_instance_uid
"""


def upgrade() -> None:
    op.create_table(
        "worklist_entry",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("identity", _TEXT, nullable=False, unique=True),
        sa.Column("list", _TEXT, nullable=False, server_default=""),
        sa.Column("source", _TEXT, nullable=False, server_default=""),
        sa.Column("received", sa.BigInteger, nullable=False),
        *(sa.Column(name, _TEXT) for name in _COLUMNS.split()),
        sa.Column("attributes", _TEXT, nullable=False),
    )
    for name in _INDEXED.split():
        op.create_index(f"ix_worklist_entry_{name}"[:63], "worklist_entry", [name])
    op.create_table(
        "worklist_station",
        sa.Column("id", _ID, primary_key=True),
        sa.Column(
            "entry", _ID, sa.ForeignKey("worklist_entry.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("station_ae_title", _TEXT, nullable=False),
        sa.Column("start_date_sort", _TEXT),
    )
    op.create_index("ix_worklist_station_entry", "worklist_station", ["entry"])
    op.create_index(
        "ix_worklist_station_day",
        "worklist_station",
        ["station_ae_title", "start_date_sort", "entry"],
    )


def downgrade() -> None:
    op.drop_table("worklist_station")
    op.drop_table("worklist_entry")
