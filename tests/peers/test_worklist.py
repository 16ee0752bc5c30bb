"""Worklists and real peers: findscu and pynetdicom ask ours, ours asks wlmscpfs and Orthanc."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner
from pydicom.uid import ExplicitVRLittleEndian

from dicomquest.cli import main
from dicomquest.dataset.elements import to_pydicom
from fixtures.building import data_set
from fixtures.following import following
from fixtures.tool_modules import load_tool
from peers import orthanc as orthanc_program
from peers import ours as ours_programs
from peers.dcmtk import findscu_worklist, wlmscpfs
from peers.gdcm import gdcmscu_worklist
from peers.processes import Peer
from peers.pynetdicom_programs import pynetdicom_find_files
from peers.worklist_table import PLAN, ROWS, WorklistRow, data_set_of
from peers.worklists import (
    TITLE,
    WorklistOutcome,
    ask,
    encoded,
    orthancs_worklist,
    our_worklist,
    their_worklist,
)

worklist_differences = load_tool("worklist_differences")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with our_worklist(tmp_path_factory.mktemp("ours")) as peer:
        yield peer


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with their_worklist(tmp_path_factory.mktemp("theirs")) as peer:
        yield peer


@pytest.fixture(scope="module")
def orthancs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with orthancs_worklist(tmp_path_factory.mktemp("orthanc")) as peer:
        yield peer


@pytest.fixture(scope="module")
def our_outcomes(ours: Peer) -> dict[WorklistRow, WorklistOutcome]:
    """Our answers to all rows, asked for once."""
    return {row: ask(ours, row) for row in ROWS}


@pytest.mark.requirement("WL-004", "WL-005", "WL-006")
@pytest.mark.peer("findscu")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words[:60])
def test_our_answer_is_the_right_one(
    our_outcomes: dict[WorklistRow, WorklistOutcome], row: WorklistRow
) -> None:
    outcome = our_outcomes[row]
    assert (list(outcome.found), outcome.fails) == (row.found, row.fails)


@pytest.mark.peer("findscu", "wlmscpfs")
def test_page_has_the_differences(
    our_outcomes: dict[WorklistRow, WorklistOutcome], theirs: Peer
) -> None:
    """The page lists what wlmscpfs answers today."""
    page = worklist_differences.PAGE.read_text(encoding="utf-8")
    answers = [(our_outcomes[row], ask(theirs, row)) for row in ROWS]
    assert worklist_differences.section(answers) in page


@pytest.mark.requirement("WL-010")
@pytest.mark.peer("findscu")
def test_whole_step_goes_to_findscu(ours: Peer) -> None:
    """A sequence without an item asks for all of the step, here in a character set of its own."""
    keys = {
        "RequestedProcedureID": "R0002",
        "PatientName": "",
        "ScheduledProcedureStepSequence": "",
        "SpecificCharacterSet": "ISO_IR 100",
    }
    outcome = findscu_worklist(ours, keys)
    (answer,) = outcome.answers
    assert answer["PatientName"] == "MÜLLER^JÜRGEN"
    (step,) = answer["ScheduledProcedureStepSequence"]
    expected = data_set_of(PLAN[1])[0x00400100].values[0]
    assert {pydicom.datadict.tag_for_keyword(name) for name in step} == {
        tag for tag, element in expected.items() if element.values
    }


def test_pynetdicom_gets_a_days_list(ours: Peer, tmp_path: Path) -> None:
    step = data_set(
        ScheduledStationAETitle="MR1", ScheduledProcedureStepStartDate="20260103", Modality=""
    )
    identifier = to_pydicom(data_set(PatientID="", ScheduledProcedureStepSequence=[step]))
    identifier.ensure_file_meta()
    identifier.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    identifier.preamble = bytes(128)
    identifier.save_as(tmp_path / "identifier.dcm")
    (outcome,) = pynetdicom_find_files(ours, [tmp_path / "identifier.dcm"], model="worklist")
    planned = [each for each in PLAN if "MR1" in each.stations and each.date == "20260103"]
    found = sorted(str(answer["PatientID"]) for answer in outcome.answers)
    assert found == sorted(each.patient for each in planned)


@pytest.mark.peer("gdcmscu")
def test_gdcmscu_gets_the_steps_of_a_patient(ours: Peer) -> None:
    patient = PLAN[0].patient
    outcome = gdcmscu_worklist(ours, {"10,20": patient, "40,1001": ""})
    planned = [each for each in PLAN if each.patient == patient]
    assert outcome.statuses == [0xFF00] * len(planned) + [0]
    assert outcome.released


@pytest.mark.peer("Orthanc")
def test_orthanc_gets_a_days_list(ours: Peer, tmp_path: Path) -> None:
    modality = {"ris": [ours.aet, ours.host, ours.port]}
    step = {
        "ScheduledStationAETitle": "MR1", "ScheduledProcedureStepStartDate": "20260103",
        "Modality": "",
    }  # fmt: skip
    query = {"PatientID": "", "PatientName": "", "ScheduledProcedureStepSequence": [step]}
    with orthanc_program.orthanc(tmp_path, [], DicomModalities=modality) as orthanc:
        answers = orthanc_program.find_worklist(orthanc, "ris", query)
    planned = [each for each in PLAN if "MR1" in each.stations and each.date == "20260103"]
    assert sorted(each["PatientID"] for each in answers) == sorted(p.patient for p in planned)
    for each in answers:
        (found,) = each["ScheduledProcedureStepSequence"]
        assert found["ScheduledStationAETitle"] == "MR1"


@pytest.mark.peer("Orthanc", "OrthancWorklists")
def test_our_scu_asks_orthanc(orthancs: Peer) -> None:
    command = [
        "find", orthancs.host, str(orthancs.port), "--aec", orthancs.aet, "-W",
        "ScheduledStationAETitle=MR1", "ScheduledProcedureStepStartDate=2026-01-03",
        "PatientID", "-f", "jsonl",
    ]  # fmt: skip
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.stderr
    found = [json.loads(line)["PatientID"] for line in done.stdout.splitlines()]
    planned = [each for each in PLAN if "MR1" in each.stations and each.date == "20260103"]
    assert sorted(found) == sorted(each.patient for each in planned)


CONFORM_FAILURES = {
    "ours": set(),
    "theirs": set(),
    "orthancs": {"worklist-type-2", "worklist-optional-key", "worklist-date-and-time"},
}


@pytest.mark.peer("wlmscpfs", "Orthanc", "OrthancWorklists")
@pytest.mark.parametrize("name", CONFORM_FAILURES)
def test_conform_finds_the_faults(name: str, request: pytest.FixtureRequest) -> None:
    peer: Peer = request.getfixturevalue(name)
    command = ["conform", peer.host, str(peer.port), "--aec", peer.aet, "-W", "--rate", "1000"]
    done = CliRunner().invoke(main, [*command, "--format", "json"])
    checks = {each["id"]: each["outcome"] for each in json.loads(done.stdout)["checks"]}
    failed = {name for name, outcome in checks.items() if outcome == "failed"}
    assert failed == CONFORM_FAILURES[name]
    undecided = {name for name, outcome in checks.items() if outcome == "not decided"}
    assert undecided <= {"worklist-cancel", "worklist-extended"}


@pytest.mark.peer("wlmscpfs")
def test_our_scu_asks_wlmscpfs(theirs: Peer) -> None:
    """Our SCU gets the list of a station from wlmscpfs, and names the key that it ignored."""
    command = [
        "find", theirs.host, str(theirs.port), "--aec", theirs.aet, "-W",
        "ScheduledStationAETitle=MR1", "ScheduledProcedureStepStartDate=2026-01-03",
        "ScheduledProcedureStepLocation=ROOM 1", "PatientID", "-f", "jsonl",
    ]  # fmt: skip
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    planned = [each for each in PLAN if "MR1" in each.stations and each.date == "20260103"]
    assert sorted(each["PatientID"] for each in found) == sorted(each.patient for each in planned)
    assert "ignored Scheduled Procedure Step Location" in done.stderr


@pytest.mark.peer("findscu", "wlmscpfs")
def test_watched_folder_gives_the_answers_of_wlmscpfs(tmp_path: Path) -> None:
    """Both serve one folder, before and after a step leaves and another one comes."""
    lists, location = tmp_path / "lists", tmp_path / "index.sqlite"
    lists.mkdir()
    data = [encoded(data_set_of(each)) for each in PLAN[:4]]
    with (
        wlmscpfs(lists, {TITLE: data[:3]}) as port,
        following(lists, location) as watching,
    ):
        assert watching.lines(2)[1].startswith("3 added")
        with ours_programs.serve(location, "--worklist", aet=TITLE) as mine:
            theirs = Peer("127.0.0.1", port, TITLE)
            assert steps_of(mine) == steps_of(theirs)
            (lists / TITLE / "0000.wl").unlink()
            assert "1 left" in watching.lines(3)[2]
            # By its name at once whole: a look may come while a file is written.
            (tmp_path / "3").write_bytes(data[3])
            (tmp_path / "3").rename(lists / TITLE / "0003.wl")
            assert "1 added" in watching.lines(4)[3]
            assert steps_of(mine) == steps_of(theirs)
            assert len(steps_of(mine)) == 3
        assert watching.end() == 0


def steps_of(peer: Peer) -> list[str]:
    """The Requested Procedure IDs of all steps."""
    outcome = findscu_worklist(peer, {"RequestedProcedureID": "", "PatientID": ""})
    assert outcome.final.startswith("Success")
    return sorted(str(answer["RequestedProcedureID"]) for answer in outcome.answers)
