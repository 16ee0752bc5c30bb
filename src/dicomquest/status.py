"""The status codes of the C-ECHO, C-FIND, C-GET, C-MOVE and C-STORE services (PS3.7 C).

Each table maps a code to its category, such as ``"Failure"``, and its meaning, as in pynetdicom.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Never

from dicomquest.absent_names import no_name
from dicomquest.standard.statuses import (
    C_FIND_STATUSES,
    C_GET_STATUSES,
    C_MOVE_STATUSES,
    C_STORE_STATUSES,
    GENERAL_STATUSES,
    REPOSITORY_STATUSES,
    Status,
    StatusClass,
    find_status,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

STATUS_SUCCESS = "Success"
STATUS_PENDING = "Pending"
STATUS_CANCEL = "Cancel"
STATUS_WARNING = "Warning"
STATUS_FAILURE = "Failure"
STATUS_UNKNOWN = "Unknown"

_CATEGORIES = {
    StatusClass.SUCCESS: STATUS_SUCCESS,
    StatusClass.PENDING: STATUS_PENDING,
    StatusClass.CANCEL: STATUS_CANCEL,
    StatusClass.WARNING: STATUS_WARNING,
    StatusClass.FAILURE: STATUS_FAILURE,
}

# PS3.7 Annex C, by the first digits: what no table of a service has.
_CATEGORIES_BY_DIGIT = {0xA: STATUS_FAILURE, 0xB: STATUS_WARNING, 0xC: STATUS_FAILURE}

StatusTable = dict[int, tuple[str, str]]


def _table(rows: Iterable[Status], more: StatusTable | None = None) -> StatusTable:
    codes = {
        code: (_CATEGORIES[row.status_class], row.meaning)
        for row in rows
        for code in range(row.first, row.last + 1)
    }
    return codes | (more or {})


_CANCEL: StatusTable = {0xFE00: (STATUS_CANCEL, "Terminated due to cancel request")}

GENERAL_STATUS = _table(GENERAL_STATUSES, _CANCEL)
VERIFICATION_SERVICE_CLASS_STATUS = GENERAL_STATUS
STORAGE_SERVICE_CLASS_STATUS = _table(C_STORE_STATUSES, _CANCEL)

# With the two of Repository Query (PS3.4 C.6.4.3).
QR_FIND_SERVICE_CLASS_STATUS = _table(REPOSITORY_STATUSES)
# With those of Composite Instance Root Retrieve (PS3.4 Y.4).
_OF_INSTANCE: StatusTable = {
    0xAA00: (STATUS_FAILURE, "None of the frames requested were found"),
    0xAA01: (STATUS_FAILURE, "Unable to create new object for this SOP class"),
    0xAA02: (STATUS_FAILURE, "Unable to extract frames"),
    0xAA03: (STATUS_FAILURE, "Time-based request for an instance that is not time-based"),
    0xAA04: (STATUS_FAILURE, "Invalid request"),
}
QR_GET_SERVICE_CLASS_STATUS = _table(C_GET_STATUSES, _OF_INSTANCE)
QR_MOVE_SERVICE_CLASS_STATUS = _table(C_MOVE_STATUSES, _OF_INSTANCE)
MODALITY_WORKLIST_SERVICE_CLASS_STATUS = _table(C_FIND_STATUSES)
SUBSTANCE_ADMINISTRATION_SERVICE_CLASS_STATUS = _table(C_FIND_STATUSES)

# PS3.4 Q.2.1.1.4 has no other of Cxxx, and one Pending status.
RELEVANT_PATIENT_SERVICE_CLASS_STATUS = _table(
    GENERAL_STATUSES,
    {
        **_CANCEL,
        0xA700: (STATUS_FAILURE, "Refused: out of resources"),
        0xA900: (STATUS_FAILURE, "Error: identifier does not match SOP class"),
        0xC000: (STATUS_FAILURE, "Failed: unable to process"),
        0xC100: (STATUS_FAILURE, "More than one match found"),
        0xC200: (STATUS_FAILURE, "Unable to support the requested template"),
        0xFF00: (STATUS_PENDING, "The current match is supplied"),
    },
)


def code_to_status(code: int) -> Dataset:
    """Return a Dataset with this Status; ValueError for no code."""
    from pydicom.dataset import Dataset  # noqa: PLC0415  nothing else here needs it

    if code < 0:
        raise ValueError(f"{code!r} is no status code: expected a number from 0 to 65535")
    status = Dataset()
    status.Status = code
    return status


def code_to_category(code: int) -> str:
    """Return the category of a status code, "Unknown" if it has none; ValueError for no code."""
    if code < 0:
        raise ValueError(f"{code!r} is no status code: expected a number from 0 to 65535")
    row = find_status(code)
    if row is not None:
        return _CATEGORIES[row.status_class]
    if code == 1:
        return STATUS_WARNING
    return _CATEGORIES_BY_DIGIT.get(code >> 12, STATUS_UNKNOWN)


def __getattr__(name: str) -> Never:
    raise no_name(__name__, name)
