"""Identifiers of C-GET and C-MOVE: levels, unique keys, and deviations from both."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.errors import IdentifierError
from dicomquest.query.criteria import AnyOf, SingleValue, UIDList
from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier, parse_retrieve
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.models import (
    COMPOSITE_INSTANCE_ROOT,
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    STUDY_ROOT,
    InformationModel,
)
from fixtures.building import data_set

STRICT = QueryOptions(strict=True)
LENIENT = QueryOptions()
STUDY = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1"}
RELATIONAL = QueryOptions(strict=True, relational=True)


def read(
    model: InformationModel, options: QueryOptions = LENIENT, **keys: Any
) -> RetrieveIdentifier:
    return parse_retrieve(data_set(**keys), model.get_uid, options)


def refused(model: InformationModel, options: QueryOptions = LENIENT, **keys: Any) -> str:
    """The status, the offending element and the comment."""
    with pytest.raises(IdentifierError) as raised:
        read(model, options, **keys)
    error = raised.value
    tag = f"{error.element[0]:08X}" if error.element else ""
    return f"{error.status:04X} {tag} {error}"


@pytest.mark.requirement("RT-001")
@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        (PATIENT_ROOT, "PATIENT", {"PatientID": "P"}),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P", "StudyInstanceUID": "1"}),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1"}),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1", "SeriesInstanceUID": "1.1"}),
        (
            STUDY_ROOT,
            "IMAGE",
            {"StudyInstanceUID": "1", "SeriesInstanceUID": "1.1", "SOPInstanceUID": "1.1.1"},
        ),
        (PATIENT_STUDY_ONLY, "STUDY", {"PatientID": "P", "StudyInstanceUID": "1"}),
        (COMPOSITE_INSTANCE_ROOT, "IMAGE", {"SOPInstanceUID": "1\\2"}),
    ],
)
def test_strict_takes_what_the_standard_has(
    model: InformationModel, level: str, keys: dict[str, Any]
) -> None:
    found = read(model, STRICT, QueryRetrieveLevel=level, **keys)
    assert (found.level, found.query.level) == (Level[level], Level.IMAGE)
    assert len(found.query.criteria) == len(keys)
    assert found.query.in_order


@pytest.mark.requirement("RT-002")
@pytest.mark.parametrize("keys", [{}, {"QueryRetrieveLevel": ""}, {"QueryRetrieveLevel": "FRAME"}])
def test_level_that_is_none(keys: dict[str, Any]) -> None:
    assert refused(STUDY_ROOT, StudyInstanceUID="1", **keys).startswith("A900 00080052")


@pytest.mark.requirement("RT-002")
def test_series_level_of_patient_study_only() -> None:
    words = refused(PATIENT_STUDY_ONLY, QueryRetrieveLevel="SERIES", SeriesInstanceUID="1")
    assert words.startswith("A900 00080052")


@pytest.mark.requirement("RT-003")
@pytest.mark.parametrize("uid", [None, "", "*", "1.2.*", "1.2?\\1.3"])
def test_unique_key_of_the_level_without_value(uid: str | None) -> None:
    keys: dict[str, Any] = {} if uid is None else {"StudyInstanceUID": uid}
    assert refused(STUDY_ROOT, QueryRetrieveLevel="STUDY", **keys).startswith("A900 0020000D")


@pytest.mark.requirement("RT-003")
@pytest.mark.parametrize("patient", ["", "*", "P*", "A\\B"])
def test_patient_level_takes_one_patient_id(patient: str) -> None:
    words = refused(PATIENT_ROOT, QueryRetrieveLevel="PATIENT", PatientID=patient)
    assert words.startswith("A900 00100020")


@pytest.mark.requirement("RT-004")
def test_list_of_studies() -> None:
    found = read(STUDY_ROOT, STRICT, QueryRetrieveLevel="STUDY", StudyInstanceUID="1\\2\\1")
    assert [each.criterion for each in found.query.criteria] == [UIDList(("1", "2"))]


@pytest.mark.requirement("RT-006")
@pytest.mark.parametrize(
    ("keyword", "tag"), [("AccessionNumber", "00080050"), ("SeriesInstanceUID", "0020000E")]
)
def test_other_key_with_a_value(keyword: str, tag: str) -> None:
    keys: dict[str, Any] = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1", keyword: "1"}
    assert refused(STUDY_ROOT, **keys).startswith(f"A900 {tag}")


def test_other_key_without_a_value() -> None:
    keys: dict[str, Any] = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1", "Modality": ""}
    assert len(read(STUDY_ROOT, **keys).query.criteria) == 1
    assert refused(STUDY_ROOT, STRICT, **keys).startswith("A900 00080060")


@pytest.mark.requirement("RT-007")
def test_missing_upper_keys() -> None:
    keys: dict[str, Any] = {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": "1.1.1"}
    lenient = read(STUDY_ROOT, **keys)
    assert len(lenient.query.notes) == 2
    assert read(STUDY_ROOT, RELATIONAL, **keys).query.notes == ()
    assert refused(STUDY_ROOT, STRICT, **keys).startswith("A900 0020000D")


def test_patient_id_restricts_under_study_root() -> None:
    keys: dict[str, Any] = {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": "1",
        "PatientID": "P",
    }
    criteria = [each.criterion for each in read(STUDY_ROOT, **keys).query.criteria]
    assert criteria == [SingleValue("P"), SingleValue("1")]
    assert refused(STUDY_ROOT, STRICT, **keys).startswith("A900 00100020")


def test_list_above_the_level_is_a_union() -> None:
    keys: dict[str, Any] = {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": "1",
        "PatientID": "A\\B",
    }
    first = read(PATIENT_ROOT, **keys).query.criteria[0].criterion
    assert first == AnyOf((SingleValue("A"), SingleValue("B")))
    assert refused(PATIENT_ROOT, STRICT, **keys).startswith("A900 00100020")


def test_issuer_restricts_a_patient() -> None:
    keys: dict[str, Any] = {
        "QueryRetrieveLevel": "PATIENT",
        "PatientID": "P",
        "IssuerOfPatientID": "EAST",
    }
    assert len(read(PATIENT_ROOT, **keys).query.criteria) == 2


def test_elements_of_a_find_response_are_no_keys() -> None:
    """SCUs send back what they found, with the elements that the service added."""
    keys: dict[str, Any] = {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": "1",
        "RetrieveAETitle": "DICOMQUEST",
        "InstanceAvailability": "ONLINE",
    }
    assert len(read(STUDY_ROOT, **keys).query.criteria) == 1


def test_file_meta_information_is_no_key() -> None:
    """Orthanc repeats the SOP Instance UID there."""
    keys: dict[str, Any] = {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": "1.1.1"}
    sent = {"MediaStorageSOPInstanceUID": "1.1.1", **keys}
    assert read(STUDY_ROOT, **sent).query.criteria == read(STUDY_ROOT, **keys).query.criteria
    assert refused(STUDY_ROOT, RELATIONAL, **sent).startswith("A900 00020003")


def test_view_is_refused() -> None:
    keys: dict[str, Any] = {"StudyInstanceUID": "1", "QueryRetrieveView": "CLASSIC"}
    assert refused(STUDY_ROOT, QueryRetrieveLevel="STUDY", **keys).startswith("A900 00080053")


def test_frames_are_refused() -> None:
    keys: dict[str, Any] = {"QueryRetrieveLevel": "FRAME", "SOPInstanceUID": "1"}
    assert refused(COMPOSITE_INSTANCE_ROOT, **keys).startswith("AA01")


def test_unknown_sop_class() -> None:
    with pytest.raises(IdentifierError) as raised:
        parse_retrieve(data_set(QueryRetrieveLevel="STUDY"), STUDY_ROOT.uid, LENIENT)
    assert raised.value.status == 0x0122
