"""The destinations that a C-MOVE may name, and the way to them (PS3.4 C.4.2, C.5.2)."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dicomquest.errors import AssociationError
from dicomquest.pdu.user_information import UserIdentityRQ
from dicomquest.services.request import AssociationInfo
from dicomquest.services.retrieve_source import Needed
from dicomquest.services.storage_link import StorageLink
from dicomquest.ul.timers import Timeouts


class DestinationError(AssociationError):
    """The destination of a C-MOVE cannot be reached, or not any more."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An AE that instances may be sent to, and how it is reached.

    - ``ae_title`` is the title that it is called by, ``own_ae_title`` that of this side on the way
      to it; None for the one to which the request was addressed.
    - ``preferred`` are transfer syntaxes that it is offered first for what is not compressed;
      ``only`` are those that it is offered alone, if there are any.
    - ``most_associations`` may be open at a time; further retrieves wait for their turn.
    """

    ae_title: str
    host: str
    port: int
    own_ae_title: str | None = None
    preferred: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    most_associations: int | None = None
    user_identity: UserIdentityRQ | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = None
    maximum_length: int | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)


class Destinations(Protocol):
    """The destinations that a C-MOVE may name."""

    def find(self, title: str, asking: AssociationInfo) -> Destination | None:
        """Return the destination of a title; None for an unknown one."""

    async def connect(
        self, destination: Destination, own_ae_title: str, needed: Sequence[Needed]
    ) -> StorageLink:
        """Open an association for these classes; DestinationError says why there is none."""


@dataclass(frozen=True, slots=True)
class NoDestinations:
    """No destinations at all: every title is unknown."""

    def find(self, title: str, asking: AssociationInfo) -> Destination | None:
        """Know no title."""
        del title, asking
        return None

    async def connect(
        self, destination: Destination, own_ae_title: str, needed: Sequence[Needed]
    ) -> StorageLink:
        """Reach nobody."""
        del own_ae_title, needed
        raise DestinationError(f"{destination.ae_title} cannot be reached from here")
