"""The index: instances in a database, and queries against them (PS3.4 C.4.1.3).

``Index`` is the engine behind every door: the service, the commands, a program of its own.

*Writers take turns.* A write transaction holds the write lock of the whole index from its start,
before all threads and processes; on a server only locks of its patients. So a batch writes upon
what it has read. A query reads one snapshot, on a connection of its own, and waits for nobody.

*A query is one statement.* ``search.compile`` makes SQL of a ``Query``: the table of its level
(``patient``, ``study``, ``series``, ``instance``), joined with those above; a subquery finds one
chain of descendants for the keys of lower levels. Joins only go up, so no entity comes twice.
Nothing is sorted or grouped: the first row comes at once, and memory stays the same. Values are
parameters: queries of one shape are one text, which the database has compiled already.

*A statement leaves out what does not exist.* Most indexes have no second group of a name, and no
key with several values. The table ``occurrence`` says which of these exist (``plan.Facts``), and
the statement has no predicate on the others.

*Rows come from a cursor.* ``search`` returns it, ``Cursor.fetch`` the next rows, and any thread may
``interrupt`` it. A row has one value a field of the response. ``dataset.fast_encoder`` makes bytes
of it, ``Plan.to_data_set`` decoded elements.

*Python filters what SQL cannot say*: items of sequences, private attributes, times in another zone.
SQL still leaves out the entities that cannot match; ``search.python_filter`` looks at the others.

*Counts are stored.* Ingest keeps the counts, ModalitiesInStudy and their like exact within its
transaction, so a query never counts, and ``check`` compares them with the rows that they count.

*SQLite and PostgreSQL* get the same statement in their own words (``tables.dialects``). They differ
in two ways. SQLite calls the Python filter from its SQL, and reads the facts in the query's own
snapshot. PostgreSQL cannot call it: the statement selects what the filter has to see, and the
cursor drops rows. It is a round trip away, too: its cursor remembers the facts, the statement finds
no rows if there are others, and then it is sent again.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, overload
from uuid import uuid4

from dicomquest.errors import IndexDatabaseError
from dicomquest.index.database.pool import Database
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import OCCURRENCES, Facts, fields_of
from dicomquest.index.search.sqlite_cursor import Cursor, SQLiteCursor, give_back
from dicomquest.index.tables.schema import TABLES
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from pydicom.dataset import Dataset

    from dicomquest.dataset.elements import DataSet
    from dicomquest.dataset.response_fields import Field
    from dicomquest.index.ingest.file_batch import Summary
    from dicomquest.index.ingest.instance import Skipped
    from dicomquest.index.ingest.receiving import Arrivals, ReceivedBatch
    from dicomquest.index.search.plan import Columns
    from dicomquest.index.search.postgresql_cursor import KnownFacts
    from dicomquest.index.search.stored_files import InstanceFiles
    from dicomquest.index.tables.promoted import Attribute
    from dicomquest.index.upkeep.check import CheckReport
    from dicomquest.index.upkeep.check_files import FilesReport
    from dicomquest.index.upkeep.disagreements import Disagreement
    from dicomquest.index.upkeep.follow import Follower
    from dicomquest.index.upkeep.promotion import Listed
    from dicomquest.index.upkeep.prune import Pruned
    from dicomquest.index.upkeep.removal import Removal, Removed
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.identifier.request_keys import Keys
    from dicomquest.query.matches import Matches
    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions

TIMEZONE_SETTING = "timezone_offset_minutes"
IDENTITY_SETTING = "identity"

_ROWS = 512


def open_index(
    location: str | os.PathLike[str],
    *,
    create: bool = False,
    read_location: str | os.PathLike[str] | None = None,
    timezone_offset_minutes: int = 0,
    visible: Iterable[str] = (),
) -> Index:
    """Open an index by path or database URL, to be closed, as a ``with`` statement does.

    ``create`` makes a missing one; otherwise MissingIndexError says that there is none.
    ``read_location`` is a replica that may answer queries. ``timezone_offset_minutes``, east of
    UTC, is the zone of date-times without an offset; an index keeps the one it was made with.
    ``visible`` is a filter, such as ``["InstitutionName=EAST*"]``: queries find and count only what
    meets all of it; VisibilityError says what is wrong with it. IndexDatabaseError says why the
    database cannot be opened. Matches are pydicom Datasets.

    ```python
    import dicomquest

    with dicomquest.open_index("scans.sqlite", create=True) as index:
        for study in index.find(level="STUDY", PatientName="DOE^*"):
            print(study.StudyInstanceUID)
    ```
    """
    return Index(
        location,
        create=create,
        read_location=read_location,
        timezone_offset_minutes=timezone_offset_minutes,
        visible=visible,
    )


class Index:
    """An index in a database; any number of threads may share it, and of processes open it.

    Each method raises IndexDatabaseError if the database fails, or says what else it raises.
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        create: bool = True,
        read_location: str | os.PathLike[str] | None = None,
        timezone_offset_minutes: int = 0,
        visible: Iterable[str] = (),
        partitions: int = 0,
    ) -> None:
        """Open the index as ``open_index`` does, but create a missing one, perhaps partitioned."""
        self.database = self._database = Database(location, create=create, partitions=partitions)
        self._replica = self._database
        if read_location is not None:
            try:
                self._replica = Database(read_location, create=False, is_replica=True)
            except BaseException:
                self._database.close()
                raise
        zone = self._database.setting(TIMEZONE_SETTING, str(timezone_offset_minutes))
        self.timezone_offset_minutes = int(zone)
        self._facts: dict[frozenset[tuple[str, int]], Facts] = {}
        self._known: KnownFacts | None = None
        self._visible: tuple[KeyCriterion, ...] = ()
        if texts := tuple(visible):
            from dicomquest.query.visibility import parse_visible  # noqa: PLC0415

            try:
                self._visible = parse_visible(texts, self.timezone_offset_minutes)
            except ValueError:
                self.close()
                raise

    def fields(self, query: Query) -> tuple[Field, ...]:
        """Return the field of the response for each column of the rows of ``query``, in order."""
        return fields_of(query)

    @overload
    def find(
        self, *, level: str = ..., model: str = ..., as_: Literal["dataset"] = ...,
        limit: int | None = ..., options: QueryOptions | None = ...,
        keys: Keys | None = ..., **keywords: Any,
    ) -> Matches[Dataset]: ...  # fmt: skip
    @overload
    def find(
        self, *, level: str = ..., model: str = ..., as_: Literal["json"],
        limit: int | None = ..., options: QueryOptions | None = ...,
        keys: Keys | None = ..., **keywords: Any,
    ) -> Matches[dict[str, Any]]: ...  # fmt: skip
    def find(
        self,
        *,
        level: str = "STUDY",
        model: str = "study",
        as_: Literal["dataset", "json"] = "dataset",
        limit: int | None = None,
        options: QueryOptions | None = None,
        keys: Keys | None = None,
        **keywords: Any,
    ) -> Matches[Dataset] | Matches[dict[str, Any]]:
        """Query the index; give each match as soon as the database finds it (PS3.4 C.4.1.3).

        Arguments and result are those of ``dicomquest.find``, but ``options`` default to relational
        queries: keys of any level go together. The query reads one snapshot of the index; leaving
        the loop ends it. ValueError at once for a query that makes no sense, IndexDatabaseError,
        also between two matches, if the database fails.
        """
        # Only programs that ask in this way need what builds Datasets.
        from dicomquest.dataset.elements import to_json, to_pydicom  # noqa: PLC0415
        from dicomquest.index.search.built_matches import built_matches  # noqa: PLC0415
        from dicomquest.query.identifier.keyword_query import keyword_query  # noqa: PLC0415
        from dicomquest.query.identifier.request_keys import check_limit  # noqa: PLC0415
        from dicomquest.query.matches import Matches  # noqa: PLC0415

        builders: dict[str, Callable[[DataSet], Any]] = {"dataset": to_pydicom, "json": to_json}
        if as_ not in builders:
            raise ValueError(f"as_ {as_!r}: expected {', '.join(builders)}")
        asked = [*(keys or {}).items(), *keywords.items()]
        check_limit(limit)
        query = keyword_query(
            level, model, options, asked,
            timezone_offset_minutes=self.timezone_offset_minutes, now=datetime.now().astimezone(),
        )  # fmt: skip
        columns = ((key.tag, key.vr) for key in query.return_keys)
        return Matches(
            lambda form: built_matches(lambda: self.search(query), builders[form], limit),
            as_,
            columns,
        )

    def search(self, query: Query, *, is_latest: bool = False, columns: Columns = ()) -> Cursor:
        """Return the cursor of a query (PS3.4 C.4.1.3); the caller closes it.

        Rows are tuples with one value a field (``fields``), then those of ``columns``.
        ``is_latest`` asks the database that writes, not a replica, which may lag behind.
        IndexDatabaseError comes from here or from ``Cursor.fetch``.
        """
        if self._visible:
            query = replace(query, visible=self._visible + query.visible)
        database = self._database if is_latest else self._replica
        if database.dialect == "postgresql":
            return self._find_on_server(database, query, columns)
        connection = database.reader()
        try:
            driver: Any = connection.driver_connection
            # The facts must be those of the rows' snapshot (QR-172): it begins with this reading.
            driver.execute("BEGIN")
            occurrences = frozenset(driver.execute(OCCURRENCES).fetchall())
            plan = compile_query(query, self._facts_of(occurrences), columns)
            return SQLiteCursor(connection, plan)
        except sqlite3.Error as error:
            give_back(connection)
            raise IndexDatabaseError(f"the query failed: {error}") from error
        except BaseException:
            give_back(connection)
            raise

    def files(self, uids: Sequence[str], *, is_latest: bool = False) -> dict[str, InstanceFiles]:
        """Return study, patient and files of instances by SOP Instance UID; no filter applies."""
        from dicomquest.index.search.stored_files import files_of  # noqa: PLC0415

        database = self._database if is_latest else self._replica
        with database.connect() as connection:
            return files_of(connection, uids)

    def stored_syntaxes(self, most: int) -> dict[str, tuple[str, ...]]:
        """Return the transfer syntaxes of each SOP class among so many of the latest instances."""
        from dicomquest.index.search.stored_files import stored_syntaxes  # noqa: PLC0415

        with self._replica.connect() as connection:
            return stored_syntaxes(connection, most)

    def _find_on_server(self, database: Database, query: Query, columns: Columns) -> Cursor:
        """Return the cursor of a query that takes a connection at its first ``fetch`` only."""
        # An index in SQLite needs no psycopg.
        from dicomquest.index.search import postgresql_cursor  # noqa: PLC0415

        if self._known is None:
            zone, is_cut = self.timezone_offset_minutes, database.is_partitioned
            self._known = postgresql_cursor.KnownFacts(zone, is_partitioned=is_cut)
        return postgresql_cursor.PostgreSQLCursor(
            database.reader,
            database.discard_readers,
            self._known,
            lambda facts: compile_query(query, facts, columns),
        )

    def find_data_sets(self, query: Query) -> list[DataSet]:
        """Return all response identifiers of a query, decoded: the plain path, all in memory."""
        with self.search(query) as cursor:
            found: list[DataSet] = []
            while rows := cursor.fetch(_ROWS):
                found += [cursor.plan.to_data_set(row) for row in rows]
            return found

    def ingest(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        jobs: int = 1,
        progress: Callable[[Summary], None] | None = None,
        on_skip: Callable[[str, Skipped], None] | None = None,
        reread: bool = False,
    ) -> Summary:
        """Index the files at or below ``paths``, read by ``jobs`` processes.

        Unchanged files are not read again unless you ``reread`` them, so another call goes on where
        one was interrupted. Unreadable files are skipped and counted in the summary, which
        ``progress`` sees as it grows; ``on_skip`` gets the path and the reason of each. Several
        jobs import the calling script, which needs its ``if __name__ == "__main__"``.
        """
        # Here and below: a process that only queries starts without this code.
        from dicomquest.index.ingest.files import ingest_files  # noqa: PLC0415

        names = [os.fspath(path) for path in paths]
        return ingest_files(
            self._database, names, self.timezone_offset_minutes,
            jobs=jobs, progress=progress, on_skip=on_skip, reread=reread,
        )  # fmt: skip

    def ingest_data_sets(self, data_sets: Iterable[DataSet]) -> Summary:
        """Index decoded instances, which have no file.

        Element (0002,0010) of an instance is its transfer syntax. The summary counts instances that
        lack a UID as skipped.
        """
        from dicomquest.index.ingest.files import ingest_data_sets  # noqa: PLC0415

        return ingest_data_sets(self._database, data_sets, self.timezone_offset_minutes)

    def receiving(
        self, uids: Sequence[str], arrivals: Arrivals = ()
    ) -> AbstractContextManager[ReceivedBatch]:
        """Index instances that were just received, in one transaction (PS3.4 B.2).

        The end of the block commits, an exception undoes all; ``ingest.receiving`` says the rest.
        """
        from dicomquest.index.ingest.receiving import receiving  # noqa: PLC0415

        return receiving(self._database, uids, self.timezone_offset_minutes, arrivals)

    def removal(self, query: Query) -> Removal:
        """Find the entities to remove and count them; ``run`` removes exactly these.

        The caller closes the removal. ValueError if the query restricts nothing: that would empty
        the index; or if the index has a filter, because an entity goes with what is hidden in it.
        """
        from dicomquest.index.upkeep.removal import Removal  # noqa: PLC0415

        if self._visible:
            raise ValueError(
                "a removal takes hidden instances along: open the index without filter"
            )
        return Removal(self._database, self.search, query, self.timezone_offset_minutes)

    def remove(self, query: Query) -> Removed:
        """Remove the entities that a query finds, and entities above that have no children then.

        No file is touched. ValueError if the query restricts nothing.
        """
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

        A path that is missing or has no file may be a share that is not mounted. Its instances stay
        unless ``even_empty``, and ``refused`` of the result names the path. ``progress`` sees the
        result as it grows.
        """
        from dicomquest.index.upkeep.prune import prune  # noqa: PLC0415

        names = [os.fspath(path) for path in paths]
        return prune(
            self._database, names, self.timezone_offset_minutes,
            even_empty=even_empty, progress=progress,
        )  # fmt: skip

    def forget_moved(self, paths: Sequence[str]) -> None:
        """Forget missing files of the instances that a file at one of ``paths`` has as well."""
        from dicomquest.index.upkeep.prune import forget_moved  # noqa: PLC0415

        forget_moved(self._database, paths, self.timezone_offset_minutes)

    def follow(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        jobs: int = 1,
        check: Callable[[], None] = lambda: None,
    ) -> Follower:
        """Keep the index in step with folders, by notices that the caller gives to the follower.

        ``jobs`` is the number of processes that read files. ``check`` is called between the parts
        of long work, and ends it by an exception.
        """
        from dicomquest.index.upkeep.follow import Follower  # noqa: PLC0415

        names = [os.fspath(path) for path in paths]
        return Follower(self._database, names, self.timezone_offset_minutes, jobs=jobs, check=check)

    def check(self, *, repair: bool = False) -> CheckReport:
        """Compare counts, search forms and value rows with the attributes that they come from.

        ``repair`` writes those that differ. The report has the number of entities by level, the
        number of differences, and the first of them in words without patient data.
        """
        from dicomquest.index.upkeep.check import check  # noqa: PLC0415

        return check(self._database, self.timezone_offset_minutes, repair=repair)

    def check_files(self, progress: Callable[[FilesReport], None] | None = None) -> FilesReport:
        """Compare size and modification time of all indexed files with the disk; change nothing.

        ``progress`` sees the report as it grows.
        """
        from dicomquest.index.upkeep.check_files import check_files  # noqa: PLC0415

        return check_files(self._database, progress)

    def promote(
        self, attribute: Attribute, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Give an attribute without a column value rows, and so an index, while queries go on.

        Another call goes on where one was interrupted. ``progress`` gets the greatest id that is
        filled and the greatest there is. IndexDatabaseError also if the attribute is dropped
        meanwhile.
        """
        from dicomquest.index.upkeep.promotion import promote  # noqa: PLC0415

        promote(self._database, attribute, self.timezone_offset_minutes, progress=progress)

    def demote(self, attribute: Attribute, progress: Callable[[int], None] | None = None) -> bool:
        """Remove the value rows of a promoted attribute; False if it is not promoted.

        Queries match it by Python again. ``progress`` gets the number of rows removed.
        """
        from dicomquest.index.upkeep.promotion import demote  # noqa: PLC0415

        return demote(self._database, attribute, progress=progress)

    def promoted(self) -> list[Listed]:
        """List the promoted attributes, with state, share filled (0 to 1) and number of rows."""
        from dicomquest.index.upkeep.promotion import listed  # noqa: PLC0415

        return listed(self._database)

    def renew(self) -> bool:
        """Open the file that has taken the place of this index's; tell whether there is one.

        Until then, each method raises MissingIndexError after the file is removed or replaced.
        """
        if not self._database.renew():
            return False
        zone = self._database.setting(TIMEZONE_SETTING, str(self.timezone_offset_minutes))
        self.timezone_offset_minutes = int(zone)
        self._facts = {}
        return True

    @property
    def read_only_reason(self) -> str:
        """The reason why the index cannot be written, such as a missing right; else nothing."""
        return self._database.read_only_reason()

    @property
    def identity(self) -> str:
        """A text that tells this index from all others, by whatever path or URL it is opened."""
        return self._database.setting(IDENTITY_SETTING, uuid4().hex)

    def counts(self) -> dict[Level, int]:
        """Return the number of entities of each level."""
        with self._database.connect() as connection:
            run = connection.exec_driver_sql
            statements = {level: f"SELECT count(*) FROM {TABLES[level]}" for level in Level}
            statements[Level.PATIENT] += " WHERE variant_of IS NULL"  # variants are no patients
            return {level: run(each).scalar_one() for level, each in statements.items()}

    def disagreements(self) -> list[Disagreement]:
        """Return the patients whose studies disagree on who they are, with what these say."""
        from dicomquest.index.upkeep.disagreements import disagreements  # noqa: PLC0415

        return disagreements(self._database)

    def close(self) -> None:
        """Close the connections that are not in use; a cursor's closes with the cursor."""
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
        # Occurrences are few and only grow in number, so there are few such sets.
        return self._facts.get(occurrences) or self._facts.setdefault(
            occurrences, Facts(occurrences=occurrences, zone_minutes=self.timezone_offset_minutes)
        )
