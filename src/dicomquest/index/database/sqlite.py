"""An index in an SQLite file.

SQLite runs in WAL mode: readers see the last commit and are never blocked, writers take turns
(QR-172). Every running query has a connection of its own, which another thread may interrupt.

Without the right to write file and folder an index is read-only. SQLite cannot make the two files
of WAL mode then. If nobody writes the index, they are not there, and it is opened as immutable. If
somebody with more rights writes, they are there, and a reader uses them.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from dicomquest.errors import IndexDatabaseError, MissingIndexError
from dicomquest.index.database.file_place import FilePlace, companion
from dicomquest.index.database.held_writer import HeldWriters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    from dicomquest.index.database.held_writer import HeldConnection
    from dicomquest.index.database.pipelined_writer import Attempt
    from dicomquest.index.tables.dialects import Dialect, Driven

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

REPLACE_DAMAGED = (
    "a damaged index is restored from a copy, or moved away and made again by "
    "`dicomquest index PATH...`"
)
"""The remedy for a file whose content is no index any more."""

_LEAST_ROOM = 64 * 1024
"""Bytes on the disk below which SQLite's error of reading or writing means a full one."""

_LEAVING = 1000
"""Milliseconds for running queries to end before an index is left that has been replaced."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


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
        self._read_only_reason = ""
        try:
            if not create and not path.is_file():
                raise MissingIndexError(f"there is no index at {path}")
            if not path.absolute().parent.is_dir():
                raise IndexDatabaseError(
                    f"there is no folder {path.absolute().parent} to hold the index"
                )
        except OSError as error:
            raise IndexDatabaseError(f"{path} cannot be read: {error.strerror}") from error
        if create and not path.exists():
            _make(path)
        if path.is_file():
            path = path.resolve()
            self._read_only_reason = _why_read_only(path)
        self._place = FilePlace(path)
        self.writer = _engine(partial(_connect, self._place), writer=True)
        if self._read_only_reason:
            _refuse_lost_commits(path)
            self.readers = _read_only_engine(path)
        else:
            self.readers = _engine(partial(_connect, self._place), writer=False)
        self._short = HeldWriters()

    def read_only_reason(self) -> str:
        """Return the right that is missing to write; nothing if the index can be written."""
        return self._read_only_reason

    def fault_of_place(self, *, lately: bool = False) -> str:
        """Return why the opened file is not in its place any more; nothing if it is."""
        fault = self._place.fault_lately() if lately else self._place.fault()
        if fault and self._read_only_reason and self._place.path.is_file():
            return ""  # its readers look for another file themselves
        return fault

    def note_place(self) -> None:
        """Note the files beside the index, which belong to it."""
        self._place.note_companions()

    def leave_place(self) -> None:
        """Write the log to the opened file, close it, and take the log from its place."""
        is_log_empty = False
        if not self._read_only_reason:
            # A pooled connection has the file open; a new one cannot have it any more.
            with (
                suppress(SQLAlchemyError, sqlite3.Error),
                closing(self.readers.raw_connection()) as connection,
            ):
                driver: Any = connection.driver_connection
                driver.execute("PRAGMA query_only=OFF")
                driver.execute(f"PRAGMA busy_timeout={_LEAVING}")
                busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                is_log_empty = not busy
        self.readers.dispose()
        self.writer.dispose()
        self._place.put_companions_away(is_log_empty=is_log_empty)

    def short(
        self,
        locks: Sequence[int] | None,  # noqa: ARG002
        first: Callable[[Driven], Attempt | None] | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[HeldConnection]:
        """Give the connection of a short write transaction, which nothing is sent to first."""
        return self._short.transaction(self.writer)

    def release(self) -> None:
        """Give the idle connection of short transactions back to the pool."""
        self._short.release()

    def take_turn(self, connection: Driven, locks: Sequence[int] | None) -> None:
        """Do nothing: a transaction holds the lock of the file."""

    def is_conflict(self, error: Exception) -> bool:  # noqa: ARG002
        """Return False: nobody else writes meanwhile."""
        return False

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

    def partitions(self, connection: Connection) -> int:  # noqa: ARG002
        """Return 0: a file has no partitions."""
        return 0

    def partition(self, connection: Connection, partitions: int) -> None:
        """Do nothing: only a server has partitions."""

    def has_trigrams(self, connection: Connection) -> bool:  # noqa: ARG002
        """Return True: the trigram tables come with the schema."""
        return True

    def add_trigrams(self) -> bool:
        """Return True: they are there."""
        return True

    def cause(self, error: Exception) -> str:
        """Return the driver's words, without SQL and parameters, which may be patient data."""
        original = getattr(error, "orig", None) or error
        code = getattr(original, "sqlite_errorcode", None)
        remedy = f"; {REPLACE_DAMAGED}" if code in _DAMAGED else ""
        if isinstance(code, int) and code & 0xFF == sqlite3.SQLITE_IOERR and self._is_disk_full():
            remedy = "; the disk is full"
        return f"{original}{remedy}"

    def _is_disk_full(self) -> bool:
        """Tell whether there is no room for the files of WAL mode."""
        with suppress(OSError):
            return shutil.disk_usage(self._place.path.parent).free < _LEAST_ROOM
        return False

    def damage(self, connection: Connection) -> str:
        """Look at every page; return the first fault in SQLite's words, nothing if all is right."""
        found = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one())
        return "" if found == "ok" else f"{' '.join(found.split())}; {REPLACE_DAMAGED}"


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


def _make(path: Path) -> None:
    """Make an empty file: only here, so that no later connection makes one in its place."""
    # SQLite says better than we can why that is not possible. A file that is there is not opened:
    # closing it would let go of the locks of this process's connections.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))


def _connect(place: FilePlace) -> sqlite3.Connection:
    """Open the file that was there from the beginning, and no other one."""
    connection = sqlite3.connect(
        f"{place.path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False
    )
    if fault := place.fault():
        connection.close()
        raise sqlite3.OperationalError(fault)
    return connection


def _why_read_only(path: Path) -> str:
    """Return the right that is missing to write an index; nothing if all are there."""
    if not os.access(path, os.W_OK):
        return f"no right to write {path}"
    companions = [companion(path, name) for name in ("wal", "shm")]
    if os.access(path.parent, os.W_OK) or all(os.access(each, os.W_OK) for each in companions):
        return ""
    return f"no right to write in its folder {path.parent}"


def _has_commits_apart(path: Path) -> bool:
    """Tell whether commits may be outside the file itself, in the log of WAL mode."""
    try:
        return companion(path, "wal").stat().st_size > 0
    except OSError:
        return False


def _refuse_lost_commits(path: Path) -> None:
    """Raise IndexDatabaseError if commits can be read only by one who may write in the folder."""
    log, memory = companion(path, "wal"), companion(path, "shm")
    if _has_commits_apart(path) and not memory.exists() and not os.access(path.parent, os.W_OK):
        raise IndexDatabaseError(
            f"{path} is read-only, and its last commits are still in {log.name}: open it once with "
            "the right to write in its folder, as `dicomquest check` does"
        )


def _read_only_engine(path: Path) -> Engine:
    """Return the engine of readers of an index that this process cannot write."""

    def connect() -> sqlite3.Connection:
        options = "mode=ro" if _has_commits_apart(path) else "immutable=1"
        return sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, check_same_thread=False)

    engine = _engine(connect, writer=False)

    @event.listens_for(engine, "connect")
    def note(_connection: object, record: Any) -> None:
        record.info["state"] = _state(path)

    @event.listens_for(engine, "checkout")
    def refuse_outdated(_connection: object, record: Any, _proxy: object) -> None:
        # SQLite does not look for changes of a file that it opened as immutable, so we do: somebody
        # with more rights may write it, or put another one in its place.
        if record.info["state"] != _state(path):
            raise InvalidatePoolError

    return engine


def _state(path: Path) -> tuple[int, int, int, bool]:
    """Return the facts by which a changed file is known."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, _has_commits_apart(path)


def _engine(connect: Callable[[], sqlite3.Connection], *, writer: bool) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=connect,
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
