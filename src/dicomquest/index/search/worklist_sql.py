"""The compiler of a worklist query to one statement (PS3.4 K.4.1.3.1).

The columns of an entry say what most keys ask, exactly; Python matches the others on the entry's
JSON. A row is that JSON. A station's list of a day is one range of the index of stations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dicomquest.index.search.condition import Sql
from dicomquest.index.search.entry_sql import EntryPlan, EntryResidual, Said, entry_plan
from dicomquest.index.search.matching_sql import criterion_sql
from dicomquest.index.search.pattern_sql import are_taken
from dicomquest.index.tables.schema import ENTRY_COLUMNS, WORKLIST_ENTRY, WORKLIST_STATION
from dicomquest.query.criteria import (
    AnyOf,
    DateTimePairMatch,
    KeyCriterion,
    Range,
    SequenceMatch,
    SingleInterval,
)
from dicomquest.query.worklist_entry import filter_of_entry
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.standard.worklist_keys import SCHEDULED_STATION_AE_TITLE, START_DATE, START_TIME

if TYPE_CHECKING:
    from dicomquest.index.search.plan import Columns, Facts
    from dicomquest.index.tables.dialects import Dialect
    from dicomquest.query.model import Query

_ENTRY, _STATION = WORKLIST_ENTRY.name, WORKLIST_STATION.name
_COLUMNS = {key.path: columns for key, columns in ENTRY_COLUMNS.items()}
_START_DATE = "start_date_sort"


def compile_worklist(query: Query, facts: Facts, columns: Columns = ()) -> EntryPlan:
    """Return the plan of a worklist query; rows have the values of ``columns`` behind the JSON."""
    keys = (*query.criteria, *map(filter_of_entry, query.visible))
    said: list[tuple[KeyCriterion | None, Said]] = [
        (key, _said_of(key, facts.dialect)) for key in keys
    ]
    if query.shown_to is not None:
        shown = (f"{_ENTRY}.list IN ('', ?)", (query.shown_to,))
        said.append((None, Said([shown], suffice=True)))
    if query.hidden_steps:
        status = f"{_ENTRY}.scheduled_procedure_step_status"
        marks = ", ".join("?" * len(query.hidden_steps))
        hidden = (f"{status} IS NULL OR {status} NOT IN ({marks})", query.hidden_steps)
        said.append((None, Said([hidden], suffice=True)))
    return entry_plan(query, facts, columns, EntryResidual, said)


def _said_of(key: KeyCriterion, dialect: Dialect) -> Said:
    if key.path[0].creator is not None:
        return Said([], suffice=False)
    steps = key.path[0].tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE
    if not steps or not isinstance(key.criterion, SequenceMatch):
        return _said_of_attribute(key, dialect)
    # An entry has one step, so each key may hold by itself.
    inner = key.criterion.keys
    days = _days(inner)
    found = [_said_of_step(each, days, dialect) for each in inner]
    conditions = [condition for each in found for condition in each.conditions]
    return Said(conditions, all(each.suffice for each in found))


def _said_of_step(key: KeyCriterion, days: KeyCriterion | None, dialect: Dialect) -> Said:
    if key.tag != SCHEDULED_STATION_AE_TITLE or len(key.path) != 2:
        return _said_of_attribute(key, dialect)
    found = _on(key, ("station_ae_title",), dialect)
    if found is None:
        return Said([], suffice=False)
    conditions = [found]
    if days is not None and (day := _on(days, (_START_DATE,), dialect)) is not None:
        conditions.append(day)
    text = " AND ".join(f"({each})" for each, _ in conditions)
    parameters = tuple(parameter for _, each in conditions for parameter in each)
    stations = f"SELECT entry FROM {_STATION} WHERE {text}"
    return Said([(f"{_ENTRY}.id IN ({stations})", parameters)], suffice=True)


def _days(keys: Iterable[KeyCriterion]) -> KeyCriterion | None:
    """Return the days that the keys of a step leave, for the index of stations."""
    for key in keys:
        match key.criterion:
            case SingleInterval() | Range() | AnyOf() if key.tag == START_DATE:
                return key
            case DateTimePairMatch(date, combined=combined, zone_minutes=None) if (
                date == START_DATE and combined is not None
            ):
                lower, upper = combined.lower, combined.upper
                days = Range(lower and lower[:8], upper and upper[:8], combined.text)
                return key._replace(criterion=days)
            case _:
                continue
    return None


def _said_of_attribute(key: KeyCriterion, dialect: Dialect) -> Said:
    path = tuple(step.tag for step in key.path)
    columns = _COLUMNS.get(path)
    if isinstance(key.criterion, DateTimePairMatch):
        is_of_step = (*path[:-1], key.criterion.time) == _TIME_PATH
        columns = (*_COLUMNS[_DATE_PATH], *_COLUMNS[_TIME_PATH]) if is_of_step else None
    if columns is None or any(step.creator is not None for step in key.path):
        return Said([], suffice=False)
    found = _on(key, tuple(f"{_ENTRY}.{column}" for column in columns), dialect)
    return Said([], suffice=False) if found is None else Said([found], suffice=True)


_DATE_PATH = (SCHEDULED_PROCEDURE_STEP_SEQUENCE, START_DATE)
_TIME_PATH = (SCHEDULED_PROCEDURE_STEP_SEQUENCE, START_TIME)


def _on(key: KeyCriterion, columns: tuple[str, ...], dialect: Dialect) -> Sql | None:
    """Return the condition of a key on the columns of its search form, None if SQL cannot say it.

    An attribute of a column has one value, so no criterion asks for several of them here.
    """
    if not are_taken(key.criterion):
        return None
    return criterion_sql(key.criterion, columns, dialect)
