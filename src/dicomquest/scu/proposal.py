"""The way to a peer and the time-outs of an SCU, from plain values (PS3.8 7.1.1).

No type of pydicom is needed, so that a command without Datasets starts without pydicom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.scu.peer_address import Peer
from dicomquest.ul.timers import Timeouts

if TYPE_CHECKING:
    import ssl

SCU_ARTIM = 1.0
"""Seconds that a peer gets to close the connection after our A-ABORT; the caller waits for it."""


def peer_at(
    host: str,
    port: int,
    *,
    tls: tuple[ssl.SSLContext, str | None] | None = None,
    bind_address: tuple[str, int] | None = None,
) -> Peer:
    """Return the way to a peer; ValueError for an SSLContext that allows TLS below 1.2.

    ``tls`` is an SSLContext and the name that the peer's certificate must have; ``bind_address`` is
    this end's (address, port).
    """
    if tls is None:
        return Peer(host, port, bind_address=bind_address)
    from dicomquest.services.tls import check_tls

    context, server_hostname = tls
    check_tls(context)
    # Without a name, the host stands in: a certificate that nobody compares is worth nothing.
    return Peer(host, port, context, server_hostname or host, bind_address)


def patience(
    *,
    connection: float | None,
    acse: float | None,
    dimse: float | None,
    network: float | None = 60.0,
    artim: float | None = SCU_ARTIM,
    retrieve: float | None = 600.0,
) -> Timeouts:
    """Return time-outs, by the few in seconds that users know; None waits for ever.

    ``connection`` bounds connecting, ``acse`` association and release, ``dimse`` the wait for a
    response, ``network`` a peer that sends or reads nothing, ``artim`` the end of the connection,
    ``retrieve`` a C-GET or C-MOVE without a response or an instance.
    """
    return Timeouts(
        artim=artim,
        associate_request=acse,
        connect=connection,
        association=acse,
        release=acse,
        first_response=dimse,
        dimse=dimse,
        idle=network,
        pdu=network,
        write=network,
        retrieve=retrieve,
    )
