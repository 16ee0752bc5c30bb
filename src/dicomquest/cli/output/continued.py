"""A file of ``find --tree -o`` that a former run has begun: which studies it has already."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dicomquest.cli.messages import give_up, say
from dicomquest.cli.output.formats import format_of
from dicomquest.cli.output.headings import typed_heading
from dicomquest.cli.output.output_settings import OutputSettings
from dicomquest.cli.output.text_formats import DIALECTS, in_order

if TYPE_CHECKING:
    from dicomquest.query.identifier.key_arguments import Key

STUDY = "StudyInstanceUID"


def continue_file(settings: OutputSettings, keys: Sequence[Key]) -> tuple[bool, frozenset[str]]:
    """Return whether the output goes on in its file, and the studies that are in it as a whole.

    The rows of a study stand together, so only the last study may lack some: it is cut off, and
    asked for again. Formats but CSV and JSON lines begin anew.
    """
    name = format_of(settings.format, settings.output)
    path = Path(settings.output) if settings.output is not None else None
    ordered = settings.columns is not None or settings.sort is not None or settings.unique
    if path is None or name not in {"csv", "jsonl"} or ordered or not path.is_file():
        return False, frozenset()
    if not path.stat().st_size:
        return False, frozenset()
    rows = _csv_rows(path, settings, keys) if name == "csv" else _json_rows(path)
    starts: dict[str, int] = {}
    try:
        for offset, uid in rows:
            starts.setdefault(uid, offset)
    except (ValueError, KeyError, csv.Error, UnicodeDecodeError) as error:
        raise give_up(f"{path} is no file that --tree has begun: {error}") from error
    if not starts:
        return False, frozenset()
    last, offset = max(starts.items(), key=lambda each: each[1])
    with path.open("r+b") as stream:
        stream.truncate(offset)
    starts.pop(last)
    if starts:
        say(f"{path} has {len(starts):,} studies already: going on behind them")
    return True, frozenset(starts)


def _csv_rows(
    path: Path, settings: OutputSettings, keys: Sequence[Key]
) -> Iterator[tuple[int, str]]:
    """Yield the offset and the study of each row; ValueError for other columns."""
    dialect = DIALECTS[settings.csv_dialect]
    position = 0

    def lines() -> Iterator[str]:
        nonlocal position
        with path.open("rb") as stream:
            for line in stream:
                position += len(line)
                yield line.decode("utf-8")

    reader = csv.reader(lines(), delimiter=dialect.delimiter)
    heading = next(reader)
    heading[0] = heading[0].removeprefix(dialect.mark)
    wanted = [typed_heading(key) for key in in_order(keys)]
    if heading != wanted:
        raise ValueError("its columns are others")
    column = wanted.index(STUDY)
    start = position
    for row in reader:
        if len(row) == len(wanted):
            yield start, row[column]
        start = position


def _json_rows(path: Path) -> Iterator[tuple[int, str]]:
    start = 0
    last = ""
    with path.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):  # cut off: it belongs to the last study, or to a new one
                yield start, last or "cut off"
                return
            last = json.loads(line)[STUDY]
            yield start, last
            start += len(line)
