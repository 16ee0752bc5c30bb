"""A C-STORE request that the peer sends to the requestor, for its C-GET (PS3.4 C.4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dicomquest.dimse.commands import CStoreRQ
from dicomquest.ul.negotiation import AcceptedContext


@dataclass(slots=True, eq=False)
class IncomingStore:
    """A C-STORE request, with the ``parts`` of its data set that have arrived and are not taken.

    ``is_whole`` says that no more parts follow.
    """

    context: AcceptedContext
    command: CStoreRQ
    parts: list[bytes] = field(default_factory=list)
    is_whole: bool = False

    def take_parts(self) -> list[bytes]:
        """Return the parts since the last call."""
        parts, self.parts = self.parts, []
        return parts
