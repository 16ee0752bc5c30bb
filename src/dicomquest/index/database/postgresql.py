"""An index in a PostgreSQL database, on one server or on a primary and its replicas.

Queries see the last commit and are never blocked (QR-172). A transaction that writes holds advisory
locks from its start, as an SQLite transaction holds the lock of the file, so it writes upon what it
has read. It either holds the lock of all writers of all nodes alone, or shares that one and holds
a lock for each patient and study that it changes: then writers of other patients go on meanwhile.
It takes its locks in one order, the shared one first, so that no two wait for each other.
"""

from __future__ import annotations

import logging
import select
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import NullPool, QueuePool

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.database import nodes
from dicomquest.index.database.pipelined_writer import PipelinedWriters
from dicomquest.index.tables import partitioned
from dicomquest.index.tables.dialects import READER_SETTINGS, execute, percent_marks
from dicomquest.index.tables.schema import TABLES, TRIGRAM_INDEXES, TrigramIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from dicomquest.index.database.pipelined_writer import Attempt, PipelinedConnection
    from dicomquest.index.tables.dialects import Dialect, Driven

LOGGER = logging.getLogger("dicomquest.index")

_OLDEST_SERVER = 13

# Before 15, a row that moved to another partition was a deleted one for foreign keys.
_PARTITIONING = 150_000

# Connections that stay open between queries; more queries at a time open more.
_IDLE_READERS = 8

# The advisory locks, of all writers and of a change of the schema: numbers that no other program
# takes. Those of patients and studies are hashes.
_WRITE_LOCK = 0x64715F77
_SCHEMA_LOCK = 0x64715F73

# A node that is gone without a word must not keep the write lock: the server ends its connection as
# soon as nodes.DEFAULTS end ours.
_PEER_IS_GONE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_WRITER_SETTINGS = {
    **_PEER_IS_GONE,
    # No limit, because a commit that is cancelled while it waits for a replica reports success.
    "statement_timeout": "0",
    "lock_timeout": "60s",  # for a writer to get its turn
    "idle_in_transaction_session_timeout": "5min",  # for a process that is stopped, not gone
}
_SCHEMA_SETTINGS = {
    **_PEER_IS_GONE,
    "statement_timeout": "0",
    # Queries queue behind a connection that waits for a table's lock, so it waits for short times.
    "lock_timeout": "300ms",
}
# Row by row in the order of the list, as a function scan gives it.
_SHARED_TURN = """
    SELECT count(CASE place WHEN 1 THEN pg_advisory_xact_lock_shared(number)
        ELSE pg_advisory_xact_lock(number) END)
    FROM unnest(?::bigint[]) WITH ORDINALITY AS each (number, place)"""

_CONFLICTS = {
    "23505",  # unique_violation
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "53200",  # out_of_memory: the server's table of locks is full
}

_LOCK_ATTEMPTS = 1000
_PAUSE = 0.1  # seconds between two attempts


class PostgreSQL:
    """The engines of one database."""

    dialect: Dialect = "postgresql"

    def __init__(self, location: str, *, is_replica: bool = False) -> None:
        try:
            # An index in SQLite does without.
            import psycopg  # noqa: PLC0415
        except ImportError as error:
            raise IndexDatabaseError(
                f"an index in PostgreSQL needs psycopg: pip install 'psycopg[binary]' ({error})"
            ) from error
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self.name = nodes.described(location)
        read = nodes.Use.READ_REPLICA if is_replica else nodes.Use.READ
        reading = {**_PEER_IS_GONE, **READER_SETTINGS}
        self._location = location
        self.writer = self._engine(
            nodes.Use.WRITE, _WRITER_SETTINGS, QueuePool, pool_size=1, pool_pre_ping=True
        )
        self.readers = self._engine(
            read, reading, QueuePool, pool_size=_IDLE_READERS, pool_reset_on_return=None
        )
        event.listen(self.readers, "checkout", _refuse_lost)
        self._short = PipelinedWriters(_is_lost)

    def take_turn(self, connection: Driven, locks: Sequence[int] | None) -> None:
        """Wait for the lock of all writers, or share it and wait for those of ``locks``."""
        if locks is None:
            execute(connection, f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")
        else:
            execute(connection, _SHARED_TURN, ([_WRITE_LOCK, *sorted(locks)],))

    @contextmanager
    def short(
        self,
        locks: Sequence[int] | None,
        first: Callable[[Driven], Attempt | None] | None = None,
    ) -> Iterator[PipelinedConnection]:
        """Give the connection of a short write transaction.

        It need not have its locks yet, unless there is a ``first`` statement, which has run.
        """

        def begin(held: PipelinedConnection) -> None:
            attempt = None if first is None or locks is None else first(held)
            if attempt is None or locks is None:
                self.take_turn(held, locks)
            else:
                numbers = ",".join(map(str, (_WRITE_LOCK, *sorted(locks))))
                held.begin((_SHARED_TURN, f"{{{numbers}}}"), attempt)

        with self._short.transaction(self.writer, begin) as connection:
            yield connection

    def release(self) -> None:
        """Close the idle connections of short transactions."""
        self._short.release()

    def is_conflict(self, error: Exception) -> bool:
        """Tell whether a transaction failed for what another one wrote, or for too many locks."""
        return getattr(getattr(error, "orig", error), "sqlstate", None) in _CONFLICTS

    def _engine(
        self, use: nodes.Use, settings: Mapping[str, str], pool: Any, **pool_arguments: Any
    ) -> Engine:
        import psycopg  # noqa: PLC0415

        parameters = {**nodes.parameters(self._location, use), "client_encoding": "UTF8"}
        setting = "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())

        def connect() -> Any:
            # libpq takes all of them as texts.
            connection = psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]
            try:
                connection.execute(setting)
                connection.autocommit = use is not nodes.Use.WRITE
            except BaseException:
                connection.close()
                raise
            return connection

        if pool is QueuePool:
            pool_arguments["max_overflow"] = -1
        engine = create_engine(
            "postgresql+psycopg://",
            creator=connect,
            poolclass=pool,
            hide_parameters=True,
            use_native_hstore=False,
            **pool_arguments,
        )

        @event.listens_for(engine, "before_cursor_execute", retval=True)
        def translate(
            _connection: object,
            _cursor: object,
            statement: str,
            parameters: Any,
            context: Any,
            _many: object,
        ) -> tuple[str, Any]:
            # A statement that SQLAlchemy has compiled is in the driver's dialect already.
            return (percent_marks(statement) if context.compiled is None else statement), parameters

        return engine

    def fault_of_place(self, *, lately: bool = False) -> str:  # noqa: ARG002
        """Return nothing: connections say themselves that the server is gone."""
        return ""

    def note_place(self) -> None:
        """Note nothing: a server has no place that another one could take."""

    def leave_place(self) -> None:
        """Do nothing: a server is never left for another one."""

    def refuse_unfit(self, connection: Connection) -> None:
        """Raise IndexDatabaseError if the server is too old, or the encoding is not UTF8."""
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10000
        if version < _OLDEST_SERVER:
            raise IndexDatabaseError(
                f"{self.name}: PostgreSQL {version} is too old: {_OLDEST_SERVER} or later is needed"
            )
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            hint = "make a database with `createdb --encoding UTF8 --template template0`"
            raise IndexDatabaseError(
                f"{self.name} has the encoding {encoding}, expected UTF8: {hint}"
            )

    def is_replaying(self, connection: Connection) -> bool:
        """Tell whether the server replays the changes of another one."""
        return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())

    def read_only_reason(self) -> str:
        """Return the reason why the index cannot be written now; nothing if it can."""
        with self.readers.connect() as connection:
            if self.is_replaying(connection):
                return "its server replays the changes of another one"
            statement = "SELECT has_table_privilege('instance', 'INSERT')"
            may_write = connection.exec_driver_sql(statement).scalar_one()
        return "" if may_write else "the account has no right to write its tables"

    def damage(self, connection: Connection) -> str:  # noqa: ARG002
        """Return nothing: the server looks after its own files."""
        return ""

    @contextmanager
    def upgrading(self) -> Iterator[Connection]:
        """Give the one connection that changes the schema; writers and readers go on meanwhile."""
        engine = self._engine(nodes.Use.WRITE, _SCHEMA_SETTINGS, NullPool)
        with engine.connect() as connection:
            has_waited = False
            # It tries again and again: to wait inside a statement is to hold a snapshot, and that
            # would hold up an index that another connection builds CONCURRENTLY.
            while not connection.exec_driver_sql(
                f"SELECT pg_try_advisory_lock({_SCHEMA_LOCK})"
            ).scalar():
                connection.rollback()
                if not has_waited:
                    LOGGER.info("%s: another process changes the schema, waiting for it", self.name)
                has_waited = True
                time.sleep(_PAUSE)
            connection.rollback()
            # No pool keeps the connection, so the lock ends with it.
            yield connection

    def upgrade(self, connection: Connection) -> None:
        """Run the missing revisions, each in a transaction; try again if a table is locked."""
        from psycopg.errors import LockNotAvailable  # noqa: PLC0415

        # Alembic takes 100 ms to import, and nearly every start finds the schema current.
        from dicomquest.index.tables.migrations import run  # noqa: PLC0415

        connection.rollback()
        for _ in range(_LOCK_ATTEMPTS):
            try:
                run.upgrade(connection)
            except DBAPIError as error:
                connection.rollback()
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                time.sleep(_PAUSE)
            else:
                return
        raise IndexDatabaseError(
            f"{self.name}: long queries hold its tables, so the schema stays as it is: try again"
        )

    def partitions(self, connection: Connection) -> int:
        """Return the number of partitions of each table; 0 in the usual layout."""
        return int(connection.exec_driver_sql(partitioned.PARTITIONS_OF).scalar_one())

    def partition(self, connection: Connection, partitions: int) -> None:
        """Cut the tables of an empty index into partitions by the key of the patient."""
        if int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) < _PARTITIONING:
            raise IndexDatabaseError(f"{self.name}: partitions need PostgreSQL 15 or later")
        self._refuse_rows(connection)
        # Nobody commits rows between the second look and the end of the tables.
        names = ", ".join(table.name for table in partitioned.TABLES)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        self._refuse_rows(connection)
        for statement in partitioned.statements(partitions):
            connection.exec_driver_sql(statement)
        connection.commit()

    def _refuse_rows(self, connection: Connection) -> None:
        for table in (*TABLES.values(), "file"):
            if connection.exec_driver_sql(f"SELECT EXISTS (SELECT 1 FROM {table})").scalar():
                raise IndexDatabaseError(
                    f"{self.name} has an index already: name an empty database for --partitions, "
                    "and use dicomquest copy-index to fill it"
                )

    def has_trigrams(self, connection: Connection) -> bool:
        """Tell whether wild cards inside a text have an index."""
        return not _missing_trigrams(connection)

    def add_trigrams(self) -> bool:
        """Build missing trigram indexes while all go on; tell whether the server lets us."""
        with self.upgrading() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            except DBAPIError as error:
                LOGGER.warning(
                    "%s: wild cards that begin with * are slow without the extension pg_trgm: %s",
                    self.name,
                    self.cause(error),
                )
                return False
            # To build an index CONCURRENTLY waits for writers, but nobody waits for it.
            connection.exec_driver_sql("SET lock_timeout = 0")
            # No server builds an index of all partitions CONCURRENTLY.
            how = "" if self.partitions(connection) else "CONCURRENTLY "
            for index in _missing_trigrams(connection):
                # An unfinished index exists already, but is not valid.
                connection.exec_driver_sql(f"DROP INDEX {how}IF EXISTS {index.name}")
                connection.exec_driver_sql(
                    f"CREATE INDEX {how}{index.name} ON {index.table} "
                    f"USING gin ({index.column} gin_trgm_ops) WHERE {index.column} IS NOT NULL"
                )
        return True

    def cause(self, error: Exception) -> str:
        """Return the server's words, without SQL, parameters and row, which are patient data."""
        original: Any = getattr(error, "orig", None) or error
        diagnosis = getattr(original, "diag", None)
        return (diagnosis.message_primary if diagnosis else None) or nodes.one_line(original)


def _refuse_lost(connection: Any, _record: object, _proxy: object) -> None:
    """Make the pool connect anew if the server is gone.

    An idle connection has nothing to read but its end, and to look takes 1 us. To ask the server
    takes 50 us, which only the writer does (``pool_pre_ping``), as a batch cannot run again.
    """
    if _is_lost(connection):
        raise InvalidatePoolError


def _is_lost(connection: Any) -> bool:
    return connection.closed or _is_readable(connection.fileno())


def _is_readable(descriptor: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    # select refuses descriptors beyond 1,023, which a server with as many associations has.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _missing_trigrams(connection: Connection) -> list[TrigramIndex]:
    statement = """
        SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indisvalid AND pg_table_is_visible(indrelid) AND relname = ANY(?)"""
    found = set(
        connection.exec_driver_sql(
            statement, ([index.name for index in TRIGRAM_INDEXES],)
        ).scalars()
    )
    return [index for index in TRIGRAM_INDEXES if index.name not in found]
