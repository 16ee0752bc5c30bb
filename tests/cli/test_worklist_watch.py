"""`dicomquest worklist watch`: a process that follows a folder, and what it says of failures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dicomquest.cli.worklist_watch import WatchedList
from dicomquest.dataset.encoder import encode
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from dicomquest.worklist.folder import FolderFollower, Look
from fixtures.following import following
from fixtures.worklists import entry


class _Follower(FolderFollower):
    """A follower whose looks are given; after the last one the loop ends."""

    def __init__(self, looks: list[Look | OSError], stop: threading.Event) -> None:
        self._looks = iter(looks)
        self._stop = stop

    def look(self, now: int, check: Callable[[], None] = lambda: None) -> Look:
        found = next(self._looks, None)
        if found is None:
            self._stop.set()
            return Look()
        if isinstance(found, OSError):
            raise found
        return found


def test_failure_is_told_once_and_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    away = OSError("the share is away")
    looks: list[Look | OSError] = [Look(added=1), away, away, Look()]
    with Worklist(tmp_path / "index.sqlite") as worklist:
        WatchedList(_Follower(looks, stop), worklist, stop, None).run(0)
    assert capsys.readouterr().err.splitlines() == [
        "1 added, 0 left with their files",
        "Warning: the share is away; entries stay, and the next look tries again",
    ]


def test_old_entries_leave_at_each_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    with Worklist(tmp_path / "index.sqlite") as worklist:
        worklist.add(entries_of(entry(1, ScheduledProcedureStepStartDate="20200101")), 0)
        WatchedList(_Follower([], stop), worklist, stop, 7).run(0)
        assert worklist.count() == 0
    assert "1 older than 7 days left" in capsys.readouterr().err


def test_process_follows_until_sigterm(tmp_path: Path) -> None:
    folder, location = tmp_path / "lists", tmp_path / "index.sqlite"
    folder.mkdir()
    (folder / "1.wl").write_bytes(encode(entry(1), EXPLICIT_VR_LITTLE_ENDIAN))
    with following(folder, location) as process:
        assert process.lines(2)[1] == "1 added, 0 left with their files"
        assert process.end() == 0
