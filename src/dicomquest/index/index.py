"""The index as its users see it: instances go in, queries come out, row by row (PS3.4 C.4.1.3)."""

from __future__ import annotations

import os
import sqlite3
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self, overload
from uuid import uuid4

from dicomquest.errors import IdentifierError, IndexDatabaseError
from dicomquest.index.database.pool import Database
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts, select
from dicomquest.index.search.sqlite_cursor import Cursor, SQLiteCursor, give_back
from dicomquest.index.tables.schema import SETTING, TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from pydicom.dataset import Dataset

    from dicomquest.dataset.elements import DataSet
    from dicomquest.dataset.response_fields import Field
    from dicomquest.index.ingest.files import Summary
    from dicomquest.index.ingest.receiving import ReceivedBatch
    from dicomquest.index.search.postgresql_cursor import KnownFacts
    from dicomquest.index.tables.promoted import Attribute
    from dicomquest.index.upkeep.check import CheckReport
    from dicomquest.index.upkeep.check_files import FilesReport
    from dicomquest.index.upkeep.follow import Follower
    from dicomquest.index.upkeep.promotion import Listed
    from dicomquest.index.upkeep.prune import Pruned
    from dicomquest.index.upkeep.removal import Removal, Removed
    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions

TIMEZONE_SETTING = "timezone_offset_minutes"
IDENTITY_SETTING = "identity"
_OCCURRENCES = "SELECT path, part FROM occurrence"


# A loop that looks at the first matches only costs little; one that runs on wastes few round trips.
_FIRST_ROWS = 32
_ROWS = 512


def open_index(
    location: str | os.PathLike[str],
    *,
    create: bool = False,
    read_location: str | os.PathLike[str] | None = None,
    timezone_offset_minutes: int = 0,
) -> Index:
    """Open an index by path or database URL, to be closed, as a ``with`` statement does.

    ``create`` makes it where there is none; without, MissingIndexError says that a path is wrong.
    ``read_location`` is a replica that queries may be answered from. ``timezone_offset_minutes`` is
    the zone of date-times without an offset; an index keeps the one that it was made with.
    IndexDatabaseError where the database cannot be opened. The matches are pydicom Datasets::

        with dicomquest.open_index("scans.sqlite") as index:
            for study in index.find(level="STUDY", PatientName="DOE^*"):
                print(study.StudyInstanceUID)
    """
    return Index(
        location,
        create=create,
        read_location=read_location,
        timezone_offset_minutes=timezone_offset_minutes,
    )


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
        self.timezone_offset_minutes = int(
            self._setting(TIMEZONE_SETTING, str(timezone_offset_minutes))
        )
        self._facts: dict[frozenset[tuple[str, int]], Facts] = {}
        self._known: KnownFacts | None = None

    def fields(self, query: Query) -> tuple[Field, ...]:
        """What each column of the rows of ``query`` will be in the response."""
        return select(query.return_keys).fields

    @overload
    def find(
        self, *, level: str = ..., model: str = ..., as_: Literal["dataset"] = ...,
        limit: int | None = ..., options: QueryOptions | None = ...,
        keys: Mapping[str | int, Any] | None = ..., **keywords: Any,
    ) -> Iterator[Dataset]: ...  # fmt: skip
    @overload
    def find(
        self, *, level: str = ..., model: str = ..., as_: Literal["json"],
        limit: int | None = ..., options: QueryOptions | None = ...,
        keys: Mapping[str | int, Any] | None = ..., **keywords: Any,
    ) -> Iterator[dict[str, Any]]: ...  # fmt: skip
    def find(
        self,
        *,
        level: str = "STUDY",
        model: str = "study",
        as_: Literal["dataset", "json"] = "dataset",
        limit: int | None = None,
        options: QueryOptions | None = None,
        keys: Mapping[str | int, Any] | None = None,
        **keywords: Any,
    ) -> Iterator[Dataset] | Iterator[dict[str, Any]]:
        """Query the index and give the matches while the database finds them (PS3.4 C.4.1.3).

        Keys, ``level``, ``model`` and ``as_`` are those of ``dicomquest.find``. ``options`` default
        to relational ones, so that keys of any level go together. ``limit`` ends the answers after
        so many. The query reads one snapshot of the index; leaving the loop early ends it.

        Raises ValueError for a query that makes no sense, at once, and IndexDatabaseError where the
        database fails.
        """
        # Only programs that ask in this way need what builds Datasets.
        from dicomquest.dataset.elements import to_json, to_pydicom  # noqa: PLC0415

        builders: dict[str, Callable[[DataSet], Any]] = {"dataset": to_pydicom, "json": to_json}
        if as_ not in builders:
            raise ValueError(f"as_ {as_!r}: expected {', '.join(builders)}")
        asked = [*(keys or {}).items(), *keywords.items()]
        query = self._query(level, model, options, asked)
        return self._matches(query, builders[as_], limit)

    def _query(
        self,
        level_name: str,
        model_name: str,
        options: QueryOptions | None,
        keys: Iterable[tuple[str | int, Any]],
    ) -> Query:
        """Return the query of keyword arguments; RequestError, a ValueError, says why there is none."""
        from dicomquest.query.identifier import request_keys  # noqa: PLC0415
        from dicomquest.query.identifier.parse import parse_identifier  # noqa: PLC0415
        from dicomquest.query.identifier.request_rules import (  # noqa: PLC0415
            RequestError,
            check_request,
        )
        from dicomquest.query.options import QueryOptions  # noqa: PLC0415

        model = request_keys.model_by_name(model_name)
        level = request_keys.level_by_name(level_name, model)
        given = QueryOptions(relational=True) if options is None else options
        own = replace(given, timezone_offset_minutes=self.timezone_offset_minutes)
        identifier = request_keys.request_identifier(model, level, keys)
        check_request(identifier, model, level, own)
        try:
            return parse_identifier(identifier, model.uid, own)
        except IdentifierError as error:
            raise RequestError(str(error)) from error

    def _matches(
        self, query: Query, build: Callable[[DataSet], Any], limit: int | None
    ) -> Iterator[Any]:
        from dicomquest.dataset.charset import choose  # noqa: PLC0415
        from dicomquest.dataset.elements import Element  # noqa: PLC0415
        from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET  # noqa: PLC0415

        left = sys.maxsize if limit is None else limit
        size = _FIRST_ROWS
        with self.search(query) as cursor:
            while left > 0 and (rows := cursor.fetch(min(size, left))):
                for row in rows:
                    data_set = cursor.plan.to_data_set(row)
                    # A Dataset that is written to a file needs the set of its text.
                    if terms := choose(data_set):
                        data_set = {SPECIFIC_CHARACTER_SET: Element("CS", terms), **data_set}
                    yield build(data_set)
                left -= len(rows)
                size = _ROWS

    def search(self, query: Query, *, is_latest: bool = False) -> Cursor:
        """Run a query; the cursor has to be closed. ``is_latest``: not from a replica, which may lag behind."""
        database = self._database if is_latest else self._replica
        if database.dialect == "postgresql":
            return self._find_on_server(database, query)
        connection = database.reader()
        try:
            driver: Any = connection.driver_connection
            # One snapshot for the facts and the rows (QR-172).
            driver.execute("BEGIN")
            occurrences = frozenset(driver.execute(_OCCURRENCES).fetchall())
            return SQLiteCursor(connection, compile_query(query, self._facts_of(occurrences)))
        except sqlite3.Error as error:
            give_back(connection)
            raise IndexDatabaseError(f"the query failed: {error}") from error
        except BaseException:
            give_back(connection)
            raise

    def _find_on_server(self, database: Database, query: Query) -> Cursor:
        """As ``search``; the facts are what is known so far, and no connection is used before the first ``fetch``."""
        from dicomquest.index.search.postgresql_cursor import KnownFacts, PostgreSQLCursor  # noqa: PLC0415  not for SQLite

        if self._known is None:
            self._known = KnownFacts(self.timezone_offset_minutes)
        return PostgreSQLCursor(
            database.reader,
            database.discard_readers,
            self._known,
            lambda facts: compile_query(query, facts),
        )

    def find_data_sets(self, query: Query) -> list[DataSet]:
        """All response identifiers of a query, decoded: the plain path."""
        with self.search(query) as cursor:
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
        from dicomquest.index.ingest.files import ingest_files  # noqa: PLC0415  queries need none of it

        names = [os.fspath(path) for path in paths]
        return ingest_files(
            self._database, names, self.timezone_offset_minutes, jobs=jobs, progress=progress
        )

    def ingest_data_sets(self, data_sets: Iterable[DataSet]) -> Summary:
        """Index decoded instances; (0002,0010) among an instance's elements is its transfer syntax."""
        from dicomquest.index.ingest.files import ingest_data_sets  # noqa: PLC0415

        return ingest_data_sets(self._database, data_sets, self.timezone_offset_minutes)

    def receiving(self, uids: Sequence[str]) -> AbstractContextManager[ReceivedBatch]:
        """Index instances that were just received, in one transaction that the block's end commits.

        The batch's ``known`` has the paths of those of ``uids`` that are indexed already; an exception
        in the block undoes all of it. Nobody else writes meanwhile.
        """
        from dicomquest.index.ingest.receiving import receiving  # noqa: PLC0415  queries need none of it

        return receiving(self._database, uids, self.timezone_offset_minutes)

    def removal(self, query: Query) -> Removal:
        """Find what is to be removed: it says how much that is, and ``run`` removes it; to be closed."""
        from dicomquest.index.upkeep.removal import Removal  # noqa: PLC0415  queries need none of it

        return Removal(self._database, self.search, query, self.timezone_offset_minutes)

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
        from dicomquest.index.upkeep.prune import prune  # noqa: PLC0415

        names = [os.fspath(path) for path in paths]
        return prune(
            self._database,
            names,
            self.timezone_offset_minutes,
            even_empty=even_empty,
            progress=progress,
        )

    def forget_moved(self, paths: Sequence[str]) -> None:
        """Forget files that are gone of instances that a file at one of ``paths`` has, too."""
        from dicomquest.index.upkeep.prune import forget_moved  # noqa: PLC0415

        forget_moved(self._database, paths, self.timezone_offset_minutes)

    def follow(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        jobs: int = 1,
        check: Callable[[], None] = lambda: None,
    ) -> Follower:
        """Keep the index in step with folders, from notices that the caller waits for: see ``follow.Follower``."""
        from dicomquest.index.upkeep.follow import Follower  # noqa: PLC0415

        names = [os.fspath(path) for path in paths]
        return Follower(self._database, names, self.timezone_offset_minutes, jobs=jobs, check=check)

    def check(self, *, repair: bool = False) -> CheckReport:
        """Compare all that is computed with what it is computed of; ``repair`` writes it anew where it differs."""
        from dicomquest.index.upkeep.check import check  # noqa: PLC0415

        return check(self._database, self.timezone_offset_minutes, repair=repair)

    def check_files(self, progress: Callable[[FilesReport], None] | None = None) -> FilesReport:
        """Compare the files that were read with those that are there; nothing is changed."""
        from dicomquest.index.upkeep.check_files import check_files  # noqa: PLC0415

        return check_files(self._database, progress)

    def promote(
        self, attribute: Attribute, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Give an attribute without a column an index of its own, while all is in use: see ``promotion.promote``."""
        from dicomquest.index.upkeep.promotion import promote  # noqa: PLC0415  queries need none of it

        promote(self._database, attribute, self.timezone_offset_minutes, progress=progress)

    def demote(self, attribute: Attribute, progress: Callable[[int], None] | None = None) -> bool:
        """Take a promoted attribute's index away; false if it has none."""
        from dicomquest.index.upkeep.promotion import demote  # noqa: PLC0415

        return demote(self._database, attribute, progress=progress)

    def promoted(self) -> list[Listed]:
        """All promoted attributes and their state."""
        from dicomquest.index.upkeep.promotion import listed  # noqa: PLC0415

        return listed(self._database)

    @property
    def identity(self) -> str:
        """What tells the index from all others, however it is reached."""
        return self._setting(IDENTITY_SETTING, uuid4().hex)

    def counts(self) -> dict[Level, int]:
        """How many entities of each level there are."""
        with self._database.connect() as connection:
            return {
                level: connection.exec_driver_sql(
                    f"SELECT count(*) FROM {TABLES[level]}"
                ).scalar_one()
                for level in Level
            }

    def close(self) -> None:
        """Close the database."""
        self._database.close()
        self._replica.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _facts_of(self, occurrences: frozenset[tuple[str, int]]) -> Facts:
        facts = self._facts.get(occurrences)
        if facts is None:
            # Few and never fewer, so this stays small.
            facts = self._facts[occurrences] = Facts(
                occurrences=occurrences, zone_minutes=self.timezone_offset_minutes
            )
        return facts

    def _setting(self, name: str, default: str) -> str:
        """Read a setting; one that is missing gets its default, for good."""
        query = SETTING.select().where(SETTING.c.name == name)
        with self._database.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            with self._database.begin() as connection:
                row = connection.execute(query).first()
                if row is None:
                    connection.execute(SETTING.insert().values(name=name, value=default))
        return default if row is None else str(row.value)
