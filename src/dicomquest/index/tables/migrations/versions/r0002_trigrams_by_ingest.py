"""Ingest enters new rows in the trigram tables, many at a time.

A trigger did so row by row, and an FTS5 table writes out its buffer at each statement inside a
trigger: that took a third of the time of ingest. The triggers for changes and deletions stay, as
these are rare. An older program that goes on writing during the upgrade leaves gaps, which
``check`` finds and repairs.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TRIGRAMS = {
    "patient": "patient_name_alphabetic patient_name_ideographic patient_name_phonetic patient_id",
    "study": """
        accession_number study_description referring_physician_name_alphabetic
        referring_physician_name_ideographic referring_physician_name_phonetic
        """,
    "series": "series_description protocol_name institution_name",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in _TRIGRAMS:
            op.get_bind().exec_driver_sql(f"DROP TRIGGER {table}_trigram_insert")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table, names in _TRIGRAMS.items():
            columns = ", ".join(names.split())
            new = ", ".join(f"new.{column}" for column in names.split())
            op.get_bind().exec_driver_sql(
                f"CREATE TRIGGER {table}_trigram_insert AFTER INSERT ON {table} BEGIN"
                f" INSERT INTO {table}_trigram (rowid, {columns}) VALUES (new.id, {new}); END"
            )
