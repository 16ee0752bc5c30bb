"""The JSON encoder's fast path equals pydicom's JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.elements import Element, element_to_json
from dicomquest.dataset.json_encoder import JsonEncoder, Place
from dicomquest.dataset.response_fields import Field, Row, Source

DATE = Field(0x00080020, "DA", Source.TEXT)
MODALITIES = Field(0x00080061, "CS", Source.TEXT)
DESCRIPTION = Field(0x00081030, "LO", Source.TEXT)
OPERATORS = Field(0x00081070, "PN", Source.JSON)
NAME = Field(0x00100010, "PN", Source.TEXT)
WEIGHT = Field(0x00101030, "DS", Source.TEXT)
COMMENTS = Field(0x00104000, "LT", Source.TEXT)
STUDY_UID = Field(0x0020000D, "UI", Source.TEXT)
NUMBER = Field(0x00200011, "IS", Source.TEXT)
COUNT = Field(0x00201206, "IS", Source.NUMBER)
POINTER = Field(0x00280009, "AT", Source.JSON)
ROWS = Field(0x00280010, "US", Source.JSON)
SPACING = Field(0x00280030, "DS", Source.JSON)
REQUESTS = Field(0x00400275, "SQ", Source.JSON)
DOCUMENT = Field(0x00420011, "OB", Source.JSON)
ONLINE = Field(0x00080056, "CS", Source.CONSTANT, "ONLINE")
CREATOR = Field(0x00230010, "LO", Source.CONSTANT, 'Ac"me {v0}')

text = st.text(
    st.characters(codec="ascii", min_codepoint=32, max_codepoint=126, exclude_characters="\\=")
    | st.sampled_from("äßЖ山田\u0301ÿ"),
    max_size=20,
).map(str.strip)
names = st.builds("{}^{}={}".format, text, text, text).map(lambda name: name.rstrip("=^ "))


def kept(vr: str, each: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Elements of the JSON column, as a database gives their text."""
    found = st.lists(each, min_size=1, max_size=3)
    elements = found.map(lambda values: element_to_json(Element(vr, tuple(values))))
    return elements.map(lambda each: json.dumps(each, ensure_ascii=False, separators=(",", ":")))


ITEM = st.builds(
    lambda name, number: {
        0x00100010: Element("PN", (name,)) if name else Element("PN", ()),
        0x00200013: Element("IS", (number,)),
    },
    names,
    st.integers(-99, 99).map(str),
)
VALUES = {
    DATE: st.dates().map(lambda date: f"{date:%Y%m%d}".zfill(8)),
    MODALITIES: st.sampled_from(["CT", "CT\\SR"]),
    DESCRIPTION: text,
    OPERATORS: kept("PN", names.filter(bool)),
    NAME: names,
    WEIGHT: st.sampled_from(["70", "70.50", "+7", ".5", "1e3", "-0.1", "007"]),
    COMMENTS: st.one_of(text, st.just('a\\b "c"\n\t')),
    STUDY_UID: st.integers(1, 10**40).map("1.2.{}".format),
    NUMBER: st.sampled_from(["1", "-1", "007", "+3"]),
    COUNT: st.integers(0, 10**6),
    POINTER: kept("AT", st.integers(0x00080000, 0x0020FFFF)),
    ROWS: kept("US", st.integers(0, 0xFFFF)),
    SPACING: kept("DS", st.sampled_from(["0.5", "1", "1e-3"])),
    REQUESTS: kept("SQ", ITEM),
    DOCUMENT: kept("OB", st.binary(min_size=2, max_size=8).filter(lambda data: not len(data) % 2)),
}


@st.composite
def queries(draw: st.DrawFn) -> tuple[list[Field], list[Row]]:
    fields = draw(st.lists(st.sampled_from(list(VALUES)), unique=True, max_size=10))
    cells = [VALUES[field] if field is COUNT else st.none() | VALUES[field] for field in fields]
    return fields, draw(st.lists(st.tuples(*cells), max_size=6))


@pytest.mark.requirement("QI-039", "QI-040", "QI-041")
@given(query=queries(), optional=st.frozensets(st.sampled_from([each.tag for each in VALUES])))
def test_equals_pydicom(query: tuple[list[Field], list[Row]], optional: frozenset[int]) -> None:
    fields, rows = query
    place = Place("https://a.example/x", (("studies", STUDY_UID.tag),))
    encoder = JsonEncoder(
        [*fields, ONLINE, CREATOR], optional, place if STUDY_UID in fields else None
    )
    for row, encoded in zip(rows, encoder.encode(rows), strict=True):
        found = json.loads(encoded.decode("utf-8"))
        # Annex F.2.5 has no empty array, which pydicom writes for a sequence.
        plain = encoder.encode_plain(row).replace(b', "Value": []', b"")
        assert found == json.loads(plain)
        assert list(found) == sorted(found)
        assert all(tag == tag.upper() for tag in found)


@pytest.mark.requirement("QI-026", "QI-040")
def test_an_empty_attribute_has_a_vr_alone() -> None:
    encoder = JsonEncoder([DATE, NAME, DESCRIPTION], frozenset({DESCRIPTION.tag}))
    [encoded] = encoder.encode([(None, None, None)])
    assert json.loads(encoded) == {"00080020": {"vr": "DA"}, "00100010": {"vr": "PN"}}


@pytest.mark.requirement("QI-040")
def test_an_empty_value_among_others_is_null() -> None:
    [encoded] = JsonEncoder([MODALITIES]).encode([("CT\\\\MR",)])
    assert json.loads(encoded)["00080061"]["Value"] == ["CT", None, "MR"]


def test_text_that_is_no_number_stays_text() -> None:
    [encoded] = JsonEncoder([NUMBER, WEIGHT]).encode([("seven", "heavy")])
    found = json.loads(encoded)
    assert found["00200011"]["Value"] == ["seven"]
    assert found["00101030"]["Value"] == ["heavy"]


@pytest.mark.requirement("QI-041")
def test_other_text_comes_with_its_character_set() -> None:
    encoder = JsonEncoder([NAME])
    ascii_only, other = encoder.encode([("Yamada",), ("Yamada=山田",)])
    assert "00080005" not in json.loads(ascii_only)
    assert json.loads(other)["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}


def test_an_odd_uid_is_quoted_in_its_address() -> None:
    place = Place("https://a.example", (("studies", STUDY_UID.tag),))
    encoder = JsonEncoder([STUDY_UID], place=place)
    [encoded] = encoder.encode([('1.2/"x',)])
    assert json.loads(encoded)["00081190"]["Value"] == ["https://a.example/studies/1.2%2F%22x"]
