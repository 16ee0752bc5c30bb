"""Text in character sets as bytes: the examples of PS3.5 Annexes H to K, and others."""

# ruff: noqa: RUF001  Cyrillic letters that look like Latin ones are as the Standard has them
from __future__ import annotations

from typing import NamedTuple


class TextVector(NamedTuple):
    terms: tuple[str, ...]
    text: str
    data: bytes


def coded(*parts: str) -> bytes:
    """Bytes of parts: hexadecimal digits, or characters behind a colon."""
    return b"".join(
        part[1:].encode("ascii") if part[0] == ":" else bytes.fromhex(part) for part in parts
    )


# Person names. Escapes: 1B2442 kanji, 1B2842 ISO 646, 1B284A romaji, 1B242943 Korean,
# 1B242941 Chinese.
NAMES = (
    TextVector(  # H.3.1
        ("", "ISO 2022 IR 87"),
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        coded(
            ":Yamada^Tarou=",
            "1B2442 3B33 4544 1B2842",
            ":^",
            "1B2442 4240 4F3A 1B2842",
            ":=",
            "1B2442 2464 245E 2440 1B2842",
            ":^",
            "1B2442 243F 246D 2426 1B2842",
        ),
    ),
    TextVector(  # H.3.2
        ("ISO 2022 IR 13", "ISO 2022 IR 87"),
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        coded(
            "D4CFC0DE",
            ":^",
            "C0DBB3",
            ":=",
            "1B2442 3B33 4544 1B284A",
            ":^",
            "1B2442 4240 4F3A 1B284A",
            ":=",
            "1B2442 2464 245E 2440 1B284A",
            ":^",
            "1B2442 243F 246D 2426 1B284A",
        ),
    ),
    TextVector(  # I.2
        ("", "ISO 2022 IR 149"),
        "Hong^Gildong=洪^吉洞=홍^길동",
        coded(
            ":Hong^Gildong=",
            "1B242943 FBF3",
            ":^",
            "1B242943 D1CED4D7",
            ":=",
            "1B242943 C8AB",
            ":^",
            "1B242943 B1E6B5BF",
        ),
    ),
    TextVector(  # K.2
        ("", "ISO 2022 IR 58"),
        "Zhang^XiaoDong=张^小东=",
        coded(":Zhang^XiaoDong=", "1B242941 D5C5", ":^", "1B242941 D0A1B6AB", ":="),
    ),
    TextVector(  # J.1
        ("ISO_IR 192",),
        "Wang^XiaoDong=王^小東=",
        coded(":Wang^XiaoDong=", "E78E8B", ":^", "E5B08F E69DB1", ":="),
    ),
    TextVector(  # J.3
        ("GB18030",),
        "Wang^XiaoDong=王^小东=",
        coded(":Wang^XiaoDong=", "CDF5", ":^", "D0A1 B6AB", ":="),
    ),
    TextVector(
        ("GBK",),
        "Wang^XiaoDong=王^小东=",
        coded(":Wang^XiaoDong=", "CDF5", ":^", "D0A1 B6AB", ":="),
    ),
    TextVector(("ISO_IR 100",), "Äneas^Rüdiger", coded("C4", ":neas^R", "FC", ":diger")),
    TextVector(("ISO_IR 144",), "Люкceмбypг", coded("BBEEDA", ":ce", "DCD1", ":yp", "D3")),
    TextVector(("ISO_IR 126",), "Διονυσιος", coded("C4E9EFEDF5F3E9EFF2")),
    TextVector(("ISO_IR 127",), "قباني^لنزار", coded("E2C8C7E6EA", ":^", "E4E6D2C7D1")),
    TextVector(("ISO_IR 138",), "שרון^דבורה", coded("F9F8E5EF", ":^", "E3E1E5F8E4")),
    TextVector(("ISO_IR 166",), "นามสกุล^ชื่อ", coded("B9D2C1CAA1D8C5", ":^", "AAD7E8CD")),
    TextVector(("ISO_IR 13",), "ﾔﾏﾀﾞ^ﾀﾛｳ", coded("D4CFC0DE", ":^", "C0DBB3")),
    TextVector(("ISO_IR 203",), "Œuvre^€", coded("BC", ":uvre^", "A4")),
    # Value 1 has a G1 of its own here, so it is given back before each delimiter.
    TextVector(
        ("ISO 2022 IR 100", "ISO 2022 IR 144"),
        "Buc^Jérôme=Люк^Б",
        coded(":Buc^J", "E9", ":r", "F4", ":me=", "1B2D4C BBEEDA 1B2D41", ":^", "1B2D4C B1 1B2D41"),
    ),
)

# Text of VR LT: lines begin with the sets of value 1; a backslash is a character.
PROSE = (
    TextVector(
        ("", "ISO 2022 IR 149"),
        "김희중\r\n길동 \\ 동",
        coded("1B242943 B1E8C8F1C1DF", "0D0A", "1B242943 B1E6B5BF", ": \\ ", "B5BF"),
    ),
    TextVector(
        ("", "ISO 2022 IR 87"),
        "東\n京",
        coded("1B2442 456C 1B2842", "0A", "1B2442 357E 1B2842"),
    ),
)
