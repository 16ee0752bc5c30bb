"""``dicomquest move``: have a peer send instances to a destination (C-MOVE, PS3.4 C.4.2)."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.file_rights import new_files_without, umask_option
from dicomquest.cli.find_target import keys_by_habit
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import say
from dicomquest.cli.named_peers import PeerArgument, complete_key
from dicomquest.cli.option_needs import given_option
from dicomquest.cli.peer import PeerSettings
from dicomquest.cli.settings.move_settings import MoveSettings
from dicomquest.cli.settings.retrieve_settings import (
    KeepingSettings,
    PaceSettings,
    PickingSettings,
)
from dicomquest.cli.shared_options import PORT, options_of, settings_from

if TYPE_CHECKING:
    from dicomquest.cli.retrieving.landing import Landing
    from dicomquest.cli.retrieving.object_selection import WantedObjects
    from dicomquest.cli.retrieving.selection import Wanted
    from dicomquest.standard.models import InformationModel


@click.command(cls=PageCommand)
@click.argument("host", cls=PeerArgument, metavar="PEER|HOST")
@click.argument("port", type=PORT, metavar="[PORT]")
@click.argument("keys", metavar="KEY=VALUE...", nargs=-1, shell_complete=complete_key)
@options_of(MoveSettings)
@options_of(PickingSettings)
@options_of(KeepingSettings)
@umask_option
@options_of(PaceSettings)
@options_of(PeerSettings)
def move(host: str, port: int, keys: tuple[str, ...], umask: str, **values: Any) -> None:
    """Have HOST and PORT, or a named PEER, send what matches KEY=VALUE to an AE title (C-MOVE).

    \b
    One study to a workstation that the peer knows:
      dicomquest move pacs1 StudyInstanceUID=1.2.3 --to WORKSTATION
    To us: the peer knows LAB as this machine's port 11113:
      dicomquest move pacs1 StudyDate=today --aet LAB --storage-scp 11113 -o scans

    The peer opens a connection to the destination, whose title, host and port it must know.
    dicomquest get needs no such entry: there the instances come on our own connection.

    The exit status is 0 if all were sent, 1 if something failed, 2 if the command line is wrong,
    130 after Ctrl-C.
    """  # noqa: D301
    moving = settings_from(MoveSettings, values)
    picking = settings_from(PickingSettings, values)
    keeping = settings_from(KeepingSettings, values)
    pace = settings_from(PaceSettings, values)
    more, level = keys_by_habit(
        picking.key, picking.level or "", is_level_given=picking.level is not None
    )
    if (moving.storage_scp is None) != (keeping.output is None):
        raise click.UsageError("--storage-scp PORT and -o FOLDER go together: we receive into it")
    if moving.to is None and moving.storage_scp is None:
        raise click.UsageError(
            "name the destination: --to TITLE; or receive here: --storage-scp PORT -o FOLDER"
        )
    if keeping.output is None and given_option(click.get_current_context(), ("umask",)):
        raise click.UsageError(
            "--umask is for files that come here: add --storage-scp PORT -o FOLDER"
        )
    from dicomquest.cli.retrieving.retrieval import landing_in, read_keys

    model = picking.information_model
    asked = read_keys((*keys, *more), model, level or None)
    with new_files_without(umask), ExitStack() as stack:
        landing = None
        if keeping.output is not None:
            landing = stack.enter_context(landing_in(keeping, umask))
        to = (host, port, PeerSettings(**values))
        run(to, model, asked, moving, pace, landing, is_again=keeping.again)


def run(  # noqa: PLR0917
    to: tuple[str, int, PeerSettings],
    model: InformationModel,
    asked: Wanted | WantedObjects,
    moving: MoveSettings,
    pace: PaceSettings,
    landing: Landing | None,
    *,
    is_again: bool,
) -> None:
    """Select, have it sent and report; raise click's Exit unless all was sent."""
    from dicomquest.cli.retrieving.move_portions import move_portions
    from dicomquest.cli.retrieving.retrieval import Retrieval, announce, read_back

    host, port, peer = to
    peer.tell_if_readable(host)
    retrieval = Retrieval(host, port, peer, model, pace, landing, is_again)
    if not pace.quiet:
        read_back(asked)
    portions = retrieval.portions(asked)
    if not portions:
        say(f"No {asked.noun.entities}.")
        return
    if not pace.quiet:
        announce(portions, asked.noun)
    move_portions(retrieval, portions, moving.to or peer.aet, moving.storage_scp)
