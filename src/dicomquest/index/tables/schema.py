"""The tables of the index, made from the table of keys (PS3.4 C.6; QR-008).

Each level has a table, and a value table for attributes with several values. ``migrations`` creates
the same tables step by step; a test holds both equal. A level's table has its integer key, that of
its parent, a column for each single-valued key, then their search forms. The JSON column comes
last, so that a scan of the others does not read it; it has everything else of the header.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from dicomquest.standard.keys import KEYS, Key, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.worklist_keys import WORKLIST_KEYS, WorklistKey

TABLES = {
    Level.PATIENT: "patient",
    Level.STUDY: "study",
    Level.SERIES: "series",
    Level.IMAGE: "instance",
}
"""The table of each level; ``<table>_value`` is its value table, ``<table>_trigram`` another."""

SEARCH_SUFFIXES: dict[str, tuple[str, ...]] = {
    "PN": ("_alphabetic", "_ideographic", "_phonetic"),
    "DA": ("_sort",),
    "TM": ("_sort",),
    "DT": ("_sort",),
    "IS": ("_number",),
    "DS": ("_number",),
}
"""The suffixes of the columns of search forms; the text of any other VR is its own form."""

ATTRIBUTES = "attributes"
"""The JSON column (PS3.18 F.2): the elements of the level that have no column."""


class Indexed(NamedTuple):
    """One B-tree: its table and columns; a partial one leaves out rows without a value."""

    table: str
    columns: tuple[str, ...]
    unique: bool = False
    partial: bool = False

    @property
    def name(self) -> str:
        """The name of the index, cut to the 63 characters that PostgreSQL keeps."""
        return f"ix_{self.table}_{'_'.join(self.columns)}"[:63]


class TrigramIndex(NamedTuple):
    """A trigram index of PostgreSQL, on one column."""

    table: str
    column: str

    @property
    def name(self) -> str:
        """The name of the index."""
        return f"ix_{self.table}_{self.column}_trigram"


_SEARCH_COLUMNS = {
    key.tag: tuple(key.column + suffix for suffix in SEARCH_SUFFIXES.get(key.vr, ("",)))
    for key in KEYS
}


def search_columns(key: Key) -> tuple[str, ...]:
    """Return the columns that predicates on a COLUMN key read: a name's three groups, else one."""
    return _SEARCH_COLUMNS[key.tag]


COLUMN_KEYS = {
    level: tuple(key for key in KEYS if key.level is level and key.storage is Storage.COLUMN)
    for level in Level
}
COMPUTED_KEYS = {
    level: tuple(key for key in KEYS if key.level is level and key.storage is Storage.COMPUTED)
    for level in Level
}

INDEXED = (
    Indexed("patient", ("identity",), unique=True),
    Indexed("patient", ("patient_id",)),
    Indexed("patient", ("patient_name_alphabetic",)),
    Indexed("patient", ("patient_name_ideographic",), partial=True),
    Indexed("patient", ("patient_name_phonetic",), partial=True),
    Indexed("patient", ("patient_birth_date_sort",)),
    # Partial, so that no planner takes it for ``IS NULL``, which nearly every row meets.
    Indexed("patient", ("variant_of",), partial=True),
    Indexed("study", ("parent",)),
    Indexed("study", ("study_instance_uid",), unique=True),
    Indexed("study", ("study_date_sort", "study_time_sort")),
    Indexed("study", ("accession_number",)),
    Indexed("study", ("study_id",)),
    Indexed("study", ("study_description",)),
    Indexed("study", ("referring_physician_name_alphabetic",)),
    Indexed("study", ("referring_physician_name_ideographic",), partial=True),
    Indexed("study", ("referring_physician_name_phonetic",), partial=True),
    Indexed("study", ("admission_id",), partial=True),
    Indexed("series", ("parent", "modality")),
    Indexed("series", ("series_instance_uid",)),
    Indexed("series", ("modality",)),
    Indexed("series", ("series_date_sort",)),
    Indexed("series", ("series_description",)),
    Indexed("series", ("body_part_examined",)),
    Indexed("series", ("station_name",)),
    Indexed(
        "series",
        ("performed_procedure_step_start_date_sort", "performed_procedure_step_start_time_sort"),
    ),
    Indexed("series", ("frame_of_reference_uid",)),
    Indexed("instance", ("parent", "sop_class_uid")),
    Indexed("instance", ("sop_instance_uid",), unique=True),
    Indexed("instance", ("container_identifier",), partial=True),
)
"""The B-trees, besides those of the value tables."""

TRIGRAMS: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: (
        "patient_name_alphabetic",
        "patient_name_ideographic",
        "patient_name_phonetic",
        "patient_id",
    ),
    Level.STUDY: (
        "accession_number",
        "study_description",
        "referring_physician_name_alphabetic",
        "referring_physician_name_ideographic",
        "referring_physician_name_phonetic",
    ),
    Level.SERIES: ("series_description", "protocol_name", "institution_name"),
}
"""The search columns with a trigram index, for wild cards that begin with one."""

ID_SEQUENCES = {level: f"{table}_ids" for level, table in TABLES.items()}
"""The sequences of PostgreSQL for new ids: each value begins a block of ``ID_BLOCK``."""

ID_BLOCK = 32
"""Ids of a block: as many as a writer mostly needs for one transaction, or some."""

TRIGRAM_INDEXES = tuple(
    TrigramIndex(TABLES[level], column) for level in TRIGRAMS for column in TRIGRAMS[level]
)
"""PostgreSQL's indexes instead of trigram tables, if it has the extension pg_trgm."""

METADATA = MetaData()

# Ids go beyond 2^31. Texts compare byte by byte, as in SQLite, whatever the locale of the server.
ID = BigInteger().with_variant(Integer, "sqlite")
TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _deferrable(column: str) -> ForeignKey:
    """Return a foreign key that is checked at the commit: ingest writes children before parents."""
    return ForeignKey(column, deferrable=True)


def _entity_table(level: Level) -> Table:
    name = TABLES[level]
    columns: list[Column[object]] = [Column("id", ID, primary_key=True, autoincrement=False)]
    if level is Level.PATIENT:
        # JSON of PatientID and IssuerOfPatientID; without a PatientID also of the study. A variant
        # also has a digest of its attributes.
        columns.append(Column("identity", TEXT, nullable=False))
    else:
        columns.append(
            Column("parent", ID, _deferrable(f"{TABLES[Level(level - 1)]}.id"), nullable=False)
        )
    columns += [Column(key.column, TEXT) for key in COLUMN_KEYS[level]]
    # Counts are numbers, several values a text joined by backslashes, sequences JSON.
    columns += [
        Column(key.column, Integer, nullable=False, server_default="0")
        if key.vr == "IS"
        else Column(key.column, TEXT)
        for key in COMPUTED_KEYS[level]
    ]
    columns += [
        Column(name, TEXT)
        for key in COLUMN_KEYS[level]
        for name in search_columns(key)
        if name != key.column
    ]
    columns.append(Column(ATTRIBUTES, TEXT))
    if level is Level.PATIENT:
        columns += [
            Column("variant_of", ID, _deferrable("patient.id")),
            Column("demographics", Integer),
        ]
    return Table(name, METADATA, *columns)


def _value_table(level: Level) -> Table:
    """Return a table with a row a search form; its primary key is the index of predicates."""
    name = TABLES[level]
    return Table(
        f"{name}_value",
        METADATA,
        # 'GGGGEEEE', in the items of a sequence 'GGGGEEEE.GGGGEEEE'.
        Column("path", TEXT, primary_key=True),
        # One of the parts below.
        Column("part", Integer, primary_key=True),
        Column("search", TEXT, primary_key=True),
        Column("owner", ID, ForeignKey(f"{name}.id", ondelete="CASCADE"), primary_key=True),
        Index(f"ix_{name}_value_owner", "owner"),
        sqlite_with_rowid=False,
    )


VALUE_PART = 0
"""The part of a value row that holds the one search form of a value; a name has others."""
GROUP_PARTS = (1, 2, 3)
"""The parts of a name's component groups: alphabetic, ideographic, phonetic."""
WORD_PART = 8
"""The part of each word of a name (fuzzy semantic matching)."""
CODE_PART = 9
"""The part of the phonetic code of each word."""

PATIENT_LINKS = ("variant_of", "demographics")
"""The columns of a patient that say which studies show it (PS3.4 C.6.2).

An identity has one main row, with its latest demographics. While all its studies agree on them,
they are the children of that row. As soon as they do not, each study is the child of a variant: a
row with the demographics that this study shows. ``variant_of`` is the main row of a variant.
"""

OWN, LATEST = 0, 1
"""The values of ``demographics``: whose the row has.

OWN: those that each of its studies received. LATEST: those that the identity received last; its
studies show variants. NULL: a program before revision 0004 merged them from all its studies.
"""

ENTITY = {level: _entity_table(level) for level in Level}
VALUE = {level: _value_table(level) for level in Level}

for _indexed in INDEXED:
    _table = METADATA.tables[_indexed.table]
    Index(
        _indexed.name,
        *(_table.c[name] for name in _indexed.columns),
        unique=_indexed.unique,
        sqlite_where=_table.c[_indexed.columns[0]].is_not(None) if _indexed.partial else None,
        postgresql_where=_table.c[_indexed.columns[0]].is_not(None) if _indexed.partial else None,
    )

FILE = Table(
    "file",
    METADATA,
    Column("id", ID, primary_key=True),
    # The bytes of the operating system, because a path need not be text.
    Column("path", LargeBinary, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column(
        "instance", ID, ForeignKey("instance.id", ondelete="CASCADE"), nullable=False, index=True
    ),
)
"""The files that were read; ingest does not read an unchanged one again."""

OCCURRENCE = Table(
    "occurrence",
    METADATA,
    Column("path", TEXT, primary_key=True),
    Column("part", Integer, primary_key=True),
    sqlite_with_rowid=False,
)
"""The search forms of COLUMN keys outside their first search column that exist at all.

They are several values, and the other groups of names: queries leave out predicates on those that
no entity has. The transaction that stores the first one adds the row, which stays for ever. The
rows of promoted attributes come and go: they tell whether queries may use their value rows.
"""

SEVERAL_VALUES = 0
"""The part of an occurrence which says that some entity has several values of a key.

A part of ``GROUP_PARTS`` says that some name has this group; the first one goes without saying.
"""
VARIANTS = ("variant", 0)
"""The occurrence which says that some patient has variants."""
ALL_THERE = -1
"""The part of an occurrence which says that a promoted attribute has all its value rows."""
TOO_LONG = -2
"""The part which says that some value of a promoted attribute is too long for a value row."""

SETTING = Table(
    "setting",
    METADATA,
    Column("name", TEXT, primary_key=True),
    Column("value", TEXT, nullable=False),
    sqlite_with_rowid=False,
)
"""``timezone_offset_minutes``, the zone of date-times without an offset; ``identity``."""

OLDEST_REVISION_SETTING = "oldest_revision"
"""The setting with the oldest NEWEST_REVISION of a program that may still use the database.

A revision that only adds leaves it as it is.
"""

UNFINISHED_COPY = "unfinished_copy"
"""The setting of a database into which an index is being copied: the identity of that index."""

PROMOTED_ATTRIBUTE = Table(
    "promoted_attribute",
    METADATA,
    Column("id", Integer, primary_key=True),
    # 'GGGGEEEE'; ``creator`` is that of a private attribute, or ''.
    Column("tag", TEXT, nullable=False),
    Column("creator", TEXT, nullable=False, server_default=""),
    Column("level", Integer, nullable=False),
    Column("keyword", TEXT, nullable=False),
    Column("vr", TEXT, nullable=False),
    # The path of its value rows.
    Column("path", TEXT, nullable=False, unique=True),
    # 'filling', 'ready' or 'dropping'.
    Column("state", TEXT, nullable=False),
    # Rows of its level with ids up to this one have their value rows.
    Column("done", ID, nullable=False, server_default="0"),
    UniqueConstraint("tag", "creator", "level"),
)
"""The attributes of the JSON column that have value rows, by request."""

_COLUMNS_OF_ENTRY = frozenset(
    {
        "ScheduledProcedureStepStartDate",
        "ScheduledProcedureStepStartTime",
        "Modality",
        "ScheduledPerformingPhysicianName",
        "ScheduledProcedureStepID",
        "ScheduledProcedureStepStatus",
        "RequestedProcedureID",
        "StudyInstanceUID",
        "AccessionNumber",
        "PatientName",
        "PatientID",
    }
)
ENTRY_COLUMNS: dict[WorklistKey, tuple[str, ...]] = {
    key: tuple(key.column + suffix for suffix in SEARCH_SUFFIXES.get(key.vr, ("",)))
    for key in WORKLIST_KEYS
    if key.keyword in _COLUMNS_OF_ENTRY
}
"""The keys of a worklist entry that have columns, with the columns of their search forms."""

WORKLIST_ENTRY = Table(
    "worklist_entry",
    METADATA,
    Column("id", ID, primary_key=True),
    # JSON of the UIDs and numbers that tell this step from all others.
    Column("identity", TEXT, nullable=False, unique=True),
    # The called AE title that shows the entry; '' for each.
    Column("list", TEXT, nullable=False, server_default=""),
    # The path of its file, or other words; an entry of a file that is gone goes, too.
    Column("source", TEXT, nullable=False, server_default=""),
    # Seconds since 1970.
    Column("received", BigInteger, nullable=False),
    *[Column(name, TEXT) for names in ENTRY_COLUMNS.values() for name in names],
    # The whole entry.
    Column(ATTRIBUTES, TEXT, nullable=False),
    *[
        Index(f"ix_worklist_entry_{name}"[:63], name)
        for name in (
            "source",
            "scheduled_procedure_step_start_date_sort",
            "patient_name_alphabetic",
            "patient_id",
            "accession_number",
            "requested_procedure_id",
            "study_instance_uid",
        )
    ],
)
"""The entries of the worklist: one row a Scheduled Procedure Step (PS3.4 K.6.1)."""

WORKLIST_STATION = Table(
    "worklist_station",
    METADATA,
    Column("id", ID, primary_key=True),
    Column(
        "entry",
        ID,
        ForeignKey("worklist_entry.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("station_ae_title", TEXT, nullable=False),
    Column("start_date_sort", TEXT),
    Index("ix_worklist_station_day", "station_ae_title", "start_date_sort", "entry"),
)
"""The stations of each entry, which may have several: a station's day is one range of the index."""

NON_PATIENT_OBJECT = Table(
    "non_patient_object",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=False),
    Column("sop_class_uid", TEXT, nullable=False, index=True),
    Column("sop_instance_uid", TEXT, nullable=False, unique=True),
    # All of the header.
    Column(ATTRIBUTES, TEXT, nullable=False),
)
"""The instances that belong to no patient, and so to no study and no series (PS3.4 GG)."""

OBJECT_FILE = Table(
    "object_file",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("path", LargeBinary, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column(
        "object",
        ID,
        ForeignKey("non_patient_object.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)
"""The files of these instances, as ``file`` has those of the others."""
