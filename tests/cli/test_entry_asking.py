"""`dicomquest find -m MODEL` without levels: what is sent and shown, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset, dcmread

from dicomquest import AE, evt
from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.cli import main
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import server_settings
from dicomquest.dataset.elements import to_pydicom
from dicomquest.index import Index
from dicomquest.standard.models import COLOR_PALETTE, HANGING_PROTOCOL, MODALITY_WORKLIST
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from fixtures.faces import HOST
from fixtures.objects import made, write_object
from fixtures.worklists import entry, request


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["find", *arguments])


class _Peer:
    """A peer that notes identifiers and answers with what it is given."""

    def __init__(self) -> None:
        self.asked: list[Dataset] = []
        self.offered: list[dict[str, bytes]] = []
        self.answers: list[Dataset] = []
        self.port = 0

    def handle(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append(event.identifier)
        self.offered.append(event.assoc.requestor.sop_class_extended)
        for answer in self.answers:
            yield 0xFF00, answer


@pytest.fixture(scope="module")
def server() -> Iterator[_Peer]:
    peer = _Peer()
    ae = AE("RIS")
    ae.add_supported_context(MODALITY_WORKLIST.uid)
    ae.add_supported_context(HANGING_PROTOCOL.uid)
    running = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, peer.handle)])
    peer.port = running.server_address[1]
    yield peer
    running.shutdown()


@pytest.fixture
def peer(server: _Peer) -> _Peer:
    server.asked.clear()
    server.offered.clear()
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
    assert peer.offered[0] == {MODALITY_WORKLIST.uid: b"\1\1\1"}
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


def test_nothing_found_names_the_keys_at_fault(tmp_path: Path) -> None:
    """--explain asks on with one key of the step at a time, of an index as of a peer."""
    path = str(tmp_path / "index.sqlite")
    with Worklist(path) as worklist:
        worklist.add([*entries_of(entry(1)), *entries_of(entry(2))], 0)
    arguments = ("--index", path, "-W", "PatientID=P2")
    result = run(*arguments, "Modality=US")
    assert "--explain asks the index which of the 2 keys excludes everything." in result.stderr
    result = run(*arguments, "Modality=US", "--explain")
    said = [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert "without Modality 1 scheduled procedure step" in said
    assert "without Patient ID 0 scheduled procedure steps" in said
    assert said[-1] == (
        "One key excludes everything: no such scheduled procedure step has Modality 'US'."
    )
    assert "excludes everything" not in run(*arguments, "Modality=US", "-f", "json").stderr


def test_a_peer_is_asked_on(peer: _Peer) -> None:
    arguments = ("-W", "Modality=US", "PatientName=DOE", "--explain")
    result = run(HOST, str(peer.port), *arguments)
    assert "The peer shows us no scheduled procedure steps at all" in " ".join(
        result.stderr.split()
    )
    _, one, two, both = peer.asked
    assert (one.PatientName, one.ScheduledProcedureStepSequence[0].Modality) == ("", "US")
    assert (two.PatientName, two.ScheduledProcedureStepSequence[0].Modality) == ("DOE", "")
    assert (both.PatientName, both.ScheduledProcedureStepSequence[0].Modality) == ("", "")


def test_objects_that_are_not_there_are_explained(tmp_path: Path) -> None:
    path = str(tmp_path / "index.sqlite")
    with Index(path) as index:
        index.ingest_data_sets([made(COLOR_PALETTE, 1, ContentLabel="PET")])
    result = run("--index", path, "-m", "color-palette", "ContentLabel=HOT", "--explain")
    assert "no color palette has Content Label 'HOT'" in " ".join(result.stderr.split())


def test_a_key_of_archives_gets_a_remark(peer: _Peer) -> None:
    result = run(HOST, str(peer.port), "-W", "StudyDate=2026-01-05")
    assert "the key there is ScheduledProcedureStepStartDate=20260105" in result.stderr


@pytest.mark.requirement("NP-007")
def test_objects_are_asked_for_by_their_model(peer: _Peer) -> None:
    """A key of an item goes into its sequence; usual keys and the unique key are asked for."""
    peer.answers = [to_pydicom(made(HANGING_PROTOCOL, 1, HangingProtocolName="CHEST", StudyID="1"))]
    arguments = (HOST, str(peer.port), "-m", "hanging-protocol", "Modality=CT")
    result = run(*arguments, "HangingProtocolDescription=x", "--explain")
    assert result.exit_code == 0, result.output
    (asked,) = peer.asked
    assert asked.HangingProtocolDefinitionSequence[0].Modality == "CT"
    assert (asked.HangingProtocolName, asked.SOPInstanceUID) == ("", "")
    assert "QueryRetrieveLevel" not in asked
    said = " ".join(result.stderr.split())
    assert "HangingProtocolDescription is returned only (PS3.4 U.6)" in said
    assert "Modality (0008,0060): required key, return type 2" in said
    assert "Hanging Protocol Level, of type 1, has no value in 1 of 1 answer (PS3.4 U.6)" in said
    assert "Study ID came in 1 of 1 answer: nobody asked for it" in said
    assert "the peer ignored Hanging Protocol Definition Sequence" in said


def test_objects_of_an_index_are_found(tmp_path: Path) -> None:
    path = str(tmp_path / "index.sqlite")
    with Index(path) as index:
        index.ingest_data_sets([
            made(COLOR_PALETTE, 1, ContentLabel="HOT_IRON", ContentDescription="Hot iron"),
            made(COLOR_PALETTE, 2, ContentLabel="PET"),
        ])  # fmt: skip
        (found,) = index.find(model="color-palette", ContentLabel="HOT*")
        assert found.ContentDescription == "Hot iron"
    arguments = ("--index", path, "-m", "color-palette")
    result = run(*arguments, "ContentLabel=HOT*", "-f", "json")
    assert json.loads(result.stdout)[0]["SOPInstanceUID"] == "1.2.9.1"
    assert "2 color palettes in" in run(*arguments).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-L", "SERIES"], "model hanging-protocol has one level"),
        (["QueryRetrieveLevel=STUDY"], "model hanging-protocol has no levels; leave it out"),
        (["SpecificCharacterSet=x"], "--charset names another one"),
        (["Modality=A", "HangingProtocolDefinitionSequence.Modality=B"], "Modality occurs twice"),
    ],
)
def test_wrong_key_of_an_object_is_refused(peer: _Peer, arguments: list[str], words: str) -> None:
    result = run(HOST, str(peer.port), "-m", "hanging-protocol", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert peer.asked == []


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


@pytest.mark.requirement("NP-008")
def test_found_objects_are_fetched(tmp_path: Path) -> None:
    """--get asks for the class, and fetches by C-GET of the same model, without a level."""
    files, folder = tmp_path / "files", tmp_path / "fetched"
    files.mkdir()
    for number in (1, 2, 3):
        name = f"P{number % 2}"
        write_object(
            files / f"{number}.dcm", made(HANGING_PROTOCOL, number, HangingProtocolName=name)
        )
    with Index(tmp_path / "index.sqlite") as index:
        index.ingest([files])
        settings = ServeSettings(index=str(tmp_path / "index.sqlite"))
        server = RunningServer(lambda: Server(server_settings(settings, index)), (HOST, 0))
        server.start()
        place = (HOST, str(server.server_address[1]), "-m", "hanging-protocol")
        result = run(*place, "HangingProtocolName=P1", "--get", str(folder))
        server.shutdown()
    assert result.exit_code == 0, result.output
    fetched = list(map(dcmread, folder.rglob("*.dcm")))
    assert sorted(each.SOPInstanceUID for each in fetched) == ["1.2.9.1", "1.2.9.3"]
    assert "Next: dicomquest index" in result.stderr


def test_worklist_has_nothing_to_fetch(peer: _Peer) -> None:
    result = run(HOST, str(peer.port), "-W", "--get", "x")
    assert (result.exit_code, "and no files" in result.stderr) == (2, True)
