"""The instances of a retrieve, as the one sending engine takes them (PS3.4 C.4.2, C.4.3).

Files of the index and data sets of handlers go the same way: a source tells their number first,
then gives them in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from dicomquest.errors import DicomquestError


class StudyOfPatient(NamedTuple):
    """The study that an instance belongs to, for the audit trail; empty where it is not known."""

    study_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""


class Sendable(Protocol):
    """An instance that is open to be sent: a stored file, or a handler's data set."""

    @property
    def sop_class_uid(self) -> str:
        """The SOP class of its data set."""

    @property
    def transfer_syntax_uid(self) -> str:
        """The transfer syntax of its data set as it is."""

    def pieces(self, transfer_syntax_uid: str) -> Iterator[bytes]:
        """Return the data set in a transfer syntax, in pieces of bounded size.

        StoredInstanceError if it cannot be had in this syntax, or fails meanwhile.
        """

    def close(self) -> None:
        """Let go of its file."""


class Selected(Protocol):
    """An instance that was selected, which the engine opens when its turn comes."""

    @property
    def sop_class_uid(self) -> str:
        """Its SOP class."""

    @property
    def sop_instance_uid(self) -> str:
        """Its SOP Instance UID, which the list of failed ones names."""

    @property
    def belongs_to(self) -> StudyOfPatient:
        """Its study."""

    def open(self) -> Sendable:
        """Open it, in any thread; StoredInstanceError says why that is not possible."""


class SourceEndedError(DicomquestError):
    """A source ends its retrieve early by a final status: a handler may do so."""

    def __init__(self, status: int, comment: str = "", failed_uids: Sequence[str] = ()) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment
        self.failed_uids = tuple(failed_uids)


@dataclass(frozen=True, slots=True)
class Needed:
    """A SOP class with the transfer syntaxes that its instances are stored in."""

    sop_class_uid: str
    transfer_syntax_uids: tuple[str, ...]


class InstanceSource(Protocol):
    """The instances of one retrieve; all of it runs in the event loop's thread.

    ``next`` may raise SourceEndedError, and what the source's database raises.
    """

    async def count(self) -> int:
        """Return the number of sub-operations; before the first ``next``."""

    def needed(self) -> Sequence[Needed]:
        """Return the classes with their transfer syntaxes, known after ``count``."""

    async def next(self) -> Sequence[Selected]:
        """Return the next instances in their order; none at the end, then from the first again."""

    def give_up(self) -> None:
        """Note that nothing more is sent: ``next`` only names the instances that are left."""

    def close(self) -> None:
        """End the source, however far it got."""
