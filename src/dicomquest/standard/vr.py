"""The value representations, one row each (PS3.5 6.2, 7.1.2; matching: PS3.4 C.2.2.2)."""

from __future__ import annotations

from enum import Enum, Flag, auto
from typing import NamedTuple


class Kind(Enum):
    """What a value is, once decoded."""

    TEXT = "str"
    NUMBER = "int or float"
    TAG = "int, group << 16 | element"
    OPAQUE = "bytes"
    SEQUENCE = "items"


class Spaces(Enum):
    """Which spaces of a value are padding, with no meaning."""

    BOTH = "leading and trailing"
    TRAILING = "trailing"
    NONE = "none"


class Matching(Flag):
    """The types of matching (PS3.4 C.2.2.2) that a key of the VR may ask for, besides universal."""

    NONE = 0
    SINGLE = auto()
    WILD_CARD = auto()
    RANGE = auto()
    UID_LIST = auto()
    SEQUENCE = auto()
    EMPTY_VALUE = auto()
    MULTIPLE_VALUE = auto()


class ValueRepresentation(NamedTuple):
    """The facts of one VR.

    ``long_form``: explicit VR encodes its length in 32 bits. ``pad``: what makes a value even. ``charset``: Specific
    Character Set holds for it. ``multiple``: a backslash separates values. ``limit``: the longest value, in characters
    where ``charset``, else in bytes; None if only the length field bounds it. ``layout``: the struct format of one
    value (of an OPAQUE VR: of the words that big endian swaps).
    """

    vr: str
    name: str
    kind: Kind
    long_form: bool
    pad: str
    charset: bool
    multiple: bool
    spaces: Spaces
    limit: int | None
    layout: str
    matching: Matching


_SHORT, _LONG = False, True
_CODED, _ASCII = True, False
_MANY, _ONE = True, False
_TEXT, _NUMBER, _OPAQUE = Kind.TEXT, Kind.NUMBER, Kind.OPAQUE
_BOTH, _TRAILING, _NO_SPACES = Spaces.BOTH, Spaces.TRAILING, Spaces.NONE

_M = Matching
_PLAIN = _M.SINGLE
_WORDS = _M.SINGLE | _M.WILD_CARD | _M.EMPTY_VALUE | _M.MULTIPLE_VALUE
_PROSE = _M.SINGLE | _M.WILD_CARD | _M.EMPTY_VALUE
_TIMES = _M.SINGLE | _M.RANGE | _M.EMPTY_VALUE
_CODES = _M.SINGLE | _M.MULTIPLE_VALUE
_UIDS = _M.SINGLE | _M.UID_LIST

# fmt: off
VALUE_REPRESENTATIONS: tuple[ValueRepresentation, ...] = tuple(ValueRepresentation(*row) for row in (
    # VR   name                        kind      length  pad   charset  VM     spaces      limit   layout  matching
    ("AE", "Application Entity",       _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      16,     "",     _WORDS),
    ("AS", "Age String",               _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      4,      "",     _CODES),
    ("AT", "Attribute Tag",            Kind.TAG, _SHORT, "\0", _ASCII, _MANY, _NO_SPACES, 4,      "HH",   _CODES),
    ("CS", "Code String",              _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      16,     "",     _WORDS),
    ("DA", "Date",                     _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      8,      "",     _TIMES),
    ("DS", "Decimal String",           _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      16,     "",     _PLAIN),
    ("DT", "Date Time",                _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      26,     "",     _TIMES),
    ("FD", "Floating Point Double",    _NUMBER,  _SHORT, "\0", _ASCII, _MANY, _NO_SPACES, 8,      "d",    _PLAIN),
    ("FL", "Floating Point Single",    _NUMBER,  _SHORT, "\0", _ASCII, _MANY, _NO_SPACES, 4,      "f",    _PLAIN),
    ("IS", "Integer String",           _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      12,     "",     _PLAIN),
    ("LO", "Long String",              _TEXT,    _SHORT, " ",  _CODED, _MANY, _BOTH,      64,     "",     _WORDS),
    ("LT", "Long Text",                _TEXT,    _SHORT, " ",  _CODED, _ONE,  _TRAILING,  10240,  "",     _PROSE),
    ("OB", "Other Byte",               _OPAQUE,  _LONG,  "\0", _ASCII, _ONE,  _NO_SPACES, None,   "B",    _M.NONE),
    ("OD", "Other Double",             _OPAQUE,  _LONG,  "\0", _ASCII, _ONE,  _NO_SPACES, None,   "Q",    _M.NONE),
    ("OF", "Other Float",              _OPAQUE,  _LONG,  "\0", _ASCII, _ONE,  _NO_SPACES, None,   "I",    _M.NONE),
    ("OL", "Other Long",               _OPAQUE,  _LONG,  "\0", _ASCII, _ONE,  _NO_SPACES, None,   "I",    _M.NONE),
    ("OV", "Other 64-bit Very Long",   _OPAQUE,  _LONG,  "\0", _ASCII, _ONE,  _NO_SPACES, None,   "Q",    _M.NONE),
    ("OW", "Other Word",               _OPAQUE,  _LONG,  "\0", _ASCII, _ONE,  _NO_SPACES, None,   "H",    _M.NONE),
    ("PN", "Person Name",              _TEXT,    _SHORT, " ",  _CODED, _MANY, _BOTH,      64,     "",     _WORDS),
    ("SH", "Short String",             _TEXT,    _SHORT, " ",  _CODED, _MANY, _BOTH,      16,     "",     _WORDS),
    ("SL", "Signed Long",              _NUMBER,  _SHORT, "\0", _ASCII, _MANY, _NO_SPACES, 4,      "i",    _PLAIN),
    ("SQ", "Sequence of Items",        Kind.SEQUENCE, _LONG, "", _ASCII, _ONE, _NO_SPACES, None,  "",     _M.SEQUENCE),
    ("SS", "Signed Short",             _NUMBER,  _SHORT, "\0", _ASCII, _MANY, _NO_SPACES, 2,      "h",    _PLAIN),
    ("ST", "Short Text",               _TEXT,    _SHORT, " ",  _CODED, _ONE,  _TRAILING,  1024,   "",     _PROSE),
    ("SV", "Signed 64-bit Very Long",  _NUMBER,  _LONG,  "\0", _ASCII, _MANY, _NO_SPACES, 8,      "q",    _PLAIN),
    ("TM", "Time",                     _TEXT,    _SHORT, " ",  _ASCII, _MANY, _BOTH,      14,     "",     _TIMES),
    ("UC", "Unlimited Characters",     _TEXT,    _LONG,  " ",  _CODED, _MANY, _TRAILING,  None,   "",     _WORDS),
    ("UI", "Unique Identifier",        _TEXT,    _SHORT, "\0", _ASCII, _MANY, _BOTH,      64,     "",     _UIDS),
    ("UL", "Unsigned Long",            _NUMBER,  _SHORT, "\0", _ASCII, _MANY, _NO_SPACES, 4,      "I",    _PLAIN),
    ("UN", "Unknown",                  _OPAQUE,  _LONG,  "\0", _ASCII, _ONE,  _NO_SPACES, None,   "B",    _M.NONE),
    ("UR", "URI or URL",               _TEXT,    _LONG,  " ",  _ASCII, _ONE,  _TRAILING,  None,   "",     _PROSE),
    ("US", "Unsigned Short",           _NUMBER,  _SHORT, "\0", _ASCII, _MANY, _NO_SPACES, 2,      "H",    _PLAIN),
    ("UT", "Unlimited Text",           _TEXT,    _LONG,  " ",  _CODED, _ONE,  _TRAILING,  None,   "",     _PROSE),
    ("UV", "Unsigned 64-bit Very Long", _NUMBER, _LONG,  "\0", _ASCII, _MANY, _NO_SPACES, 8,      "Q",    _PLAIN),
))
# fmt: on

VR: dict[str, ValueRepresentation] = {row.vr: row for row in VALUE_REPRESENTATIONS}
"""The rows by the VR's two letters."""

DICTIONARY_CHOICES = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}
"""The dictionary's VRs that depend on other attributes (PS3.6), and what is taken where nothing else tells."""
