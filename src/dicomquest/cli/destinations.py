"""The tables [destinations.TITLE] as destinations of C-MOVE (PS3.4 C.4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from dicomquest.cli.named_peers import defaults_of
from dicomquest.cli.peer import PeerSettings
from dicomquest.services.move_destinations import Destination
from dicomquest.ul.timers import Timeouts

if TYPE_CHECKING:
    from dicomquest.cli.configuration import NamedPeer
    from dicomquest.cli.serve_settings import ServeSettings


def destinations_of(settings: ServeSettings) -> Mapping[str, Destination]:
    """Return the destinations by AE title; UsageError for one that cannot be used."""
    tables: Mapping[str, NamedPeer] = settings.move_destinations
    made = [_destination(each, settings) for each in tables.values()]
    return {each.ae_title: each for each in made}


def _destination(table: NamedPeer, settings: ServeSettings) -> Destination:
    for key in ("host", "port"):
        if key not in table.reach:
            raise click.UsageError(
                f"[destinations.{table.title}] has no {key}: instances cannot be sent there"
            )
    reach, sending = table.reach, table.rules
    peer = PeerSettings(**defaults_of(table))
    return Destination(
        table.ae_title,
        reach["host"],
        reach["port"],
        own_ae_title=reach.get("own_aet"),
        preferred=tuple(sending.get("transfer_syntaxes", ())),
        only=tuple(sending.get("only_transfer_syntaxes", ())),
        most_associations=sending.get("most_associations"),
        user_identity=peer.user_identity(),
        ssl_context=peer.tls_context(),
        maximum_length=reach.get("max_pdu"),
        timeouts=Timeouts(
            artim=settings.artim_timeout,
            connect=reach.get("connection_timeout", settings.destination_timeout),
            association=reach.get("acse_timeout", Timeouts().association),
            release=reach.get("acse_timeout", Timeouts().release),
            dimse=reach.get("dimse_timeout", settings.store_timeout),
            pdu=settings.pdu_timeout,
            write=settings.write_timeout,
        ),
    )
