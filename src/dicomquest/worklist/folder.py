"""A folder of worklist files, as wlmscpfs serves one, and the entries that follow it (PS3.4 K).

A sub-folder is the worklist of the called AE title that it is named after. Whoever writes into it
holds its ``lockfile`` exclusively; whoever reads shares it. A sub-folder without that file is not
ready, or its share is not there: its entries stay as they are.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.errors import IndexDatabaseError
from dicomquest.worklist.entry import WorklistEntryError, entries_of
from dicomquest.worklist.entry_files import read_entry_file

if TYPE_CHECKING:
    from dicomquest.worklist.entries import Worklist

LOCK_FILE = "lockfile"
ENTRY_SUFFIXES = frozenset({".wl", ".json"})
"""The files of a folder that hold entries; wlmscpfs reads the first kind."""


class _State(NamedTuple):
    modified_ns: int
    size: int


@dataclass(slots=True)
class Look:
    """One look at the folder: entries added, files that went with their entries, and refusals."""

    added: int = 0
    removed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing has changed."""
        return not (self.added or self.removed or self.refused or self.waiting)


def entry_files(folder: Path, suffixes: frozenset[str] = ENTRY_SUFFIXES) -> Iterator[Path]:
    """Yield the files of a folder that hold entries, by name."""
    for each in sorted(folder.iterdir()):
        if each.suffix.lower() in suffixes and each.is_file():
            yield each


class FolderFollower:
    """Keeps the entries of a worklist in step with a folder, look by look."""

    def __init__(
        self, worklist: Worklist, folder: str | os.PathLike[str], *, may_lack: bool
    ) -> None:
        self._worklist = worklist
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100  a link stays a link
        self._may_lack = may_lack
        self._known: dict[str, _State] = {}
        self._told: set[str] = set()
        self._is_first = True

    def look(self, now: int, check: Callable[[], None] = lambda: None) -> Look:
        """Bring the entries into step; ``now`` is the time in seconds since 1970.

        ``check`` is called between two files, and ends the look by an exception. OSError if the
        folder cannot be read: its entries stay.
        """
        look = Look()
        found: set[str] = set()
        kept: list[str] = []
        for folder, title in self._lists():
            with _shared(folder / LOCK_FILE, is_needed=bool(title)) as reason:
                if reason:
                    kept.append(f"{folder}{os.sep}")
                    self._tell(str(folder), reason, look)
                    continue
                self._told.discard(str(folder))
                for path in entry_files(folder):
                    check()
                    found.add(str(path))
                    self._take(path, title, now, look)
        self._forget(found, kept, look)
        return look

    def _lists(self) -> list[tuple[Path, str]]:
        """Return the folder itself, for all titles, and its sub-folders with theirs."""
        inner = sorted(each for each in self._folder.iterdir() if each.is_dir())
        return [(self._folder, ""), *((each, each.name) for each in inner)]

    def _tell(self, folder: str, reason: str, look: Look) -> None:
        """Note once why a sub-folder has to wait."""
        if folder not in self._told:
            self._told.add(folder)
            look.waiting.append(f"{folder}: {reason}")

    def _take(self, path: Path, title: str, now: int, look: Look) -> None:
        """Read a file that is new or has changed."""
        name = str(path)
        try:
            status = path.stat()
        except FileNotFoundError:
            # It went while we looked: the next look removes its entries.
            return
        state = _State(status.st_mtime_ns, status.st_size)
        if self._known.get(name) == state:
            return
        self._known[name] = state
        try:
            entries = [
                entry
                for data_set in read_entry_file(path)
                for entry in entries_of(data_set, may_lack=self._may_lack)
            ]
        except (OSError, WorklistEntryError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            look.refused.append((name, reason or str(error)))
            look.removed += self._worklist.remove_of_source(name)
            return
        try:
            self._worklist.replace(entries, now, source=name, shown_to=title)
        except IndexDatabaseError:
            del self._known[name]  # so that the next look tries it again
            raise
        look.added += len(entries)

    def _forget(self, found: set[str], kept: list[str], look: Look) -> None:
        """Remove the entries of files that are gone, but for those of folders that wait."""
        known = set(self._known)
        if self._is_first:
            prefix = f"{self._folder}{os.sep}"
            known |= {each for each in self._worklist.sources() if each.startswith(prefix)}
            self._is_first = False
        for name in known - found:
            if not name.startswith(tuple(kept)):
                look.removed += self._worklist.remove_of_source(name)
                self._known.pop(name, None)


@contextmanager
def _shared(path: Path, *, is_needed: bool) -> Iterator[str]:
    """Share the lock of a sub-folder; give the reason if that is not possible, else nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield "it has no lockfile, as wlmscpfs wants one" if is_needed else ""
        return
    try:
        try:
            # DCMTK locks by one of the two, as it was built.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            yield "somebody writes there"
            return
        yield ""
    finally:
        os.close(descriptor)
