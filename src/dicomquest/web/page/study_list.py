"""The studies of a question: a page of rows, their number, and the facets (PS3.4 C.4.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.response_fields import row_element
from dicomquest.index.search.overview import Origin
from dicomquest.index.search.stop import Stop
from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.facets import Facet, FacetKind, FacetValue
from dicomquest.query.identifier.key_arguments import build_identifier, parse_key
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Page, Query
from dicomquest.query.options import QueryOptions
from dicomquest.query.study_listing import Position, StudyListing
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.web.box import BoxKey, Matching, Reading, read_box
from dicomquest.web.box.box_tokens import quoted
from dicomquest.web.box.reading import in_order
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.shown_values import inert
from dicomquest.web.page.study_rows import (
    STUDY_KEYS,
    StudyRow,
    study_row,
    value,
)

FIRST_ROWS = 50
NEXT_ROWS = 100
MOST_COUNTED = 10_000
"""Matches up to which a number is exact."""
MOST_FACET_VALUES = 24
MOST_OFFERS = 12
WHY_SECONDS = 0.2
"""Seconds of all counts for a question that finds nothing."""

FACET_WORDS = {
    FacetKind.MODALITY: "mod",
    FacetKind.DATE: "date",
    FacetKind.SEX: "sex",
    FacetKind.STATION: "station",
    FacetKind.INSTITUTION: "institution",
}
"""The words before the colon."""
_SEXES = {"F": "Female", "M": "Male", "O": "Other"}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, slots=True)
class Asker:
    """The rights of the one who asks: the filter of what exists, and the rules of matching."""

    visible: tuple[KeyCriterion, ...] = ()
    options: QueryOptions = field(default_factory=QueryOptions)
    han: str = "ja"
    alphabetic_first: bool = False

    def row(self, match: DataSet) -> StudyRow:
        """Return the row of a match, with names in the order of this server's people."""
        return study_row(match, han=self.han, alphabetic_first=self.alphabetic_first)


@dataclass(frozen=True, slots=True)
class RowPage:
    """Some rows of a result; ``after`` is the place where it goes on, None at its end.

    ``before`` is the place of what comes before, None at the start.
    """

    rows: list[StudyRow]
    after: Position | None
    before: Position | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """The number of all matches, and of their patients; ``is_least``: there are more."""

    number: int
    patients: int = 0
    is_least: bool = False

    @property
    def words(self) -> str:
        """The number in words."""
        if self.is_least:
            return f"more than {self.number:,} studies"
        return "1 study" if self.number == 1 else f"{self.number:,} studies"

    @property
    def patients_words(self) -> str:
        """The number of patients in words, "" if it says nothing more."""
        if self.is_least or self.patients == self.number or not self.patients:
            return ""
        return "1 patient" if self.patients == 1 else f"{self.patients:,} patients"


@dataclass(frozen=True, slots=True)
class FacetChoice:
    """One value of a facet: its words, the studies with it, and the key it is."""

    label: str
    count: int
    keyword: str
    text: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class FacetPart:
    """The counts of one attribute over the other keys; ``title`` says what they mean."""

    name: str
    choices: tuple[FacetChoice, ...]
    title: str = ""
    left_out: int = 0


def query_of(reading: Reading, asker: Asker, returned: tuple[str, ...]) -> Query:
    """Return the query of a question by one who asks."""
    return replace(reading.query(returned, asker.options), visible=asker.visible)


def entity_query(level: Level, asker: Asker, returned: tuple[str, ...], **keys: str) -> Query:
    """Return the query of entities by unique keys, in their order."""
    parsed = [parse_key(f"{name}={text}") for name, text in keys.items()]
    parsed += [parse_key(name) for name in returned if name not in keys]
    parsed.append(parse_key(f"QueryRetrieveLevel={level.name}"))
    options = replace(asker.options, relational=True)
    query = parse_identifier(build_identifier(parsed), STUDY_ROOT.uid, options)
    return replace(query, visible=asker.visible, page=Page(100_000, 0))


def row_page(
    search: BoundedSearch,
    reading: Reading,
    asker: Asker,
    listing: StudyListing,
    *,
    has_origins: bool = True,
) -> RowPage:
    """Return a part of the list; ``has_origins``: with the stations, and when studies came."""
    overview = search.overview
    page = overview.page(query_of(reading, asker, STUDY_KEYS), listing)
    rows = [
        asker.row({f.tag: row_element(f, v) for f, v in zip(page.fields, row, strict=True)})
        for row in page.rows
    ]
    shared = overview.names_of_ids({row.raw_id for row in rows if row.raw_id}, asker.visible)
    found = (row.uid for row in rows if has_origins or search.is_federated)
    origins = overview.origins(found, asker.visible)
    rows = [
        replace(
            row,
            names_of_id=shared.get(row.raw_id, 1),
            station=_stations(origins.get(row.uid)),
            received=_received(origins.get(row.uid), reading.now.tzinfo),
            holders=origins[row.uid].holders if row.uid in origins else (),
        )
        for row in rows
    ]
    if not page.positions:
        return RowPage(rows, None)
    has_before, has_after = listing.position is not None, not page.is_last
    if listing.is_backward:
        has_before, has_after = has_after, has_before
    return RowPage(
        rows,
        page.positions[-1] if has_after else None,
        page.positions[0] if has_before else None,
    )


def _stations(origin: Origin | None) -> str:
    return "" if origin is None else inert(", ".join(origin.stations))


def _received(origin: Origin | None, zone: tzinfo | None) -> str:
    if origin is None or origin.received_ns is None:
        return ""
    return f"{datetime.fromtimestamp(origin.received_ns // 10**9, zone):%Y-%m-%d %H:%M}"


def total_of(
    search: BoundedSearch,
    reading: Reading,
    asker: Asker,
    seconds: float | None,
    most: int,
) -> Total | None:
    """Return the number of matches; None if it takes longer."""
    query = query_of(reading, asker, ("StudyInstanceUID",))
    found = search.overview.count(query, most=most, stop=Stop(seconds))
    if found.is_late:
        return None
    return Total(found.studies, found.patients, is_least=not found.is_exact)


def facets_of(
    search: BoundedSearch,
    reading: Reading,
    asker: Asker,
    kinds: Sequence[FacetKind],
    seconds: float,
) -> list[FacetPart] | None:
    """Return the facets of a question, each counted without its own key; None: not in time."""
    query = query_of(reading, asker, ("StudyInstanceUID",))
    found = search.overview.facets(query, kinds, stop=Stop(seconds))
    if all(facet.offered is None for facet in found):
        return None
    return [part for facet in found if (part := _part(facet, reading)) is not None]


def _part(facet: Facet, reading: Reading) -> FacetPart | None:
    own = next((key for key in reading.keys if key.keyword == facet.kind.value), None)
    if facet.offered is None:
        return None
    values = [each for each in facet.offered.values if each.value]
    if not values:
        return None
    period = facet.offered.period
    if period is not None:
        values.reverse()
        name = period.value.capitalize()
        made = [_date_value(each, own) for each in values[:MOST_FACET_VALUES]]
        return FacetPart(name, tuple(made), "", len(values) - len(made))
    word = FACET_WORDS[facet.kind]
    chosen = own.value.split("\\") if own else []
    made = [
        FacetChoice(
            _SEXES.get(each.value, each.value) if facet.kind is FacetKind.SEX else each.value,
            each.studies,
            facet.kind.value,
            f"{word}:{quoted(each.value)}",
            each.value in chosen,
        )
        for each in values[:MOST_FACET_VALUES]
    ]
    title = "A study with CT and SR counts in both" if facet.kind is FacetKind.MODALITY else ""
    return FacetPart(facet.kind.name.capitalize(), tuple(made), title, len(values) - len(made))


def _date_value(each: FacetValue, own: BoxKey | None) -> FacetChoice:
    text = "-".join(filter(None, (each.value[:4], each.value[4:6], each.value[6:])))
    label = text
    if len(each.value) == len("202403"):
        label = f"{_MONTHS[int(each.value[4:6]) - 1]} {each.value[:4]}"
    is_chosen = own is not None and own.text == f"date:{text}"
    return FacetChoice(label, each.studies, "StudyDate", f"date:{text}", is_chosen)


def narrowed(reading: Reading, each: FacetChoice) -> Reading:
    """Return the question that a click on a facet's value asks."""
    own = next((key for key in reading.keys if key.keyword == each.keyword), None)
    if own is not None and own.matching is Matching.EMPTY:
        own = None
    if each.keyword != "ModalitiesInStudy" or own is None:
        if own is not None and each.is_chosen:
            return reading.without(own)
        return reading.with_(read_box(each.text, reading.now))
    name = each.text.partition(":")[2]
    values = own.value.split("\\")
    values = [v for v in values if v != name] if each.is_chosen else [*values, name]
    if not values:
        return reading.without(own)
    return reading.with_(read_box(f"mod:{','.join(values)}", reading.now))


@dataclass(frozen=True, slots=True)
class Offer:
    """Another question, and its studies: without a key, or with a looser one; None: not tried."""

    label: str
    reading: Reading
    total: Total | None
    key: BoxKey | None = None


def why_nothing(
    search: BoundedSearch, reading: Reading, asker: Asker, seconds: float = WHY_SECONDS
) -> list[Offer]:
    """Return what a question that finds nothing finds without each of its keys, or a looser one."""
    offers = [
        Offer(f"without {key.chip}", reading.without(key), None, key)
        for key in reading.keys
        if len(reading.keys) > 1
    ]
    for key in reading.keys:
        if key.keyword == "PatientName" and key.matching is Matching.WORDS:
            others = reading.without(key)
            plain = key.value
            for label, text in (
                (f"{plain} in the description", f"desc:{quoted(plain)}"),
                (f"names that sound like {plain}", " ".join(f"~{w}" for w in plain.split())),
            ):
                looser = read_box(text, reading.now)
                if looser.is_answerable:
                    offers.append(Offer(label, _with_all(others, looser), None))
    stop = Stop(seconds)
    found = []
    for each in offers[:MOST_OFFERS]:
        query = query_of(each.reading, asker, ("StudyInstanceUID",))
        count = None
        if not stop.is_late:
            count = search.overview.count(query, most=999, stop=stop)
        is_known = count is not None and not count.is_late
        total = None
        if is_known and count is not None:
            total = Total(count.studies, count.patients, is_least=not count.is_exact)
        found.append(replace(each, total=total))
    return found


def _with_all(reading: Reading, other: Reading) -> Reading:
    """Return a question with all keys of both."""
    keys = in_order([*reading.keys, *(each for each in other.keys if each not in reading.keys)])
    return replace(reading, text=" ".join(each.text for each in keys), keys=keys)


def newest_date(search: BoundedSearch, asker: Asker) -> str:
    """Return the date of the newest study that the asker may see."""
    query = entity_query(Level.STUDY, asker, ("StudyInstanceUID", "StudyDate"))
    found = search.matches(replace(query, page=Page(1, 0)), 1)
    return value(found[0], "StudyDate") if found else ""
