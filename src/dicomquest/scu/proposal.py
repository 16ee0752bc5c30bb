"""What an SCU goes to its peer with, from plain values: the way there, the request, the time-outs (PS3.8 7.1.1).

It does without pydicom's types, so that a command which needs none of them starts without pydicom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.scu.requestor import Peer
from dicomquest.ul.timers import Timeouts

if TYPE_CHECKING:
    import ssl

SCU_ARTIM = 1.0
"""Seconds that a peer gets to close the connection after our A-ABORT: whoever called waits for it."""


def peer_at(
    host: str,
    port: int,
    *,
    tls: tuple[ssl.SSLContext, str | None] | None = None,
    bind_address: tuple[str, int] | None = None,
) -> Peer:
    """Say how to reach a peer; ``tls`` is the SSLContext and the name that its certificate must have."""
    if tls is None:
        return Peer(host, port, bind_address=bind_address)
    from dicomquest.services.tls import check_tls

    context, server_hostname = tls
    check_tls(context)
    # Without a name a certificate cannot be checked against one: then it is the address that is checked.
    return Peer(host, port, context, server_hostname or host, bind_address)


def patience(
    *,
    connection: float | None,
    acse: float | None,
    dimse: float | None,
    network: float | None = 60.0,
    artim: float | None = SCU_ARTIM,
) -> Timeouts:
    """Time-outs by the few that users know, in seconds; None waits for ever."""
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
    )
