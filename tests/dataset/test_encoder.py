"""Data sets to bytes: order, padding, long values, text in its character set (PS3.5 6, 7)."""

from __future__ import annotations

import pytest

from dicomquest.dataset.charset import choose
from dicomquest.dataset.codec import decode, encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import DataSetError, ValueFormatError
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)


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
