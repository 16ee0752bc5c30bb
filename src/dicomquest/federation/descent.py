"""The way down to a level in an archive without relational queries (PS3.4 C.4.1.3.1.1).

Such an archive needs one value for the unique key of each level above that of the query. Where a
caller gives none, it is asked for the entities of that level first, and then below each of them.
The attributes that it returned on the way belong to the answers, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.asked_query import AskedQuery
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    QUERY_RETRIEVE_LEVEL,
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    is_private,
)

if TYPE_CHECKING:
    from dicomquest.query.options import QueryOptions

MOST_WALKED = 10_000
"""Entities of upper levels below which an archive is asked for one query."""

_OF_ALL_LEVELS = frozenset({SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET_FROM_UTC})


def levels_to_walk(question: AskedQuery, accepted: QueryOptions) -> tuple[Level, ...]:
    """Return the levels at which an archive is asked one after the other, that of the query last.

    There is one alone for relational queries, and where the caller names all that is above.
    """
    query = question.query
    if accepted.relational:
        return (query.level,)
    levels = query.model.levels
    above = [level for level in levels if level < query.level]
    first = next((level for level in above if not _is_named(question.identifier, level)), None)
    if first is None:
        return (query.level,)
    return tuple(level for level in levels if first <= level <= query.level)


def _is_named(identifier: DataSet, level: Level) -> bool:
    element = identifier.get(UNIQUE_KEYS[level].tag)
    if element is None or len(element.values) != 1 or is_empty(element):
        return False
    return not set("*?") & set(str(element.values[0]))


def question_at(
    question: AskedQuery, level: Level, path: Mapping[Level, str], *, is_first: bool
) -> AskedQuery:
    """Return the question at a level, below the entities of a path.

    Keys of levels above are those of the first step; their later values are in the answers.
    """
    query = question.query

    def is_asked(tag: int) -> bool:
        if tag in _OF_ALL_LEVELS:
            return True
        own = query.level if is_private(tag) else query.model.query_level(level_of(tag))
        return own == level or (is_first and own < level)

    identifier = {tag: each for tag, each in question.identifier.items() if is_asked(tag)}
    for upper, unique in path.items():
        key = UNIQUE_KEYS[upper]
        identifier[key.tag] = Element(key.vr, (unique,))
    unique_key = UNIQUE_KEYS[level]
    identifier.setdefault(unique_key.tag, Element(unique_key.vr, ()))
    identifier[QUERY_RETRIEVE_LEVEL] = Element("CS", (level.name,))
    identifier = dict(sorted(identifier.items()))
    options = replace(query.options, relational=True, strict=False)
    asked = parse_identifier(identifier, query.model.uid, options)
    visible = tuple(key for key in query.visible if is_asked(key.path[0].tag))
    return AskedQuery(identifier, replace(asked, visible=visible))
