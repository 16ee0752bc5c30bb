"""The connections that short write transactions of a server use again and again, as pipelines.

In a pipeline statements go out without waiting for the results of those before, so a transaction
waits once for each result that it needs, not for each statement. SQLAlchemy would ask the server
before each transaction whether it is there, and begin and lock by a round trip each.

psycopg sends each statement of a pipeline by itself, and keeps a cursor for it. That is most of a
transaction of one statement, so such a one is sent through libpq's own functions, in one piece.
"""

from __future__ import annotations

import select
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from dicomquest.index.tables.dialects import numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine
    from sqlalchemy.pool import PoolProxiedConnection


# Statements of these transactions look up few rows. The planner does not know how few, nor that a
# table grows that was small when it made the plan.
_SETTINGS = (
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET plan_cache_mode = force_generic_plan; SET jit = off"
)
_SYNCED = 10
_FAILED = 7
_ABORTED = 11
"""The statuses of a result (``ExecStatusType`` of libpq): PIPELINE_SYNC, FATAL_ERROR, …ABORTED."""


class Attempt:
    """A statement that goes out with the locks of its transaction; ``row`` is its only row."""

    __slots__ = ("parameters", "row", "statement")

    def __init__(self, statement: str, parameters: tuple[str | None, ...]) -> None:
        self.statement = statement
        self.parameters = parameters
        self.row: tuple[str | None, ...] = ()


class PipelinedConnection:
    """A connection out of the pool, as ``tables.dialects.execute`` takes it."""

    __slots__ = (
        "_entered",
        "_libpq",
        "_names",
        "_pipeline",
        "connection",
        "dialect",
        "driver",
        "info",
    )

    def __init__(self, engine: Engine) -> None:
        self.connection: PoolProxiedConnection = engine.raw_connection()
        self.dialect = engine.dialect
        self.driver: Any = cast("Any", self.connection.driver_connection)
        self.info: dict[Any, Any] = self.connection.info
        self.driver.execute(_SETTINGS)
        self.driver.commit()
        # Kept, because the pipeline ends with this object.
        self._entered = self.driver.pipeline()
        self._pipeline: Any = self._entered.__enter__()
        self._libpq: Any = self.driver.pgconn
        self._names: dict[str, bytes] = {}

    def begin(self, turn: tuple[str, str], attempt: Attempt) -> None:
        """Begin a transaction, take its locks, and run a statement: all in one round trip."""
        self._send("BEGIN")
        self._send(turn[0], turn[1].encode())
        texts = (None if each is None else each.encode() for each in attempt.parameters)
        self._send(attempt.statement, *texts)
        found = self._results()[-1]
        attempt.row = tuple(
            None if value is None else value.decode()
            for value in (found.get_value(0, column) for column in range(found.nfields))
        )

    def commit(self) -> None:
        """Commit the transaction; the driver's error if a statement under way fails."""
        if self._pipeline.result_queue or self._pipeline.command_queue:
            self.driver.commit()
            return
        self._send("COMMIT")
        self._results()

    def _send(self, statement: str, *parameters: bytes | None) -> None:
        name = self._names.get(statement)
        if name is None:
            name = self._names[statement] = b"direct_%d" % len(self._names)
            self._libpq.send_prepare(name, numbered(statement).encode())
        self._libpq.send_query_prepared(name, parameters)

    def _results(self) -> list[Any]:
        """Wait for the results of all that was sent; the driver's error if one is a failure."""
        libpq, was_none = self._libpq, False
        found: list[Any] = []
        libpq.pipeline_sync()
        # libpq's own waits would keep all other threads waiting, too.
        while libpq.flush():
            if _wait(libpq.socket, writes=True):
                libpq.consume_input()
        while True:
            while libpq.is_busy():
                _wait(libpq.socket)
                libpq.consume_input()
            result = libpq.get_result()
            if result is not None:
                if result.status == _SYNCED:
                    return found
                if result.status in {_FAILED, _ABORTED}:
                    raise _error(result)
                found.append(result)
            elif was_none:
                # One ends each statement's results; two in a row are the end of the connection.
                raise _lost(libpq)
            was_none = result is None

    def drop(self) -> None:
        """Close the connection, whatever it waits for."""
        with suppress(Exception):
            self.connection.invalidate()
            self._entered.__exit__(None, None, None)


def _wait(descriptor: int, *, writes: bool = False) -> bool:
    """Wait until a socket can be read, or written; tell whether it can be read, or is broken."""
    if sys.platform == "win32":
        return bool(select.select([descriptor], [descriptor] if writes else [], [])[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | (select.POLLOUT if writes else 0))
    return any(event & ~select.POLLOUT for _, event in poll.poll())


def _error(result: Any) -> Exception:
    from psycopg import errors, pq  # noqa: PLC0415

    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    try:
        kind = errors.lookup(state)
    except KeyError:
        kind = errors.OperationalError
    return kind(result.error_message.decode("utf-8", "replace").strip(), info=result)


def _lost(libpq: Any) -> Exception:
    from psycopg import OperationalError  # noqa: PLC0415

    message = libpq.error_message.decode("utf-8", "replace").strip()
    return OperationalError(message or "the server ended the connection")


class PipelinedWriters:
    """The connections that no transaction uses at the moment, each in pipeline mode.

    ``is_lost`` tells whether the server has ended the driver's connection.
    """

    def __init__(self, is_lost: Callable[[Any], bool]) -> None:
        self._is_lost = is_lost
        self._idle: list[PipelinedConnection] = []

    @contextmanager
    def transaction(
        self, engine: Engine, begin: Callable[[PipelinedConnection], None]
    ) -> Iterator[PipelinedConnection]:
        """Give a connection after ``begin``, whose statements need not be done; commit at the end.

        A statement's failure is raised where a result is fetched, or by the commit.
        """
        held = self._take(engine)
        try:
            begin(held)
            yield held
            held.commit()
        except BaseException:
            # Nobody knows where the pipeline stands. The server rolls back.
            held.drop()
            raise
        self._idle.append(held)

    def release(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().drop()

    def _take(self, engine: Engine) -> PipelinedConnection:
        while self._idle:
            try:
                held = self._idle.pop()
            except IndexError:
                break  # another thread was quicker
            if not self._is_lost(held.driver):
                return held
            held.drop()
        return PipelinedConnection(engine)
