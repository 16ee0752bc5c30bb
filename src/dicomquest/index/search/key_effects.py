"""The effect of each key of a query: its SQL, and how much it excludes (PS3.4 C.4.1.3).

All keys hold at once, so a key excludes everything if the query finds something without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dicomquest.index.search.compile import condition_of
from dicomquest.query.criteria import HasValue
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import UNIQUE_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicomquest.index.search.condition import Sql
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query
    from dicomquest.standard.levels import Level

_ROWS = 512


@dataclass(frozen=True, slots=True)
class KeyEffect:
    """One key: its SQL, the matches of it alone, and those of the query without it."""

    key: KeyCriterion
    condition: Sql
    alone: int
    without: int

    @property
    def name(self) -> str:
        """The name of the attribute."""
        return attribute_name(*self.key.path[-1])


@dataclass(frozen=True, slots=True)
class Effects:
    """A query's statement, the steps of the database, its matches, and the effect of each key.

    Counts end at ``most``; ``is_empty`` tells that the index has nothing of this level.
    """

    level: Level
    statement: Sql
    steps: tuple[str, ...]
    matches: int
    keys: tuple[KeyEffect, ...]
    most: int
    is_empty: bool

    @property
    def verdict(self) -> str:
        """The reason why nothing matches, in words; nothing if something does."""
        if self.matches:
            return ""
        entities = self.level.entities
        if self.is_empty:
            return f"there are no {entities} at all"
        excluding = [each.name for each in self.keys if each.without]
        if len(excluding) == 1:
            return f"{excluding[0]} excludes everything"
        if excluding:
            return f"{_listed(excluding)} contradict each other"
        unmet = [each.name for each in self.keys if not each.alone]
        if len(unmet) > 1:
            return f"{_listed(unmet)} each exclude everything"
        if unmet:
            return f"{unmet[0]} excludes everything, and so do the other keys together"
        names = _listed([each.name for each in self.keys])
        return f"no key alone excludes everything; {names} do together"


def effects_of(query: Query, search: Callable[[Query], Cursor], most: int) -> Effects:
    """Ask an index for the effect of each key, by two counts a key."""
    # The unique key alone: a count needs no other column.
    unique = UNIQUE_KEYS[query.level].tag
    lean = replace(query, return_keys=tuple(k for k in query.return_keys if k.tag == unique))
    matches = count(lean, search, most)
    with search(query) as cursor:
        steps = tuple(map(str.strip, cursor.explain()))
    # After the query has run: a server's facts are known by then.
    with search(query) as cursor:
        plan = cursor.plan
    keys = [key for key in query.criteria if not isinstance(key.criterion, HasValue)]
    effects = tuple(
        KeyEffect(
            key,
            condition_of(key, plan.query, plan.facts),
            count(replace(lean, criteria=(key,)), search, most),
            count(replace(lean, criteria=_without(query, key)), search, most),
        )
        for key in keys
    )
    is_empty = not matches and not count(replace(lean, criteria=()), search, 1)
    statement = (plan.sql, plan.parameters)
    return Effects(query.level, statement, steps, matches, effects, most, is_empty)


def count(query: Query, search: Callable[[Query], Cursor], most: int) -> int:
    """Return the number of matches, at most ``most``."""
    found = 0
    with search(query) as cursor:
        while rows := cursor.fetch(min(_ROWS, most - found)):
            found += len(rows)
            if found >= most:
                break
    return found


def _without(query: Query, key: KeyCriterion) -> tuple[KeyCriterion, ...]:
    return tuple(each for each in query.criteria if each is not key)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
