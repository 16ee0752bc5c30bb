"""The place of a key's predicate in a statement, and how much of the key it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dicomquest.index.search.condition import Sql, joined
from dicomquest.index.search.plan import Facts
from dicomquest.index.tables.schema import TABLES
from dicomquest.query.criteria import AnyOf, MultipleValue
from dicomquest.standard.levels import Level

MOST_PARTS = 100
"""The parts of a key that SQL takes; Python matches a key with more of them.

A planner's time grows with the square of the terms, and SQLite takes 500 parts of a compound.
"""


class Predicate(NamedTuple):
    """A condition that must hold of an entity, None for no condition; ``exact``: it is enough."""

    sql: Sql | None
    exact: bool


PYTHON = Predicate(None, exact=False)
"""SQL can say nothing of the key."""


@dataclass(frozen=True, slots=True)
class Place:
    """The level of a predicate, and how it may look values up.

    ``leads``: the statement finds value rows first and the entities by them; otherwise it looks up
    the value rows of each entity. ``uses_trigrams``: no other key leaves few enough entities.
    ``is_narrowed``: other keys leave so few entities that each may be looked at.
    """

    facts: Facts
    zone_minutes: int
    level: Level
    leads: bool = False
    uses_trigrams: bool = True
    is_narrowed: bool = False

    @property
    def table(self) -> str:
        """The table of the level."""
        return TABLES[self.level]


def of_parts(
    criterion: AnyOf | MultipleValue, parts: Sequence[Predicate], place: Place
) -> Predicate:
    """Return the predicate of a key with several values, of those of its parts."""
    there = [part.sql for part in parts if part.sql is not None]
    if not there or (isinstance(criterion, AnyOf) and len(there) < len(parts)):
        return PYTHON
    whole = one_of(there, place) if isinstance(criterion, AnyOf) else joined("AND", there)
    return Predicate(whole, all(part.exact for part in parts))


def one_of(found: Sequence[Sql], place: Place) -> Sql:
    """Return the condition that one of several holds."""
    table = place.table
    if (
        place.facts.dialect == "sqlite"
        or len(found) == 1
        or not any(" IN (SELECT " in text for text, _ in found)
    ):
        return joined("OR", found)
    # One set of entities, because PostgreSQL finds no index in an OR of sets.
    selects = [f"SELECT {table}.id FROM {table} WHERE {text}" for text, _ in found]
    parameters = tuple(parameter for _, each in found for parameter in each)
    return f"{table}.id IN ({' UNION ALL '.join(selects)})", parameters
