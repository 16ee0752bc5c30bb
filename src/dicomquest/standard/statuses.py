"""The statuses of each service, one row each (PS3.7 C; PS3.4 Tables B.2-1, C.4-1 to C.4-3)."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class StatusClass(Enum):
    """The class of a status (PS3.7 Annex C)."""

    SUCCESS = "Success"
    PENDING = "Pending"
    CANCEL = "Cancel"
    WARNING = "Warning"
    FAILURE = "Failure"

    @property
    def is_final(self) -> bool:
        """Tell whether no response follows."""
        return self is not StatusClass.PENDING


class Status(NamedTuple):
    """A status, or a range of them; ``fields`` are keywords of command elements that explain it."""

    first: int
    last: int
    status_class: StatusClass
    meaning: str
    fields: tuple[str, ...] = ()


# Codes of the rows below that this program sends itself.
SUCCESS = 0x0000
INVALID_ATTRIBUTE_VALUE = 0x0106
ATTRIBUTE_LIST_ERROR = 0x0107
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_SOP_INSTANCE = 0x0112
INVALID_SOP_INSTANCE = 0x0117
MISSING_ATTRIBUTE = 0x0120
MISSING_ATTRIBUTE_VALUE = 0x0121
SOP_CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORIZED = 0x0124
DUPLICATE_INVOCATION = 0x0210
UNRECOGNIZED_OPERATION = 0x0211
RESOURCE_LIMITATION = 0x0213
OUT_OF_RESOURCES = 0xA700
CANNOT_COUNT_MATCHES = 0xA701
CANNOT_PERFORM_SUB_OPERATIONS = 0xA702
INVALID_PRIOR_RECORD = 0xA710
MOVE_DESTINATION_UNKNOWN = 0xA801
IDENTIFIER_DOES_NOT_MATCH = 0xA900
DATA_SET_DOES_NOT_MATCH = 0xA900
OBJECT_NOT_CREATABLE = 0xAA01
SUB_OPERATIONS_FAILED = 0xB000
RESPONSE_LIMIT_REACHED = 0xB001
CLASS_NOT_TOLD = 0xB007
CANNOT_UNDERSTAND = 0xC000
IDENTIFIER_UNREADABLE = 0xC001
"""Our choice within Cxxx, unable to process: the data set cannot be parsed (QR-170)."""
INDEX_FAILED = 0xC002
"""Our choice within Cxxx: the database failed."""
INCOMPLETE = 0xC003
"""Our choice within Cxxx: an archive behind this one did not answer to its end."""
NO_HANDLER = 0xC310
STORE_HANDLER_FAILED = 0xC211
HANDLER_FAILED = 0xC311
GET_HANDLER_FAILED = 0xC411
MOVE_HANDLER_FAILED = 0xC511
"""Within Cxxx too: the numbers that pynetdicom's users know."""
CANCEL = 0xFE00
PENDING = 0xFF00
PENDING_WITH_UNSUPPORTED_KEYS = 0xFF01

_SUCCESS, _PENDING, _CANCEL, _WARNING, _FAILURE = StatusClass
_COMMENT = ("ErrorComment",)
_ELEMENT = ("OffendingElement", "ErrorComment")
_INSTANCE = ("AffectedSOPClassUID", "AffectedSOPInstanceUID")

# PS3.7 Annex C: these mean the same for every service.
GENERAL_STATUSES: tuple[Status, ...] = (
    Status(0x0000, 0x0000, _SUCCESS, "Success"),
    Status(0x0105, 0x0105, _FAILURE, "No such attribute", ("AttributeIdentifierList",)),
    Status(0x0106, 0x0106, _FAILURE, "Invalid attribute value"),
    Status(0x0107, 0x0107, _WARNING, "Attribute list error", ("AttributeIdentifierList",)),
    Status(0x0110, 0x0110, _FAILURE, "Processing failure", ("ErrorComment", "ErrorID", *_INSTANCE)),
    Status(0x0111, 0x0111, _FAILURE, "Duplicate SOP instance", _INSTANCE),
    Status(0x0112, 0x0112, _FAILURE, "No such SOP instance", _INSTANCE),
    Status(0x0113, 0x0113, _FAILURE, "No such event type"),
    Status(0x0114, 0x0114, _FAILURE, "No such argument"),
    Status(0x0115, 0x0115, _FAILURE, "Invalid argument value"),
    Status(0x0116, 0x0116, _WARNING, "Attribute value out of range"),
    Status(0x0117, 0x0117, _FAILURE, "Invalid SOP instance", _INSTANCE),
    Status(0x0118, 0x0118, _FAILURE, "No such SOP class", ("AffectedSOPClassUID",)),
    Status(0x0119, 0x0119, _FAILURE, "Class-instance conflict", _INSTANCE),
    Status(0x0120, 0x0120, _FAILURE, "Missing attribute", ("AttributeIdentifierList",)),
    Status(0x0121, 0x0121, _FAILURE, "Missing attribute value", ("AttributeIdentifierList",)),
    Status(
        0x0122,
        0x0122,
        _FAILURE,
        "Refused: SOP class not supported",
        ("ErrorComment", "AffectedSOPClassUID"),
    ),
    Status(0x0123, 0x0123, _FAILURE, "No such action type"),
    Status(0x0124, 0x0124, _FAILURE, "Refused: not authorized", _COMMENT),
    Status(0x0210, 0x0210, _FAILURE, "Duplicate invocation"),
    Status(0x0211, 0x0211, _FAILURE, "Unrecognized operation"),
    Status(0x0212, 0x0212, _FAILURE, "Mistyped argument"),
    Status(0x0213, 0x0213, _FAILURE, "Resource limitation"),
)

C_ECHO_STATUSES: tuple[Status, ...] = GENERAL_STATUSES

# PS3.4 Table C.4-1, in front of the general ones.
C_FIND_STATUSES: tuple[Status, ...] = (
    Status(0xA700, 0xA700, _FAILURE, "Refused: out of resources", _COMMENT),
    Status(0xA900, 0xA900, _FAILURE, "Error: identifier does not match SOP class", _ELEMENT),
    Status(0xC000, 0xCFFF, _FAILURE, "Failed: unable to process", _ELEMENT),
    Status(0xFE00, 0xFE00, _CANCEL, "Matching terminated due to cancel request"),
    Status(
        0xFF00,
        0xFF00,
        _PENDING,
        "Matches are continuing: all optional keys supported as the required ones",
    ),
    Status(0xFF01, 0xFF01, _PENDING, "Matches are continuing: an optional key was not supported"),
    *GENERAL_STATUSES,
)

# PS3.4 C.6.4, in front of those of the other C-FIND services.
REPOSITORY_STATUSES: tuple[Status, ...] = (
    Status(0xA710, 0xA710, _FAILURE, "Invalid prior record key", _ELEMENT),
    Status(0xB001, 0xB001, _WARNING, "Matching reached the response limit", _COMMENT),
    *C_FIND_STATUSES,
)

# PS3.4 Table B.2-1, in front of the general ones.
C_STORE_STATUSES: tuple[Status, ...] = (
    Status(0xA700, 0xA7FF, _FAILURE, "Refused: out of resources", _COMMENT),
    Status(0xA900, 0xA9FF, _FAILURE, "Error: data set does not match SOP class", _ELEMENT),
    Status(0xB000, 0xB000, _WARNING, "Coercion of data elements", _ELEMENT),
    Status(0xB006, 0xB006, _WARNING, "Elements discarded", _ELEMENT),
    Status(0xB007, 0xB007, _WARNING, "Data set does not match SOP class", _ELEMENT),
    Status(0xC000, 0xCFFF, _FAILURE, "Error: cannot understand", _ELEMENT),
    *GENERAL_STATUSES,
)

# PS3.4 Tables C.4-2 and C.4-3, in front of the general ones. C-GET never sends A801.
C_MOVE_STATUSES: tuple[Status, ...] = (
    Status(0xA701, 0xA701, _FAILURE, "Refused: cannot calculate the number of matches", _COMMENT),
    Status(0xA702, 0xA702, _FAILURE, "Refused: cannot perform sub-operations", _COMMENT),
    Status(0xA801, 0xA801, _FAILURE, "Refused: move destination unknown", _COMMENT),
    Status(0xA900, 0xA900, _FAILURE, "Error: identifier does not match SOP class", _ELEMENT),
    # Table Y.4-1, of Composite Instance Root alone.
    Status(0xAA01, 0xAA01, _FAILURE, "Failed: unable to create a new object", _COMMENT),
    Status(0xB000, 0xB000, _WARNING, "Sub-operations complete: one or more failures", _COMMENT),
    Status(0xC000, 0xCFFF, _FAILURE, "Failed: unable to process", _ELEMENT),
    Status(0xFE00, 0xFE00, _CANCEL, "Sub-operations terminated due to cancel request"),
    Status(0xFF00, 0xFF00, _PENDING, "Sub-operations are continuing"),
    *GENERAL_STATUSES,
)
C_GET_STATUSES = tuple(row for row in C_MOVE_STATUSES if row.first != MOVE_DESTINATION_UNKNOWN)

# By the first digits, for what no table names (PS3.7 Annex C).
_CLASSES = (
    (0x0000, 0x0000, _SUCCESS),
    (0x0001, 0x0001, _WARNING),
    (0x0100, 0x02FF, _FAILURE),
    (0xA000, 0xAFFF, _FAILURE),
    (0xB000, 0xBFFF, _WARNING),
    (0xC000, 0xCFFF, _FAILURE),
    (0xFE00, 0xFE00, _CANCEL),
    (0xFF00, 0xFF01, _PENDING),
)


def find_status(code: int, statuses: tuple[Status, ...] = C_FIND_STATUSES) -> Status | None:
    """Return the row of a status code, None if it has none."""
    return next((row for row in statuses if row.first <= code <= row.last), None)


def in_words(code: int, statuses: tuple[Status, ...] = C_FIND_STATUSES, comment: str = "") -> str:
    """Return a status as people read it: its code, its meaning, and the Error Comment."""
    row = find_status(code, statuses)
    return f"{code:04X}" + (f", {row.meaning}" if row else "") + (f": {comment}" if comment else "")


def status_class(code: int, statuses: tuple[Status, ...] = C_FIND_STATUSES) -> StatusClass:
    """Return the class of any code; one that no table and no range names is a failure."""
    row = find_status(code, statuses)
    if row is not None:
        return row.status_class
    return next(
        (each for first, last, each in _CLASSES if first <= code <= last), StatusClass.FAILURE
    )
