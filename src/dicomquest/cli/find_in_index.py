"""``dicomquest find --index``: the same question to an index of this machine (PS3.4 C.4.1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from dicomquest.cli.messages import INTERRUPTED, WRONG_COMMAND_LINE, give_up, index_failure
from dicomquest.cli.output.interruption import Interruption
from dicomquest.cli.output.output_settings import OutputSettings
from dicomquest.cli.output.show import Question, Shown, is_for_people, show
from dicomquest.cli.output.summary import summarise
from dicomquest.errors import IdentifierError, IndexDatabaseError

if TYPE_CHECKING:
    from dicomquest.cli.find_target import TargetSettings
    from dicomquest.cli.request_identifier import Request
    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.index import Index
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.loosening import FurtherQuestion
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.models import InformationModel

FIRST_ROWS, ROWS = 32, 512
"""The first rows are few, so that they are shown at once."""


def find_in_index(  # noqa: PLR0917
    target: TargetSettings,
    asked: Question,
    request: Request,
    model: InformationModel,
    out: OutputSettings,
    wanted: QueryOptions,
    *,
    explain: bool = False,
) -> None:
    """Ask an index and show its matches; raise click's Exit if that fails."""
    from dicomquest.index import open_index
    from dicomquest.query.identifier.parse import parse_identifier
    from dicomquest.query.visibility import VisibilityError

    try:
        with open_index(target.index or "", visible=target.visible) as index:
            options = replace(
                wanted,
                relational=True,
                ignore_case=target.ignore_case,
                timezone_offset_minutes=index.timezone_offset_minutes,
            )
            query = parse_identifier(request.identifier, model.uid, options)
            with index.search(query) as cursor:
                shown = _show(cursor, asked, request, out)
            if not shown.count and is_for_people(out):
                _say_why_nothing(index, request, model, options, explain=explain)
    except VisibilityError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except IdentifierError as error:
        raise give_up(str(error)) from error
    except IndexDatabaseError as error:
        raise index_failure(error) from error


def _say_why_nothing(
    index: Index,
    request: Request,
    model: InformationModel,
    options: QueryOptions,
    *,
    explain: bool,
) -> None:
    from dicomquest.cli.asking.why_nothing import MOST_ANSWERS, say_hints, say_why_nothing
    from dicomquest.query.identifier.parse import parse_identifier
    from dicomquest.query.loosening import names_ancestors

    relational = not names_ancestors(request.identifier, model)

    def ask(question: FurtherQuestion) -> int:
        query = parse_identifier(question.identifier, model.uid, options)
        with index.search(query) as cursor:
            return len(cursor.fetch(MOST_ANSWERS))

    if explain:
        say_why_nothing(ask, request.identifier, model, "the index", relational=relational)
    else:
        say_hints(request.identifier, model, "the index", relational=relational)


def _show(cursor: Cursor, asked: Question, request: Request, out: OutputSettings) -> Shown:
    with Interruption(cursor.interrupt, cursor.interrupt) as interruption:
        matches = interruption.until(_matches(cursor, interruption))
        shown = show(matches, request.columns, asked, request.level, out)
    summarise(shown, request.level, out, is_complete=True, is_interrupted=interruption.has_come)
    if interruption.has_come:
        raise click.exceptions.Exit(INTERRUPTED)
    return shown


def _matches(cursor: Cursor, interruption: Interruption) -> Iterator[DataSet]:
    size = FIRST_ROWS
    try:
        while rows := cursor.fetch(size):
            yield from map(cursor.plan.to_data_set, rows)
            size = ROWS
    except IndexDatabaseError:
        if not interruption.has_come:
            raise
