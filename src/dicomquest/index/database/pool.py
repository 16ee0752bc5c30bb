"""The database of an index: opened by path or URL, migrated, for one writer and many readers."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from dicomquest.errors import IndexDatabaseError, MissingIndexError, WriteConflictError
from dicomquest.index.database.nodes import is_postgresql
from dicomquest.index.database.postgresql import PostgreSQL
from dicomquest.index.database.sqlite import SQLite
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.migrations import NEWEST_REVISION
from dicomquest.index.tables.schema import (
    OLDEST_REVISION_SETTING,
    SETTING,
    TABLES,
    UNFINISHED_COPY,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

    from dicomquest.index.database.pipelined_writer import Attempt
    from dicomquest.index.tables.dialects import Dialect, Driven

LOGGER = logging.getLogger("dicomquest.index")

# Seconds for a replica to follow a change of the schema, and between two looks at it.
_REPLICATION = 60.0
_PAUSE = 0.1

_REVISION = re.compile(r"\d{4}")


class Backend(Protocol):
    """One kind of database; ``errors`` are those of its driver, ``name`` is for messages."""

    dialect: Dialect
    name: str
    errors: tuple[type[Exception], ...]
    writer: Engine
    readers: Engine

    def fault_of_place(self, *, lately: bool = False) -> str:
        """Return why the opened file is not in its place any more; nothing if it is.

        ``lately`` allows an answer of some milliseconds ago.
        """

    def note_place(self) -> None:
        """Note the files beside the index, which belong to it."""

    def leave_place(self) -> None:
        """Close a file that is not in its place any more."""

    def short(
        self,
        locks: Sequence[int] | None,
        first: Callable[[Driven], Attempt | None] | None = None,
    ) -> AbstractContextManager[Driven]:
        """Give the connection of a short write transaction, as ``take_turn`` locks it.

        A server gets a ``first`` statement together with the locks.
        """

    def release(self) -> None:
        """Give back the idle connections of short transactions."""

    def take_turn(self, connection: Driven, locks: Sequence[int] | None) -> None:
        """Wait at the start of a write transaction until nobody writes what ``locks`` stand for."""

    def is_conflict(self, error: Exception) -> bool:
        """Tell whether a transaction may succeed once nobody else writes."""

    def refuse_unfit(self, connection: Connection) -> None:
        """Raise IndexDatabaseError if the database can hold no index at all."""

    def is_replaying(self, connection: Connection) -> bool:
        """Tell whether the server replays the changes of another one."""

    def read_only_reason(self) -> str:
        """Return the reason why the index cannot be written; nothing if it can."""

    def damage(self, connection: Connection) -> str:
        """Return the first fault of the files that hold the database; nothing if there is none."""

    def upgrading(self) -> AbstractContextManager[Connection]:
        """Give the one connection that changes the schema."""

    def upgrade(self, connection: Connection) -> None:
        """Run the missing revisions."""

    def partitions(self, connection: Connection) -> int:
        """Return the number of partitions of each table; 0 in the usual layout."""

    def partition(self, connection: Connection, partitions: int) -> None:
        """Cut the tables of an empty index into partitions by the key of the patient."""

    def has_trigrams(self, connection: Connection) -> bool:
        """Tell whether wild cards inside a text have an index."""

    def add_trigrams(self) -> bool:
        """Give them one; tell whether this database can."""

    def cause(self, error: Exception) -> str:
        """Return the words of an error, without patient data."""


class Database:
    """An open database of a known schema: ``begin`` to write, ``connect`` and ``reader`` to read.

    Threads may share it. After a failure of the server the next call connects anew.
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        create: bool = True,
        is_replica: bool = False,
        may_be_unfinished: bool = False,
        partitions: int = 0,
    ) -> None:
        """Open, and bring the schema to the newest revision; a replica gets it by replication.

        ``may_be_unfinished`` opens the target of an unfinished copy, too. ``partitions`` is the
        number that each table of a new index gets; an index with rows keeps the one it has.
        """
        self._partitions = partitions
        self._may_be_unfinished = may_be_unfinished
        self._location = os.fspath(location)
        self._is_replica = is_replica
        self._renewing = threading.Lock()
        self._trouble = ""
        self._is_open = False
        self._open(create=create)

    def _open(self, *, create: bool) -> None:
        text = self._location
        self._is_open = False
        backend: Backend = (
            PostgreSQL(text, is_replica=self._is_replica)
            if is_postgresql(text)
            else SQLite(text, create=create)
        )
        self._backend = backend
        self.dialect = backend.dialect
        self._writer, self._readers = backend.writer, backend.readers
        self._errors: tuple[type[Exception], ...] = (DBAPIError, *backend.errors)
        try:
            self._migrate(may_create=create, may_upgrade=not self._is_replica)
            if self._partitions:
                self._partition(self._partitions)
            with self._readers.connect() as connection:
                self._refuse_unfinished(connection)
                self.has_trigrams = backend.has_trigrams(connection)
                self.is_partitioned = backend.partitions(connection) > 0
            if not (self.has_trigrams or self._is_replica or backend.read_only_reason()):
                self.has_trigrams = backend.add_trigrams()
        except self._errors as error:
            self.close()
            cause = backend.cause(error)
            raise IndexDatabaseError(
                f"{backend.name} cannot be opened as an index: {cause}"
            ) from error
        except IndexDatabaseError:
            self.close()
            raise
        backend.note_place()
        self._is_open = True

    def renew(self) -> bool:
        """Open the file that has taken the place of the opened one; tell whether there is one.

        A server calls this every second. Trouble is logged when it begins.
        """
        with self._renewing:
            fault = self._backend.fault_of_place()
            if self._is_open and not fault:
                self._backend.note_place()
                return False
            self._backend.release()
            self._backend.leave_place()
            try:
                self._open(create=False)
            except IndexDatabaseError as error:
                self._note_trouble(str(error))
                return False
            self._trouble = ""
            LOGGER.warning("opened the index that is at %s now", self.name)
            return True

    def _note_trouble(self, trouble: str) -> None:
        """Log a failure to open the index once, not every second."""
        if trouble != self._trouble:
            LOGGER.error("%s; requests are refused until there is one", trouble)
        self._trouble = trouble

    def _present(self, *, lately: bool = False) -> Backend:
        """Return the backend; MissingIndexError if its file is not in its place any more."""
        backend = self._backend
        if fault := backend.fault_of_place(lately=lately):
            raise MissingIndexError(fault)
        if not self._is_open:
            raise MissingIndexError(self._trouble)
        return backend

    @property
    def location(self) -> str:
        """The path or URL by which another process opens it, with any password in it."""
        return self._location

    @property
    def name(self) -> str:
        """The path, or database and servers, for messages."""
        return self._backend.name

    def read_only_reason(self) -> str:
        """Return the reason why the index cannot be written; nothing if it can.

        A server answers for now: a replica may become a primary.
        """
        with self._failing("read"):
            return self._backend.read_only_reason()

    def refuse_read_only(self) -> None:
        """Raise IndexDatabaseError unless the index can be written."""
        reason = self.read_only_reason()
        if reason:
            raise IndexDatabaseError(f"{self.name} is read-only: {reason}")

    def refuse_damaged(self) -> None:
        """Raise IndexDatabaseError if the files that hold the database have a fault."""
        with self.connect() as connection:
            damage = self._backend.damage(connection)
        if damage:
            raise IndexDatabaseError(f"{self.name} is damaged: {damage}")

    @contextmanager
    def begin(self, locks: Sequence[int] | None = None) -> Iterator[Connection]:
        """Give the connection of a write transaction; it holds the write lock from its start.

        With ``locks`` on a server, it shares that lock and holds these: others write meanwhile, and
        WriteConflictError says that they came in between.
        """
        backend = self._present()
        if self.dialect == "sqlite":
            # SQLite would say so only at the first change, and without the reason.
            self.refuse_read_only()
            self._backend.release()
        with (
            self._failing("written"),
            backend.writer.begin() as connection,
            _ended_if_interrupted(connection),
        ):
            backend.take_turn(connection, locks)
            yield connection
        # Else the caller would take for kept what is in a file without a name.
        _refuse_misplaced(backend)

    @contextmanager
    def begin_short(
        self,
        locks: Sequence[int] | None = None,
        first: Callable[[Driven], Attempt | None] | None = None,
    ) -> Iterator[Driven]:
        """Do the same for a transaction of few statements, none of which needs SQLAlchemy.

        With ``locks`` on a server, the ``first`` one goes out with them, and has its row then.
        """
        # A look at the end decides; an earlier one only tells sooner.
        backend = self._present(lately=True)
        if self.dialect == "sqlite" and backend.read_only_reason():
            self.refuse_read_only()
        with self._failing("written"), backend.short(locks, first) as held:
            yield held
        _refuse_misplaced(backend)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a connection that only reads."""
        backend = self._present()
        with (
            self._failing("read"),
            backend.readers.connect() as connection,
            _ended_if_interrupted(connection),
        ):
            yield connection

    @contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        """Raise the driver's errors as IndexDatabaseError, or as the interruption behind them."""
        before = sys.exception()
        try:
            yield
        except self._errors as error:
            if _is_interruption(error, before):
                raise KeyboardInterrupt from error
            kind = WriteConflictError if self._backend.is_conflict(error) else IndexDatabaseError
            raise kind(f"the index could not be {done}: {self._backend.cause(error)}") from error

    def reader(self) -> PoolProxiedConnection:
        """Check out the driver's connection for one query; its ``close`` gives it back."""
        backend = self._present(lately=True)
        try:
            return backend.readers.raw_connection()
        except self._errors as error:
            raise IndexDatabaseError(
                f"the index could not be read: {self._backend.cause(error)}"
            ) from error

    def discard_readers(self) -> None:
        """Close all idle connections that read: if one is broken, the others are too."""
        self._readers.dispose()

    def setting(self, name: str, default: str) -> str:
        """Return a setting of the index; a missing one gets its default, for good."""
        query = SETTING.select().where(SETTING.c.name == name)
        with self.connect() as connection:
            row = connection.execute(query).first()
        if row is None and not self.read_only_reason():
            with self.begin() as connection:
                row = connection.execute(query).first()
                if row is None:
                    connection.execute(SETTING.insert().values(name=name, value=default))
        return default if row is None else str(row.value)

    def close(self) -> None:
        """Close the connections that are not in use; those in use close when they come back."""
        self._backend.release()
        self._writer.dispose()
        self._readers.dispose()

    def _migrate(self, *, may_create: bool, may_upgrade: bool) -> None:
        """Bring the schema to the newest revision; IndexDatabaseError if it stays unusable."""
        # A reader looks first: it does not wait for a writer.
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
        self._refuse_read_only_upgrade(revision)
        with self._backend.upgrading() as connection:
            # Another process may have upgraded before this one got the lock.
            revision = _revision(connection)
            if self._is_usable(connection, revision):
                return
            self._refuse_foreign(connection, revision)
            self._backend.upgrade(connection)

    def _partition(self, wanted: int) -> None:
        """Cut the tables of an empty index; IndexDatabaseError if it has another layout."""
        if not DIALECTS[self.dialect].may_be_partitioned:
            raise IndexDatabaseError(
                f"{self.name} cannot have partitions: only an index in PostgreSQL can"
            )
        with self._backend.upgrading() as connection:
            has = self._backend.partitions(connection)
            if not has:
                self._backend.partition(connection, wanted)
            elif has != wanted:
                raise IndexDatabaseError(
                    f"{self.name} has {has} partitions, not {wanted}: leave --partitions out, or "
                    "name an empty database"
                )

    def _refuse_read_only_upgrade(self, revision: str | None) -> None:
        """Raise IndexDatabaseError if the schema has to change, and the file cannot."""
        if self.dialect != "sqlite" or revision is None:
            return
        reason = self._backend.read_only_reason()
        if reason:
            raise IndexDatabaseError(
                f"{self._backend.name} {_lack(revision)}: open it once with this program and the "
                f"right to write, as `dicomquest check` does ({reason})"
            )

    def _await_replication(self, revision: str | None) -> None:
        """Wait until a replica has the schema of its primary; IndexDatabaseError after a minute."""
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
        hint = "" if is_replaying else "; it is no replica: no other server sends it changes"
        raise IndexDatabaseError(f"{replica} {_lack(revision)}{waited}{hint}")

    def _is_usable(self, connection: Connection, revision: str | None) -> bool:
        """Tell whether this program can use the schema; IndexDatabaseError if it is too new."""
        if revision is None:
            return False
        is_known = _REVISION.fullmatch(revision) is not None and revision <= NEWEST_REVISION
        if is_known:
            return revision == NEWEST_REVISION
        self._refuse_foreign(connection, revision)
        statement = "SELECT value FROM setting WHERE name = ?"
        oldest = connection.exec_driver_sql(statement, (OLDEST_REVISION_SETTING,)).scalar()
        newer = f"{self._backend.name} has schema {revision!r} of a newer dicomquest"
        if oldest is None or _REVISION.fullmatch(oldest) is None or oldest > NEWEST_REVISION:
            raise IndexDatabaseError(
                f"{newer}, this one knows {NEWEST_REVISION!r} and may not use it: update dicomquest"
            )
        LOGGER.warning(
            "%s, which lets this one with schema %r read and write it", newer, NEWEST_REVISION
        )
        return True

    def _refuse_unfinished(self, connection: Connection) -> None:
        """Raise IndexDatabaseError if an index has been copied into this database only in part."""
        query = SETTING.select().where(SETTING.c.name == UNFINISHED_COPY)
        if not self._may_be_unfinished and connection.execute(query).first() is not None:
            raise IndexDatabaseError(
                f"{self._backend.name} has only a part of the index that is being copied into it: "
                "run dicomquest copy-index again"
            )

    def _refuse_foreign(self, connection: Connection, revision: str | None) -> None:
        """Raise IndexDatabaseError if the tables are not ours; others may use Alembic, too."""
        tables = set(inspect(connection).get_table_names())
        if tables if revision is None else not tables.issuperset({SETTING.name, *TABLES.values()}):
            raise IndexDatabaseError(
                f"{self._backend.name} is another program's database, no index of this program"
            )


def _refuse_misplaced(backend: Backend) -> None:
    if fault := backend.fault_of_place():
        raise MissingIndexError(fault)


@contextmanager
def _ended_if_interrupted(connection: Connection) -> Iterator[None]:
    """Close the connection after an interruption, which leaves its driver in an unknown state."""
    before = sys.exception()
    try:
        yield
    except BaseException as error:
        if _is_interruption(error, before):
            connection.invalidate()
        raise


def _is_interruption(error: BaseException, before: BaseException | None) -> bool:
    """Tell whether an error is an interruption or follows from one that came after ``before``."""
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
    """Return the fault of a schema in words."""
    return (
        "has no index"
        if revision is None
        else f"has schema {revision!r}, expected {NEWEST_REVISION!r}"
    )
