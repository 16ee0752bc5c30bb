"""Data sets to bytes and back (PS3.5 7, A)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.charset import choose
from dicomquest.dataset.codec import FILE_LIMITS, Limits, decode, decode_header, deflate, encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
)
from dicomquest.standard.vr import VALUE_REPRESENTATIONS
from strategies.dataset import data_sets, transfer_syntaxes
from vectors.data_sets import BIG_ENDIAN, EXPLICIT_IDENTIFIER, SEQUENCES, VECTORS, Vector, wire

ALL_SYNTAXES = [syntax.uid for syntax in TRANSFER_SYNTAXES]
SHORT_FORM = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def with_terms(data_set: DataSet, terms: tuple[str, ...]) -> DataSet:
    return {SPECIFIC_CHARACTER_SET: Element("CS", terms), **data_set} if terms else data_set


@pytest.mark.requirement(
    "EN-001", "EN-006", "EN-007", "EN-015", "EN-018", "EN-052", "EN-048", "EN-049"
)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vectors_decode_to_what_is_written_beside_them(vector: Vector) -> None:
    assert decode(vector.data, vector.transfer_syntax) == vector.data_set


@pytest.mark.requirement("EN-001", "EN-009", "EN-010", "EN-018", "EN-052")
@pytest.mark.parametrize(
    "vector", [EXPLICIT_IDENTIFIER, BIG_ENDIAN, SEQUENCES[0]], ids=lambda vector: vector.name
)
def test_vectors_encode_to_the_same_bytes(vector: Vector) -> None:
    terms = vector.data_set.get(SPECIFIC_CHARACTER_SET, Element("CS", ())).values
    assert encode(vector.data_set, vector.transfer_syntax, terms) == vector.data


@pytest.mark.requirement("EN-001", "EN-018", "EN-030", "EN-032", "EN-054")
@given(
    data_set=data_sets,
    transfer_syntax=transfer_syntaxes.filter(lambda uid: uid != IMPLICIT_VR_LITTLE_ENDIAN),
)
def test_data_set_survives_explicit_vr(data_set: DataSet, transfer_syntax: str) -> None:
    """Any data set survives encoding with explicit VR."""
    terms = choose(data_set)
    assert decode(encode(data_set, transfer_syntax, terms), transfer_syntax) == with_terms(
        data_set, terms
    )


@pytest.mark.requirement("EN-001", "EN-014", "EN-054")
@pytest.mark.parametrize("transfer_syntax", ALL_SYNTAXES)
@pytest.mark.parametrize("terms", [(), ("ISO_IR 192",)])
def test_attributes_survive_every_transfer_syntax(
    transfer_syntax: str, terms: tuple[str, ...]
) -> None:
    """Standard attributes survive every transfer syntax."""
    data_set: DataSet = {
        0x00080018: Element("UI", ("1.2.3.4",)),
        0x00080061: Element("CS", ("CT", "", "SR")),
        0x00080090: Element("PN", ()),
        0x00081140: Element("SQ", ({0x00081150: Element("UI", ("1.2",))}, {})),
        0x00100010: Element("PN", ("Doe^John", "Roe^Jane")),
        0x00101030: Element("DS", ("72.50",)),
        0x00104000: Element("LT", ("  one \\ two",)),
        0x00200013: Element("IS", ("007",)),
        0x00280010: Element("US", (512,)),
        0x00280106: Element("US", (65535,)),
        0x00283006: Element("OW", (b"\1\2\3\4",)),
        0x00189074: Element("DT", ("20240101120000.5+0100",)),
        0x00189073: Element("FD", (1.5, -0.1)),
        0x7FE00001: Element("OV", (bytes(range(8)),)),
    }
    data_set = dict(sorted(data_set.items()))
    assert decode(encode(data_set, transfer_syntax, terms), transfer_syntax) == with_terms(
        data_set, terms
    )


@pytest.mark.requirement("EN-002")
@pytest.mark.parametrize("row", VALUE_REPRESENTATIONS, ids=lambda row: row.vr)
def test_short_form_vrs_are_the_standards(row: Any) -> None:
    """The short form of explicit VR is used for exactly the Standard's VRs."""
    encoded = encode({0x00091001: Element(row.vr, ())}, EXPLICIT_VR_LITTLE_ENDIAN)
    assert encoded[4:6] == row.vr.encode()
    assert len(encoded) == (8 if row.vr in SHORT_FORM else 12)


@pytest.mark.requirement("EN-008")
@pytest.mark.parametrize("transfer_syntax", ALL_SYNTAXES)
def test_group_lengths_are_ignored_and_not_written(transfer_syntax: str) -> None:
    encoded = encode(
        {0x00080000: Element("UL", (8,)), 0x00080050: Element("SH", ("A",))}, transfer_syntax
    )
    assert decode(encoded, transfer_syntax) == {0x00080050: Element("SH", ("A",))}
    with_length = wire("08000000 'UL' 0400 0A000000  08005000 'SH' 0200 'A~'")
    assert (
        encode({0x00080050: Element("SH", ("A",))}, EXPLICIT_VR_LITTLE_ENDIAN) == with_length[12:]
    )
    assert decode(with_length, EXPLICIT_VR_LITTLE_ENDIAN) == {0x00080050: Element("SH", ("A",))}


@pytest.mark.requirement("EN-017")
def test_deflated_data_is_raw_and_may_be_padded() -> None:
    plain = encode(EXPLICIT_IDENTIFIER.data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 100",))
    encoded = encode(
        EXPLICIT_IDENTIFIER.data_set, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 100",)
    )
    assert zlib.decompress(encoded, wbits=-15) == plain
    assert len(encoded) % 2 == 0
    for data in (encoded.rstrip(b"\0") + b"\0", encoded, encoded + b"\0\0"):
        assert decode(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) == EXPLICIT_IDENTIFIER.data_set


@pytest.mark.requirement("EN-013", "EN-017")
def test_inflating_is_capped() -> None:
    bomb = deflate(wire("08000101 'UT' 0000 00001000") + b"x" * (1 << 20))
    assert len(bomb) < 2000
    with pytest.raises(DataSetError, match="more than 1000000 bytes"):
        decode(bomb, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(inflated=1_000_000))
    exact = Limits(inflated=(1 << 20) + 12)
    assert decode(bomb, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, limits=exact)
    for data in (bomb[:-20], b"\xff\xff\xff", b""):
        with pytest.raises(DataSetError, match="deflate"):
            decode(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


def test_unknown_syntax_is_explicit_little_endian() -> None:
    """An unknown transfer syntax is explicit little endian, as compressed ones are."""
    assert decode(EXPLICIT_IDENTIFIER.data, JPEG_BASELINE) == EXPLICIT_IDENTIFIER.data_set


@pytest.mark.requirement("EN-054")
@pytest.mark.parametrize("transfer_syntax", ALL_SYNTAXES)
def test_zero_length_element_stays_one(transfer_syntax: str) -> None:
    data_set = {
        0x00100010: Element("PN", ()),
        0x0020000D: Element("UI", ()),
        0x00400275: Element("SQ", ()),
    }
    encoded = encode(data_set, transfer_syntax)
    assert decode(encoded, transfer_syntax) == data_set


@pytest.mark.requirement("EN-055")
@given(data=st.binary(max_size=200), transfer_syntax=transfer_syntaxes)
def test_any_bytes_raise_only_declared_error(data: bytes, transfer_syntax: str) -> None:
    """Any bytes raise nothing but the declared error."""
    try:
        decoded = decode(data, transfer_syntax)
    except DataSetError:
        return
    assert list(decoded) == sorted(decoded)
    encode(decoded, transfer_syntax, choose(decoded))


@pytest.mark.requirement("EN-012", "EN-055")
@given(
    data_set=data_sets,
    transfer_syntax=transfer_syntaxes,
    changes=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=5),
    end=st.integers(0, 400),
)
def test_damage_raises_only_declared_error(
    data_set: DataSet, transfer_syntax: str, changes: list[tuple[int, int]], end: int
) -> None:
    """A damaged data set raises nothing but the declared error."""
    data = bytearray(encode(data_set, transfer_syntax, choose(data_set)))
    for position, byte in changes:
        if data:
            data[position % len(data)] = byte
    for part in (bytes(data), bytes(data[:end])):
        for attempt in (decode, decode_header):
            try:
                attempt(part, transfer_syntax)
            except DataSetError:
                continue


@pytest.mark.parametrize("transfer_syntax", ALL_SYNTAXES)
def test_header_ends_where_pixel_data_begins(transfer_syntax: str) -> None:
    header = {0x00080018: Element("UI", ("1.2.3",)), 0x00100010: Element("PN", ("A",))}
    plain = encode(header, transfer_syntax)
    data = encode(header | {0x7FE00010: Element("OW", (bytes(1000),))}, transfer_syntax)
    found = decode_header(data, transfer_syntax)
    assert found.data_set == header
    assert found.stopped
    if transfer_syntax != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        assert found.end == len(plain)
        assert found.needed == len(data)
        assert decode_header(b"prefix" + data, transfer_syntax, start=6).end == len(plain) + 6


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN])
def test_short_header_says_how_many_bytes_it_needs(transfer_syntax: str) -> None:
    """A header that ends early says how many bytes it needs."""
    header = {0x00080018: Element("UI", ("1.2.3",)), 0x00100020: Element("LO", ("A" * 40,))}
    data = encode(header, transfer_syntax)
    whole = decode_header(data, transfer_syntax)
    assert whole == (header, len(data), False, 0)
    cut = decode_header(data[:-10], transfer_syntax)
    assert list(cut.data_set) == [0x00080018]
    assert (cut.stopped, cut.needed) == (False, len(data))


def test_deflated_header_that_is_cut_off_needs_more() -> None:
    data_set = {
        0x00080018: Element("UI", ("1.2.3",)),
        0x00104000: Element("LT", ("".join(map(str, range(2000))),)),
    }
    data = encode(data_set, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    whole = decode_header(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    assert (whole.data_set, whole.stopped, whole.needed) == (data_set, False, 0)
    cut = decode_header(data[: len(data) // 2], DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    assert list(cut.data_set) == [0x00080018]
    assert cut.needed > 0


def test_large_opaque_values_are_left_out_on_request() -> None:
    data_set = {
        0x00091001: Element("OB", (bytes(1026),)),
        0x00091002: Element("OB", (bytes(1024),)),
        0x00091003: Element("UN", (bytes(2000),)),
        0x00091004: Element("UT", ("x" * 2000,)),
    }
    data = encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN)
    found = decode_header(data, EXPLICIT_VR_LITTLE_ENDIAN, largest_opaque=1024)
    assert list(found.data_set) == [0x00091002, 0x00091004]


def test_fragments_in_an_item_are_kept() -> None:
    """Encapsulated fragments in an item are kept as they are."""
    data = wire("""
        88000002 'SQ' 0000 FFFFFFFF                              # (0088,0200) Icon Image Sequence
            FEFF00E0 FFFFFFFF
                E07F1000 'OB' 0000 FFFFFFFF
                    FEFF00E0 00000000  FEFF00E0 04000000 FFD8FFD9
                FEFFDDE0 00000000
            FEFF0DE0 00000000
        FEFFDDE0 00000000
    """)
    ((item),) = decode(data, JPEG_BASELINE, limits=FILE_LIMITS)[0x00880200].values
    assert item[0x7FE00010] == Element(
        "OB", (wire("FEFF00E0 00000000  FEFF00E0 04000000 FFD8FFD9"),)
    )


def test_callers_charset_wins_over_the_named_one() -> None:
    """With a charset of the caller all text is read in it, that of items too."""
    item = bytes.fromhex("1000 1000") + b"PN" + (2).to_bytes(2, "little") + b"\xc3\xa4"
    named = bytes.fromhex("0800 0500") + b"CS" + (10).to_bytes(2, "little") + b"ISO_IR 100"
    found = decode(named + item, EXPLICIT_VR_LITTLE_ENDIAN, charset=("ISO_IR 192",))
    assert found[0x00100010].values == ("ä",)
    assert decode(named + item, EXPLICIT_VR_LITTLE_ENDIAN)[0x00100010].values == ("Ã¤",)
