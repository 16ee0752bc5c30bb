"""The counts of a retrieve, its failed instances, and its final status (PS3.4 C.4.2.1.4.2 to 9)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Final

from dicomquest.dataset.elements import Element
from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import SubOperations
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard import statuses
from dicomquest.standard.levels import Level
from dicomquest.standard.statuses import C_STORE_STATUSES, StatusClass, status_class
from dicomquest.standard.tags import FAILED_SOP_INSTANCE_UID_LIST

MOST_COUNTED: Final = 0xFFFF
"""The largest count of a response, a US: larger ones are sent as this."""

LONGEST_LIST: Final = 0xFFFE
"""Bytes of a list of UIDs in Explicit VR, whose length has 16 bits."""


class Outcome(Enum):
    """The outcomes of a sub-operation."""

    COMPLETED = "completed"
    FAILED = "failed"
    WARNING = "warning"


def outcome_of(status: int) -> Outcome:
    """Return how a C-STORE response counts (PS3.7 Annex C)."""
    if status == statuses.SUCCESS:
        return Outcome.COMPLETED
    match status_class(status, C_STORE_STATUSES):
        case StatusClass.SUCCESS:
            return Outcome.COMPLETED
        case StatusClass.WARNING:
            return Outcome.WARNING
        case _:
            return Outcome.FAILED


class Progress:
    """The sub-operations of one retrieve, counted; ``total`` is their number."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.counts = Counter[Outcome]()
        self.bytes_sent = 0
        self.sent: dict[StudyOfPatient, Counter[str]] = {}
        self._failed_uids: list[str] = []
        self._list_length = 0

    @property
    def remaining(self) -> int:
        """The sub-operations that have no outcome yet."""
        return max(self.total - self.counts.total(), 0)

    def fail(self, sop_instance_uid: str) -> None:
        """Count a sub-operation that failed."""
        self.counts[Outcome.FAILED] += 1
        length = len(sop_instance_uid) + 1
        if self._list_length + length <= LONGEST_LIST + 1:
            self._failed_uids.append(sop_instance_uid)
            self._list_length += length
        else:
            # No UID follows one that was left out: what there is, is the beginning.
            self._list_length = LONGEST_LIST + 1

    def send(self, outcome: Outcome, belongs_to: StudyOfPatient, sop_class_uid: str) -> None:
        """Count an instance that the destination has taken, with a warning or without."""
        self.counts[outcome] += 1
        self.sent.setdefault(belongs_to, Counter())[sop_class_uid] += 1

    def touch(self, study: StudyOfPatient) -> None:
        """Note that some bytes of a study went out, though no instance of it may be whole."""
        self.sent.setdefault(study, Counter())

    def fail_rest(self) -> None:
        """Count what was not tried as failed: a final failure has no Remaining."""
        self.counts[Outcome.FAILED] += self.remaining

    @property
    def is_list_full(self) -> bool:
        """Tell whether the list of failed instances has no room for one more."""
        return self._list_length > LONGEST_LIST

    @property
    def is_list_cut(self) -> bool:
        """Tell whether the list of failed instances has no room for all of them."""
        return len(self._failed_uids) < self.counts[Outcome.FAILED]

    def status(self) -> int:
        """Return the final status by the outcomes (PS3.4 C.4.2.2.1, C.4.3.2)."""
        failed, warning = self.counts[Outcome.FAILED], self.counts[Outcome.WARNING]
        if not failed and not warning:
            return statuses.SUCCESS
        if failed and failed == self.counts.total():
            return statuses.CANNOT_PERFORM_SUB_OPERATIONS
        return statuses.SUB_OPERATIONS_FAILED

    def sub_operations(self, status: int) -> SubOperations:
        """Return the counts of a response; only Pending and Cancel have what remains."""
        remains = status in {statuses.PENDING, statuses.CANCEL}
        return SubOperations(
            min(self.remaining, MOST_COUNTED) if remains else None,
            *(min(self.counts[each], MOST_COUNTED) for each in Outcome),
        )

    def failed_list(self, transfer_syntax_uid: str) -> bytes | None:
        """Return the identifier of the final response; None if no instance failed."""
        if not self._failed_uids:
            return None
        failed = Element("UI", tuple(self._failed_uids))
        return encode({FAILED_SOP_INSTANCE_UID_LIST: failed}, transfer_syntax_uid)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A retrieve for its log line, the metrics and the audit trail.

    ``level`` and ``total`` are None before they are known, ``destination`` is empty for C-GET.
    """

    level: Level | None = None
    destination: str = ""
    destination_address: str = ""
    progress: Progress | None = None
