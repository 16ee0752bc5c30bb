"""Files that are gone leave the index, and with them the instances that no other file has.

A file counts as gone where its folder answers that there is none; where nothing can be learned (no permission, a share
that fails) it stays. A folder that is missing, has not one file, or has become another one since may be a share that is
not mounted: what the index has of it stays unless told otherwise.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.computed import rows
from dicomquest.index.ingest import walk
from dicomquest.index.store import Batch
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dicomquest.index.database import Database

_PAGE = 1000


class KnownFile(NamedTuple):
    """A file as the index has it, its path in the system's bytes."""

    path: bytes
    size: int
    modified_ns: int
    instance: int


@dataclass(slots=True)
class Pruned:
    """What came of the files of the index that were looked at.

    ``gone`` of them were removed, with ``entities`` by level; ``refused`` says of which paths nothing was, and why.
    """

    files: int = 0
    gone: int = 0
    entities: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(Level, 0))
    refused: dict[str, str] = field(default_factory=dict)


class Root:
    """A path that is kept in step, as it is now; ``doubt`` says why what is not below it may be there all the same."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100  a Path cannot say what the system's bytes say
        self._identity = _identity(self.path)

    def doubt(self) -> str | None:
        """Why a file that is not found says nothing; None if it is gone."""
        identity = _identity(self.path)
        if identity is None:
            return "it is not there"
        if identity != self._identity:
            return "it is not the folder that it was: something was mounted or unmounted there"
        if next(walk([self.path]), None) is None:
            return "there is no file in it"
        return None


def prune(
    database: Database,
    paths: Iterable[str],
    default_zone: int,
    *,
    even_empty: bool = False,
    progress: Callable[[Pruned], None] | None = None,
) -> Pruned:
    """Remove what was at or below ``paths`` and is gone; ``even_empty`` trusts a path that is missing or empty, too."""
    pruned = Pruned()
    for path in paths:
        root = Root(path)
        doubt = None if even_empty else root.doubt
        prune_path(database, root.path, default_zone, pruned, doubt=doubt, progress=progress)
    return pruned


def prune_path(
    database: Database,
    path: str,
    default_zone: int,
    pruned: Pruned,
    *,
    doubt: Callable[[], str | None] | None = None,
    progress: Callable[[Pruned], None] | None = None,
) -> None:
    """Prune one absolute path; ``doubt`` is asked after files were missed, before they are removed."""
    for page in known_files(database, path):
        pruned.files += len(page)
        gone = [file for file in page if is_gone(file.path)]
        if gone:
            reason = doubt() if doubt is not None else None
            if reason is not None:
                pruned.refused[path] = reason
                return
            _remove(database, gone, default_zone, pruned)
        if progress is not None:
            progress(pruned)


def known_files(database: Database, path: str) -> Iterator[Sequence[KnownFile]]:
    """The files of the index at or below an absolute path, some at a time, by path."""
    folder = os.fsencode(path.rstrip(os.sep) + os.sep)
    # All that starts with the folder's name and a separator comes before that name and what follows the separator.
    end = folder[:-1] + bytes([folder[-1] + 1])
    columns = "SELECT path, size, modified_ns, instance FROM file"
    below = f"{columns} WHERE path > ? AND path < ? ORDER BY path LIMIT {_PAGE}"
    if page := _page(database, f"{columns} WHERE path = ?", (os.fsencode(path),)):
        yield page
    last = folder
    while page := _page(database, below, (last, end)):
        yield page
        last = page[-1].path


def _page(database: Database, statement: str, parameters: tuple[bytes, ...]) -> list[KnownFile]:
    with database.connect() as connection:
        return [KnownFile(*row) for row in connection.exec_driver_sql(statement, parameters)]


def is_gone(path: bytes) -> bool:
    """Whether there is surely no file any more."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _remove(database: Database, gone: Sequence[KnownFile], default_zone: int, pruned: Pruned) -> None:
    with database.begin() as connection:
        batch = Batch(connection, (), default_zone)
        # One that came back meanwhile, and was read anew, has another state or another instance.
        connection.exec_driver_sql(
            "DELETE FROM file WHERE path = ? AND size = ? AND modified_ns = ? AND instance = ?", list(gone)
        )
        instances = {file.instance for file in gone}
        statement = "SELECT DISTINCT instance FROM file WHERE instance {in_values}"
        batch.remove(instances - {instance for (instance,) in rows(connection, statement, instances)})
        batch.write()
    pruned.gone += len(gone)
    for level, count in batch.removed.items():
        pruned.entities[level] += count


def _identity(path: str) -> tuple[int, int] | None:
    """Which folder it is, whatever its name; the same for every file; None if there is nothing."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else (0, 0)
