"""Files that are gone leave the index, and with them the instances that no other file has.

What such an instance is in the index may be what the file that is gone had said, so the others are read again.

A file counts as gone where its folder answers that there is none; where nothing can be learned (no permission, a share
that fails) it stays. A folder that is missing, has not one file, or has become another one since may be a share that is
not mounted: what the index has of it stays unless told otherwise.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.computed import rows
from dicomquest.index.ingest.files import ingest_files, walk
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dicomquest.index.database.pool import Database

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

    ``gone`` of them were removed, with ``entities`` by level; ``refused`` says below which paths some were missed and
    left, and why.
    """

    files: int = 0
    gone: int = 0
    entities: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(Level, 0))
    refused: dict[str, str] = field(default_factory=dict)


class Root:
    """A path that is kept in step, and which folder it was when it was first looked at."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100  a Path cannot say what the system's bytes say
        self._identity = _identity(self.path)

    def has(self, path: str) -> bool:
        """Whether an absolute path is this one or below it."""
        return path == self.path or path.startswith(self.path.rstrip(os.sep) + os.sep)

    def is_there(self) -> bool:
        """Whether it is what it was; of a folder that was missing, whether it still is."""
        return _identity(self.path) == self._identity

    def is_missing(self) -> bool:
        """Whether there was nothing when it was first looked at."""
        return self._identity is None

    def doubt(self, *, noticed: bool = False) -> str | None:
        """Why a file that is not found may not be gone; ``noticed``: the system said that it was deleted."""
        identity = _identity(self.path)
        if identity is None:
            return "it is not there"
        if identity != self._identity:
            return "it is not the folder that it was: something was mounted or unmounted there"
        if not noticed and next(walk([self.path]), None) is None:
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
    roots = [Root(path) for path in paths]
    for root in roots:
        for page in known_files(database, [root.path]):
            # Of paths within each other the inner one decides: it may be a share of its own.
            own = [file for file in page if root_of(os.fsdecode(file.path), roots) is root]
            pruned.files += len(own)
            if not remove_gone(database, own, default_zone, pruned, None if even_empty else root):
                break
            if progress is not None:
                progress(pruned)
    return pruned


def forget_moved(database: Database, paths: Sequence[str], default_zone: int) -> None:
    """Forget files that are gone of instances that a file at one of ``paths`` has, too."""
    for start in range(0, len(paths), _PAGE):
        names = [os.fsencode(path) for path in paths[start : start + _PAGE]]
        same = f"SELECT instance FROM file WHERE path IN ({', '.join('?' * len(names))})"
        statement = f"SELECT path, size, modified_ns, instance FROM file WHERE instance IN ({same})"
        remove_gone(
            database, _page(database, statement, tuple(names)), default_zone, Pruned(), None
        )


def root_of(path: str, roots: Sequence[Root]) -> Root | None:
    """The innermost of the roots that a path is in."""
    return max(
        (root for root in roots if root.has(path)), key=lambda root: len(root.path), default=None
    )


def known_files(database: Database, paths: Sequence[str]) -> Iterator[Sequence[KnownFile]]:
    """The files of the index at or below absolute paths, some at a time."""
    columns = "SELECT path, size, modified_ns, instance FROM file"
    folders: list[bytes] = []
    for start in range(0, len(paths), _PAGE):
        names = [os.fsencode(path) for path in paths[start : start + _PAGE]]
        page = _page(
            database, f"{columns} WHERE path IN ({', '.join('?' * len(names))})", tuple(names)
        )
        if page:
            yield page
        found = {file.path for file in page}
        folders += [name for name in names if name not in found]
    separator = os.fsencode(os.sep)
    below = f"{columns} WHERE path > ? AND path < ? ORDER BY path LIMIT {_PAGE}"
    for folder in folders:
        last = folder.rstrip(separator) + separator
        # All that begins with this comes before what has the next byte in the separator's place.
        end = last[:-1] + bytes([last[-1] + 1])
        while page := _page(database, below, (last, end)):
            yield page
            last = page[-1].path


def _page(database: Database, statement: str, parameters: tuple[bytes, ...]) -> list[KnownFile]:
    with database.connect() as connection:
        return [KnownFile(*row) for row in connection.exec_driver_sql(statement, parameters)]


def remove_gone(
    database: Database,
    files: Sequence[KnownFile],
    default_zone: int,
    pruned: Pruned,
    root: Root | None,
    *,
    noticed: bool = False,
) -> bool:
    """Remove those of the files that are gone; False if ``root`` is in doubt, and so are they."""
    gone = [file for file in files if is_gone(file.path)]
    if not gone:
        return True
    # Asked after the files: a share that was unmounted meanwhile shows now.
    reason = root.doubt(noticed=noticed) if root is not None else None
    if root is not None and reason is not None:
        pruned.refused[root.path] = reason
        return False
    with database.begin() as connection:
        batch = Batch(connection, (), default_zone)
        # One that came back meanwhile, and was read anew, has another state or another instance.
        connection.exec_driver_sql(
            "DELETE FROM file WHERE path = ? AND size = ? AND modified_ns = ? AND instance = ?",
            gone,
        )
        instances = {file.instance for file in gone}
        statement = "SELECT path, size, modified_ns, instance FROM file WHERE instance {in_values}"
        left = [KnownFile(*row) for row in rows(connection, statement, instances)]
        batch.remove(instances - {file.instance for file in left})
        batch.write()
        others = _others(gone, left)
        if others:
            # Whoever is cut off before they are read again leaves files that look changed.
            connection.exec_driver_sql(
                "UPDATE file SET modified_ns = -1 WHERE path = ?", [(path,) for path in others]
            )
    if others:
        ingest_files(database, map(os.fsdecode, others), default_zone)
    pruned.gone += len(gone)
    for level, count in batch.removed.items():
        pruned.entities[level] += count
    return True


def _others(gone: Sequence[KnownFile], left: Sequence[KnownFile]) -> list[bytes]:
    """Of the files that instances have left those that are no copies of what is gone: what they say may be another."""
    states = {(file.instance, file.size, file.modified_ns) for file in gone}
    return sorted(
        file.path for file in left if (file.instance, file.size, file.modified_ns) not in states
    )


def is_gone(path: bytes) -> bool:
    """Whether there is surely no file any more."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _identity(path: str) -> tuple[int, int] | None:
    """Which folder it is, whatever its name; the same for every file; None if there is nothing."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else (0, 0)
