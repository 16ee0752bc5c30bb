"""Folders enter the index once, however often asked; skipped files are counted by reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.dataset.codec import encode
from dicomquest.errors import IndexDatabaseError
from dicomquest.index.ingest import file_reader as reader
from dicomquest.index.ingest import files as ingest
from dicomquest.index.ingest.instance import Reason
from dicomquest.standard.levels import Level
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from fixtures.building import instance, query, text_of
from fixtures.postgresql_cluster import children, runs, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index import Index
    from dicomquest.index.ingest.file_batch import Summary


def write(path: Path, data_set: DataSet) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(data_set, IMPLICIT_VR_LITTLE_ENDIAN))
    return path


def fill(folder: Path, count: int) -> None:
    for number in range(count):
        write(
            folder / f"{number % 3}" / f"file{number:04d}",
            instance(number, PatientName=f"Name{number}"),
        )


def counted(summary: Summary) -> tuple[int, int, int, int]:
    return summary.unchanged, summary.indexed, summary.replaced, summary.skipped.total()


def names(index: Index) -> set[str | None]:
    return {
        text_of(answer, "PatientName")
        for answer in index.find_data_sets(query("STUDY", PatientName=""))
    }


def test_files_below_folder_count_once_each(index: Index, tmp_path: Path) -> None:
    """All files below a folder are looked at, and each counts once."""
    folder = tmp_path / "archive"
    fill(folder, 5)
    (folder / "notes.txt").write_text("no image")
    write(folder / "x" / "no uid", instance(SOPInstanceUID=""))
    summary = index.ingest([folder])
    assert counted(summary) == (0, 5, 0, 2)
    assert summary.files == 7
    assert summary.skipped == {Reason.NOT_DICOM: 1, Reason.NO_SOP_INSTANCE_UID: 1}
    assert sorted((Path(path).name, skipped.reason) for path, skipped in summary.examples) == [
        ("no uid", Reason.NO_SOP_INSTANCE_UID),
        ("notes.txt", Reason.NOT_DICOM),
    ]
    assert index.counts()[Level.IMAGE] == 5


def test_second_run_reads_only_what_has_changed(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "archive", 4)
    index.ingest([tmp_path / "archive"])
    changed = write(
        tmp_path / "archive" / "0" / "file0000",
        instance(0, PatientName="Changed", PatientComments="!"),
    )
    added = write(tmp_path / "archive" / "0" / "file9999", instance(9))
    read: list[str] = []

    def read_file(path: str, zone: int, *_: object) -> object:
        read.append(path)
        return reader.read_file(path, zone)

    monkeypatch.setattr(ingest, "read_file", read_file)
    assert counted(index.ingest([tmp_path / "archive"])) == (3, 1, 1, 0)
    assert read == [str(changed), str(added)]
    assert counted(index.ingest([tmp_path / "archive"])) == (5, 0, 0, 0)
    assert names(index) == {"Changed"}


def test_interrupted_run_goes_on_where_it_was(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was interrupted goes on where it was."""
    fill(tmp_path / "archive", 10)
    monkeypatch.setattr(ingest, "BATCH", 4)
    monkeypatch.setattr(ingest, "_CHUNK", 2)

    def interrupt(summary: Summary) -> None:
        if summary.indexed:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.ingest([tmp_path / "archive"], progress=interrupt)
    assert index.counts()[Level.IMAGE] == 4
    assert index.check().examples == []
    assert counted(index.ingest([tmp_path / "archive"])) == (4, 6, 0, 0)


def test_several_processes_give_same_index_as_one(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_CHUNK", 3)
    fill(tmp_path / "archive", 20)
    (tmp_path / "archive" / "notes.txt").write_text("no image")
    seen: list[int] = []
    summary = index.ingest(
        [tmp_path / "archive"], jobs=2, progress=lambda summary: seen.append(summary.files)
    )
    assert counted(summary) == (0, 20, 0, 1)
    assert seen == sorted(seen)
    # Of conflicting attributes the last path's wins, whichever process was first.
    assert names(index) == {"Name17"}
    assert index.check().examples == []


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="the platform has no masks")
def test_readers_begin_without_interrupts(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process inherits the mask, so Ctrl-C does not end a reader that has not begun yet."""
    monkeypatch.setattr(ingest, "_CHUNK", 3)
    fill(tmp_path / "archive", 20)
    blocked: list[bool] = []
    submit = ProcessPoolExecutor.submit

    def watched(*args: Any, **kwargs: Any) -> Any:
        blocked.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        return submit(*args, **kwargs)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", watched)
    index.ingest([tmp_path / "archive"], jobs=2)
    assert blocked
    assert all(blocked)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_dying_process_is_an_error(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies is an error, and never passes in silence."""
    monkeypatch.setattr(ingest, "_CHUNK", 2)
    monkeypatch.setattr(ingest, "_read_files", _die_elsewhere)
    fill(tmp_path / "archive", 6)
    with pytest.raises(IndexDatabaseError, match="died"):
        index.ingest([tmp_path / "archive"], jobs=2)


_TESTS_PROCESS = os.getpid()


def _die_elsewhere(paths: Sequence[str], _: int) -> list[object]:
    if os.getpid() != _TESTS_PROCESS or not paths[0].endswith("0000"):
        os._exit(1)
    return [reader.read_file(path, 0) for path in paths]


WRITER = """
import signal, sys
from dicomquest.index import Index

def stop(summary):
    if summary.files > 64:  # the first that other processes have read
        print("reading", flush=True)
        signal.pause()

if __name__ == "__main__":
    Index(sys.argv[1]).ingest([sys.argv[2]], jobs=2, progress=stop)
"""


def test_killed_writer_leaves_no_readers(tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER)
    (tmp_path / "files").mkdir()
    for number in range(130):
        (tmp_path / "files" / f"{number:03}").write_bytes(b"no DICOM")
    with subprocess.Popen(
        [sys.executable, "writer.py", "index.sqlite", "files"],
        cwd=tmp_path, stdout=subprocess.PIPE,
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"reading\n"
        readers = children(writer.pid)
        assert len(readers) >= 2
        writer.kill()
        try:
            wait_for(lambda: not any(map(runs, readers)), "the readers end")
        finally:
            for reader in filter(runs, readers):
                os.kill(reader, signal.SIGKILL)


def test_links_to_files_are_followed_to_folders_not(index: Index, tmp_path: Path) -> None:
    """Links to files are followed, and links to folders are not."""
    fill(tmp_path / "real", 1)
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "real" / "0" / "file0000")
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    assert counted(index.ingest([folder])) == (0, 1, 0, 0)


def test_path_may_be_file_missing_is_reported(index: Index, tmp_path: Path) -> None:
    """A path may be a file, and a missing one is reported."""
    path = write(tmp_path / "one", instance())
    summary = index.ingest([path, tmp_path / "missing"])
    assert counted(summary) == (0, 1, 0, 1)
    assert summary.examples[0][0] == str(tmp_path / "missing")
    assert summary.skipped == {Reason.UNREADABLE: 1}


def test_names_that_are_no_text_are_files_like_others(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    path = os.fsencode(folder) + b"/\xff\xfe"
    Path(os.fsdecode(path)).write_bytes(encode(instance(), IMPLICIT_VR_LITTLE_ENDIAN))
    assert counted(index.ingest([os.fsdecode(path)])) == (0, 1, 0, 0)
    assert counted(index.ingest([folder])) == (1, 0, 0, 0)


def test_data_sets_that_are_none_are_counted(index: Index) -> None:
    summary = index.ingest_data_sets([instance(1), instance(2, StudyInstanceUID=""), instance(1)])
    assert counted(summary) == (0, 1, 1, 1)
    assert summary.skipped == {Reason.NO_STUDY_OR_SERIES_UID: 1}


@pytest.mark.parametrize("change", ["replaced", "moved"])
def test_older_read_never_overwrites_newer_instance(
    index: Index, tmp_path: Path, change: str
) -> None:
    """An older read of a file never overwrites a newer stored instance."""
    folder = tmp_path / "archive"
    old = write(folder / "old", instance(0, PatientName="Old"))
    new = old if change == "replaced" else folder / "new"

    def store(_: Summary) -> None:
        if not index.counts()[Level.IMAGE]:
            old.unlink()
            index.ingest([write(new, instance(0, PatientName="NewName"))])

    summary = index.ingest([folder], progress=store)
    assert names(index) == {"NewName"}
    assert summary.skipped == {Reason.CHANGED: 1}
    assert counted(index.ingest([folder])) == (1, 0, 0, 0)
    assert index.check_files().examples == []
