"""An index in a PostgreSQL database, on one server or on a primary and its replicas.

Queries see the last commit and are never blocked (QR-172). One transaction of all nodes at a time writes: it holds an
advisory lock from its start, as an SQLite transaction has the file's lock. So what a batch reads is what it writes
upon, ids are counted up without a sequence, and no deadlock or serialization failure has to be tried again after.
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
from dicomquest.index.tables.dialects import READER_SETTINGS, percent_marks
from dicomquest.index.tables.schema import TRIGRAM_INDEXES, TrigramIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Engine

    from dicomquest.index.tables.dialects import Dialect

LOGGER = logging.getLogger("dicomquest.index")

_OLDEST_SERVER = 13

# Connections that stay open between queries; more are opened for more queries at a time.
_IDLE_READERS = 8

# The advisory locks: a writer's, and that of whoever changes the schema. Any numbers will do that others do not take.
_WRITE_LOCK = 0x64715F77
_SCHEMA_LOCK = 0x64715F73

# A node that is gone without a word must not keep the write lock: its connection ends as nodes.DEFAULTS end ours.
_PEER_IS_GONE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_WRITER_SETTINGS = {
    **_PEER_IS_GONE,
    "statement_timeout": "0",  # a commit that is cancelled while it waits for a replica says that it is done
    "lock_timeout": "60s",  # how long a writer waits for its turn
    "idle_in_transaction_session_timeout": "5min",  # a process that is stopped, not gone
}
_SCHEMA_SETTINGS = {
    **_PEER_IS_GONE,
    "statement_timeout": "0",
    # Who waits for a table's lock lets no query pass: so not for long, but again and again.
    "lock_timeout": "300ms",
}
_LOCK_ATTEMPTS = 1000
_PAUSE = 0.1  # seconds between two attempts


class PostgreSQL:
    """The engines of one database."""

    dialect: Dialect = "postgresql"

    def __init__(self, location: str, *, is_replica: bool = False) -> None:
        try:
            import psycopg  # noqa: PLC0415  an index in SQLite does without
        except ImportError as error:
            message = f"an index in PostgreSQL needs psycopg, which dicomquest[postgresql] brings: {error}"
            raise IndexDatabaseError(message) from error
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

        @event.listens_for(self.writer, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")

    def _engine(
        self, use: nodes.Use, settings: Mapping[str, str], pool: Any, **pool_arguments: Any
    ) -> Engine:
        import psycopg  # noqa: PLC0415

        parameters = {**nodes.parameters(self._location, use), "client_encoding": "UTF8"}
        setting = "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())

        def connect() -> Any:
            connection = psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]  # texts, as libpq has
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
            # What SQLAlchemy has compiled is the driver's dialect already.
            return (percent_marks(statement) if context.compiled is None else statement), parameters

        return engine

    def refuse_unfit(self, connection: Connection) -> None:
        """IndexDatabaseError if the server is too old, or the database cannot hold all texts."""
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10000
        if version < _OLDEST_SERVER:
            raise IndexDatabaseError(
                f"{self.name}: PostgreSQL {version} is too old: {_OLDEST_SERVER} or later is needed"
            )
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            hint = "`createdb --encoding UTF8 --template template0` makes another"
            raise IndexDatabaseError(
                f"{self.name} has the encoding {encoding}, expected UTF8: {hint}"
            )

    def is_replaying(self, connection: Connection) -> bool:
        """Whether what it has comes from another server."""
        return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())

    @contextmanager
    def upgrading(self) -> Iterator[Connection]:
        """Give the one connection that changes the schema: writers and readers of all nodes go on meanwhile."""
        engine = self._engine(nodes.Use.WRITE, _SCHEMA_SETTINGS, NullPool)
        with engine.connect() as connection:
            has_waited = False
            # Who waits inside a statement has a snapshot, which would hold up an index that is built CONCURRENTLY.
            while not connection.exec_driver_sql(
                f"SELECT pg_try_advisory_lock({_SCHEMA_LOCK})"
            ).scalar():
                connection.rollback()
                if not has_waited:
                    LOGGER.info("%s: another process changes the schema, waiting for it", self.name)
                has_waited = True
                time.sleep(_PAUSE)
            connection.rollback()
            # The lock ends with the connection, which no pool keeps.
            yield connection

    def upgrade(self, connection: Connection) -> None:
        """Run the missing revisions, each in a transaction of its own; one that finds a table locked is run again."""
        from psycopg.errors import LockNotAvailable  # noqa: PLC0415

        from dicomquest.index.tables.migrations import run  # noqa: PLC0415  it takes 100 ms to import

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
            f"{self.name}: its tables are in use by long queries, so its schema stays as it is"
        )

    def has_trigrams(self, connection: Connection) -> bool:
        """Whether inner wild cards have an index."""
        return not _missing_trigrams(connection)

    def add_trigrams(self) -> bool:
        """Build the trigram indexes that are missing, while all go on; False if the server does not let us."""
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
            # It waits for those who write, but nobody waits for it.
            connection.exec_driver_sql("SET lock_timeout = 0")
            for index in _missing_trigrams(connection):
                # One that was not finished is there, but not valid.
                connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
                connection.exec_driver_sql(
                    f"CREATE INDEX CONCURRENTLY {index.name} ON {index.table} USING gin ({index.column} gin_trgm_ops) "
                    f"WHERE {index.column} IS NOT NULL"
                )
        return True

    def cause(self, error: Exception) -> str:
        """The server's own words, without the SQL, its parameters and the row in question: they are patient data."""
        original: Any = getattr(error, "orig", None) or error
        diagnosis = getattr(original, "diag", None)
        return (diagnosis.message_primary if diagnosis else None) or nodes.one_line(original)


def _refuse_lost(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool connect anew if the server is gone: an idle connection has nothing to read but its end.

    Asking the server takes 50 us, this takes one; a batch is worth the former, as it cannot be run again.
    """
    if connection.closed or _is_readable(connection.fileno()):
        raise InvalidatePoolError


def _is_readable(descriptor: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    # Unlike select, it takes descriptors beyond 1,023, which a server with as many associations has.
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
