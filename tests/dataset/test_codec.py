"""Data sets to bytes and back (PS3.5 7, A)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.charset import choose
from dicomquest.dataset.codec import (
    FILE_LIMITS,
    Limits,
    RemarkKind,
    Remarks,
    TruncatedDataSetError,
    decode,
    decode_header,
    deflate,
    encode,
)
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import DataSetError, ValueFormatError
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
)
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR
from strategies.dataset import data_sets, transfer_syntaxes
from vectors.data_sets import BIG_ENDIAN, EXPLICIT_IDENTIFIER, SEQUENCES, VECTORS, Vector, wire

ALL_SYNTAXES = [syntax.uid for syntax in TRANSFER_SYNTAXES]
SHORT_FORM = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def with_terms(data_set: DataSet, terms: tuple[str, ...]) -> DataSet:
    return {SPECIFIC_CHARACTER_SET: Element("CS", terms), **data_set} if terms else data_set


def nested(depth: int) -> DataSet:
    data_set: DataSet = {}
    for _ in range(depth):
        data_set = {0x00400275: Element("SQ", (data_set,))}
    return data_set


# ---- the vectors


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


# ---- the layout of elements


@pytest.mark.requirement("EN-002")
@pytest.mark.parametrize("row", VALUE_REPRESENTATIONS, ids=lambda row: row.vr)
def test_short_form_vrs_are_the_standards(row: Any) -> None:
    """The short form of explicit VR is used for exactly the Standard's VRs."""
    encoded = encode({0x00091001: Element(row.vr, ())}, EXPLICIT_VR_LITTLE_ENDIAN)
    assert encoded[4:6] == row.vr.encode()
    assert len(encoded) == (8 if row.vr in SHORT_FORM else 12)


@pytest.mark.requirement("EN-003")
@pytest.mark.parametrize("code", ["ZZ", "XY", "??"])
def test_unknown_vr_has_32_bit_length_and_is_opaque(code: str) -> None:
    """A value of unknown VR has a length of 32 bits and stays opaque."""
    data = wire(
        f"09001000 'LO' 0400 'ACME'  09000110 '{code}' 0000 04000000 01020304  10001000 'PN' 0200 'A~'"
    )
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN) == {
        0x00090010: Element("LO", ("ACME",)),
        0x00091001: Element("UN", (b"\1\2\3\4",)),
        0x00100010: Element("PN", ("A",)),
    }


@pytest.mark.requirement("EN-004")
def test_elements_are_written_in_ascending_order() -> None:
    data_set = {
        0x00200010: Element("SH", ("1",)),
        0x00080050: Element("SH", ("2",)),
        0x00100020: Element("LO", ("3",)),
    }
    assert list(
        decode(encode(data_set, IMPLICIT_VR_LITTLE_ENDIAN), IMPLICIT_VR_LITTLE_ENDIAN)
    ) == sorted(data_set)


@pytest.mark.requirement("EN-005")
def test_first_duplicate_is_kept_order_restored() -> None:
    """The first of duplicate elements is kept, and the order of tags restored."""
    data = wire("""
        10002000 'LO' 0200 'B~'
        08005000 'SH' 0200 'A~'        # out of order
        10002000 'LO' 0200 'C~'        # again
    """)
    remarks = Remarks()
    data_set = decode(data, EXPLICIT_VR_LITTLE_ENDIAN, remarks=remarks)
    assert list(data_set.items()) == [
        (0x00080050, Element("SH", ("A",))),
        (0x00100020, Element("LO", ("B",))),
    ]
    assert [(remark.tag, remark.kind) for remark in remarks] == [
        (0x00080050, RemarkKind.OUT_OF_ORDER),
        (0x00100020, RemarkKind.DUPLICATE),
    ]


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


@pytest.mark.requirement("EN-009", "EN-010")
@pytest.mark.parametrize(
    ("element", "value"),
    [
        (Element("UI", ("1.2.3",)), b"1.2.3\0"),
        (Element("UI", ("1.2", "1.2.30")), b"1.2\\1.2.30"),
        (Element("UI", ("1.2", "1.2.3")), b"1.2\\1.2.3\0"),
        (Element("OB", (b"\1",)), b"\1\0"),
        (Element("CS", ("CT", "M")), b"CT\\M"),
        (Element("CS", ("CT", "MR")), b"CT\\MR "),
        (Element("LT", ("a",)), b"a "),
        (Element("UC", ("a", "")), b"a\\"),
        (Element("UR", ("a",)), b"a "),
        (Element("PN", ("é",)), b"\xc3\xa9"),
        (Element("PN", ("éa",)), b"\xc3\xa9a "),
    ],
)
def test_padding_is_added_once_after_last_value(element: Element, value: bytes) -> None:
    """Padding makes the length even, once, after the last value."""
    encoded = encode({0x00091001: element}, EXPLICIT_VR_LITTLE_ENDIAN, choose({0: element}))
    assert encoded.endswith(value)
    assert len(encoded) % 2 == 0


@pytest.mark.requirement("EN-011")
def test_odd_length_keeps_decoder_in_step() -> None:
    """An odd length does not put the decoder out of step."""
    data = wire("08005000 'SH' 0300 'ABC'  10002000 'LO' 0100 'X'  28000200 'US' 0300 030000")
    remarks = Remarks()
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN, remarks=remarks) == {
        0x00080050: Element("SH", ("ABC",)),
        0x00100020: Element("LO", ("X",)),
        0x00280002: Element("US", (3,)),
    }
    assert [remark.kind for remark in remarks] == [RemarkKind.LENGTH]


@pytest.mark.requirement("EN-012")
@pytest.mark.parametrize(
    "data",
    [
        wire("08005000 'SH' 0400 'ABC'"),
        wire("08005000 'SH'"),
        wire("08005000 'UT' 0000"),
        wire("08005000 'UT' 0000 FFFFFF7F 'ABC'"),
        wire("08005000 'UT' 0000 FFFFFFFF 'ABC'"),
        wire("08005000 'SQ' 0000 10000000 FEFF00E0 04000000 'ABCD'"),
        wire("08003210 'SQ' 0000 08000000 FEFF00E0 08000000 08005000 'SH' 0000"),
        wire("08003210 'SQ' 0000 0A000000 FEFF00E0 02000000 0800 08005000 'SH' 0000"),
        wire("08003210 'SQ' 0000 FFFFFFFF FEFF00E0 FFFFFFFF 08005000 'SH' 0000"),
        wire("08003210 'SQ' 0000 FFFFFFFF FEFF00E0 FFFFFFFF FEFFDDE0 00000000"),
        wire("08003210 'SQ' 0000 08000000 08005000 'SH' 0000"),
        wire("08003210 'OB' 0000 FFFFFFFF FEFF00E0 10000000"),
        wire("FEFF0DE0 00000000"),
    ],
)
def test_length_beyond_its_container_is_error(data: bytes) -> None:
    with pytest.raises(DataSetError):
        decode(data, EXPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.requirement("EN-012")
def test_value_beyond_its_item_is_no_truncation() -> None:
    """A value longer than its item contradicts itself: more bytes would not help."""
    data = wire(
        "08003210 'SQ' 0000 12000000 FEFF00E0 0A000000 08005000 'SH' 0400 'ABCD'  10002000 'LO' 0000"
    )
    with pytest.raises(DataSetError) as raised:
        decode(data, EXPLICIT_VR_LITTLE_ENDIAN)
    assert not isinstance(raised.value, TruncatedDataSetError)


@pytest.mark.requirement("EN-013")
def test_depth_items_and_sizes_are_bounded() -> None:
    """Depth, elements, items and the size of a value are bounded."""
    deepest = nested(32)
    assert decode(encode(deepest, EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN) == deepest
    with pytest.raises(DataSetError, match="deeper than 32"):
        decode(encode(nested(33), EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN)
    three = encode(
        {tag: Element("SH", ("A",)) for tag in (0x00080050, 0x00100020, 0x00200010)},
        EXPLICIT_VR_LITTLE_ENDIAN,
    )
    assert len(decode(three, EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(elements=3))) == 3
    with pytest.raises(DataSetError, match="more than 2 elements"):
        decode(three, EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(elements=2))
    items = {0x00081032: Element("SQ", ({0x00080100: Element("SH", ("A",))},) * 3)}
    encoded = encode(items, EXPLICIT_VR_LITTLE_ENDIAN)
    assert decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(items=3, elements=4)) == items
    with pytest.raises(DataSetError, match="more than 3 elements"):
        decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(elements=3))
    with pytest.raises(DataSetError, match="more than 2 items"):
        decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(items=2))
    for vr in ("UT", "OB", "LT"):
        value = encode(
            {0x00091001: Element(vr, (b"x" * 100 if vr == "OB" else "x" * 100,))},
            EXPLICIT_VR_LITTLE_ENDIAN,
        )
        assert decode(value, EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(value=100))
        with pytest.raises(DataSetError, match="100 bytes, at most 99"):
            decode(value, EXPLICIT_VR_LITTLE_ENDIAN, limits=Limits(value=99))


# ---- UN


@pytest.mark.requirement("EN-014")
@pytest.mark.parametrize(
    ("tag", "value", "element"),
    [
        ("10001000", "'Doe^John'", Element("PN", ("Doe^John",))),
        ("08006100", "'CT\\MR~'", Element("CS", ("CT", "MR"))),
        ("28001000", "0002", Element("US", (512,))),
        ("10003000", "", Element("DA", ())),
        (
            "08003210",
            "FEFF00E0 0A000000 08000001 02000000 'C1'",
            Element("SQ", ({0x00080100: Element("SH", ("C1",))},)),
        ),
    ],
)
@pytest.mark.parametrize("transfer_syntax", [EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN])
def test_un_of_known_tag_is_read_by_dictionary(
    tag: str, value: str, element: Element, transfer_syntax: str
) -> None:
    """UN of a known attribute is read by the dictionary, in little endian."""
    data = wire(value)
    header = bytes.fromhex(tag) + b"UN\0\0" + len(data).to_bytes(4, "little")
    if transfer_syntax == EXPLICIT_VR_BIG_ENDIAN:
        header = (
            bytes([header[1], header[0], header[3], header[2]])
            + b"UN\0\0"
            + len(data).to_bytes(4, "big")
        )
    ((_, decoded),) = decode(header + data, transfer_syntax).items()
    assert decoded == element


@pytest.mark.requirement("EN-015")
def test_un_items_are_implicit_despite_vr_lookalike() -> None:
    """Items of UN are implicit VR even where a length (5453H) looks like a VR (ST)."""
    text = b"x" * 0x5453
    element = wire("08000401") + len(text).to_bytes(4, "little") + text
    item = wire("FEFF00E0") + len(element).to_bytes(4, "little") + element
    data = wire("08003210 'UN' 0000 FFFFFFFF") + item + wire("FEFFDDE0 00000000")
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN) == {
        0x00081032: Element("SQ", ({0x00080104: Element("LO", (text.decode(),))},))
    }


def test_un_that_is_no_sequence_stays_opaque() -> None:
    """UN that is no sequence stays opaque, although the dictionary says SQ."""
    data = wire("08003210 'UN' 0000 06000000 'ABCDEF'")
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN) == {0x00081032: Element("UN", (b"ABCDEF",))}


@pytest.mark.requirement("EN-016")
@pytest.mark.parametrize("length", [65534, 65536, 65537])
def test_long_value_of_short_vr_is_written_as_un(length: int) -> None:
    data_set = {0x0020000D: Element("UI", ("1" * length,)), 0x00200010: Element("SH", ("A",))}
    encoded = encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN)
    assert encoded[4:6] == (b"UI" if length <= 65534 else b"UN")
    assert decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN) == data_set
    assert (
        decode(encode(data_set, IMPLICIT_VR_LITTLE_ENDIAN), IMPLICIT_VR_LITTLE_ENDIAN) == data_set
    )


# ---- deflated


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


# ---- private attributes, forms of VR that are not as declared


@pytest.mark.requirement("EN-053")
def test_private_elements_resolve_by_local_creator() -> None:
    """A private element belongs to the creator in the same data set or item."""
    data = wire("""
        11001000 0C000000 'GEMS_PATI_01'
        11002000 0C000000 'NOBODY~KNOWS'
        11001010 02000000 0100             # (0011,xx10) Patient Status, SS
        11001020 02000000 0100             # the same number in the other creator's block
        11001030 02000000 0100             # block 30: nobody reserved it
    """)
    decoded = decode(data, IMPLICIT_VR_LITTLE_ENDIAN)
    assert decoded[0x00111010] == Element("SS", (1,))
    assert decoded[0x00112010] == decoded[0x00113010] == Element("UN", (b"\1\0",))
    item = wire("""
        11001000 0C000000 'GEMS_PATI_01'
        40007502 12000000                  # (0040,0275) Request Attributes Sequence
            FEFF00E0 0A000000
                11001010 02000000 0100     # the creator stands outside of the item
    """)
    ((element),) = decode(item, IMPLICIT_VR_LITTLE_ENDIAN)[0x00400275].values
    assert element == {0x00111010: Element("UN", (b"\1\0",))}


def test_implicit_element_within_explicit_is_read() -> None:
    """An implicit element within explicit VR is read as what it is."""
    data = wire("08005000 'SH' 0200 'A~'  08009000 04000000 'Doe~'  10001000 'PN' 0200 'B~'")
    remarks = Remarks()
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN, remarks=remarks) == {
        0x00080050: Element("SH", ("A",)),
        0x00080090: Element("PN", ("Doe",)),
        0x00100010: Element("PN", ("B",)),
    }
    assert [remark.kind for remark in remarks] == [RemarkKind.VR_FORM]


def test_explicit_where_implicit_declared_is_read() -> None:
    """Explicit VR where implicit VR was declared is read as what it is."""
    remarks = Remarks()
    data = EXPLICIT_IDENTIFIER.data
    assert decode(data, IMPLICIT_VR_LITTLE_ENDIAN, remarks=remarks) == EXPLICIT_IDENTIFIER.data_set
    assert [remark.kind for remark in remarks] == [RemarkKind.VR_FORM]


def test_us_or_ss_follows_pixel_representation() -> None:
    """US or SS follows Pixel Representation, in items too."""
    data = wire("""
        28000301 02000000 0100                     # (0028,0103) Pixel Representation: signed
        28000601 02000000 FFFF                     # (0028,0106) Smallest Image Pixel Value
        28001030 12000000 FEFF00E0 0A000000  28000601 02000000 FEFF
    """)
    decoded = decode(data, IMPLICIT_VR_LITTLE_ENDIAN)
    assert decoded[0x00280106] == Element("SS", (-1,))
    assert decoded[0x00283010].values[0][0x00280106] == Element("SS", (-2,))


def test_unknown_syntax_is_explicit_little_endian() -> None:
    """An unknown transfer syntax is explicit little endian, as compressed ones are."""
    assert decode(EXPLICIT_IDENTIFIER.data, JPEG_BASELINE) == EXPLICIT_IDENTIFIER.data_set


def test_stray_item_delimiter_is_let_pass() -> None:
    """A delimiter at the end of an item of explicit length is let pass."""
    data = wire("""
        08003210 'SQ' 0000 22000000
            FEFF00E0 12000000  08000001 'SH' 0200 'C1'  FEFF0DE0 00000000
        FEFFDDE0 00000000
    """)
    remarks = Remarks()
    decoded = decode(data, EXPLICIT_VR_LITTLE_ENDIAN, remarks=remarks)
    assert decoded == {0x00081032: Element("SQ", ({0x00080100: Element("SH", ("C1",))},))}
    assert [remark.kind for remark in remarks] == [RemarkKind.DELIMITER] * 2


def test_trailing_zero_bytes_are_let_pass() -> None:
    """Zero bytes behind the last element are let pass."""
    for padding in (1, 7, 8, 12, 17):
        data = EXPLICIT_IDENTIFIER.data + bytes(padding)
        assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN) == EXPLICIT_IDENTIFIER.data_set


# ---- values


@pytest.mark.requirement("EN-048")
@pytest.mark.parametrize(
    ("vr", "value", "values"),
    [
        ("CS", "A\\\\B", ("A", "", "B")),
        ("LO", "\\", ("", "")),
        ("SH", " A \\ B ", ("A", "B")),
        ("UI", "1.2\\1.3\0", ("1.2", "1.3")),
        ("UC", " A\\B ", (" A", "B")),
        ("LT", " A\\B ", (" A\\B",)),
        ("ST", "\\", ("\\",)),
        ("UT", "A\\", ("A\\",)),
        ("UR", "http://x/a\\b ", ("http://x/a\\b",)),
        ("LO", "   ", ()),
    ],
)
def test_strings_split_where_vr_is_multiple(vr: str, value: str, values: tuple[str, ...]) -> None:
    """Strings split at backslashes where their VR allows several values."""
    data = value.encode()
    header = b"\x09\0\x01\x10" + vr.encode()
    header += (
        b"\0\0" + len(data).to_bytes(4, "little")
        if VR[vr].long_form
        else len(data).to_bytes(2, "little")
    )
    assert decode(header + data, EXPLICIT_VR_LITTLE_ENDIAN) == {0x00091001: Element(vr, values)}


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


@pytest.mark.requirement("EN-029")
def test_text_outside_declared_set_is_detected() -> None:
    """Text outside the declared character set is detected before sending."""
    data_set = {0x00100010: Element("PN", ("山田^太郎",))}
    for terms in ((), ("ISO_IR 100",), ("", "ISO 2022 IR 149", "ISO 2022 IR 100")):
        # 郎 is in the Korean set, 田 and 太 too; so Korean carries this name and Latin does not.
        if "ISO 2022 IR 149" in terms:
            assert decode(
                encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, terms), EXPLICIT_VR_LITTLE_ENDIAN
            )
            continue
        with pytest.raises(ValueFormatError, match=r"\(0010,0010\)"):
            encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, terms)


@pytest.mark.requirement("EN-050")
@pytest.mark.parametrize("uid", ["1.02", "1..2", ".1", "1.", "1.a", "1" * 65, "*", "1.2 ", "01"])
def test_strict_sender_refuses_uids_that_are_none(uid: str) -> None:
    data_set = {0x0020000D: Element("UI", ("1.2.3", uid))}
    with pytest.raises(ValueFormatError, match="is no UI value"):
        encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, strict=True)
    assert encode(
        {0x0020000D: Element("UI", ("1.2.3", "0.0", "2." + "1" * 62))},
        EXPLICIT_VR_LITTLE_ENDIAN,
        strict=True,
    )


@pytest.mark.requirement("EN-020", "EN-030")
def test_default_repertoire_vr_stays_ascii() -> None:
    """A VR without character set never carries text outside the default repertoire."""
    data_set = {0x00080060: Element("CS", ("CAFÉ",)), 0x00100020: Element("LO", ("é",))}
    encoded = encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",))
    assert decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN)[0x00080060] == Element("CS", ("CAF?",))
    with pytest.raises(ValueFormatError, match="default repertoire"):
        encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",), strict=True)


@pytest.mark.requirement("EN-031", "EN-032")
def test_charset_is_written_once_and_with_value() -> None:
    """Specific Character Set is written once, and only with a value."""
    inner = {
        SPECIFIC_CHARACTER_SET: Element("CS", ("ISO_IR 100",)),
        0x00080104: Element("LO", ("ä",)),
    }
    data_set: DataSet = {
        SPECIFIC_CHARACTER_SET: Element("CS", ()),
        0x00081032: Element("SQ", (inner,)),
    }
    encoded = encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",))
    assert decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN) == {
        SPECIFIC_CHARACTER_SET: Element("CS", ("ISO_IR 192",)),
        0x00081032: Element("SQ", ({0x00080104: Element("LO", ("ä",))},)),
    }
    assert encode({SPECIFIC_CHARACTER_SET: Element("CS", ())}, EXPLICIT_VR_LITTLE_ENDIAN) == b""


def test_number_that_its_vr_cannot_hold_is_error() -> None:
    with pytest.raises(DataSetError, match=r"\(0028,0002\)"):
        encode({0x00280002: Element("US", (70_000,))}, EXPLICIT_VR_LITTLE_ENDIAN)


# ---- character sets in data sets


@pytest.mark.requirement("EN-027")
def test_items_inherit_the_character_set() -> None:
    """An item inherits the character set unless it has its own."""
    data = wire("""
        08000500 'CS' 0A00 'ISO_IR~144'
        08001010 'SH' 0200 B6B7                              # Cyrillic
        08003210 'SQ' 0000 48000000
            FEFF00E0 0A000000  08000401 'LO' 0200 B6B7       # inherits
            FEFF00E0 1C000000
                08000500 'CS' 0A00 'ISO_IR~126'
                08000401 'LO' 0200 E1E2                      # Greek
            FEFF00E0 0A000000  08000401 'LO' 0200 B6B7       # inherits: the sibling's set is its own
        10002000 'LO' 0200 B6B7
    """)
    decoded = decode(data, EXPLICIT_VR_LITTLE_ENDIAN)
    first, second, third = decoded[0x00081032].values
    assert decoded[0x00081010].values == decoded[0x00100020].values == ("ЖЗ",)
    assert first[0x00080104].values == third[0x00080104].values == ("ЖЗ",)
    assert second[0x00080104].values == ("αβ",)


@pytest.mark.requirement("EN-027")
def test_empty_charset_in_item_inherits() -> None:
    """A character set of zero length in an item is none of its own."""
    data = wire("""
        08000500 'CS' 0A00 'ISO_IR~144'
        08003210 'SQ' 0000 1A000000
            FEFF00E0 12000000  08000500 'CS' 0000  08000401 'LO' 0200 B6B7
    """)
    ((item),) = decode(data, EXPLICIT_VR_LITTLE_ENDIAN)[0x00081032].values
    assert item[0x00080104].values == ("ЖЗ",)


@pytest.mark.requirement("EN-033")
@pytest.mark.parametrize(
    ("value", "fallback", "text"),
    [
        ("Müller".encode(), ("ISO_IR 192", "ISO_IR 100"), "Müller"),
        ("Müller".encode("latin-1"), ("ISO_IR 192", "ISO_IR 100"), "Müller"),
        ("Жук".encode("iso8859_5"), ("ISO_IR 144",), "Жук"),
        ("Жук".encode("iso8859_5"), ("ISO_IR 192", "ISO_IR 144", "ISO_IR 100"), "Жук"),
        (b"\xff\xfe", ("ISO_IR 192",), "\ufffd\ufffd"),
    ],
)
@pytest.mark.parametrize(
    "declared", [b"", wire("08000500 'CS' 0800 'ISO_IR~6'"), wire("08000500 'CS' 0000")]
)
def test_undeclared_8_bit_text_uses_fallback(
    value: bytes, fallback: tuple[str, ...], text: str, declared: bytes
) -> None:
    """Undeclared 8-bit text is read by the fallback, with a remark."""
    data = declared + wire("10001000 'PN'") + len(value).to_bytes(2, "little") + value
    remarks = Remarks()
    decoded = decode(data, EXPLICIT_VR_LITTLE_ENDIAN, fallback=fallback, remarks=remarks)
    assert decoded[0x00100010] == Element("PN", (text,))
    assert (0x00100010, RemarkKind.NO_CHARSET) in [(remark.tag, remark.kind) for remark in remarks]


def test_unknown_charset_term_uses_fallback() -> None:
    """Text under an unknown term is read by the fallback, with a remark."""
    data = wire("08000500 'CS' 0A00 'KLINGON~~~'  10001000 'PN' 0200 C3A9")
    remarks = Remarks()
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN, remarks=remarks)[0x00100010] == Element(
        "PN", ("é",)
    )
    assert (SPECIFIC_CHARACTER_SET, RemarkKind.UNKNOWN_CHARSET, "KLINGON") in remarks


def test_invalid_bytes_are_replaced_with_remark() -> None:
    """Bytes that are no text of their set are replaced, with a remark."""
    data = wire("08000500 'CS' 0A00 'ISO_IR~192'  10001000 'PN' 0400 'A' FF 'B~'")
    remarks = Remarks()
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN, remarks=remarks)[0x00100010] == Element(
        "PN", ("A\ufffdB",)
    )
    assert [remark.kind for remark in remarks] == [RemarkKind.UNDECODABLE]


@pytest.mark.requirement("EN-020")
def test_default_repertoire_vrs_ignore_charset() -> None:
    """VRs of the default repertoire do not follow the character set."""
    data = wire("08000500 'CS' 0A00 'ISO_IR~144'  08006000 'CS' 0200 B6B7  10002000 'LO' 0200 B6B7")
    decoded = decode(data, EXPLICIT_VR_LITTLE_ENDIAN)
    assert decoded[0x00080060].values == ("\xb6\xb7",)
    assert decoded[0x00100020].values == ("ЖЗ",)


def test_text_is_decoded_to_nfc() -> None:
    data = wire("08000500 'CS' 0A00 'ISO_IR~192'  10001000 'PN' 0400 'u' CC88 '~'")
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN)[0x00100010] == Element("PN", ("ü",))


# ---- any bytes


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


# ---- headers


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
