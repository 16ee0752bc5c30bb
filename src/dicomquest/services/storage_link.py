"""The way of C-STORE sub-operations to the AE that receives them (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from dicomquest.errors import AssociationError
from dicomquest.ul.negotiation import AcceptedContext


class StorageLostError(AssociationError):
    """A sub-operation has no response: its association is lost, or its data set failed midway."""


class SubOperation(NamedTuple):
    """One C-STORE: its presentation context, instance and priority, and what asked for it.

    ``originator`` has the AE title and the Message ID of a C-MOVE, None for a C-GET.
    """

    context_id: int
    sop_instance_uid: str
    priority: int
    originator: tuple[str, int] | None = None


class StoreAnswer(NamedTuple):
    """The status and the Error Comment of a C-STORE response."""

    status: int
    comment: str = ""


Parts = AsyncIterator[tuple[bytes, bool]]
"""A data set in parts, each with whether it is the last one."""


class StorageLink(Protocol):
    """An association on which this side is the Storage SCU."""

    @property
    def contexts(self) -> Sequence[AcceptedContext]:
        """The contexts on which instances may be sent."""

    async def store(self, operation: SubOperation, parts: Parts) -> StoreAnswer:
        """Send an instance and await its response.

        StorageLostError if there is none; AssociationAbortedError if that ends the retrieve, too.
        """

    async def release(self) -> None:
        """End the association in good order, if it was made for the sub-operations."""

    async def abort(self) -> None:
        """End the association now, if it was made for the sub-operations."""
