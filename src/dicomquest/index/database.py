"""The database of an index: opened by path or URL, migrated, and shared by one writer and many readers.

SQLite runs in WAL mode: readers see the last commit and are never blocked, writers take turns (QR-172). Every running
query has a connection of its own, which another thread may interrupt.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.schema import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

# The trigram tokenizer of FTS5 came with 3.34, the JSON operators of the queries with 3.38.
_OLDEST_SQLITE = (3, 38, 0)

# Connections that stay open between queries; more are opened for more queries at a time.
_IDLE_READERS = 8

# Each connection gets these; the values are SQLite's units.
_PRAGMAS = {
    "busy_timeout": 60_000,  # milliseconds that a writer waits for its turn
    "foreign_keys": "ON",
    "synchronous": "NORMAL",  # a power cut may lose the last commits, never the database: files can be read again
    "temp_store": "MEMORY",
    "cache_size": -8_000,  # KiB: the memory of a running query is bounded by this
}


def database_url(location: str | os.PathLike[str]) -> URL:
    """Read a SQLAlchemy URL, or the path of a SQLite file; IndexDatabaseError for a database that is not supported."""
    text_form = os.fspath(location)
    try:
        url = make_url(text_form) if "://" in text_form else URL.create("sqlite", database=text_form)
    except ArgumentError as error:
        raise IndexDatabaseError(f"{text_form!r} is neither a path nor a database URL: {error}") from error
    if url.get_backend_name() != "sqlite":
        raise IndexDatabaseError(f"an index in {url.get_backend_name()!r} is not supported, only in 'sqlite'")
    if url.database in (None, "", ":memory:"):
        raise IndexDatabaseError("an index needs a file: an SQLite database in memory has one connection only")
    return url


class Database:
    """An open database at the newest schema: ``begin`` to write, ``reader`` to query; threads may share it."""

    def __init__(self, location: str | os.PathLike[str], *, create: bool = True) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            oldest = ".".join(map(str, _OLDEST_SQLITE))
            raise IndexDatabaseError(f"SQLite {sqlite3.sqlite_version} is too old: {oldest} or later is needed")
        self.url = database_url(location)
        path = Path(str(self.url.database))
        if not create and not path.is_file():
            raise IndexDatabaseError(f"there is no index at {path}")
        if not path.absolute().parent.is_dir():
            raise IndexDatabaseError(f"there is no folder {path.absolute().parent} to hold the index")
        self._writer = _engine(self.url, writer=True)
        self._readers = _engine(self.url, writer=False)
        try:
            self._migrate()
        except (DBAPIError, sqlite3.Error) as error:
            self.close()
            raise IndexDatabaseError(f"{path} cannot be opened as an index: {_cause(error)}") from error
        except IndexDatabaseError:
            self.close()
            raise

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give the connection of a write transaction, which has the write lock from its start."""
        try:
            with self._writer.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise IndexDatabaseError(f"the index could not be written: {_cause(error)}") from error

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a connection that only reads."""
        try:
            with self._readers.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise IndexDatabaseError(f"the index could not be read: {_cause(error)}") from error

    def reader(self) -> PoolProxiedConnection:
        """Check out the raw connection of one query; ``close`` gives it back."""
        try:
            return self._readers.raw_connection()
        except DBAPIError as error:
            raise IndexDatabaseError(f"the index could not be read: {_cause(error)}") from error

    def close(self) -> None:
        """Close the connections that are not in use; those in use close when they come back."""
        self._writer.dispose()
        self._readers.dispose()

    def _migrate(self) -> None:
        """Bring the schema to the newest revision; a database of a newer program is refused."""
        # Asked as a reader first: it does not wait for a writer.
        with self._readers.connect() as connection:
            if _revision(connection) == HEAD:
                return
        with self._writer.begin() as connection:
            # Asked again with the write lock: another process may have been first.
            revision = _revision(connection)
            if revision == HEAD:
                return
            # Alembic takes 100 ms to import, and nearly every start finds the schema current.
            from dicomquest.index.migrations import run  # noqa: PLC0415

            if revision is None and inspect(connection).get_table_names():
                raise IndexDatabaseError(f"{self.url.database} is a database, but no index of this program")
            if revision is not None and not run.is_known(revision):
                message = f"{self.url.database} has schema {revision!r}; this program knows none newer than {HEAD!r}"
                raise IndexDatabaseError(message)
            run.upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _cause(error: Exception) -> str:
    """The driver's own words, without the SQL and its parameters: they may hold patient data."""
    return str(getattr(error, "orig", None) or error)


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
        # The driver's own transaction control opens none for DDL and none at once: ours is explicit.
        connection.isolation_level = None
        for name, value in _PRAGMAS.items():
            connection.execute(f"PRAGMA {name}={value}")
        connection.execute("PRAGMA journal_mode=WAL" if writer else "PRAGMA query_only=ON")

    if writer:

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
