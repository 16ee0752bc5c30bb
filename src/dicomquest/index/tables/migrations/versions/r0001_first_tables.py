"""First tables: patient, study, series and instance, their values, trigrams, files and settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# Table, its first column besides the key, then in order: text columns, counts, search columns.
_LEVELS = (
    (
        "patient",
        sa.Column("identity", _TEXT, nullable=False),
        """
        patient_name patient_id issuer_of_patient_id patient_birth_date patient_birth_time
        patient_sex ethnic_group patient_comments patient_birth_name responsible_person
        """,
        """
        number_of_patient_related_studies number_of_patient_related_series
        number_of_patient_related_instances
        """,
        """
        patient_name_alphabetic patient_name_ideographic patient_name_phonetic
        patient_birth_date_sort patient_birth_time_sort patient_birth_name_alphabetic
        patient_birth_name_ideographic patient_birth_name_phonetic responsible_person_alphabetic
        responsible_person_ideographic responsible_person_phonetic
        """,
    ),
    (
        "study",
        sa.Column("parent", _ID, sa.ForeignKey("patient.id", deferrable=True), nullable=False),
        """
        study_date study_time accession_number study_id study_instance_uid referring_physician_name
        study_description patient_age patient_size patient_weight occupation
        additional_patient_history admission_id modalities_in_study sop_classes_in_study
        anatomic_regions_in_study_code_sequence
        """,
        """
        number_of_study_related_series number_of_study_related_instances
        """,
        """
        study_date_sort study_time_sort referring_physician_name_alphabetic
        referring_physician_name_ideographic referring_physician_name_phonetic patient_size_number
        patient_weight_number
        """,
    ),
    (
        "series",
        sa.Column("parent", _ID, sa.ForeignKey("study.id", deferrable=True), nullable=False),
        """
        modality series_number series_instance_uid series_date series_time series_description
        body_part_examined laterality patient_position protocol_name
        performed_procedure_step_start_date performed_procedure_step_start_time
        performed_procedure_step_id performed_procedure_step_description manufacturer
        manufacturer_model_name station_name institution_name institutional_department_name
        device_serial_number frame_of_reference_uid
        """,
        """
        number_of_series_related_instances
        """,
        """
        series_number_number series_date_sort series_time_sort
        performed_procedure_step_start_date_sort performed_procedure_step_start_time_sort
        """,
    ),
    (
        "instance",
        sa.Column("parent", _ID, sa.ForeignKey("series.id", deferrable=True), nullable=False),
        """
        instance_number sop_instance_uid sop_class_uid container_identifier instance_creation_date
        instance_creation_time content_date content_time acquisition_date acquisition_time
        acquisition_date_time acquisition_number number_of_frames image_comments content_label
        completion_flag verification_flag available_transfer_syntax_uid
        """,
        "",
        """
        instance_number_number instance_creation_date_sort instance_creation_time_sort
        content_date_sort content_time_sort acquisition_date_sort acquisition_time_sort
        acquisition_date_time_sort acquisition_number_number number_of_frames_number
        """,
    ),
)

# Table, columns, kind.
_INDEXES = (
    ("patient", "identity", "unique"),
    ("patient", "patient_id", ""),
    ("patient", "patient_name_alphabetic", ""),
    ("patient", "patient_name_ideographic", "partial"),
    ("patient", "patient_name_phonetic", "partial"),
    ("patient", "patient_birth_date_sort", ""),
    ("study", "parent", ""),
    ("study", "study_instance_uid", "unique"),
    ("study", "study_date_sort study_time_sort", ""),
    ("study", "accession_number", ""),
    ("study", "study_id", ""),
    ("study", "study_description", ""),
    ("study", "referring_physician_name_alphabetic", ""),
    ("study", "referring_physician_name_ideographic", "partial"),
    ("study", "referring_physician_name_phonetic", "partial"),
    ("study", "admission_id", "partial"),
    ("series", "parent modality", ""),
    ("series", "series_instance_uid", ""),
    ("series", "modality", ""),
    ("series", "series_date_sort", ""),
    ("series", "series_description", ""),
    ("series", "body_part_examined", ""),
    ("series", "station_name", ""),
    (
        "series",
        "performed_procedure_step_start_date_sort performed_procedure_step_start_time_sort",
        "",
    ),
    ("series", "frame_of_reference_uid", ""),
    ("instance", "parent sop_class_uid", ""),
    ("instance", "sop_instance_uid", "unique"),
    ("instance", "container_identifier", "partial"),
)

_TRIGRAMS = (
    (
        "patient",
        "patient_name_alphabetic patient_name_ideographic patient_name_phonetic patient_id",
    ),
    (
        "study",
        """
        accession_number study_description referring_physician_name_alphabetic
        referring_physician_name_ideographic referring_physician_name_phonetic
        """,
    ),
    ("series", "series_description protocol_name institution_name"),
)


# The table stores the column of a trigram, but no position and no length of the text: queries ask
# it only for candidates.
_TRIGRAM_OPTIONS = "tokenize='trigram case_sensitive 1', detail=column, columnsize=0"


def upgrade() -> None:
    for name, owner, text, counts, search in _LEVELS:
        op.create_table(
            name,
            sa.Column("id", _ID, primary_key=True, autoincrement=False),
            owner,
            *(sa.Column(column, _TEXT) for column in text.split()),
            *(
                sa.Column(column, sa.Integer, nullable=False, server_default="0")
                for column in counts.split()
            ),
            *(sa.Column(column, _TEXT) for column in search.split()),
            sa.Column("attributes", _TEXT),
        )
        op.create_table(
            f"{name}_value",
            sa.Column("path", _TEXT, primary_key=True),
            sa.Column("part", sa.Integer, primary_key=True),
            sa.Column("search", _TEXT, primary_key=True),
            sa.Column(
                "owner", _ID, sa.ForeignKey(f"{name}.id", ondelete="CASCADE"), primary_key=True
            ),
            sqlite_with_rowid=False,
        )
        op.create_index(f"ix_{name}_value_owner", f"{name}_value", ["owner"])
    for table, names, kind in _INDEXES:
        columns = names.split()
        where = sa.text(f"{columns[0]} IS NOT NULL") if kind == "partial" else None
        op.create_index(
            f"ix_{table}_{'_'.join(columns)}"[:63],
            table,
            columns,
            unique=kind == "unique",
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "file",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("path", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified_ns", sa.BigInteger, nullable=False),
        sa.Column(
            "instance", _ID, sa.ForeignKey("instance.id", ondelete="CASCADE"), nullable=False
        ),
    )
    op.create_index("ix_file_instance", "file", ["instance"])
    op.create_table(
        "occurrence",
        sa.Column("path", _TEXT, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "setting",
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("value", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        for table, names in _TRIGRAMS:
            _create_trigrams(table, names.split())


def _create_trigrams(table: str, columns: list[str]) -> None:
    """Create an FTS5 table without text of its own, and the triggers that keep it in step."""
    names = ", ".join(columns)
    old = ", ".join(f"old.{column}" for column in columns)
    new = ", ".join(f"new.{column}" for column in columns)
    trigram = f"{table}_trigram"
    forget = f"INSERT INTO {trigram} ({trigram}, rowid, {names}) VALUES ('delete', old.id, {old});"
    learn = f"INSERT INTO {trigram} (rowid, {names}) VALUES (new.id, {new});"
    change = f"AFTER UPDATE OF {names} ON {table}"
    options = f"content='{table}', content_rowid='id', {_TRIGRAM_OPTIONS}"
    for statement in (
        f"CREATE VIRTUAL TABLE {trigram} USING fts5({names}, {options})",
        f"CREATE TRIGGER {trigram}_insert AFTER INSERT ON {table} BEGIN {learn} END",
        f"CREATE TRIGGER {trigram}_delete AFTER DELETE ON {table} BEGIN {forget} END",
        f"CREATE TRIGGER {trigram}_update {change} BEGIN {forget} {learn} END",
    ):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table, _ in _TRIGRAMS:
            op.get_bind().exec_driver_sql(f"DROP TABLE {table}_trigram")
    for table in ("setting", "occurrence", "file"):
        op.drop_table(table)
    for name, *_ in reversed(_LEVELS):
        op.drop_table(f"{name}_value")
        op.drop_table(name)
