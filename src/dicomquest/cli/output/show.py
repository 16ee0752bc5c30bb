"""Matches on their way to the output: chosen, sorted, counted, written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.messages import give_up
from dicomquest.cli.output.counter import Counter
from dicomquest.cli.output.formats import FORMATS, Format, format_of
from dicomquest.cli.output.headings import Heading
from dicomquest.cli.output.match_values import text_at, values_at
from dicomquest.cli.output.output_settings import OutputSettings
from dicomquest.cli.output.page import Page, is_styled, terminal_size
from dicomquest.errors import MissingPackageError
from dicomquest.standard.levels import Level, Noun
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET, is_private

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.identifier.key_arguments import Key


@dataclass(frozen=True, slots=True)
class Question:
    """The keys of the request and of the output, parsed before anything is sent."""

    keys: tuple[Key, ...]
    columns: tuple[Key, ...]
    sort: tuple[tuple[Key, bool], ...]


@dataclass(slots=True)
class Shown:
    """The outcome: the rows that were written, and those that the user does not see."""

    count: int = 0
    seconds: float = 0.0
    is_cut: bool = False
    left_out: tuple[Heading, ...] = ()


def question(texts: Sequence[str], settings: OutputSettings) -> Question:
    """Parse the keys of the command line, of --columns and of --sort; KeyTextError if wrong."""
    from dicomquest.query.identifier.key_arguments import parse_key, parse_keys

    keys = parse_keys(texts)
    columns = parse_keys(settings.columns.split(",")) if settings.columns else []
    sort = [
        (parse_key(text.strip().removeprefix("-")), text.strip().startswith("-"))
        for text in (settings.sort.split(",") if settings.sort else ())
    ]
    known = {key.path for key in keys}
    for key in [*columns, *(key for key, _ in sort)]:
        if key.path not in known:
            known.add(key.path)
            keys.append(replace(key, value=""))
    return Question(tuple(keys), tuple(columns), tuple(sort))


def show(
    matches: Iterable[DataSet],
    keys: Sequence[Key],
    asked: Question,
    level: Level,
    settings: OutputSettings,
    *,
    is_continued: bool = False,
    taken: Callable[[DataSet], None] | None = None,
    noun: Noun | None = None,
) -> Shown:
    """Write the matches; ``keys`` are those of the request, in order.

    ``is_continued`` goes on behind what the file has. ``taken`` is told each match, whole.
    ``noun`` names the matches of a query without levels.
    """
    shown = Shown()
    counter = Counter(noun or level)
    columns = asked.columns or tuple(keys)
    try:
        chosen = _chosen(counter.counted(matches), columns, asked, settings, shown, taken=taken)
        if settings.count:
            shown.count = sum(1 for _ in chosen)
            counter.erase()
            click.echo(shown.count)
        else:
            named = asked.columns or tuple(key for key in asked.keys if not key.value)
            blank = Page(
                keys=columns, asked=frozenset(named), level=level, out=sys.stdout,
                dialect=settings.csv_dialect, is_csv_safe=settings.csv_safe,
                is_ordered=bool(settings.columns), is_continued=is_continued,
                make_way=counter.erase,
            )  # fmt: skip
            with _page(settings, blank) as (format_, page):
                shown.left_out = format_.write(_noted(chosen, shown), page)
    except MissingPackageError as error:
        raise give_up(str(error)) from error
    finally:
        counter.erase()
    shown.seconds = counter.seconds
    return shown


def _noted(matches: Iterable[DataSet], shown: Shown) -> Iterator[DataSet]:
    for match in matches:
        shown.count += 1
        yield match


def _chosen(
    matches: Iterable[DataSet],
    columns: Sequence[Key],
    asked: Question,
    settings: OutputSettings,
    shown: Shown,
    *,
    taken: Callable[[DataSet], None] | None,
) -> Iterator[DataSet]:
    if settings.unique:
        matches = _unique(matches, columns)
    if asked.sort:
        matches = _sorted(list(matches), asked.sort)
    if settings.limit is not None:
        matches = _first(iter(matches), settings.limit, shown)
    if taken is not None:
        matches = _told(matches, taken)
    if asked.columns:
        # The last step: rows may have been sorted by others.
        matches = _only(matches, columns)
    yield from matches


def _told(matches: Iterable[DataSet], taken: Callable[[DataSet], None]) -> Iterator[DataSet]:
    for match in matches:
        taken(match)
        yield match


def _first(matches: Iterator[DataSet], limit: int, shown: Shown) -> Iterator[DataSet]:
    yield from islice(matches, limit)
    # One more, to know whether the limit cut anything.
    shown.is_cut = next(matches, None) is not None


def _only(matches: Iterable[DataSet], columns: Sequence[Key]) -> Iterator[DataSet]:
    """Leave out the attributes that are no columns; a private group stays whole."""
    tags = {SPECIFIC_CHARACTER_SET, *(key.path[0].tag for key in columns)}
    groups = {tag >> 16 for tag in tags if is_private(tag)}
    for match in matches:
        yield {tag: element for tag, element in match.items() if tag in tags or tag >> 16 in groups}


def _unique(matches: Iterable[DataSet], columns: Sequence[Key]) -> Iterator[DataSet]:
    seen = set()
    for match in matches:
        row = tuple(text_at(match, key.path) for key in columns)
        if row not in seen:
            seen.add(row)
            yield match


def _sorted(rows: list[DataSet], keys: Sequence[tuple[Key, bool]]) -> list[DataSet]:
    """Sort by several keys, the last one first; matches without a value come last."""
    for key, is_downwards in reversed(keys):
        with_value = [row for row in rows if values_at(row, key.path)]
        without = [row for row in rows if not values_at(row, key.path)]
        with_value.sort(key=_place(key), reverse=is_downwards)
        rows = with_value + without
    return rows


def _place(key: Key) -> Callable[[DataSet], Any]:
    def place(match: DataSet) -> list[tuple[bool, float, str]]:
        return [_comparable(value) for value in values_at(match, key.path)]

    return place


def _comparable(value: Any) -> tuple[bool, float, str]:
    """Compare numbers by size, before text; other text without regard to case."""
    try:
        return False, float(value), ""
    except (TypeError, ValueError):
        return True, 0.0, str(value).casefold()


@contextmanager
def _page(settings: OutputSettings, page: Page) -> Iterator[tuple[Format, Page]]:
    """Open the output; a file is complete when the block ends."""
    name = format_of(settings.format, settings.output)
    format_ = FORMATS[name]
    if settings.output is not None:
        path = Path(settings.output)
        try:
            if name == "dcm":
                yield format_, replace(page, folder=path)
            elif format_.is_binary:
                with path.open("wb") as stream:
                    yield format_, replace(page, binary=stream)
            else:
                if not page.is_continued:
                    path.write_bytes(b"")
                with path.open("a", encoding="utf-8", newline="") as out:
                    yield format_, replace(page, out=out)
        except OSError as error:
            raise give_up(f"{path} cannot be written: {error.strerror or error}") from error
        return
    if format_.is_binary:
        yield format_, replace(page, binary=sys.stdout.buffer)
    elif size := terminal_size(sys.stdout):
        width, height = size
        yield (
            format_,
            replace(page, width=width, height=max(height - 2, 5), is_styled=is_styled(sys.stdout)),
        )
    else:
        yield format_, page
    sys.stdout.flush()


def check_output(settings: OutputSettings, *, is_tree: bool) -> None:
    """Raise click's UsageError for options that do not go together, before anything is sent."""
    name = format_of(settings.format, settings.output)
    if FORMATS[name].is_binary and settings.output is None and sys.stdout.isatty():
        raise click.UsageError(f"--format {name} is not for a terminal: add -o FILE")
    if name == "tree" and not is_tree:
        raise click.UsageError("--format tree shows what --tree asks for: add --tree")
    if name == "dcm" and settings.output is None:
        raise click.UsageError("--format dcm writes a file per match: add -o FOLDER/")
    if FORMATS[name].is_binary:
        from dicomquest.dataset.arrow_columns import load

        load("pyarrow", "arrow")


def is_for_people(settings: OutputSettings) -> bool:
    """Tell whether a person reads standard output and standard error, and no program alone."""
    if settings.count:
        return False
    name = format_of(settings.format, settings.output)
    return FORMATS[name].is_for_people or settings.output is not None
