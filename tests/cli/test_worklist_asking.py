"""`dicomquest find -W`: what is sent, what is shown, and what the answers do wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset

from dicomquest import AE, evt
from dicomquest.cli import main
from dicomquest.dataset.elements import to_pydicom
from dicomquest.standard.models import MODALITY_WORKLIST
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from fixtures.faces import HOST
from fixtures.worklists import entry, request


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["find", *arguments])


class _Peer:
    """A peer that notes identifiers and answers with what it is given."""

    def __init__(self) -> None:
        self.asked: list[Dataset] = []
        self.answers: list[Dataset] = []
        self.port = 0

    def handle(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append(event.identifier)
        for answer in self.answers:
            yield 0xFF00, answer


@pytest.fixture(scope="module")
def server() -> Iterator[_Peer]:
    peer = _Peer()
    ae = AE("RIS")
    ae.add_supported_context(MODALITY_WORKLIST.uid)
    running = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, peer.handle)])
    peer.port = running.server_address[1]
    yield peer
    running.shutdown()


@pytest.fixture
def peer(server: _Peer) -> _Peer:
    server.asked.clear()
    server.answers = []
    return server


def test_keys_go_into_the_step(peer: _Peer) -> None:
    """Keys of the step go into the one item; the usual keys are asked for, and no level."""
    peer.answers = [to_pydicom(entry(1))]
    result = run(HOST, str(peer.port), "-W", "Modality=CT", "PatientID=P1")
    assert result.exit_code == 0, result.output
    (asked,) = peer.asked
    assert "QueryRetrieveLevel" not in asked
    (step,) = asked.ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledStationAETitle, asked.PatientID) == ("CT", "", "P1")
    heading, line = result.stdout.splitlines()
    assert heading.split()[:5] == ["Patient", "ID", "Date", "Time", "Station"]
    assert "Doe^John1" in line
    assert "1 scheduled procedure step in" in result.stderr


def test_findscu_habits_are_understood(peer: _Peer) -> None:
    keys = ("-k", "(0040,0100)[0].Modality=MR", "-k", "0010,0010")
    result = run("-W", *keys, HOST, str(peer.port))
    assert result.exit_code == 0, result.output
    assert peer.asked[0].ScheduledProcedureStepSequence[0].Modality == "MR"
    assert "No scheduled procedure steps." in result.stderr


def test_wrong_answers_are_named_and_dropped(peer: _Peer) -> None:
    wrong = request({"PatientID": "P2"}, Modality="US")
    peer.answers = [to_pydicom(request({"PatientID": "P1"}, Modality="CT")), to_pydicom(wrong)]
    arguments = (HOST, str(peer.port), "-W", "Modality=CT", "PatientID", "--format", "json")
    result = run(*arguments)
    assert len(json.loads(result.stdout)) == 2
    assert "the peer ignored Modality, or reads it otherwise: 1 of 2" in result.stderr
    assert len(json.loads(run(*arguments, "--filter-here").stdout)) == 1


@pytest.mark.requirement("WL-012")
def test_fuzzy_names_are_offered_in_byte_3(peer: _Peer) -> None:
    arguments = (HOST, str(peer.port), "-W", "PatientName=doe", "--offer", "fuzzy", "--explain")
    result = run(*arguments)
    assert "Offered: fuzzy: not accepted" in result.stderr
    assert "Patient's Name (0010,0010): required key, return type 1" in result.stderr


def test_index_is_asked_without_server(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with Worklist(path) as worklist:
        worklist.add([*entries_of(entry(1)), *entries_of(entry(2))], 0)
    result = run("--index", str(path), "-W", "PatientID=P2", "--columns", "Modality,PatientName")
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["Mod", "Patient"],
        ["CT", "Doe^John2"],
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-L", "SERIES"], "-L is for archives: a worklist has one level"),
        (["--tree"], "--tree is for archives"),
        (["--offer", "relational"], "a worklist negotiates fuzzy and timezone-adjustment"),
        (["ScheduledProcedureStepStartDate=05.01.2024"], "could be 5 January or 1 May"),
    ],
)
def test_wrong_command_line_sends_nothing(peer: _Peer, arguments: list[str], words: str) -> None:
    result = run(HOST, str(peer.port), "-W", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert peer.asked == []
