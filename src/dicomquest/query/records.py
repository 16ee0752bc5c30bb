"""The records of a Repository Query: their keys, their order, and where it goes on (PS3.4 C.6.4).

A record is the row of an entity in one index. Its key is ASCII: digits of the index, the level, and
the row's number in 16 hexadecimal digits, so that keys ascend as the numbers do. A key of another
index or level is no key here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.errors import IdentifierError
from dicomquest.standard import statuses
from dicomquest.standard.tags import (
    MAXIMUM_NUMBER_OF_RECORDS,
    PRIOR_RECORD_KEY,
    RECORD_KEY,
    REMOVED_FROM_OPERATIONAL_USE,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element
    from dicomquest.standard.levels import Level

_DIGITS_OF_INDEX = 12
_NUMBER = re.compile(r"[0-9a-f]{16}")
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Records:
    """The part of the records that a query wants: after a row, and no more than ``most``.

    ``prefix`` is what all keys of the index and the level begin with; ``is_returned`` says that
    responses have keys, ``tells_use`` that they say whether an entity is in operational use.
    """

    prefix: str
    is_returned: bool = False
    after: int | None = None
    most: int | None = None
    tells_use: bool = False

    @property
    def are_ordered(self) -> bool:
        """Tell whether the responses ascend by their keys."""
        return self.is_returned or self.after is not None


class RecordRequest(NamedTuple):
    """The elements of an identifier that are about records, and no keys."""

    is_returned: bool = False
    prior: bytes | None = None
    most: int | None = None
    removed: str | None = None


def take_records(data_set: DataSet) -> tuple[DataSet, RecordRequest]:
    """Return the keys of an identifier, and apart from them what it says of records.

    IdentifierError (A900) for a number of records or a flag that is none. A RecordKey is never
    matched.
    """
    keys = dict(data_set)
    key, prior = keys.pop(RECORD_KEY, None), keys.pop(PRIOR_RECORD_KEY, None)
    most = keys.pop(MAXIMUM_NUMBER_OF_RECORDS, None)
    removed = keys.pop(REMOVED_FROM_OPERATIONAL_USE, None)
    return keys, RecordRequest(
        key is not None, _bytes(prior), _number(most), None if removed is None else _flag(removed)
    )


def _bytes(element: Element | None) -> bytes | None:
    """Return the value of a key; None without one, as at the first page."""
    if element is None or not element.values:
        return None
    value = element.values[0]
    found = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    return found or None


def _number(element: Element | None) -> int | None:
    if element is None or not element.values:
        return None
    value = element.values[0]
    if isinstance(value, bytes):
        value = int.from_bytes(value, "little")
    if not isinstance(value, int) or len(element.values) != 1 or value < 1:
        raise IdentifierError(
            statuses.IDENTIFIER_DOES_NOT_MATCH,
            "MaximumNumberOfRecords: expected one number from 1 on",
            (MAXIMUM_NUMBER_OF_RECORDS,),
        )
    return value


def _flag(element: Element) -> str:
    values = [str(value) for value in element.values if value not in {"", "*"}]
    if values not in ([], ["Y"], ["N"]):
        raise IdentifierError(
            statuses.IDENTIFIER_DOES_NOT_MATCH,
            "RemovedFromOperationalUse: expected Y or N",
            (REMOVED_FROM_OPERATIONAL_USE,),
        )
    return "".join(values)


def records_of(
    request: RecordRequest, index_identity: str, level: Level, result_limit: int | None
) -> Records:
    """Return the records that a request wants of an index, by the limits of both sides.

    IdentifierError (A710) for a prior key that is none of this index and level.
    """
    prefix = f"{index_identity[:_DIGITS_OF_INDEX]:0<{_DIGITS_OF_INDEX}}{level:02d}"
    limits = [each for each in (request.most, result_limit) if each is not None]
    after = None if request.prior is None else _row(request.prior, prefix)
    # Nothing in an index is removed from operational use, so nothing comes behind its last row.
    return Records(
        prefix,
        is_returned=request.is_returned,
        after=_LARGEST if request.removed == "Y" else after,
        most=min(limits, default=None),
        tells_use=request.removed is not None,
    )


def _row(key: bytes, prefix: str) -> int:
    # An odd number of bytes would have been padded.
    text = key.decode("latin-1").rstrip("\0")
    number = text.removeprefix(prefix)
    if text.startswith(prefix) and _NUMBER.fullmatch(number) and int(number, 16) <= _LARGEST:
        return int(number, 16)
    raise IdentifierError(
        statuses.INVALID_PRIOR_RECORD,
        "PriorRecordKey is no key of this index and level",
        (PRIOR_RECORD_KEY,),
    )
