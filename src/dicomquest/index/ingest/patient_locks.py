"""The locks of a transaction that writes some patients, while others write others (PS3.4 C.6).

A transaction holds a lock for the identity of each patient and for the UID of each study that it
may change. The second one is for a study that moves between patients. All rows above an instance
change only under these, so its counts and all else that is computed stay exact. Which patients a
transaction changes is known from its instances, and from rows that the index has of them: if these
name others, the transaction begins anew and holds their locks, too.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from dicomquest.index.ingest.id_blocks import renew_blocks
from dicomquest.index.ingest.instance import Received
from dicomquest.index.ingest.merged_entity import patient_identity
from dicomquest.index.search.routing import routed
from dicomquest.index.tables.dialects import execute, words_of
from dicomquest.index.tables.partitioned import is_partitioned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from dicomquest.index.database.pipelined_writer import Attempt
    from dicomquest.index.database.pool import Database
    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import Prepared
    from dicomquest.index.tables.dialects import Driven

MOST_LOCKS = 1024
"""Locks of one transaction: a server has room for some 6,000. With more, it writes alone."""

_ATTEMPTS = 3

_ABOVE = """
    SELECT study.study_instance_uid, coalesce(main.identity, patient.identity)
    FROM study JOIN patient ON patient.id = study.parent
        LEFT JOIN patient AS main ON main.id = patient.variant_of
    WHERE study.id IN (
        SELECT id FROM study WHERE study_instance_uid {in_values}
        UNION ALL SELECT series.parent FROM series JOIN instance ON instance.parent = series.id
        WHERE instance.sop_instance_uid {in_values}
        UNION ALL SELECT series.parent FROM series JOIN instance ON instance.parent = series.id
            JOIN file ON file.instance = instance.id
        WHERE file.path {in_values})
"""
"""The studies that have the UIDs of some studies, instances, and files, with their patients."""


class Questions(Protocol):
    """The questions of a short transaction, which a server answers together with its locks."""

    def attempt(self, connection: Driven) -> Attempt | None:
        """Return a statement that may do all, if there is one."""

    def is_written(self, connection: Driven) -> bool:
        """Tell whether it has done all; then it has found no patients but those of the locks."""

    def ask(self, connection: Driven) -> None:
        """Ask all else."""


class _MoreLocksError(Exception):
    """The transaction would change patients whose locks it does not hold."""

    def __init__(self, locks: set[int]) -> None:
        super().__init__()
        self.locks = locks


@contextmanager
def patients_held(
    database: Database,
    arrivals: Sequence[tuple[Received, str]],
    questions: Questions | None = None,
) -> Iterator[Driven]:
    """Give the connection of a transaction that may write these instances, each with its path.

    Nobody else writes their patients meanwhile; without instances, nobody else writes at all.
    With ``questions`` it is a short transaction.
    """
    begin: Callable[..., AbstractContextManager[Driven]] = (
        database.begin if questions is None else partial(_begin_short, database, questions)
    )
    if arrivals and database.dialect != "sqlite":
        locks = _own_locks(arrivals, of_rows=database.is_partitioned)
        for _ in range(_ATTEMPTS):
            if len(locks) > MOST_LOCKS:
                break
            try:
                with begin(sorted(locks)) as connection:
                    if questions is not None and questions.is_written(connection):
                        yield connection
                        return
                    above = _ask_above(connection, arrivals)
                    if questions is not None:
                        questions.ask(connection)
                    _expect_held(above, locks)
                    yield connection
                    return
            except _MoreLocksError as error:
                locks |= error.locks
    with begin() as connection:
        if words_of(connection).has_sequences:
            renew_blocks(connection)
        yield connection


def _begin_short(
    database: Database, questions: Questions, locks: Sequence[int] | None = None
) -> AbstractContextManager[Driven]:
    return database.begin_short(locks, questions.attempt)


def pieces(
    instances: Sequence[tuple[Prepared, FileState | None]], *, of_rows: bool
) -> Iterator[Sequence[tuple[Prepared, FileState | None]]]:
    """Cut instances into parts, each for a transaction with few enough locks, in their order."""
    most = MOST_LOCKS * 3 // 4  # the rest is for what the index has of them
    begin, locks = 0, set[int]()
    for at, (each, file) in enumerate(instances):
        own = {*locks_of(each, "" if file is None else file.path, of_rows=of_rows)}
        is_other = isinstance(each, Received) is not isinstance(instances[begin][0], Received)
        if at > begin and (is_other or len(locks) + len(own - locks) > most):
            yield instances[begin:at]
            begin, locks = at, set()
        locks |= own
    yield instances[begin:]


def locks_of(prepared: Prepared, path: str, *, of_rows: bool) -> Iterator[int]:
    """Give the locks that an instance names: those of its patient and study.

    With ``of_rows`` also those of its UID and path, for the partitioned layout: no unique key over
    all partitions would refuse the second writer of one.
    """
    if isinstance(prepared, Received):
        yield _number("P", patient_identity(prepared))
        yield _number("S", prepared.study_uid)
    if of_rows:
        yield _number("I", prepared.sop_uid)
        yield _number("F", path)


def _own_locks(arrivals: Iterable[tuple[Received, str]], *, of_rows: bool) -> set[int]:
    return {lock for each, path in arrivals for lock in locks_of(each, path, of_rows=of_rows)}


def _ask_above(
    connection: Driven, arrivals: Sequence[tuple[Received, str]]
) -> Iterable[tuple[str, str]]:
    """Ask for the rows that the instances, their studies and their files have now."""
    words = words_of(connection)
    lists = (
        words.as_list(list({received.study_uid for received, _ in arrivals})),
        words.as_list([received.sop_uid for received, _ in arrivals]),
        words.as_list([os.fsencode(path) for _, path in arrivals if path]),
    )
    statement = routed(_ABOVE) if is_partitioned(connection) else _ABOVE
    statement = statement.replace("{in_values}", words.in_values)
    found: Iterable[tuple[str, str]] = execute(connection, statement, lists)
    return found


def _expect_held(above: Iterable[tuple[str, str]], locks: set[int]) -> None:
    stored = {
        lock for study, identity in above for lock in (_number("P", identity), _number("S", study))
    }
    if further := stored - locks:
        raise _MoreLocksError(further)


def _number(kind: str, key: str) -> int:
    digest = blake2b(f"{kind}{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
