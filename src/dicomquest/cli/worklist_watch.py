"""The loop of ``dicomquest worklist watch``: it looks at a folder again and again (PS3.4 K)."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta

import click

from dicomquest.cli.messages import give_up, index_failure, say
from dicomquest.cli.watch_loop import StoppedError, told_to_end
from dicomquest.errors import IndexDatabaseError
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.folder import FolderFollower, Look


def watch_folder(
    folder: str, location: str, *, every: float, keep: int | None, may_lack: bool
) -> None:
    """Follow a folder until SIGINT or SIGTERM; raise click's Exit if that is not possible."""
    stop = threading.Event()
    try:
        with told_to_end(stop), Worklist(location) as worklist, suppress(StoppedError):
            follower = FolderFollower(worklist, folder, may_lack=may_lack)
            say(f"watching {click.format_filename(folder)}; SIGINT or SIGTERM ends it")
            WatchedList(follower, worklist, stop, keep).run(every)
    except IndexDatabaseError as error:
        raise index_failure(error) from error
    except OSError as error:
        name = click.format_filename(folder)
        raise give_up(f"{name} cannot be read: {error.strerror or error}") from error


class WatchedList:
    """A worklist that follows a folder, until an event is set."""

    def __init__(
        self, follower: FolderFollower, worklist: Worklist, stop: threading.Event, keep: int | None
    ) -> None:
        self._follower = follower
        self._worklist = worklist
        self._stop = stop
        self._keep = keep
        self._trouble = ""

    def run(self, every: float) -> None:
        """Look until the event is set; only a failure of the first look ends the loop."""
        self._look()
        while not self._stop.wait(every):
            try:
                self._look()
            except (OSError, IndexDatabaseError) as error:
                # A share or a server that is away comes back; it is told once.
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    say(f"Warning: {error}; entries stay, and the next look tries again")
            else:
                self._trouble = ""

    def _look(self) -> None:
        tell(self._follower.look(int(time.time()), self._check))
        if self._keep is not None:
            day = datetime.now().astimezone() - timedelta(days=self._keep)
            removed = self._worklist.remove_before(f"{day:%Y%m%d}", int(day.timestamp()))
            if removed:
                say(f"{removed:,} older than {self._keep} days left")

    def _check(self) -> None:
        if self._stop.is_set():
            raise StoppedError


def tell(look: Look) -> None:
    """Say what a look has changed; nothing if it changed nothing."""
    for path, reason in look.refused:
        say(f"refused: {click.format_filename(path)}: {reason}")
    for words in look.waiting:
        say(f"waiting: {words}")
    if look.added or look.removed:
        say(f"{look.added:,} added, {look.removed:,} left with their files")
