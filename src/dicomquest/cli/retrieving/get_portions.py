"""Portions fetched by C-GET into a folder (PS3.4 C.4.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from dicomquest.cli.messages import say
from dicomquest.cli.retrieving.carriers import GetCarrier
from dicomquest.cli.retrieving.portion_queue import Rules
from dicomquest.cli.retrieving.receiver import Receiver
from dicomquest.cli.send_queue import Way

if TYPE_CHECKING:
    from dicomquest.cli.retrieving.portions import Portion
    from dicomquest.cli.retrieving.retrieval import Retrieval


def get_portions(retrieval: Retrieval, portions: Sequence[Portion]) -> None:
    """Fetch portions into the folder; raise click's Exit unless all came."""
    landing = retrieval.landing
    assert landing is not None  # noqa: S101
    way = Way(retrieval.host, retrieval.port, retrieval.peer)
    folder = click.format_filename(landing.folder)

    def carrier(stop: Callable[[str], None]) -> GetCarrier:
        return GetCarrier(way, retrieval.model, Receiver(landing, retrieval.tally, stop))

    retrieval.run(portions, carrier, ("fetched", f" into {folder}"), Rules(needs_classes=True))
    if retrieval.tally.arrived and not retrieval.pace.quiet:
        say(f"Next: dicomquest index {folder}")
