"""Value fields as values: split strings, and text in the set of its data set (PS3.5 6.1, 6.4)."""

from __future__ import annotations

import pytest

from dicomquest.dataset.codec import RemarkKind, Remarks, decode
from dicomquest.dataset.elements import Element
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.standard.vr import VR
from vectors.data_sets import wire


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


@pytest.mark.requirement("EN-027")
def test_items_inherit_the_character_set() -> None:
    """An item inherits the character set unless it has its own."""
    data = wire("""
        08000500 'CS' 0A00 'ISO_IR~144'
        08001010 'SH' 0200 B6B7                             # Cyrillic
        08003210 'SQ' 0000 48000000
            FEFF00E0 0A000000  08000401 'LO' 0200 B6B7      # inherits
            FEFF00E0 1C000000
                08000500 'CS' 0A00 'ISO_IR~126'
                08000401 'LO' 0200 E1E2                     # Greek
            FEFF00E0 0A000000  08000401 'LO' 0200 B6B7      # inherits: the sibling's set is its own
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
