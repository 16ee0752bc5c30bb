"""The studies of a question: a page of rows, their number, and the facets (PS3.4 C.4.1.3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date

from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.identifier.key_arguments import build_identifier, parse_key
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Page, Query
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.web.page.bounded_search import BoundedSearch
from dicomquest.web.page.plain_reading import BoxKey, Reading
from dicomquest.web.page.study_rows import (
    STUDY_KEYS,
    StudyRow,
    study_row,
    value,
    with_names_of_id,
)

FIRST_ROWS = 50
NEXT_ROWS = 100
MOST_COUNTED = 10_000
"""Matches up to which a number is exact."""
MOST_NAMES = 2_000
"""Studies that are looked at to tell whether a patient ID has several names."""
_FACET_KEYS = ("StudyInstanceUID", "ModalitiesInStudy", "StudyDate", "PatientSex")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, slots=True)
class Asker:
    """The rights of the one who asks: the filter of what exists, and the rules of matching."""

    visible: tuple[KeyCriterion, ...] = ()
    options: QueryOptions = field(default_factory=QueryOptions)


@dataclass(frozen=True, slots=True)
class RowPage:
    """Some rows of a result; ``next_offset`` is None after the last."""

    rows: list[StudyRow]
    offset: int
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class Total:
    """The number of all matches; ``is_least``: there are more."""

    number: int
    is_least: bool = False

    @property
    def words(self) -> str:
        """The number in words."""
        if self.is_least:
            return f"more than {self.number:,} studies"
        return "1 study" if self.number == 1 else f"{self.number:,} studies"


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a facet: its words, the studies with it, and the key it is."""

    label: str
    count: int
    keyword: str
    text: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """The counts of one attribute over the other keys; ``title`` says what they mean."""

    name: str
    values: tuple[FacetValue, ...]
    title: str = ""


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
    search: BoundedSearch, reading: Reading, asker: Asker, offset: int, most: int
) -> RowPage:
    """Return a page of rows, newest first."""
    query = query_of(reading, asker, STUDY_KEYS)
    found = search.matches(replace(query, page=Page(most + 1, offset)), most + 1)
    rows = [study_row(match) for match in found[:most]]
    rows = with_names_of_id(rows, _names_of_ids(search, asker, rows))
    return RowPage(rows, offset, offset + most if len(found) > most else None)


def _names_of_ids(search: BoundedSearch, asker: Asker, rows: list[StudyRow]) -> dict[str, set[str]]:
    """Return the names that share a patient ID, among the studies that the asker may see."""
    ids = {row.raw_id for row in rows if row.raw_id}
    plain = sorted(each for each in ids if not set(each) & set('*?\\"') and len(each) <= 64)
    names: dict[str, set[str]] = {}
    if plain:
        asked = entity_query(
            Level.STUDY, asker, ("StudyInstanceUID", "PatientName"), PatientID="\\".join(plain)
        )
        for match in search.matches(replace(asked, page=None), MOST_NAMES):
            name = value(match, "PatientName").casefold().rstrip("^ ")
            names.setdefault(value(match, "PatientID"), set()).add(name)
    return names


def total_of(
    search: BoundedSearch, reading: Reading, asker: Asker, seconds: float | None, most: int
) -> Total | None:
    """Return the number of matches; None if it takes longer."""
    query = query_of(reading, asker, ("StudyInstanceUID",))
    number = search.count(query, most + 1, seconds)
    if number is None:
        return None
    return Total(most, is_least=True) if number > most else Total(number)


def facets_of(search: BoundedSearch, reading: Reading, asker: Asker) -> list[Facet] | None:
    """Return the facets; None if too many studies match.

    Each is counted without its own key.
    """
    chosen = {each.keyword: each for each in reading.keys}
    counts: dict[str, Counter[str]] = {}
    for keyword in ("ModalitiesInStudy", "StudyDate", "PatientSex"):
        own = chosen.get(keyword)
        asked = reading.without(own) if own else reading
        query = query_of(asked, asker, _FACET_KEYS)
        found = search.matches(query, MOST_COUNTED + 1)
        if len(found) > MOST_COUNTED:
            if own is None:
                return None
            continue
        counter = counts[keyword] = Counter()
        for match in found:
            for each in value(match, keyword).split("\\"):
                if each:
                    counter[each] += 1
    return [
        facet
        for facet in (
            _modality_facet(counts.get("ModalitiesInStudy"), chosen),
            _date_facet(counts.get("StudyDate"), chosen),
            _sex_facet(counts.get("PatientSex"), chosen),
        )
        if facet.values
    ]


def _of(chosen: dict[str, BoxKey], keyword: str) -> BoxKey:
    return chosen.get(keyword) or BoxKey(keyword, "", "", "")


def _modality_facet(counter: Counter[str] | None, chosen: dict[str, BoxKey]) -> Facet:
    own = _of(chosen, "ModalitiesInStudy").value.split("\\")
    values = [
        FacetValue(name, number, "ModalitiesInStudy", f"mod:{name}", name in own)
        for name, number in (counter or Counter()).most_common(12)
    ]
    title = "A study with CT and SR counts in both"
    return Facet("Modality", tuple(values), title)


def _date_facet(counter: Counter[str] | None, chosen: dict[str, BoxKey]) -> Facet:
    days = {each: n for each, n in (counter or Counter()).items() if len(each) == 8}
    own = _of(chosen, "StudyDate").text
    months = {each[:6] for each in days}
    size = 4 if len(months) > 24 else 8 if len(months) == 1 else 6
    grouped: Counter[str] = Counter()
    for each, number in days.items():
        grouped[each[:size]] += number
    values = []
    for each in sorted(grouped, reverse=True)[:24]:
        if size == 4:
            label = text = each
        elif size == 6:
            label = f"{_MONTHS[int(each[4:6]) - 1]} {each[:4]}" if each[4:6] <= "12" else each
            text = f"{each[:4]}-{each[4:]}"
        else:
            label = text = f"{each[:4]}-{each[4:6]}-{each[6:]}"
        values.append(
            FacetValue(label, grouped[each], "StudyDate", f"date:{text}", own == f"date:{text}")
        )
    return Facet({4: "Year", 6: "Month", 8: "Day"}[size], tuple(values))


def _sex_facet(counter: Counter[str] | None, chosen: dict[str, BoxKey]) -> Facet:
    own = _of(chosen, "PatientSex").value
    words = {"F": "Female", "M": "Male", "O": "Other"}
    values = [
        FacetValue(words.get(each, each), number, "PatientSex", f"sex:{each}", each == own)
        for each, number in (counter or Counter()).most_common(6)
    ]
    return Facet("Sex", tuple(values))


def narrowed(reading: Reading, each: FacetValue) -> Reading:
    """Return the question that a click on a facet's value asks."""
    own = next((key for key in reading.keys if key.keyword == each.keyword), None)
    if each.keyword != "ModalitiesInStudy":
        return (
            reading.without(own)
            if own and each.is_chosen
            else reading.with_(each.keyword, each.text)
        )
    values = own.value.split("\\") if own else []
    name = each.text.partition(":")[2]
    values = [v for v in values if v != name] if each.is_chosen else [*values, name]
    if not values and own:
        return reading.without(own)
    return reading.with_(each.keyword, f"mod:{','.join(values)}")


@dataclass(frozen=True, slots=True)
class Excluding:
    """The studies of a question without one key, or with a looser one."""

    label: str
    total: Total
    reading: Reading


def why_nothing(search: BoundedSearch, reading: Reading, asker: Asker) -> list[Excluding]:
    """Return what a question that finds nothing finds without each of its keys."""
    found = []
    for key in reading.keys[:8]:
        looser = reading.without(key)
        total = total_of(search, looser, asker, 0.2, 1000)
        if total is not None:
            found.append(Excluding(f"without {key.chip}", total, looser))
    return found


def newest_date(search: BoundedSearch, asker: Asker) -> str:
    """Return the date of the newest study that the asker may see."""
    query = entity_query(Level.STUDY, asker, ("StudyInstanceUID", "StudyDate"))
    found = search.matches(replace(query, page=Page(1, 0)), 1)
    return value(found[0], "StudyDate") if found else ""


def today() -> date:
    """Return the day on which words like today are said."""
    return date.today()  # noqa: DTZ011  the server's own day
