"""What ``find`` and ``echo`` have in common: how to reach the peer, and what to say when that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dicomquest.cli.shared_options import FILE, SECONDS, ae_title, client_tls, setting

if TYPE_CHECKING:
    import ssl

    from dicomquest.scu.requestor import Requestor
    from dicomquest.sync import Association

FAILED = 1
"""The exit status when the peer refused or failed; a wrong command line is click's 2."""

INTERRUPTED = 130
"""The exit status after Ctrl-C: what shells make of SIGINT."""

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian, for identifiers (PS3.5 10)."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """How to reach a peer; an option each."""

    aec: str = setting("ANY-SCP", "The AE title to call.", type=ae_title, metavar="TITLE")
    aet: str = setting("DICOMQUEST", "The AE title to call from.", type=ae_title, metavar="TITLE")
    connection_timeout: float = setting(
        10.0, "How long to wait for the connection.", type=SECONDS, metavar="SECONDS"
    )
    acse_timeout: float = setting(
        30.0,
        "How long to wait for the answer to an association or release request.",
        type=SECONDS,
        metavar="SECONDS",
    )
    dimse_timeout: float = setting(
        60.0, "How long to wait for a response.", type=SECONDS, metavar="SECONDS"
    )
    max_pdu: int = setting(
        65536,
        "The longest P-DATA-TF PDU to receive, in bytes.",
        type=click.IntRange(4096, 1 << 20),
        metavar="BYTES",
    )
    tls: bool = setting(
        False, "Speak TLS, and trust the authorities that the system trusts.", is_flag=True
    )
    tls_ca: str | None = setting(
        None, "Speak TLS, and trust these authorities (PEM).", type=FILE, metavar="FILE"
    )
    tls_cert: str | None = setting(
        None, "Speak TLS, and show this certificate (PEM).", type=FILE, metavar="FILE"
    )
    tls_key: str | None = setting(
        None, "The certificate's key, if it is in another file.", type=FILE, metavar="FILE"
    )

    def tls_context(self) -> ssl.SSLContext | None:
        """Return None for a connection without TLS."""
        return client_tls(tls=self.tls, cert=self.tls_cert, key=self.tls_key, ca=self.tls_ca)


def say(message: str) -> None:
    """Tell the user something that is no result."""
    click.echo(message, err=True)


def give_up(message: str, status: int = FAILED) -> click.exceptions.Exit:
    """Say why there is no answer, and return what to raise."""
    say(f"Error: {message}")
    return click.exceptions.Exit(status)


@contextmanager
def associated(
    host: str,
    port: int,
    settings: PeerSettings,
    abstract_syntax: str,
    extended: Mapping[str, bytes] | None = None,
) -> Iterator[Association]:
    """Hold an association with one presentation context, or raise with the reason why there is none."""
    requestor = _requestor(settings, abstract_syntax, extended or {})
    association = _associate(host, port, settings, requestor)
    if not requestor.contexts:
        association.release()
        raise give_up(
            f"{settings.aec} at {host} port {port} does not offer {service_name(abstract_syntax)}"
        )
    try:
        yield association
    except click.exceptions.Exit:  # what we have to say of the peer is no reason to be rude to it
        association.release()
        raise
    except BaseException:
        association.abort()
        raise
    association.release()


def _requestor(
    settings: PeerSettings, abstract_syntax: str, extended: Mapping[str, bytes]
) -> Requestor:
    # Not by AE, whose contexts are pydicom's UIDs: pydicom would take half of the time of ``echo``.
    from dicomquest.pdu.pdus import AAssociateRQ
    from dicomquest.pdu.user_information import (
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
        ExtendedNegotiation,
        UserInformation,
    )
    from dicomquest.scu.proposal import patience
    from dicomquest.scu.requestor import Requestor
    from dicomquest.ul.negotiation import propose_contexts

    information = UserInformation(
        maximum_length=settings.max_pdu,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        extended_negotiations=tuple(
            ExtendedNegotiation(uid, offered) for uid, offered in extended.items()
        ),
    )
    contexts = propose_contexts([(abstract_syntax, UNCOMPRESSED)])
    timeouts = patience(
        connection=settings.connection_timeout,
        acse=settings.acse_timeout,
        dimse=settings.dimse_timeout,
    )
    return Requestor(AAssociateRQ(settings.aec, settings.aet, contexts, information), timeouts)


def _associate(host: str, port: int, settings: PeerSettings, requestor: Requestor) -> Association:
    from dicomquest.scu.proposal import peer_at
    from dicomquest.sync import Association

    tls = settings.tls_context()
    association = Association(
        peer_at(host, port, tls=None if tls is None else (tls, host)), requestor
    )
    association.open()
    if not association.is_established:
        raise give_up(
            f"no association with {settings.aec} at {host} port {port}: {association.failure}"
        )
    return association


def service_name(abstract_syntax: str) -> str:
    """Name the service of an abstract syntax."""
    from pydicom.uid import UID

    return f"the service {UID(abstract_syntax).name}"
