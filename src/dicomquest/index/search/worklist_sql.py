"""The compiler of a worklist query to one statement (PS3.4 K.4.1.3.1).

The columns of an entry say what most keys ask, exactly; Python matches the others on the entry's
JSON. A row is that JSON. A station's list of a day is one range of the index of stations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.elements import from_json
from dicomquest.dataset.response_fields import Field, Row, Source
from dicomquest.index.search.condition import Sql
from dicomquest.index.search.matching_sql import criterion_sql
from dicomquest.index.search.pattern_sql import are_taken
from dicomquest.index.search.plan import (
    Columns,
    Facts,
    Plan,
    RowFilter,
    Selection,
    with_more,
)
from dicomquest.index.search.python_filter import FUNCTION
from dicomquest.index.search.residuals import Residual
from dicomquest.index.tables.dialects import DIALECTS, Dialect
from dicomquest.index.tables.schema import (
    ATTRIBUTES,
    ENTRY_COLUMNS,
    WORKLIST_ENTRY,
    WORKLIST_STATION,
)
from dicomquest.query.criteria import (
    AnyOf,
    DateTimePairMatch,
    KeyCriterion,
    Range,
    SequenceMatch,
    SingleInterval,
)
from dicomquest.query.worklist_entry import entry_response, filter_of_entry
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE, TIMEZONE_OFFSET_FROM_UTC
from dicomquest.standard.worklist_keys import SCHEDULED_STATION_AE_TITLE, START_DATE, START_TIME

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.model import Query

_ENTRY, _STATION = WORKLIST_ENTRY.name, WORKLIST_STATION.name
_JSON = f"{_ENTRY}.{ATTRIBUTES}"
# One column with all of an entry: its encoder makes the response.
_WHOLE = Selection((_JSON,), (Field(0, "UN", Source.TEXT),), ())
_COLUMNS = {key.path: columns for key, columns in ENTRY_COLUMNS.items()}
_START_DATE = "start_date_sort"


@dataclass(frozen=True, slots=True)
class WorklistPlan(Plan):
    """A compiled worklist query; its rows have the JSON of an entry."""

    def to_data_set(self, row: Row) -> DataSet:
        """Return the response identifier of a row."""
        return entry_response(from_json(json.loads(row[0])), self.query)


class EntryResidual(Residual):
    """Keys of an entry that only Python can match, on elements of its JSON."""

    __slots__ = ()

    def expressions(self, dialect: Dialect) -> list[str]:
        """Return the SQL of Python's view: elements, or the whole entry."""
        if self.tags is None:
            return [_JSON]
        element = DIALECTS[dialect].element
        return [element.format(column=_JSON, tag=f"{tag:08X}") for tag in self.tags]


class _Said(NamedTuple):
    """The conditions that SQL says of a key; Python has to look as well unless they ``suffice``."""

    conditions: list[Sql]
    suffice: bool


def compile_worklist(query: Query, facts: Facts, columns: Columns = ()) -> WorklistPlan:
    """Return the plan of a worklist query; rows have the values of ``columns`` behind the JSON."""
    where: list[Sql] = []
    left: list[KeyCriterion] = []
    for key in (*query.criteria, *map(filter_of_entry, query.visible)):
        said = _said_of(key, facts.dialect)
        where += said.conditions
        if not said.suffice:
            left.append(key)
    if query.shown_to is not None:
        where.append((f"{_ENTRY}.list IN ('', ?)", (query.shown_to,)))
    selection = with_more(_WHOLE, columns) if columns else _WHOLE
    selected = list(selection.columns)
    residuals: tuple[Residual, ...] = ()
    row_filter = None
    if left:
        residual = _residual(query, left)
        seen = residual.expressions(facts.dialect)
        residuals = (residual,)
        if DIALECTS[facts.dialect].calls_python:
            # Last, as it costs most.
            where.append((f"{FUNCTION}(0, {', '.join(seen)})", ()))
        else:
            row_filter = RowFilter(residuals, ())
            selected += seen
    text = f"SELECT {', '.join(selected)} FROM {_ENTRY}"
    if where:
        text += " WHERE " + " AND ".join(f"({each})" for each, _ in where)
    text += DIALECTS[facts.dialect].streamed
    parameters = tuple(parameter for _, each in where for parameter in each)
    return WorklistPlan(query, text, parameters, selection, residuals, row_filter, facts)


def _residual(query: Query, keys: Sequence[KeyCriterion]) -> EntryResidual:
    if any(key.path[0].creator is not None for key in keys):
        return EntryResidual(query.level, None, (), tuple(keys))
    tags = dict.fromkeys(tag for key in keys for tag in _tags(key))
    return EntryResidual(query.level, (*tags, TIMEZONE_OFFSET_FROM_UTC), (), tuple(keys))


def _tags(key: KeyCriterion) -> tuple[int, ...]:
    if isinstance(key.criterion, DateTimePairMatch):
        return key.criterion.date, key.criterion.time
    return (key.path[0].tag,)


def _said_of(key: KeyCriterion, dialect: Dialect) -> _Said:
    if key.path[0].creator is not None:
        return _Said([], suffice=False)
    steps = key.path[0].tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE
    if not steps or not isinstance(key.criterion, SequenceMatch):
        return _said_of_attribute(key, dialect)
    # An entry has one step, so each key may hold by itself.
    inner = key.criterion.keys
    days = _days(inner)
    found = [_said_of_step(each, days, dialect) for each in inner]
    conditions = [condition for each in found for condition in each.conditions]
    return _Said(conditions, all(each.suffice for each in found))


def _said_of_step(key: KeyCriterion, days: KeyCriterion | None, dialect: Dialect) -> _Said:
    if key.tag != SCHEDULED_STATION_AE_TITLE or len(key.path) != 2:
        return _said_of_attribute(key, dialect)
    found = _on(key, ("station_ae_title",), dialect)
    if found is None:
        return _Said([], suffice=False)
    conditions = [found]
    if days is not None and (day := _on(days, (_START_DATE,), dialect)) is not None:
        conditions.append(day)
    text = " AND ".join(f"({each})" for each, _ in conditions)
    parameters = tuple(parameter for _, each in conditions for parameter in each)
    stations = f"SELECT entry FROM {_STATION} WHERE {text}"
    return _Said([(f"{_ENTRY}.id IN ({stations})", parameters)], suffice=True)


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


def _said_of_attribute(key: KeyCriterion, dialect: Dialect) -> _Said:
    path = tuple(step.tag for step in key.path)
    columns = _COLUMNS.get(path)
    if isinstance(key.criterion, DateTimePairMatch):
        is_of_step = (*path[:-1], key.criterion.time) == _TIME_PATH
        columns = (*_COLUMNS[_DATE_PATH], *_COLUMNS[_TIME_PATH]) if is_of_step else None
    if columns is None or any(step.creator is not None for step in key.path):
        return _Said([], suffice=False)
    found = _on(key, tuple(f"{_ENTRY}.{column}" for column in columns), dialect)
    return _Said([], suffice=False) if found is None else _Said([found], suffice=True)


_DATE_PATH = (SCHEDULED_PROCEDURE_STEP_SEQUENCE, START_DATE)
_TIME_PATH = (SCHEDULED_PROCEDURE_STEP_SEQUENCE, START_TIME)


def _on(key: KeyCriterion, columns: tuple[str, ...], dialect: Dialect) -> Sql | None:
    """Return the condition of a key on the columns of its search form, None if SQL cannot say it.

    An attribute of a column has one value, so no criterion asks for several of them here.
    """
    if not are_taken(key.criterion):
        return None
    return criterion_sql(key.criterion, columns, dialect)
