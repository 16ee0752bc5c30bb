"""Short transactions use one connection again, and a failed one leaves nothing behind."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from dicomquest.errors import IndexDatabaseError, MissingIndexError
from dicomquest.index.database.pool import Database
from dicomquest.index.tables.dialects import execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSERT = "INSERT INTO occurrence (path, part) VALUES (?, 0)"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "index.sqlite")
    yield opened
    opened.close()


def write(database: Database, text: str, failure: BaseException | None = None) -> int:
    """Write a row, or fail afterwards; return the identity of the driver's connection."""
    with database.begin_short() as connection:
        execute(connection, INSERT, (text,))
        if failure is not None:
            raise failure
        return id(connection.connection.driver_connection)


def texts(database: Database) -> list[str]:
    with database.connect() as connection:
        found = connection.exec_driver_sql("SELECT path FROM occurrence ORDER BY path")
        return list(found.scalars())


def test_next_transaction_has_the_same_connection(database: Database) -> None:
    assert write(database, "a") == write(database, "b")
    assert texts(database) == ["a", "b"]


def test_long_transaction_has_it_too(database: Database) -> None:
    short = write(database, "a")
    with database.begin() as connection:
        assert id(connection.connection.driver_connection) == short


@pytest.mark.parametrize("failure", [OSError(), KeyboardInterrupt()], ids=["error", "interruption"])
def test_failed_transaction_leaves_nothing(database: Database, failure: BaseException) -> None:
    write(database, "a")
    with pytest.raises(type(failure)):
        write(database, "b", failure)
    write(database, "c")
    assert texts(database) == ["a", "c"]


def test_error_of_the_driver_is_one_of_the_index(database: Database) -> None:
    write(database, "a")
    with pytest.raises(IndexDatabaseError, match="the index could not be written: UNIQUE"):
        write(database, "a")


def test_writer_waits_for_another_one(database: Database, tmp_path: Path) -> None:
    write(database, "a")
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    with database.begin_short() as connection:
        other.execute("PRAGMA busy_timeout=0")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        execute(connection, INSERT, ("b",))
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_commit_to_a_removed_file_is_none(database: Database, tmp_path: Path) -> None:
    write(database, "a")
    (tmp_path / "index.sqlite").unlink()
    with pytest.raises(MissingIndexError, match="is gone"):
        write(database, "b")


def test_renewed_index_has_a_connection_of_its_own(database: Database, tmp_path: Path) -> None:
    write(database, "a")
    other = Database(tmp_path / "other.sqlite")
    write(other, "b")
    other.close()
    (tmp_path / "other.sqlite").rename(tmp_path / "index.sqlite")
    assert database.renew()
    write(database, "c")
    assert texts(database) == ["b", "c"]
