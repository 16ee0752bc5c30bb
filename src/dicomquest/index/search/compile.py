"""The compiler of a query to one statement (PS3.4 C.4.1.3.1.1, C.4.1.3.2.2).

It is pure, and takes some 50 microseconds, so that it runs for each query. The statement reads the
table of the query level, joined with the tables above that it needs; a subquery finds one chain of
descendants for the keys of levels below. Nothing is grouped, and sorted only if asked, so the first
row comes at once. Joins only go up, so no entity comes twice. A table's own name means its
innermost use.

Python matches the keys that SQL cannot say. SQLite calls it as a function. For PostgreSQL the
statement finds the entities that may match, and selects what Python has to see of them behind the
fields (``RowFilter``).
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.level_conditions import called, conditions, residual_of
from dicomquest.index.search.listing_sql import listed_end, listed_rows
from dicomquest.index.search.matching_sql import Selectivity
from dicomquest.index.search.object_sql import compile_objects
from dicomquest.index.search.paging import paged, records_after, records_end, with_record_key
from dicomquest.index.search.place import Place
from dicomquest.index.search.plan import (
    NO_FACTS,
    Columns,
    Facts,
    Plan,
    RowFilter,
    select,
    with_more,
)
from dicomquest.index.search.residuals import Gathering, Residual
from dicomquest.index.search.routing import routed_plan, routing
from dicomquest.index.search.selectivity import is_led_by_rows, selectivity
from dicomquest.index.search.trigrams import is_found_by_trigrams
from dicomquest.index.search.visible_entities import (
    MAIN,
    MAIN_ROW,
    ROWS_OF_PATIENT,
    RowChoice,
    VisibleEntities,
    child_of,
    is_met_by_more,
    visible_entities,
)
from dicomquest.index.search.workitem_sql import compile_workitems
from dicomquest.index.search.worklist_sql import compile_worklist
from dicomquest.index.tables.dialects import DIALECTS
from dicomquest.index.tables.promoted import searched_path, told_by_promotion
from dicomquest.index.tables.schema import ALL_THERE, TABLES
from dicomquest.query.study_listing import SortBy
from dicomquest.standard.keys import KEYS_BY_KEYWORD, KEYS_BY_TAG
from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODALITY_WORKLIST, UPS_MODELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query
    from dicomquest.query.study_listing import StudyListing


# Numbers are texts without leading zeros: the shorter one is less.
_IN_ORDER = (
    " ORDER BY study.study_instance_uid, length(series.series_number_number),"
    " series.series_number_number, series.series_instance_uid,"
    " length(instance.instance_number_number), instance.instance_number_number,"
    " instance.sop_instance_uid"
)


def compile_query(query: Query, facts: Facts = NO_FACTS, columns: Columns = ()) -> Plan:
    """Return the plan of a query on a database of which ``facts`` hold.

    Rows have the values of ``columns`` behind those of the response's fields.
    """
    if not query.model.levels:
        if query.model is MODALITY_WORKLIST:
            return compile_worklist(query, facts, columns)
        compiled = compile_workitems if query.model in UPS_MODELS else compile_objects
        return compiled(query, facts, columns)
    plan = _Compiler(query, facts).plan(columns)
    return routed_plan(plan) if facts.is_partitioned else plan


def condition_of(key: KeyCriterion, query: Query, facts: Facts = NO_FACTS) -> Sql:
    """Return what one key alone adds to the statement of a query; no text if Python matches it."""
    alone = replace(query, criteria=(key,), return_keys=(), visible=())
    predicates, _ = _Compiler(alone, facts).predicates(min(key.level, query.level))
    return joined("AND", predicates) if predicates else ("", ())


# Without statistics SQLite takes any two indexes for equally good.
_INDEX_OF_CHILDREN = {
    Level.STUDY: "ix_study_parent",
    Level.SERIES: "ix_series_parent_modality",
    Level.IMAGE: "ix_instance_parent_sop_class_uid",
}
_INDEXED_WITH_PARENT = frozenset(
    KEYS_BY_KEYWORD[keyword].tag for keyword in ("Modality", "SOPClassUID")
)


class _Residuals(NamedTuple):
    """The keys that Python matches: on the entity and its ancestors, on its descendants.

    ``called`` has those that SQLite calls Python for, by number.
    """

    upper: list[Residual]
    lower: list[Residual]
    called: list[Residual]

    def all(self) -> tuple[Residual, ...]:
        """Return all of them."""
        return tuple(self.called or (*self.upper, *self.lower))


class _Children(NamedTuple):
    """Tables with the children of an entity, the condition that they are, and their entity's id.

    ``parent`` has it behind the tables, ``owner`` outside of them.
    """

    tables: str
    link: str
    parent: str
    owner: str

    def alone(self, tables: str) -> str:
        """Return the tables for a subquery that begins with the children."""
        return tables.removeprefix(MAIN_ROW)


# The studies of a patient are children of its main row, or of its variants.
_CHILDREN_OF_VARIANTS = _Children(
    "patient AS shown JOIN study ON study.parent = shown.id",
    "shown.id = patient.id OR shown.variant_of = patient.id",
    "coalesce(shown.variant_of, shown.id)",
    "patient.id",
)
_CHILDREN_OF_CHOSEN_ROW = _Children(
    f"{MAIN_ROW}{ROWS_OF_PATIENT}",
    "patient.id = main.id OR patient.variant_of = main.id",
    MAIN,
    MAIN,
)


_LEVEL_OF = attrgetter("level")


class _Compiler:
    def __init__(self, query: Query, facts: Facts) -> None:
        self._query = query
        self._facts = facts
        self._zone = query.options.timezone_offset_minutes
        self._words = DIALECTS[facts.dialect]
        self._residuals = _Residuals([], [], [])
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
        self._visible: VisibleEntities | None = None
        # A filter looks at a patient by its studies, each of which shows a row of its own.
        self._chooses_row = False
        if query.visible:
            self._visible = visible_entities(query.visible, facts, self._zone)
            self._chooses_row = query.level is Level.PATIENT and facts.have_variants

    def plan(self, behind: Columns) -> Plan:
        query = self._query
        selection = select(query.return_keys, self._facts.dialect, self._facts.have_variants)
        used = [query.level, *map(_LEVEL_OF, query.return_keys), *map(_LEVEL_OF, self._upper)]
        if self._visible is not None:
            selection = self._visible.selection(
                selection, query.return_keys, self._residuals.called
            )
            used += [key.level for key in self._visible.keys]
        if query.records is not None:
            selection = with_record_key(selection, query.records, query.level, self._words)
        if behind:
            if not self._facts.have_variants:
                behind = tuple(column.plain or column for column in behind)
            selection = with_more(selection, behind)
            used += [column.level for column in behind]
        top = min(used)
        predicates, row_choice = self.predicates(top)
        tables = TABLES[query.level]
        for level in range(query.level - 1, top - 1, -1):
            tables += f" JOIN {_on_parent(Level(level))}"
        if query.listing is not None and self._facts.dialect == "sqlite":
            tables = self._listed_tables(query.listing, tables)
        row_filter, columns = None, list(selection.columns)
        parameters = selection.parameters
        if not self._words.calls_python and self._needs_python(row_choice):
            row_filter, more = self._row_filter(row_choice)
            columns += [text for text, _ in more]
            parameters += tuple(parameter for _, each in more for parameter in each)
        if self._facts.are_guarded:
            predicates.append(_guard(self._facts))
            predicates += self._promoted_guards()
        if self._facts.is_partitioned:
            predicates += routing(self._criteria, self._facts)
        if query.listing is not None:
            predicates += listed_rows(query.listing)
        if query.records is not None:
            predicates += records_after(query.records, query.level)
        text = f"SELECT {', '.join(columns)} FROM {tables}"
        if predicates:
            text += " WHERE " + " AND ".join(_bracketed(each) for each, _ in predicates)
            parameters += tuple(parameter for _, each in predicates for parameter in each)
        if query.in_order:
            text += _IN_ORDER
        is_cut, is_sorted = row_filter is None, self._sorts_what_is_found()
        if query.listing is not None:
            end = listed_end(query.listing, self._words, is_cut=is_cut, is_sorted=is_sorted)
        elif query.records is not None:
            # All pages together read the table once; to sort many matches for each takes longer.
            is_sorted = is_sorted and self._best() is Selectivity.FEW
            end = records_end(
                query.records, query.level, self._words, is_cut=is_cut, is_sorted=is_sorted
            )
        else:
            end = paged(query.page, query.level, self._words, is_cut=is_cut, is_sorted=is_sorted)
        text += end[0]
        parameters += end[1]
        return Plan(
            query, text, parameters, selection, self._residuals.all(), row_filter, self._facts
        )

    def _listed_tables(self, listing: StudyListing, tables: str) -> str:
        """Return the tables of a list, the first the one whose index has its order."""
        if listing.order is None or self._best() > Selectivity.MANY:
            return tables
        # Without statistics SQLite sorts all studies of a long range, or of all names.
        if listing.order.by is SortBy.NAME:
            return "patient CROSS JOIN study ON study.parent = patient.id"
        if listing.order.by is SortBy.RECEIVED:
            return tables.replace("study", "study NOT INDEXED", 1)
        return tables

    def _best(self) -> Selectivity:
        """Return the selectivity of the key that leaves the fewest entities."""
        return max([*map(self._selectivity, self._criteria), Selectivity.SCAN])

    def _sorts_what_is_found(self) -> bool:
        """Tell whether no index may give the order, because a key leaves few entities to sort.

        The settings of PostgreSQL's readers make it read a whole index rather than sort.
        """
        return self._facts.dialect == "postgresql" and self._best() > Selectivity.MANY

    def predicates(self, top: Level) -> tuple[list[Sql], RowChoice | None]:
        """Return the conditions on an entity, its ancestors up to ``top``, and its descendants."""
        predicates = [
            found
            for level in range(self._query.level, top - 1, -1)
            for found in self._level_predicates(Level(level), self._residuals.upper)
        ]
        row_choice = None
        if self._chooses_row and self._visible is not None:
            row_choice = self._visible.row_choice(self._residuals.called)
            predicates += row_choice.conditions
        elif self._query.level is Level.PATIENT and self._facts.have_variants:
            predicates.append(("patient.variant_of IS NULL", ()))
        if self._deepest() > self._query.level:
            predicates.append(self._descendants())
        return predicates, row_choice

    def _promoted_guards(self) -> Iterable[Sql]:
        """Give conditions that promoted attributes still have their value rows (see ``_guard``)."""
        keys = self._criteria + (self._visible.keys if self._visible is not None else [])
        paths = {searched_path(key, self._facts.occurrences) for key in keys}
        text = f"EXISTS (SELECT 1 FROM occurrence WHERE path = ? AND part = {ALL_THERE})"
        for path in sorted(path for path in paths if path is not None):
            yield text, (path,)

    def _needs_python(self, row_choice: RowChoice | None) -> bool:
        chosen = row_choice is not None and row_choice.shown is not None
        return bool(self._residuals.upper or self._residuals.lower or chosen)

    def _row_filter(self, row_choice: RowChoice | None) -> tuple[RowFilter, list[Sql]]:
        """Return what Python filters, and the columns behind the fields that it needs."""
        upper, lower = self._residuals.upper, self._residuals.lower
        more: list[Sql] = []
        for residual in upper:
            more += [(text, ()) for text in residual.expressions(self._facts.dialect)]
        if more:
            every = tuple(parameter for residual in upper for parameter in residual.parameters)
            more[-1] = (more[-1][0], every)
        shown = None
        if row_choice is not None:
            shown = row_choice.shown
            more += row_choice.columns
        if lower:
            more.append(self._chains)
        return RowFilter(tuple(upper), tuple(lower), shown), more

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

    def _level_predicates(self, level: Level, residuals: list[Residual]) -> Iterable[Sql]:
        """Give the conditions on an entity of one level; Python comes last, as it costs most."""
        asked = self._by_level.get(level, ())
        if not asked and self._visible is None:
            return
        needs_trigrams = self._best_column < Selectivity.SOME
        changed = []
        keys = []
        for key in asked:
            leads = key is self._leader
            uses_trigrams = needs_trigrams and (leads or self._leader is None)
            place = Place(self._facts, self._zone, level, leads, uses_trigrams, self._is_narrowed())
            if self._visible is not None and self._visible.changes(key):
                changed.append((key, place))
            else:
                keys.append((key, place))
        said, left = conditions(keys)
        gathered: tuple[Gathering, ...] = ()
        if self._visible is not None:
            said += conditions(each for each in changed if is_met_by_more(each[0]))[0]
            left += [key for key, _ in changed]
            gathered = self._gathered([key for key, _ in changed], self._visible)
            if not (level is Level.PATIENT and self._chooses_row):
                more, more_left = self._visible.conditions(level)
                said += more
                left += more_left
        yield from said
        if left:
            residuals.append(residual_of(level, left, gathered))
            if self._words.calls_python:
                yield called(residuals[-1], self._residuals.called, self._facts.dialect)

    def _is_narrowed(self) -> bool:
        """Tell whether other keys than a modality narrow the search, or a list will end early."""
        if self._leader is not None:
            return False
        is_list_of_some = self._query.listing is not None and len(self._criteria) > 1
        return is_list_of_some or self._best_column > Selectivity.SCAN

    def _gathered(
        self, keys: Iterable[KeyCriterion], visible: VisibleEntities
    ) -> tuple[Gathering, ...]:
        """Return what stands for the stored values of these keys."""
        tags = dict.fromkeys(key.tag for key in keys)
        called = self._residuals.called
        return tuple(visible.gathering(KEYS_BY_TAG[tag], called) for tag in tags)

    def _deepest(self) -> Level:
        """Return the lowest level on which the statement looks for a chain of descendants."""
        if not self._lower and self._visible is None:
            return self._query.level
        levels = [self._query.level, *(key.level for key in self._lower)]
        # A row that is chosen by visible studies has them.
        if self._visible is not None and (self._lower or not self._chooses_row):
            levels.append(self._visible.lowest)
        return max(levels)

    def _descendants(self) -> Sql:
        """Return that one chain of descendants meets all keys of the levels below."""
        first = Level(self._query.level + 1)
        children = self._children()
        tables, link = children.tables, children.link
        residuals = self._residuals.lower
        predicates: list[Sql] = []
        if self._chooses_row and self._visible is not None:
            predicates += self._visible.all_conditions(
                Level.PATIENT, residuals, self._residuals.called
            )
        predicates += self._level_predicates(first, residuals)
        for level in range(first + 1, self._deepest() + 1):
            tables += f" JOIN {TABLES[Level(level)]} ON {child_of(Level(level))}"
            predicates += self._level_predicates(Level(level), residuals)
        if residuals and not self._words.calls_python:
            self._chains = self._chains_of(tables, [(link, ()), *predicates], residuals)
        if not predicates:
            return f"EXISTS (SELECT 1 FROM {tables} WHERE {_bracketed(link)})", ()
        where = joined("AND", predicates)
        if self._leader is not None and self._leader in self._lower:
            rows = f"{children.alone(tables)} WHERE {where[0]}"
            return f"{children.owner} IN (SELECT {children.parent} FROM {rows})", where[1]
        if tables == TABLES[first] and self._has_other_index(first):
            tables += f" INDEXED BY {_INDEX_OF_CHILDREN[first]}"
        return (
            f"EXISTS (SELECT 1 FROM {tables} WHERE {_bracketed(link)} AND {_bracketed(where[0])})",
            where[1],
        )

    def _has_other_index(self, level: Level) -> bool:
        """Tell whether SQLite might read all entities with a key's value, for each parent anew."""
        return self._facts.dialect == "sqlite" and any(
            self._selectivity(key) > Selectivity.SCAN and key.tag not in _INDEXED_WITH_PARENT
            for key in self._by_level.get(level, ())
        )

    def _children(self) -> _Children:
        """Return how the statement finds the children of an entity of the query level."""
        child = Level(self._query.level + 1)
        if self._chooses_row:
            return _CHILDREN_OF_CHOSEN_ROW
        if child is Level.STUDY and self._facts.have_variants:
            return _CHILDREN_OF_VARIANTS
        table = TABLES[child]
        owner = f"{TABLES[self._query.level]}.id"
        return _Children(table, child_of(child), f"{table}.parent", owner)

    def _chains_of(
        self, tables: str, predicates: Sequence[Sql], residuals: Sequence[Residual]
    ) -> Sql:
        """Return the chains of descendants that may match, as a JSON list of Python's views."""
        seen = [
            each for residual in residuals for each in residual.expressions(self._facts.dialect)
        ]
        more = tuple(parameter for residual in residuals for parameter in residual.parameters)
        text, parameters = joined("AND", predicates)
        chains = f"json_agg(json_build_array({', '.join(seen)}))::text"
        return f"(SELECT {chains} FROM {tables} WHERE {text})", more + parameters


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
    return f"{TABLES[level]} ON {child_of(Level(level + 1))}"
