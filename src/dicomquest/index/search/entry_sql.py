"""The statement of a query for entries, which a table holds as JSON (PS3.4 K.4.1.3.1, U, X, BB).

SQL says of the keys what it can, Python matches the others on the JSON. A row is that JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.elements import from_json
from dicomquest.dataset.response_fields import Field, Row, Source
from dicomquest.index.search.condition import Sql
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
from dicomquest.index.tables.schema import ATTRIBUTES, NON_PATIENT_OBJECT, WORKLIST_ENTRY
from dicomquest.index.tables.step_tables import WORKITEM
from dicomquest.query.criteria import DateTimePairMatch, KeyCriterion
from dicomquest.query.worklist_entry import entry_response
from dicomquest.standard.tags import TIMEZONE_OFFSET_FROM_UTC

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.model import Query


@dataclass(frozen=True, slots=True)
class EntryPlan(Plan):
    """A compiled query for entries; its rows have the JSON of one."""

    def to_data_set(self, row: Row) -> DataSet:
        """Return the response identifier of a row."""
        return entry_response(from_json(json.loads(row[0])), self.query)


class EntryResidual(Residual):
    """Keys of an entry that only Python can match, on elements of its JSON."""

    __slots__ = ()
    column = f"{WORKLIST_ENTRY.name}.{ATTRIBUTES}"

    def expressions(self, dialect: Dialect) -> list[str]:
        """Return the SQL of Python's view: elements, or the whole entry."""
        if self.tags is None:
            return [self.column]
        element = DIALECTS[dialect].element
        return [element.format(column=self.column, tag=f"{tag:08X}") for tag in self.tags]


class ObjectResidual(EntryResidual):
    """The same of an object that belongs to no patient."""

    __slots__ = ()
    column = f"{NON_PATIENT_OBJECT.name}.{ATTRIBUTES}"


class WorkitemResidual(EntryResidual):
    """The same of a Unified Procedure Step."""

    __slots__ = ()
    column = f"{WORKITEM.name}.{ATTRIBUTES}"


class Said(NamedTuple):
    """The conditions that SQL says of a key; Python has to look as well unless they ``suffice``."""

    conditions: list[Sql]
    suffice: bool


def entry_plan(
    query: Query,
    facts: Facts,
    columns: Columns,
    residual_of: type[EntryResidual],
    said: Iterable[tuple[KeyCriterion | None, Said]],
) -> EntryPlan:
    """Return the plan of keys with what SQL says of each; rows have ``columns`` behind the JSON."""
    where: list[Sql] = []
    left: list[KeyCriterion] = []
    for key, (conditions, suffice) in said:
        where += conditions
        if key is not None and not suffice:
            left.append(key)
    table = residual_of.column.partition(".")[0]
    # One column with all of an entry: its encoder makes the response.
    selection = Selection((residual_of.column,), (Field(0, "UN", Source.TEXT),), ())
    selection = with_more(selection, columns) if columns else selection
    selected = list(selection.columns)
    residuals: tuple[Residual, ...] = ()
    row_filter = None
    if left:
        residual = _residual(residual_of, query, left)
        seen = residual.expressions(facts.dialect)
        residuals = (residual,)
        if DIALECTS[facts.dialect].calls_python:
            # Last, as it costs most.
            where.append((f"{FUNCTION}(0, {', '.join(seen)})", ()))
        else:
            row_filter = RowFilter(residuals, ())
            selected += seen
    text = f"SELECT {', '.join(selected)} FROM {table}"
    if where:
        text += " WHERE " + " AND ".join(f"({each})" for each, _ in where)
    text += DIALECTS[facts.dialect].streamed
    parameters = tuple(parameter for _, each in where for parameter in each)
    return EntryPlan(query, text, parameters, selection, residuals, row_filter, facts)


def _residual(
    kind: type[EntryResidual], query: Query, keys: Sequence[KeyCriterion]
) -> EntryResidual:
    if any(key.path[0].creator is not None for key in keys):
        return kind(query.level, None, (), tuple(keys))
    tags = dict.fromkeys(tag for key in keys for tag in _tags(key))
    return kind(query.level, (*tags, TIMEZONE_OFFSET_FROM_UTC), (), tuple(keys))


def _tags(key: KeyCriterion) -> tuple[int, ...]:
    if isinstance(key.criterion, DateTimePairMatch):
        return key.criterion.date, key.criterion.time
    return (key.path[0].tag,)
