"""The levels at which an archive without relational queries is asked."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.descent import levels_to_walk, question_at
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel
from fixtures.building import data_set

RELATIONAL = QueryOptions(relational=True)


def question(level: str, model: InformationModel = STUDY_ROOT, **keys: Any) -> AskedQuery:
    identifier = data_set(QueryRetrieveLevel=level, **keys)
    return asked(identifier, parse_identifier(identifier, model.uid, RELATIONAL))


@pytest.mark.requirement("QR-022")
@pytest.mark.parametrize(
    ("keys", "levels"),
    [
        ({"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}, "IMAGE"),
        ({"StudyInstanceUID": "1.2"}, "SERIES IMAGE"),
        ({"StudyInstanceUID": ["1.2", "1.3"], "SeriesInstanceUID": "1.4"}, "STUDY SERIES IMAGE"),
        ({"SOPInstanceUID": "1.5"}, "STUDY SERIES IMAGE"),
        ({"StudyInstanceUID": "1.2", "SeriesInstanceUID": "*"}, "SERIES IMAGE"),
    ],
)
def test_levels_from_the_first_that_is_not_named(keys: dict[str, Any], levels: str) -> None:
    asking = question("IMAGE", **keys)
    walked = levels_to_walk(asking, QueryOptions())
    assert [level.name for level in walked] == levels.split()
    assert levels_to_walk(asking, RELATIONAL) == (Level.IMAGE,)


def test_wild_card_names_no_patient() -> None:
    asking = question("STUDY", PATIENT_ROOT, PatientID="A*")
    assert levels_to_walk(asking, QueryOptions()) == (Level.PATIENT, Level.STUDY)


@pytest.mark.requirement("QR-022")
def test_each_step_has_the_keys_of_its_level() -> None:
    """Those above it have been matched by the step before, those below it come later."""
    asking = question(
        "IMAGE", PatientName="A*", StudyDate="20240102", Modality="CT", InstanceNumber="", Rows=""
    )
    first = question_at(asking, Level.STUDY, {}, is_first=True)
    assert first.identifier == data_set(
        QueryRetrieveLevel="STUDY", PatientName="A*", StudyDate="20240102", StudyInstanceUID=""
    )
    path = {Level.STUDY: "1.2"}
    second = question_at(asking, Level.SERIES, path, is_first=False)
    assert second.identifier == data_set(
        QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2", Modality="CT", SeriesInstanceUID=""
    )
    last = question_at(asking, Level.IMAGE, {**path, Level.SERIES: "1.3"}, is_first=False)
    assert last.identifier == data_set(
        QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.3",
        SOPInstanceUID="", InstanceNumber="", Rows="",
    )  # fmt: skip
