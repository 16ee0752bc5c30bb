"""What a query is to the database: SQL, its parameters, and what its rows are (PS3.4 C.4.1.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.dataset.elements import (
    DataSet,
    Element,
    element_from_json,
    element_to_json,
    from_json,
)
from dicomquest.dataset.response_fields import Field, Row, Source, row_element
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.schema import ATTRIBUTES, TABLES
from dicomquest.query.evaluate import response_element
from dicomquest.query.search_forms import own_zone
from dicomquest.standard.keys import KEYS_BY_TAG, Key, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

if TYPE_CHECKING:
    from dicomquest.index.tables.dialects import Dialect
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query, ReturnKey

OCCURRENCES = "SELECT path, part FROM occurrence"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan depends on besides its query; the database has them.

    ``occurrences``: the search forms outside a key's first column that exist at all (see ``schema.OCCURRENCE``).
    ``zone_minutes``: the zone that stored date-times without an offset were read in. ``trigrams``: whether there are
    trigram tables.
    """

    dialect: Dialect = "sqlite"
    occurrences: frozenset[tuple[str, int]] = frozenset()
    zone_minutes: int = 0
    trigrams: bool = True

    @property
    def are_guarded(self) -> bool:
        """Whether they may be of an earlier moment than the rows: then the statement itself holds them against it."""
        return self.dialect == "postgresql"


class Residual(NamedTuple):
    """Keys of one level that only Python can match, and what of an entity it has to see for that.

    ``tags``: elements of the JSON column, None for all of it (in which block a private one stands is not known).
    """

    level: Level
    tags: tuple[int, ...] | None
    columns: tuple[Key, ...]
    keys: tuple[KeyCriterion, ...]

    def expressions(self, dialect: Dialect) -> list[str]:
        """What it has to see: the JSON, then the columns."""
        table = TABLES[self.level]
        json_texts = (
            [f"{table}.{ATTRIBUTES}"]
            if self.tags is None
            else [element_sql(self.level, tag, dialect) for tag in self.tags]
        )
        return json_texts + [f"{table}.{key.column}" for key in self.columns]

    @property
    def width(self) -> int:
        """How many expressions that are."""
        return (1 if self.tags is None else len(self.tags)) + len(self.columns)


class RowFilter(NamedTuple):
    """What Python says of each row where SQL cannot call it: the columns behind the fields are for this.

    ``upper``: of the entity and those above it, their expressions one after the other. ``chain``: of the levels below,
    the last column: a JSON list of chains of descendants, each a list of these residuals' expressions.
    """

    upper: tuple[Residual, ...]
    chain: tuple[Residual, ...]


class Reduction(NamedTuple):
    """A column of JSON that becomes the element of a return key in Python: a private one, or a reduced sequence.

    The JSON is that of the level's whole data set, or of the one element (``of_element``).
    """

    position: int
    key: ReturnKey
    of_element: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """The columns of the result: what the response has, where it comes from, and what Python makes of it."""

    columns: tuple[str, ...]
    fields: tuple[Field, ...]
    reductions: tuple[Reduction, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query. Its rows are aligned with ``fields`` once ``finish`` has reduced what needs it.

    ``residuals`` are what SQL calls Python for, by number; where it cannot, ``row_filter`` has them.
    """

    query: Query
    sql: str
    parameters: tuple[Any, ...]
    selection: Selection
    residuals: tuple[Residual, ...]
    row_filter: RowFilter | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """What each column of a row is in the response."""
        return self.selection.fields

    def finish(self, row: Row) -> Row:
        """Reduce the columns that Python has to; needed only where ``selection.reductions`` has any."""
        values = list(row)
        read: dict[str, DataSet] = {}
        for position, key, of_element in self.selection.reductions:
            text = row[position]
            if text is None:
                continue
            if of_element:
                entity = {key.tag: element_from_json(json.loads(text))}
            else:
                entity = read.get(text) or read.setdefault(text, from_json(json.loads(text)))
            zone = own_zone(entity, self.query.options.timezone_offset_minutes)
            element = response_element(entity, key, zone)
            values[position] = json.dumps(element_to_json(element)) if element.values else None
        return tuple(values)

    def to_data_set(self, row: Row) -> DataSet:
        """The response identifier of a finished row, without what the service adds: the plain path."""
        response = {QUERY_RETRIEVE_LEVEL: Element("CS", (self.query.level.name,))}
        for tag, creator in self.query.private_creators:
            response[tag] = Element("LO", (creator,))
        for field, value in zip(self.fields, row, strict=False):
            response[field.tag] = row_element(field, value)
        return dict(sorted(response.items()))


@lru_cache(maxsize=1024)
def select(return_keys: tuple[ReturnKey, ...], dialect: Dialect = "sqlite") -> Selection:
    """The columns for the return keys; made once a shape, and then the same object."""
    columns: list[str] = []
    fields: list[Field] = []
    reductions: list[Reduction] = []
    for position, return_key in enumerate(return_keys):
        table = TABLES[return_key.level]
        key = KEYS_BY_TAG.get(return_key.tag)
        storage = key.storage if key is not None else Storage.JSON
        if key is not None and storage in {Storage.COLUMN, Storage.COMPUTED}:
            columns.append(f"{table}.{key.column}")
            is_json = key.vr == "SQ"
            source = (
                Source.NUMBER if key.vr == "IS" and storage is Storage.COMPUTED else Source.TEXT
            )
            fields.append(Field(key.tag, key.vr, Source.JSON if is_json else source))
            if return_key.item_keys is not None:
                reductions.append(Reduction(position, return_key, of_element=True))
            continue
        fields.append(Field(return_key.tag, return_key.vr, Source.JSON))
        if return_key.creator is not None or return_key.item_keys is not None:
            # In which block a private element stands, and in which zone an item's times are, the data set says.
            columns.append(f"{table}.{ATTRIBUTES}")
            reductions.append(Reduction(position, return_key, of_element=False))
        else:
            columns.append(element_sql(return_key.level, return_key.tag, dialect))
    return Selection(tuple(columns), tuple(fields), tuple(reductions))


def element_sql(level: Level, tag: int, dialect: Dialect) -> str:
    """The expression of one element of a level's JSON column as JSON text, NULL where there is none."""
    return DIALECTS[dialect].element.format(
        column=f"{TABLES[level]}.{ATTRIBUTES}", tag=f"{tag:08X}"
    )
