"""The plan of a query: a statement, its parameters, and the meaning of its rows (PS3.4 C.4.1.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dicomquest.dataset.elements import (
    DataSet,
    Element,
    element_from_json,
    element_to_json,
    from_json,
)
from dicomquest.dataset.remembering import remembered
from dicomquest.dataset.response_fields import Field, Row, Source, row_element
from dicomquest.index.search.residuals import Gathering, Residual, element_sql, gathered_value
from dicomquest.index.tables.schema import ATTRIBUTES, COMPUTED_KEYS, TABLES, VARIANTS
from dicomquest.query.evaluate import response_element
from dicomquest.query.search_forms import own_zone
from dicomquest.standard.keys import KEYS_BY_TAG, Key, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, RECORD_KEY

if TYPE_CHECKING:
    from dicomquest.index.tables.dialects import Dialect
    from dicomquest.query.model import Query, ReturnKey

RECORD_FIELD = Field(RECORD_KEY, "OB", Source.BYTES)
"""The field of a record's key, which comes behind all others."""

OCCURRENCES = "SELECT path, part FROM occurrence"


# Usual queries ask for a dozen or two.
_MOST_REMEMBERED_KEYS = 256


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a database on which a plan depends, besides its query.

    ``occurrences``: the search forms outside the first column of a key that exist at all (see
    ``schema.OCCURRENCE``). ``zone_minutes``: the zone in which ingest read date-times without an
    offset. ``trigrams``: the database has trigram tables. ``is_partitioned``: the tables are cut by
    the key of the patient.
    """

    dialect: Dialect = "sqlite"
    occurrences: frozenset[tuple[str, int]] = frozenset()
    zone_minutes: int = 0
    trigrams: bool = True
    is_partitioned: bool = False

    @property
    def have_variants(self) -> bool:
        """Tell whether a study may show demographics that are not the latest of its patient."""
        return VARIANTS in self.occurrences

    @property
    def are_guarded(self) -> bool:
        """Tell whether the facts may be older than the rows, so that the statement checks them."""
        return self.dialect == "postgresql"


NO_FACTS = Facts()


class MoreColumn(NamedTuple):
    """An expression on the entity or its ancestors up to ``level`` that a caller wants in rows.

    ``plain`` says the same, if no patient has variants.
    """

    level: Level
    sql: str
    plain: MoreColumn | None = None


Columns: TypeAlias = tuple[MoreColumn, ...]


class ShownRow(NamedTuple):
    """The choice of the row that a patient shows, if Python has to tell which studies are visible.

    Four columns are behind those of the upper keys: the ids of the row and of the patient's main
    row, the number of all its studies, and a JSON list of chains that begin with the ids of a study
    and the row that it shows. Python's views of these ``residuals`` follow in each.
    """

    residuals: tuple[Residual, ...]


class RowFilter(NamedTuple):
    """The keys that Python matches row by row, on columns behind the fields, if SQL cannot call it.

    ``upper``: those of the entity and its ancestors, whose expressions follow each other.
    ``chain``: those of the levels below; the last column is a JSON list of chains of descendants,
    each a list of the expressions of these residuals.
    """

    upper: tuple[Residual, ...]
    chain: tuple[Residual, ...]
    shown: ShownRow | None = None


class Reduction(NamedTuple):
    """A JSON column of which Python makes an element: a private one, or a reduced sequence.

    The JSON is that of the level's whole data set, or of the one element (``of_element``).
    """

    position: int
    key: ReturnKey
    of_element: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """The columns of the result, the fields of the response, and the reductions in Python.

    ``gathered`` has the columns by position of which Python makes a computed attribute.
    """

    columns: tuple[str, ...]
    fields: tuple[Field, ...]
    reductions: tuple[Reduction, ...]
    parameters: tuple[Any, ...] = ()
    gathered: tuple[tuple[int, Gathering], ...] = ()

    @property
    def needs_python(self) -> bool:
        """Tell whether ``Plan.finish`` changes rows."""
        return bool(self.reductions or self.gathered)


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query; its rows have a value for each of ``fields`` after ``finish``.

    SQL calls Python for ``residuals``, by number; if it cannot, ``row_filter`` has them.
    """

    query: Query
    sql: str
    parameters: tuple[Any, ...]
    selection: Selection
    residuals: tuple[Residual, ...]
    row_filter: RowFilter | None = None
    facts: Facts = NO_FACTS

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the response, one a column of a finished row."""
        return self.selection.fields

    def finish(self, row: Row) -> Row:
        """Return the row after its reductions; a query without any needs no call."""
        values = list(row)
        default_zone = self.query.options.timezone_offset_minutes
        for position, gathering in self.selection.gathered:
            values[position] = gathered_value(gathering, row[position], default_zone)
        read: dict[str, DataSet] = {}
        for position, key, of_element in self.selection.reductions:
            text = values[position]
            if text is None:
                continue
            if of_element:
                entity = {key.tag: element_from_json(json.loads(text))}
            else:
                entity = read.get(text) or read.setdefault(text, from_json(json.loads(text)))
            zone = own_zone(entity, default_zone)
            element = response_element(entity, key, zone)
            values[position] = json.dumps(element_to_json(element)) if element.values else None
        return tuple(values)

    def to_data_set(self, row: Row) -> DataSet:
        """Return the response identifier of a finished row, without the elements of the service."""
        response = {QUERY_RETRIEVE_LEVEL: Element("CS", (self.query.level.name,))}
        for tag, creator in self.query.private_creators:
            response[tag] = Element("LO", (creator,))
        for field, value in zip(self.fields, row, strict=False):
            response[field.tag] = row_element(field, value)
        return dict(sorted(response.items()))


_ITEM_KEYS = attrgetter("item_keys")


def _is_usual(
    return_keys: tuple[ReturnKey, ...],
    dialect: Dialect = "sqlite",
    have_variants: bool = False,
) -> bool:
    """Tell whether a cache may keep a selection."""
    del dialect, have_variants
    return _count(return_keys) <= _MOST_REMEMBERED_KEYS


def _count(return_keys: tuple[ReturnKey, ...]) -> int:
    """Count the keys with those of their items."""
    if not any(map(_ITEM_KEYS, return_keys)):
        # Nearly always, and without a loop in Python.
        return len(return_keys)
    nested = [_count(key.item_keys) for key in return_keys if key.item_keys is not None]
    return len(return_keys) + sum(nested)


@remembered(1024, _is_usual)
def select(
    return_keys: tuple[ReturnKey, ...],
    dialect: Dialect = "sqlite",
    have_variants: bool = False,
) -> Selection:
    """Return the columns for the return keys: one object for each shape of them."""
    columns: list[str] = []
    fields: list[Field] = []
    reductions: list[Reduction] = []
    for position, return_key in enumerate(return_keys):
        table = TABLES[return_key.level]
        key = KEYS_BY_TAG.get(return_key.tag)
        storage = key.storage if key is not None else Storage.JSON
        if key is not None and storage in {Storage.COLUMN, Storage.COMPUTED}:
            is_of_main = have_variants and key in COMPUTED_KEYS[Level.PATIENT]
            columns.append(of_main(key) if is_of_main else f"{table}.{key.column}")
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
            # Only the data set has the block of a private element and the zone of an item.
            columns.append(f"{table}.{ATTRIBUTES}")
            reductions.append(Reduction(position, return_key, of_element=False))
        else:
            columns.append(element_sql(return_key.level, return_key.tag, dialect))
    return Selection(tuple(columns), tuple(fields), tuple(reductions))


def fields_of(query: Query) -> tuple[Field, ...]:
    """Return the field of the response for each column of the rows of a query, in order."""
    fields = select(query.return_keys).fields
    is_with_key = query.records is not None and query.records.is_returned
    return (*fields, RECORD_FIELD) if is_with_key else fields


def with_more(selection: Selection, more: Columns) -> Selection:
    """Return a selection with more columns behind those of the response."""
    return replace(
        selection,
        columns=(*selection.columns, *(column.sql for column in more)),
        # A row is as wide as its fields; no response has these.
        fields=(*selection.fields, *[Field(0, "UN", Source.TEXT)] * len(more)),
    )


def of_main(key: Key) -> str:
    """Return the expression of a count that only the main row of a patient has."""
    main = "main.id = coalesce(patient.variant_of, patient.id)"
    return f"(SELECT main.{key.column} FROM patient AS main WHERE {main})"
