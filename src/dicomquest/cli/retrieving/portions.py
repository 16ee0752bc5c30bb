"""Retrieve requests: an entity by its unique keys, and its identifier (PS3.4 C.4.2.1.4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.charset import choose
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from collections.abc import Container

    from dicomquest.standard.models import InformationModel

MOST_UIDS = 100
"""UIDs of one request: a list of them stays far below the 64 KB of an element in explicit VR."""

Uniques = Mapping[Level, tuple[str, ...]]
"""The values of unique keys by level; the levels above the lowest have one each."""


class Listed(NamedTuple):
    """An instance as C-FIND lists it; what the peer does not tell is empty."""

    series_uid: str
    uid: str
    sop_class_uid: str


@dataclass(frozen=True, slots=True)
class Portion:
    """The content of one retrieve request.

    ``count`` is the number of its instances, None if the peer has not told it; ``sop_classes`` are
    empty if they are unknown. ``listed`` has its instances, if they were asked for.
    """

    level: Level
    uniques: Uniques
    count: int | None = None
    sop_classes: frozenset[str] = frozenset()
    listed: tuple[Listed, ...] | None = None

    @property
    def name(self) -> str:
        """The portion in a message: ``study 1.2.3``, ``3 series of study 1.2.3``."""
        own = self.uniques[self.level]
        if len(own) == 1:
            return f"{self.level.entity} {own[0]}"
        above = [level for level in self.uniques if level < self.level]
        upper = f" of {max(above).entity} {self.uniques[max(above)][0]}" if above else ""
        return f"{len(own):,} {self.level.entities}{upper}"

    def identifier(self, model: InformationModel) -> DataSet:
        """Return the identifier of the request: the level and the unique keys (RT-009).

        A model without levels has one key, and names no level (NP-008).
        """
        if not model.levels:
            key = UNIQUE_KEYS[Level.IMAGE]
            return {key.tag: Element(key.vr, self.uniques[Level.IMAGE])}
        found: DataSet = {QUERY_RETRIEVE_LEVEL: Element("CS", (self.level.name,))}
        for level in model.levels:
            if level <= self.level and level in self.uniques:
                key = UNIQUE_KEYS[level]
                found[key.tag] = Element(key.vr, self.uniques[level])
        if terms := choose(found):
            found[SPECIFIC_CHARACTER_SET] = Element("CS", terms)
        return dict(sorted(found.items()))

    def with_listed(self, listed: Sequence[Listed]) -> Portion:
        """Return the portion with its instances, which tell the number and the SOP classes."""
        classes = frozenset(each.sop_class_uid for each in listed)
        return replace(
            self, count=len(listed), listed=tuple(listed),
            sop_classes=self.sop_classes if "" in classes else classes,
        )  # fmt: skip


def split(portion: Portion, there: Container[str], *, by_series: bool = False) -> list[Portion]:
    """Return the requests for the instances of a listed portion that are not there yet.

    One request stays one if nothing of it is there. Else whole series share a request, and the rest
    is asked for by SOP Instance UID. ``by_series``: each series has a request of its own.
    """
    assert portion.listed is not None  # noqa: S101
    missing = [each for each in portion.listed if each.uid not in there]
    if len(missing) == len(portion.listed) and not by_series:
        return [portion] if missing else []
    if portion.level is Level.IMAGE or any(not each.series_uid for each in missing):
        return list(_by_instance(portion, missing))
    whole: list[str] = []
    of_whole: list[Listed] = []
    requests: list[Portion] = []
    for series_uid, all_of_it in _by_series(portion.listed):
        wanted = [each for each in all_of_it if each.uid not in there]
        if len(wanted) < len(all_of_it):
            requests += _by_instance(portion, wanted, series_uid)
        elif by_series:
            requests.append(_series(portion, (series_uid,), wanted))
        else:
            whole.append(series_uid)
            of_whole += wanted
    if whole:
        requests.insert(0, _series(portion, tuple(whole), of_whole))
    return requests


def _by_series(listed: Iterable[Listed]) -> Iterator[tuple[str, list[Listed]]]:
    for series_uid, found in groupby(sorted(listed), key=lambda each: each.series_uid):
        yield series_uid, list(found)


def _series(portion: Portion, uids: tuple[str, ...], listed: Sequence[Listed]) -> Portion:
    uniques = {**portion.uniques, Level.SERIES: uids}
    return replace(portion, level=Level.SERIES, uniques=uniques).with_listed(listed)


def _by_instance(
    portion: Portion, listed: Sequence[Listed], series_uid: str = ""
) -> Iterator[Portion]:
    uniques = {level: values for level, values in portion.uniques.items() if level < Level.IMAGE}
    if series_uid:
        uniques[Level.SERIES] = (series_uid,)
    for start in range(0, len(listed), MOST_UIDS):
        part = listed[start : start + MOST_UIDS]
        uids = tuple(each.uid for each in part)
        yield replace(
            portion, level=Level.IMAGE, uniques={**uniques, Level.IMAGE: uids}
        ).with_listed(part)


def merged(portions: Iterable[Portion]) -> list[Portion]:
    """Return the portions with the instances of one series in common requests."""
    found: list[Portion] = []
    of_series: dict[tuple[tuple[Level, tuple[str, ...]], ...], list[Portion]] = {}
    for portion in portions:
        if portion.level is Level.IMAGE:
            above = tuple(each for each in portion.uniques.items() if each[0] < Level.IMAGE)
            of_series.setdefault(above, []).append(portion)
        else:
            found.append(portion)
    for above, instances in of_series.items():
        series_uid = next(iter(dict(above).get(Level.SERIES, ())), "")
        listed = [
            Listed(series_uid, uid, next(iter(each.sop_classes), ""))
            for each in instances
            for uid in each.uniques[Level.IMAGE]
        ]
        found += _by_instance(instances[0], listed, series_uid)
    return found


def unique_value(match: DataSet, level: Level) -> str:
    """Return the value of a level's unique key in an answer; empty if it has none."""
    return text_of(match, UNIQUE_KEYS[level].tag)


def text_of(match: DataSet, tag: int) -> str:
    """Return the first value of an attribute in an answer as text."""
    element = match.get(tag)
    return str(element.values[0]) if element is not None and element.values else ""


def portion_of(match: DataSet, level: Level, uppers: Uniques) -> Portion | None:
    """Return the portion of an answer to C-FIND; None if it lacks its unique key."""
    own = unique_value(match, level)
    if not own:
        return None
    uniques: dict[Level, tuple[str, ...]] = {
        each: (unique_value(match, each),)
        for each in Level
        if each < level and unique_value(match, each)
    }
    uniques = {**uniques, **uppers, level: (own,)}
    number = text_of(match, KEYS_BY_KEYWORD[COUNTS[level]].tag) if level in COUNTS else "1"
    element = match.get(KEYS_BY_KEYWORD[CLASSES[level]].tag) if level in CLASSES else None
    return Portion(
        level,
        dict(sorted(uniques.items())),
        int(number) if number.isascii() and number.isdecimal() else None,
        frozenset(map(str, element.values)) if element is not None else frozenset(),
    )


COUNTS = {
    Level.PATIENT: "NumberOfPatientRelatedInstances",
    Level.STUDY: "NumberOfStudyRelatedInstances",
    Level.SERIES: "NumberOfSeriesRelatedInstances",
}
CLASSES = {Level.STUDY: "SOPClassesInStudy", Level.IMAGE: "SOPClassUID"}
"""The attributes that tell number and SOP classes of the instances of an entity."""
