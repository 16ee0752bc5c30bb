"""Worklists and real peers: findscu and pynetdicom ask ours, our SCU asks wlmscpfs."""

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
from fixtures.tool_modules import load_tool
from peers.dcmtk import findscu_worklist
from peers.processes import Peer
from peers.pynetdicom_programs import pynetdicom_find_files
from peers.worklist_table import PLAN, ROWS, WorklistRow, data_set_of
from peers.worklists import WorklistOutcome, ask, our_worklist, their_worklist

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


@pytest.mark.requirement("WL-003", "WL-007")
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
