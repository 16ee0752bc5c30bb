"""The fast decoder of identifiers equals the plain one (PS3.5 7.1, PS3.18 F)."""

from __future__ import annotations

import json
import struct
import warnings
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from dicomquest.dataset import element_headers, fast_decoder
from dicomquest.dataset.codec import decode
from dicomquest.dataset.elements import DataSet, Element, to_json, to_pydicom
from dicomquest.dataset.encoder import encode
from dicomquest.dataset.fast_decoder import (
    JSON_READER,
    decode_to_json,
    decode_to_json_text,
    decode_to_pydicom,
)
from dicomquest.dataset.learned_layouts import REPETITIONS
from dicomquest.errors import DataSetError
from dicomquest.standard.character_sets import SINGLE_SETS
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from strategies.dataset import EXTENDED_TERMS, data_sets, encoded_text, transfer_syntaxes

# The attributes of a usual answer, and values that are right, odd or wrong for their VR.
ATTRIBUTES = {
    0x00080020: b"DA", 0x00080030: b"TM", 0x00080050: b"SH", 0x00080054: b"AE", 0x00080061: b"CS",
    0x00081030: b"LO", 0x00081080: b"LO", 0x00100010: b"PN", 0x00100030: b"DA", 0x00101010: b"AS",
    0x00101030: b"DS", 0x001021B0: b"LT", 0x00104000: b"LT", 0x0020000D: b"UI", 0x00201206: b"IS",
    0x00280010: b"US", 0x00280103: b"US", 0x00400009: b"SH",
}  # fmt: skip
SAMPLES = [
    b"", b" ", b"\0", b"A", b" A ", b"A\\B ", b"\\", b"A\\ B", b"CITIZEN^Jan", b"A=B=C", b"=",
    b"CT\\MR", b"ct", b"1.2.3\0", b"1.02", b"1..2", b"20240229", b"20241399", b"2024-02-29",
    b"120000.5", b"2500", b"042Y", b"007", b"-1", b"+1", b"1.5", b"1e5", b"99999999999999999999",
    b"x" * 17, b"x" * 65, b"\xc3\xa9", b"\xe9^\xe8",
    b"\x1b$B;3ED\x1b(B^x", b'a"b', b'"', b"\t", b"a\nb", b"\x1b", b"\xb6\xaf", b"~\x7f",
]  # fmt: skip
# Text attributes that follow the character set: layouts with many of them.
CODED = [tag for tag, vr in ATTRIBUTES.items() if vr in (b"SH", b"LO", b"PN")]
DEFINED_TERMS = {
    "\\".join(terms).encode(): terms
    for terms in [*[(row.term,) for row in SINGLE_SETS], *EXTENDED_TERMS]
}
TERMS = [b"", *DEFINED_TERMS]
TERMS += [b"UTF-8", b"BOGUS", b"iso_ir 100", b"ISO_IR 100 ", b"ISO 2022 IR 100"]

values = st.one_of(st.sampled_from(SAMPLES), st.binary(max_size=12))


@st.composite
def identifiers(draw: st.DrawFn) -> tuple[bytes, str]:
    """Bytes of an identifier with at most one deviation, and the transfer syntax."""
    syntax = draw(st.sampled_from([EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]))
    found = draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), max_size=8, unique=True))
    elements = [(tag, ATTRIBUTES[tag], draw(values)) for tag in sorted(found)]
    if draw(st.booleans()):
        elements.insert(0, (0x00080005, b"CS", draw(st.sampled_from(TERMS))))
    if draw(st.integers(0, 9)) == 0:
        elements = draw(st.permutations(elements))
    data = b"".join(
        element(*each, explicit=syntax == EXPLICIT_VR_LITTLE_ENDIAN) for each in elements
    )
    if draw(st.integers(0, 9)) == 0:
        data = data[: draw(st.integers(0, len(data)))] + draw(st.binary(max_size=3))
    return data, syntax


def element(tag: int, code: bytes, value: bytes, *, explicit: bool = True) -> bytes:
    header = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    return (
        header
        + (code + struct.pack("<H", len(value)) if explicit else struct.pack("<I", len(value)))
        + value
    )


def outcome(read: object, data: bytes, syntax: str) -> object:
    try:
        return read(data, syntax)  # type: ignore[operator]
    except DataSetError:
        return DataSetError


def assert_equal(found: object, expected: object) -> None:
    """Hold two Datasets, or errors, equal in order, VR, type and value, read without a warning."""
    if not isinstance(expected, Dataset) or not isinstance(found, Dataset):
        assert found is expected
        return
    assert list(found.keys()) == list(expected.keys())
    for each in expected:
        other = found[each.tag]
        assert (other.VR, type(other.value), other.VM, other.value) == (
            each.VR,
            type(each.value),
            each.VM,
            each.value,
        )
        assert str(other.value) == str(each.value)
        assert other == each


@given(identifier=identifiers())
@example(identifier=(element(0x00080061, b"CS", b"CT\\MR "), EXPLICIT_VR_LITTLE_ENDIAN))
@example(
    identifier=(
        element(0x00080005, b"CS", b"ISO_IR 13") + element(0x00100010, b"PN", b"\\~"),
        "1.2.840.10008.1.2",
    )
)
@pytest.mark.requirement("EN-001")
def test_fast_way_gives_what_sure_way_gives(identifier: tuple[bytes, str]) -> None:
    data, syntax = identifier
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(data, syntax)


@given(data_set=data_sets, syntax=transfer_syntaxes)
def test_any_data_set_is_the_same_either_way(data_set: DataSet, syntax: str) -> None:
    data = encode(data_set, syntax, ("ISO_IR 192",))
    assert_same(data, syntax)


def assert_same(data: bytes, syntax: str) -> None:
    assert outcome(decode_to_json, data, syntax) == outcome(
        lambda *of: to_json(decode(*of)), data, syntax
    )
    known = JSON_READER.known_layouts(syntax)(data)
    assert known is None or known == decode_to_json(data, syntax)
    assert outcome(decode_to_json_text, data, syntax) == outcome(
        lambda *of: json.dumps(to_json(decode(*of)), ensure_ascii=False, separators=(",", ":")),
        data,
        syntax,
    )
    assert_equal(
        outcome(decode_to_pydicom, data, syntax),
        outcome(lambda *of: to_pydicom(decode(*of)), data, syntax),
    )


@given(data=st.binary(max_size=60), syntax=transfer_syntaxes)
def test_any_bytes_raise_only_declared_error(data: bytes, syntax: str) -> None:
    """Any bytes raise nothing but the declared error."""
    assert outcome(decode_to_json, data, syntax) == outcome(
        lambda *of: to_json(decode(*of)), data, syntax
    )
    outcome(decode_to_pydicom, data, syntax)


USUAL = b"".join(
    element(tag, ATTRIBUTES[tag], value)
    for tag, value in {
        0x00080020: b"20240131", 0x00080061: b"CT\\SR ", 0x00081030: b"Thorax",
        0x00100010: b"Citizen^Jan ", 0x0020000D: b"1.2.3\0", 0x00201206: b"12",
    }.items()
)  # fmt: skip


def test_values_of_usual_answers_are_read_lazily() -> None:
    """The values of a usual answer are left to be read."""
    found = decode_to_pydicom(USUAL, EXPLICIT_VR_LITTLE_ENDIAN)
    assert all(isinstance(each, RawDataElement) for each in found.values())
    assert (found.PatientName, found.NumberOfStudyRelatedSeries) == ("Citizen^Jan", 12)


def test_usual_answer_does_without_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_decoder, "decode", None)
    assert decode_to_json(USUAL, EXPLICIT_VR_LITTLE_ENDIAN)["00080061"] == {
        "vr": "CS",
        "Value": ["CT", "SR"],
    }
    decode_to_pydicom(USUAL, EXPLICIT_VR_LITTLE_ENDIAN)


def test_json_objects_share_nothing_mutable() -> None:
    """Objects of the JSON model share nothing that can be changed."""
    first, second = (decode_to_json(USUAL, EXPLICIT_VR_LITTLE_ENDIAN) for _ in range(2))
    first["00080020"]["Value"].append("x")
    assert second["00080020"]["Value"] == ["20240131"]


def test_remembered_headers_are_bounded() -> None:
    for number in range(1, element_headers.REMEMBERED_HEADERS + 10):
        decode_to_json(element(0x00200000 + number, b"LO", b"x"), EXPLICIT_VR_LITTLE_ENDIAN)
    headers = fast_decoder._FORMS[EXPLICIT_VR_LITTLE_ENDIAN].headers
    assert len(headers) <= element_headers.REMEMBERED_HEADERS


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_BIG_ENDIAN, "1.2.840.10008.1.2.1.99"])
def test_other_transfer_syntaxes_go_sure_way(syntax: str) -> None:
    data_set = {0x00100020: Element("LO", ("4711",))}
    data = encode(data_set, syntax, ())
    assert decode_to_json(data, syntax) == {"00100020": {"vr": "LO", "Value": ["4711"]}}
    assert decode_to_pydicom(data, syntax).PatientID == "4711"


def test_long_data_set_uses_plain_decoder() -> None:
    """A long data set goes to the plain decoder and meets its limits."""
    data = element(0x00100020, b"LO", b"x") + element(0x00104000, b"LT", b"y" * 0xFFFE)
    assert decode_to_json(data, EXPLICIT_VR_LITTLE_ENDIAN)["00104000"]["Value"] == ["y" * 0xFFFE]


class Repeated(NamedTuple):
    """A data set of a layout, others of the same that come before it, and the transfer syntax."""

    before: bytes
    data: bytes
    syntax: str


@st.composite
def repeated_layouts(draw: st.DrawFn) -> Repeated:
    syntax = draw(st.sampled_from([EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]))
    pool = draw(st.sampled_from([CODED, sorted(ATTRIBUTES)]))
    tags = sorted(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8, unique=True)))
    # Now and then the character set is another one, which makes another layout.
    term, other = (draw(st.sampled_from(TERMS)) for _ in range(2))
    words = encoded_text(DEFINED_TERMS[term]) if term in DEFINED_TERMS else values
    layout = [(tag, ATTRIBUTES[tag], draw(st.one_of(words, words, values))) for tag in tags]
    # Values before are of the same kind, of a narrower one, or of one that makes it wider.
    before = [
        (tag, code, draw(st.one_of(st.just(b""), st.just(value), st.just(value), words)))
        for tag, code, value in layout
    ]
    if draw(st.integers(0, 3)):
        layout.insert(0, (0x00080005, b"CS", term))
        before.insert(0, (0x00080005, b"CS", term if draw(st.integers(0, 9)) else other))
    is_explicit = syntax == EXPLICIT_VR_LITTLE_ENDIAN
    first, second = (
        b"".join(element(*each, explicit=is_explicit) for each in elements)
        for elements in (before, layout)
    )
    return Repeated(first, second, syntax)


# The second byte of a character that looks like a backslash.
GBK_NAME = element(0x00080005, b"CS", b"GBK ") + element(0x00100010, b"PN", b"\x81\\^x")


NO_SET = element(0x00080005, b"CS", b"")


def number(value: bytes) -> bytes:
    return element(0x00080050, b"SH", value)


def learn(data: bytes, syntax: str, *wider: bytes) -> None:
    """Make a layout of this data set known, and no other; then let others widen it."""
    fast_decoder.forget_layouts()
    for each in (*[data] * REPETITIONS, *wider):
        outcome(decode_to_json, each, syntax)
        outcome(decode_to_json_text, each, syntax)
        outcome(decode_to_pydicom, each, syntax)


@given(repeated=repeated_layouts(), cut=st.integers(0, 3), is_wider=st.booleans())
@example(repeated=Repeated(GBK_NAME, GBK_NAME, EXPLICIT_VR_LITTLE_ENDIAN), cut=0, is_wider=False)
@example(
    repeated=Repeated(NO_SET + number(b""), NO_SET + number(b"9" * 20), EXPLICIT_VR_LITTLE_ENDIAN),
    cut=0,
    is_wider=False,
)
@example(
    repeated=Repeated(number(b""), number(b"! "), EXPLICIT_VR_LITTLE_ENDIAN), cut=1, is_wider=True
)
def test_known_layout_equals_plain_decoder(repeated: Repeated, cut: int, *, is_wider: bool) -> None:
    """A known layout gives the same as the plain decoder."""
    learn(repeated.before, repeated.syntax, *[repeated.data] * is_wider)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(repeated.data, repeated.syntax)
        assert_same(repeated.data[: len(repeated.data) - cut], repeated.syntax)


@given(
    repeated=repeated_layouts(),
    place=st.integers(0, 2**16),
    value=st.one_of(st.integers(0, 40), st.integers(0, 255)),
    is_wider=st.booleans(),
)
def test_changed_byte_changes_both_the_same(
    repeated: Repeated, place: int, value: int, *, is_wider: bool
) -> None:
    """A changed byte, a false length above all, changes both decoders' results alike."""
    learn(repeated.before, repeated.syntax, *[repeated.data] * is_wider)
    data = bytearray(repeated.data)
    data[place % len(data)] = value
    assert outcome(decode_to_json, bytes(data), repeated.syntax) == outcome(
        lambda *of: to_json(decode(*of)), bytes(data), repeated.syntax
    )
    outcome(decode_to_pydicom, bytes(data), repeated.syntax)


def test_layout_seen_often_is_taken_apart_at_once() -> None:
    learn(USUAL, EXPLICIT_VR_LITTLE_ENDIAN)
    layouts = fast_decoder._FORMS[EXPLICIT_VR_LITTLE_ENDIAN].json_layouts
    assert layouts.take_apart(USUAL) is not None
    assert layouts.take_apart(USUAL[:-1]) is None
    wrong_length = bytearray(USUAL)
    wrong_length[6] -= 2
    assert layouts.take_apart(bytes(wrong_length)) is None


def test_value_longer_than_its_length_goes_sure_way() -> None:
    """A known layout, in which 300 bytes stand where a length of 8 says that 8 do."""
    learn(USUAL, EXPLICIT_VR_LITTLE_ENDIAN)
    long = USUAL.replace(b"20240131", b"20240131" + b"9" * 292)
    assert_same(long, EXPLICIT_VR_LITTLE_ENDIAN)
    assert outcome(decode_to_json, long, EXPLICIT_VR_LITTLE_ENDIAN) is DataSetError


def test_text_in_character_set_is_part_of_layout() -> None:
    names = [b"M\xc3\xbcller^J\xc3\xb6rg", b"Yamada=\xe5\xb1\xb1\xe7\x94\xb0", b"Citizen"]
    charset = element(0x00080005, b"CS", b"ISO_IR 192")
    rows = [charset + element(0x00100010, b"PN", name) for name in names]
    learn(rows[0], EXPLICIT_VR_LITTLE_ENDIAN)
    form = fast_decoder._FORMS[EXPLICIT_VR_LITTLE_ENDIAN]
    assert [
        found and found["00100010"]["Value"] for found in map(form.json_layouts.take_apart, rows)
    ] == [
        [{"Alphabetic": "M\u00fcller^J\u00f6rg"}],
        [{"Alphabetic": "Yamada", "Ideographic": "\u5c71\u7530"}],
        [{"Alphabetic": "Citizen"}],
    ]
    assert [
        found and str(found.PatientName) for found in map(form.pydicom_layouts.take_apart, rows)
    ] == [
        "M\u00fcller^J\u00f6rg",
        "Yamada=\u5c71\u7530",
        "Citizen",
    ]


def test_value_of_another_kind_widens_layout() -> None:
    """A date of another length and a description with spaces become part of a known layout."""
    learn(USUAL, EXPLICIT_VR_LITTLE_ENDIAN)
    wider = USUAL.replace(
        element(0x00080020, b"DA", b"20240131"), element(0x00080020, b"DA", b"")
    ).replace(element(0x00081030, b"LO", b"Thorax"), element(0x00081030, b"LO", b" Neck, left "))
    form = fast_decoder._FORMS[EXPLICIT_VR_LITTLE_ENDIAN]
    for layouts in (form.json_layouts, form.pydicom_layouts):
        assert layouts.take_apart(wider) is None
    assert_same(wider, EXPLICIT_VR_LITTLE_ENDIAN)
    for layouts in (form.json_layouts, form.pydicom_layouts):
        assert all(layouts.take_apart(each) is not None for each in (USUAL, wider))
    assert_same(wider, EXPLICIT_VR_LITTLE_ENDIAN)
    assert_same(USUAL, EXPLICIT_VR_LITTLE_ENDIAN)


def test_layouts_of_two_charsets_coexist() -> None:
    """Layouts of two character sets are known side by side."""
    rows = [
        element(0x00080005, b"CS", term) + element(0x00100010, b"PN", "M\u00fcller".encode(codec))
        for term, codec in [(b"ISO_IR 192", "utf-8"), (b"ISO_IR 100", "latin-1")]
    ]
    learn(rows[0], EXPLICIT_VR_LITTLE_ENDIAN)
    for _ in range(REPETITIONS):
        decode_to_json(rows[1], EXPLICIT_VR_LITTLE_ENDIAN)
    layouts = fast_decoder._FORMS[EXPLICIT_VR_LITTLE_ENDIAN].json_layouts
    assert [found and found["00100010"]["Value"] for found in map(layouts.take_apart, rows)] == [
        [{"Alphabetic": "M\u00fcller"}]
    ] * 2


def test_dataset_of_a_known_layout_is_like_any_other() -> None:
    """It has the attributes of a new Dataset, and shares no container with another one."""
    data = encode({0x00100020: Element("LO", ("4711",))}, EXPLICIT_VR_LITTLE_ENDIAN)
    first, second = (decode_to_pydicom(data, EXPLICIT_VR_LITTLE_ENDIAN) for _ in range(2))
    blank = Dataset()
    assert {**vars(first), "_dict": {}} == vars(blank)
    for name, value in vars(first).items():
        if isinstance(value, dict):
            assert value is not vars(second)[name]
    first.PatientName = "A^B"
    first.private_block(0x23, "ACME", create=True)
    assert len(second) == 1
