"""`dicomquest get`: what comes, what is left out, and what is said of failures."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset, dcmread

from dicomquest.cli import main
from dicomquest.cli.retrieving.landing import Kept, Landing
from dicomquest.errors import StoreError
from fixtures.faces import HOST, data_set, serving
from fixtures.retrieving_peer import CT, GET, RetrievingPeer
from fixtures.serving import serving as serve_process
from fixtures.storing import ROOT, data_set_bytes, instance, stored_files, write
from fixtures.timing import LONG, MS
from peers.ours import COMMAND, ENVIRONMENT, index

INSTANCES = [instance(study, number) for study in (1, 2) for number in range(1, 7)]
UIDS = [str(each.SOPInstanceUID) for each in INSTANCES]


def get(port: int, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["get", HOST, str(port), *arguments])


def test_all_instances_come_as_they_are(tmp_path: Path) -> None:
    peer = RetrievingPeer(INSTANCES)
    with peer.listening() as port:
        result = get(port, "PatientName=CITIZEN*", "-o", str(tmp_path / "got"))
    assert result.exit_code == 0, result.stderr
    read_back, found, done, following = result.stderr.splitlines()
    assert read_back == "studies whose Patient's Name starts with 'CITIZEN'"
    assert found == "2 studies, 12 instances"
    assert done.startswith("12 instances (")
    assert following == f"Next: dicomquest index {tmp_path / 'got'}"
    sent = {str(each.SOPInstanceUID): each for each in INSTANCES}
    for uid, path in stored_files(tmp_path / "got").items():
        (original,) = write(tmp_path / "original", [sent.pop(uid)])
        assert data_set_bytes(path) == data_set_bytes(original)
    assert sent == {}
    assert peer.queried == ["STUDY"]
    assert set(peer.classes) - {GET} == {CT}


def test_whole_instances_are_not_fetched_again(tmp_path: Path) -> None:
    """One file is missing and one is cut: these two come, by their UIDs."""
    peer = RetrievingPeer(INSTANCES)
    with peer.listening() as port:
        assert get(port, "PatientName=C*", "-o", str(tmp_path)).exit_code == 0
        again = get(port, "PatientName=C*", "-o", str(tmp_path))
        files = stored_files(tmp_path)
        files[UIDS[0]].unlink()
        os.truncate(files[UIDS[8]], 500)
        peer.asked.clear()
        rest = get(port, "PatientName=C*", "-o", str(tmp_path))
        every = get(port, "PatientName=C*", "-o", str(tmp_path), "--again", "-q")
    assert "Nothing is left to fetch: 12 instances are there already\n" in again.stderr
    assert "; 10 were there already\n" in rest.stderr
    asked = [(each.QueryRetrieveLevel, each.get("SOPInstanceUID")) for each in peer.asked]
    assert asked == [("IMAGE", UIDS[0]), ("IMAGE", UIDS[8]), ("STUDY", None), ("STUDY", None)]
    assert (every.exit_code, every.stderr) == (0, "")
    assert len(stored_files(tmp_path)) == 12


@pytest.mark.parametrize("keys", [["PatientID=P*"], ["PatientID=P*", "SeriesInstanceUID=*"]])
def test_what_a_federation_lists_is_fetched(tmp_path: Path, keys: list[str]) -> None:
    """One of its archives is dead: the rest comes, and the end says that more may exist."""
    peer = RetrievingPeer(INSTANCES, falls_short=True)
    with peer.listening() as port:
        result = get(port, *keys, "-o", str(tmp_path / "all"))
        found = CliRunner().invoke(
            main, ["find", HOST, str(port), "PatientID=P1", "--get", str(tmp_path / "found")]
        )
        nothing = get(port, "PatientID=NONE", "-o", str(tmp_path / "nothing"))
    assert set(stored_files(tmp_path / "all")) == set(UIDS)
    assert result.exit_code == 1
    assert "Warning: not all studies were listed: " in result.stderr
    assert "12 instances (" in result.stderr
    assert "Error: perhaps not all came: the peer did not list all\n" in result.stderr
    assert len(stored_files(tmp_path / "found")) == 6
    assert found.exit_code == 1
    assert "Error: perhaps not all came: the peer ended the query" in found.stderr
    assert nothing.exit_code == 1
    assert "Error: studies were not listed: " in nothing.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_third_that_fails_is_named(tmp_path: Path, jobs: str) -> None:
    peer = RetrievingPeer(INSTANCES, fails=UIDS[::3])
    arguments = ["PatientID=P*", "-o", str(tmp_path), "--verbose", "--jobs", jobs]
    with peer.listening() as port:
        result = get(port, *arguments)
        peer.fails = ()
        peer.asked.clear()
        rest = get(port, *arguments)
    assert result.exit_code == 1
    words = "failed: the peer did not send it: B000, Sub-operations complete: one or more failures"
    lines = result.stderr.splitlines()
    assert words in lines
    assert sorted(line.strip() for line in lines if line.startswith("  ")) == sorted(UIDS[::3])
    assert lines[-1].endswith("; 4 failed")
    assert rest.exit_code == 0
    assert "; 8 were there already\n" in rest.stderr
    assert set(stored_files(tmp_path)) == set(UIDS)


def test_one_study_is_cut_for_several_jobs(tmp_path: Path) -> None:
    """Each series has a request of its own."""
    others = [instance(1, number) for number in (7, 8)]
    for each in others:
        each.SeriesInstanceUID = f"{ROOT}.1.2"
    peer = RetrievingPeer([*INSTANCES[:6], *others])
    with peer.listening() as port:
        result = get(port, "PatientID=P1", "-o", str(tmp_path), "--jobs", "4")
    assert result.exit_code == 0, result.stderr
    asked = {(each.QueryRetrieveLevel, each.SeriesInstanceUID) for each in peer.asked}
    assert asked == {("SERIES", f"{ROOT}.1.1"), ("SERIES", f"{ROOT}.1.2")}
    assert len(stored_files(tmp_path)) == 8


def test_classes_are_asked_for_instance_by_instance(tmp_path: Path) -> None:
    """A peer that does not know SOP Classes in Study, nor any number."""
    hidden = ("SOPClassesInStudy", "NumberOfStudyRelatedInstances")
    peer = RetrievingPeer(INSTANCES, hidden=hidden)
    with peer.listening() as port:
        result = get(port, "PatientID=P1", "-o", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    assert peer.queried == ["STUDY", "SERIES", "IMAGE"]
    assert set(peer.classes) - {GET} == {CT}
    assert "1 study\n6 instances (" in result.stderr


def test_single_instances_share_a_request(tmp_path: Path) -> None:
    peer = RetrievingPeer(INSTANCES)
    with peer.listening() as port:
        arguments = ["PatientID=P1", "-L", "IMAGE", "-o", str(tmp_path)]
        result = get(port, *arguments)
        stored_files(tmp_path)[UIDS[2]].unlink()
        rest = get(port, *arguments)
    assert result.exit_code == 0, result.stderr
    assert [each.SOPInstanceUID for each in peer.asked] == [UIDS[:6], UIDS[2]]
    assert "; 5 were there already\n" in rest.stderr


def test_file_of_uids_selects_studies(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort.csv"
    cohort.write_text(f"Study Instance UID,Note\n{ROOT}.1,yes\n{ROOT}.9,no\n")
    with RetrievingPeer(INSTANCES).listening() as port:
        result = get(port, f"StudyInstanceUID=@{cohort}", "-o", str(tmp_path / "got"))
    assert result.exit_code == 0, result.stderr
    assert f"for each of 2 values of Study Instance UID, from {cohort}:\n" in result.stderr
    assert set(stored_files(tmp_path / "got")) == set(UIDS[:6])


def test_found_matches_are_fetched(tmp_path: Path) -> None:
    """`find --get`: the rows that are shown, and no other."""
    peer = RetrievingPeer(INSTANCES)
    with peer.listening() as port:
        arguments = ["find", HOST, str(port), "PatientName=C*", "--sort", "-PatientID"]
        shown = ["--columns", "PatientID", "--format", "csv", "--limit", "1"]
        result = CliRunner().invoke(main, [*arguments, *shown, "--get", str(tmp_path)])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "PatientID\nP2\n"
    assert "6 instances (" in result.stderr
    assert set(stored_files(tmp_path)) == set(UIDS[6:])


def test_full_disk_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is cancelled, and what came before stays."""
    place = Landing.place
    placed: list[str] = []
    lock = threading.Lock()

    def fill(self: Landing, kept: Kept) -> int:
        # Several threads bring files to the disk.
        with lock:
            if len(placed) == 2:
                raise StoreError(0xA700, "not written: No space left on device")
            placed.append(kept.sop_instance_uid)
        return place(self, kept)

    monkeypatch.setattr(Landing, "place", fill)
    with RetrievingPeer(INSTANCES).listening() as port:
        result = get(port, "PatientName=C*", "-o", str(tmp_path))
        monkeypatch.undo()
        rest = get(port, "PatientName=C*", "-o", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.endswith(
        f"Error: {tmp_path}: not written: No space left on device\n"
        "  What came is whole; the same command goes on there.\n"
    )
    assert rest.exit_code == 0
    assert "; 2 were there already\n" in rest.stderr


def start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    command = [*COMMAND, "get", HOST, str(port), "PatientName=C*", "-o", str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT)


def test_run_goes_on_after_kill_9(tmp_path: Path) -> None:
    """The killed process leaves whole files in place, and nothing that looks like one."""
    peer = RetrievingPeer(INSTANCES, stops_at=4)
    with peer.listening() as port:
        process = start(port, tmp_path)
        assert peer.stopped.wait(LONG)
        process.kill()
        process.communicate(timeout=LONG)
        peer.goes_on.set()
        left = set(stored_files(tmp_path))
        result = get(port, "PatientName=C*", "-o", str(tmp_path))
    # The disk may have been behind the peer by some.
    assert left <= set(UIDS[:4])
    assert result.exit_code == 0, result.stderr
    assert left <= (set(UIDS) - {str(each.get("SOPInstanceUID")) for each in peer.asked[1:]})
    assert set(stored_files(tmp_path)) == set(UIDS)
    assert list((tmp_path / ".dicomquest").glob("*/*")) == []


def test_run_goes_on_after_kill_9_of_the_server(tmp_path: Path) -> None:
    """The files that came stay, a cut one is not there, and the next run fetches the rest."""
    many = [instance(1, number, pixels=200_000) for number in range(1, 51)]
    write(tmp_path / "files", many)
    index(tmp_path / "index.sqlite", tmp_path / "files")
    out = tmp_path / "got"
    with serve_process(tmp_path / "index.sqlite", tmp_path) as running:
        process = start(running.port, out)
        deadline = time.monotonic() + LONG
        while not list(out.rglob("*.dcm")):
            assert time.monotonic() < deadline
            time.sleep(MS)
        running.process.kill()
        _, printed = process.communicate(timeout=6 * LONG)
    assert process.returncode == 1, printed
    left = stored_files(out)
    assert 0 < len(left) < len(many), printed
    with serve_process(tmp_path / "index.sqlite", tmp_path) as running:
        result = get(running.port, "PatientName=C*", "-o", str(out))
    assert result.exit_code == 0, result.stderr
    assert f"\n{len(many) - len(left)} instances (" in result.stderr
    files = stored_files(out)
    assert set(files) == {str(each.SOPInstanceUID) for each in many}
    for path in (tmp_path / "files").iterdir():
        uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        assert data_set_bytes(files[uid]) == data_set_bytes(path)


def test_ctrl_c_keeps_what_came(tmp_path: Path) -> None:
    peer = RetrievingPeer(INSTANCES, stops_at=4)
    with peer.listening() as port:
        process = start(port, tmp_path)
        assert peer.stopped.wait(LONG)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=LONG)
    assert process.returncode == 130
    lines = printed.decode().splitlines()
    assert lines[-2].startswith("4 instances (")
    cancelled = "Cancelled: 8 of 12 did not come; the same command goes on there."
    assert lines[-1] == cancelled
    assert set(stored_files(tmp_path)) == set(UIDS[:4])


def test_peer_without_get_is_named(tmp_path: Path) -> None:
    def answer(_: object) -> Iterator[tuple[int, Dataset]]:
        yield 0xFF00, data_set(StudyInstanceUID="1.2.3")

    with serving(answer) as port:
        result = get(port, "PatientID=1", "-o", str(tmp_path))
    assert result.exit_code == 1
    assert "accepts associations but no Get under Study Root: it takes" in result.stderr


def test_peer_without_find_gets_uids_as_they_are(tmp_path: Path) -> None:
    peer = RetrievingPeer(INSTANCES)
    with peer.listening(services=[GET]) as port:
        result = get(port, f"StudyInstanceUID={ROOT}.1", "-o", str(tmp_path))
        other = get(port, "PatientID=P1", "-o", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    assert "Note: the peer takes no queries, so the UIDs are asked for as" in result.stderr
    assert set(stored_files(tmp_path)) == set(UIDS[:6])
    assert other.exit_code == 1
    assert "accepts associations but no Find under Study Root" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["PatientID=1"], "name the folder for the instances: -o FOLDER"),
        (["PatientID", "-o", "x"], "no KEY=VALUE says what to fetch"),
        (["PatientID=1", "-o", "x", "--store-layout", "{X}"], "--store-layout '{X}'"),
        (["Modality=CT", "-L", "STUDY", "-o", "x"], "-L STUDY would fetch more than Modality"),
        (["StudyDate=20241301", "-o", "x"], "'20241301' has no such month"),
    ],
)
def test_wrong_command_line_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = get(1, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = get(1, "PatientID=1", "-o", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}/file/below cannot be written: ")
