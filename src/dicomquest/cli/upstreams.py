"""The options --upstream and the tables [upstreams.NAME] as upstreams (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.named_peers import defaults_of
from dicomquest.cli.peer import PeerSettings
from dicomquest.cli.settings.federation_settings import UPSTREAM
from dicomquest.query.identifier.request_keys import MODELS_BY_NAME
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.cli.configuration import NamedPeer
    from dicomquest.cli.serve_settings import ServeSettings
    from dicomquest.federation.upstream import Upstream

RESPONSE_SECONDS = 30.0
"""The seconds that an upstream gets for a response if its table names none: a caller waits."""


RETRIEVE_SECONDS = 120.0
"""The seconds that an upstream gets for the next instance of a C-GET."""


def upstreams_of(settings: ServeSettings) -> list[Upstream]:
    """Return the upstreams in their order; UsageError for one that cannot be used.

    An option changes the address in the table of the same name.
    """
    tables: Mapping[str, NamedPeer] = settings.upstreams
    reach: dict[str, dict[str, Any]] = {
        name: {"aet": table.ae_title, **table.reach} for name, table in tables.items()
    }
    given: set[str] = set()
    for text in settings.upstream:
        found = UPSTREAM.fullmatch(text)
        if found is None:
            raise click.UsageError(f"--upstream: {text!r} is not NAME=AET@HOST:PORT")
        name, title, host, port = found.groups()
        if name in given:
            raise click.UsageError(f"--upstream {name} is given twice: each needs its own NAME")
        given.add(name)
        place = {"aet": title, "host": host.strip("[]"), "port": int(port)}
        reach[name] = {**reach.get(name, {}), **place}
    if settings.upstreams_only and not reach:
        raise click.UsageError("--upstreams-only asks nobody: add --upstream NAME=AET@HOST:PORT")
    return [
        upstream_at(name, each, tables[name].rules if name in tables else {}, settings.aet)
        for name, each in reach.items()
    ]


def upstream_at(
    name: str, reach: Mapping[str, Any], own: Mapping[str, Any], own_ae_title: str
) -> Upstream:
    """Return an upstream of the keys of its table; UsageError if one cannot be used."""
    from dicomquest.cli.configuration import NamedPeer
    from dicomquest.federation.upstream import (
        HELD_MODELS,
        MOST_ASSOCIATIONS,
        RETRY_SECONDS,
        Upstream,
    )
    from dicomquest.scu.proposal import patience

    for key in ("host", "port"):
        if key not in reach:
            raise click.UsageError(f"[upstreams.{name}] has no {key}: it cannot be asked")
    peer = PeerSettings(**defaults_of(NamedPeer(name, reach, {})))
    return Upstream(
        name,
        reach.get("aet") or name,
        reach["host"],
        reach["port"],
        own_ae_title=reach.get("own_aet") or own_ae_title,
        models=tuple(MODELS_BY_NAME[each] for each in own.get("models", ())) or HELD_MODELS,
        levels=frozenset(Level[each] for each in own.get("levels", ())) or frozenset(Level),
        issuer=own.get("issuer") or "",
        relational=own.get("relational", False),
        most_associations=own.get("most_associations", MOST_ASSOCIATIONS),
        retry_seconds=own.get("retry_after", RETRY_SECONDS),
        maximum_length=peer.max_pdu,
        timeouts=patience(
            connection=peer.connection_timeout,
            acse=reach.get("acse_timeout", peer.connection_timeout),
            dimse=reach.get("dimse_timeout", RESPONSE_SECONDS),
            retrieve=own.get("retrieve_timeout", RETRIEVE_SECONDS),
        ),
        ssl_context=peer.tls_context(),
        user_identity=peer.user_identity(),
    )
