"""The peers agree with each other, so a difference seen elsewhere is not the fixtures'."""

from __future__ import annotations

import pytest

from peers.answers import only
from peers.dcmtk import echoscu, findscu
from peers.gdcm import gdcmscu_echo, gdcmscu_find
from peers.processes import Peer
from peers.pynetdicom_programs import pynetdicom_find

CITIZENS = [("CITIZEN^Jan", "12345678"), ("CITIZEN^Jan", "12345678"), ("CITIZEN^Snip", "12345679")]


@pytest.fixture(
    params=[
        pytest.param("dcmqrscp", marks=pytest.mark.peer("dcmqrscp", "dcmqridx")),
        pytest.param("orthanc", marks=pytest.mark.peer("Orthanc")),
        "pynetdicom",
    ]
)
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.getfixturevalue(request.param)
    return found


@pytest.mark.peer("echoscu")
def test_echoscu(peer: Peer) -> None:
    assert echoscu(peer).status == 0


@pytest.mark.peer("findscu")
def test_findscu(peer: Peer) -> None:
    outcome = findscu(
        peer, "STUDY", {"PatientName": "CITIZEN*", "PatientID": "", "StudyInstanceUID": ""}
    )
    answers = [
        {**answer, "PatientName": answer["PatientName"].rstrip("^")} for answer in outcome.answers
    ]
    assert only(answers, "PatientName", "PatientID") == CITIZENS
    assert outcome.final == "Success"


def test_pynetdicom_scu(peer: Peer) -> None:
    outcome = pynetdicom_find(
        peer, "STUDY", {"PatientName": "CITIZEN*", "PatientID": "", "StudyInstanceUID": ""}
    )
    answers = [
        {**answer, "PatientName": answer["PatientName"].rstrip("^")} for answer in outcome.answers
    ]
    assert only(answers, "PatientName", "PatientID") == CITIZENS
    assert outcome.statuses == [0xFF00] * 3 + [0x0000]


@pytest.mark.peer("gdcmscu")
def test_gdcmscu(peer: Peer) -> None:
    assert gdcmscu_echo(peer).statuses == [0x0000]
    outcome = gdcmscu_find(peer, "STUDY", {"10,10": "CITIZEN*", "20,d": ""})
    assert outcome.statuses == [0xFF00] * 3 + [0x0000]
    assert outcome.success
    assert outcome.released
