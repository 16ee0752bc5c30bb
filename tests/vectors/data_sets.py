"""Data sets as bytes, with their decoding written beside them (PS3.5 7)."""

from __future__ import annotations

from typing import NamedTuple

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)


class Vector(NamedTuple):
    name: str
    transfer_syntax: str
    data: bytes
    data_set: DataSet


def wire(text: str) -> bytes:
    """Bytes of lines of ``hex hex 'characters'  # comment``; a tilde is a space."""
    data = bytearray()
    for line in text.splitlines():
        for token in line.partition("#")[0].split():
            data += (
                token[1:-1].replace("~", " ").encode("latin-1")
                if token[0] == "'"
                else bytes.fromhex(token)
            )
    return bytes(data)


EXPLICIT_IDENTIFIER = Vector(
    "an identifier in explicit VR little endian",
    EXPLICIT_VR_LITTLE_ENDIAN,
    wire("""
        08000500 'CS' 0A00 'ISO_IR~100'       # (0008,0005) Specific Character Set
        08005200 'CS' 0600 'STUDY~'           # (0008,0052) Query/Retrieve Level, padded
        08006100 'CS' 0600 'CT\\MR~'          # (0008,0061) Modalities in Study, two values
        10001000 'PN' 0800 4DFC6C6C65725E2A   # (0010,0010) Patient's Name: Müller^*
        10003000 'DA' 0000                    # (0010,0030) Patient's Birth Date, zero length
        20000D00 'UI' 0600 '1.2.3' 00         # (0020,000D) Study Instance UID, padded with NUL
    """),
    {
        0x00080005: Element("CS", ("ISO_IR 100",)),
        0x00080052: Element("CS", ("STUDY",)),
        0x00080061: Element("CS", ("CT", "MR")),
        0x00100010: Element("PN", ("Müller^*",)),
        0x00100030: Element("DA", ()),
        0x0020000D: Element("UI", ("1.2.3",)),
    },
)

IMPLICIT_IDENTIFIER = Vector(
    "an identifier in implicit VR little endian",
    IMPLICIT_VR_LITTLE_ENDIAN,
    wire("""
        08005200 08000000 'PATIENT~'          # (0008,0052)
        10001000 00000000                     # (0010,0010)
        10002000 04000000 'A1~' 00            # (0010,0020) Patient ID, padded with space and NUL
        28000200 02000000 0300                # (0028,0002) Samples per Pixel, US
        28000900 04000000 1800 6310           # (0028,0009) Frame Increment Pointer, AT: (0018,1063)
        11001000 04000000 'ACME'              # (0011,0010) private creator, LO
        11000110 02000000 0102                # (0011,1001) of an unknown creator, UN
    """),
    {
        0x00080052: Element("CS", ("PATIENT",)),
        0x00100010: Element("PN", ()),
        0x00100020: Element("LO", ("A1",)),
        0x00280002: Element("US", (3,)),
        0x00280009: Element("AT", (0x00181063,)),
        0x00110010: Element("LO", ("ACME",)),
        0x00111001: Element("UN", (b"\x01\x02",)),
    },
)

BIG_ENDIAN = Vector(
    "explicit VR big endian swaps tags, lengths and words, not text",
    EXPLICIT_VR_BIG_ENDIAN,
    wire("""
        00080052 'CS' 0006 'STUDY~'           # (0008,0052)
        00280002 'US' 0002 0003                     # (0028,0002)
        00280009 'AT' 0004 0018 1063                # (0028,0009)
        00281201 'OW' 0000 00000004 0102 0304       # (0028,1201) Red Palette Data: 0102H, 0304H
        00321064 'SQ' 0000 00000010                 # (0032,1064) Procedure Code Sequence, 16 bytes
            FFFEE000 00000008                       # an item of 8 bytes
                00080100 'SH' 0000                  # (0008,0100) Code Value, zero length
    """),
    {
        0x00080052: Element("CS", ("STUDY",)),
        0x00280002: Element("US", (3,)),
        0x00280009: Element("AT", (0x00181063,)),
        0x00281201: Element("OW", (b"\x02\x01\x04\x03",)),
        0x00321064: Element("SQ", ({0x00080100: Element("SH", ())},)),
    },
)

_TWO_ITEMS: DataSet = {0x00081032: Element("SQ", ({0x00080100: Element("SH", ("C1",))}, {}))}

SEQUENCES = (
    Vector(
        "sequence of explicit length, items of explicit length",
        EXPLICIT_VR_LITTLE_ENDIAN,
        wire("""
            08003210 'SQ' 0000 1A000000             # (0008,1032) Procedure Code Sequence, 26 bytes
                FEFF00E0 0A000000                   # an item of 10 bytes
                    08000001 'SH' 0200 'C1'         # (0008,0100) Code Value
                FEFF00E0 00000000                   # an empty item
        """),
        _TWO_ITEMS,
    ),
    Vector(
        "sequence of explicit length, items of undefined length",
        EXPLICIT_VR_LITTLE_ENDIAN,
        wire("""
            08003210 'SQ' 0000 2A000000             # 42 bytes
                FEFF00E0 FFFFFFFF
                    08000001 'SH' 0200 'C1'
                FEFF0DE0 00000000                   # the item's end
                FEFF00E0 FFFFFFFF
                FEFF0DE0 00000000
        """),
        _TWO_ITEMS,
    ),
    Vector(
        "sequence of undefined length, items of explicit length",
        EXPLICIT_VR_LITTLE_ENDIAN,
        wire("""
            08003210 'SQ' 0000 FFFFFFFF
                FEFF00E0 0A000000
                    08000001 'SH' 0200 'C1'
                FEFF00E0 00000000
            FEFFDDE0 00000000                       # the sequence's end
        """),
        _TWO_ITEMS,
    ),
    Vector(
        "sequence of undefined length, items of undefined length",
        EXPLICIT_VR_LITTLE_ENDIAN,
        wire("""
            08003210 'SQ' 0000 FFFFFFFF
                FEFF00E0 FFFFFFFF
                    08000001 'SH' 0200 'C1'
                FEFF0DE0 00000000
                FEFF00E0 FFFFFFFF
                FEFF0DE0 00000000
            FEFFDDE0 00000000
        """),
        _TWO_ITEMS,
    ),
    Vector(
        "the same in implicit VR, all lengths undefined",
        IMPLICIT_VR_LITTLE_ENDIAN,
        wire("""
            08003210 FFFFFFFF
                FEFF00E0 FFFFFFFF
                    08000001 02000000 'C1'
                FEFF0DE0 00000000
                FEFF00E0 FFFFFFFF
                FEFF0DE0 00000000
            FEFFDDE0 00000000
        """),
        _TWO_ITEMS,
    ),
    Vector(
        "a sequence of no items: length 0",
        EXPLICIT_VR_LITTLE_ENDIAN,
        wire("08003210 'SQ' 0000 00000000"),
        {0x00081032: Element("SQ", ())},
    ),
    Vector(
        "a sequence of no items: its delimiter at once",
        EXPLICIT_VR_LITTLE_ENDIAN,
        wire("08003210 'SQ' 0000 FFFFFFFF  FEFFDDE0 00000000"),
        {0x00081032: Element("SQ", ())},
    ),
    Vector(
        "UN of undefined length holds items in implicit VR little endian",
        EXPLICIT_VR_LITTLE_ENDIAN,
        wire("""
            08003210 'UN' 0000 FFFFFFFF
                FEFF00E0 FFFFFFFF
                    08000001 02000000 'C1'
                FEFF0DE0 00000000
                FEFF00E0 00000000
            FEFFDDE0 00000000
            10001000 'PN' 0200 'A~'                 # explicit VR again
        """),
        _TWO_ITEMS | {0x00100010: Element("PN", ("A",))},
    ),
    Vector(
        "UN of undefined length in big endian is little endian inside",
        EXPLICIT_VR_BIG_ENDIAN,
        wire("""
            00081032 'UN' 0000 FFFFFFFF
                FEFF00E0 0A000000
                    08000001 02000000 'C1'
                FEFF00E0 00000000
            FEFFDDE0 00000000
            00100010 'PN' 0002 'A~'
        """),
        _TWO_ITEMS | {0x00100010: Element("PN", ("A",))},
    ),
)

VECTORS = (EXPLICIT_IDENTIFIER, IMPLICIT_IDENTIFIER, BIG_ENDIAN, *SEQUENCES)
