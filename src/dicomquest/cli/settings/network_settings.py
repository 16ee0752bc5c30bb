"""The address of the server, its AE title, its processes and its TLS (PS3.8 9, PS3.15 B)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import FILE, PORT, ae_title, setting


@dataclass(frozen=True)
class NetworkSettings:
    """The way to the server."""

    host: str = setting(
        "127.0.0.1",
        "Listen on this address; 0.0.0.0 is every IPv4 address of the machine.",
        metavar="ADDRESS",
    )
    port: int = setting(11112, "Listen on this port; 0 takes a free one.", type=PORT, metavar="N")
    aet: str = setting("DICOMQUEST", "The AE title of the server.", type=ae_title, metavar="TITLE")
    retrieve_aet: str | None = setting(
        None,
        "The AE title that peers retrieve instances from (Retrieve AE Title); the server's own by "
        "default.",
        type=ae_title,
        metavar="TITLE",
    )
    workers: int = setting(
        1, "Serve with N processes on the one port.", type=click.IntRange(1, 256), metavar="N"
    )
    tls_cert: str | None = setting(
        None, "Speak TLS, with the certificate in this file (PEM).", type=FILE, metavar="FILE"
    )
    tls_key: str | None = setting(
        None,
        "The key of --tls-cert, if it is in a file of its own (PEM).",
        type=FILE,
        metavar="FILE",
    )
    tls_ca: str | None = setting(
        None,
        "Demand certificates of clients, signed by an authority in this file (PEM).",
        type=FILE,
        metavar="FILE",
    )
