"""The terms of Specific Character Set, one row a term or escape (PS3.3 C.12.1.1.2, PS3.5 6.1.2)."""

from __future__ import annotations

from typing import NamedTuple

JIS_X_0201 = "jis_x_0201"
"""No codec of Python: romaji below 80H, half-width katakana above."""


class SingleSet(NamedTuple):
    """A term that stands alone, without code extension."""

    term: str
    name: str
    codec: str


class CodeElement(NamedTuple):
    """A set of characters that an escape sequence designates, with ``size`` bytes a character.

    ``element`` is 0 for G0 (bytes below 80H), 1 for G1 (bytes above). ``codec`` reads the bytes
    behind ``prefix``, a designation that Python's codec wants to see.
    """

    term: str
    name: str
    element: int
    escape: bytes
    size: int
    codec: str
    prefix: bytes = b""


# Tables C.12-2 and C.12-5. ISO_IR 6 is in neither, yet widely sent for the default repertoire.
SINGLE_SETS = (
    SingleSet("ISO_IR 6", "Default repertoire", "ascii"),
    SingleSet("ISO_IR 100", "Latin alphabet No. 1", "iso8859_1"),
    SingleSet("ISO_IR 101", "Latin alphabet No. 2", "iso8859_2"),
    SingleSet("ISO_IR 109", "Latin alphabet No. 3", "iso8859_3"),
    SingleSet("ISO_IR 110", "Latin alphabet No. 4", "iso8859_4"),
    SingleSet("ISO_IR 144", "Cyrillic", "iso8859_5"),
    SingleSet("ISO_IR 127", "Arabic", "iso8859_6"),
    SingleSet("ISO_IR 126", "Greek", "iso8859_7"),
    SingleSet("ISO_IR 138", "Hebrew", "iso8859_8"),
    SingleSet("ISO_IR 148", "Latin alphabet No. 5", "iso8859_9"),
    SingleSet("ISO_IR 203", "Latin alphabet No. 9", "iso8859_15"),
    SingleSet("ISO_IR 13", "Japanese (katakana and romaji)", JIS_X_0201),
    SingleSet("ISO_IR 166", "Thai", "tis_620"),
    SingleSet("ISO_IR 192", "Unicode in UTF-8", "utf_8"),
    SingleSet("GB18030", "GB18030", "gb18030"),
    SingleSet("GBK", "GBK", "gbk"),
)

ALONE = ("ISO_IR 192", "GB18030", "GBK")
"""Terms that allow no other beside them."""

DEFAULT_TERM = "ISO 2022 IR 6"
"""The meaning of an empty value 1 of several."""

# Tables C.12-3 and C.12-4.
CODE_ELEMENTS = (
    CodeElement(DEFAULT_TERM, "Default repertoire", 0, b"\x1b(B", 1, "ascii"),
    CodeElement("ISO 2022 IR 100", "Latin alphabet No. 1", 1, b"\x1b-A", 1, "iso8859_1"),
    CodeElement("ISO 2022 IR 101", "Latin alphabet No. 2", 1, b"\x1b-B", 1, "iso8859_2"),
    CodeElement("ISO 2022 IR 109", "Latin alphabet No. 3", 1, b"\x1b-C", 1, "iso8859_3"),
    CodeElement("ISO 2022 IR 110", "Latin alphabet No. 4", 1, b"\x1b-D", 1, "iso8859_4"),
    CodeElement("ISO 2022 IR 126", "Greek", 1, b"\x1b-F", 1, "iso8859_7"),
    CodeElement("ISO 2022 IR 127", "Arabic", 1, b"\x1b-G", 1, "iso8859_6"),
    CodeElement("ISO 2022 IR 138", "Hebrew", 1, b"\x1b-H", 1, "iso8859_8"),
    CodeElement("ISO 2022 IR 144", "Cyrillic", 1, b"\x1b-L", 1, "iso8859_5"),
    CodeElement("ISO 2022 IR 148", "Latin alphabet No. 5", 1, b"\x1b-M", 1, "iso8859_9"),
    CodeElement("ISO 2022 IR 166", "Thai", 1, b"\x1b-T", 1, "tis_620"),
    CodeElement("ISO 2022 IR 203", "Latin alphabet No. 9", 1, b"\x1b-b", 1, "iso8859_15"),
    CodeElement("ISO 2022 IR 13", "Japanese (romaji)", 0, b"\x1b(J", 1, JIS_X_0201),
    CodeElement("ISO 2022 IR 13", "Japanese (katakana)", 1, b"\x1b)I", 1, JIS_X_0201),
    CodeElement("ISO 2022 IR 87", "Japanese (kanji)", 0, b"\x1b$B", 2, "iso2022_jp", b"\x1b$B"),
    CodeElement(
        "ISO 2022 IR 159",
        "Japanese (supplementary kanji)",
        0,
        b"\x1b$(D",
        2,
        "iso2022_jp_2",
        b"\x1b$(D",
    ),
    CodeElement("ISO 2022 IR 149", "Korean", 1, b"\x1b$)C", 2, "euc_kr"),
    CodeElement("ISO 2022 IR 58", "Simplified Chinese", 1, b"\x1b$)A", 2, "gb2312"),
)

# Terms that implementations write instead, in upper case. Others, such as ISO-IR 100, ISO_IR_100
# and ISO-8859-1, are read by their digits.
MISSPELT = {
    "ISO 2022 58": "ISO 2022 IR 58",
    "ISO 2022 GBK": "GBK",
    "ISO IR GBK": "GBK",
    "CP936": "GBK",
    "GB 18030": "GB18030",
    "GB-18030": "GB18030",
    "GB2312": "GBK",
    "UTF-8": "ISO_IR 192",
    "UTF8": "ISO_IR 192",
    "UTF_8": "ISO_IR 192",
    "UNICODE": "ISO_IR 192",
    "ASCII": "ISO_IR 6",
    "US-ASCII": "ISO_IR 6",
    "ISO646": "ISO_IR 6",
    "LATIN1": "ISO_IR 100",
    "LATIN-1": "ISO_IR 100",
}

# Parts of ISO/IEC 8859 by their number, which implementations write in many spellings.
LATIN_PARTS = {
    "1": "ISO_IR 100",
    "2": "ISO_IR 101",
    "3": "ISO_IR 109",
    "4": "ISO_IR 110",
    "5": "ISO_IR 144",
    "6": "ISO_IR 127",
    "7": "ISO_IR 126",
    "8": "ISO_IR 138",
    "9": "ISO_IR 148",
    "10": "ISO 8859-10",
    "11": "ISO_IR 166",
    "13": "ISO 8859-13",
    "15": "ISO_IR 203",
    "16": "ISO 8859-16",
}

READ_ONLY_SETS = {
    "ISO 8859-10": "iso8859_10",
    "ISO 8859-13": "iso8859_13",
    "ISO 8859-16": "iso8859_16",
}
"""Sets that the Standard has no term for, with their codecs: read where a peer names them."""
