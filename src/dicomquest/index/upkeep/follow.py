"""The index follows folders: notices of new, changed and deleted files keep it in step.

The caller waits for notices and tells the time: ``now`` is in seconds since the epoch.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.index.ingest.file_batch import Summary
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.files import ingest_files
from dicomquest.index.ingest.instance import Reason
from dicomquest.index.upkeep.prune import Pruned, Root, known_files, prune, remove_gone, root_of
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from dicomquest.index.database.pool import Database
    from dicomquest.index.ingest.instance import Skipped

LOGGER = logging.getLogger("dicomquest.index")

# A file that is still being written looks like one of these; a DICOMDIR, or an instance without
# UIDs, is whole.
_MAY_GET_BETTER = frozenset(
    {Reason.NOT_DICOM, Reason.TRUNCATED, Reason.MALFORMED, Reason.UNREADABLE, Reason.CHANGED}
)
# Seconds. A file that has not changed for so long will not, unless it could not even be opened.
_YOUNG = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 512.0
_MOST_WAITING = 10_000
# Notices at a time from which on several processes read: to start them takes as long as to read
# some hundred files.
_MANY = 2000


@dataclass(slots=True)
class Step:
    """The outcome of one look or several: counts of instances, and of files skipped and gone.

    ``refused`` has the reason for each folder in which files were missed, but left in the index.
    """

    indexed: int = 0
    replaced: int = 0
    removed: int = 0
    skipped: int = 0
    gone: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(
            self.indexed
            or self.replaced
            or self.removed
            or self.skipped
            or self.gone
            or self.refused
        )

    def add(self, other: Step) -> None:
        """Add the counts of another look."""
        self.indexed += other.indexed
        self.replaced += other.replaced
        self.removed += other.removed
        self.skipped += other.skipped
        self.gone += other.gone
        self.refused = other.refused


@dataclass(slots=True)
class _Waiting:
    """A file, or a folder that nobody may enter, to be tried again.

    ``state`` is that of the last try, ``due`` the time of the next one, ``pause`` the wait for it.
    """

    state: FileState | None
    due: float
    pause: float


class Follower:
    """Follows folders: ``begin``, ``look`` once, then ``take`` notices, and ``retry`` now and then.

    It calls ``check`` between the parts of long work; an exception from there ends the work.
    """

    def __init__(
        self,
        database: Database,
        paths: Iterable[str],
        default_zone: int,
        *,
        jobs: int,
        check: Callable[[], None],
    ) -> None:
        database.refuse_read_only()
        self.roots = [Root(path) for path in dict.fromkeys(paths)]
        self.total = Step()
        self._database = database
        self._default_zone = default_zone
        self._jobs = jobs
        self._check = check
        self._waiting: dict[str, _Waiting] = {}
        self._has_opened = False

    @property
    def waiting(self) -> int:
        """The number of files to be tried again."""
        return len(self._waiting)

    def is_in_doubt(self) -> bool:
        """Tell whether a folder came, went, was replaced or was opened to us since ``begin``."""
        return self._has_opened or not all(root.is_there() for root in self.roots)

    def begin(self) -> list[str]:
        """Note the identity of each folder, and return those that are there.

        To be called before the caller asks for notices of them.
        """
        self._has_opened = False
        self.roots = [Root(root.path) for root in self.roots]
        return [root.path for root in self.roots if not root.is_missing()]

    def look(self, now: float) -> Step:
        """Bring the index into step with all folders that were there at ``begin``."""
        paths = [root.path for root in self.roots if not root.is_missing()]
        step = self._read(paths, now, jobs=self._jobs)
        pruned = prune(
            self._database,
            [root.path for root in self.roots],
            self._default_zone,
            progress=self._checked,
        )
        return self._done(step, pruned)

    def take(self, changed: Collection[str], deleted: Collection[str], now: float) -> Step:
        """Read changed files and new folders, and remove deleted files; all paths are absolute."""
        # Reading comes first: so the instance of a renamed file has a file at every moment.
        paths = [path for path in _tops(changed) if not _is_elsewhere(path)]
        step = self._read(paths, now, jobs=self._jobs if len(paths) > _MANY else 1)
        pruned = Pruned()
        for root in self.roots:
            # A notice that the root itself was deleted counts for nothing: it may be unmounted.
            below = _tops([path for path in deleted if root.has(path) and path != root.path])
            for page in known_files(self._database, below):
                own = [file for file in page if root_of(os.fsdecode(file.path), self.roots) is root]
                if not remove_gone(
                    self._database, own, self._default_zone, pruned, root, noticed=True
                ):
                    break
                self._check()
        return self._done(step, pruned)

    def retry(self, now: float) -> Step:
        """Try those files again whose time has come."""
        # A wait longer than its pause: the clock has been set back since.
        due = [
            path
            for path, waiting in self._waiting.items()
            if not now < waiting.due <= now + waiting.pause
        ]
        if not due:
            return Step()
        step = self._read(due, now, jobs=1)
        step.skipped = 0  # they were counted the first time
        return self._done(step, Pruned())

    def _read(self, paths: Sequence[str], now: float, *, jobs: int) -> Step:
        before = {
            path: waiting
            for path in paths
            if (waiting := self._waiting.pop(path, None)) is not None
        }
        there = [path for path in paths if not _is_missing(path)]
        summary = ingest_files(
            self._database, there, self._default_zone, jobs=jobs, progress=self._checked
        )
        for path, skipped in summary.examples:
            LOGGER.debug("skipped: %s: %s %s", path, skipped.reason.value, skipped.detail)
            self._wait(path, skipped, before.get(path), now)
        self._has_opened |= any(
            os.path.isdir(path)  # noqa: PTH112
            for path in before.keys() - self._waiting.keys()
        )
        return Step(summary.indexed, summary.replaced, summary.removed, summary.skipped.total())

    def _wait(self, path: str, skipped: Skipped, before: _Waiting | None, now: float) -> None:
        """Have a file tried again if somebody may be writing it; later each time it is the same."""
        if skipped.reason not in _MAY_GET_BETTER or len(self._waiting) >= _MOST_WAITING:
            return
        state = _state(path)
        if skipped.reason is Reason.UNREADABLE:
            if _is_missing(path):
                return
        elif state is None or state.modified_ns / 1e9 < now - _YOUNG:
            return
        pause = _FIRST_PAUSE if before is None or before.state != state else 2 * before.pause
        if os.path.isdir(path):  # noqa: PTH112
            # No notice tells when it opens, or what happens in it until then: so never give up.
            pause = min(pause, _LONGEST_PAUSE)
        if pause <= _LONGEST_PAUSE:
            self._waiting[path] = _Waiting(state, now + pause, pause)

    def _done(self, step: Step, pruned: Pruned) -> Step:
        step.removed += pruned.entities[Level.IMAGE] + pruned.objects
        step.gone = pruned.gone
        step.refused = pruned.refused
        self.total.add(step)
        return step

    def _checked(self, _: Summary | Pruned) -> None:
        self._check()


def _tops(paths: Collection[str]) -> list[str]:
    """Return the paths that are below none of the others, in order."""
    found: list[str] = []
    # Separators sort before all else: so all that is below a path comes right after it.
    for path in sorted(paths, key=lambda path: path.replace(os.sep, "\0")):
        if not (found and path.startswith(found[-1] + os.sep)):
            found.append(path)
    return found


def _is_elsewhere(path: str) -> bool:
    """Tell whether a path is a link to a folder, which ``walk`` does not follow either."""
    return os.path.islink(path) and os.path.isdir(path)  # noqa: PTH112, PTH114


def _is_missing(path: str) -> bool:
    """Tell whether there is surely nothing at a path."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _state(path: str) -> FileState | None:
    """Return the state of a file; None if there is none."""
    try:
        return FileState.of(path, os.stat(path))  # noqa: PTH116
    except OSError:
        return None
