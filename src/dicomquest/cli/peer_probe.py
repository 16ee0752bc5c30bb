"""A second look at a peer that gave no association: the protocol and services that it has."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Protocol

from dicomquest.cli.own_identity import negotiation_items
from dicomquest.standard.models import (
    MODALITY_WORKLIST,
    MODELS,
    NON_PATIENT_MODELS,
    REPOSITORY_QUERY,
)
from dicomquest.standard.sop_classes import VERIFICATION

if TYPE_CHECKING:
    from dicomquest.pdu.user_information import UserIdentityRQ


class Reach(Protocol):
    """The way to a peer, as the settings of a command have it."""

    @property
    def aec(self) -> str:
        """The AE title of the peer."""

    @property
    def aet(self) -> str:
        """Our own AE title."""

    @property
    def connection_timeout(self) -> float:
        """The seconds to wait for the connection."""

    @property
    def acse_timeout(self) -> float:
        """The seconds to wait for the answer to an association request."""

    @property
    def tls_cert(self) -> str | None:
        """The file of our certificate."""

    def user_identity(self) -> UserIdentityRQ | None:
        """Return our user identity; None for none."""

    def tls_context(self) -> ssl.SSLContext | None:
        """Return None for a connection without TLS."""


LONGEST = 3.0
"""Seconds that a probe waits at most: it only makes the message of a failure better."""

_REQUEST = b"GET / HTTP/1.0\r\n\r\n"
_MOST_CONTEXTS = 128


def patience(settings: Reach) -> float:
    """Return the seconds that a probe waits for this peer."""
    return min(LONGEST, settings.acse_timeout, settings.connection_timeout)


def speaks_http(host: str, port: int, seconds: float) -> bool:
    """Tell whether the peer answers HTTP (RFC 9112)."""
    with suppress(OSError), closing(socket.create_connection((host, port), seconds)) as probe:
        probe.sendall(_REQUEST)
        return _read(probe, 5) == b"HTTP/"
    return False


def speaks_tls(host: str, port: int, seconds: float) -> bool:
    """Tell whether the peer answers a TLS handshake, with whatever certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            closing(socket.create_connection((host, port), seconds)) as probe,
            closing(context.wrap_socket(probe, server_hostname=host)),
        ):
            return True
    except ssl.SSLError as error:
        # An alert is an answer; the other words are those of bytes that are no TLS.
        return "ALERT" in str(error.reason)
    except (OSError, ValueError):
        return False


def speaks_plainly(host: str, port: int, settings: Reach) -> bool:
    """Tell whether the peer answers an association request that comes without TLS."""
    from dicomquest.ae.entity import AE
    from dicomquest.standard.sop_classes import VERIFICATION

    ae = AE(settings.aet)
    ae.connection_timeout = ae.acse_timeout = patience(settings)
    ae.add_requested_context(VERIFICATION.uid)
    association = ae.associate(host, port, ae_title=settings.aec)
    if association.is_established:
        association.release()
        return True
    return association.is_rejected


def accepted_services(host: str, port: int, settings: Reach) -> frozenset[str]:
    """Return the abstract syntaxes that the peer accepts, of those that archives have."""
    from dicomquest.ae.entity import AE
    from dicomquest.services.contexts import build_context
    from dicomquest.services.storage_classes import stored_sop_classes
    from dicomquest.standard.transfer_syntaxes import (
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
    )

    uids = (*SERVICES, *stored_sop_classes())[:_MOST_CONTEXTS]
    syntaxes = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]
    ae = AE(settings.aet)
    ae.connection_timeout, ae.acse_timeout = settings.connection_timeout, settings.acse_timeout
    tls = settings.tls_context()
    association = ae.associate(
        host, port, [build_context(uid, syntaxes) for uid in uids], ae_title=settings.aec,
        tls_args=None if tls is None else (tls, host),
        ext_neg=negotiation_items(settings.user_identity()),
    )  # fmt: skip
    if not association.is_established:
        return frozenset()
    accepted = frozenset(str(context.abstract_syntax) for context in association.accepted_contexts)
    association.release()
    return accepted


SERVICES = {
    VERIFICATION.uid: "Verification",
    **{model.uid: f"Find under {model.words}" for model in MODELS},
    **{model.move_uid: f"Move under {model.words}" for model in MODELS},
    **{model.get_uid: f"Get under {model.words}" for model in MODELS},
    **{model.uid: f"Find of {model.entities}" for model in NON_PATIENT_MODELS},
    REPOSITORY_QUERY.uid: REPOSITORY_QUERY.words,
    MODALITY_WORKLIST.uid: MODALITY_WORKLIST.words,
    "1.2.840.10008.1.20.1": "Storage Commitment",
    "1.2.840.10008.3.1.2.3.3": "Modality Performed Procedure Step",
}
"""Services by abstract syntax, in the words of a message; all others are Storage (PS3.4 B.5)."""


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := connection.recv(size - len(data))):
        data += part
    return data
