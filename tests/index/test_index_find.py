"""``open_index`` and ``Index.find``: an index is asked without a server."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

import dicomquest
from dicomquest import Index, MissingIndexError, open_index
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import VisibilityError
from fixtures.building import instance, query


@pytest.fixture
def filled(location: str) -> str:
    with Index(location) as index:
        index.ingest_data_sets(
            instance(
                PatientID=f"P{number}",
                PatientName=name,
                StudyInstanceUID=f"1.2.{number}",
                StudyDate=f"2024010{number + 1}",
                SeriesInstanceUID=f"1.2.{number}.1",
                SOPInstanceUID=f"1.2.{number}.1.1",
                Modality="CT",
            )
            for number, name in enumerate(["DOE^Jane", "DOE^John", "ROE^Jörg"])
        )
    return location


def test_find_gives_datasets(filled: str) -> None:
    with open_index(filled) as index:
        found = list(index.find(level="STUDY", PatientName="DOE^*"))
    assert all(isinstance(each, Dataset) for each in found)
    assert {str(each.PatientName) for each in found} == {"DOE^Jane", "DOE^John"}
    assert {each.StudyInstanceUID for each in found} == {"1.2.0", "1.2.1"}
    assert found[0].QueryRetrieveLevel == "STUDY"


@pytest.mark.parametrize("name", ["^^^^", "==", "^="])
def test_a_name_of_delimiters_is_empty(location: str, name: str) -> None:
    """Empty value matching finds it; a wild card for one character and more does not."""
    with Index(location) as index:
        index.ingest_data_sets([instance(PatientName=name)])
        empty = QueryOptions(relational=True, empty_value=True)
        assert len(list(index.find(PatientName='""', options=empty))) == 1
        assert list(index.find(PatientName="?*", options=empty)) == []
        assert len(list(index.find(PatientName="^"))) == 1


def test_find_gives_the_json_model(filled: str) -> None:
    with open_index(filled) as index:
        (found,) = index.find(as_="json", PatientName="ROE*", ModalitiesInStudy=None)
    assert found["00080061"] == {"vr": "CS", "Value": ["CT"]}
    assert found["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}


def test_keys_of_any_level_go_together(filled: str) -> None:
    with open_index(filled) as index:
        found = index.find(level="series", StudyDate=(date(2024, 1, 2), None), Modality="CT")
        assert {each.SeriesInstanceUID for each in found} == {"1.2.1.1", "1.2.2.1"}


def test_options_can_be_strict(filled: str) -> None:
    with open_index(filled) as index, pytest.raises(ValueError, match="needs StudyInstanceUID"):
        index.find(level="SERIES", options=QueryOptions(), Modality="CT")


@pytest.mark.parametrize(("limit", "count"), [(None, 3), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_limit(filled: str, limit: int | None, count: int) -> None:
    with open_index(filled) as index:
        assert len(list(index.find(limit=limit))) == count


def test_leaving_loop_frees_connection(filled: str) -> None:
    with open_index(filled) as index:
        for _ in range(100):
            assert next(iter(index.find())).StudyInstanceUID
        assert len(list(index.find())) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"PatientNam": "A"}, "did you mean PatientName"),
        ({"level": "FILM"}, "STUDY, SERIES, IMAGE"),
        ({"StudyDate": "05.01.2024"}, "Study Date"),
        ({"as_": "arrow"}, "expected dataset, json"),
        ({"limit": 0}, "a number of matches from 1 on"),
        ({"limit": "x"}, "a number of matches from 1 on"),
    ],
)
def test_refuses_what_makes_no_sense(filled: str, arguments: dict[str, Any], words: str) -> None:
    with open_index(filled) as index, pytest.raises(ValueError, match=words):
        index.find(**arguments)


def test_filter_restricts_queries(filled: str) -> None:
    """A filter hides studies from queries, and refuses a removal, which would not spare them."""
    with open_index(filled) as index:
        (name,) = {str(study.PatientName) for study in index.find(PatientID="P1", PatientName=None)}
    with open_index(filled, visible=[f"PatientName={name}"]) as index:
        assert {str(study.PatientName) for study in index.find(PatientName=None)} == {name}
        with pytest.raises(ValueError, match="without filter"):
            index.remove(query("STUDY", PatientID="P1"))


def test_wrong_filter_opens_no_index(filled: str) -> None:
    with pytest.raises(VisibilityError, match="did you mean Modality"):
        open_index(filled, visible=["Modalty=CT"])


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_wrong_path_makes_no_index(location: str) -> None:
    with pytest.raises(MissingIndexError, match="there is no index at"):
        open_index(location)
    assert not Path(location).exists()
    with open_index(location, create=True) as index:
        assert list(index.find()) == []


def test_public_names_are_there() -> None:
    for name in dicomquest.__all__:
        assert getattr(dicomquest, name) is not None
