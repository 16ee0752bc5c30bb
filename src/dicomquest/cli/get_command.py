"""``dicomquest get``: fetch instances of a peer into a folder (C-GET, PS3.4 C.4.3)."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.file_rights import new_files_without, umask_option
from dicomquest.cli.find_target import keys_by_habit
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import say
from dicomquest.cli.named_peers import PeerArgument, complete_key
from dicomquest.cli.peer import PeerSettings
from dicomquest.cli.settings.retrieve_settings import (
    KeepingSettings,
    PaceSettings,
    PickingSettings,
)
from dicomquest.cli.shared_options import PORT, options_of, settings_from


@click.command(cls=PageCommand)
@click.argument("host", cls=PeerArgument, metavar="PEER|HOST")
@click.argument("port", type=PORT, metavar="[PORT]")
@click.argument("keys", metavar="KEY=VALUE...", nargs=-1, shell_complete=complete_key)
@options_of(PickingSettings)
@options_of(KeepingSettings)
@umask_option
@options_of(PaceSettings)
@options_of(PeerSettings)
def get(host: str, port: int, keys: tuple[str, ...], umask: str, **values: Any) -> None:
    """Fetch what matches KEY=VALUE from HOST and PORT, or a named PEER, into a folder (C-GET).

    \b
    One study:
      dicomquest get pacs1 StudyInstanceUID=1.2.3 -o scans
    The CT series of all studies of last week, over four associations:
      dicomquest get pacs1 StudyDate=last-week Modality=CT -o scans --jobs 4
    A patient, into folders of one's own choice:
      dicomquest get pacs.hospital 104 PatientID=4711 -o scans \\
        --store-layout '{PatientID}/{SeriesNumber}/{SOPInstanceUID}.dcm'

    The command first asks which studies, series or instances match (C-FIND), with the KEYs and
    VALUEs of `dicomquest find`, and fetches these. The peer sends the instances on the same
    connection, so it need not know us. An instance that is whole in the folder is not fetched
    again: after an interruption the same command goes on. Each file appears under its name once it
    is complete and on disk.

    The exit status is 0 if all came, 1 if something failed, 2 if the command line is wrong, 130
    after Ctrl-C.
    """  # noqa: D301
    picking = settings_from(PickingSettings, values)
    keeping = settings_from(KeepingSettings, values)
    pace = settings_from(PaceSettings, values)
    more, level = keys_by_habit(
        picking.key, picking.level or "", is_level_given=picking.level is not None
    )
    if keeping.output is None:
        raise click.UsageError("name the folder for the instances: -o FOLDER")
    with new_files_without(umask):
        run(
            (host, port, PeerSettings(**values)), (*keys, *more), level or None,
            picking, keeping, pace, umask,
        )  # fmt: skip


def run(  # noqa: PLR0917
    to: tuple[str, int, PeerSettings],
    keys: tuple[str, ...],
    level: str | None,
    picking: PickingSettings,
    keeping: KeepingSettings,
    pace: PaceSettings,
    umask: str,
) -> None:
    """Select, fetch and report; raise click's Exit unless all came."""
    from dicomquest.cli.retrieving.get_portions import get_portions
    from dicomquest.cli.retrieving.retrieval import (
        Retrieval,
        announce,
        landing_in,
        read_back,
        read_keys,
    )

    model = picking.information_model
    asked = read_keys(keys, model, level)
    host, port, peer = to
    peer.tell_if_readable(host)
    with landing_in(keeping, umask) as landing:
        retrieval = Retrieval(host, port, peer, model, pace, landing, keeping.again)
        if not pace.quiet:
            read_back(asked)
        portions = retrieval.portions(asked)
        if not portions:
            say(f"No {asked.noun.entities}.")
            return
        if not pace.quiet:
            announce(portions, asked.noun)
        get_portions(retrieval, portions)
