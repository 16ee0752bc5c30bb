"""Bytes to elements: lengths, UN, private elements, and deviations that are let pass (PS3.5 7)."""

from __future__ import annotations

import pytest

from dicomquest.dataset.codec import (
    Limits,
    RemarkKind,
    Remarks,
    TruncatedDataSetError,
    decode,
    encode,
)
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from vectors.data_sets import EXPLICIT_IDENTIFIER, wire


def nested(depth: int) -> DataSet:
    data_set: DataSet = {}
    for _ in range(depth):
        data_set = {0x00400275: Element("SQ", (data_set,))}
    return data_set


@pytest.mark.requirement("EN-003")
@pytest.mark.parametrize("code", ["ZZ", "XY", "??"])
def test_unknown_vr_has_32_bit_length_and_is_opaque(code: str) -> None:
    """A value of unknown VR has a length of 32 bits and stays opaque."""
    data = wire(
        f"09001000 'LO' 0400 'ACME'  09000110 '{code}' 0000 04000000 01020304"
        "  10001000 'PN' 0200 'A~'"
    )
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN) == {
        0x00090010: Element("LO", ("ACME",)),
        0x00091001: Element("UN", (b"\1\2\3\4",)),
        0x00100010: Element("PN", ("A",)),
    }


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
        "08003210 'SQ' 0000 12000000  FEFF00E0 0A000000  08005000 'SH' 0400 'ABCD'"
        "  10002000 'LO' 0000"
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


@pytest.mark.parametrize("code", [b"??", b"\0\0", b"  ", b"lo", b"L?", b"ZZ"])
def test_bytes_that_are_no_vr_have_a_short_length(code: bytes) -> None:
    """The length of 16 bits is taken where the one of 32 bits does not fit, as DCMTK does."""
    data = b"\x10\0\x20\0" + code + b"\x04\0" + b"4711" + wire("10004000 'CS' 0200 'MF'")
    remarks = Remarks()
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN, remarks=remarks) == {
        0x00100020: Element("LO", ("4711",)),
        0x00100040: Element("CS", ("MF",)),
    }
    assert [remark.kind for remark in remarks][-1] is RemarkKind.VR_FORM


@pytest.mark.parametrize("length", [0xFFFFFFFF, None])
def test_un_with_explicit_items_is_read(length: int | None) -> None:
    """The first item of a UN sequence tells whether its elements name their VR."""
    element = wire("08000001 'SH' 0400 'CODE'")
    item = wire("FEFF00E0") + len(element).to_bytes(4, "little") + element
    if length is None:
        value = len(item).to_bytes(4, "little") + item
    else:
        value = length.to_bytes(4, "little") + item + wire("FEFFDDE0 00000000")
    data = wire("08003210 'UN' 0000") + value
    assert decode(data, EXPLICIT_VR_LITTLE_ENDIAN) == {
        0x00081032: Element("SQ", ({0x00080100: Element("SH", ("CODE",))},))
    }
