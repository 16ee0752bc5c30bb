"""The database of an index: opened by path or URL, migrated, and shared by one writer and many readers."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from dicomquest.errors import IndexDatabaseError, MissingIndexError
from dicomquest.index.database.nodes import is_postgresql
from dicomquest.index.database.postgresql import PostgreSQL
from dicomquest.index.database.sqlite import SQLite
from dicomquest.index.tables.schema import HEAD, OLDEST_REVISION_SETTING, SETTING, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

    from dicomquest.index.tables.dialects import Dialect

LOGGER = logging.getLogger("dicomquest.index")

# Seconds that a replica may be behind a change of the schema, and between two looks at it.
_REPLICATION = 60.0
_PAUSE = 0.1


class Backend(Protocol):
    """What a kind of database does in its own way. ``errors`` are those of its driver, ``name`` is for messages."""

    dialect: Dialect
    name: str
    errors: tuple[type[Exception], ...]
    writer: Engine
    readers: Engine

    def refuse_unfit(self, connection: Connection) -> None:
        """IndexDatabaseError if the database can hold no index at all."""

    def is_replaying(self, connection: Connection) -> bool:
        """Whether what it has comes from another server."""

    def upgrading(self) -> AbstractContextManager[Connection]:
        """Give the one connection that changes the schema."""

    def upgrade(self, connection: Connection) -> None:
        """Run the missing revisions."""

    def has_trigrams(self, connection: Connection) -> bool:
        """Whether inner wild cards have an index."""

    def add_trigrams(self) -> bool:
        """Give them one; False if this database cannot."""

    def cause(self, error: Exception) -> str:
        """What went wrong, without patient data."""


class Database:
    """An open database at a schema that this program knows: ``begin`` to write, ``reader`` to query.

    Threads may share it. After a failure of the server the next call connects anew.
    """

    def __init__(
        self, location: str | os.PathLike[str], *, create: bool = True, is_replica: bool = False
    ) -> None:
        """Open, and bring the schema to the newest revision unless that comes by replication (``is_replica``)."""
        text = os.fspath(location)
        self._backend: Backend = (
            PostgreSQL(text, is_replica=is_replica)
            if is_postgresql(text)
            else SQLite(text, create=create)
        )
        self.dialect = self._backend.dialect
        self._writer, self._readers = self._backend.writer, self._backend.readers
        self._errors: tuple[type[Exception], ...] = (DBAPIError, *self._backend.errors)
        try:
            self._migrate(may_create=create, may_upgrade=not is_replica)
            with self._readers.connect() as connection:
                self.has_trigrams = self._backend.has_trigrams(connection)
            if not (self.has_trigrams or is_replica):
                self.has_trigrams = self._backend.add_trigrams()
        except self._errors as error:
            self.close()
            cause = self._backend.cause(error)
            raise IndexDatabaseError(
                f"{self._backend.name} cannot be opened as an index: {cause}"
            ) from error
        except IndexDatabaseError:
            self.close()
            raise

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give the connection of a write transaction, which has the write lock from its start."""
        with (
            self._failing("written"),
            self._writer.begin() as connection,
            _ended_if_interrupted(connection),
        ):
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a connection that only reads."""
        with (
            self._failing("read"),
            self._readers.connect() as connection,
            _ended_if_interrupted(connection),
        ):
            yield connection

    @contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        """Raise IndexDatabaseError for the driver's errors, unless they only follow from an interruption."""
        before = sys.exception()
        try:
            yield
        except self._errors as error:
            if _is_interruption(error, before):
                raise KeyboardInterrupt from error
            raise IndexDatabaseError(
                f"the index could not be {done}: {self._backend.cause(error)}"
            ) from error

    def reader(self) -> PoolProxiedConnection:
        """Check out the raw connection of one query; ``close`` gives it back."""
        try:
            return self._readers.raw_connection()
        except self._errors as error:
            raise IndexDatabaseError(
                f"the index could not be read: {self._backend.cause(error)}"
            ) from error

    def discard_readers(self) -> None:
        """Close all idle connections that read: where one is found broken, so are those that were open beside it."""
        self._readers.dispose()

    def close(self) -> None:
        """Close the connections that are not in use; those in use close when they come back."""
        self._writer.dispose()
        self._readers.dispose()

    def _migrate(self, *, may_create: bool, may_upgrade: bool) -> None:
        """Bring the schema to the newest revision; IndexDatabaseError if that is not what this program can use."""
        # Asked as a reader first: it does not wait for a writer.
        with self._readers.connect() as connection:
            revision = _revision(connection)
            if self._is_usable(connection, revision):
                return
            self._backend.refuse_unfit(connection)
            self._refuse_foreign(connection, revision)
        if not may_upgrade:
            self._await_replication(revision)
            return
        if revision is None and not may_create:
            raise MissingIndexError(f"{self._backend.name} has no index")
        with self._backend.upgrading() as connection:
            # Asked again with the lock: another process may have been first.
            revision = _revision(connection)
            if self._is_usable(connection, revision):
                return
            self._refuse_foreign(connection, revision)
            self._backend.upgrade(connection)

    def _await_replication(self, revision: str | None) -> None:
        """Wait until a replica has replayed what its primary's schema has become; IndexDatabaseError if it does not."""
        replica = f"the replica {self._backend.name}"
        patience = _REPLICATION if self.dialect == "postgresql" else 0.0
        if patience:
            LOGGER.info("%s %s: waiting for it, %.0f s at most", replica, _lack(revision), patience)
        is_replaying = True
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            time.sleep(_PAUSE)
            with self._readers.connect() as connection:
                revision = _revision(connection)
                if self._is_usable(connection, revision):
                    return
                is_replaying = self._backend.is_replaying(connection)
        waited = f", after {patience:.0f} s" if patience else ""
        hint = "" if is_replaying else "; it is no replica: nothing comes to it from another server"
        raise IndexDatabaseError(f"{replica} {_lack(revision)}{waited}{hint}")

    def _is_usable(self, connection: Connection, revision: str | None) -> bool:
        """Whether the schema is this program's, or a newer one that has only grown; IndexDatabaseError if too new."""
        if revision is None or revision < HEAD:
            return False
        if revision == HEAD:
            return True
        self._refuse_foreign(connection, revision)
        statement = "SELECT value FROM setting WHERE name = ?"
        oldest = connection.exec_driver_sql(statement, (OLDEST_REVISION_SETTING,)).scalar()
        if oldest is None or oldest > HEAD:
            known = f"this program knows none newer than {HEAD!r}"
            raise IndexDatabaseError(f"{self._backend.name} has schema {revision!r}; {known}")
        return True

    def _refuse_foreign(self, connection: Connection, revision: str | None) -> None:
        """IndexDatabaseError if there are tables, but not ours: Alembic's own may be there for another program."""
        tables = set(inspect(connection).get_table_names())
        if tables if revision is None else not tables.issuperset({SETTING.name, *TABLES.values()}):
            raise IndexDatabaseError(
                f"{self._backend.name} is another program's database, no index of this program"
            )


@contextmanager
def _ended_if_interrupted(connection: Connection) -> Iterator[None]:
    """End the connection with an interruption: in what state that leaves the driver is not known."""
    before = sys.exception()
    try:
        yield
    except BaseException as error:
        if _is_interruption(error, before):
            connection.invalidate()
        raise


def _is_interruption(error: BaseException, before: BaseException | None) -> bool:
    """Whether an error is an interruption or came of one, not of what was being handled ``before``."""
    each: BaseException | None = error
    while each is not None and each is not before:
        if isinstance(each, KeyboardInterrupt):
            return True
        each = each.__cause__ or each.__context__
    return False


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql(
        "SELECT version_num FROM alembic_version"
    ).scalar()
    return revision


def _lack(revision: str | None) -> str:
    """What a database lacks."""
    return "has no index" if revision is None else f"has schema {revision!r}, expected {HEAD!r}"
