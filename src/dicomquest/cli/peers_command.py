"""``dicomquest peers``: the peers that the configuration file names, listed, tested and changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from dicomquest.cli.config_option import DEFAULT_FILE, configuration_file, configured
from dicomquest.cli.counting import number_of
from dicomquest.cli.help_page import PageGroup
from dicomquest.cli.messages import FAILED, give_up, say
from dicomquest.cli.named_peers import complete_peer, defaults_of, reachable
from dicomquest.cli.settings.reach_settings import ReachSettings
from dicomquest.cli.shared_options import PORT, options_of
from dicomquest.errors import AssociationError, ConfigurationError
from dicomquest.escaping import escaped

if TYPE_CHECKING:
    from dicomquest.cli.configuration import NamedPeer

AT_ONCE = 8
"""Peers that are tested at the same time: one that is silent holds up only some others."""


@click.group(cls=PageGroup)
def peers() -> None:
    """List, test, add and remove the peers that the configuration file names.

    A named peer stands for HOST and PORT, AE titles and TLS: `dicomquest find PEER KEY...`.

    \b
      dicomquest peers add pacs1 pacs.example 104 --aet ARCHIVE
      dicomquest peers test
    """  # noqa: D301


@peers.command("list", short_help="Print the named peers.")
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table",
              show_default=True, help="table: for a person; json: a list of objects.")  # fmt: skip
@click.pass_context
def list_(ctx: click.Context, format_: str) -> None:
    """Print the peers of the configuration file: how to reach each, and what differs for it.

    \b
      dicomquest peers list
      dicomquest peers list --format json
    """  # noqa: D301
    found = list(configured(ctx).peers.values())
    if format_ == "json":
        click.echo(json.dumps([_as_object(peer) for peer in found], indent=2, ensure_ascii=False))
    elif found:
        click.echo("\n".join(_table(found)))
    else:
        say("There is no named peer. dicomquest peers add PEER HOST PORT adds one.")


@peers.command(short_help="Ask peers whether they answer (C-ECHO).")
@click.argument("names", metavar="[PEER]...", nargs=-1, shell_complete=complete_peer)
@click.pass_context
def test(ctx: click.Context, names: Sequence[str]) -> None:
    """Ask each PEER, or all that can be reached, whether it answers (C-ECHO).

    A destination of C-MOVE, a table [destinations.TITLE], must also take instances (C-STORE).

    \b
      dicomquest peers test
      dicomquest peers test pacs1 pacs2

    The exit status is 0 if all answered, 1 if one did not.
    """  # noqa: D301
    asked = list(_to_test(ctx, names))
    if not asked:
        say("There is no named peer to test. dicomquest peers add PEER HOST PORT adds one.")
        return
    width = max(len(each.label) for each in asked)
    failed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for each, (is_well, words) in zip(asked, pool.map(_asked, asked), strict=True):
            click.echo(f"{escaped(each.label):{width}}  {escaped(words)}")
            failed += not is_well
    if failed:
        say(f"{number_of(failed, 'peer')} of {len(asked)} did not answer.")
        raise click.exceptions.Exit(FAILED)


class _Tested(NamedTuple):
    """A peer to test, or a destination, which takes instances."""

    peer: NamedPeer
    is_destination: bool = False

    @property
    def label(self) -> str:
        return f"{self.peer.title} (destination)" if self.is_destination else self.peer.title


def _to_test(ctx: click.Context, names: Sequence[str]) -> Iterator[_Tested]:
    """Yield the peers and destinations of these names, or all that can be reached."""
    configuration = configured(ctx)
    for name in names:
        destination = configuration.destinations.get(name)
        if name in configuration.peers or destination is None:
            yield _Tested(reachable(ctx, name))
        if destination is not None:
            yield _Tested(destination, is_destination=True)
    if names:
        return
    for is_destination, table in enumerate((configuration.peers, configuration.destinations)):
        for peer in table.values():
            if {"host", "port"} <= peer.reach.keys():
                yield _Tested(peer, bool(is_destination))


@peers.command(short_help="Add a peer to the configuration file.")
@click.argument("title", metavar="PEER")
@click.argument("host")
@click.argument("port", type=PORT)
# The variables and the file say how we are called, not how the new peer is.
@options_of(ReachSettings, leave_out=("host", "port"), have_variables=False)
@click.pass_context
def add(ctx: click.Context, /, title: str, host: str, port: int, **values: Any) -> None:
    """Add a table [peers.PEER] to the configuration file; make the file if there is none.

    PEER is any name, and the AE title of the peer unless --aet tells another.

    \b
      dicomquest peers add ARCHIVE pacs.example 104
      dicomquest peers add pacs1 pacs.example 2762 --aet ARCHIVE --own-aet LAB --tls-ca hospital.pem
    """  # noqa: D301
    from dicomquest.cli.toml_tables import with_table

    path = _path(ctx)
    if title in configured(ctx).peers:
        raise click.UsageError(
            f"{path} has a peer {title!r}; remove it first: dicomquest peers remove {title}", ctx
        )
    reach = {"host": host, "port": port, **_told(values)}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    _write(path, with_table(text, "peers", title, reach))
    say(f"{path} names {title}. Try it: dicomquest peers test {title}")


@peers.command(short_help="Remove a peer from the configuration file.")
@click.argument("title", metavar="PEER", shell_complete=complete_peer)
@click.pass_context
def remove(ctx: click.Context, title: str) -> None:
    """Remove the table [peers.PEER] from the configuration file.

    What the peer may do when it calls goes with it.

    \b
      dicomquest peers remove pacs1
    """  # noqa: D301
    from dicomquest.cli.toml_tables import without_table

    path = _path(ctx)
    if title not in configured(ctx).peers:
        raise click.UsageError(f"{path} names no peer {title!r}", ctx)
    try:
        text = without_table(path.read_text(encoding="utf-8"), "peers", title)
    except ConfigurationError as error:
        raise give_up(f"{path}: {error}: remove it with an editor") from error
    _write(path, text)
    say(f"{path} names {title} no more")


def _path(ctx: click.Context) -> Path:
    return Path(configured(ctx).path or configuration_file() or DEFAULT_FILE)


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in values.items() if value}


def _write(path: Path, text: str) -> None:
    """Write a file that can be read afterwards; else leave it as it is."""
    from dicomquest.cli.configuration import check_text
    from dicomquest.cli.toml_tables import write_whole

    try:
        check_text(str(path), text)
        write_whole(path, text)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise give_up(f"cannot write {path}: {error.strerror or error}") from error


def _asked(tested: _Tested) -> tuple[bool, str]:
    from dicomquest.cli.echo_command import ask
    from dicomquest.cli.peer import PeerSettings

    peer = tested.peer
    settings = PeerSettings(**defaults_of(peer))
    place = peer.reach["host"], peer.reach["port"]
    try:
        answer = ask(*place, settings)
    except (AssociationError, click.UsageError) as error:
        words = error.message if isinstance(error, click.UsageError) else str(error)
        return False, words.partition("\n")[0]
    words = f"answered in {answer.echo_seconds * 1000:.1f} ms ({answer.implementation})"
    if not tested.is_destination:
        return True, words
    from dicomquest.cli.connection_trouble import services_in_words
    from dicomquest.cli.peer_probe import SERVICES, accepted_services

    stored = accepted_services(*place, settings) - SERVICES.keys()
    return bool(stored), f"{words}; {services_in_words(stored)}" if stored else (
        f"{words}, but takes no instances: it is no Storage SCP for {settings.aet}"
    )


def _as_object(peer: NamedPeer) -> dict[str, Any]:
    values = {**peer.reach, **peer.rules}
    return {"peer": peer.title, "ae_title": peer.ae_title, **values}


def _table(found: Sequence[NamedPeer]) -> list[str]:
    rows = [("Peer", "AE title", "Host and port", "Besides")]
    for peer in found:
        shown = {each.name for each in fields(ReachSettings)} - {"host", "port", "aet"}
        besides = [key.replace("_", "-") for key in (*peer.reach, *peer.rules)
                   if key in shown or key in peer.rules]  # fmt: skip
        rows.append((peer.title, peer.ae_title, peer.place, ", ".join(besides)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  ".join(
            [*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]
        ).rstrip()
        for row in (tuple(map(escaped, row)) for row in rows)
    ]
