"""The tables of objects without a patient: they are new, so older programs may go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "non_patient_object",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        sa.Column("sop_class_uid", _TEXT, nullable=False),
        sa.Column("sop_instance_uid", _TEXT, nullable=False, unique=True),
        sa.Column("attributes", _TEXT, nullable=False),
    )
    op.create_index("ix_non_patient_object_sop_class_uid", "non_patient_object", ["sop_class_uid"])
    op.create_table(
        "object_file",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("path", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified_ns", sa.BigInteger, nullable=False),
        sa.Column(
            "object",
            _ID,
            sa.ForeignKey("non_patient_object.id", ondelete="CASCADE"),
            nullable=False,
        ),
    )
    op.create_index("ix_object_file_object", "object_file", ["object"])


def downgrade() -> None:
    op.drop_table("object_file")
    op.drop_table("non_patient_object")
