"""``dicomquest remove``: take entities out of the index."""

from __future__ import annotations

from typing import Any

import click

from dicomquest.cli.find_command import LEVELS
from dicomquest.cli.shared_options import index_option


@click.command(short_help="Take patients, studies, series or instances out of the index.")
@click.argument("keys", metavar="[KEY=VALUE]...", nargs=-1)
@index_option
@click.option(
    "--patient",
    "patients",
    multiple=True,
    metavar="ID",
    help="The patient of this Patient ID, exactly.",
)
@click.option(
    "--study", "studies", multiple=True, metavar="UID", help="The study of this Study Instance UID."
)
@click.option(
    "--series",
    "series",
    multiple=True,
    metavar="UID",
    help="The series of this Series Instance UID.",
)
@click.option(
    "--instance",
    "instances",
    multiple=True,
    metavar="UID",
    help="The instance of this SOP Instance UID.",
)
@click.option(
    "-L",
    "--level",
    type=click.Choice(LEVELS, case_sensitive=False),
    help="What the KEYs are to find; needed with them.",
)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Say what would be removed, and remove nothing."
)
@click.option(
    "-y", "--yes", is_flag=True, help="Do not ask before more than one entity is removed."
)
@click.option(
    "--delete-files",
    type=click.Path(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Delete the files of what is removed too, those at or below FOLDER; needs --yes.",
)
def remove(keys: tuple[str, ...], **values: Any) -> None:
    """Take entities out of the index, all that belongs to them, and what is left empty by that.

    They are named by --patient, --study, --series or --instance, each of which can be repeated, or they are those that
    a query finds: KEY=VALUE as for `dicomquest find`, with --level. Files stay where they are unless --delete-files
    says otherwise; those that stay come back with the next `dicomquest index`.

    \b
    One study:
      dicomquest remove --study 1.2.3
    How many studies are older than 2010, and then without them:
      dicomquest remove --level STUDY StudyDate=-20091231 --dry-run
      dicomquest remove --level STUDY StudyDate=-20091231 --yes
    A patient, and the files of this patient in the archive's folder:
      dicomquest remove --patient 4711 --delete-files /srv/archive --yes
    """  # noqa: D301
    from dicomquest.cli.remove_app import RemoveSettings, run

    run(RemoveSettings(keys=keys, **values))
