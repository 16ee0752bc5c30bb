"""The event of a request about a performed procedure step (PS3.4 F.7, PS3.15 A.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dicomquest.standard import statuses

if TYPE_CHECKING:
    from dicomquest.services.request import AssociationInfo, StoredInstance

LONGEST_LOGGED = 128
"""Characters of a peer's UID that are logged."""

CARRIED_OUT = frozenset({statuses.SUCCESS, statuses.ATTRIBUTE_LIST_ERROR})
"""The statuses of requests whose step is stored."""


class StepFinished(NamedTuple):
    """An N-CREATE or N-SET request has its response, or has lost its peer (``status`` None).

    ``instance`` has the study and the patient of a step that was stored. Its words have neither.
    """

    association: AssociationInfo
    service: str
    sop_instance_uid: str
    instance: StoredInstance | None
    status: int | None
    comment: str
    seconds: float

    @property
    def code(self) -> str:
        """The status in hexadecimal, or a dash if there was none."""
        return "-" if self.status is None else f"{self.status:04X}"

    @property
    def uid(self) -> str:
        """The UID for the log: a peer may put anything in its place."""
        return ascii(self.sop_instance_uid[:LONGEST_LOGGED])[1:-1] or "no SOP Instance UID"

    @property
    def reason(self) -> str:
        """The meaning of the status, with the Error Comment."""
        if self.status is None:
            return "ended with its association"
        words = statuses.in_words(self.status, statuses.GENERAL_STATUSES, self.comment)
        return f"ended with {words}"

    def __str__(self) -> str:
        requestor = self.association.requestor
        return (
            f"{self.association.words}: {self.service} of {self.uid} by {requestor.ae_title} at "
            f"{requestor.address} {self.reason}"
        )

    def fields(self) -> dict[str, object]:
        """Return the fields of the log's line."""
        return {
            "event": "step",
            "association": self.association.number,
            "ae": self.association.requestor.ae_title,
            "address": self.association.requestor.address,
            "service": self.service,
            "sop_instance": self.uid,
            "status": self.code,
            "reason": self.reason,
            "milliseconds": round(self.seconds * 1000, 3),
        }
