"""The SQL of what a visibility filter leaves to see (``query.visibility``; PS3.4 C.3.4).

The compiler ANDs the keys of a filter to those of the query, so that one visible instance meets
both. That alone finds the right entities. Stored counts and lists are right, too, if no key is of a
level below theirs. Otherwise a subquery for each row counts or lists the visible entities.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.level_conditions import called, conditions, residual_of
from dicomquest.index.search.place import Place
from dicomquest.index.search.plan import Facts, Selection, ShownRow, of_main
from dicomquest.index.search.residuals import Gathering, Residual
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.promoted import told_by_promotion
from dicomquest.index.tables.rows import ANATOMIC_REGION_PATH
from dicomquest.index.tables.schema import TABLES
from dicomquest.query.criteria import AnyOf, EmptyValue, MultipleValue
from dicomquest.standard.keys import KEYS_BY_KEYWORD, KEYS_BY_TAG, Storage
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.query.criteria import Criterion, KeyCriterion
    from dicomquest.query.model import ReturnKey
    from dicomquest.standard.keys import Key

MAIN = "coalesce(patient.variant_of, patient.id)"
"""The id of the main row of a patient, by the row that is shown."""
MAIN_ROW = f"(SELECT {MAIN} AS id) AS main CROSS JOIN "
"""The main row as a table within a statement on ``patient``, before another ``patient``."""
ROWS_OF_PATIENT = "patient JOIN study ON study.parent = patient.id"
"""Studies with the row of their patient that each shows."""
_IS_OF_PATIENT = "patient.id = main.id OR patient.variant_of = main.id"

_COUNTED = {
    "NumberOfPatientRelatedStudies": Level.STUDY,
    "NumberOfPatientRelatedSeries": Level.SERIES,
    "NumberOfPatientRelatedInstances": Level.IMAGE,
    "NumberOfStudyRelatedSeries": Level.SERIES,
    "NumberOfStudyRelatedInstances": Level.IMAGE,
    "NumberOfSeriesRelatedInstances": Level.IMAGE,
}
_STORED_COUNTS = {
    (Level.STUDY, Level.SERIES): "study.number_of_study_related_series",
    (Level.STUDY, Level.IMAGE): "study.number_of_study_related_instances",
    (Level.SERIES, Level.IMAGE): "series.number_of_series_related_instances",
}
_LISTED = {
    "ModalitiesInStudy": (Level.SERIES, "series.modality"),
    "SOPClassesInStudy": (Level.IMAGE, "instance.sop_class_uid"),
    "AnatomicRegionsInStudyCodeSequence": (Level.IMAGE, "instance_value.search"),
}
_CHILD_OF = {
    level: f"{TABLES[level]}.parent = {TABLES[Level(level - 1)]}.id"
    for level in Level
    if level is not min(Level)
}
_NUMBER_OF_STUDIES = KEYS_BY_KEYWORD["NumberOfPatientRelatedStudies"]


class _Below(NamedTuple):
    """The visible descendants of an entity: tables, conditions, and keys left to Python."""

    tables: str
    where: Sql
    residuals: tuple[Residual, ...]


class RowChoice(NamedTuple):
    """The row that a patient shows: conditions in SQL, or columns for Python to choose by."""

    conditions: list[Sql]
    shown: ShownRow | None = None
    columns: tuple[Sql, ...] = ()


class VisibleEntities:
    """A filter as SQL, which all queries under it share.

    The keys that SQLite calls Python for get their numbers from ``numbered`` of each query.
    """

    def __init__(self, keys: tuple[KeyCriterion, ...], facts: Facts, zone_minutes: int) -> None:
        self.keys = [told_by_promotion(key, facts.occurrences) for key in keys]
        self.lowest = max(key.level for key in keys)
        self._facts = facts
        self._words = DIALECTS[facts.dialect]
        # None leads, because most of an index may meet the keys.
        places = {level: Place(facts, zone_minutes, level, uses_trigrams=False) for level in Level}
        self._conditions = {
            level: conditions((key, places[level]) for key in self.keys if key.level is level)
            for level in Level
        }
        self._gatherings: dict[Key, Gathering] = {}

    def conditions(self, level: Level) -> tuple[list[Sql], list[KeyCriterion]]:
        """Return what SQL says of the keys of one level, and the keys that are left to Python."""
        return self._conditions[level]

    def are_stored(self, key: Key) -> bool:
        """Tell whether the stored value of a computed attribute has nothing of hidden entities."""
        if key.level is Level.PATIENT and self._facts.have_variants:
            return False
        return self.lowest <= key.level

    def changes(self, key: KeyCriterion) -> bool:
        """Tell whether a key of a query asks for an attribute whose stored value is not right."""
        stored = KEYS_BY_TAG.get(key.tag)
        return (
            stored is not None
            and stored.storage is Storage.COMPUTED
            and len(key.path) == 1
            and not self.are_stored(stored)
        )

    def selection(
        self, selection: Selection, return_keys: Sequence[ReturnKey], numbered: list[Residual]
    ) -> Selection:
        """Return the columns of a query with subqueries where stored values are not right."""
        columns = list(selection.columns)
        gathered: list[tuple[int, Gathering]] = []
        parameters: tuple[object, ...] = ()
        for position, return_key in enumerate(return_keys):
            key = KEYS_BY_TAG.get(return_key.tag)
            if key is None or key.storage is not Storage.COMPUTED or self.are_stored(key):
                continue
            gathering = self.gathering(key, numbered)
            columns[position] = gathering.sql[0]
            parameters += gathering.sql[1]
            if not gathering.is_value:
                gathered.append((position, gathering))
        return replace(
            selection, columns=tuple(columns), parameters=parameters, gathered=tuple(gathered)
        )

    def gathering(self, key: Key, numbered: list[Residual]) -> Gathering:
        """Return a computed attribute of what is visible below the entity that has it."""
        found = self._gatherings.get(key)
        if found is None:
            before = len(numbered)
            found = self._gathering(key, numbered)
            if len(numbered) == before:
                self._gatherings[key] = found
        return found

    def _gathering(self, key: Key, numbered: list[Residual]) -> Gathering:
        if key.keyword in _COUNTED:
            return self._count(key, _COUNTED[key.keyword], numbered)
        level, column = _LISTED[key.keyword]
        below = self._below(key.level, max(self.lowest, level), numbered)
        tables = below.tables
        if column.startswith("instance_value"):
            tables += (
                " JOIN instance_value ON instance_value.owner = instance.id "
                f"AND instance_value.path = '{ANATOMIC_REGION_PATH}'"
            )
        if below.residuals:
            return Gathering(key, self._views(column, tables, below), False, below.residuals)
        values = self._words.distinct_list.format(column=column)
        return Gathering(key, _select(values, tables, below.where), is_value=False)

    def _count(self, key: Key, counted: Level, numbered: list[Residual]) -> Gathering:
        deepest = max(self.lowest, Level(key.level + 1))
        below = self._below(key.level, deepest, numbered)
        number = _STORED_COUNTS.get((deepest, counted))
        if below.residuals:
            part = number or f"{TABLES[counted]}.id"
            sql = self._views(part, below.tables, below)
            return Gathering(key, sql, False, below.residuals, adds=number is not None)
        if number is not None:
            value = f"coalesce(sum({number}), 0)"
        elif counted is deepest:
            value = "count(*)"
        else:
            value = f"count(DISTINCT {TABLES[counted]}.id)"
        return Gathering(key, _select(value, below.tables, below.where), is_value=True)

    def row_choice(self, numbered: list[Residual]) -> RowChoice:
        """Return the choice of the row that a patient shows, of main row and variants.

        That is the main row, or the one of the newest visible study if some study is hidden.
        """
        below = self._below(Level.PATIENT, max(self.lowest, Level.STUDY), numbered)
        number = of_main(_NUMBER_OF_STUDIES)
        if below.residuals:
            chains = self._views("study.id, patient.id", below.tables, below)
            columns = ("patient.id", ()), (MAIN, ()), (number, ()), chains
            return RowChoice([], ShownRow(below.residuals), columns)
        count, values = self.gathering(_NUMBER_OF_STUDIES, numbered).sql
        newest, more = _select("patient.id", below.tables, below.where)
        newest = f"{newest[:-1]} ORDER BY study.id DESC LIMIT 1)"
        text = f"patient.id = CASE WHEN {count} = {number} THEN {MAIN} ELSE {newest} END"
        return RowChoice([(text, values + more)])

    def _below(self, level: Level, deepest: Level, numbered: list[Residual]) -> _Below:
        """Return the visible descendants of an entity of a level, as far down as ``deepest``."""
        first = Level(level + 1)
        found: list[Sql] = []
        residuals: list[Residual] = []
        if level is Level.PATIENT and self._facts.have_variants:
            tables = f"{MAIN_ROW}{ROWS_OF_PATIENT}"
            found.append((_IS_OF_PATIENT, ()))
            found += self.all_conditions(Level.PATIENT, residuals, numbered)
        else:
            tables = TABLES[first]
            found.append((child_of(first), ()))
        found += self.all_conditions(first, residuals, numbered)
        for lower in range(first + 1, deepest + 1):
            tables += f" JOIN {TABLES[Level(lower)]} ON {child_of(Level(lower))}"
            found += self.all_conditions(Level(lower), residuals, numbered)
        return _Below(tables, joined("AND", found), tuple(residuals))

    def all_conditions(
        self, level: Level, residuals: list[Residual], numbered: list[Residual]
    ) -> list[Sql]:
        """Return the conditions of one level; ``residuals`` take those that SQL cannot call."""
        said, left = self._conditions[level]
        if not left:
            return said
        residual = residual_of(level, left)
        if self._words.calls_python:
            return [*said, called(residual, numbered, self._facts.dialect)]
        residuals.append(residual)
        return said

    def _views(self, parts: str, tables: str, below: _Below) -> Sql:
        """Return a JSON list with parts of each chain of descendants, and Python's views of it."""
        views = [
            each
            for residual in below.residuals
            for each in residual.expressions(self._facts.dialect)
        ]
        built = f"json_agg(json_build_array({', '.join([parts, *views])}))::text"
        return _select(built, tables, below.where)


@lru_cache(maxsize=256)
def visible_entities(
    keys: tuple[KeyCriterion, ...], facts: Facts, zone_minutes: int
) -> VisibleEntities:
    """Return a filter as SQL: one object, as the filters come from the configuration."""
    return VisibleEntities(keys, facts, zone_minutes)


def is_met_by_more(key: KeyCriterion) -> bool:
    """Tell whether a key that some values meet is met by more values, too.

    Then the stored values, which have more than what is visible, tell what cannot match.
    """
    return not key.or_unknown and not _asks_for_none(key.criterion)


def _asks_for_none(criterion: Criterion) -> bool:
    if isinstance(criterion, AnyOf | MultipleValue):
        return any(map(_asks_for_none, criterion.parts))
    return isinstance(criterion, EmptyValue)


def child_of(level: Level) -> str:
    """Return that an entity is a child of one of the level above."""
    return _CHILD_OF[level]


def _select(columns: str, tables: str, where: Sql) -> Sql:
    return f"(SELECT {columns} FROM {tables} WHERE {where[0]})", where[1]
