"""The partitioned layout: each row carries its patient's key, and tables are cut by it (PS3.4 C.6).

An index in PostgreSQL has it if it was made with partitions. The key comes from the Patient ID, so
that a query with one needs a single partition of each table. All other SQL stays as it is: it only
reads more partitions. No constraint holds a UID or a path unique over all partitions; the locks of
a writer do that (``ingest.patient_locks``).
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from dicomquest.index.tables.dialects import execute, rows, words_of
from dicomquest.index.tables.schema import ENTITY, FILE, VALUE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dicomquest.index.tables.dialects import Driven

PATIENT_KEY = "patient_key"
"""The column of the patient's key, the last one of each table of ``TABLES``."""

TABLES = (*ENTITY.values(), *VALUE.values(), FILE)
"""The tables that are cut into partitions, parents first."""

PARTITIONS_OF = "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('instance')"

# Characters of a Patient ID, as many as the identity of a patient has at least.
_KEYED = 64
_NAME = "is partitioned"
_FILE_IDS = "file_id_seq"


def key_of_text(patient_id: str) -> int:
    """Return the key of the patients with a Patient ID: a hash of 32 bits."""
    text = patient_id[:_KEYED].encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=4).digest(), "big", signed=True)


def patient_key(identity: str) -> int:
    """Return the key of the patient of an identity; without a Patient ID it has a study's UID."""
    patient_id, _, *study = json.loads(identity)
    return key_of_text(patient_id or study[0])


def is_partitioned(connection: Driven) -> bool:
    """Tell whether the index behind a connection has the partitioned layout."""
    if not words_of(connection).may_be_partitioned:
        return False
    found: bool | None = connection.info.get(_NAME)
    if found is None:
        found = connection.info[_NAME] = bool(execute(connection, PARTITIONS_OF).fetchone()[0])
    return found


def stored_keys(connection: Driven, table: str, ids: Collection[int]) -> dict[int, int]:
    """Return the keys of rows by id; nothing if the layout has none."""
    if not (ids and is_partitioned(connection)):
        return {}
    statement = f"SELECT id, {PATIENT_KEY} FROM {table} WHERE id {{in_values}}"
    return dict(rows(connection, statement, ids))


def statements(partitions: int) -> Iterator[str]:
    """Give the statements that replace the empty tables by partitioned ones."""
    yield f"DROP TABLE {', '.join(table.name for table in reversed(TABLES))}"
    yield f"CREATE SEQUENCE {_FILE_IDS}"
    metadata, dialect = MetaData(), postgresql.dialect()  # type: ignore[no-untyped-call]
    for original in TABLES:
        table = _partitioned(original, metadata)
        yield str(CreateTable(table).compile(dialect=dialect))
        for number in range(partitions):
            yield (
                f"CREATE TABLE {table.name}_p{number:03} PARTITION OF {table.name}"
                f" FOR VALUES WITH (MODULUS {partitions}, REMAINDER {number})"
            )
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            yield str(CreateIndex(index).compile(dialect=dialect))
    yield f"ALTER TABLE file ALTER COLUMN id SET DEFAULT nextval('{_FILE_IDS}')"
    yield f"ALTER SEQUENCE {_FILE_IDS} OWNED BY file.id"


def _partitioned(original: Table, metadata: MetaData) -> Table:
    """Return a table with the key in its primary, unique and foreign keys.

    The key comes last, so that an index also serves those who do not know it. All foreign keys are
    checked at the commit, as a study that moves takes its rows along to another partition.
    """
    columns: list[Column[Any]] = [
        Column(
            each.name, each.type, primary_key=each.primary_key, autoincrement=False,
            nullable=each.nullable, server_default=each.server_default,
        )
        for each in original.columns
    ]  # fmt: skip
    columns.append(Column(PATIENT_KEY, Integer, primary_key=True, autoincrement=False))
    constraints: list[Any] = [
        ForeignKeyConstraint(
            [key.parent.name, PATIENT_KEY],
            [key.target_fullname, key.target_fullname.replace(".id", f".{PATIENT_KEY}")],
            onupdate="CASCADE", ondelete=key.ondelete, deferrable=True, initially="DEFERRED",
        )
        for key in sorted(original.foreign_keys, key=lambda each: each.parent.name)
    ]  # fmt: skip
    if original is FILE:
        constraints.append(UniqueConstraint("path", PATIENT_KEY))
    table = Table(
        original.name,
        metadata,
        *columns,
        *constraints,
        postgresql_partition_by=f"HASH ({PATIENT_KEY})",
    )
    for each in original.indexes:
        names = [*each.columns.keys(), *([PATIENT_KEY] if each.unique else [])]
        where = each.dialect_options["postgresql"]["where"]
        condition = None if where is None else table.c[names[0]].is_not(None)
        Index(each.name, *(table.c[name] for name in names), unique=each.unique,
              postgresql_where=condition)  # fmt: skip
    return table
