"""`dicomquest move`: to others, and to our own Storage SCP."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicomquest.cli import main
from fixtures.faces import HOST
from fixtures.retrieving_peer import RetrievingPeer
from fixtures.storing import instance, stored_files
from peers.processes import free_port

INSTANCES = [instance(study, number) for study in (1, 2) for number in range(1, 7)]
UIDS = [str(each.SOPInstanceUID) for each in INSTANCES]


def move(port: int, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["move", HOST, str(port), *arguments])


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_own_storage_scp_receives(tmp_path: Path, jobs: str) -> None:
    own = free_port()
    peer = RetrievingPeer(INSTANCES, destinations={"LAB": own})
    arguments = ["PatientID=P*", "--aet", "LAB", "--storage-scp", f"{HOST}:{own}"]
    with peer.listening() as port:
        result = move(port, *arguments, "-o", str(tmp_path), "--jobs", jobs)
        stored_files(tmp_path)[UIDS[3]].unlink()
        peer.asked.clear()
        rest = move(port, *arguments, "-o", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    assert "2 studies, 12 instances\n12 instances (" in result.stderr
    assert [each.SOPInstanceUID for each in peer.asked] == [UIDS[3]]
    assert "; 11 were there already\n" in rest.stderr
    assert set(stored_files(tmp_path)) == set(UIDS)


def test_instances_go_to_a_destination(tmp_path: Path) -> None:
    """The peer counts them: they do not come here."""
    own = free_port()
    peer = RetrievingPeer(INSTANCES, destinations={"OTHER": own})
    with peer.listening() as port, RetrievingPeer(INSTANCES).receiving(own) as received:
        result = move(port, "PatientID=P1", "--to", "OTHER")
    assert result.exit_code == 0, result.stderr
    assert "1 study, 6 instances\n6 instances sent in " in result.stderr
    assert sorted(received) == UIDS[:6]


def test_unknown_destination_says_what_to_do() -> None:
    with RetrievingPeer(INSTANCES).listening() as port:
        result = move(port, "PatientID=P1", "--to", "NOWHERE")
    assert result.exit_code == 1
    assert "knows no destination NOWHERE: status A801, Refused: move destination" in result.stderr
    assert "name a title that it knows: --to TITLE." in result.stderr
    assert "dicomquest get needs no destination" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name the destination: --to TITLE"),
        (["--storage-scp", "11113"], "--storage-scp PORT and -o FOLDER go together"),
        (["--to", "LAB", "-o", "x"], "--storage-scp PORT and -o FOLDER go together"),
    ],
)
def test_destination_must_be_named(arguments: list[str], words: str) -> None:
    result = move(1, "PatientID=1", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with RetrievingPeer(INSTANCES).listening() as port:
        taken = f"{HOST}:{port}"
        result = move(port, "PatientID=P1", "--storage-scp", taken, "-o", str(tmp_path))
    assert result.exit_code == 1
    assert f"Error: --storage-scp {taken}: cannot listen on {HOST} port {port}" in result.stderr
