"""KEY=VALUE as people write it is read, and refused by the name of its attribute."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dicomquest.cli.written_keys import KeyValueError, read_written
from dicomquest.query.identifier.key_arguments import parse_keys

NOW = datetime(2024, 3, 13, tzinfo=UTC)


def read(*texts: str) -> list[str]:
    return [key.value for key in read_written(parse_keys(texts), NOW)]


def test_each_value_is_read_by_its_vr() -> None:
    assert read(
        "StudyDate=2024-01-05\\today",
        "StudyTime=10:11",
        "ModalitiesInStudy=CT\\MR",
        "PatientName",
        "RequestAttributesSequence.RequestedProcedureID=P1",
        "PatientComments=a\\b",
        "0023,xx01:AcmeCompany=x",
    ) == ["20240105\\20240313", "1011", "CT\\MR", "", "P1", "a\\b", "x"]


def test_refusal_names_attribute_and_way_out() -> None:
    with pytest.raises(KeyValueError) as caught:
        read_written(parse_keys(["StudyDate=2024*"]), NOW, way_out=" (--as-is)")
    words = "Study Date '2024*' is no date: a date takes no wild card. Perhaps 2024. (--as-is)"
    assert str(caught.value) == words
