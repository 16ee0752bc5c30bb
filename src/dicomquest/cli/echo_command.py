"""``dicomquest echo``: ask a peer whether it answers us (C-ECHO, PS3.7 9.1.5)."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import click

from dicomquest.cli.messages import give_up, say
from dicomquest.cli.peer import PeerSettings, associated, peer_name
from dicomquest.cli.shared_options import PORT, options_of
from dicomquest.standard.sop_classes import VERIFICATION


@click.command()
@click.argument("host")
@click.argument("port", type=PORT)
@options_of(PeerSettings)
def echo(host: str, port: int, **values: Any) -> None:
    """Ask the peer at HOST and PORT whether it answers us (C-ECHO).

    \b
      dicomquest echo pacs 11112
      dicomquest echo pacs 104 --aec ARCHIVE --aet LAB
      dicomquest echo pacs 2762 --tls-ca hospital.pem --tls-cert lab.pem --tls-key lab.key

    The exit status is 0 if the peer answered, 1 if it refused or failed, 2 if the command line is
    wrong, 130 after Ctrl-C.
    """  # noqa: D301
    run(host, port, PeerSettings(**values))


def run(host: str, port: int, settings: PeerSettings) -> None:
    """Ask; raise click's Exit unless the peer answered with Success."""
    with associated(host, port, settings, VERIFICATION.uid) as association:
        started = perf_counter()
        response = association.echo()
        seconds = perf_counter() - started
        peer = peer_name(host, port, settings)
        if response is None:
            reason = association.failure or "the association ended"
            raise give_up(f"{peer} did not answer C-ECHO: {reason}")
        if response.status != 0:
            raise give_up(f"{peer} answered C-ECHO with status {response.status:04X}")
        acceptor = association.acceptor
        name = (
            acceptor.implementation_version_name
            or acceptor.implementation_class_uid
            or "an unnamed implementation"
        )
    say(f"{peer} answered in {seconds * 1000:.1f} ms ({name})")
