"""What ``find`` and ``echo`` have in common: how to reach the peer, and what to say when that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dicomquest.cli.options import FILE, SECONDS, ae_title, client_tls, setting

if TYPE_CHECKING:
    import ssl

FAILED = 1
"""The exit status when the peer refused or failed; a wrong command line is click's 2."""


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
