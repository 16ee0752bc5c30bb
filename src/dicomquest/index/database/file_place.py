"""The file of an SQLite index while it is open: still in its place, removed, or replaced.

SQLite keeps reading and writing a file that has no name any more. And it finds the log of WAL mode
by the name of the index alone: an index that takes the place of an open one would be read together
with the log of the old one. So who has the old one open puts its log away.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TypeAlias

Identity: TypeAlias = tuple[int, int]
"""Device and number of a file; no other file has them as long as somebody has this one open."""

LATELY = 0.05
"""Seconds that a look holds for queries: else it would take some percent of a short one's time."""

ASIDE = "-of-replaced"
"""The end of the name of a log that is put away, and still has commits of the old index."""


def companion(path: Path, name: str) -> Path:
    """Return one of the two files that WAL mode has beside an index: its wal or shm."""
    return path.with_name(f"{path.name}-{name}")


class FilePlace:
    """The place of an index's file, and the file that was opened there."""

    def __init__(self, path: Path) -> None:
        """Note the file that is there now."""
        self.path = path
        self._text = str(path)
        self._file = identity(self._text)
        self._companions: dict[str, Identity] = {}
        self._is_well = True
        self._looked_at = monotonic()

    def fault(self) -> str:
        """Return why the opened file is not in its place any more; nothing if it is."""
        found = identity(self._text)
        self._is_well = found == self._file
        self._looked_at = monotonic()
        if self._is_well:
            return ""
        if found is None:
            return f"the index {self._text} is gone"
        return f"the index {self._text} was replaced by another file"

    def fault_lately(self) -> str:
        """Return the same for a query, which may be so much late: a look costs some of its time."""
        if self._is_well and monotonic() - self._looked_at < LATELY:
            return ""
        return self.fault()

    def note_companions(self) -> None:
        """Note which files WAL mode has beside the index: they belong to the opened file."""
        if self.fault():
            return
        for name in ("wal", "shm"):
            found = identity(str(companion(self.path, name)))
            if found is not None:
                self._companions[name] = found

    def put_companions_away(self, *, is_log_empty: bool) -> None:
        """Take the noted files from beside a new index; keep a log that still has commits."""
        for name, known in self._companions.items():
            path = companion(self.path, name)
            if identity(str(path)) != known:
                continue  # another process did it, and the new index has its own by now
            with suppress(OSError):
                if name == "wal" and not is_log_empty:
                    path.rename(path.with_name(path.name + ASIDE))
                else:
                    path.unlink()


def identity(path: str) -> Identity | None:
    """Return the identity of the file at a path; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino
