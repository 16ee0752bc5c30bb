"""Portions sent to a destination by C-MOVE, which may be our own Storage SCP (PS3.4 C.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dicomquest.ae import AE
from dicomquest.cli.messages import give_up, say
from dicomquest.cli.retrieving.carriers import MoveCarrier, Own
from dicomquest.cli.retrieving.portion_queue import Arrivals, Rules
from dicomquest.cli.retrieving.receiver import Receiver
from dicomquest.cli.send_queue import Way
from dicomquest.cli.shared_options import host_and_port, network_address
from dicomquest.evt import EVT_C_STORE
from dicomquest.scu.storage_proposal import all_contexts
from dicomquest.services.contexts import build_context
from dicomquest.standard.sop_classes import VERIFICATION

if TYPE_CHECKING:
    from dicomquest.cli.retrieving.portions import Portion
    from dicomquest.cli.retrieving.retrieval import Retrieval
    from dicomquest.evt import Event

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104  the peer is on another host


def move_portions(
    retrieval: Retrieval, portions: Sequence[Portion], destination: str, address: str | None
) -> None:
    """Have portions sent; with an ``address`` our own Storage SCP receives there."""
    way = Way(retrieval.host, retrieval.port, retrieval.peer)
    own: Own | None = None
    stops: list[Callable[[str], None]] = []

    def carrier(stop: Callable[[str], None]) -> MoveCarrier:
        stops.append(stop)
        return MoveCarrier(way, retrieval.model, destination, retrieval.tally, own)

    def stop(reason: str) -> None:
        for each in stops:
            each(reason)

    if address is None:
        retrieval.run(portions, carrier, ("sent", f" to {destination}"), Rules())
        return
    assert retrieval.landing is not None  # noqa: S101
    folder = click.format_filename(retrieval.landing.folder)
    own = Own(Receiver(retrieval.landing, retrieval.tally, stop), Arrivals())
    # By their UIDs alone we know that what the peer says it sent has come here.
    rules = Rules(needs_uids=True)
    with _storage_scp(address, destination, own):
        retrieval.run(portions, carrier, ("received", f" into {folder}"), rules)
    if retrieval.tally.arrived and not retrieval.pace.quiet:
        say(f"Next: dicomquest index {folder}")


@contextmanager
def _storage_scp(address: str, title: str, own: Own) -> Iterator[None]:
    """Receive instances that are sent to our title, while the block runs."""
    host, port = host_and_port(network_address(address))
    if ":" not in address:
        host = _ANY_ADDRESS

    def store(event: Event) -> int:
        return own.receiver.store(event, own.arrivals)

    ae = AE(title)
    # The port is open to the network: nobody else's instances belong into the folder.
    ae.require_called_aet = True
    ae.incoming_folder = own.receiver.folder
    # With Verification: an administrator who enters us as a destination tests that by C-ECHO.
    contexts = [build_context(VERIFICATION.uid), *all_contexts()]
    try:
        server = ae.start_server(
            (host, port), block=False, evt_handlers=[(EVT_C_STORE, store)], contexts=contexts
        )
    except OSError as error:
        raise give_up(
            f"--storage-scp {address}: cannot listen on {host} port {port}: "
            f"{error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
