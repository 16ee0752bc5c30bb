"""The index as its users see it: instances go in, queries come out, row by row (PS3.4 C.4.1.3)."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Self

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.compile import compile_query
from dicomquest.index.database import Database
from dicomquest.index.plan import Facts, Plan, Row, select
from dicomquest.index.records import stored_text
from dicomquest.index.residual import FUNCTION, residual_function
from dicomquest.index.schema import SETTING, TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from sqlalchemy.pool import PoolProxiedConnection

    from dicomquest.dataset.elements import DataSet
    from dicomquest.dataset.fields import Field
    from dicomquest.index.check import CheckReport
    from dicomquest.index.ingest import Summary
    from dicomquest.index.prune import Pruned
    from dicomquest.index.reader import FileState
    from dicomquest.index.received import Received
    from dicomquest.index.removal import Removal, Removed
    from dicomquest.query.model import Query

TIMEZONE_SETTING = "timezone_offset_minutes"
# Between two looks at whether to go on: some milliseconds, and no cost that could be measured.
_INSTRUCTIONS = 100_000
_OCCURRENCES = "SELECT path, part FROM occurrence"
# What a query may take that is run at once: about 0.2 ms, five times what one patient's studies need.
_FEW_INSTRUCTIONS = 5_000


class Cursor:
    """A query and its own connection; the first ``fetch`` runs it.

    ``fetch`` and ``close`` are called one after the other, from whatever threads; ``interrupt`` at any time, from any.
    """

    def __init__(self, connection: PoolProxiedConnection, plan: Plan) -> None:
        self.plan = plan
        # Held by whoever gives the connection away or interrupts it: a late interrupt must not hit its next query.
        self._lock = threading.Lock()
        self._connection: PoolProxiedConnection | None = connection
        self._driver: sqlite3.Connection = connection.driver_connection  # type: ignore[assignment]
        self._is_interrupted = False
        self._rows: sqlite3.Cursor | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """What each column of a row is in the response."""
        return self.plan.fields

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
        if self.plan.selection.reductions:
            return [self.plan.finish(row) for row in rows]
        return rows

    def fetch_at_once(self, size: int) -> list[Row] | None:
        """The first rows if they take the database next to nothing, else None; ``fetch`` then begins anew.

        It saves small queries the way to another thread and back, which costs more than they do.
        """
        if self._rows is not None or self.plan.residuals or "_trigram" in self.plan.sql:
            # Functions and full-text tables do their work outside the instructions that are counted.
            return None
        self._driver.set_progress_handler(_give_up, _FEW_INSTRUCTIONS)
        try:
            rows = self._driver.execute(self.plan.sql, _storable(self.plan.parameters))
            found: list[Row] = rows.fetchmany(size)
        except sqlite3.OperationalError:
            # Given up; or failed, as it will again.
            return None
        finally:
            self._driver.set_progress_handler(lambda: self._is_interrupted, _INSTRUCTIONS)
        self._rows = rows
        return [self.plan.finish(row) for row in found] if self.plan.selection.reductions else found

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
                _give_back(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _give_up() -> bool:
    return True


def _give_back(connection: PoolProxiedConnection) -> None:
    driver: Any = connection.driver_connection
    if driver.in_transaction:
        driver.execute("ROLLBACK")
    connection.close()


def _storable(parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    """The parameters with what no text of the database holds replaced as it was in the texts."""
    return tuple([stored_text(value) if isinstance(value, str) else value for value in parameters])


class Index:
    """An index in a database; safe to share by threads, and any number of processes may open it at once."""

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        create: bool = True,
        read_location: str | os.PathLike[str] | None = None,
        timezone_offset_minutes: int = 0,
    ) -> None:
        """Open by path or SQLAlchemy URL; IndexDatabaseError if that cannot be.

        ``read_location``: a replica that queries may be answered from. ``timezone_offset_minutes``: the zone of
        date-times without an offset, kept by an index from its creation on.
        """
        self._database = Database(location, create=create)
        self._replica = self._database
        if read_location is not None:
            try:
                self._replica = Database(read_location, create=False, is_replica=True)
            except BaseException:
                self._database.close()
                raise
        self.timezone_offset_minutes = self._setting(TIMEZONE_SETTING, timezone_offset_minutes)
        self._facts: dict[frozenset[tuple[str, int]], Facts] = {}

    def fields(self, query: Query) -> tuple[Field, ...]:
        """What each column of the rows of ``query`` will be in the response."""
        return select(query.return_keys).fields

    def find(self, query: Query, *, is_latest: bool = False) -> Cursor:
        """Run a query; the cursor has to be closed. ``is_latest``: not from a replica, which may lag behind."""
        connection = (self._database if is_latest else self._replica).reader()
        try:
            driver: Any = connection.driver_connection
            # One snapshot for the facts and the rows (QR-172).
            driver.execute("BEGIN")
            occurrences = frozenset(driver.execute(_OCCURRENCES).fetchall())
            return Cursor(connection, compile_query(query, self._facts_of(occurrences)))
        except sqlite3.Error as error:
            _give_back(connection)
            raise IndexDatabaseError(f"the query failed: {error}") from error
        except BaseException:
            _give_back(connection)
            raise

    def find_data_sets(self, query: Query) -> list[DataSet]:
        """All response identifiers of a query, decoded: the plain path."""
        with self.find(query) as cursor:
            found: list[DataSet] = []
            while rows := cursor.fetch(512):
                found += [cursor.plan.to_data_set(row) for row in rows]
            return found

    def ingest(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        jobs: int = 1,
        progress: Callable[[Summary], None] | None = None,
    ) -> Summary:
        """Index the files at or below ``paths``, read by ``jobs`` processes; start it again to go on after an end.

        ``progress`` is called with the summary as it grows. With several jobs, the main module of a script needs its
        ``if __name__ == "__main__"``, as the processes import it.
        """
        from dicomquest.index.ingest import ingest_files  # noqa: PLC0415  queries need none of it

        names = [os.fspath(path) for path in paths]
        return ingest_files(self._database, names, self.timezone_offset_minutes, jobs=jobs, progress=progress)

    def ingest_data_sets(self, data_sets: Iterable[DataSet]) -> Summary:
        """Index decoded instances; (0002,0010) among an instance's elements is its transfer syntax."""
        from dicomquest.index.ingest import ingest_data_sets  # noqa: PLC0415

        return ingest_data_sets(self._database, data_sets, self.timezone_offset_minutes)

    def ingest_received(
        self,
        uids: Sequence[str],
        place: Callable[[Mapping[str, Sequence[str]]], Sequence[tuple[Received, FileState]]],
        *,
        gone: Sequence[str] = (),
    ) -> None:
        """Index instances that were just received, in one transaction: see ``ingest.ingest_received``."""
        from dicomquest.index.ingest import ingest_received  # noqa: PLC0415

        ingest_received(self._database, uids, place, self.timezone_offset_minutes, gone=gone)

    def removal(self, query: Query) -> Removal:
        """Find what is to be removed: it says how much that is, and ``run`` removes it; to be closed."""
        from dicomquest.index.removal import Removal  # noqa: PLC0415  queries need none of it

        return Removal(self._database, self.find, query, self.timezone_offset_minutes)

    def remove(self, query: Query) -> Removed:
        """Remove the entities that a query finds, and what is left without children by that; no file is touched."""
        with self.removal(query) as removal:
            return removal.run()

    def prune(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        even_empty: bool = False,
        progress: Callable[[Pruned], None] | None = None,
    ) -> Pruned:
        """Remove the instances whose files were at or below ``paths`` and are gone.

        A path that is missing or has no file may be a share that is not mounted: what is below it stays, and
        ``refused`` says so, unless ``even_empty``.
        """
        from dicomquest.index.prune import prune  # noqa: PLC0415

        names = [os.fspath(path) for path in paths]
        return prune(self._database, names, self.timezone_offset_minutes, even_empty=even_empty, progress=progress)

    def check(self, *, repair: bool = False) -> CheckReport:
        """Compare all that is computed with what it is computed of; ``repair`` writes it anew where it differs."""
        from dicomquest.index.check import check  # noqa: PLC0415

        return check(self._database, self.timezone_offset_minutes, repair=repair)

    def counts(self) -> dict[Level, int]:
        """How many entities of each level there are."""
        connection = self._database.reader()
        try:
            driver: Any = connection.driver_connection
            return {level: driver.execute(f"SELECT count(*) FROM {TABLES[level]}").fetchone()[0] for level in Level}
        finally:
            _give_back(connection)

    def close(self) -> None:
        """Close the database."""
        self._database.close()
        self._replica.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _facts_of(self, occurrences: frozenset[tuple[str, int]]) -> Facts:
        facts = self._facts.get(occurrences)
        if facts is None:
            # Few and never fewer, so this stays small.
            facts = self._facts[occurrences] = Facts(occurrences=occurrences, zone_minutes=self.timezone_offset_minutes)
        return facts

    def _setting(self, name: str, default: int) -> int:
        """Read a setting; one that is missing gets its default, for good."""
        query = SETTING.select().where(SETTING.c.name == name)
        with self._database.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            with self._database.begin() as connection:
                row = connection.execute(query).first()
                if row is None:
                    connection.execute(SETTING.insert().values(name=name, value=str(default)))
        return default if row is None else int(row.value)
