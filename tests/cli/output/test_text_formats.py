from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from dicomquest.cli.output.formats import FORMATS
from dicomquest.cli.output.match_values import text_at
from dicomquest.cli.output.page import Page
from dicomquest.cli.output.text_formats import DIALECTS
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.key_arguments import parse_keys
from dicomquest.standard.levels import Level

KEYS = parse_keys(
    [
        "PatientName",
        "ModalitiesInStudy",
        "StudyTime",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "0023,xx01:ACME",
    ]
)


FIRST = {
    0x00080030: Element("TM", ()),
    0x00080061: Element("CS", ("CT", "MR")),
    0x00100010: Element("PN", ("Müller^Jürgen",)),
    0x00230010: Element("LO", ("OTHER",)),
    0x00230011: Element("LO", ("ACME",)),
    0x00231001: Element("LO", ("wrong",)),
    0x00231101: Element("LO", ("right",)),
    0x00280010: Element("US", (512,)),
    0x00400275: Element(
        "SQ", ({0x00400009: Element("SH", ("S1",))}, {0x00400009: Element("SH", ("S2",))})
    ),
}
SECOND = {0x00080061: Element("CS", ("SR",)), 0x00100010: Element("PN", ("DOE^JOHN",))}


def written(name: str, *matches: DataSet) -> str:
    out = io.StringIO(newline="")
    FORMATS[name].write(iter(matches), page(out))
    return out.getvalue()


def page(out: io.StringIO, **more: Any) -> Page:
    return Page(tuple(KEYS), frozenset(KEYS), Level.STUDY, out, **more)


OBJECTS = [
    {
        "ModalitiesInStudy": ["CT", "MR"],
        "PatientName": "Müller^Jürgen",
        "0023,xx01:OTHER": "wrong",
        "0023,xx01:ACME": "right",
        "StudyTime": None,
        "Rows": 512,
        "RequestAttributesSequence": [
            {"ScheduledProcedureStepID": "S1"},
            {"ScheduledProcedureStepID": "S2"},
        ],
    },
    {"ModalitiesInStudy": "SR", "PatientName": "DOE^JOHN"},
]


def test_json_is_array_of_objects_by_keyword() -> None:
    assert json.loads(written("json", FIRST, SECOND)) == OBJECTS


def test_jsonl_is_an_object_a_line() -> None:
    assert [json.loads(line) for line in written("jsonl", FIRST, SECOND).splitlines()] == OBJECTS


def test_jsonl_comes_as_the_matches_come() -> None:
    out = io.StringIO()

    def matches() -> Iterator[DataSet]:
        yield FIRST
        assert out.getvalue().count("\n") == 1
        yield SECOND

    FORMATS["jsonl"].write(matches(), page(out))
    assert out.getvalue().count("\n") == 2


def test_dicom_json_is_model_of_standard() -> None:
    first, second = json.loads(written("dicom-json", FIRST, SECOND))
    assert first["00080061"] == {"vr": "CS", "Value": ["CT", "MR"]}
    assert second["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "DOE^JOHN"}]}


def test_csv_has_a_column_a_key() -> None:
    heading, first, second = csv.reader(io.StringIO(written("csv", FIRST, SECOND)))
    assert heading == [
        "PatientName",
        "ModalitiesInStudy",
        "StudyTime",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "0023,xx01:ACME",
    ]
    assert first == ["Müller^Jürgen", "CT\\MR", "", "S1\\S2", "right"]
    assert second == ["DOE^JOHN", "SR", "", "", ""]


def test_csv_begins_with_study_instance_uid() -> None:
    keys = tuple(parse_keys(["PatientName", "SeriesInstanceUID", "StudyInstanceUID"]))
    out = io.StringIO(newline="")
    FORMATS["csv"].write([], Page(keys, frozenset(), Level.SERIES, out))
    assert out.getvalue() == "StudyInstanceUID,SeriesInstanceUID,PatientName\n"
    out = io.StringIO(newline="")
    FORMATS["csv"].write([], Page(keys, frozenset(), Level.SERIES, out, is_ordered=True))
    assert out.getvalue() == "PatientName,SeriesInstanceUID,StudyInstanceUID\n"


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_reads_back(name: str) -> None:
    out = io.StringIO(newline="")
    FORMATS["csv"].write([FIRST], page(out, dialect=name))
    text = out.getvalue()
    assert text.startswith(DIALECTS[name].mark)
    reader = csv.reader(
        io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=DIALECTS[name].delimiter
    )
    assert list(reader)[1] == ["Müller^Jürgen", "CT\\MR", "", "S1\\S2", "right"]


@pytest.mark.parametrize(
    ("name", "text"), [("table", ""), ("json", "[]\n"), ("jsonl", ""), ("dicom-json", "[]\n")]
)
def test_no_match_is_no_output(name: str, text: str) -> None:
    assert written(name) == text


def test_whole_sequence_is_json() -> None:
    (key,) = parse_keys(["RequestAttributesSequence"])
    assert (
        text_at(FIRST, key.path)
        == '{"ScheduledProcedureStepID": "S1"}\\{"ScheduledProcedureStepID": "S2"}'
    )


EVIL = "\x1b[2J\x9b1A\u202eEVIL\u2028"


@pytest.mark.parametrize("name", ["table", "record", "csv", "json", "jsonl", "dicom-json", "xml"])
def test_no_value_steers_a_terminal(name: str) -> None:
    match = {0x00100010: Element("PN", (EVIL,))}
    out = io.StringIO(newline="")
    FORMATS[name].write(iter([match]), page(out, width=200))
    assert "EVIL" in out.getvalue()
    assert not set(EVIL) - set("[2J1AEVIL") & set(out.getvalue())


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_json_keeps_what_it_escapes(name: str) -> None:
    found = json.loads(written(name, {0x00100010: Element("PN", (EVIL,))}))
    assert (found[0] if isinstance(found, list) else found)["PatientName"] == EVIL


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_csv_safe_disarms_formulas(text: str) -> None:
    match = {0x00100010: Element("PN", (text,))}
    for is_safe, expected in ((True, f"'{text}"), (False, text)):
        out = io.StringIO(newline="")
        FORMATS["csv"].write(iter([match]), page(out, is_csv_safe=is_safe))
        _, row = csv.reader(io.StringIO(out.getvalue(), newline=""))
        assert row[0] == expected
