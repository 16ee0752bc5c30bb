"""``dicomquest explain``: a query of an index in words, in SQL, and its effect key by key."""

from __future__ import annotations

import shutil
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.counting import counted
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import WRONG_COMMAND_LINE, give_up, index_failures, say
from dicomquest.cli.named_peers import complete_key
from dicomquest.cli.shared_options import LEVEL, LEVELS, index_option
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.cli.request_identifier import Request
    from dicomquest.index.index import Index
    from dicomquest.index.search.condition import Sql
    from dicomquest.index.search.key_effects import Effects, KeyEffect
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.explain import KeyExplanation
    from dicomquest.query.model import Query
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.models import InformationModel

MOST_COUNTED = 100_000
"""Matches at which a count ends: half a second of a large index."""

WIDEST = 100
_INDENT = 12


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """The command line of ``dicomquest explain``."""

    keys: tuple[str, ...]
    location: str
    level: str
    model: str
    visible: tuple[str, ...]
    fuzzy: bool
    as_is: bool


@click.command(cls=PageCommand)
@click.argument("keys", metavar="[KEY[=VALUE]]...", nargs=-1, shell_complete=complete_key)
@index_option
@click.option(
    "-L",
    "--level",
    type=LEVEL,
    metavar=LEVELS,
    default="STUDY",
    show_default=True,
    help="The level of the matches.",
)
@click.option(
    "-m",
    "--model",
    type=click.Choice(("study", "patient", "psonly"), case_sensitive=False),
    default="study",
    show_default=True,
    help="The information model: Study Root, Patient Root or Patient/Study Only.",
)
@click.option(
    "--visible",
    multiple=True,
    metavar="KEY=VALUE",
    help="Explain for one who sees only what matches this key; repeat it.",
)
@click.option("--fuzzy", is_flag=True, help="Explain for one who asks with find --fuzzy.")
@click.option("--as-is", is_flag=True, help="Take keys and values as they are, allowed or not.")
def explain(**values: Any) -> None:
    """Explain what a query means to an index, how the database finds it, and why it finds nothing.

    \b
    Which key excludes everything?
      dicomquest explain PatientName=Doe StudyDate=2024-01 AccessionNumber=A77
    How are the series of a study found in this index?
      dicomquest explain --index scans.sqlite -L SERIES StudyInstanceUID=1.2.3 Modality=CT
    What does a peer with a filter see?
      dicomquest explain --visible InstitutionName=EAST PatientID=4711

    KEY and VALUE are those of `dicomquest find`. For each key the command prints what it asks, its
    condition in SQL, the matches of the key alone, and those of the query without it: a key without
    which something is found excludes everything. A count ends at 100,000.

    The exit status is 0 if the query was explained, 1 if the index failed or the query has no
    meaning, 2 if the command line is wrong, 130 after Ctrl-C.
    """  # noqa: D301
    run(ExplainSettings(**values))


def run(settings: ExplainSettings) -> None:
    """Explain a query; raise click's Exit if it has no meaning."""
    from dicomquest.cli.request_identifier import MODEL_NAMES, build_request
    from dicomquest.cli.written_keys import KeyValueError, read_written
    from dicomquest.errors import IdentifierError
    from dicomquest.index import open_index
    from dicomquest.query.identifier.key_arguments import KeyTextError, parse_keys
    from dicomquest.query.options import QueryOptions
    from dicomquest.query.visibility import VisibilityError, parse_visible

    warnings.simplefilter("ignore")
    model, level = MODEL_NAMES[settings.model], Level[settings.level]
    options = QueryOptions(relational=True, fuzzy=settings.fuzzy)
    try:
        keys = parse_keys(settings.keys)
        if not settings.as_is:
            now = datetime.now().astimezone()
            keys = read_written(keys, now, way_out=" (--as-is takes it all the same.)")
        request = build_request(keys, model, level, options, as_is=settings.as_is)
    except KeyValueError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except KeyTextError as error:
        raise click.UsageError(str(error)) from error
    for note in request.notes:
        say(f"Note: {note}")
    try:
        with (
            index_failures("nothing was changed"),
            open_index(settings.location, visible=settings.visible) as index,
        ):
            explain_in_index(index, request, model, options, parse_visible(settings.visible))
    except VisibilityError as error:
        raise give_up(str(error), WRONG_COMMAND_LINE) from error
    except IdentifierError as error:
        raise give_up(f"the query has no meaning: {error}") from error


def explain_in_index(
    index: Index,
    request: Request,
    model: InformationModel,
    options: QueryOptions,
    visible: tuple[KeyCriterion, ...] = (),
) -> None:
    """Print the explanation of a query; ``visible`` is the filter under which the index is open."""
    from dicomquest.index.search.key_effects import effects_of
    from dicomquest.query.explain import explain_keys
    from dicomquest.query.identifier.parse import parse_identifier
    from dicomquest.query.words import question, visibility

    options = replace(options, timezone_offset_minutes=index.timezone_offset_minutes)
    query = parse_identifier(request.identifier, model.uid, options)
    effects = effects_of(query, index.search, MOST_COUNTED)
    found = _counted(effects.matches, effects)
    asked = f"{question(query)}{visibility(replace(query, visible=visible))} ({model.words})"
    click.echo("\n".join(_wrapped(f"{asked}: {found}", 0)) + "\n")
    explained = {key.tag: key for key in explain_keys(request.identifier, model.uid, options)}
    for effect in effects.keys:
        click.echo("\n".join(_key_lines(effect, explained.get(effect.key.path[0].tag), effects)))
    _say_the_rest(query, explained)
    click.echo("\n".join(_field("SQL", _filled(effects.statement))))
    click.echo("\n".join(_field("Plan", effects.steps[0])))
    for step in effects.steps[1:]:
        click.echo("\n".join(_field("", step)))
    if not effects.matches:
        why = _why(index, request, model, options, effects)
        click.echo("\n" + "\n".join(_wrapped(why, 0)))


def _key_lines(
    effect: KeyEffect, explained: KeyExplanation | None, effects: Effects
) -> Iterator[str]:
    from dicomquest.query.matching import BY_CRITERION, words
    from dicomquest.standard.tags import tag_text

    matching = BY_CRITERION[type(effect.key.criterion)]
    path = ".".join(map(tag_text, (step.tag for step in effect.key.path)))
    kind = f"{explained.type.name.lower()} key, " if explained is not None else ""
    head = f"{effect.name} {path}: {kind}{matching.name} matching (PS3.4 {matching.clause})"
    yield "\n  ".join(_wrapped(head, 2))
    yield from _field("  asks", words(effect.key.criterion, effect.name))
    yield from _field("  SQL", _filled(effect.condition) or "none: Python looks at each row")
    yield from _field("  alone", _counted(effect.alone, effects))
    yield from _field("  without", _counted(effect.without, effects))
    for remark in explained.remarks if explained is not None else ():
        yield from _field("  note", remark)


def _say_the_rest(query: Query, explained: dict[int, KeyExplanation]) -> None:
    """Print the keys that are returned only, and those that do not act as asked."""
    from dicomquest.standard.tags import tag_text

    asking = {key.path[0].tag for key in query.criteria}
    plain = [key.name for tag, key in explained.items() if tag not in asking and not key.remarks]
    if plain:
        click.echo("\n".join(_field("Returned", ", ".join(plain))))
    for ignored in query.ignored:
        path = ".".join(map(tag_text, ignored.path))
        click.echo("\n".join(_field("Ignored", f"{path}: {ignored.reason}")))


def _why(
    index: Index,
    request: Request,
    model: InformationModel,
    options: QueryOptions,
    effects: Effects,
) -> str:
    """Return the keys at fault, and the values that were perhaps meant."""
    from dicomquest.index.search.key_effects import count
    from dicomquest.query.identifier.parse import parse_identifier
    from dicomquest.query.loosening import find_cause, names_ancestors

    if effects.is_empty:
        return f"Nothing matches: {effects.verdict}."
    relational = not names_ancestors(request.identifier, model)
    plan = find_cause(request.identifier, model, relational=relational, peer="The index")
    found = None
    while True:
        try:
            question = next(plan) if found is None else plan.send(found)
        except StopIteration as end:
            words: str = end.value.words
            return words
        query = parse_identifier(question.identifier, model.uid, options)
        found = count(query, index.search, 1)


def _counted(number: int, effects: Effects) -> str:
    more = " or more" if number == effects.most else ""
    return f"{counted(number, effects.level)}{more}" if number else f"no {effects.level.entity}"


def _filled(sql: Sql) -> str:
    """Return SQL with its values in their places, for a person to read."""
    text, parameters = sql
    parts = text.split("?")
    if len(parts) != len(parameters) + 1:
        return text
    values = [*map(_literal, parameters), ""]
    return "".join(part + value for part, value in zip(parts, values, strict=True))


def _literal(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def _field(name: str, text: str) -> list[str]:
    """Return a name and its text, wrapped behind it."""
    lines = _wrapped(text, _INDENT)
    return [f"{name if at == 0 else '':<{_INDENT}}{line}" for at, line in enumerate(lines)]


def _wrapped(text: str, indent: int) -> list[str]:
    """Return the lines of a text behind an indent."""
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 0)).columns) - indent
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
