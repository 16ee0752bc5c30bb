"""The tables of performed procedure steps and of unified ones (PS3.4 F.7, CC)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table

from dicomquest.index.tables.schema import ATTRIBUTES, ID, METADATA, SEARCH_SUFFIXES, TEXT
from dicomquest.standard.keys import snake_case

PERFORMED_STEP = Table(
    "performed_step",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("sop_instance_uid", TEXT, nullable=False, unique=True),
    Column("status", TEXT, nullable=False),
    # The calling AE title that made it.
    Column("creator", TEXT, nullable=False),
    # The terms of its N-CREATE, joined by backslashes.
    Column("character_set", TEXT, nullable=False),
    # Seconds since 1970.
    Column("received", BigInteger, nullable=False, index=True),
    # All attributes.
    Column(ATTRIBUTES, TEXT, nullable=False),
)
"""The steps that modalities perform (PS3.4 F.7.2); a greater id is a later one."""

PERFORMED_STEP_ORDER = Table(
    "performed_step_order",
    METADATA,
    Column("id", ID, primary_key=True),
    Column(
        "performed_step",
        ID,
        ForeignKey("performed_step.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("study_instance_uid", TEXT, nullable=False, index=True),
    Column("accession_number", TEXT, index=True),
    Column("scheduled_procedure_step_id", TEXT),
)
"""The scheduled steps that each of them performs, by the numbers of their orders."""

_OF_WORKITEM = (
    ("ProcedureStepState", "CS"),
    ("ScheduledProcedureStepPriority", "CS"),
    ("ProcedureStepLabel", "LO"),
    ("WorklistLabel", "LO"),
    ("ScheduledProcedureStepStartDateTime", "DT"),
    ("PatientName", "PN"),
    ("PatientID", "LO"),
)
WORKITEM_COLUMNS: dict[str, tuple[str, ...]] = {
    keyword: tuple(snake_case(keyword) + suffix for suffix in SEARCH_SUFFIXES.get(vr, ("",)))
    for keyword, vr in _OF_WORKITEM
}
"""The attributes of a unified step that have columns, with the columns of their search forms."""

WORKITEM = Table(
    "workitem",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("sop_instance_uid", TEXT, nullable=False, unique=True),
    # The path of its file, or other words.
    Column("source", TEXT, nullable=False, server_default=""),
    # Seconds since 1970.
    Column("received", BigInteger, nullable=False),
    *[Column(name, TEXT) for names in WORKITEM_COLUMNS.values() for name in names],
    # All attributes.
    Column(ATTRIBUTES, TEXT, nullable=False),
    *[
        Index(f"ix_workitem_{name}"[:63], name)
        for name in (
            "source",
            "procedure_step_state",
            "scheduled_procedure_step_start_date_time_sort",
            "patient_name_alphabetic",
            "patient_id",
        )
    ],
)
"""The Unified Procedure Steps: one row each (PS3.4 CC.2)."""
