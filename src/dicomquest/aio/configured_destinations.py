"""The destinations of a server, and the associations with them (PS3.4 C.4.2, C.5.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from dicomquest.aio.destination_link import DestinationLink
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import MAXIMUM_LENGTH, UserInformation
from dicomquest.services.move_destinations import Destination, DestinationError
from dicomquest.services.request import AssociationInfo
from dicomquest.services.retrieve_source import Needed
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.ul.negotiation import propose_contexts


class ConfiguredDestinations:
    """Destinations by AE title; a caller may be one itself, where its profile says so."""

    def __init__(self, destinations: Mapping[str, Destination]) -> None:
        self._destinations = destinations
        self._turns = {
            title: asyncio.Semaphore(each.most_associations)
            for title, each in destinations.items()
            if each.most_associations is not None
        }

    def find(self, title: str, asking: AssociationInfo) -> Destination | None:
        """Return the destination of a title; None for an unknown one."""
        found = self._destinations.get(title)
        requestor, port = asking.requestor, asking.profile.caller_port
        if found is None and port is not None and title == requestor.ae_title:
            return Destination(title, requestor.address, port)
        return found

    async def connect(
        self, destination: Destination, own_ae_title: str, needed: Sequence[Needed]
    ) -> DestinationLink:
        """Open an association for these classes; DestinationError says why there is none."""
        rq = AAssociateRQ(
            called_ae_title=destination.ae_title,
            calling_ae_title=own_ae_title,
            presentation_contexts=propose_contexts(proposed(needed, destination)),
            user_information=UserInformation(
                maximum_length=destination.maximum_length or MAXIMUM_LENGTH,
                user_identity_rq=destination.user_identity,
            ),
        )
        turns = self._turns.get(destination.ae_title)
        if turns is not None:
            await turns.acquire()
        free = partial(_free, turns)
        is_connected = False
        try:
            link = await _connected(destination, rq, free)
            is_connected = True
        finally:
            if not is_connected:
                free()
        try:
            await link.established()
        except asyncio.CancelledError:
            link.protocol.drop()
            raise
        return link


async def _connected(
    destination: Destination, rq: AAssociateRQ, on_end: partial[None]
) -> DestinationLink:
    link: DestinationLink | None = None

    def make() -> asyncio.Protocol:
        nonlocal link
        link = DestinationLink(destination, rq, on_end)
        return link.protocol

    tls = destination.ssl_context
    place = f"{destination.ae_title} at {destination.host} port {destination.port}"
    try:
        async with asyncio.timeout(destination.timeouts.connect):
            await asyncio.get_running_loop().create_connection(
                make,
                destination.host,
                destination.port,
                ssl=tls,
                server_hostname=None if tls is None else destination.host,
            )
    except (OSError, ValueError, LocalProtocolError) as error:  # ValueError: no host name
        # A TimeoutError of asyncio has no words.
        reason = str(error) or "timed out"
        raise DestinationError(f"no connection to {place}: {reason}") from error
    assert link is not None  # noqa: S101  the loop made it
    return link


def _free(turns: asyncio.Semaphore | None) -> None:
    if turns is not None:
        turns.release()


def proposed(
    needed: Sequence[Needed], destination: Destination
) -> Iterator[tuple[str, Sequence[str]]]:
    """Give the contexts of each class: one for each stored transfer syntax, one uncompressed.

    Each stored syntax stands alone, because an acceptor chooses one of several as it likes. Some
    acceptors keep one transfer syntax for a whole association: they are offered ``only`` that.
    """
    uncompressed = tuple(
        dict.fromkeys(
            (*destination.preferred, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
        )
    )
    for each in needed:
        for stored in () if destination.only else each.transfer_syntax_uids:
            yield each.sop_class_uid, (stored,)
        yield each.sop_class_uid, destination.only or uncompressed
