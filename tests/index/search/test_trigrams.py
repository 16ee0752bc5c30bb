"""The keys that trigrams find."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.index.search.trigrams import is_found_by_trigrams
from dicomquest.query.options import QueryOptions
from fixtures.building import query


def is_found(options: QueryOptions | None = None, **keys: Any) -> bool:
    (key,) = query("STUDY", options=options, StudyInstanceUID="", **keys).criteria
    return is_found_by_trigrams(key)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"StudyDescription": "*KNEE*"}, True),
        ({"StudyDescription": "?KNEE"}, True),
        ({"StudyDescription": "*K?N?E*"}, False),
        ({"StudyDescription": "*KN*"}, False),
        ({"PatientName": "*CITIZEN*"}, True),
        ({"PatientName": "*CI*"}, False),
        ({"StudyDate": "20240101"}, False),
        ({"ModalitiesInStudy": "CT"}, False),
    ],
)
def test_pattern_needs_three_letters_in_a_row(keys: dict[str, str], found: bool) -> None:
    assert is_found(None, **keys) is found


def test_entities_without_a_value_are_in_no_trigram() -> None:
    unknown = QueryOptions(unknown_matches=True)
    assert not is_found(unknown, StudyDescription="*KNEE*")


def test_attribute_without_trigrams_is_not_found() -> None:
    assert not is_found(PatientComments="*KNEE*")
