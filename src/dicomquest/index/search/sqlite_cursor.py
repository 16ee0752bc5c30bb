"""A running query, and that on SQLite: rows in turn, and an end at any time (PS3.4 C.4.1.3.2)."""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Self

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.search.python_filter import FUNCTION, residual_function
from dicomquest.index.tables.rows import stored_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.pool import PoolProxiedConnection

    from dicomquest.dataset.response_fields import Field, Row
    from dicomquest.index.search.plan import Plan

# SQLite's instructions between two looks at an interruption: some milliseconds, without a cost that
# can be measured.
_INSTRUCTIONS = 100_000
# The instructions of a query that runs at once: about 0.2 ms, many times the need of one patient's
# studies, and at most twice that (see ``_give_up_next``).
_FEW_INSTRUCTIONS = 5_000


class Cursor(ABC):
    """A query and its own connection; the first ``fetch`` runs it.

    Threads call ``fetch`` and ``close`` one after the other, and ``interrupt`` at any time.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._is_interrupted = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the response, one a column of a row."""
        return self.plan.fields

    @abstractmethod
    def fetch(self, size: int) -> list[Row]:
        """Return the next rows; fewer than ``size`` are the last.

        IndexDatabaseError if the query is interrupted or fails.
        """

    @abstractmethod
    def fetch_at_once(self, size: int) -> list[Row] | None:
        """Return the first rows if they cost the database next to nothing, else None.

        After None ``fetch`` begins anew. A small query costs less than its way to another thread
        and back, so a server tries it where it is.
        """

    @abstractmethod
    def explain(self) -> list[str]:
        """Return the steps of the database's plan, without values of keys; instead of ``fetch``."""

    @abstractmethod
    def interrupt(self) -> None:
        """Stop the query: the ``fetch`` that runs raises IndexDatabaseError, and each later one."""

    @abstractmethod
    def close(self) -> None:
        """End the query and give the connection back; another call does nothing."""

    @property
    def closes_at_once(self) -> bool:
        """Tell whether ``close`` waits for nothing."""
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finished(self, rows: list[Row]) -> list[Row]:
        return [self.plan.finish(row) for row in rows] if self.plan.selection.needs_python else rows


class SQLiteCursor(Cursor):
    """A query on a connection of SQLite."""

    def __init__(self, connection: PoolProxiedConnection, plan: Plan) -> None:
        super().__init__(plan)
        # Whoever gives the connection back or interrupts it holds this lock: a late interrupt would
        # hit the next query on the connection.
        self._lock = threading.Lock()
        self._connection: PoolProxiedConnection | None = connection
        self._driver: sqlite3.Connection = connection.driver_connection  # type: ignore[assignment]
        self._rows: sqlite3.Cursor | None = None

    def fetch(self, size: int) -> list[Row]:
        """Return the next rows; fewer than ``size`` are the last."""
        if self._is_interrupted:
            raise IndexDatabaseError("the query was interrupted")
        try:
            if self._rows is None:
                self._rows = self._run()
            rows: list[Row] = self._rows.fetchmany(size)
        except sqlite3.Error as error:
            raise IndexDatabaseError(f"the query failed: {error}") from error
        return self._finished(rows)

    def fetch_at_once(self, size: int) -> list[Row] | None:
        """Return the first rows if they cost the database next to nothing, else None."""
        if self._rows is not None or self.plan.residuals or "_trigram" in self.plan.sql:
            # Functions and full-text tables work outside the instructions that SQLite counts.
            return None
        self._driver.set_progress_handler(_give_up_next(), _FEW_INSTRUCTIONS)
        try:
            rows = self._driver.execute(self.plan.sql, _storable(self.plan.parameters))
            found: list[Row] = rows.fetchmany(size)
        except sqlite3.OperationalError:
            # Given up; or failed, as ``fetch`` will fail again.
            return None
        finally:
            self._driver.set_progress_handler(lambda: self._is_interrupted, _INSTRUCTIONS)
        self._rows = rows
        return self._finished(found)

    def explain(self) -> list[str]:
        """Return the steps of the database's plan, without values of keys; instead of ``fetch``."""
        self._make_function()
        statement = f"EXPLAIN QUERY PLAN {self.plan.sql}"
        try:
            rows = self._driver.execute(statement, _storable(self.plan.parameters)).fetchall()
        except sqlite3.Error as error:
            raise IndexDatabaseError(f"the query failed: {error}") from error
        return [str(words) for _, _, _, words in rows]

    def _make_function(self) -> None:
        """Give the statement the function by which Python filters, if it calls that."""
        if self.plan.residuals:
            zone = self.plan.query.options.timezone_offset_minutes
            self._driver.create_function(FUNCTION, -1, residual_function(self.plan.residuals, zone))

    def _run(self) -> sqlite3.Cursor:
        """Run the statement as far as its first row."""
        self._make_function()
        # SQLite forgets an interrupt that comes before the statement runs; the handler does not.
        self._driver.set_progress_handler(lambda: self._is_interrupted, _INSTRUCTIONS)
        return self._driver.execute(self.plan.sql, _storable(self.plan.parameters))

    def interrupt(self) -> None:
        """Stop the query: the ``fetch`` that runs raises, and each later one."""
        with self._lock:
            self._is_interrupted = True
            if self._connection is not None:
                self._driver.interrupt()

    def close(self) -> None:
        """End the query and give the connection back; another call does nothing."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                if self._rows is not None:
                    self._rows.close()
                self._driver.set_progress_handler(None, 0)
                give_back(connection)


def _give_up_next() -> Callable[[], bool]:
    """Return a progress handler that lets the statement go on once, then gives up.

    The driver keeps statements, and SQLite counts the instructions of one over all its runs: the
    first call may come anywhere in this run. To give up too early is dear, because SQLite compiles
    such a statement anew at each later run: twice the time of one patient's studies.
    """
    return chain((False,), repeat(True)).__next__


def give_back(connection: PoolProxiedConnection) -> None:
    """Give a reader's connection back, and end its snapshot."""
    driver: Any = connection.driver_connection
    if driver.in_transaction:
        driver.execute("ROLLBACK")
    connection.close()


def _storable(parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the parameters with the same characters replaced as in stored texts."""
    return tuple([stored_text(value) if isinstance(value, str) else value for value in parameters])
