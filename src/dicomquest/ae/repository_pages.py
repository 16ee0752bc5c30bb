"""The pages of a Repository Query as one run of matches (PS3.4 C.6.4)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from dicomquest.dataset.codec import decode
from dicomquest.errors import DataSetError, QueryFailedError
from dicomquest.standard import statuses
from dicomquest.standard.statuses import in_words
from dicomquest.standard.tags import RECORD_KEY

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.dimse.commands import Response

T = TypeVar("T")


class LastIdentifier:
    """The bytes of the last match that came, and their transfer syntax."""

    def __init__(self) -> None:
        self.data_set, self.transfer_syntax = b"", ""

    def take(self, data_set: bytes, transfer_syntax: str) -> None:
        """Note a match."""
        self.data_set, self.transfer_syntax = data_set, transfer_syntax

    def record_key(self) -> bytes | None:
        """Return the key of its record; None if it has none."""
        try:
            element = decode(self.data_set, self.transfer_syntax).get(RECORD_KEY)
        except DataSetError:
            return None
        value = element.values[0] if element is not None and element.values else None
        return value if isinstance(value, bytes) else None


def matches_of_pages(
    ask: Callable[[Dataset, LastIdentifier], Generator[T, Any, Response | None]],
    identifier: Dataset,
    size: int | None,
) -> Iterator[T]:
    """Give the matches of all pages; QueryFailedError if the peer has more than it gives.

    ``ask`` asks for one page, notes its last match, and returns the final response.
    """
    asked = deepcopy(identifier)
    if "RecordKey" not in asked:
        asked.RecordKey = b""
    if size is not None:
        asked.MaximumNumberOfRecords = size
    while True:
        last = LastIdentifier()
        final = yield from ask(asked, last)
        if final is None or final.status != statuses.RESPONSE_LIMIT_REACHED:
            return
        key, before = last.record_key(), asked.get("PriorRecordKey")
        if key is None or key == before:
            code, words = final.status, in_words(final.status, statuses.REPOSITORY_STATUSES)
            message = f"the peer has more records ({words}), but gave no new key to go on from"
            raise QueryFailedError(message, status=code, comment=final.error_comment)
        asked.PriorRecordKey = key
