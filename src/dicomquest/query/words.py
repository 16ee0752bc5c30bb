"""A query as one English sentence, for ``find --explain`` and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.query.criteria import HasValue, SequenceMatch
from dicomquest.query.matching import BY_CRITERION, words
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query


def sentence(query: Query) -> str:
    """Return a query in words: ``studies whose Patient's Name starts with 'DOE'; return ...``."""
    returned = [attribute_name(*key.step) for key in query.return_keys]
    return f"{question(query)}; return {_listed(returned)}{visibility(query)}"


def question(query: Query) -> str:
    """Return what a query selects in words: ``studies whose Patient's Name starts with 'DOE'``."""
    # Every entity has its unique key: HasValue goes without saying.
    own = [
        key
        for key in _each(query.criteria)
        if key.level <= query.level and not isinstance(key.criterion, HasValue)
    ]
    clauses = [f"whose {_clause(key)}" for key in own]
    below = [_descendants(query, level) for level in Level if level > query.level]
    asked = " and ".join(clauses + [text for text in below if text])
    return f"{query.entities} {asked}" if asked else f"all {query.entities}"


def visibility(query: Query) -> str:
    """Return the filter of the one who asks in words; nothing without one."""
    clauses = " and ".join(f"whose {_clause(key)}" for key in query.visible)
    return f"; visible are only instances {clauses}" if clauses else ""


def outline(query: Query) -> str:
    """Return a query in words without its values: ``studies by Study Date (Range); return ...``."""
    keys = [
        f"{attribute_name(*key.path[-1])} ({BY_CRITERION[type(key.criterion)].name})"
        for key in _each(query.criteria)
        if not isinstance(key.criterion, HasValue)
    ]
    selected = f"{query.entities} by {_listed(keys)}" if keys else f"all {query.entities}"
    returned = [attribute_name(*key.step) for key in query.return_keys]
    return f"{selected}; return {_listed(returned)}"


def _each(keys: Iterable[KeyCriterion]) -> Iterator[KeyCriterion]:
    """Yield the keys, those of a Scheduled Procedure Step one by one: an entry has one step."""
    for key in keys:
        criterion = key.criterion
        if key.tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE and isinstance(criterion, SequenceMatch):
            yield from criterion.keys
        else:
            yield key


def _clause(key: KeyCriterion) -> str:
    text = words(key.criterion, attribute_name(*key.path[-1]))
    return f"{text} (or is unknown)" if key.or_unknown else text


def _descendants(query: Query, level: Level) -> str:
    clauses = [f"whose {_clause(key)}" for key in query.criteria if key.level is level]
    # With keys of both series and instances, the instance belongs to that very series.
    nested = level > query.level + 1 and any(
        query.level < key.level < level for key in query.criteria
    )
    which = f"an {level.entity}" if level is Level.IMAGE else f"a {level.entity}"
    return (
        f"that have {'in it ' if nested else ''}{which} {' and '.join(clauses)}" if clauses else ""
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
