"""A running query on PostgreSQL: one statement, one round trip, rows in chunks as they are found.

The cursor calls libpq's functions, as ``Cursor.stream`` of psycopg does, which would prepare no
statement. Measured on one machine, with psycopg 3.3 and libpq 18:

- one patient's studies take 0.11 ms as a prepared statement by libpq, 0.25 ms by a psycopg cursor,
  1.2 ms by a server-side cursor in its transaction (five round trips);
- 200,000 studies come at 480,000 rows/s in chunks, at 260,000 rows/s by a server-side cursor.

Either way the server waits while nobody reads, and memory is bounded.
"""

from __future__ import annotations

import os
import re
import select
import threading
from dataclasses import replace
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any

from psycopg import Connection, OperationalError, capabilities
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.search.plan import OCCURRENCES, Facts
from dicomquest.index.search.python_filter import accepted
from dicomquest.index.search.sqlite_cursor import Cursor
from dicomquest.index.tables.dialects import numbered
from dicomquest.index.tables.rows import stored_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from psycopg.pq.abc import PGresult
    from sqlalchemy.pool import PoolProxiedConnection

    from dicomquest.dataset.response_fields import Row
    from dicomquest.index.search.plan import Plan

# Rows of one result of libpq: no more than the first write of responses needs.
_CHUNK = 32
# A statement that a connection gets this often is prepared, which saves its planning: 0.2 ms.
_PREPARED_AT = 3
_MOST_STATEMENTS = 100
# Seconds for a cancelled statement to end; then its connection is thrown away.
_PATIENCE = 3.0

_NUMBERS = count()
# The server writes the parameters of a statement into its plan: texts in quotes, and numbers.
_VALUE = re.compile(r"'(?:[^']|'')*'|(?<![\w.])-?\d+(?:\.\d+)?\b")
_ROWS = {ExecStatus.TUPLES_CHUNK, ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_OK}
_ADMINISTRATION = b"57P"  # SQLSTATE of a server that shuts down, crashed, or is still starting


class KnownFacts:
    """The facts that this process knows of a database; plans have a guard against unknown ones."""

    def __init__(self, zone_minutes: int, *, is_partitioned: bool = False) -> None:
        self.facts = Facts(
            "postgresql",
            frozenset(),
            zone_minutes,
            trigrams=False,
            is_partitioned=is_partitioned,
        )

    def learn(self, occurrences: Iterable[tuple[str, int]]) -> bool:
        """Take over what occurs on a server; tell whether anything changed.

        Known occurrences stay, because another server may have them already. Only a promoted
        attribute may cease to be one: then queries must not trust in its value rows any more.
        """
        lasting = {each for each in self.facts.occurrences if each[1] >= 0}
        every = frozenset(lasting.union(occurrences))
        if every == self.facts.occurrences:
            return False
        self.facts = replace(self.facts, occurrences=every)
        return True


class _LostError(IndexDatabaseError):
    """The connection to the server is lost."""


class _InterruptedError(IndexDatabaseError):
    """Another thread interrupted the query."""


class PostgreSQLCursor(Cursor):
    """A query on a connection of PostgreSQL, which it takes when it runs.

    ``compile_plan`` makes the plan on the facts known. ``reader`` checks a connection out,
    ``lose_idle`` closes the idle ones.
    """

    def __init__(
        self,
        reader: Callable[[], PoolProxiedConnection],
        lose_idle: Callable[[], None],
        known: KnownFacts,
        compile_plan: Callable[[Facts], Plan],
    ) -> None:
        super().__init__(compile_plan(known.facts))
        self._reader = reader
        self._lose_idle = lose_idle
        self._known = known
        self._compile_plan = compile_plan
        # Whoever writes to the pipe or closes it holds this lock: after that the number of the
        # descriptor may belong to another file.
        self._lock = threading.Lock()
        self._wake: tuple[int, int] | None = os.pipe()
        self._connection: PoolProxiedConnection | None = None
        self._statement: _Statement | None = None
        self._waiting: list[Row] = []
        self._has_rows = False
        self._is_exhausted = False
        self._matches = 0

    def fetch(self, size: int) -> list[Row]:
        """Return the next rows; fewer than ``size`` are the last."""
        rows = self._waiting
        try:
            while len(rows) < size and not self._is_exhausted:
                if self._is_interrupted:
                    raise _InterruptedError("the query was interrupted")
                rows += self._next()
        except IndexDatabaseError as error:
            # This thread ends the statement, so that ``close`` in another need not wait.
            self._end(is_lost=isinstance(error, _LostError))
            raise
        if self._is_interrupted:
            raise IndexDatabaseError("the query was interrupted")
        self._waiting = rows[size:]
        return self._finished(rows[:size])

    def fetch_at_once(self, size: int) -> list[Row] | None:  # noqa: ARG002
        """Return None: a caller that waits for a server would hold up all others."""
        return None

    def explain(self) -> list[str]:
        """Return the steps of the database's plan, without values of keys; instead of ``fetch``."""
        self.plan = replace(self.plan, sql=f"EXPLAIN (COSTS OFF) {self.plan.sql}")
        steps: list[str] = []
        try:
            statement = self._begin()
            while rows := statement.rows():
                steps += [_VALUE.sub("…", str(row[0])) for row in rows]
        except IndexDatabaseError as error:
            self._end(is_lost=isinstance(error, _LostError))
            raise
        return steps

    def interrupt(self) -> None:
        """Stop the query: the ``fetch`` that runs raises, and each later one."""
        with self._lock:
            self._is_interrupted = True
            if self._wake is not None:
                os.write(self._wake[1], b"!")

    def close(self) -> None:
        """End the query and give the connection back; another call does nothing."""
        self._end(is_lost=False)
        with self._lock:
            wake, self._wake = self._wake, None
        for end in wake or ():
            os.close(end)

    @property
    def closes_at_once(self) -> bool:
        """Tell whether ``close`` waits for nothing: to cancel a statement takes milliseconds."""
        return self._statement is None or self._is_exhausted

    def _next(self) -> list[Row]:
        """Return some more rows, perhaps none; after the last ones set ``_is_exhausted``."""
        statement = self._statement or self._begin()
        rows = statement.rows()
        if rows:
            self._has_rows = True
            return rows if self.plan.row_filter is None else self._of_page(rows)
        if self._has_rows or not self._known.learn(statement.all_rows(OCCURRENCES)):
            self._is_exhausted = True
        else:
            # The guard of the plan found unknown facts, so it gave no rows: run it again on these.
            self.plan = self._compile_plan(self._known.facts)
            statement.send(self.plan)
        return []

    def _of_page(self, rows: list[Row]) -> list[Row]:
        """Return the rows that pass the filter and are of the page, which SQL could not cut."""
        found = accepted(self.plan, rows)
        page = self.plan.query.page
        if page is None:
            return found
        before, self._matches = self._matches, self._matches + len(found)
        return list(page.of(found, before))

    def _begin(self) -> _Statement:
        """Send the statement; if an idle connection turns out to be dead, on a new one."""
        if self._wake is None:
            raise IndexDatabaseError("the query is closed")
        while True:
            connection = self._connection = self._reader()
            was_idle = _STATEMENTS in connection.info
            statement = self._statement = _Statement(connection, self._wake[0])
            try:
                statement.send(self.plan)
            except _LostError:
                self._end(is_lost=True)
                if not was_idle:
                    raise
                # The server went away, so most likely the other idle connections are dead too.
                self._lose_idle()
            else:
                return statement

    def _end(self, *, is_lost: bool) -> None:
        """Give the connection back if it can be used again, else throw it away."""
        connection, self._connection = self._connection, None
        statement, self._statement = self._statement, None
        if connection is None:
            return
        if is_lost or (statement is not None and not statement.end()):
            connection.invalidate()
        else:
            connection.close()


_STATEMENTS = "statements"


class _Statement:
    """A statement that runs on a connection, by libpq; nothing else may run there meanwhile."""

    def __init__(self, connection: PoolProxiedConnection, wake: int) -> None:
        driver: Connection[Any] = connection.driver_connection  # type: ignore[assignment]
        self._driver = driver
        self._libpq = driver.pgconn
        self._wake = wake
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._transformer = Transformer(driver)
        self._has_loaders = False
        # For each text the number of its runs on this connection, or the name it is prepared by.
        self._statements: dict[str, int | bytes] = connection.info.setdefault(_STATEMENTS, {})

    def send(self, plan: Plan) -> None:
        """Send the statement of a plan, and wait until the server begins to answer."""
        text = numbered(plan.sql)
        self._has_loaders = False
        try:
            self._poll.register(self._libpq.socket, select.POLLIN)
            name = self._prepared(text)
            parameters = [_encoded(parameter) for parameter in plan.parameters]
            if name is None:
                self._libpq.send_query_params(text.encode(), parameters)
            else:
                self._libpq.send_query_prepared(name, parameters)
            if capabilities.has_stream_chunked():
                self._libpq.set_chunked_rows_mode(_CHUNK)
            else:
                self._libpq.set_single_row_mode()
            self._flush()
            self._wait_for_result()
        except OperationalError as error:
            raise _LostError(
                f"the connection to the database is lost: {_first_line(error)}"
            ) from error

    def rows(self) -> list[Row]:
        """Return the next chunk; an empty one follows the last."""
        try:
            while True:
                self._wait_for_result()
                result = self._libpq.get_result()
                if result is None:
                    return []
                if result.status not in _ROWS:
                    raise self._failure(result)
                if result.ntuples:
                    self._transformer.set_pgresult(result, set_loaders=not self._has_loaders)
                    self._has_loaders = True
                    rows: list[Row] = self._transformer.load_rows(0, result.ntuples, tuple)
                    return rows
        except OperationalError as error:
            raise _LostError(
                f"the connection to the database is lost: {_first_line(error)}"
            ) from error

    def all_rows(self, statement: str) -> list[Row]:
        """Return all rows of another, small statement, after this one has ended."""
        self._libpq.send_query_params(statement.encode(), None)
        self._has_loaders = False
        found: list[Row] = []
        while rows := self.rows():
            found += rows
        self._has_loaders = False
        return found

    def end(self) -> bool:
        """End the statement wherever it is; tell whether the connection can be used again."""
        until = monotonic() + _PATIENCE
        try:
            if (
                self._libpq.transaction_status == TransactionStatus.ACTIVE
                and not self._is_drained()
            ):
                self._driver.cancel_safe(timeout=_PATIENCE)
                self._poll.unregister(self._wake)
                self._poll.modify(self._libpq.socket, select.POLLIN)
                while not self._is_drained():
                    if not self._poll.poll(max(0, until - monotonic()) * 1000):
                        return False
                    self._libpq.consume_input()
        except OperationalError:
            return False
        return self._libpq.transaction_status == TransactionStatus.IDLE

    def _is_drained(self) -> bool:
        """Take the results that have come; tell whether these were all."""
        while not self._libpq.is_busy():
            if self._libpq.get_result() is None:
                return True
        return False

    def _prepared(self, text: str) -> bytes | None:
        """Return the name of the prepared statement; None to send its text."""
        known = self._statements.pop(text, 0)
        if isinstance(known, int):
            known += 1
            if known >= _PREPARED_AT:
                name = b"dicomquest_%d" % next(_NUMBERS)
                self._run(lambda: self._libpq.send_prepare(name, text.encode()))
                known = name
        # A dict keeps its order: the last used goes to the end, so the first is the oldest.
        self._statements[text] = known
        if len(self._statements) > _MOST_STATEMENTS:
            oldest = self._statements.pop(next(iter(self._statements)))
            if isinstance(oldest, bytes):
                self._run(lambda: self._libpq.send_query(b"DEALLOCATE " + oldest))
        return known if isinstance(known, bytes) else None

    def _run(self, send: Callable[[], None]) -> None:
        """Run a command that has no rows."""
        send()
        self._flush()
        while True:
            self._wait_for_result()
            result = self._libpq.get_result()
            if result is None:
                return
            if result.status == ExecStatus.FATAL_ERROR:
                raise self._failure(result)

    def _flush(self) -> None:
        while self._libpq.flush():
            # A server that answers before it has read everything blocks until it is read.
            self._poll.modify(self._libpq.socket, select.POLLIN | select.POLLOUT)
            self._wait()
            self._libpq.consume_input()
            self._poll.modify(self._libpq.socket, select.POLLIN)

    def _wait_for_result(self) -> None:
        while self._libpq.is_busy():
            self._wait()
            self._libpq.consume_input()

    def _wait(self) -> None:
        if any(descriptor == self._wake for descriptor, _ in self._poll.poll()):
            raise _InterruptedError("the query was interrupted")

    def _failure(self, result: PGresult) -> IndexDatabaseError:
        """Return the server's message, without its details: they may hold patient data."""
        message = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message
        words = f"the query failed: {message.decode('utf-8', 'replace')}"
        state = result.error_field(DiagnosticField.SQLSTATE) or b""
        if self._libpq.status == ConnStatus.BAD or state.startswith(_ADMINISTRATION):
            return _LostError(words)
        return IndexDatabaseError(words)


def _encoded(parameter: Any) -> bytes:
    """Return a parameter as text of PostgreSQL, without surrogates and NUL; a list is an array."""
    if isinstance(parameter, list):
        return array_text(parameter).encode()
    return stored_text(str(parameter)).replace("\0", "\ufffd").encode()


def array_text(values: Iterable[str]) -> str:
    """Return a list of texts as PostgreSQL reads an array."""
    texts = (stored_text(value).replace("\0", "\ufffd") for value in values)
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
