"""The response encoder's fast path equals pydicom's encoding, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from dicomquest.dataset.codec import decode, encode
from dicomquest.dataset.elements import Element, element_to_json, to_pydicom
from dicomquest.dataset.fast_encoder import ResponseEncoder, inflate
from dicomquest.dataset.response_fields import Field, Source
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

TRANSFER_SYNTAXES = [
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
]
REQUESTED = [
    (),
    ("ISO_IR 100",),
    ("ISO_IR 144",),
    ("ISO_IR 192",),
    ("GB18030",),
    ("", "ISO 2022 IR 87"),
    ("", "ISO 2022 IR 149"),
    ("ISO 2022 IR 100", "ISO 2022 IR 87", "ISO 2022 IR 149"),
    ("ISO_IR 13",),
    ("ISO 2022 IR 13", "ISO 2022 IR 87"),
]

STUDY_DATE = Field(0x00080020, "DA", Source.TEXT)
MODALITIES = Field(0x00080061, "CS", Source.TEXT)
PROCEDURE_CODE = Field(0x00081032, "SQ", Source.JSON)
DESCRIPTION = Field(0x00081030, "LO", Source.TEXT)
NAME = Field(0x00100010, "PN", Source.TEXT)
COMMENTS = Field(0x00104000, "LT", Source.TEXT)
WEIGHT = Field(0x00101030, "DS", Source.TEXT)
STUDY_UID = Field(0x0020000D, "UI", Source.TEXT)
COUNT = Field(0x00201206, "IS", Source.NUMBER)
ROWS = Field(0x00280010, "US", Source.JSON)
SPACING = Field(0x00280030, "DS", Source.JSON)
OPERATORS = Field(0x00081070, "PN", Source.JSON)
WINDOWS = Field(0x00281055, "LO", Source.JSON)
INSTITUTION_CODE = Field(0x00080082, "SQ", Source.JSON)
ENCAPSULATED = Field(0x00420011, "OB", Source.JSON)
POINTER = Field(0x00280009, "AT", Source.JSON)
WEIGHTS = Field(0x00189074, "FD", Source.JSON)
BEFORE_CHARSET = Field(0x00080001, "UL", Source.JSON)
LONG_CODE = Field(0x00080119, "UC", Source.TEXT)
LEVEL = Field(0x00080052, "CS", Source.CONSTANT, "STUDY")
AE_TITLE = Field(0x00080054, "AE", Source.CONSTANT, "DICOMQUEST")

CODE_ITEM = {
    "00080100": {"vr": "SH", "Value": ["C1"]},
    "00080104": {"vr": "LO", "Value": ["Schädel"]},
}

text = st.text(
    st.one_of(
        st.characters(codec="ascii", min_codepoint=32, max_codepoint=126, exclude_characters="\\"),
        st.sampled_from("äéßЖЛ山田,ﾔﾏ\u0301ÿ÷김~"),
    ),
    max_size=20,
).map(str.strip)
names = st.builds("{}^{}={}".format, text, text, text).map(lambda name: name.rstrip("=^ "))


def kept(vr: str, each: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[str]:
    """Elements of the JSON column, as a database gives their text."""
    elements = st.lists(each, min_size=1, max_size=most).map(
        lambda found: element_to_json(Element(vr, tuple(found)))
    )
    return st.builds(
        json.dumps, elements, ensure_ascii=st.booleans(), separators=st.just((",", ":"))
    )


values = {
    STUDY_DATE: st.dates().map(lambda date: f"{date:%Y%m%d}".zfill(8)),
    MODALITIES: st.sampled_from(["CT", "MR", "CT\\SR", "CT\\MR\\PT"]),
    PROCEDURE_CODE: st.just(json.dumps({"vr": "SQ", "Value": [CODE_ITEM]})),
    DESCRIPTION: text,
    NAME: names,
    ROWS: kept("US", st.integers(0, 0xFFFF)),
    SPACING: kept("DS", st.sampled_from(["0.5", "1", "1e-3"])),
    OPERATORS: kept("PN", names),
    WINDOWS: kept("LO", text.filter(bool) | st.just("x" * 300)),
    INSTITUTION_CODE: kept(
        "SQ", st.builds(lambda meaning: {0x00080104: Element("LO", (meaning,))}, text)
    ),
    ENCAPSULATED: kept("OB", st.binary(max_size=9), most=1),
    POINTER: kept("AT", st.integers(0x00080000, 0x0020FFFF)),
    WEIGHTS: kept("FD", st.sampled_from([0.0, -0.0, 1.5, float("inf")])),
    BEFORE_CHARSET: kept("UL", st.integers(0, 0xFFFFFFFF)),
    COMMENTS: st.one_of(text, st.just("x" * 300), st.just("é" * 301)),
    WEIGHT: st.sampled_from(["70", "70.5", "1e3"]),
    STUDY_UID: st.integers(1, 10**40).map("1.2.{}".format),
    LONG_CODE: text,
}
columns = st.lists(st.sampled_from([*values, COUNT]), unique=True, max_size=10)


@st.composite
def queries(draw: st.DrawFn) -> tuple[list[Field], list[tuple[str | int | None, ...]]]:
    fields = draw(columns)
    cells = [
        st.integers(0, 10**6) if field is COUNT else st.none() | values[field] for field in fields
    ]
    return fields, draw(st.lists(st.tuples(*cells), max_size=6))


def by_pydicom(
    encoder: ResponseEncoder, row: tuple[str | int | None, ...], terms: tuple[str, ...]
) -> bytes:
    dataset = to_pydicom(encoder.data_set(row))
    if terms:
        dataset.SpecificCharacterSet = list(terms)
    buffer = DicomBytesIO()
    buffer.is_little_endian = encoder.transfer_syntax != EXPLICIT_VR_BIG_ENDIAN
    buffer.is_implicit_VR = encoder.transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN
    write_dataset(buffer, dataset, terms[0] if len(terms) == 1 else list(terms))
    return buffer.getvalue()


@pytest.mark.requirement("QR-052", "QR-055", "QR-056", "EN-030", "EN-031")
@pytest.mark.parametrize("transfer_syntax", TRANSFER_SYNTAXES)
@given(query=queries(), requested=st.sampled_from(REQUESTED))
def test_equals_pydicom(
    query: tuple[list[Field], list[tuple[str | int | None, ...]]],
    requested: tuple[str, ...],
    transfer_syntax: str,
) -> None:
    fields, rows = query
    encoder = ResponseEncoder([*fields, LEVEL, AE_TITLE], transfer_syntax, requested)
    for row, identifier in zip(rows, encoder.encode(rows), strict=True):
        assert identifier == encoder.encode_plain(row)
        decoded = decode(identifier, transfer_syntax)
        terms = tuple(decoded[0x00080005].values) if 0x00080005 in decoded else ()
        plain, uncompressed = identifier, transfer_syntax
        if transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            assert len(identifier) % 2 == 0
            plain, uncompressed = inflate(identifier), EXPLICIT_VR_LITTLE_ENDIAN
        assert plain == encode(encoder.data_set(row), uncompressed, terms)
        # pydicom switches between the sets of code extensions in another way than PS3.5 6.1.2.5.3
        # says, and writes question marks for half-width katakana.
        if len(terms) < 2 and terms != ("ISO_IR 13",):
            assert plain == by_pydicom(encoder, row, terms)
        decoded.pop(0x00080005, None)
        assert decoded == decode_again(encoder, row)
        assert list(decoded) == sorted(decoded)


def decode_again(encoder: ResponseEncoder, row: tuple[str | int | None, ...]) -> object:
    """The row's elements in their decoded form (NFC, padding gone), by way of UTF-8 and pydicom."""
    decoded = decode(
        by_pydicom(encoder, row, ("ISO_IR 192",)), encoder.transfer_syntax.replace(".1.99", ".1")
    )
    del decoded[0x00080005]
    return decoded


@pytest.mark.requirement("EN-016")
def test_value_over_short_length_becomes_un() -> None:
    """A value over the short length is written as UN."""
    encoder = ResponseEncoder([COMMENTS], EXPLICIT_VR_LITTLE_ENDIAN)
    [identifier] = encoder.encode([("x" * 70_000,)])
    assert identifier[:12] == b"\x10\x00\x00\x40UN\0\0" + (70_000).to_bytes(4, "little")
    assert decode(identifier, EXPLICIT_VR_LITTLE_ENDIAN)[COMMENTS.tag].values == ("x" * 70_000,)


@pytest.mark.requirement("QR-052", "EN-031", "EN-032")
@pytest.mark.parametrize(
    ("requested", "value", "expected"),
    [
        ((), "CITIZEN^Jan", None),
        (("ISO_IR 100",), "CITIZEN^Jan", None),
        ((), "Müller^Jürgen", ("ISO_IR 192",)),
        (("ISO_IR 100",), "Müller^Jürgen", ("ISO_IR 100",)),
        (("ISO_IR 144",), "Müller^Jürgen", ("ISO_IR 192",)),
        (("", "ISO 2022 IR 87"), "Yamada^Tarou=山田^太郎", ("", "ISO 2022 IR 87")),
        (("", "ISO 2022 IR 87"), "Müller", ("ISO_IR 192",)),
        (("GB18030",), "Wang=王^小東", ("GB18030",)),
    ],
)
def test_requests_charset_where_it_holds_text(
    requested: tuple[str, ...], value: str, expected: tuple[str, ...] | None
) -> None:
    """The request's character set is used where it holds the text."""
    encoder = ResponseEncoder([NAME], EXPLICIT_VR_LITTLE_ENDIAN, requested)
    [identifier] = encoder.encode([(value,)])
    decoded = decode(identifier, EXPLICIT_VR_LITTLE_ENDIAN)
    assert (decoded[0x00080005].values if 0x00080005 in decoded else None) == expected
    assert decoded[NAME.tag].values == (value,)


def test_query_without_columns_has_its_constants() -> None:
    encoder = ResponseEncoder([LEVEL], IMPLICIT_VR_LITTLE_ENDIAN)
    assert encoder.encode([()]) == [b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "]
