"""The query of ``dicomquest remove``: entities by their unique keys, or those that keys find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from dicomquest.cli.written_keys import read_written
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import IdentifierError
from dicomquest.query.criteria import AnyOf, HasValue, KeyCriterion, SingleValue, Step, UIDList
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    build_identifier,
    parse_keys,
)
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL


def build_query(
    named: Sequence[tuple[Level, tuple[str, ...]]],
    keys: Sequence[str],
    level: str | None,
    zone_minutes: int,
) -> Query:
    """Return the query of the command line; click's UsageError if that is wrong."""
    if len(named) + bool(keys) != 1:
        raise click.UsageError(
            "expected one of --patient, --study, --series, --instance, or KEY=VALUE with --level"
        )
    if named:
        if level is not None:
            raise click.UsageError(
                "--level belongs to KEY=VALUE; --patient, --study, --series, --instance need none"
            )
        return _query_of_names(*named[0])
    if level is None:
        raise click.UsageError("KEY=VALUE needs --level: PATIENT, STUDY, SERIES or IMAGE")
    try:
        written = read_written(parse_keys(keys), datetime.now().astimezone())
        return _query_of_keys(written, Level[level.upper()], zone_minutes)
    except (KeyTextError, IdentifierError) as error:
        raise click.UsageError(str(error)) from error


def _query_of_names(level: Level, values: tuple[str, ...]) -> Query:
    """Return a query by unique keys; no character of a value is a wild card or a delimiter."""
    unique = UNIQUE_KEYS[level]
    values = tuple(dict.fromkeys(value.strip() for value in values))
    if "" in values:
        raise click.UsageError(f"{unique.keyword} is empty; give a value")
    ids = tuple(SingleValue(value) for value in values)
    criterion = UIDList(values) if unique.vr == "UI" else ids[0] if len(ids) == 1 else AnyOf(ids)
    key = KeyCriterion((Step(unique.tag),), level, unique.vr, criterion)
    return Query(PATIENT_ROOT, level, (key,), (), QueryOptions(relational=True))


def _query_of_keys(keys: list[Key], level: Level, zone_minutes: int) -> Query:
    """Return a query of keys; KeyTextError if one restricts nothing and would remove too much."""
    model = PATIENT_ROOT if level is Level.PATIENT else STUDY_ROOT
    options = QueryOptions(relational=True, timezone_offset_minutes=zone_minutes)
    for key in keys:
        alone = parse_identifier(_identifier([key], level), model.uid, options)
        if all(isinstance(each.criterion, HasValue) for each in alone.criteria):
            raise KeyTextError(
                f"{key.name}={key.value} restricts nothing, so it would remove everything; "
                "leave it out or give another value"
            )
    return parse_identifier(_identifier(keys, level), model.uid, options)


def _identifier(keys: Sequence[Key], level: Level) -> DataSet:
    return {**build_identifier(keys), QUERY_RETRIEVE_LEVEL: Element("CS", (level.name,))}
