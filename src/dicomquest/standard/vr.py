"""The value representations, one row each (PS3.5 6.2, 7.1.2; matching: PS3.4 C.2.2.2)."""

from __future__ import annotations

from enum import Enum, Flag, auto
from typing import NamedTuple


class Kind(Enum):
    """The Python type of a decoded value."""

    TEXT = "str"
    NUMBER = "int or float"
    TAG = "int, group << 16 | element"
    OPAQUE = "bytes"
    SEQUENCE = "items"


class Spaces(Enum):
    """The spaces of a value that are padding, and mean nothing."""

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

    - ``long_form``: explicit VR has its length in 32 bits, else in 16.
    - ``pad``: the character that makes a value field even.
    - ``charset``: Specific Character Set holds for it.
    - ``multiple``: a backslash separates values.
    - ``limit``: the longest value, in characters if ``charset``, else in bytes; None if only the
      length field bounds it.
    - ``layout``: the struct format of one value; of an OPAQUE VR, of the words that big endian
    swaps.
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


_TEXT, _NUM, _TAG, _RAW, _SEQ = Kind
_L16, _L32 = False, True
_NO, _YES = False, True
_ONE, _MANY = False, True
_BOTH, _END, _NONE = Spaces

_M = Matching
_PLAIN = _M.SINGLE
_WORDS = _M.SINGLE | _M.WILD_CARD | _M.EMPTY_VALUE | _M.MULTIPLE_VALUE
_PROSE = _M.SINGLE | _M.WILD_CARD | _M.EMPTY_VALUE
_TIMES = _M.SINGLE | _M.RANGE | _M.EMPTY_VALUE
_CODES = _M.SINGLE | _M.MULTIPLE_VALUE
_UIDS = _M.SINGLE | _M.UID_LIST
_ITEMS = _M.SEQUENCE
_NOT = _M.NONE

# Of the columns, len is the length field, code says whether Specific Character Set holds, VM
# whether a backslash separates values, pads which spaces are padding; as is the struct format.
# fmt: off
_ROWS = (
    # VR   name                         kind   len   pad   code  VM     pads   limit  as    matching
    ("AE", "Application Entity",        _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 16,    "",   _WORDS),
    ("AS", "Age String",                _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 4,     "",   _CODES),
    ("AT", "Attribute Tag",             _TAG,  _L16, "\0", _NO,  _MANY, _NONE, 4,     "HH", _CODES),
    ("CS", "Code String",               _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 16,    "",   _WORDS),
    ("DA", "Date",                      _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 8,     "",   _TIMES),
    ("DS", "Decimal String",            _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 16,    "",   _PLAIN),
    ("DT", "Date Time",                 _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 26,    "",   _TIMES),
    ("FD", "Floating Point Double",     _NUM,  _L16, "\0", _NO,  _MANY, _NONE, 8,     "d",  _PLAIN),
    ("FL", "Floating Point Single",     _NUM,  _L16, "\0", _NO,  _MANY, _NONE, 4,     "f",  _PLAIN),
    ("IS", "Integer String",            _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 12,    "",   _PLAIN),
    ("LO", "Long String",               _TEXT, _L16, " ",  _YES, _MANY, _BOTH, 64,    "",   _WORDS),
    ("LT", "Long Text",                 _TEXT, _L16, " ",  _YES, _ONE,  _END,  10240, "",   _PROSE),
    ("OB", "Other Byte",                _RAW,  _L32, "\0", _NO,  _ONE,  _NONE, None,  "B",  _NOT),
    ("OD", "Other Double",              _RAW,  _L32, "\0", _NO,  _ONE,  _NONE, None,  "Q",  _NOT),
    ("OF", "Other Float",               _RAW,  _L32, "\0", _NO,  _ONE,  _NONE, None,  "I",  _NOT),
    ("OL", "Other Long",                _RAW,  _L32, "\0", _NO,  _ONE,  _NONE, None,  "I",  _NOT),
    ("OV", "Other 64-bit Very Long",    _RAW,  _L32, "\0", _NO,  _ONE,  _NONE, None,  "Q",  _NOT),
    ("OW", "Other Word",                _RAW,  _L32, "\0", _NO,  _ONE,  _NONE, None,  "H",  _NOT),
    ("PN", "Person Name",               _TEXT, _L16, " ",  _YES, _MANY, _BOTH, 64,    "",   _WORDS),
    ("SH", "Short String",              _TEXT, _L16, " ",  _YES, _MANY, _BOTH, 16,    "",   _WORDS),
    ("SL", "Signed Long",               _NUM,  _L16, "\0", _NO,  _MANY, _NONE, 4,     "i",  _PLAIN),
    ("SQ", "Sequence of Items",         _SEQ,  _L32, "",   _NO,  _ONE,  _NONE, None,  "",   _ITEMS),
    ("SS", "Signed Short",              _NUM,  _L16, "\0", _NO,  _MANY, _NONE, 2,     "h",  _PLAIN),
    ("ST", "Short Text",                _TEXT, _L16, " ",  _YES, _ONE,  _END,  1024,  "",   _PROSE),
    ("SV", "Signed 64-bit Very Long",   _NUM,  _L32, "\0", _NO,  _MANY, _NONE, 8,     "q",  _PLAIN),
    ("TM", "Time",                      _TEXT, _L16, " ",  _NO,  _MANY, _BOTH, 14,    "",   _TIMES),
    ("UC", "Unlimited Characters",      _TEXT, _L32, " ",  _YES, _MANY, _END,  None,  "",   _WORDS),
    ("UI", "Unique Identifier",         _TEXT, _L16, "\0", _NO,  _MANY, _BOTH, 64,    "",   _UIDS),
    ("UL", "Unsigned Long",             _NUM,  _L16, "\0", _NO,  _MANY, _NONE, 4,     "I",  _PLAIN),
    ("UN", "Unknown",                   _RAW,  _L32, "\0", _NO,  _ONE,  _NONE, None,  "B",  _NOT),
    ("UR", "URI or URL",                _TEXT, _L32, " ",  _NO,  _ONE,  _END,  None,  "",   _PROSE),
    ("US", "Unsigned Short",            _NUM,  _L16, "\0", _NO,  _MANY, _NONE, 2,     "H",  _PLAIN),
    ("UT", "Unlimited Text",            _TEXT, _L32, " ",  _YES, _ONE,  _END,  None,  "",   _PROSE),
    ("UV", "Unsigned 64-bit Very Long", _NUM,  _L32, "\0", _NO,  _MANY, _NONE, 8,     "Q",  _PLAIN),
)
# fmt: on

VALUE_REPRESENTATIONS = tuple(ValueRepresentation(*row) for row in _ROWS)
"""The value representations, one row each."""

VR: dict[str, ValueRepresentation] = {row.vr: row for row in VALUE_REPRESENTATIONS}
"""The rows by the VR's two letters."""

DICTIONARY_CHOICES = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}
"""The VRs of the dictionary that depend on other attributes, and ours where nothing else tells."""
