"""An index in an SQLite file.

SQLite runs in WAL mode: readers see the last commit and are never blocked, writers take turns
(QR-172). Every running query has a connection of its own, which another thread may interrupt.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from dicomquest.errors import IndexDatabaseError, MissingIndexError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dicomquest.index.tables.dialects import Dialect

# The trigram tokenizer of FTS5 came with 3.34, the JSON operators of the queries with 3.38.
_OLDEST_SQLITE = (3, 38, 0)

# Connections that stay open between queries; more queries at a time open more.
_IDLE_READERS = 8

# Each connection gets these; the values are SQLite's units.
_PRAGMAS = {
    "busy_timeout": 60_000,  # milliseconds for a writer to get its turn
    "foreign_keys": "ON",
    # A power cut may lose the last commits, never the database: files can be read again.
    "synchronous": "NORMAL",
    "temp_store": "MEMORY",
    "cache_size": -8_000,  # KiB (by the sign), the bound on the memory of a running query
}


class SQLite:
    """The engines of one file."""

    dialect: Dialect = "sqlite"
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, location: str | os.PathLike[str], *, create: bool) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            oldest = ".".join(map(str, _OLDEST_SQLITE))
            raise IndexDatabaseError(
                f"SQLite {sqlite3.sqlite_version} is too old: {oldest} or later is needed"
            )
        url = _url(location)
        path = Path(str(url.database))
        self.name = str(path)
        try:
            if not create and not path.is_file():
                raise MissingIndexError(f"there is no index at {path}")
            if not path.absolute().parent.is_dir():
                raise IndexDatabaseError(
                    f"there is no folder {path.absolute().parent} to hold the index"
                )
        except OSError as error:
            raise IndexDatabaseError(f"{path} cannot be read: {error.strerror}") from error
        self.writer = _engine(url, writer=True)
        self.readers = _engine(url, writer=False)

    def refuse_unfit(self, connection: Connection) -> None:
        """Refuse nothing: every file holds all texts."""

    def is_replaying(self, connection: Connection) -> bool:  # noqa: ARG002
        """Return True: a file cannot tell whether a program copies it from another machine."""
        return True

    def upgrading(self) -> AbstractContextManager[Connection]:
        """Give the one connection that changes the schema; writers wait, readers go on."""
        return self.writer.begin()

    def upgrade(self, connection: Connection) -> None:
        """Run the missing revisions."""
        # Alembic takes 100 ms to import, and nearly every start finds the schema current.
        from dicomquest.index.tables.migrations import run  # noqa: PLC0415

        run.upgrade(connection)

    def has_trigrams(self, connection: Connection) -> bool:  # noqa: ARG002
        """Return True: the trigram tables come with the schema."""
        return True

    def add_trigrams(self) -> bool:
        """Return True: they are there."""
        return True

    def cause(self, error: Exception) -> str:
        """Return the driver's words, without SQL and parameters, which may be patient data."""
        return str(getattr(error, "orig", None) or error)


def _url(location: str | os.PathLike[str]) -> URL:
    text = os.fspath(location)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except (ArgumentError, ValueError) as error:
        # The message leaves out the rest, which may hold a password.
        raise IndexDatabaseError(
            f"{text.partition('://')[0]}://... is no database URL: "
            "write postgresql://HOST/DATABASE, or the path of a file"
        ) from error
    if url.get_backend_name() == "postgresql":
        raise IndexDatabaseError(f"{url.drivername}:// is not supported: write postgresql://")
    if url.get_backend_name() != "sqlite":
        supported = "only in 'sqlite' and 'postgresql'"
        raise IndexDatabaseError(
            f"an index in {url.get_backend_name()!r} is not supported, {supported}"
        )
    if url.database in (None, "", ":memory:"):
        raise IndexDatabaseError(
            "an index needs a file: an SQLite database in memory has one connection only"
        )
    return url


def _engine(url: URL, *, writer: bool) -> Engine:
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False},
        poolclass=QueuePool,
        pool_size=1 if writer else _IDLE_READERS,
        max_overflow=-1,
        pool_reset_on_return="rollback" if writer else None,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # We begin transactions ourselves: the driver begins none before a statement that changes
        # rows, and none for DDL.
        connection.isolation_level = None
        for name, value in _PRAGMAS.items():
            connection.execute(f"PRAGMA {name}={value}")
        connection.execute("PRAGMA journal_mode=WAL" if writer else "PRAGMA query_only=ON")

    if writer:

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
