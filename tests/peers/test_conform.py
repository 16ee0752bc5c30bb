"""`dicomquest conform` finds the known faults of other archives, and none in ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from peers import ours, pynetdicom_programs, realistic
from peers.processes import Peer


@pytest.fixture(scope="module")
def ours_scp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The archive whose data decide each check."""
    files = tmp_path_factory.mktemp("realistic")
    realistic.write(files)
    location = tmp_path_factory.mktemp("conform") / "index.sqlite"
    ours.index(location, files)
    with ours.serve(location) as peer:
        yield peer


@pytest.fixture(scope="module")
def qrscp(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("qrscp")
    with pynetdicom_programs.qrscp(folder, sorted(archive.iterdir())) as peer:
        yield peer


def outcomes(peer: Peer) -> tuple[int, set[str], set[str]]:
    """The exit status, the checks that failed, and those that are not decided."""
    command = ["conform", peer.host, str(peer.port), "--aec", peer.aet, "--rate", "1000"]
    done = CliRunner().invoke(main, command)
    failed, open_ = (
        {
            line.removeprefix(outcome).split()[0].rstrip(":")
            for line in done.stdout.splitlines()
            if line.startswith(outcome)
        }
        for outcome in ("failed", "not decided")
    )
    return done.exit_code, failed, open_


def test_nothing_fails_in_dicomquest(ours_scp: Peer) -> None:
    status, failed, undecided = outcomes(ours_scp)
    assert (status, failed) == (0, set())
    assert undecided <= {"cancel"}  # unless all answers are under way before it


@pytest.mark.peer("dcmqrscp", "dcmqridx")
def test_missing_keys_of_dcmqrscp_are_found(dcmqrscp: Peer) -> None:
    status, failed, _ = outcomes(dcmqrscp)
    assert status == 1
    assert failed == {
        "answer-optional-keys",
        "malformed-range",
        "modalities-in-study",
        "optional-body-part",
        "optional-series-description",
        "wild-question-utf-8",
    }


@pytest.mark.peer("Orthanc")
def test_star_in_uids_of_orthanc_is_found(orthanc: Peer) -> None:
    status, failed, _ = outcomes(orthanc)
    assert status == 1
    assert failed == {
        "malformed-range",
        "malformed-study-root-patient",
        "wild-question-utf-8",
        "wild-uid-star-alone",
    }


def test_repeated_answers_of_qrscp_are_found(qrscp: Peer) -> None:
    status, failed, _ = outcomes(qrscp)
    assert status == 1
    assert {"once-patient", "once-study", "once-series", "list-of-uid"} <= failed
    assert "answer-optional-keys" in failed


def test_plain_handler_of_pynetdicom_is_judged(pynetdicom: Peer) -> None:
    """It matches text against text, so it has no lists and no ranges."""
    _, failed, _ = outcomes(pynetdicom)
    assert {"list-of-uid", "range-dates", "wild-uid"} <= failed
