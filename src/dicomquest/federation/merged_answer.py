"""The answers of several sources about one entity, as one (PS3.4 C.4.1.1.3.2, C.3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.computed_values import anatomic_regions, distinct
from dicomquest.query.evaluate import find_element, response_element
from dicomquest.query.search_forms import is_empty, own_zone
from dicomquest.standard.keys import (
    EXISTENCE_ONLY,
    KEYS_BY_KEYWORD,
    KEYS_BY_TAG,
    KeyType,
    Storage,
    key_type,
)
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    TIMEZONE_OFFSET_FROM_UTC,
)

if TYPE_CHECKING:
    from dicomquest.query.model import Query, ReturnKey

AVAILABILITIES = ("ONLINE", "NEARLINE", "OFFLINE", "UNAVAILABLE")
"""The defined terms of Instance Availability, the best first (PS3.4 C.4.1.1.3.2)."""

_REGIONS = KEYS_BY_KEYWORD["AnatomicRegionsInStudyCodeSequence"].tag
_SYNTAXES = KEYS_BY_KEYWORD["AvailableTransferSyntaxUID"].tag
COUNTS = frozenset(tag for tag in EXISTENCE_ONLY if KEYS_BY_TAG[tag].storage is Storage.COMPUTED)
"""The numbers of related studies, series and instances."""


class Part(NamedTuple):
    """The answer of one source; ``source`` is its place in the order of the sources.

    ``titles`` are the AE titles to retrieve from, if the answer itself names none.
    """

    source: int
    answer: DataSet
    titles: tuple[str, ...]


class Merged(NamedTuple):
    """A response; ``lacks`` says that no source returned some optional key of the request.

    ``sources`` are those that hold the entity.
    """

    response: DataSet
    lacks: bool
    sources: tuple[int, ...] = ()


def merged(parts: Sequence[Part], query: Query, counts: Mapping[int, int] | None = None) -> Merged:
    """Return one response of the answers about one entity.

    Of attributes that differ, the first source in the order of sources wins that has a value.
    ``counts`` are numbers by tag that were counted by unique keys; without them the largest number
    of a source stands, which is at least right.
    """
    ordered = sorted(parts, key=lambda part: part.source)
    zone = ordered[0].answer.get(TIMEZONE_OFFSET_FROM_UTC)
    # Times of another zone must not get under the one offset of the response.
    same = [part.answer for part in ordered if part.answer.get(TIMEZONE_OFFSET_FROM_UTC) == zone]
    response: DataSet = {
        QUERY_RETRIEVE_LEVEL: Element("CS", (query.level.name,)),
        RETRIEVE_AE_TITLE: Element("AE", _titles(ordered)),
    }
    if zone is not None and zone.values:
        response[TIMEZONE_OFFSET_FROM_UTC] = zone
    if query.wants_availability:
        response[INSTANCE_AVAILABILITY] = Element("CS", (_availability(ordered),))
    for tag, creator in query.private_creators:
        response[tag] = Element("LO", (creator,))
    lacks = False
    for key in query.return_keys:
        element = _element(key, ordered, same, query, counts or {})
        if key.tag not in (counts or {}) and _is_partial(key, ordered):
            lacks = True
        if element is not None:
            response[key.tag] = element
        elif key_type(key.tag, query.model) is KeyType.OPTIONAL:
            lacks = True
        else:
            response[key.tag] = Element(key.vr, ())
    return Merged(dict(sorted(response.items())), lacks, tuple(part.source for part in ordered))


def _is_partial(key: ReturnKey, parts: Sequence[Part]) -> bool:
    """Tell whether some holder of an entity does not tell a key that all of them compute."""
    row = KEYS_BY_TAG.get(key.tag)
    if len(parts) == 1 or row is None or row.storage is not Storage.COMPUTED:
        return False
    return any(key.tag not in part.answer for part in parts)


def _element(
    key: ReturnKey,
    parts: Sequence[Part],
    same: Sequence[DataSet],
    query: Query,
    counts: Mapping[int, int],
) -> Element | None:
    """Return the element of a response; None if no source returned the attribute."""
    if key.tag in COUNTS:
        return _count(key.tag, parts, counts)
    zone = query.options.timezone_offset_minutes
    row = KEYS_BY_TAG.get(key.tag)
    if len(parts) > 1 and (
        key.tag == _SYNTAXES or (row is not None and row.storage is Storage.COMPUTED)
    ):
        shown = [
            response_element(part.answer, key, zone) for part in parts if key.tag in part.answer
        ]
        return _union(key, shown)
    found = None
    for answer in same:
        element = find_element(answer, key.step)
        if element is not None:
            found = response_element(answer, key, own_zone(answer, zone))
            if not is_empty(found):
                return found
    return found


def _union(key: ReturnKey, elements: Sequence[Element]) -> Element | None:
    """Return all values that some source knows, each once."""
    if not elements:
        return None
    values = [value for element in elements for value in element.values]
    if key.tag == _REGIONS and key.item_keys is None:
        return Element(key.vr, anatomic_regions(values))
    if key.vr == "SQ":
        return Element(key.vr, tuple({repr(value): value for value in values}.values()))
    return Element(key.vr, distinct(values))


def _count(tag: int, parts: Sequence[Part], counts: Mapping[int, int]) -> Element | None:
    if tag in counts:
        return Element("IS", (str(counts[tag]),))
    elements = [part.answer[tag] for part in parts if tag in part.answer]
    numbers = [
        int(text)
        for element in elements
        for text in map(str, element.values)
        if text.strip().isdecimal()
    ]
    if numbers:
        return Element("IS", (str(max(numbers)),))
    return Element("IS", ()) if elements else None


def _titles(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the AE titles of all holders, in the order of the sources."""
    titles: dict[str, None] = {}
    for part in parts:
        named = part.answer.get(RETRIEVE_AE_TITLE)
        own = [str(value) for value in named.values if value] if named is not None else []
        titles |= dict.fromkeys(own or part.titles)
    return tuple(titles)


def _availability(parts: Sequence[Part]) -> str:
    """Return that of the least available holder (QR-051); holders that name none are online."""
    named = [part.answer.get(INSTANCE_AVAILABILITY) for part in parts]
    terms = [str(each.values[0]) for each in named if each is not None and each.values]
    return max(
        (term for term in terms if term in AVAILABILITIES),
        key=AVAILABILITIES.index,
        default=AVAILABILITIES[0],
    )
