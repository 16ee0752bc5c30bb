"""Two persons with one Patient ID, asked for over the wire (PS3.4 C.3.2, C.6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dicomquest import find
from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.aio.server_settings import ServerSettings
from dicomquest.index import Index
from dicomquest.query.extended_negotiation import negotiate
from dicomquest.query.options import QueryOptions
from dicomquest.services.find import FindService
from dicomquest.standard.models import MODELS
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax
from fixtures.building import instance

HELLO = {"PatientID": "12345678", "PatientName": "HELLO", "PatientSex": "F"}
FOO = {"PatientID": "12345678", "PatientName": "FOO", "PatientBirthDate": "19500101"}
UIDS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@pytest.fixture
def port(location: str) -> Iterator[int]:
    """The port of a server with a study of HELLO, and one of FOO received later."""
    models = {model.uid: SupportedSyntax((IMPLICIT_VR_LITTLE_ENDIAN,)) for model in MODELS}
    with Index(location) as index:
        index.ingest_data_sets([instance(study=1, **HELLO)])
        index.ingest_data_sets([instance(study=2, **FOO)])
        service = FindService(index, "ARCHIVE")
        policy = AcceptorPolicy(models, answer_extended=lambda _, offered: negotiate(offered))
        settings = ServerSettings(policy, dict.fromkeys(models, service))
        server = RunningServer(lambda: Server(settings), ("127.0.0.1", 0))
        server.start()
        yield server.server_address[1]
        server.shutdown()


def found(port: int, level: str, model: str, **keys: str) -> list[tuple[str, ...]]:
    """Return UID, name, birth date and sex of the matches, sorted."""
    names = (UIDS.get(level, "PatientID"), "PatientName", "PatientBirthDate", "PatientSex")
    asked: dict[str | int, Any] = dict.fromkeys((*names, "NumberOfPatientRelatedStudies"), "")
    asked.update(keys.items())
    options = QueryOptions(relational=True)
    matches = list(find("127.0.0.1", port, level=level, model=model, options=options, keys=asked))
    assert {match.NumberOfPatientRelatedStudies for match in matches} <= {2}
    return sorted(tuple(str(match.get(name) or "") for name in names) for match in matches)


@pytest.mark.requirement("QR-009")
@pytest.mark.parametrize("model", ["study", "patient"])
@pytest.mark.parametrize(("level", "suffix"), [("STUDY", ""), ("SERIES", ".1"), ("IMAGE", ".1.1")])
def test_each_study_has_its_own_name(port: int, level: str, suffix: str, model: str) -> None:
    hello = (f"1.2.1{suffix}", "HELLO", "", "F")
    foo = (f"1.2.2{suffix}", "FOO", "19500101", "")
    assert found(port, level, model) == [hello, foo]
    assert found(port, level, model, PatientName="HELLO") == [hello]
    assert found(port, level, model, PatientName="F*") == [foo]
    assert found(port, level, model, PatientName="*ELL*") == [hello]
    assert found(port, level, model, PatientBirthDate="19500101") == [foo]
    assert found(port, level, model, PatientID="12345678", PatientSex="F") == [hello]
    assert found(port, level, model, PatientName="HELLO", PatientBirthDate="19500101") == []


def test_patient_is_one_and_has_latest_demographics(port: int) -> None:
    latest = ("12345678", "FOO", "19500101", "F")
    assert found(port, "PATIENT", "patient") == [latest]
    assert found(port, "PATIENT", "patient", PatientName="FOO") == [latest]
    assert found(port, "PATIENT", "patient", PatientName="HELLO") == []
    # A key of a lower level leads to the patient by each of its studies.
    for study in ("1.2.1", "1.2.2"):
        assert found(port, "PATIENT", "patient", StudyInstanceUID=study) == [latest]
    assert found(port, "PATIENT", "patient", StudyInstanceUID="1.2.9") == []


def test_patient_study_only_shows_each_its_own(port: int) -> None:
    names = [match[1] for match in found(port, "STUDY", "psonly")]
    assert names == ["HELLO", "FOO"]
