"""The compiler of a query to one statement (PS3.4 C.4.1.3.1.1, C.4.1.3.2.2).

It is pure, and takes some 50 microseconds, so that it runs for each query. The statement reads the
table of the query level, joined with the tables above that it needs; a subquery finds one chain of
descendants for the keys of levels below. Nothing is sorted or grouped, so the first row comes at
once. Joins only go up, so no entity comes twice. A table's own name means its innermost use.

Python matches the keys that SQL cannot say. SQLite calls it as a function. For PostgreSQL the
statement finds the entities that may match, and selects what Python has to see of them behind the
fields (``RowFilter``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.matching_sql import Selectivity
from dicomquest.index.search.place import Place
from dicomquest.index.search.plan import Facts, Plan, Residual, RowFilter, select
from dicomquest.index.search.predicates import predicate
from dicomquest.index.search.python_filter import FUNCTION
from dicomquest.index.search.selectivity import is_led_by_rows, selectivity
from dicomquest.index.search.trigrams import is_found_by_trigrams
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.promoted import searched_path, told_by_promotion
from dicomquest.index.tables.schema import ALL_THERE, TABLES
from dicomquest.query.criteria import DateTimePairMatch
from dicomquest.standard.keys import KEYS_BY_TAG, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import TIMEZONE_OFFSET_FROM_UTC

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query

_NO_FACTS = Facts()


def compile_query(query: Query, facts: Facts = _NO_FACTS) -> Plan:
    """Return the plan of a query on a database of which ``facts`` hold."""
    return _Compiler(query, facts).plan()


class _Children(NamedTuple):
    """Tables with the children of an entity, the condition that they are, and their entity's id."""

    tables: str
    link: str
    parent: str


# The studies of a patient are children of its main row, or of its variants.
_CHILDREN_OF_VARIANTS = _Children(
    "patient AS shown JOIN study ON study.parent = shown.id",
    "shown.id = patient.id OR shown.variant_of = patient.id",
    "coalesce(shown.variant_of, shown.id)",
)


class _Compiler:
    def __init__(self, query: Query, facts: Facts) -> None:
        self._query = query
        self._facts = facts
        self._words = DIALECTS[facts.dialect]
        self._residuals: list[Residual] = []
        self._chains: Sql = ("", ())
        by_level: dict[Level, list[KeyCriterion]] = {}
        self._criteria = [told_by_promotion(key, facts.occurrences) for key in query.criteria]
        for key in self._criteria:
            by_level.setdefault(key.level, []).append(key)
        self._by_level = by_level
        self._upper = [key for key in self._criteria if key.level <= query.level]
        self._lower = [key for key in self._criteria if key.level > query.level]
        columns = [self._selectivity(key) for key in self._upper if not is_led_by_rows(key)]
        self._best_column = max(columns, default=Selectivity.SCAN)
        self._leader = self._choose_leader()

    def plan(self) -> Plan:
        query = self._query
        selection = select(query.return_keys, self._facts.dialect, self._facts.have_variants)
        used = [key.level for key in query.return_keys] + [key.level for key in self._upper]
        top = min([*used, query.level])
        predicates = [
            found
            for level in range(query.level, top - 1, -1)
            for found in self._level_predicates(Level(level))
        ]
        if query.level is Level.PATIENT and self._facts.have_variants:
            predicates.append(("patient.variant_of IS NULL", ()))
        if self._lower:
            predicates.append(self._descendants())
        tables = TABLES[query.level]
        for level in range(query.level - 1, top - 1, -1):
            tables += f" JOIN {_on_parent(Level(level))}"
        row_filter, columns = None, list(selection.columns)
        parameters: tuple[object, ...] = ()
        if self._residuals and not self._words.calls_python:
            row_filter = self._row_filter()
            columns += [
                each
                for residual in row_filter.upper
                for each in residual.expressions(self._facts.dialect)
            ]
            if row_filter.chain:
                text, parameters = self._chains
                columns.append(text)
        if self._facts.are_guarded:
            predicates.append(_guard(self._facts))
            predicates += self._promoted_guards()
        text = f"SELECT {', '.join(columns)} FROM {tables}"
        if predicates:
            text += " WHERE " + " AND ".join(_bracketed(each) for each, _ in predicates)
            parameters += tuple(parameter for _, each in predicates for parameter in each)
        text += self._words.streamed
        return Plan(query, text, parameters, selection, tuple(self._residuals), row_filter)

    def _promoted_guards(self) -> Iterable[Sql]:
        """Give conditions that promoted attributes still have their value rows (see ``_guard``)."""
        paths = {searched_path(key, self._facts.occurrences) for key in self._criteria}
        text = f"EXISTS (SELECT 1 FROM occurrence WHERE path = ? AND part = {ALL_THERE})"
        for path in sorted(path for path in paths if path is not None):
            yield text, (path,)

    def _row_filter(self) -> RowFilter:
        level = self._query.level
        upper = tuple(each for each in self._residuals if each.level <= level)
        return RowFilter(upper, tuple(each for each in self._residuals if each.level > level))

    def _selectivity(self, key: KeyCriterion) -> Selectivity:
        return selectivity(key, self._facts.occurrences)

    def _choose_leader(self) -> KeyCriterion | None:
        """Return the key whose value rows or descendants lead, if no column leaves as few."""
        guesses = [(self._selectivity(key), key) for key in self._upper if is_led_by_rows(key)]
        guesses += [
            (Selectivity.SOME if is_found_by_trigrams(key) else self._selectivity(key), key)
            for key in self._lower
        ]
        best, leader = max(guesses, key=lambda guess: guess[0], default=(Selectivity.SCAN, None))
        return leader if best > max(self._best_column, Selectivity.MANY) else None

    def _level_predicates(self, level: Level) -> Iterable[Sql]:
        """Give the conditions on an entity of one level; Python comes last, as it costs most."""
        zone = self._query.options.timezone_offset_minutes
        needs_trigrams = self._best_column < Selectivity.SOME
        residual: list[KeyCriterion] = []
        for key in self._by_level.get(level, ()):
            leads = key is self._leader
            uses_trigrams = needs_trigrams and (leads or self._leader is None)
            found = predicate(key, Place(self._facts, zone, level, leads, uses_trigrams))
            if found.sql is not None:
                yield found.sql
            if not found.exact:
                residual.append(key)
        if residual:
            yield from self._residual(level, residual)

    def _residual(self, level: Level, keys: Sequence[KeyCriterion]) -> Iterable[Sql]:
        number = len(self._residuals)
        residual = _residual_of(level, keys)
        self._residuals.append(residual)
        if self._words.calls_python:
            arguments = [str(number), *residual.expressions(self._facts.dialect)]
            yield f"{FUNCTION}({', '.join(arguments)})", ()

    def _descendants(self) -> Sql:
        """Return that one chain of descendants meets all keys of the levels below."""
        first = Level(self._query.level + 1)
        lowest = max(key.level for key in self._lower)
        children = self._children()
        tables, link = children.tables, children.link
        predicates: list[Sql] = list(self._level_predicates(first))
        for level in range(first + 1, lowest + 1):
            tables += f" JOIN {TABLES[Level(level)]} ON {_child_of(Level(level))}"
            predicates += self._level_predicates(Level(level))
        below = [each for each in self._residuals if each.level > self._query.level]
        if below and not self._words.calls_python:
            self._chains = self._chains_of(tables, [(link, ()), *predicates], below)
        if not predicates:
            return f"EXISTS (SELECT 1 FROM {tables} WHERE {_bracketed(link)})", ()
        where = joined("AND", predicates)
        if self._leader is not None and self._leader in self._lower:
            owner = f"{TABLES[self._query.level]}.id"
            return (
                f"{owner} IN (SELECT {children.parent} FROM {tables} WHERE {where[0]})",
                where[1],
            )
        return (
            f"EXISTS (SELECT 1 FROM {tables} WHERE {_bracketed(link)} AND {_bracketed(where[0])})",
            where[1],
        )

    def _children(self) -> _Children:
        """Return how the statement finds the children of an entity of the query level."""
        child = Level(self._query.level + 1)
        if child is Level.STUDY and self._facts.have_variants:
            return _CHILDREN_OF_VARIANTS
        return _Children(TABLES[child], _child_of(child), f"{TABLES[child]}.parent")

    def _chains_of(
        self, tables: str, predicates: Sequence[Sql], residuals: Sequence[Residual]
    ) -> Sql:
        """Return the chains of descendants that may match, as a JSON list of Python's views."""
        seen = [
            each for residual in residuals for each in residual.expressions(self._facts.dialect)
        ]
        text, parameters = joined("AND", predicates)
        chains = f"json_agg(json_build_array({', '.join(seen)}))::text"
        return f"(SELECT {chains} FROM {tables} WHERE {text})", parameters


def _guard(facts: Facts) -> Sql:
    """Return that nothing occurs which the plan does not know.

    Without this the statement would miss matches: it leaves out predicates on what does not occur.
    With it a plan on old facts finds no rows, and the cursor reads the facts again.
    """
    known = [f"{path}{part}" for path, part in sorted(facts.occurrences)]
    return "NOT EXISTS (SELECT 1 FROM occurrence WHERE path || part <> ALL(?))", (known,)


def _bracketed(text: str) -> str:
    return f"({text})" if " OR " in text else text


def _on_parent(level: Level) -> str:
    return f"{TABLES[level]} ON {_child_of(Level(level + 1))}"


def _child_of(level: Level) -> str:
    return f"{TABLES[level]}.parent = {TABLES[Level(level - 1)]}.id"


def _residual_of(level: Level, keys: Sequence[KeyCriterion]) -> Residual:
    """Return what Python has to see to match these keys: elements, columns, the zone of times."""
    tags = dict.fromkeys(tag for key in keys for tag in _tags(key))
    stored = [KEYS_BY_TAG[tag] for tag in tags if tag in KEYS_BY_TAG]
    columns = tuple(key for key in stored if key.storage in {Storage.COLUMN, Storage.COMPUTED})
    if any(key.path[0].creator is not None for key in keys):
        return Residual(level, None, columns, tuple(keys))
    return Residual(level, (*tags, TIMEZONE_OFFSET_FROM_UTC), columns, tuple(keys))


def _tags(key: KeyCriterion) -> tuple[int, ...]:
    if key.path[0].creator is not None:
        return ()
    if isinstance(key.criterion, DateTimePairMatch):
        return key.criterion.date, key.criterion.time
    return (key.path[0].tag,)
