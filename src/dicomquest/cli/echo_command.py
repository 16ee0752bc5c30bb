"""``dicomquest echo``: ask a peer whether it is there and talks to us (C-ECHO)."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import click

from dicomquest.cli.peer import PeerSettings, associated, give_up, say
from dicomquest.cli.shared_options import PORT, options_of
from dicomquest.standard.sop_classes import VERIFICATION


@click.command(short_help="Ask a peer whether it is there (C-ECHO).")
@click.argument("host")
@click.argument("port", type=PORT)
@options_of(PeerSettings)
def echo(host: str, port: int, **values: Any) -> None:
    """Ask the peer at HOST and PORT whether it is there and talks to us (C-ECHO).

    \b
      dicomquest echo pacs 11112
      dicomquest echo pacs 104 --aec ARCHIVE --aet LAB
      dicomquest echo pacs 2762 --tls-ca hospital.pem --tls-cert lab.pem --tls-key lab.key

    The exit status is 0 if the peer answered, 1 if it refused or failed, 2 if this command line is wrong.
    """  # noqa: D301
    run(host, port, PeerSettings(**values))


def run(host: str, port: int, settings: PeerSettings) -> None:
    """Ask, and raise click's Exit unless the peer answered with Success."""
    with associated(host, port, settings, VERIFICATION.uid) as association:
        started = perf_counter()
        response = association.echo()
        seconds = perf_counter() - started
        if response is None:
            raise give_up(f"no answer to C-ECHO: {association.failure or 'the association ended'}")
        if response.status != 0:
            raise give_up(f"the peer answered C-ECHO with status {response.status:04X}")
        peer = association.acceptor
        name = (
            peer.implementation_version_name
            or peer.implementation_class_uid
            or "an unnamed implementation"
        )
    say(f"{settings.aec} at {host} port {port} answered in {seconds * 1000:.1f} ms ({name})")
