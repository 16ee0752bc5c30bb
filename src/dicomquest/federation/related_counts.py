"""The numbers of related entities of one that lies in several places (PS3.4 C.3.4).

Numbers cannot be joined, unique keys can: the sources are asked for those of the level below, and
below again where both have the same entity. ``counted`` is without I/O: it yields requests, is sent
their answers, and returns the numbers.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.asked_query import ISSUER
from dicomquest.federation.merged_answer import Part
from dicomquest.query.search_forms import is_empty
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

if TYPE_CHECKING:
    from dicomquest.query.model import Query
    from dicomquest.standard.models import InformationModel


class Ask(NamedTuple):
    """A request to one source."""

    source: int
    identifier: DataSet


Answers: TypeAlias = "list[list[DataSet] | None]"
"""The answers to several requests, in their order; None for a source that failed."""

Counting: TypeAlias = "Generator[list[Ask], Answers, dict[Level, int] | None]"

_TAGS: dict[tuple[Level, Level], int] = {
    (of, counted): KEYS_BY_KEYWORD[keyword].tag
    for of, counted, keyword in (
        (Level.PATIENT, Level.STUDY, "NumberOfPatientRelatedStudies"),
        (Level.PATIENT, Level.SERIES, "NumberOfPatientRelatedSeries"),
        (Level.PATIENT, Level.IMAGE, "NumberOfPatientRelatedInstances"),
        (Level.STUDY, Level.SERIES, "NumberOfStudyRelatedSeries"),
        (Level.STUDY, Level.IMAGE, "NumberOfStudyRelatedInstances"),
        (Level.SERIES, Level.IMAGE, "NumberOfSeriesRelatedInstances"),
    )
}


def wanted_counts(level: Level, tags: Sequence[int]) -> dict[Level, int]:
    """Return the tags of numbers that are asked for, by the level of what is counted."""
    return {counted: tag for (of, counted), tag in _TAGS.items() if of is level and tag in tags}


def counting_of(query: Query, parts: Sequence[Part]) -> tuple[dict[Level, int], Counting | None]:
    """Return the tags of the numbers of an entity by level, and their counting if it needs one.

    A model without the level of the series counts only studies; other numbers stay uncounted.
    """
    tags = wanted_counts(query.level, [key.tag for key in query.return_keys])
    deepest = min(max(tags, default=query.level), query.model.lowest)
    if len(parts) == 1 or deepest <= query.level:
        return tags, None
    holders = [part.source for part in parts]
    return tags, counted(query.model, query.level, parts[0].answer, holders, deepest)


def counted(
    model: InformationModel,
    level: Level,
    entity: DataSet,
    holders: Sequence[int],
    deepest: Level,
) -> Counting:
    """Count what is below an entity in all holders, down to a level; None if one of them fails."""
    path = {
        each: str(entity[UNIQUE_KEYS[each].tag].values[0])
        for each in model.levels
        if each <= level and not is_empty(entity.get(UNIQUE_KEYS[each].tag))
    }
    if level is not Level.PATIENT:
        issuer = ""
    else:
        element = entity.get(ISSUER)
        issuer = "" if element is None or is_empty(element) else str(element.values[0])
    return (yield from _below(model, path, holders, deepest, issuer))


def _below(
    model: InformationModel,
    path: Mapping[Level, str],
    holders: Sequence[int],
    deepest: Level,
    issuer: str = "",
) -> Counting:
    level = Level(max(path) + 1)
    if level not in model.levels:
        return None
    answers = yield [Ask(holder, _identifier(model, path, level)) for holder in holders]
    places: dict[str, dict[int, DataSet]] = {}
    for holder, found in zip(holders, answers, strict=True):
        if found is None:
            return None
        for answer in found:
            unique = answer.get(UNIQUE_KEYS[level].tag)
            own = answer.get(ISSUER)
            is_other = bool(issuer) and own is not None and own.values not in {(), (issuer,)}
            if unique is not None and unique.values and not is_other:
                places.setdefault(str(unique.values[0]), {})[holder] = answer
    totals = {each: 0 for each in Level if level <= each <= deepest}
    totals[level] = len(places)
    if level is deepest:
        return totals
    for uid, by_holder in places.items():
        below = _known(level, by_holder, deepest)
        if below is None:
            below = yield from _below(model, {**path, level: uid}, list(by_holder), deepest)
        if below is None:
            return None
        for each, number in below.items():
            totals[each] += number
    return totals


def _known(
    level: Level, by_holder: Mapping[int, DataSet], deepest: Level
) -> dict[Level, int] | None:
    """Return the numbers that the only holder of an entity gave; None if there are others."""
    if len(by_holder) != 1:
        return None
    (answer,) = by_holder.values()
    known: dict[Level, int] = {}
    for counted_level in Level:
        if level < counted_level <= deepest:
            element = answer.get(_TAGS[level, counted_level])
            text = str(element.values[0]).strip() if element is not None and element.values else ""
            if not text.isdecimal():
                return None
            known[counted_level] = int(text)
    return known


def _identifier(model: InformationModel, path: Mapping[Level, str], level: Level) -> DataSet:
    unique = UNIQUE_KEYS[level]
    identifier = {
        QUERY_RETRIEVE_LEVEL: Element("CS", (level.name,)),
        unique.tag: Element(unique.vr, ()),
        **{
            UNIQUE_KEYS[each].tag: Element(UNIQUE_KEYS[each].vr, (uid,))
            for each, uid in path.items()
            if each in model.levels
        },
        **{tag: Element("IS", ()) for (of, _), tag in _TAGS.items() if of is level},
    }
    if level is Level.STUDY:
        identifier[ISSUER] = Element("LO", ())
    return dict(sorted(identifier.items()))
