"""An index in an SQLite file.

SQLite runs in WAL mode: readers see the last commit and are never blocked, writers take turns
(QR-172). Every running query has a connection of its own, which another thread may interrupt.

Without the right to write file and folder an index is read-only. SQLite cannot make the two files
of WAL mode then. If nobody writes the index, they are not there, and it is opened as immutable. If
somebody with more rights writes, they are there, and a reader uses them.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.pool import QueuePool

from dicomquest.errors import IndexDatabaseError, MissingIndexError

if TYPE_CHECKING:
    from collections.abc import Callable

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

REPLACE_DAMAGED = (
    "a damaged index is restored from a copy, or moved away and made again by "
    "`dicomquest index PATH...`"
)
"""The remedy for a file whose content is no index any more."""

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
        self.writer = _engine(url, writer=True)
        if path.is_file():
            path = path.resolve()
            self._read_only_reason = _why_read_only(path)
        if self._read_only_reason:
            _refuse_lost_commits(path)
            self.readers = _read_only_engine(path)
        else:
            self.readers = _engine(url, writer=False)

    def read_only_reason(self) -> str:
        """Return the right that is missing to write; nothing if the index can be written."""
        return self._read_only_reason

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
        original = getattr(error, "orig", None) or error
        code = getattr(original, "sqlite_errorcode", None)
        remedy = f"; {REPLACE_DAMAGED}" if code in _DAMAGED else ""
        return f"{original}{remedy}"

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


def _companion(path: Path, name: str) -> Path:
    """Return one of the two files that WAL mode has beside an index."""
    return path.with_name(f"{path.name}-{name}")


def _why_read_only(path: Path) -> str:
    """Return the right that is missing to write an index; nothing if all are there."""
    if not os.access(path, os.W_OK):
        return f"no right to write {path}"
    companions = [_companion(path, name) for name in ("wal", "shm")]
    if os.access(path.parent, os.W_OK) or all(os.access(each, os.W_OK) for each in companions):
        return ""
    return f"no right to write in its folder {path.parent}"


def _has_commits_apart(path: Path) -> bool:
    """Tell whether commits may be outside the file itself, in the log of WAL mode."""
    try:
        return _companion(path, "wal").stat().st_size > 0
    except OSError:
        return False


def _refuse_lost_commits(path: Path) -> None:
    """Raise IndexDatabaseError if commits can be read only by one who may write in the folder."""
    log, memory = _companion(path, "wal"), _companion(path, "shm")
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

    engine = _engine(URL.create("sqlite"), writer=False, creator=connect)

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


def _engine(
    url: URL, *, writer: bool, creator: Callable[[], sqlite3.Connection] | None = None
) -> Engine:
    how: dict[str, Any] = (
        {"connect_args": {"check_same_thread": False}} if creator is None else {"creator": creator}
    )
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1 if writer else _IDLE_READERS,
        max_overflow=-1,
        pool_reset_on_return="rollback" if writer else None,
        **how,
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
