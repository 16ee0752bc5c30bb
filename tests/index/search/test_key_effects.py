"""The effect of each key of a query on an index."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.index import Index
from dicomquest.index.search.key_effects import Effects, effects_of
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from fixtures.building import data_set, instance
from fixtures.faces import STUDY_ROOT

RELATIONAL = QueryOptions(relational=True)


@pytest.fixture
def held(index: Index) -> Index:
    index.ingest_data_sets(
        instance(
            study=number,
            PatientName=name,
            PatientID=f"P{number}",
            AccessionNumber=f"A{number}",
            RequestAttributesSequence=[data_set(RequestedProcedureID=f"P{number}")],
        )
        for number, name in ((1, "DOE^JOHN"), (2, "DOE^JANE"), (3, "ROE^JO"))
    )
    return index


def effects(index: Index, *, most: int = 100, **keys: Any) -> Effects:
    identifier = data_set(**{"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""} | keys)
    query = parse_identifier(identifier, STUDY_ROOT, RELATIONAL)
    return effects_of(query, index.search, most)


def test_key_that_excludes_everything_is_named(held: Index) -> None:
    found = effects(held, PatientName="DOE*", AccessionNumber="A7")
    assert found.matches == 0
    assert [(each.name, each.alone, each.without) for each in found.keys] == [
        ("Accession Number", 0, 2),
        ("Patient's Name", 2, 0),
    ]
    assert found.verdict == "Accession Number excludes everything"


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        (
            {"PatientName": "ROE*", "AccessionNumber": "A1"},
            "Accession Number and Patient's Name contradict each other",
        ),
        (
            {"PatientName": "NOBODY", "AccessionNumber": "A7"},
            "Accession Number and Patient's Name each exclude everything",
        ),
        (
            {"PatientName": "ROE*", "AccessionNumber": "A1", "PatientID": "NONE"},
            "Patient ID excludes everything, and so do the other keys together",
        ),
        (
            {"PatientName": "ROE*", "AccessionNumber": "A1", "StudyInstanceUID": "1.2.2"},
            (
                "no key alone excludes everything; Accession Number, Patient's Name and Study "
                "Instance UID do together"
            ),
        ),
        ({"PatientName": "DOE*"}, ""),
    ],
)
def test_verdict(held: Index, keys: dict[str, Any], verdict: str) -> None:
    assert effects(held, **keys).verdict == verdict


def test_condition_is_the_key_s_own(held: Index) -> None:
    (key,) = effects(held, PatientName="DOE", StudyDate="").keys
    assert key.condition == ("patient.patient_name_alphabetic = ?", ("doe",))


def test_items_of_sequences_are_counted(held: Index) -> None:
    """Python matches them, for which SQLite and PostgreSQL have ways of their own."""
    item = data_set(RequestedProcedureID="P2")
    (key,) = effects(held, RequestAttributesSequence=[item]).keys
    assert (key.alone, key.without) == (1, 3)
    assert "series_value" in key.condition[0]


def test_count_ends_at_the_most(held: Index) -> None:
    found = effects(held, most=2, PatientName="*O*")
    assert (found.matches, found.keys[0].without) == (2, 2)


def test_plan_is_there(held: Index) -> None:
    found = effects(held, PatientName="DOE*")
    assert found.steps
    assert found.statement[0].startswith("SELECT ")


def test_empty_index_is_said(index: Index) -> None:
    asked: list[dict[str, Any]] = [{}, {"PatientName": "X", "PatientID": "Y"}]
    for keys in asked:
        assert effects(index, **keys).verdict == "there are no studies at all"
