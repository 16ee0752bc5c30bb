"""`dicomquest watch`: a process that follows real files, until a signal ends it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from watchfiles import Change

from dicomquest.cli import main, watch_loop
from dicomquest.cli.watch_loop import WatchLoop
from dicomquest.index import Index
from dicomquest.standard.levels import Level
from fixtures.timing import LONG, MS
from peers import corpus
from peers.ours import COMMAND, ENVIRONMENT

INSTANCES = len(corpus.instances())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    corpus.write(tmp_path / "files")
    return tmp_path / "files"


def until_logged(log: Path, text: str, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + 2 * LONG
    while text not in log.read_text():
        assert process is None or process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(50 * MS)  # a log file announces no new line


@contextlib.contextmanager
def watching(
    files: Path, *options: str, ending: signal.Signals = signal.SIGTERM
) -> Iterator[Callable[[int], None]]:
    """Run `watch`; yield a function that waits for a number of instances in the index."""
    location, log = files.parent / "i.sqlite", files.parent / "log"
    Index(location).close()
    with log.open("wb") as output:
        command = [*COMMAND, "watch", "--index", str(location), "--jobs", "1", *options, str(files)]
        process = subprocess.Popen(command, stderr=output, env=ENVIRONMENT)

        def wait(count: int) -> None:
            deadline = time.monotonic() + 2 * LONG
            with Index(location) as index:
                while index.counts()[Level.IMAGE] != count:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, f"{index.counts()}\n{log.read_text()}"
                    time.sleep(50 * MS)  # only the database shows when a file is indexed

        try:
            until_logged(log, "looked at all files", process)
            wait(INSTANCES)
            yield wait
            process.send_signal(ending)
            assert process.wait(LONG) == 0, log.read_text()
        finally:
            process.kill()
            process.wait(LONG)
    text = log.read_text()
    assert "Traceback" not in text, text
    assert " ended: " in text.splitlines()[-1]


@pytest.mark.parametrize("options", [(), ("--poll",)], ids=["notices", "polling"])
def test_index_follows_the_files(files: Path, options: tuple[str, ...]) -> None:
    with watching(files, *options) as wait:
        (files / "instance000").unlink()
        wait(INSTANCES - 1)
        whole = (files / "instance001").read_bytes()
        (files / "instance001").rename(files.parent / "outside")
        wait(INSTANCES - 2)
        (files / "new" / "deep").mkdir(parents=True)
        (files / "new" / "deep" / "part").write_bytes(whole[:-9])
        (files / "new" / "deep" / "part").write_bytes(whole)
        wait(INSTANCES - 1)
        (files / "new").rename(files.parent / "away")
        wait(INSTANCES - 2)
        (files.parent / "away").rename(files / "back")
        wait(INSTANCES - 1)


def test_vanished_folder_keeps_instances(files: Path) -> None:
    """A folder that vanishes keeps its instances and is followed again once it is back."""
    with watching(files) as wait:
        files.rename(files.parent / "away")
        until_logged(files.parent / "log", "it is not there")
        wait(INSTANCES)
        (files.parent / "away" / "instance000").unlink()
        (files.parent / "away").rename(files)
        wait(INSTANCES - 1)
        (files / "instance001").unlink()
        wait(INSTANCES - 2)


@pytest.mark.parametrize("others", [0, 1])
def test_folder_back_before_look_is_watched(
    files: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """A folder back before the look is watched, also while other folders are watched."""
    monkeypatch.setattr(watch_loop, "_PAUSE", 0)
    paths = [files, *[files.parent / f"other{number}" for number in range(others)]]
    for path in paths[1:]:
        path.mkdir()
    away = files.parent / "away"
    files.rename(away)
    stop = threading.Event()
    watched: list[list[str]] = []

    def notices(_watch: object, of: Sequence[str] = ()) -> Iterator[set[tuple[Change, str]]]:
        watched.append(list(of))
        if away.exists():
            away.rename(files)
        for _ in range(10):
            yield set()
        stop.set()

    monkeypatch.setattr(WatchLoop, "_notices", notices)
    monkeypatch.setattr(WatchLoop, "_ticks", notices)
    with Index(files.parent / "i.sqlite") as index:
        WatchLoop(index.follow(paths), stop, index.renew, poll=False, rescan=60).run()
        assert index.counts()[Level.IMAGE] == INSTANCES
    assert watched == [[str(path) for path in paths[1:]], [str(path) for path in paths]]


def test_name_that_is_no_text_is_followed_too(files: Path) -> None:
    with watching(files, ending=signal.SIGINT) as wait:
        (files.parent / "files" / "instance000").rename(files / "moved")
        Path(str(files) + "/\udcff").write_bytes((files / "moved").read_bytes())
        (files / "moved").unlink()
        (files / "instance001").unlink()
        wait(INSTANCES - 1)


def test_it_brings_what_it_finds_into_step_first(files: Path) -> None:
    with Index(files.parent / "i.sqlite") as index:
        index.ingest([files])
    kept = (files / "instance000").read_bytes()
    (files / "instance000").rename(files / "renamed")
    (files / "extra").write_bytes(kept)
    with watching(files):
        pass
    with Index(files.parent / "i.sqlite") as index:
        assert index.check_files().differences == 0


def test_missing_folder_is_wrong_command_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["watch", "--index", str(tmp_path / "i"), str(tmp_path / "nowhere")]
    )
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_file_name_is_one_line_of_the_log(files: Path) -> None:
    """A file name with a line break forges no line."""
    (files / "a\nforged\x1b[2J").write_bytes(b"no DICOM file")
    with watching(files, "--log-level", "debug"):
        pass
    log = (files.parent / "log").read_text()
    assert r"a\x0aforged\x1b[2J" in log
    assert "\nforged" not in log
