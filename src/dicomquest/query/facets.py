"""The facets of a result: the values of an attribute, and the studies that each would leave.

A facet counts under all keys of the query but its own: the number beside a value is that of the
studies which the query finds with this value as the facet's key.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from dicomquest.dataset.dates import sortable_date
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dicomquest.query.model import Query

_MOST_MONTHS = 24
_LENGTHS = {"year": 4, "month": 6, "day": 8}


class FacetKind(Enum):
    """The attribute that a facet counts, by its keyword."""

    MODALITY = "ModalitiesInStudy"
    DATE = "StudyDate"
    SEX = "PatientSex"
    STATION = "StationName"
    INSTITUTION = "InstitutionName"

    @property
    def tag(self) -> int:
        """The tag of the attribute."""
        return KEYS_BY_KEYWORD[self.value].tag

    @property
    def vr(self) -> str:
        """The VR of the attribute."""
        return KEYS_BY_KEYWORD[self.value].vr

    @property
    def level(self) -> Level:
        """The level of the attribute: facets of series are dearer."""
        return KEYS_BY_KEYWORD[self.value].level


USUAL_FACETS = (FacetKind.MODALITY, FacetKind.DATE, FacetKind.SEX)


class Period(Enum):
    """The length of the periods of a date facet."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value and its studies: a text as stored, ``""`` for none; of a date the year, month or day.

    A period is ``2024``, ``202403`` or ``20240305``: ``date_range`` returns its key.
    """

    value: str
    studies: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The values that were counted: dates in turn, others from the most studies to the fewest."""

    values: tuple[FacetValue, ...]
    period: Period | None = None


class NotCounted(Enum):
    """The reason why a facet is not counted."""

    TIME = "it took too long"
    NUMBER = "too many studies match"


@dataclass(frozen=True, slots=True)
class Facet:
    """The counts of one attribute: ``offered`` under all other keys, ``found`` also under its own.

    Both are the same unless the query has a key of the facet. None: not counted, for ``reason``.
    """

    kind: FacetKind
    offered: Tally | None
    found: Tally | None
    reason: NotCounted | None = None


def has_own_key(query: Query, kind: FacetKind) -> bool:
    """Tell whether a query has a key of a facet."""
    return any(key.path[0].tag == kind.tag for key in query.criteria)


def without_own_key(query: Query, kind: FacetKind) -> Query:
    """Return a query without the keys of a facet."""
    kept = tuple(key for key in query.criteria if key.path[0].tag != kind.tag)
    return replace(query, criteria=kept)


def date_range(period: str) -> str:
    """Return the StudyDate key of a period: ``202403`` is ``20240301-20240331``."""
    if len(period) == _LENGTHS["day"]:
        return period
    first, last = ("0101", "1231") if len(period) == _LENGTHS["year"] else ("01", "31")
    # A range of dates may end on a day that its month does not have.
    return f"{period}{first}-{period}{last}"


def facet_values(text: str | None) -> set[str]:
    """Return the distinct values of a stored text; ``""`` alone if it has none."""
    return {value for value in (text or "").split("\\") if value} or {""}


def tally(kind: FacetKind, texts: Mapping[str | None, int]) -> Tally:
    """Return the counts of a facet, from the stored texts of the attribute with their studies."""
    if kind is FacetKind.DATE:
        return _dates(texts)
    counts: Counter[str] = Counter()
    for text, studies in texts.items():
        # A study with CT and SR counts in both.
        for value in facet_values(text):
            counts[value] += studies
    return Tally(tuple(_sorted(counts)))


def _sorted(counts: Mapping[str, int]) -> Iterable[FacetValue]:
    ordered = sorted(counts.items(), key=lambda item: (item[0] == "", -item[1], item[0]))
    return [FacetValue(value, studies) for value, studies in ordered]


def _dates(texts: Mapping[str | None, int]) -> Tally:
    """Return the studies by year, month or day; a text that is no date counts nowhere."""
    days: Counter[str] = Counter()
    empty = 0
    for text, studies in texts.items():
        if not text:
            empty += studies
        elif day := sortable_date(text):
            days[day] += studies
    period = _period(days)
    counts: Counter[str] = Counter()
    for day, studies in days.items():
        counts[day[: _LENGTHS[period.value]]] += studies
    values = [FacetValue(value, counts[value]) for value in sorted(counts)]
    if empty:
        values.append(FacetValue("", empty))
    return Tally(tuple(values), period)


def _period(days: Iterable[str]) -> Period:
    months = [int(day[:4]) * 12 + int(day[4:6]) for day in days]
    span = max(months) - min(months) + 1 if months else 0
    if span > _MOST_MONTHS:
        return Period.YEAR
    return Period.MONTH if span > 1 else Period.DAY
