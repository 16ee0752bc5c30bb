"""What ``dicomquest remove`` does: find, say how much that is, ask, remove."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dicomquest.cli.counting import counted, counted_each, counted_files
from dicomquest.cli.key_arguments import Key, KeyTextError, build_identifier, parse_keys
from dicomquest.cli.peer import INTERRUPTED, give_up, say
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import IdentifierError, IndexDatabaseError
from dicomquest.index import Index
from dicomquest.query.criteria import AnyOf, HasValue, KeyCriterion, SingleValue, Step, UIDList
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

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
    level: str | None
    dry_run: bool
    yes: bool
    delete_files: str | None

    def named(self) -> list[tuple[Level, tuple[str, ...]]]:
        """The options that name entities, with their values."""
        by_level = zip(
            Level, (self.patients, self.studies, self.series, self.instances), strict=True
        )
        return [(level, values) for level, values in by_level if values]


def run(settings: RemoveSettings) -> None:
    """Remove; raise click's Exit if that is refused or failed."""
    if settings.delete_files is not None and not settings.yes:
        raise click.UsageError(
            "--delete-files needs --yes: a file that is deleted does not come back"
        )
    try:
        with Index(settings.location, create=False) as index:
            query = build_query(settings, index.timezone_offset_minutes)
            with index.removal(query) as removal:
                _remove(settings, removal)
    except IndexDatabaseError as error:
        raise give_up(str(error)) from error
    except KeyboardInterrupt:
        raise give_up(
            "interrupted; what is removed so far is removed, and the same command goes on from there",
            INTERRUPTED,
        ) from None


def build_query(settings: RemoveSettings, zone_minutes: int) -> Query:
    """The query of the command line; a wrong one raises click's UsageError."""
    named = settings.named()
    if len(named) + bool(settings.keys) != 1:
        raise click.UsageError(
            "expected one of --patient, --study, --series, --instance, or KEY=VALUE with --level"
        )
    if named:
        if settings.level is not None:
            raise click.UsageError(
                "--level is for KEY=VALUE: the other options name their level themselves"
            )
        return _query_of_names(*named[0])
    if settings.level is None:
        raise click.UsageError(
            "KEY=VALUE needs --level: whether it finds patients, studies, series or instances"
        )
    try:
        return _query_of_keys(
            parse_keys(settings.keys), Level[settings.level.upper()], zone_minutes
        )
    except (KeyTextError, IdentifierError) as error:
        raise click.UsageError(str(error)) from error


def _query_of_names(level: Level, values: tuple[str, ...]) -> Query:
    """A query for entities by their unique keys: nothing in a value is a wild card or a delimiter."""
    unique = UNIQUE_KEYS[level]
    values = tuple(dict.fromkeys(value.strip() for value in values))
    if "" in values:
        raise click.UsageError(f"an empty {unique.keyword} names nothing")
    ids = tuple(SingleValue(value) for value in values)
    criterion = UIDList(values) if unique.vr == "UI" else ids[0] if len(ids) == 1 else AnyOf(ids)
    key = KeyCriterion((Step(unique.tag),), level, unique.vr, criterion)
    return Query(PATIENT_ROOT, level, (key,), (), QueryOptions(relational=True))


def _query_of_keys(keys: list[Key], level: Level, zone_minutes: int) -> Query:
    """A query each of whose keys restricts: one that is passed over would remove more than it says."""
    model = PATIENT_ROOT if level is Level.PATIENT else STUDY_ROOT
    options = QueryOptions(relational=True, timezone_offset_minutes=zone_minutes)
    for key in keys:
        alone = parse_identifier(_identifier([key], level), model.uid, options)
        if all(isinstance(each.criterion, HasValue) for each in alone.criteria):
            raise KeyTextError(
                f"{key.name}={key.value}: restricts nothing, so it must not choose what is removed"
            )
    return parse_identifier(_identifier(keys, level), model.uid, options)


def _identifier(keys: Sequence[Key], level: Level) -> DataSet:
    return {**build_identifier(keys), QUERY_RETRIEVE_LEVEL: Element("CS", (level.name,))}


def _remove(settings: RemoveSettings, removal: Removal) -> None:
    what = counted(removal.entities, removal.level)
    if removal.level is not Level.IMAGE:
        what += f" with {counted(removal.instances, Level.IMAGE)}"
    if not removal.entities:
        say(f"no {removal.level.entity} of the index matches: nothing removed")
        return
    if settings.dry_run:
        say(f"would remove {what}")
        return
    if removal.entities > 1 and not settings.yes:
        _ask(what)
    below = None if settings.delete_files is None else os.path.abspath(settings.delete_files)  # noqa: PTH100
    with progress_bar(removal.instances) as progress:
        removed = removal.run(delete_below=below, progress=progress)
    _report(removed, deletes=below is not None)


def _ask(what: str) -> None:
    if not sys.stdin.isatty():
        raise give_up(f"this would remove {what}: --yes says that it is meant")
    click.confirm(f"Remove {what} from the index?", abort=True, err=True)


@contextmanager
def progress_bar(instances: int) -> Iterator[Callable[[Removed], None] | None]:
    """Show a bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("remove", total=instances)
        yield lambda removed: bar.update(task, completed=removed.entities[Level.IMAGE])


def _report(removed: Removed, *, deletes: bool) -> None:
    for path, reason in removed.examples:
        say(f"kept: {click.format_filename(path)}: {reason}")
    files = f"; {counted_files(removed.files_deleted)} deleted" if deletes else ""
    say(f"removed {counted_each(removed.entities)}{files}")
    if removed.files_kept:
        raise give_up(
            f"{counted_files(removed.files_kept)} could not be deleted, and what was in them stays in the index"
        )
