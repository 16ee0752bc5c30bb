"""A running query: rows as they come, and an end whenever somebody asks for it (PS3.4 C.4.1.3.2)."""

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

# Between two looks at whether to go on: some milliseconds, and no cost that could be measured.
_INSTRUCTIONS = 100_000
# What a query may take that is run at once: about 0.2 ms, many times what one patient's studies need; at most twice
# that, see ``_give_up_next``.
_FEW_INSTRUCTIONS = 5_000


class Cursor(ABC):
    """A query and its own connection; the first ``fetch`` runs it.

    ``fetch`` and ``close`` are called one after the other, from whatever threads; ``interrupt`` at any time, from any.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._is_interrupted = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """What each column of a row is in the response."""
        return self.plan.fields

    @abstractmethod
    def fetch(self, size: int) -> list[Row]:
        """At most ``size`` rows; fewer means that there are no more. IndexDatabaseError if interrupted or failed."""

    @abstractmethod
    def fetch_at_once(self, size: int) -> list[Row] | None:
        """The first rows if they take the database next to nothing, else None; ``fetch`` then begins anew.

        It saves small queries the way to another thread and back, which costs more than they do.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """Have the database give up: the ``fetch`` that runs raises, and every later one."""

    @abstractmethod
    def close(self) -> None:
        """End the query and give the connection back; more than once is well."""

    @property
    def closes_at_once(self) -> bool:
        """Whether ``close`` waits for nobody."""
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finished(self, rows: list[Row]) -> list[Row]:
        return [self.plan.finish(row) for row in rows] if self.plan.selection.reductions else rows


class SQLiteCursor(Cursor):
    """A query on a connection of SQLite."""

    def __init__(self, connection: PoolProxiedConnection, plan: Plan) -> None:
        super().__init__(plan)
        # Held by whoever gives the connection away or interrupts it: a late interrupt must not hit its next query.
        self._lock = threading.Lock()
        self._connection: PoolProxiedConnection | None = connection
        self._driver: sqlite3.Connection = connection.driver_connection  # type: ignore[assignment]
        self._rows: sqlite3.Cursor | None = None

    def fetch(self, size: int) -> list[Row]:
        """At most ``size`` rows; fewer means that there are no more. IndexDatabaseError if interrupted or failed."""
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
        """The first rows if they take the database next to nothing, else None; ``fetch`` then begins anew."""
        if self._rows is not None or self.plan.residuals or "_trigram" in self.plan.sql:
            # Functions and full-text tables do their work outside the instructions that are counted.
            return None
        self._driver.set_progress_handler(_give_up_next(), _FEW_INSTRUCTIONS)
        try:
            rows = self._driver.execute(self.plan.sql, _storable(self.plan.parameters))
            found: list[Row] = rows.fetchmany(size)
        except sqlite3.OperationalError:
            # Given up; or failed, as it will again.
            return None
        finally:
            self._driver.set_progress_handler(lambda: self._is_interrupted, _INSTRUCTIONS)
        self._rows = rows
        return self._finished(found)

    def _run(self) -> sqlite3.Cursor:
        """Run the statement as far as its first row."""
        if self.plan.residuals:
            zone = self.plan.query.options.timezone_offset_minutes
            self._driver.create_function(FUNCTION, -1, residual_function(self.plan.residuals, zone))
        # An interrupt in the moment before the statement runs is lost to the database, but not to this.
        self._driver.set_progress_handler(lambda: self._is_interrupted, _INSTRUCTIONS)
        return self._driver.execute(self.plan.sql, _storable(self.plan.parameters))

    def interrupt(self) -> None:
        """Have the database give up: the ``fetch`` that runs raises, and every later one."""
        with self._lock:
            self._is_interrupted = True
            if self._connection is not None:
                self._driver.interrupt()

    def close(self) -> None:
        """End the query and give the connection back; more than once is well."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                if self._rows is not None:
                    self._rows.close()
                self._driver.set_progress_handler(None, 0)
                give_back(connection)


def _give_up_next() -> Callable[[], bool]:
    """A progress handler that lets go on once, then gives up.

    The driver keeps statements, and SQLite counts the instructions of one over all its runs: the first call may come
    anywhere in this run. (A statement that was given up is also compiled anew at each later run, which takes twice as
    long as what one patient's studies need.)
    """
    return chain((False,), repeat(True)).__next__


def give_back(connection: PoolProxiedConnection) -> None:
    """Give a reader's connection back without its snapshot."""
    driver: Any = connection.driver_connection
    if driver.in_transaction:
        driver.execute("ROLLBACK")
    connection.close()


def _storable(parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    """The parameters with what no text of the database holds replaced as it was in the texts."""
    return tuple([stored_text(value) if isinstance(value, str) else value for value in parameters])
