"""Opening an index: its schema, its versions, and what is no index."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.index.database.pool import Database
from dicomquest.index.tables.migrations import NEWEST_REVISION
from dicomquest.index.tables.schema import METADATA, TABLES, TRIGRAMS

if TYPE_CHECKING:
    from pathlib import Path


def definitions(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Columns and indexes of each table in SQLite, without trigram tables and Alembic's."""
    connection = sqlite3.connect(path)
    found: dict[str, list[tuple[object, ...]]] = {}
    for (table,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    ).fetchall():
        if "_trigram" in table or table == "alembic_version":
            continue
        rows = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
        rows += connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
        for _, name, unique, _, partial in connection.execute(
            f"PRAGMA index_list({table})"
        ).fetchall():
            columns = [row[2] for row in connection.execute(f"PRAGMA index_info({name})")]
            rows.append((unique, partial, *columns))
        found[table] = sorted(rows, key=repr)
    connection.close()
    return found


def test_migrations_make_tables_of_schema(tmp_path: Path) -> None:
    """The migrations make the tables that the schema describes."""
    Database(tmp_path / "migrated.sqlite").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'created.sqlite'}")
    METADATA.create_all(engine)
    engine.dispose()
    created = definitions(tmp_path / "created.sqlite")
    assert definitions(tmp_path / "migrated.sqlite") == created
    assert set(created) >= set(TABLES.values())


def test_trigram_tables_have_schemas_columns(tmp_path: Path) -> None:
    """Each trigram table has the columns that the schema names."""
    Database(tmp_path / "x.sqlite").close()
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    for level, columns in TRIGRAMS.items():
        rows = connection.execute(f"PRAGMA table_info({TABLES[level]}_trigram)").fetchall()
        assert tuple(row[1] for row in rows) == columns
    connection.close()


def test_index_opens_again_by_path_and_by_url(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    Index(path, timezone_offset_minutes=60).close()
    for location in (path, str(path), f"sqlite:///{path}"):
        with Index(location, create=False) as index:
            # The zone was settled when the index was made.
            assert index.timezone_offset_minutes == 60


def test_database_is_created_once_for_all_openers(tmp_path: Path) -> None:
    """A database is created once, however many open it."""
    with ThreadPoolExecutor(4) as pool:
        for database in pool.map(Database, [tmp_path / "x.sqlite"] * 4):
            database.close()
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
        (NEWEST_REVISION,)
    ]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database " * 100)
    with pytest.raises(IndexDatabaseError, match="file is not a database"):
        Database(text)
    assert text.read_text().startswith("no database")
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(IndexDatabaseError, match="no index of this program"):
        Database(other)


def set_revision(path: Path, revision: str, oldest: str) -> None:
    """Make it the database of a newer program, which programs since ``oldest`` may use."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.execute("UPDATE setting SET value = ? WHERE name = 'oldest_revision'", (oldest,))
    connection.commit()
    connection.close()


def test_newer_schema_is_refused_unless_only_grown(tmp_path: Path) -> None:
    """A newer schema is refused unless it has only grown."""
    path = tmp_path / "x.sqlite"
    Database(path).close()
    set_revision(path, "9999", oldest="9998")
    with pytest.raises(IndexDatabaseError, match=f"'9999'.*{NEWEST_REVISION}"):
        Database(path)
    set_revision(path, "9999", oldest=NEWEST_REVISION)
    Database(path).close()


def test_use_of_newer_schema_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A program that may write into the index of a newer one says that it does."""
    path = tmp_path / "x.sqlite"
    Database(path).close()
    assert not caplog.messages
    set_revision(path, "9999", oldest=NEWEST_REVISION)
    Database(path).close()
    (message,) = caplog.messages
    assert message.startswith(f"{path} has schema '9999' of a newer dicomquest, ")
    assert message.endswith(
        f"which lets this one with schema '{NEWEST_REVISION}' read and write it"
    )


@pytest.mark.parametrize(
    ("revision", "oldest"), [("branch", "branch"), ("0000abcd", "x"), ("", "9999"), ("9999", "")]
)
def test_schema_of_no_known_form_is_refused(tmp_path: Path, revision: str, oldest: str) -> None:
    path = tmp_path / "x.sqlite"
    Database(path).close()
    set_revision(path, revision, oldest)
    with pytest.raises(IndexDatabaseError, match=f"schema '{revision}'.*update dicomquest"):
        Database(path)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://localhost/x", "'mysql' is not supported"),
        ("://", r"^://\.\.\. is no database URL: write postgresql://HOST/DATABASE"),
        ("mysql://me:secret@host:port/x", r"mysql://\.\.\. is no database URL"),
        (
            "postgresql+psycopg2://localhost/x",
            r"postgresql\+psycopg2:// is not supported: write postgresql://",
        ),
        (
            "postgresql://me:se@cret@localhost/x",
            "an unescaped @ or /: in user and password write %40",
        ),
        ("postgresql://me:cret/se@localhost/x", "an unescaped @ or /"),
        ("postgresql://me:se?x@cret@localhost/x", "an unescaped @ or /"),
        ("/nowhere/at/all.sqlite", "no folder /nowhere/at"),
    ],
)
def test_location_that_cannot_be_opened_says_why(location: str, message: str) -> None:
    with pytest.raises(IndexDatabaseError, match=message) as raised:
        Database(location)
    assert "cret" not in str(raised.value)


def test_missing_index_is_not_made_to_be_searched(tmp_path: Path) -> None:
    """A program that only asks does not make a missing index."""
    with pytest.raises(IndexDatabaseError, match="no index at"):
        Index(tmp_path / "x.sqlite", create=False)
    assert not (tmp_path / "x.sqlite").exists()


@pytest.mark.parametrize("create", [True, False])
def test_path_that_cannot_be_looked_at_says_so(tmp_path: Path, create: bool) -> None:
    """A name that no file system takes fails as a folder does that others may not enter."""
    with pytest.raises(IndexDatabaseError, match="cannot be read: File name too long"):
        Index(tmp_path / ("long" * 100) / "index.sqlite", create=create)


def test_readers_cannot_write(index: Index) -> None:
    with (
        pytest.raises(IndexDatabaseError, match=r"read-?only"),
        index._database.connect() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM patient")
