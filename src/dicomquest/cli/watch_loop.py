"""The loop of ``dicomquest watch``: the system gives notices of changes, the index follows them."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from dicomquest.cli.counting import number_of
from dicomquest.cli.messages import give_up
from dicomquest.errors import IndexDatabaseError

if TYPE_CHECKING:
    from watchfiles import Change

    from dicomquest.index.upkeep.follow import Follower, Step

LOGGER = logging.getLogger("dicomquest.watch")

# Milliseconds: a batch of notices ends after a pause of the first length, at the latest after the
# second.
_QUIET, _LONGEST_BATCH = 200, 1000
# Milliseconds: without a notice for this long, the loop tries files again and sees a signal.
_TICK = 500
# Seconds between two tries of what failed; the pause doubles up to the longest.
_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
# So many notices at once may have overflowed the system's queue (16384 on Linux by default), which
# drops the rest without a word. Hence another look at all files once it is quiet.
_FLOOD = 4096


class StoppedError(Exception):
    """A signal tells us to end."""


@contextmanager
def told_to_end(stop: threading.Event) -> Iterator[None]:
    """Make SIGINT and SIGTERM set the event; a second one ends the process as usual."""
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class WatchLoop:
    """The loop: wait, follow, look at all files where notices may be missing."""

    def __init__(
        self,
        follower: Follower,
        stop: threading.Event,
        renew: Callable[[], object],
        *,
        poll: bool,
        rescan: float,
    ) -> None:
        """Follow until ``stop`` is set; look at all files every ``rescan`` minutes, 0 is never.

        ``renew`` opens an index that has taken the place of the follower's.
        """
        self._renew = renew
        self._polls = poll
        self._rescan = rescan
        self._follower = follower
        self._stop = stop
        self._look_at = 0.0  # of the monotonic clock, which nobody sets
        self._pause = _PAUSE
        self._is_flooded = False
        self._has_looked = False

    def run(self) -> None:
        """Follow until told to end."""
        while not self._stop.is_set():
            try:
                self._watch()
            except FileNotFoundError:
                LOGGER.debug("a folder went before the watch on it began")
            except IndexDatabaseError as error:
                if not self._has_looked:
                    raise
                LOGGER.error("%s; trying again", error)  # noqa: TRY400
                # The next look reads all files into an index that has replaced this one.
                self._renew()
            self._stop.wait(self._pause)

    def _watch(self) -> None:
        """Look, then follow the present folders until one comes or goes, or a notice is lost."""
        paths = self._follower.begin()
        with closing(self._notices(paths) if paths else self._ticks()) as batches:
            # The first wait starts the notices before the look, so that no change falls between.
            first = next(batches, None)
            if first is None:
                return
            self._look()
            self._take(first)
            for notices in batches:
                if self._follower.is_in_doubt():
                    LOGGER.warning("a folder went, came back, was replaced, or can be entered now")
                    self._pause = _PAUSE
                    return
                self._take(notices)
                if time.monotonic() >= self._look_at or (self._is_flooded and not notices):
                    self._look()

    def _look(self) -> None:
        started = time.monotonic()
        step = self._follower.look(time.time())
        self._look_at = time.monotonic() + 60 * self._rescan if self._rescan else math.inf
        self._is_flooded = False
        self._log(step, f"looked at all files in {time.monotonic() - started:.1f} s")
        self._has_looked = True

    def _take(self, notices: set[tuple[Change, str]]) -> None:
        from watchfiles import Change

        if len(notices) > _FLOOD:
            self._is_flooded = True
        deleted = {path for change, path in notices if change is Change.deleted}
        added = {path for change, path in notices if change is Change.added}
        modified = {path for change, path in notices if change is Change.modified}
        # A modified folder is no work: the changed files in it have notices of their own.
        changed = added | {path for path in modified if not os.path.isdir(path)}  # noqa: PTH112
        if deleted or changed:
            step = self._follower.take(changed, deleted, time.time())
            if step:
                self._log(step, number_of(len(notices), "notice"))
        step = self._follower.retry(time.time())
        if step:
            self._log(step, "tried again")

    def _log(self, step: Step, why: str) -> None:
        waiting = f", {self._follower.waiting} to try again" if self._follower.waiting else ""
        LOGGER.info(
            "%s: %d indexed, %d replaced, %d removed, %d skipped%s",
            why,
            step.indexed,
            step.replaced,
            step.removed,
            step.skipped,
            waiting,
        )
        for path, reason in step.refused.items():
            LOGGER.warning("not pruned: %s: %s", path, reason)

    def _notices(self, paths: list[str]) -> Generator[set[tuple[Change, str]], None, None]:
        """Give notices in batches, an empty one now and then, until ``stop`` or a lost notice."""
        from watchfiles import watch

        try:
            yield from watch(
                *paths,
                watch_filter=None,
                debounce=_LONGEST_BATCH,
                step=_QUIET,
                rust_timeout=_TICK,
                yield_on_timeout=True,
                stop_event=self._stop,
                raise_interrupt=False,
                force_polling=True if self._polls else None,
                poll_delay_ms=int(1000 * _PAUSE),
                ignore_permission_denied=True,
            )
        except FileNotFoundError:
            raise
        except (RuntimeError, OSError) as error:
            # WatchfilesRustInternalError is a RuntimeError: a name in bytes, too many folders.
            if not self._has_looked:
                raise give_up(
                    f"the system gives no notices ({error}); --poll does without them"
                ) from error
            # A look opens a file whose name is not text, and so gets the same error: look less.
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            LOGGER.warning(
                "notices were lost (%s); looking at all files in %d s", error, self._pause
            )

    def _ticks(self) -> Generator[set[tuple[Change, str]]]:
        """Give empty batches where there is no folder to watch."""
        while not self._stop.wait(_TICK / 1000):
            yield set()
