"""The identifier that a source gets for the query of a caller."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.federation.asked_query import AskedQuery, asked, request_for
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel
from fixtures.building import data_set, text_of

EVERYTHING = QueryOptions(
    relational=True, combined_datetime=True, timezone_adjustment=True, empty_value=True,
    multiple_value=True,
)  # fmt: skip


def question(
    level: str,
    options: QueryOptions = EVERYTHING,
    model: InformationModel = STUDY_ROOT,
    **keys: Any,
) -> AskedQuery:
    identifier = data_set(QueryRetrieveLevel=level, **keys)
    return asked(identifier, parse_identifier(identifier, model.uid, options))


def test_source_is_asked_for_unique_keys_and_issuer() -> None:
    request = request_for(question("PATIENT", model=PATIENT_ROOT, PatientName="A*"), EVERYTHING)
    assert request == data_set(
        QueryRetrieveLevel="PATIENT", PatientName="A*", PatientID="", IssuerOfPatientID=""
    )


@pytest.mark.requirement("QR-026")
def test_request_has_keys_alone() -> None:
    asking = question("STUDY", StudyInstanceUID="", InstanceAvailability="", RetrieveAETitle="")
    assert request_for(asking, EVERYTHING) == data_set(
        QueryRetrieveLevel="STUDY", StudyInstanceUID=""
    )


@pytest.mark.requirement("QR-022")
def test_upper_keys_only_go_where_they_may() -> None:
    """A source without relational queries is not asked to return keys of upper levels."""
    asking = question("SERIES", StudyInstanceUID="1.2", SeriesInstanceUID="", StudyDate="")
    assert request_for(asking, QueryOptions()) == data_set(
        QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2", SeriesInstanceUID=""
    )


@pytest.mark.parametrize(
    ("keys", "universal"),
    [
        ({"PatientName": '""'}, "PatientName"),
        ({"ModalitiesInStudy": "CT\\MR"}, "ModalitiesInStudy"),
        ({"StudyDate": "20240101-20240102", "StudyTime": "10-12"}, "StudyTime"),
    ],
)
def test_key_that_source_misreads_is_widened(keys: dict[str, Any], universal: str) -> None:
    """A key that means something else without its negotiation goes out without a value."""
    asking = question("STUDY", StudyInstanceUID="", **keys)
    whole, widened = request_for(asking, EVERYTHING), request_for(asking, QueryOptions())
    assert all(text_of(whole, keyword) == value for keyword, value in keys.items())
    assert text_of(widened, universal) == ""
    assert {tag for tag in whole if whole[tag] != widened[tag]} == {
        tag for tag in whole if not widened[tag].values and whole[tag].values
    }


def test_modality_becomes_that_of_study() -> None:
    asking = question("STUDY", StudyInstanceUID="", Modality="CT")
    assert text_of(request_for(asking, EVERYTHING), "Modality") == "CT"
    assert request_for(asking, QueryOptions()) == data_set(
        QueryRetrieveLevel="STUDY", StudyInstanceUID="", ModalitiesInStudy=""
    )


def test_issuer_known_here_is_compared_here() -> None:
    asking = question("STUDY", StudyInstanceUID="", IssuerOfPatientID="H1")
    assert text_of(request_for(asking, EVERYTHING), "IssuerOfPatientID") == "H1"
    assert text_of(request_for(asking, EVERYTHING, has_issuer=True), "IssuerOfPatientID") == ""


def test_numbers_above_the_level_are_not_returned() -> None:
    """No source knows what the others hold of the patient."""
    query = question("STUDY", StudyInstanceUID="", NumberOfPatientRelatedStudies="").query
    assert query.pending_status == 0xFF01
    assert [key.tag for key in query.return_keys] == [0x0020000D]


@pytest.mark.requirement("QR-098", "QR-103")
@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ({"PatientName": "M?ller"}, {"PatientName": "M*ller"}),
        ({"PatientName": "Müller*"}, {"PatientName": "M*ller*"}),
        ({"PatientName": "山田^太郎"}, {"PatientName": "*^*"}),
        ({"PatientName": "Doe*"}, {"PatientName": "Doe*"}),
        ({"StudyTime": "1200"}, {"StudyTime": ""}),
        ({"StudyTime": "1200-1300"}, {"StudyTime": "1200-1300"}),
    ],
)
def test_inexact_source_gets_wider_keys(keys: dict[str, Any], sent: dict[str, Any]) -> None:
    """It may compare bytes, or times as text; the answers are sifted here."""
    asking = question("STUDY", StudyInstanceUID="", **keys)
    request = request_for(asking, EVERYTHING, is_exact=False)
    assert request == data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", **sent)
    exact = request_for(asking, EVERYTHING)
    assert exact == data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", **keys)
