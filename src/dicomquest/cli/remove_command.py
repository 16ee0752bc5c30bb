"""``dicomquest remove``: remove patients, studies, series, instances or objects from the index."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.counting import counted, counted_each, counted_files, number_of
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import give_up, index_failures, say
from dicomquest.cli.shared_options import LEVEL, LEVELS, index_option
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.index.upkeep.removal import Removal, Removed


@dataclass(frozen=True, slots=True)
class RemoveSettings:
    """The command line of ``dicomquest remove``."""

    keys: tuple[str, ...]
    location: str
    patients: tuple[str, ...]
    studies: tuple[str, ...]
    series: tuple[str, ...]
    instances: tuple[str, ...]
    objects: tuple[str, ...]
    level: str | None
    dry_run: bool
    yes: bool
    delete_files: str | None

    def named(self) -> list[tuple[Level, tuple[str, ...]]]:
        """Return the options that name entities, with their values."""
        by_level = zip(
            Level, (self.patients, self.studies, self.series, self.instances), strict=True
        )
        return [(level, values) for level, values in by_level if values]


@click.command(cls=PageCommand)
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
    "--object",
    "objects",
    multiple=True,
    metavar="UID",
    help="The object without a patient, such as a hanging protocol, of this SOP Instance UID.",
)
@click.option(
    "-L",
    "--level",
    type=LEVEL,
    metavar=LEVELS,
    help="The level of the entities that the KEYs find; KEYs need it.",
)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Print how much would be removed, and remove nothing."
)
@click.option("-y", "--yes", is_flag=True, help="Remove more than one entity without asking.")
@click.option(
    "--delete-files",
    type=click.Path(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Delete also the files of the removed instances, at or below FOLDER; needs --yes.",
)
def remove(keys: tuple[str, ...], **values: Any) -> None:
    """Remove entities from the index, with all below them and each parent that is left empty.

    Name them by --patient, --study, --series, --instance or --object (repeat the option for
    several), or let a query find them: KEY=VALUE as for `dicomquest find`, with --level. Files stay
    on the disk, and the next `dicomquest index` brings them back; --delete-files deletes them.

    \b
    One study:
      dicomquest remove --study 1.2.3
    Count the studies before 2010, then remove them:
      dicomquest remove --level STUDY StudyDate=-20091231 --dry-run
      dicomquest remove --level STUDY StudyDate=-20091231 --yes
    A patient, with the files in the archive's folder:
      dicomquest remove --patient 4711 --delete-files /srv/archive --yes

    The exit status is 0 if all was removed, 1 if the index failed or a file could not be deleted,
    2 if the command line is wrong, 130 after Ctrl-C.
    """  # noqa: D301
    run(RemoveSettings(keys=keys, **values))


def run(settings: RemoveSettings) -> None:
    """Remove; raise click's Exit if that is refused or failed."""
    from dicomquest.cli.removal_query import build_query
    from dicomquest.index import Index

    if settings.delete_files is not None and not settings.yes:
        raise click.UsageError("--delete-files needs --yes: a deleted file does not come back")
    if settings.objects:
        _remove_objects(settings)
        return
    with (
        index_failures("what is removed stays removed, and the same command goes on"),
        Index(settings.location, create=False) as index,
    ):
        query = build_query(
            settings.named(), settings.keys, settings.level, index.timezone_offset_minutes
        )
        with index.removal(query) as removal:
            _remove(settings, removal)


def _remove(settings: RemoveSettings, removal: Removal) -> None:
    what = counted(removal.entities, removal.level)
    if removal.level is not Level.IMAGE:
        what += f" with {counted(removal.instances, Level.IMAGE)}"
    if not removal.entities:
        say(f"No {removal.level.entity} matches; nothing was removed.")
        return
    if settings.dry_run:
        say(f"would remove {what}")
        return
    if removal.entities > 1 and not settings.yes:
        _ask(what)
    folder = settings.delete_files
    below = None if folder is None else os.path.abspath(folder)  # noqa: PTH100
    with progress_bar(removal.instances) as progress:
        removed = removal.run(delete_below=below, progress=progress)
    _report(removed, counted_each(removed.entities), deletes=below is not None)


def _remove_objects(settings: RemoveSettings) -> None:
    from dicomquest.index.upkeep.object_removal import ObjectRemoval

    if settings.named() or settings.keys or settings.level is not None:
        raise click.UsageError(
            "--object goes alone: objects belong to no patient, and KEY=VALUE finds none"
        )
    uids = tuple(dict.fromkeys(uid.strip() for uid in settings.objects))
    with index_failures("nothing was removed"), ObjectRemoval(settings.location) as removal:
        count = removal.count(uids)
        what = number_of(count, "object")
        if not count:
            say("No object matches; nothing was removed.")
            return
        if settings.dry_run:
            say(f"would remove {what}")
            return
        if count > 1 and not settings.yes:
            _ask(what)
        folder = settings.delete_files
        below = None if folder is None else os.path.abspath(folder)  # noqa: PTH100
        count, removed = removal.run(uids, delete_below=below)
    _report(removed, number_of(count, "object"), deletes=below is not None)


def _ask(what: str) -> None:
    if not sys.stdin.isatty():
        raise give_up(
            f"this would remove {what}, and nobody can answer here: --yes removes without asking"
        )
    click.confirm(f"Remove {what} from the index?", abort=True, err=True)


@contextmanager
def progress_bar(instances: int) -> Iterator[Callable[[Removed], None] | None]:
    """Show a bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("remove", total=instances)
        yield lambda removed: bar.update(task, completed=removed.entities[Level.IMAGE])


def _report(removed: Removed, what: str, *, deletes: bool) -> None:
    for path, reason in removed.examples:
        say(f"kept: {click.format_filename(path)}: {reason}")
    files = f"; {counted_files(removed.files_deleted)} deleted" if deletes else ""
    say(f"removed {what}{files}")
    if removed.files_kept:
        raise give_up(
            f"{counted_files(removed.files_kept)} could not be deleted, and their instances stay "
            "in the index; remove the reason above, and run the same command again"
        )
