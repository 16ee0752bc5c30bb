"""The identifier of a query that is made of words."""

from __future__ import annotations

from datetime import datetime

import pytest

from dicomquest.federation.identifier_of_query import asked_of, meets
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.web.box import read_box
from fixtures.building import data_set

NOW = datetime.fromisoformat("2024-05-01T12:00:00")


def sent(text: str) -> dict[str, tuple[object, ...]]:
    """The values of the keys that archives get for a text."""
    identifier = asked_of(read_box(text, NOW).query()).identifier
    names = {key.tag: keyword for keyword, key in KEYS_BY_KEYWORD.items()}
    return {
        names[tag]: each.values for tag, each in identifier.items() if each.values and tag in names
    }


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("citizen 2024 MR", {"PatientName": ("*CITIZEN*",), "StudyDate": ("20240101-20241231",),
                             "ModalitiesInStudy": ("MR",)}),
        ("Jan Citizen", {"PatientName": ("*Citizen*",)}),
        ("Citizen, Jan", {"PatientName": ("Citizen*^Jan*",)}),
        ("acc:A77 born:1970", {"AccessionNumber": ("A77",),
                               "PatientBirthDate": ("19700101-19701231",)}),
        ("uid:1.2.3", {"StudyInstanceUID": ("1.2.3",)}),
        ("CT+SR", {"ModalitiesInStudy": ("CT", "SR")}),
    ],
)  # fmt: skip
def test_keys_that_archives_understand(text: str, keys: dict[str, tuple[str, ...]]) -> None:
    assert sent(text) == keys


@pytest.mark.parametrize("text", ["~citizen", "CT MR", "desc:knee", 'acc:""'])
def test_keys_that_archives_would_read_otherwise(text: str) -> None:
    """They go out without a value: no archive must find less."""
    assert sent(text) == {}


def test_answers_are_held_against_the_words() -> None:
    query = read_box("jan citizen desc:knee CT MR", NOW).query()
    fits = {
        "PatientName": "Citizen^Jan",
        "StudyDescription": "Left KNEE",
        "ModalitiesInStudy": "MR",
    }
    assert meets(data_set(**fits), query)
    assert not meets(data_set(**{**fits, "PatientName": "Citizen^Ann"}), query)
    assert not meets(data_set(**{**fits, "ModalitiesInStudy": "US"}), query)
    del fits["ModalitiesInStudy"]
    assert meets(data_set(**fits), query)
