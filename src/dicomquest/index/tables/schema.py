"""The tables of the index, made from the table of keys (PS3.4 C.6; spec QR-008): four levels and their value tables.

``migrations`` creates the same tables step by step; a test holds the two equal. Every level's table has its integer
key, its parent's, a column for each single-valued key, then the search forms of those columns, and last the JSON column
with everything else of the header, so that a scan of the columns does not read it.
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

HEAD = "0003"
"""The newest revision of ``migrations``; of two revisions the later is the greater text."""

TABLES = {
    Level.PATIENT: "patient",
    Level.STUDY: "study",
    Level.SERIES: "series",
    Level.IMAGE: "instance",
}
"""The table of each level; its value table is named ``<table>_value``, its trigram table ``<table>_trigram``."""

SEARCH_SUFFIXES: dict[str, tuple[str, ...]] = {
    "PN": ("_alphabetic", "_ideographic", "_phonetic"),
    "DA": ("_sort",),
    "TM": ("_sort",),
    "DT": ("_sort",),
    "IS": ("_number",),
    "DS": ("_number",),
}
"""What is appended to a column's name for its search forms; the text of any other VR is its own search form."""

ATTRIBUTES = "attributes"
"""The JSON column (PS3.18 F.2): the elements of the level that have no column."""


class Indexed(NamedTuple):
    """One B-tree: its table and columns; a partial one leaves out the rows that have no value."""

    table: str
    columns: tuple[str, ...]
    unique: bool = False
    partial: bool = False

    @property
    def name(self) -> str:
        """The index's name, no longer than PostgreSQL's names are."""
        return f"ix_{self.table}_{'_'.join(self.columns)}"[:63]


class TrigramIndex(NamedTuple):
    """A trigram index of PostgreSQL, on one column."""

    table: str
    column: str

    @property
    def name(self) -> str:
        """The index's name."""
        return f"ix_{self.table}_{self.column}_trigram"


_SEARCH_COLUMNS = {
    key.tag: tuple(key.column + suffix for suffix in SEARCH_SUFFIXES.get(key.vr, ("",)))
    for key in KEYS
}


def search_columns(key: Key) -> tuple[str, ...]:
    """The columns that predicates on a COLUMN key read: three for a name (its groups), else one."""
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

TRIGRAM_INDEXES = tuple(
    TrigramIndex(TABLES[level], column) for level in TRIGRAMS for column in TRIGRAMS[level]
)
"""The indexes that PostgreSQL has in place of trigram tables, if it has the extension pg_trgm."""

METADATA = MetaData()

# Rows are counted beyond 2^31, and texts are compared byte by byte, as SQLite does of itself.
_ID = BigInteger().with_variant(Integer, "sqlite")
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _deferrable(column: str) -> ForeignKey:
    """A key that has to hold when the transaction ends: children are written before their parents."""
    return ForeignKey(column, deferrable=True)


def _entity_table(level: Level) -> Table:
    name = TABLES[level]
    columns: list[Column[object]] = [Column("id", _ID, primary_key=True, autoincrement=False)]
    if level is Level.PATIENT:
        # Which patient this is: JSON of PatientID and IssuerOfPatientID, and of the study where there is no PatientID.
        columns.append(Column("identity", _TEXT, nullable=False))
    else:
        columns.append(
            Column("parent", _ID, _deferrable(f"{TABLES[Level(level - 1)]}.id"), nullable=False)
        )
    columns += [Column(key.column, _TEXT) for key in COLUMN_KEYS[level]]
    # Counts are numbers; what has several values is text, its values joined by backslash; sequences are JSON.
    columns += [
        Column(key.column, Integer, nullable=False, server_default="0")
        if key.vr == "IS"
        else Column(key.column, _TEXT)
        for key in COMPUTED_KEYS[level]
    ]
    columns += [
        Column(name, _TEXT)
        for key in COLUMN_KEYS[level]
        for name in search_columns(key)
        if name != key.column
    ]
    columns.append(Column(ATTRIBUTES, _TEXT))
    return Table(name, METADATA, *columns)


def _value_table(level: Level) -> Table:
    """One row a search form of a value that no column holds; the key is the index that predicates use."""
    name = TABLES[level]
    return Table(
        f"{name}_value",
        METADATA,
        # 'GGGGEEEE', inside a sequence 'GGGGEEEE.GGGGEEEE'.
        Column("path", _TEXT, primary_key=True),
        # One of the parts below.
        Column("part", Integer, primary_key=True),
        Column("search", _TEXT, primary_key=True),
        Column("owner", _ID, ForeignKey(f"{name}.id", ondelete="CASCADE"), primary_key=True),
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
    Column("id", _ID, primary_key=True),
    # As the operating system has it: a path need not be text.
    Column("path", LargeBinary, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column(
        "instance", _ID, ForeignKey("instance.id", ondelete="CASCADE"), nullable=False, index=True
    ),
)
"""The files that were read, so that an unchanged one is not read again."""

OCCURRENCE = Table(
    "occurrence",
    METADATA,
    Column("path", _TEXT, primary_key=True),
    Column("part", Integer, primary_key=True),
    sqlite_with_rowid=False,
)
"""The search forms of COLUMN keys that exist outside their first search column: several values, other name groups.

Queries leave out the predicates on what no entity has. It only grows, in the transaction that stores the first one;
but for the promoted attributes, of which it says whether queries may use their value rows.
"""

SEVERAL_VALUES = 0
"""The part of an occurrence which says that some entity has several values of a key.

A part of ``GROUP_PARTS`` says that some name has this group; the first one goes without saying.
"""
ALL_THERE = -1
"""The part of an occurrence which says that the value rows of a promoted attribute are all there."""
TOO_LONG = -2
"""The part which says that a promoted attribute has a value too long for an index: its value rows do not tell all."""

SETTING = Table(
    "setting",
    METADATA,
    Column("name", _TEXT, primary_key=True),
    Column("value", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)
"""What belongs to all: ``timezone_offset_minutes``, the zone of date-times without an offset; ``identity``."""

OLDEST_REVISION_SETTING = "oldest_revision"
"""The setting with the oldest HEAD of a program that may use the database: a revision that only adds leaves it."""

PROMOTED_ATTRIBUTE = Table(
    "promoted_attribute",
    METADATA,
    Column("id", Integer, primary_key=True),
    # 'GGGGEEEE', and the private creator or ''.
    Column("tag", _TEXT, nullable=False),
    Column("creator", _TEXT, nullable=False, server_default=""),
    Column("level", Integer, nullable=False),
    Column("keyword", _TEXT, nullable=False),
    Column("vr", _TEXT, nullable=False),
    # That of its value rows.
    Column("path", _TEXT, nullable=False, unique=True),
    # 'filling', 'ready' or 'dropping'.
    Column("state", _TEXT, nullable=False),
    # The greatest id of its level's rows that is filled.
    Column("done", _ID, nullable=False, server_default="0"),
    UniqueConstraint("tag", "creator", "level"),
)
"""Attributes of the JSON column that were given value rows while the index was in use."""
