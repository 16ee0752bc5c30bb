"""The routes of instances: back over the association of a C-GET, or to a C-MOVE's destination.

PS3.4 C.5.2 and C.5.3 say which presentation contexts they need.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from dicomquest.pdu.items import MAXIMUM_CONTEXTS
from dicomquest.services.move_destinations import Destination, DestinationError, Destinations
from dicomquest.services.request import ServiceRequest
from dicomquest.services.retrieve_source import Needed, Selected
from dicomquest.services.storage_link import StorageLink

LOGGER = logging.getLogger("dicomquest.retrieve")

PAUSE_BEFORE_RETRY: Final = 1.0
"""Seconds before a destination is tried again: a program that restarts is back by then, or not."""

MOST_LOST: Final = 2
"""Storage associations that may be lost; after the first one the retrieve opens another."""


class OwnRoute:
    """The association that the C-GET came on (PS3.4 C.5.3)."""

    passes = 1

    def __init__(self, request: ServiceRequest) -> None:
        self._request = request
        self._link = request.channel.storage_link(request)
        if not self._link.contexts:
            LOGGER.warning(
                "association %d: %s has no presentation context of a storage class with the SCP "
                "role (54H), so nothing can be sent to it; if it proposes such contexts without "
                "role selection, assume-roles in its table [peers.TITLE] helps",
                request.association.number,
                request.association.requestor.ae_title,
            )

    def takes(self, number: int, selected: Selected) -> bool:
        """Send all instances in the one pass."""
        del number, selected
        return True

    async def link(self, number: int) -> StorageLink:
        """Return the association."""
        del number
        self._request.check_association()
        return self._link

    async def lose(self, *, by_us: bool) -> None:
        """Do nothing: without the association the retrieve has ended."""

    async def end(self, *, is_orderly: bool) -> None:
        """Leave the association to its requestor."""


class DestinationRoute:
    """Associations to a destination, one after the other (PS3.4 C.5.2)."""

    def __init__(
        self,
        request: ServiceRequest,
        destinations: Destinations,
        destination: Destination,
        needed: Sequence[Needed],
    ) -> None:
        """Send to a destination, by the AE title that the request was addressed to."""
        self._cancelled = asyncio.Event()
        request.on_cancel(self._cancelled.set)
        self._destinations = destinations
        self._destination = destination
        self._own_ae_title = destination.own_ae_title or request.association.acceptor.ae_title
        self._groups = grouped(needed)
        self._classes = [frozenset(each.sop_class_uid for each in group) for group in self._groups]
        self._link: StorageLink | None = None
        self._number = 0
        self._lost = 0

    @property
    def passes(self) -> int:
        """The number of associations that the classes need."""
        return len(self._groups)

    def takes(self, number: int, selected: Selected) -> bool:
        """Tell whether the class of an instance has contexts on the association of this pass."""
        return selected.sop_class_uid in self._classes[number]

    async def link(self, number: int) -> StorageLink:
        """Return the association of a pass; DestinationError if there is none."""
        if self._link is not None and self._number != number:
            link, self._link = self._link, None
            await link.release()
        if self._link is None:
            if self._lost >= MOST_LOST:
                raise DestinationError(
                    f"the association with {self._destination.ae_title} was lost again"
                )
            self._link, self._number = await self._connect(self._groups[number]), number
        return self._link

    async def _connect(self, needed: Sequence[Needed]) -> StorageLink:
        """Connect, and once more if that fails; a cancelled request waits no longer."""
        connecting = asyncio.ensure_future(self._connect_twice(needed))
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({connecting, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelled.cancel()
            if not connecting.done():
                connecting.cancel()
        try:
            return await connecting
        except asyncio.CancelledError:
            if self._cancelled.is_set():
                raise DestinationError("the retrieve was cancelled") from None
            raise

    async def _connect_twice(self, needed: Sequence[Needed]) -> StorageLink:
        connect = self._destinations.connect
        try:
            return await connect(self._destination, self._own_ae_title, needed)
        except DestinationError as error:
            LOGGER.info("%s; once more", error)
        await asyncio.sleep(PAUSE_BEFORE_RETRY)
        return await connect(self._destination, self._own_ae_title, needed)

    async def lose(self, *, by_us: bool) -> None:
        """Note that the association is lost; if it was not ``by_us``, there is one more at most."""
        link, self._link = self._link, None
        self._lost += not by_us
        if link is not None:
            await link.abort()

    async def end(self, *, is_orderly: bool) -> None:
        """Release the association, or abort it where a message may be cut off."""
        link, self._link = self._link, None
        if link is not None:
            await (link.release() if is_orderly else link.abort())


def grouped(needed: Sequence[Needed]) -> list[list[Needed]]:
    """Return the classes in groups that need no more contexts than an association has.

    A class takes a context for each of its transfer syntaxes, and one for uncompressed instances.
    """
    groups: list[list[Needed]] = [[]]
    used = 0
    for each in needed:
        size = len(each.transfer_syntax_uids) + 1
        if groups[-1] and used + size > MAXIMUM_CONTEXTS:
            groups.append([])
            used = 0
        groups[-1].append(each)
        used += size
    return groups
