"""The check that indexed files are still there, and unchanged."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.upkeep.prune import is_gone, known_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicomquest.index.database.pool import Database
    from dicomquest.index.upkeep.prune import KnownFile

_MOST_EXAMPLES = 100
_SECOND_LOOK = 0.2  # seconds before it: longer than a transaction that stores


class FileTrouble(Enum):
    """The way in which a file differs from its entry in the index."""

    GONE = "gone"
    CHANGED = "changed since it was indexed"
    UNREADABLE = "cannot be looked at"


class FileDifference(NamedTuple):
    """One file that differs; ``detail`` is the system's message."""

    path: str
    trouble: FileTrouble
    detail: str = ""


@dataclass(slots=True)
class FilesReport:
    """The number of files compared, and of files that differ; ``examples`` has the first."""

    checked: int = 0
    differences: int = 0
    examples: list[FileDifference] = field(default_factory=list)


def check_files(
    database: Database, progress: Callable[[FilesReport], None] | None = None
) -> FilesReport:
    """Compare the state of all files; call ``progress`` with the growing report."""
    report = FilesReport()
    for page in known_files(database, [os.sep]):
        report.checked += len(page)
        differences = _differences(page)
        if differences:
            # A Storage SCP may have put a file in place and not have committed yet.
            time.sleep(_SECOND_LOOK)
            paths = [each.path for each in differences]
            differences = [
                each for again in known_files(database, paths) for each in _differences(again)
            ]
        report.differences += len(differences)
        report.examples += differences[: _MOST_EXAMPLES - len(report.examples)]
        if progress is not None:
            progress(report)
    return report


def _differences(files: Sequence[KnownFile]) -> list[FileDifference]:
    return [difference for file in files if (difference := _difference(file)) is not None]


def _difference(file: KnownFile) -> FileDifference | None:
    path = os.fsdecode(file.path)
    if is_gone(file.path):
        return FileDifference(path, FileTrouble.GONE)
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except OSError as error:
        return FileDifference(path, FileTrouble.UNREADABLE, error.strerror or type(error).__name__)
    if FileState.of(path, status) != FileState(path, file.size, file.modified_ns):
        return FileDifference(path, FileTrouble.CHANGED)
    return None
