"""Named peers on the command line: PEER in the place of HOST and PORT (PS3.8 7.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.config_option import configuration_file, configured
from dicomquest.errors import ConfigurationError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dicomquest.cli.configuration import NamedPeer

OPTION_OF = {"aet": "aec", "own_aet": "aet"}
"""The options of ``PeerSettings`` whose keys in [peers.TITLE] have another name."""


class PeerArgument(click.Argument):
    """The first argument of a command that takes HOST and PORT, or a named PEER instead.

    The values of the peer's table become the defaults of the options, so the command line and the
    environment win over them.
    """

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Put the host and the port of a named peer in their places, then go on as usual."""
        if isinstance(opts, MutableMapping):
            _place_peer(ctx, opts)
        return super().handle_parse_result(ctx, opts, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of peers, and after these whatever the type of the argument has."""
        return [*complete_peer(ctx, self, incomplete), *super().shell_complete(ctx, incomplete)]


def complete_peer(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a peer that has a host."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(peer.title, help=f"{peer.ae_title} at {peer.place}")
        for peer in _peers_for_shell().values()
        if peer.title.startswith(incomplete)
    ]


def complete_key(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the keyword of a key that queries may have (PS3.4 C.6)."""
    from click.shell_completion import CompletionItem

    from dicomquest.standard.keys import KEYS_BY_KEYWORD

    return [CompletionItem(each) for each in KEYS_BY_KEYWORD if each.startswith(incomplete)]


def _peers_for_shell() -> Mapping[str, NamedPeer]:
    """Return the peers that can be reached; none for a wrong file, as a shell cannot say it."""
    from dicomquest.cli.configuration import read_configuration

    path = configuration_file()
    try:
        peers = read_configuration(path).peers if path else {}
    except ConfigurationError:
        return {}
    return {title: peer for title, peer in peers.items() if {"host", "port"} <= peer.reach.keys()}


def defaults_of(peer: NamedPeer) -> dict[str, Any]:
    """Return the defaults of ``PeerSettings`` that a table gives."""
    reach = {"aet": peer.ae_title, **peer.reach}
    return {
        OPTION_OF.get(key, key): value
        for key, value in reach.items()
        if key not in {"host", "port"}
    }


def reachable(ctx: click.Context, title: str) -> NamedPeer:
    """Return the peer of a name; UsageError if there is none, or if it cannot be reached."""
    configuration = configured(ctx)
    peer = configuration.peers.get(title)
    if peer is None:
        known = [each.title for each in configuration.peers.values() if "host" in each.reach]
        raise click.UsageError(f"{title!r} is no named peer{_remedy(known)}", ctx)
    for key in ("host", "port"):
        if key not in peer.reach:
            raise click.UsageError(
                f"{configuration.path}: [peers.{title}] has no {key}, so it only says what the "
                f"peer may do when it calls; add {key} to the table",
                ctx,
            )
    return peer


def _remedy(known: Iterable[str]) -> str:
    names = ", ".join(known)
    if names:
        return f"; there are {names}. Else name HOST and PORT"
    return ". Name HOST and PORT, or give them a name: dicomquest peers add PEER HOST PORT"


def _place_peer(ctx: click.Context, opts: MutableMapping[str, Any]) -> None:
    before, after = _several(opts.get("paths")), _several(opts.get("keys"))
    words = [word for word in (opts.get("host"), opts.get("port")) if isinstance(word, str)]
    if not words:
        return
    # Files come before the peer, keys after it. A number in the second place is the port.
    if "paths" in opts:
        words = [*before, *words]
        if words[-1].isdecimal():
            return
        *rest, title = words
        opts["paths"] = tuple(rest)
    else:
        words = [*words, *after]
        if len(words) > 1 and words[1].isdecimal():
            return
        title, *rest = words
        if "keys" in opts or rest:
            opts["keys"] = tuple(rest)
    # A shell that completes words does not hear of errors.
    peer = _peers_for_shell().get(title) if ctx.resilient_parsing else reachable(ctx, title)
    if peer is None:
        return
    opts["host"], opts["port"] = peer.reach["host"], str(peer.reach["port"])
    ctx.default_map = {**(ctx.default_map or {}), **defaults_of(peer)}


def _several(given: object) -> tuple[str, ...]:
    return given if isinstance(given, tuple) else tuple(given) if isinstance(given, list) else ()
