"""Received files lie within their folder, under valid names, and each has a name of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import LayoutError
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from dicomquest.store.places import DEFAULT_LAYOUT, parse_layout, safe_name


def texts(**values: str) -> dict[Level, dict[str, str]]:
    found: dict[Level, dict[str, str]] = {level: {} for level in Level}
    for keyword, value in values.items():
        key = KEYS_BY_KEYWORD[keyword]
        found[key.level][key.column] = value
    return found


WHOLE = {
    "PatientID": "P1", "StudyDate": "20240105", "StudyInstanceUID": "1.2", "Modality": "CT",
    "SeriesInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4",
}  # fmt: skip


def test_default_is_read_by_people() -> None:
    assert (
        str(parse_layout(DEFAULT_LAYOUT).path(texts(**WHOLE)))
        == "P1/20240105_1.2/CT_1.2.3/1.2.3.4.dcm"
    )


def test_missing_value_is_an_underscore() -> None:
    assert (
        str(parse_layout(DEFAULT_LAYOUT).path(texts(SOPInstanceUID="1.2.3.4")))
        == "_/___/___/1.2.3.4.dcm"
    )


@given(st.text(), st.text(), st.text(min_size=1))
def test_no_value_leads_out_of_the_folder(patient_id: str, date: str, uid: str) -> None:
    path = parse_layout(DEFAULT_LAYOUT).path(
        texts(PatientID=patient_id, StudyDate=date, SOPInstanceUID=uid)
    )
    assert not path.is_absolute()
    assert len(path.parts) == 4
    for name in path.parts:
        assert name not in {".", "..", ".dicomquest", ""}
        assert len(name.encode()) <= 255
        assert "/" not in name
        assert name.isprintable()


@given(st.text(), st.text())
def test_two_texts_have_two_names(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) is (one == other)


@pytest.mark.parametrize(
    "text",
    [
        "../../etc",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "\0",
        "a\nb",
        "x" * 300,
        ".hidden",
        "CON",
        "\ud800",
    ],
)
def test_invalid_file_name_becomes_valid(text: str) -> None:
    made = safe_name(text)
    assert made != text
    assert safe_name(made) == made


@pytest.mark.parametrize(
    "template",
    [
        "", "/{SOPInstanceUID}", "{SOPInstanceUID}/x", "{PatientID}", "{Nothing}/{SOPInstanceUID}",
        "{SOPInstanceUID", "{}/{SOPInstanceUID}", "{PatientID!r}/{SOPInstanceUID}",
        "a//{SOPInstanceUID}",
    ],
)  # fmt: skip
def test_template_that_is_none_is_refused(template: str) -> None:
    with pytest.raises(LayoutError):
        parse_layout(template)
