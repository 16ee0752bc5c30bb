"""What ``find`` and ``echo`` have in common: how to reach the peer, and what to say when that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dicomquest.cli.options import FILE, SECONDS, ae_title, client_tls, setting

if TYPE_CHECKING:
    import ssl

    from dicomquest.sync import Association

FAILED = 1
"""The exit status when the peer refused or failed; a wrong command line is click's 2."""

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian, for identifiers (PS3.5 10)."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """How to reach a peer; an option each."""

    aec: str = setting("ANY-SCP", "The AE title to call.", type=ae_title, metavar="TITLE")
    aet: str = setting("DICOMQUEST", "The AE title to call from.", type=ae_title, metavar="TITLE")
    connection_timeout: float = setting(10.0, "How long to wait for the connection.", type=SECONDS, metavar="SECONDS")
    acse_timeout: float = setting(
        30.0, "How long to wait for the answer to an association or release request.", type=SECONDS, metavar="SECONDS"
    )
    dimse_timeout: float = setting(60.0, "How long to wait for a response.", type=SECONDS, metavar="SECONDS")
    max_pdu: int = setting(
        65536, "The longest P-DATA-TF PDU to receive, in bytes.", type=click.IntRange(4096, 1 << 20), metavar="BYTES"
    )
    tls: bool = setting(False, "Speak TLS, and trust the authorities that the system trusts.", is_flag=True)
    tls_ca: str | None = setting(None, "Speak TLS, and trust these authorities (PEM).", type=FILE, metavar="FILE")
    tls_cert: str | None = setting(None, "Speak TLS, and show this certificate (PEM).", type=FILE, metavar="FILE")
    tls_key: str | None = setting(None, "The certificate's key, if it is in another file.", type=FILE, metavar="FILE")

    def tls_context(self) -> ssl.SSLContext | None:
        """Return None for a connection without TLS."""
        return client_tls(tls=self.tls, cert=self.tls_cert, key=self.tls_key, ca=self.tls_ca)


def say(message: str) -> None:
    """Tell the user something that is no result."""
    click.echo(message, err=True)


def give_up(message: str) -> click.exceptions.Exit:
    """Say why there is no answer, and return what to raise."""
    say(f"Error: {message}")
    return click.exceptions.Exit(FAILED)


@contextmanager
def associated(
    host: str, port: int, settings: PeerSettings, abstract_syntax: str, extended: Mapping[str, bytes] | None = None
) -> Iterator[Association]:
    """Hold an association with one presentation context, or raise with the reason why there is none."""
    association = _associate(host, port, settings, abstract_syntax, extended or {})
    if not association.accepted_contexts:
        association.release()
        raise give_up(f"{settings.aec} at {host} port {port} does not offer {service_name(abstract_syntax)}")
    try:
        yield association
    except click.exceptions.Exit:  # what we have to say of the peer is no reason to be rude to it
        association.release()
        raise
    except BaseException:
        association.abort()
        raise
    association.release()


def _associate(
    host: str, port: int, settings: PeerSettings, abstract_syntax: str, extended: Mapping[str, bytes]
) -> Association:
    from dicomquest.ae import AE, SOPClassExtendedNegotiation

    ae = AE(settings.aet)
    ae.connection_timeout = settings.connection_timeout
    ae.acse_timeout = settings.acse_timeout
    ae.dimse_timeout = settings.dimse_timeout
    ae.add_requested_context(abstract_syntax, UNCOMPRESSED)
    tls = settings.tls_context()
    association = ae.associate(
        host,
        port,
        ae_title=settings.aec,
        max_pdu=settings.max_pdu,
        ext_neg=[SOPClassExtendedNegotiation(uid, offered) for uid, offered in extended.items()],
        tls_args=None if tls is None else (tls, host),
    )
    if not association.is_established:
        raise give_up(f"no association with {settings.aec} at {host} port {port}: {association.failure}")
    return association


def service_name(abstract_syntax: str) -> str:
    """Name the service of an abstract syntax."""
    from pydicom.uid import UID

    return f"the service {UID(abstract_syntax).name}"
