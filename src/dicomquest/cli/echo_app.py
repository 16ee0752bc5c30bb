"""What ``dicomquest echo`` does: an association and one C-ECHO."""

from __future__ import annotations

from time import perf_counter

from dicomquest.cli.peer import PeerSettings, associated, give_up, say
from dicomquest.standard.sop_classes import VERIFICATION


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
