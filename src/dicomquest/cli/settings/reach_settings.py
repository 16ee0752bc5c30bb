"""The way to a named peer: the half of a table [peers.TITLE] that our requests use (PS3.8 9)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import FILE, PORT, SECONDS, ae_title, setting


@dataclass(frozen=True, slots=True)
class ReachSettings:
    """The keys of [peers.TITLE] and [destinations.TITLE] that say how to reach a peer.

    None leaves a value to the command that calls.
    """

    host: str | None = setting(None, "The address of the peer, or its name.")
    port: int | None = setting(None, "The port of the peer.", type=PORT)
    aet: str | None = setting(None, "The AE title of the peer; TITLE by default.", type=ae_title)
    own_aet: str | None = setting(None, "Our AE title on the way to this peer.", type=ae_title)
    connection_timeout: float | None = setting(
        None, "Wait at most so many seconds for the connection.", type=SECONDS
    )
    acse_timeout: float | None = setting(
        None,
        "Wait at most so many seconds for the answer to an association or release request.",
        type=SECONDS,
    )
    dimse_timeout: float | None = setting(
        None, "Wait at most so many seconds for a response.", type=SECONDS
    )
    max_pdu: int | None = setting(
        None, "The longest P-DATA-TF PDU to receive.", type=click.IntRange(4096, 1 << 20)
    )
    tls: bool = setting(False, "Speak TLS, and trust the authorities of the system.", is_flag=True)
    tls_ca: str | None = setting(
        None, "Speak TLS, and trust the authorities in this file (PEM).", type=FILE
    )
    tls_cert: str | None = setting(
        None, "Speak TLS, and show the certificate in this file (PEM).", type=FILE
    )
    tls_key: str | None = setting(
        None, "The key of the certificate, if it is in a file of its own (PEM).", type=FILE
    )
    user: str | None = setting(None, "Ask as this user (user identity).")
    password_file: str | None = setting(
        None, "The file whose first line is the password of the user.", type=FILE
    )
    token_file: str | None = setting(
        None, "Ask with the JSON Web Token in this file (user identity).", type=FILE
    )
