"""The events of stored data that a person looked at, or took out as a table (PS3.15 A.5.3.4, 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.services.request import AssociationInfo
    from dicomquest.services.retrieve_source import StudyOfPatient


class InstancesAccessed(NamedTuple):
    """A person was shown something of one study.

    ``shown`` says what: a study, a header. ``sop_class_uid`` is that of a single instance.
    """

    association: AssociationInfo
    shown: str
    study: StudyOfPatient
    sop_class_uid: str = ""

    def __str__(self) -> str:
        requestor = self.association.requestor
        return (
            f"{self.association.words}: {self.shown} shown to {requestor.ae_title} at "
            f"{requestor.address}"
        )

    def fields(self) -> dict[str, object]:
        """Return the fields of the log's line."""
        association = self.association
        return {
            "event": "access",
            "request" if association.is_http else "association": association.number,
            "ae": association.requestor.ae_title,
            "address": association.requestor.address,
            "shown": self.shown,
        }


class StudiesExported(NamedTuple):
    """Attributes of some studies went out in a file of this name, which may have more of them."""

    association: AssociationInfo
    file: str
    studies: Sequence[StudyOfPatient]
