"""``dicomquest attribute``: attributes that get an index of their own while the service goes on."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dicomquest.cli.counting import number_of
from dicomquest.cli.help_page import PageGroup
from dicomquest.cli.messages import index_failures, say
from dicomquest.cli.shared_options import LEVEL, LEVELS, index_option
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dicomquest.index import Index
    from dicomquest.index.tables.promoted import Attribute
    from dicomquest.index.upkeep.promotion import Listed

_HEADINGS = ("keyword", "tag", "creator", "level", "VR", "state", "done", "rows")

_creator_option = click.option(
    "--creator", default="", metavar="TEXT", help="The private creator of a private tag."
)


@click.group(cls=PageGroup)
def attribute() -> None:
    """Give an index to attributes that queries ask for often.

    A query can match any attribute of a header. The usual ones have an index; for another one,
    the server looks at each entity that may match. `attribute add` gives such an attribute an
    index. Servers and `dicomquest index` go on meanwhile.

    \b
      dicomquest attribute add ReconstructionDiameter
      dicomquest attribute add 0029,1008 --creator "SIEMENS CSA HEADER"
      dicomquest attribute list
      dicomquest attribute drop ReconstructionDiameter
    """  # noqa: D301


@attribute.command(short_help="Give an attribute an index.")
@click.argument("name", metavar="KEYWORD|TAG")
@click.option(
    "--level",
    type=LEVEL,
    metavar=LEVELS,
    help="The level that you expect the attribute at; another level is an error.",
)
@_creator_option
@click.option(
    "--vr",
    default="",
    metavar="VR",
    help="The VR of a private attribute that the dictionary lacks.",
)
@index_option
def add(name: str, level: str | None, creator: str, vr: str, location: str) -> None:
    """Give an attribute an index: of new instances at once, of older ones in small batches.

    Queries use the index when all batches are done. After an interruption the same command goes on.

    \b
      dicomquest attribute add SliceThickness
      dicomquest attribute add 0018,0050 --level IMAGE
    """  # noqa: D301
    run_add(location, name, level, creator, vr)


@attribute.command(short_help="Take an attribute's index away.")
@click.argument("name", metavar="KEYWORD|TAG")
@_creator_option
@index_option
def drop(name: str, creator: str, location: str) -> None:
    """Take the index of an attribute away; queries match the attribute as before `add`.

    \b
      dicomquest attribute drop SliceThickness
    """  # noqa: D301
    run_drop(location, name, creator)


@attribute.command(name="list", short_help="Show the attributes that were added.")
@index_option
def list_attributes(location: str) -> None:
    """Show the added attributes: keyword, tag, level, VR, state, share done, rows in the index.

    \b
      dicomquest attribute list
    """  # noqa: D301
    run_list(location)


def run_add(location: str, name: str, level: str | None, creator: str, vr: str) -> None:
    """Promote; raise click's Exit if that fails, UsageError if the attribute cannot be promoted."""
    from dicomquest.index import Index

    attribute = _attribute(name, creator, vr, Level[level.upper()] if level else None)
    with index_failures("the same command goes on"), Index(location, create=False) as index:
        with _bar(f"fill {attribute.keyword}") as progress:
            index.promote(attribute, progress)
        rows, is_used = next(
            (each.rows, each.is_used)
            for each in index.promoted()
            if each.attribute.path == attribute.path
        )
    say(f"{attribute.keyword} has an index of {number_of(rows, 'row')}")
    if not is_used:
        say("Queries do not use it: one value is too long for an index.")


def run_drop(location: str, name: str, creator: str) -> None:
    """Drop; raise click's UsageError if the attribute is not promoted."""
    from dicomquest.index import Index

    with index_failures("the same command does the rest"), Index(location, create=False) as index:
        attribute = _attribute(name, creator, _promoted_vr(index, name, creator), None)
        if not index.demote(attribute):
            raise click.UsageError(
                f"{attribute.keyword} has no index that was added; "
                "`dicomquest attribute list` shows the added ones"
            )
    say(f"{attribute.keyword} has no index any more")


def run_list(location: str) -> None:
    """Print a line for each promoted attribute."""
    from dicomquest.index import Index

    with index_failures("nothing was changed"), Index(location, create=False) as index:
        promoted = index.promoted()
    if not promoted:
        say("No attribute was added.")
        return
    table = [_HEADINGS, *map(_cells, promoted)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _cells(each: Listed) -> tuple[str, ...]:
    from dicomquest.index.tables.promoted import READY
    from dicomquest.standard.tags import private_tag_text, tag_text

    tag, creator, level, keyword, vr = each.attribute
    state = "too long" if each.state == READY and not each.is_used else each.state
    # Rounded down: 99.6 % is not 100 % while queries cannot use the index yet.
    done = f"{int(each.share * 100)} %"
    written = private_tag_text(tag) if creator else tag_text(tag)
    return (keyword, written, creator, level.name, vr, state, done, str(each.rows))


def _promoted_vr(index: Index, name: str, creator: str) -> str:
    """Return the VR of a private attribute, which only ``add`` was told."""
    attribute = _attribute(name, creator, "LO" if creator else "", None)
    found = (each.attribute.vr for each in index.promoted() if each.attribute[:2] == attribute[:2])
    return next(found, attribute.vr)


def _attribute(name: str, creator: str, vr: str, level: Level | None) -> Attribute:
    from pydicom.datadict import tag_for_keyword

    from dicomquest.dataset.dictionary import close_keywords
    from dicomquest.index.upkeep.promotion import attribute_named

    try:
        return attribute_named(name, creator=creator, vr=vr, level=level)
    except ValueError as error:
        close = close_keywords(name) if name.isalpha() and tag_for_keyword(name) is None else []
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise click.UsageError(f"{error}{hint}") from error


@contextmanager
def _bar(words: str) -> Iterator[Callable[[int, int], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(words), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, greatest: bar.update(task, completed=done, total=greatest)
