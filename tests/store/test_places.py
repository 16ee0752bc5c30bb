"""Received files lie within their folder, under valid names, and each has a name of its own."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomquest.errors import LayoutError
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from dicomquest.store.places import DEFAULT_LAYOUT, parse_layout, safe_name
from fixtures.timing import LONG


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
@example("ABC", "abc")
@example("STRASSE", "stra\u00dfe")
@example("SS", "\u1e9e")
@example("a b", "a_b")
@example("abc", safe_name("abc"))
@example("abc", safe_name("abc").upper())
def test_two_texts_have_two_names(one: str, other: str) -> None:
    """Also on a disk that does not tell large letters from small ones."""
    made = [safe_name(text).casefold() for text in (one, other)]
    assert (made[0] == made[1]) is (one == other)


def test_capital_letters_and_literals_stay() -> None:
    layout = parse_layout("series-{Modality}_{PatientID}/{SOPInstanceUID}.dcm")
    names = layout.path(texts(**WHOLE | {"PatientID": "P-1^A+2"})).parts
    assert names == ("series-CT_P-1^A+2", "1.2.3.4.dcm")


@pytest.mark.parametrize(
    "text",
    [
        "../../etc", "..", ".", "", "a/b", "a\\b", "\0", "A\nB", "X" * 300, ".HIDDEN", "CON",
        "LPT1.TXT", "\ud800", "-rf", "--", "~root", "=ls", "$HOME", "`ID`", "$(ID)", "A;B", "A&B",
        "O'BRIEN", 'A"B', "A B", "A\u00a0B", "!!", "{A,B}", "[AB]", "#A", "%PATH%", "A\u202eB",
    ],
)  # fmt: skip
def test_dangerous_name_becomes_harmless(text: str) -> None:
    made = safe_name(text)
    assert made != text
    # Without quotes, a shell takes it as one word of these characters, and no program as an option.
    done = subprocess.run(
        ["sh", "-c", f"printf '%s|' {made}; echo {made} | xargs printf '%s|'"],
        capture_output=True, check=True, timeout=6 * LONG,
    )  # fmt: skip
    assert done.stdout.decode() == f"{made}|{made}|"
    assert not made.startswith("-")


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
