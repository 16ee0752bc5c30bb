"""The tables of performed and unified steps: they are new, so older programs may go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_COLUMNS_OF_WORKITEM = """
    procedure_step_state scheduled_procedure_step_priority procedure_step_label worklist_label
    scheduled_procedure_step_start_date_time_sort patient_name_alphabetic patient_name_ideographic
    patient_name_phonetic patient_id
"""
_INDEXED = """
    source procedure_step_state scheduled_procedure_step_start_date_time_sort
    patient_name_alphabetic patient_id
"""


def upgrade() -> None:
    op.create_table(
        "performed_step",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("sop_instance_uid", _TEXT, nullable=False, unique=True),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("creator", _TEXT, nullable=False),
        sa.Column("character_set", _TEXT, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("attributes", _TEXT, nullable=False),
    )
    op.create_index("ix_performed_step_received", "performed_step", ["received"])
    op.create_table(
        "performed_step_order",
        sa.Column("id", _ID, primary_key=True),
        sa.Column(
            "performed_step",
            _ID,
            sa.ForeignKey("performed_step.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("study_instance_uid", _TEXT, nullable=False),
        sa.Column("accession_number", _TEXT),
        sa.Column("scheduled_procedure_step_id", _TEXT),
    )
    for name in ("performed_step", "study_instance_uid", "accession_number"):
        op.create_index(f"ix_performed_step_order_{name}", "performed_step_order", [name])
    op.create_table(
        "workitem",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("sop_instance_uid", _TEXT, nullable=False, unique=True),
        sa.Column("source", _TEXT, nullable=False, server_default=""),
        sa.Column("received", sa.BigInteger, nullable=False),
        *(sa.Column(name, _TEXT) for name in _COLUMNS_OF_WORKITEM.split()),
        sa.Column("attributes", _TEXT, nullable=False),
    )
    for name in _INDEXED.split():
        op.create_index(f"ix_workitem_{name}"[:63], "workitem", [name])


def downgrade() -> None:
    op.drop_table("workitem")
    op.drop_table("performed_step_order")
    op.drop_table("performed_step")
