"""Files that are gone leave the index, and with them the instances that have no other file.

The entry of an instance may come from the file that is gone, so its other files are read again.

A file counts as gone if its folder answers that it has no such file; without an answer (no
permission, a share that fails) it stays. A folder that is missing, without a single file, or
another one than before may be a share that is not mounted: its files stay, too, unless the caller
says otherwise.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.ingest.batch import Batch
from dicomquest.index.ingest.files import ingest_files, walk
from dicomquest.index.ingest.objects import remove_objects
from dicomquest.index.tables.dialects import rows
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dicomquest.index.database.pool import Database

_PAGE = 1000


class KnownFile(NamedTuple):
    """A file as the index has it; ``path`` is in the system's bytes.

    ``instance`` is the id of its instance, or of its object without a patient (``is_object``).
    """

    path: bytes
    size: int
    modified_ns: int
    instance: int
    is_object: int = 0


@dataclass(slots=True)
class Pruned:
    """The outcome for the files of the index: ``files`` looked at, ``gone`` of them removed.

    ``entities`` counts those removed with them, by level, ``objects`` those that belong to no
    patient. ``refused`` has, by path, the reason why missing files stay in the index.
    """

    files: int = 0
    gone: int = 0
    entities: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(Level, 0))
    objects: int = 0
    refused: dict[str, str] = field(default_factory=dict)


class Root:
    """A path to keep in step, with the identity that its folder had at first."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100  Path.absolute keeps '..'
        self._identity = _identity(self.path)

    def has(self, path: str) -> bool:
        """Tell whether an absolute path is this one or below it."""
        return path == self.path or path.startswith(self.path.rstrip(os.sep) + os.sep)

    def is_there(self) -> bool:
        """Tell whether the folder is the one that it was, or, if it was missing, still is."""
        return _identity(self.path) == self._identity

    def is_missing(self) -> bool:
        """Tell whether there was nothing at first."""
        return self._identity is None

    def doubt(self, *, noticed: bool = False) -> str | None:
        """Return a reason why missing files may not be gone, or None.

        ``noticed``: the system said that they were deleted, so the folder may be empty.
        """
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
    """Remove the files at or below ``paths`` that are gone.

    ``even_empty``: also where such a path is missing or empty, which an unmounted share would be.
    """
    pruned = Pruned()
    roots = [Root(path) for path in paths]
    for root in roots:
        for page in known_files(database, [root.path]):
            # Of nested paths the inner one decides: it may be a share of its own.
            own = [file for file in page if root_of(os.fsdecode(file.path), roots) is root]
            pruned.files += len(own)
            if not remove_gone(database, own, default_zone, pruned, None if even_empty else root):
                break
            if progress is not None:
                progress(pruned)
    return pruned


def forget_moved(database: Database, paths: Sequence[str], default_zone: int) -> None:
    """Forget files that are gone, if their instance has a file at one of ``paths`` as well."""
    for start in range(0, len(paths), _PAGE):
        names = [os.fsencode(path) for path in paths[start : start + _PAGE]]
        same = f"SELECT instance FROM file WHERE path IN ({', '.join('?' * len(names))})"
        statement = f"SELECT path, size, modified_ns, instance FROM file WHERE instance IN ({same})"
        remove_gone(
            database, _page(database, statement, tuple(names)), default_zone, Pruned(), None
        )


def root_of(path: str, roots: Sequence[Root]) -> Root | None:
    """Return the innermost root that a path is in."""
    return max(
        (root for root in roots if root.has(path)), key=lambda root: len(root.path), default=None
    )


def known_files(database: Database, paths: Sequence[str]) -> Iterator[Sequence[KnownFile]]:
    """Yield the files of the index at or below absolute paths, some at a time."""
    for columns in (
        "SELECT path, size, modified_ns, instance, 0 FROM file",
        "SELECT path, size, modified_ns, object, 1 FROM object_file",
    ):
        yield from _known_files(database, paths, columns)


def _known_files(
    database: Database, paths: Sequence[str], columns: str
) -> Iterator[Sequence[KnownFile]]:
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
        # All paths below sort before ``end``: the folder, then the byte after the separator.
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
    """Remove those files that are gone; return False if ``root`` is in doubt, and they stay."""
    gone = [file for file in files if is_gone(file.path)]
    if not gone:
        return True
    # Asked after the files: so a share that was unmounted in between is seen.
    reason = root.doubt(noticed=noticed) if root is not None else None
    if root is not None and reason is not None:
        pruned.refused[root.path] = reason
        return False
    # The files of a page are of one table.
    table, owner = ("object_file", "object") if gone[0].is_object else ("file", "instance")
    with database.begin() as connection:
        batch = Batch(connection, (), default_zone)
        # A file that has come back and was read again meanwhile has another state or instance.
        connection.exec_driver_sql(
            f"DELETE FROM {table} WHERE path = ? AND size = ? AND modified_ns = ? AND {owner} = ?",
            [file[:4] for file in gone],
        )
        instances = {file.instance for file in gone}
        statement = f"SELECT path, size, modified_ns, {owner} FROM {table} WHERE {owner} "
        left = [KnownFile(*row) for row in rows(connection, statement + "{in_values}", instances)]
        without = instances - {file.instance for file in left}
        if gone[0].is_object:
            pruned.objects += remove_objects(connection, without)
        else:
            batch.remove(without)
        batch.write()
        others = _others(gone, left)
        if others:
            # A state that no file has: if this process dies before it reads them below, the next
            # run does.
            connection.exec_driver_sql(
                f"UPDATE {table} SET modified_ns = -1 WHERE path = ?", [(path,) for path in others]
            )
    if others:
        ingest_files(database, map(os.fsdecode, others), default_zone)
    pruned.gone += len(gone)
    for level, count in batch.removed.items():
        pruned.entities[level] += count
    return True


def _others(gone: Sequence[KnownFile], left: Sequence[KnownFile]) -> list[bytes]:
    """Return the files that differ in size or time from all that are gone: they are read again."""
    states = {(file.instance, file.size, file.modified_ns) for file in gone}
    return sorted(
        file.path for file in left if (file.instance, file.size, file.modified_ns) not in states
    )


def is_gone(path: bytes) -> bool:
    """Tell whether there is surely no file any more."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _identity(path: str) -> tuple[int, int] | None:
    """Return the identity of a folder, the same one for all files, or None for nothing."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else (0, 0)
