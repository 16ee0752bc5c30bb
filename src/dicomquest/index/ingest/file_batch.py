"""Files that were read enter the index in one batch, and are counted (PS3.4 C.3)."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.errors import WriteConflictError
from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.instance import Prepared, Reason, Received, ReceivedObject, Skipped
from dicomquest.index.ingest.objects import displace, forget_files, write_objects
from dicomquest.index.ingest.patient_locks import patients_held, pieces
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicomquest.index.database.pool import Database

_MOST_EXAMPLES = 1000


@dataclass(slots=True)
class Summary:
    """The outcome so far: each file counts once, as unchanged, indexed, replaced or skipped.

    ``replaced``: the instance was indexed before. ``examples`` has the first thousand skipped
    files. ``removed`` counts instances whose last file now has another instance. ``on_skip`` is
    called with the path of each skipped file.
    """

    unchanged: int = 0
    indexed: int = 0
    replaced: int = 0
    skipped: Counter[Reason] = field(default_factory=Counter)
    examples: list[tuple[str, Skipped]] = field(default_factory=list)
    removed: int = 0
    on_skip: Callable[[str, Skipped], None] | None = None

    @property
    def files(self) -> int:
        """The number of all files looked at."""
        return self.unchanged + self.indexed + self.replaced + self.skipped.total()

    def skip(self, path: str, skipped: Skipped) -> None:
        """Count a file that is not indexed."""
        self.skipped[skipped.reason] += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append((path, skipped))
        if self.on_skip is not None:
            self.on_skip(path, skipped)


def write(
    database: Database,
    instances: Sequence[tuple[Prepared, FileState | None]],
    default_zone: int,
    summary: Summary,
) -> None:
    """Write prepared instances, and count them.

    In SQLite that is one transaction. On a server it may be some, each with few enough locks.
    """
    if not instances:
        return
    parts = (
        [instances]
        if database.dialect == "sqlite"
        else pieces(instances, of_rows=database.is_partitioned)
    )
    for part in parts:
        _write_part(database, part, default_zone, summary)


def _write_part(
    database: Database,
    instances: Sequence[tuple[Prepared, FileState | None]],
    default_zone: int,
    summary: Summary,
) -> None:
    arrivals = [
        (received, "" if file is None else file.path)
        for received, file in instances
        if isinstance(received, Received)
    ]
    if len(arrivals) == len(instances):
        with suppress(WriteConflictError):
            _write(database, instances, default_zone, summary, arrivals)
            return
    _write(database, instances, default_zone, summary)


def _write(
    database: Database,
    instances: Sequence[tuple[Prepared, FileState | None]],
    default_zone: int,
    summary: Summary,
    arrivals: Sequence[tuple[Received, str]] = (),
) -> None:
    changed: list[str] = []
    with patients_held(database, arrivals) as connection:
        # An older read of a file must not overwrite a newer stored instance. Checked within the
        # transaction, because archives put files in place only within theirs.
        current: list[tuple[Received, FileState | None]] = []
        objects: list[tuple[ReceivedObject, FileState | None]] = []
        for received, file in instances:
            if file is not None and not _is_current(file):
                changed.append(file.path)
            elif isinstance(received, Received):
                current.append((received, file))
            else:
                objects.append((received, file))
        batch = Batch(connection, [received for received, _ in current], default_zone)
        for received, file in current:
            batch.add(received, file)
        batch.remove(displace(connection, [file for _, file in objects if file is not None]))
        batch.write()
        removed = forget_files(connection, [file.path for _, file in current if file is not None])
        new = write_objects(connection, objects)
    for path in changed:
        summary.skip(path, Skipped(Reason.CHANGED))
    summary.replaced += batch.replaced + len(objects) - new
    summary.indexed += new
    summary.removed += removed
    summary.removed += batch.removed[Level.IMAGE]
    summary.indexed += len(current) - batch.replaced


def _is_current(file: FileState) -> bool:
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except OSError:
        return False
    return FileState.of(file.path, status) == file
