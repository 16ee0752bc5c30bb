"""Other people's clients against `dicomquest serve`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers import ours
from peers.answers import only
from peers.corpus import uid
from peers.dcmtk import echoscu, findscu
from peers.gdcm import gdcmscu_echo, gdcmscu_find
from peers.processes import Peer
from peers.pynetdicom_programs import pynetdicom_find
from peers.queries import QUERIES, KnownQuery


@pytest.fixture(scope="module")
def scp(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    location = tmp_path_factory.mktemp("index") / "index.sqlite"
    ours.index(location, archive)
    with ours.serve(location) as peer:
        yield peer


known_queries = pytest.mark.parametrize(
    "query", QUERIES, ids=lambda query: query.name.replace(" ", "-")
)


@pytest.mark.requirement("UL-100")
@pytest.mark.peer("echoscu")
@pytest.mark.parametrize(
    "options", [(), ("-pts", "3"), ("--max-pdu", "4096"), ("--repeat", "20"), ("--abort",)]
)
def test_echoscu(scp: Peer, options: tuple[str, ...]) -> None:
    outcome = echoscu(scp, *options)
    assert outcome.status == 0, outcome.output
    assert "Received Echo Response (Success)" in outcome.output


@pytest.mark.requirement("QR-001", "QR-002", "QR-056")
@pytest.mark.peer("findscu")
@known_queries
@pytest.mark.parametrize("options", ["-xi", "-xe", "-xb", "-xd", "--max-pdu 4096"])
def test_findscu(scp: Peer, query: KnownQuery, options: str) -> None:
    outcome = findscu(scp, query.level, query.keys, *options.split(), model=query.model)
    assert outcome.final == "Success", outcome.output
    assert only(outcome.answers, *query.shown) == query.answers
    assert all(answer["QueryRetrieveLevel"] == query.level for answer in outcome.answers)


@pytest.mark.peer("findscu")
def test_findscu_patient_study_only(scp: Peer) -> None:
    outcome = findscu(scp, "STUDY", {"PatientID": "D-1", "StudyInstanceUID": ""}, model="psonly")
    assert outcome.final == "Success"
    assert only(outcome.answers, "StudyInstanceUID") == [(uid(4),)]


@pytest.mark.peer("findscu")
def test_findscu_many_times_on_one_association(scp: Peer) -> None:
    outcome = findscu(scp, "STUDY", {"PatientID": "D-1", "StudyInstanceUID": ""}, "--repeat", "50")
    assert outcome.output.count("Received Final Find Response (Success)") == 50


@pytest.mark.peer("findscu")
def test_findscu_that_aborts(scp: Peer) -> None:
    outcome = findscu(scp, "STUDY", {"PatientID": "D-1", "StudyInstanceUID": ""}, "--abort")
    assert only(outcome.answers, "StudyInstanceUID") == [(uid(4),)]
    assert findscu(scp, "STUDY", {"PatientID": "D-1", "StudyInstanceUID": ""}).final == "Success"


@pytest.mark.peer("gdcmscu")
@pytest.mark.parametrize(
    ("model", "level", "keys", "matches"),
    [
        ("patient", "PATIENT", {"10,10": "CITIZEN*", "10,20": ""}, 2),
        ("study", "STUDY", {"10,10": "CITIZEN*", "20,d": ""}, 3),
        ("study", "SERIES", {"20,d": uid(1), "20,e": ""}, 2),
        ("study", "IMAGE", {"20,d": uid(1), "20,e": uid(1, 1), "8,18": ""}, 8),
        ("study", "STUDY", {"10,20": "NOBODY", "20,d": ""}, 0),
    ],
)
def test_gdcmscu(scp: Peer, model: str, level: str, keys: dict[str, str], matches: int) -> None:
    outcome = gdcmscu_find(scp, level, keys, model=model)
    assert outcome.statuses == [0xFF00] * matches + [0x0000], outcome.output
    assert outcome.success
    assert outcome.released


@pytest.mark.peer("gdcmscu")
def test_gdcmscu_echo(scp: Peer) -> None:
    assert gdcmscu_echo(scp).statuses == [0x0000]


@known_queries
@pytest.mark.parametrize("options", ["--syntax explicit", "--syntax implicit", "--max-pdu 4096"])
def test_pynetdicom(scp: Peer, query: KnownQuery, options: str) -> None:
    outcome = pynetdicom_find(scp, query.level, query.keys, *options.split(), model=query.model)
    assert outcome.statuses == [0xFF00] * len(query.answers) + [0x0000]
    assert only(outcome.answers, *query.shown) == query.answers
