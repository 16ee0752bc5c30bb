"""The identifier that asks archives for what a query means (PS3.4 C.4.1.1.3.1).

A query of the page is made of words, not of an identifier. Its identifier never asks for less: a
key that archives would read otherwise has no value, and ``meets`` holds the answers against it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.query.criteria import (
    CaseFree,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    KeyCriterion,
    MultipleValue,
    PersonName,
    Range,
    SingleInterval,
    SingleNumber,
    SingleValue,
    UIDList,
    Wild,
    WildCard,
)
from dicomquest.query.evaluate import find_element, matches_data_set
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.query.criteria import Pattern
    from dicomquest.query.model import Query, ReturnKey

    Sent = tuple[str, ...]

_WILD = frozenset("*?")


def asked_of(query: Query, returned: Sequence[ReturnKey] = ()) -> AskedQuery:
    """Return a query to ask archives, for further attributes, too."""
    keys = {key.tag: key for key in (*query.return_keys, *returned)}
    criteria = tuple(each.criterion for each in query.criteria)
    options = replace(
        query.options,
        relational=True,
        strict=False,
        combined_datetime=False,
        fuzzy=False,
        timezone_adjustment=False,
        empty_value=any(isinstance(each, EmptyValue) for each in criteria),
        multiple_value=any(isinstance(each, MultipleValue) for each in criteria),
    )
    query = replace(
        query,
        options=options,
        return_keys=tuple(keys[tag] for tag in sorted(keys)),
        page=None,
        in_order=False,
        listing=None,
    )
    identifier = {tag: Element(key.vr, ()) for tag, key in keys.items()}
    for key in query.criteria:
        identifier |= _elements(key)
    identifier[QUERY_RETRIEVE_LEVEL] = Element("CS", (query.level.name,))
    return asked(dict(sorted(identifier.items())), query, query.visible)


def meets(response: DataSet, query: Query) -> bool:
    """Tell whether a response meets the keys of a query, as far as it shows them."""
    return all(
        matches_data_set(response, (key,), query.options.timezone_offset_minutes)
        for key in query.criteria
        if key.level <= query.level
        and len(key.path) == 1
        and find_element(response, key.path[0]) is not None
    )


def _elements(key: KeyCriterion) -> DataSet:
    if len(key.path) > 1:
        return {key.path[0].tag: Element("SQ", ())}
    criterion = key.criterion
    if isinstance(criterion, DateTimePairMatch):
        return {
            criterion.date: Element("DA", _sent(criterion.date_key, key.level)),
            criterion.time: Element("TM", _sent(criterion.time_key, key.level)),
        }
    return {key.tag: Element(key.vr, _sent(criterion, key.level))}


def _sent(criterion: Criterion | None, level: Level) -> Sent:
    """Return the values of a key, none for one that archives would read otherwise."""
    match criterion:
        case SingleValue(value):
            return (value,)
        case SingleNumber(number):
            return (number,)
        case SingleInterval(_, _, text) | Range(_, _, text):
            return (text,)
        case PersonName():
            return (criterion.text,) if criterion.text else ()
        case FuzzyName(literal, words):
            sounds = any(word.code or word.others for word in words)
            return () if sounds else _word_of(literal.text)
        case UIDList(uids):
            return uids
        case WildCard(pattern):
            return (_text(pattern),)
        case CaseFree(pattern):
            # Answers show a study's own text: they are held against it here.
            return () if level <= Level.STUDY else (_text(pattern),)
        case MultipleValue(parts):
            values = [_sent(part, level) for part in parts]
            return tuple(value for each in values for value in each) if all(values) else ()
        case _:
            return ()


def _word_of(text: str) -> Sent:
    """Return the longest word of a name with wild cards around it.

    Archives that tell case apart hold most names in capitals, and people type small letters.
    """
    words = ["".join(each for each in word if each not in _WILD) for word in text.split(" ")]
    longest = max(words, key=len, default="")
    if not longest:
        return ()
    return (f"*{longest.upper() if longest.islower() else longest}*",)


def _text(pattern: Pattern) -> str:
    return "".join(each.value if isinstance(each, Wild) else each for each in pattern)
