"""The keys and computed attributes that only Python can tell, by an entity's JSON and columns.

A statement hands the values over, to a function that it calls or as columns behind the fields.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.dataset.elements import element_from_json, from_json
from dicomquest.dataset.response_fields import text_element
from dicomquest.index.tables.computed_texts import distinct_text, regions_text
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.schema import ATTRIBUTES, TABLES
from dicomquest.query.evaluate import matches_data_set
from dicomquest.standard.keys import Key, Storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index.search.condition import Sql
    from dicomquest.index.tables.dialects import Dialect
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.standard.levels import Level


class Residual(NamedTuple):
    """Keys of one level that only Python can match, and its view of an entity.

    ``tags``: elements of the JSON column. None is the whole column, because the block of a private
    element is not known. ``gathered``: computed attributes of what a filter leaves to see.
    """

    level: Level
    tags: tuple[int, ...] | None
    columns: tuple[Key, ...]
    keys: tuple[KeyCriterion, ...]
    gathered: tuple[Gathering, ...] = ()

    def expressions(self, dialect: Dialect) -> list[str]:
        """Return the SQL of Python's view: the JSON, then the columns, then what is gathered."""
        table = TABLES[self.level]
        json_texts = (
            [f"{table}.{ATTRIBUTES}"]
            if self.tags is None
            else [element_sql(self.level, tag, dialect) for tag in self.tags]
        )
        json_texts += [f"{table}.{key.column}" for key in self.columns]
        return json_texts + [each.sql[0] for each in self.gathered]

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The parameters of the expressions."""
        return tuple(parameter for each in self.gathered for parameter in each.sql[1])

    @property
    def width(self) -> int:
        """The number of the expressions."""
        json_texts = 1 if self.tags is None else len(self.tags)
        return json_texts + len(self.columns) + len(self.gathered)


class Gathering(NamedTuple):
    """A computed attribute of the visible entities below one, where the stored value counts all.

    ``sql`` gives the value itself (``is_value``), or a JSON list of the texts that Python makes it
    of. With ``residuals`` each member is a list: a text or number, and Python's views of the chain
    of descendants that it comes from. ``adds`` says that the value is the sum of the numbers.
    """

    key: Key
    sql: Sql
    is_value: bool
    residuals: tuple[Residual, ...] = ()
    adds: bool = False


def meets(residual: Residual, values: Sequence[str | None], zone_minutes: int) -> bool:
    """Tell whether an entity meets the keys, by the values of the residual's expressions."""
    data_set: DataSet = {}
    if residual.tags is None:
        if values[0] is not None:
            data_set = from_json(json.loads(values[0]))
        columns = values[1:]
    else:
        for tag, text in zip(residual.tags, values, strict=False):
            if text is not None:
                data_set[tag] = element_from_json(json.loads(text))
        columns = values[len(residual.tags) :]
    for key, text in zip(residual.columns, columns, strict=False):
        _add(data_set, key, text)
    for gathering, text in zip(residual.gathered, columns[len(residual.columns) :], strict=True):
        _add(data_set, gathering.key, gathered_value(gathering, text, zone_minutes))
    return matches_data_set(data_set, residual.keys, zone_minutes)


def _add(data_set: DataSet, key: Key, text: str | None) -> None:
    """Add the element of a column, if it has a value."""
    if text is None:
        return
    if key.storage is Storage.COMPUTED and key.vr == "SQ":
        data_set[key.tag] = element_from_json(json.loads(text))
    else:
        data_set[key.tag] = text_element(key.vr, text)


def gathered_value(gathering: Gathering, value: Any, zone_minutes: int) -> Any:
    """Return the value of a computed attribute as its stored column would have it."""
    if gathering.is_value:
        return value
    found = json.loads(value or "[]")
    if gathering.residuals:
        found = [
            part for part, *views in found if all_meet(gathering.residuals, views, zone_minutes)
        ]
    if gathering.adds:
        return sum(found)
    if gathering.key.vr == "IS":
        return len(set(found))
    return regions_text(found) if gathering.key.vr == "SQ" else distinct_text(found)


def all_meet(residuals: Iterable[Residual], values: Sequence[Any], zone_minutes: int) -> bool:
    """Tell whether all residuals are met by values that follow each other."""
    at = 0
    for residual in residuals:
        end = at + residual.width
        if not meets(residual, values[at:end], zone_minutes):
            return False
        at = end
    return True


def element_sql(level: Level, tag: int, dialect: Dialect) -> str:
    """Return the expression of one element of a level's JSON column: JSON text, or NULL."""
    return DIALECTS[dialect].element.format(
        column=f"{TABLES[level]}.{ATTRIBUTES}", tag=f"{tag:08X}"
    )
