"""The overview of a result: its studies page by page, how many there are, and its facets.

A page in a browser asks all this beside the rows. Each question is a query of the engine under the
same visibility, so all say the same; none costs a search for rows anything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from dicomquest.dataset.response_fields import text_element
from dicomquest.errors import IndexDatabaseError
from dicomquest.index.search.listing_sql import has_empty, order_columns
from dicomquest.index.search.plan import Columns, MoreColumn
from dicomquest.index.search.stop import Stop
from dicomquest.index.search.visible_entities import MAIN
from dicomquest.query.criteria import AnyOf, KeyCriterion, SingleValue, Step, Wild, WildCard
from dicomquest.query.evaluate import matches_data_set
from dicomquest.query.facets import (
    USUAL_FACETS,
    Facet,
    FacetKind,
    NotCounted,
    Tally,
    facet_values,
    has_own_key,
    tally,
    without_own_key,
)
from dicomquest.query.model import Query, ReturnKey
from dicomquest.query.options import QueryOptions
from dicomquest.query.study_listing import Position, SortBy, StudyListing, StudyOrder, StudyPage
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicomquest.dataset.response_fields import Field, Row
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.criteria import Criterion

Visible: TypeAlias = "tuple[KeyCriterion, ...]"
_Tallies: TypeAlias = "dict[FacetKind, Tally | NotCounted]"

MOST_COUNTED = 10_000
"""The studies that are counted one by one: beyond, there are "more than" so many."""

IDENTIFIERS = ("AccessionNumber", "PatientID", "StudyID")
"""The attributes that a number or code may be; each has an index."""

_NONE: _Tallies = {}
_ROWS = 1024
# So many times the studies that are counted may be read to count several facets in one pass.
_TOGETHER = 2
# Beyond so many series a study, the facets of series are not counted.
_MOST_SERIES = 20
_MOST_STUDIES_OF_IDS = 5_000
_STUDY = MoreColumn(Level.STUDY, "study.id")
_PATIENT = MoreColumn(Level.PATIENT, MAIN, MoreColumn(Level.STUDY, "study.parent"))
_PATIENT_NAME = tuple(
    MoreColumn(Level.PATIENT, f"patient.{column}")
    for column in (
        "patient_id",
        "patient_name_alphabetic",
        "patient_name_ideographic",
        "patient_name_phonetic",
    )
)
_FIRST_FILE = MoreColumn(
    Level.SERIES,
    "(SELECT min(file.modified_ns) FROM file WHERE file.instance = "
    "(SELECT min(instance.id) FROM instance WHERE instance.parent = series.id))",
)


class Search(Protocol):
    """The search of an index: ``Index.search``, or one under the limits of the one who asks."""

    def __call__(self, query: Query, *, columns: Columns = ()) -> Cursor:
        """Return the cursor of a query."""


@dataclass(frozen=True, slots=True)
class StudyCount:
    """The studies and their patients that a query finds; not ``is_exact``: there are more.

    ``is_late``: the time was over before all were counted.
    """

    studies: int
    patients: int
    is_exact: bool
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """The stations that made a study; ``received_ns``: the time of its first file since 1970.

    ``holders`` are the archives that hold it, if several are asked.
    """

    stations: tuple[str, ...]
    received_ns: int | None = None
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueCount:
    """The distinct values of an identifier; not ``is_exact``: there are more."""

    values: int
    is_exact: bool
    is_late: bool = False


class _Found(NamedTuple):
    """The rows that were read, whether these were all, and whether the time was over."""

    rows: list[Row]
    is_all: bool
    is_late: bool


class Overview:
    """The answers about the results of queries; ``search`` is that of an index.

    Each method takes what may ``stop`` it, and raises IndexDatabaseError if the database fails or
    somebody stops the task. ``as_of`` is a mark: studies that came later are left out.
    """

    def __init__(self, search: Search) -> None:
        self._search = search

    def page(self, query: Query, listing: StudyListing, *, stop: Stop | None = None) -> StudyPage:
        """Return a part of the list of studies."""
        order = listing.order or StudyOrder()
        columns = order_columns(order)
        asked = replace(query, level=Level.STUDY, page=None)
        fields: tuple[Field, ...] = ()
        rows: list[Row] = []
        position = listing.position
        for is_empty in _parts(listing, order):
            here = replace(
                listing,
                order=order,
                position=position,
                limit=listing.limit + 1 - len(rows),
                is_empty=is_empty,
            )
            cursor = self._search(replace(asked, listing=here), columns=columns)
            fields = cursor.fields[: -len(columns)]
            rows += _read(cursor, here.limit, stop).rows
            # The other part begins at its own start.
            position = None
            if len(rows) > listing.limit:
                break
        kept = rows[: listing.limit]
        if listing.is_backward:
            kept.reverse()
        return StudyPage(
            fields,
            tuple(row[: len(fields)] for row in kept),
            tuple(Position(row[len(fields) :]) for row in kept),
            is_last=len(rows) <= listing.limit,
        )

    def mark(self, visible: Visible = (), *, stop: Stop | None = None) -> int:
        """Return the mark of now: that of the latest study which the asker may see; 0 for none."""
        latest = StudyListing(StudyOrder(SortBy.RECEIVED), limit=1)
        found = self.page(_query(Level.STUDY, (), visible), latest, stop=stop)
        return int(found.positions[0].values[0] or 0) if found.positions else 0

    def count(
        self,
        query: Query,
        *,
        most: int = MOST_COUNTED,
        as_of: int | None = None,
        since: int | None = None,
        stop: Stop | None = None,
    ) -> StudyCount:
        """Count the studies of a query, no more than ``most``; ``since`` a mark, the new ones."""
        listing = StudyListing(None, limit=most + 1, as_of=as_of, since=since)
        asked = replace(query, level=Level.STUDY, return_keys=(), page=None, listing=listing)
        found = _read(self._search(asked, columns=(_PATIENT,)), most, stop)
        patients = len({row[0] for row in found.rows})
        return StudyCount(len(found.rows), patients, found.is_all, found.is_late)

    def facets(
        self,
        query: Query,
        kinds: Sequence[FacetKind] = USUAL_FACETS,
        *,
        most: int = MOST_COUNTED,
        as_of: int | None = None,
        stop: Stop | None = None,
    ) -> tuple[Facet, ...]:
        """Count the values of each facet, unless more than ``most`` studies would have to be read.

        All that have no key in the query are counted in one pass over its studies.
        """
        query = replace(query, page=None, listing=StudyListing(None, limit=most + 1, as_of=as_of))
        of_studies = [kind for kind in kinds if kind.level <= Level.STUDY]
        together = self._by_date(query, of_studies, stop)
        found, more = together or (self._tallies(query, of_studies, stop), _NONE)
        for kind in kinds:
            if kind.level > Level.STUDY:
                found |= self._tallies(query, [kind], stop)
        offered = found | more
        for kind in kinds:
            if has_own_key(query, kind) and kind not in more:
                offered |= self._tallies(without_own_key(query, kind), [kind], stop)
        return tuple(_facet(kind, offered[kind], found[kind]) for kind in kinds)

    def _by_date(
        self, query: Query, kinds: Sequence[FacetKind], stop: Stop | None
    ) -> tuple[_Tallies, _Tallies] | None:
        """Count facets in one pass over the studies of the date key; None if these are too many.

        Python matches the keys of the other facets by the values that are read anyway. The second
        result has the counts of these facets without their own keys.
        """
        own: list[FacetKind] = [kind for kind in kinds if has_own_key(query, kind)]
        if FacetKind.DATE not in own or len(own) == 1:
            return None
        own.remove(FacetKind.DATE)
        listing = query.listing or StudyListing(None)
        most = listing.limit - 1
        wide = query
        for kind in own:
            wide = without_own_key(wide, kind)
        wide = replace(
            wide,
            level=Level.STUDY,
            return_keys=(),
            listing=replace(listing, limit=_TOGETHER * most + 1),
        )
        if all(_is_of(key, FacetKind.DATE) for key in wide.criteria):
            # An index alone tells so, for a tenth of the time that their values take.
            probe = _read(self._search(wide, columns=(_STUDY,)), _TOGETHER * most, stop)
            if not probe.is_all:
                return None
        keys = tuple(ReturnKey(kind.tag, kind.vr, kind.level) for kind in kinds)
        found = _read(self._search(replace(wide, return_keys=keys)), _TOGETHER * most, stop)
        if not found.is_all:
            return None
        failing: dict[Row, frozenset[FacetKind]] = {}
        counts: dict[frozenset[FacetKind], dict[FacetKind, Counter[str | None]]] = {}
        places = [(at, kind) for at, kind in enumerate(kinds)]
        own_places = [at for at, kind in places if kind in own]
        for row, studies in Counter(found.rows).items():
            texts = tuple([row[at] for at in own_places])
            failed = failing.get(texts)
            if failed is None:
                failed = failing[texts] = _failing(query, own, texts)
            if len(failed) <= 1:
                if failed not in counts:
                    counts[failed] = {kind: Counter() for kind in kinds}
                for at, kind in places:
                    counts[failed][kind][row[at]] += studies
        none: dict[FacetKind, Counter[str | None]] = {kind: Counter() for kind in kinds}
        whole = counts.get(frozenset(), none)
        offered = {kind: whole[kind] + counts.get(frozenset((kind,)), none)[kind] for kind in own}
        return _tallied(whole, most), _tallied(offered, most)

    def _tallies(self, query: Query, kinds: Sequence[FacetKind], stop: Stop | None) -> _Tallies:
        """Count the values of some facets of one level in one pass, each under all keys."""
        if not kinds:
            return {}
        if stop is not None and stop.is_late:
            return dict.fromkeys(kinds, NotCounted.TIME)
        level = max(Level.STUDY, kinds[0].level)
        keys = tuple(ReturnKey(kind.tag, kind.vr, kind.level) for kind in kinds)
        listing = query.listing or StudyListing(None)
        most = listing.limit - 1
        if level > Level.STUDY:
            listing = replace(listing, limit=most * _MOST_SERIES + 1)
        asked = replace(query, level=level, return_keys=keys, listing=listing)
        found = _read(self._search(asked, columns=(_STUDY,)), listing.limit - 1, stop)
        if found.is_late:
            return dict.fromkeys(kinds, NotCounted.TIME)
        if not found.is_all or len({row[-1] for row in found.rows}) > most:
            return dict.fromkeys(kinds, NotCounted.NUMBER)
        if level > Level.STUDY:
            return {kinds[0]: tally(kinds[0], _of_studies(found.rows))}
        return {
            kind: tally(kind, Counter(row[at] for row in found.rows))
            for at, kind in enumerate(kinds)
        }

    def uses(
        self,
        identifier: str,
        visible: Visible = (),
        *,
        most: int = MOST_COUNTED,
        stop: Stop | None = None,
    ) -> dict[str, StudyCount]:
        """Count the studies that have a text as each of their ``IDENTIFIERS``, by keyword."""
        return {
            keyword: self.count(
                _query(Level.STUDY, [_criterion(keyword, SingleValue(identifier))], visible),
                most=most,
                stop=stop,
            )
            for keyword in IDENTIFIERS
        }

    def beginning(
        self,
        prefix: str,
        visible: Visible = (),
        *,
        keyword: str = "PatientID",
        most: int = 1_000,
        stop: Stop | None = None,
    ) -> ValueCount:
        """Count the values of an identifier that begin with a text."""
        key = KEYS_BY_KEYWORD[keyword]
        wanted = _criterion(keyword, WildCard((prefix, Wild.ANY)))
        asked = _query(key.level, [wanted], visible)
        asked = replace(asked, return_keys=(ReturnKey(key.tag, key.vr, key.level),))
        found = _read(self._search(asked), most, stop)
        return ValueCount(len({row[0] for row in found.rows}), found.is_all, found.is_late)

    def names_of_ids(
        self, patient_ids: Iterable[str], visible: Visible = (), *, stop: Stop | None = None
    ) -> dict[str, int]:
        """Return the number of names under each Patient ID that studies of several names share."""
        wanted = AnyOf(tuple(SingleValue(each) for each in dict.fromkeys(patient_ids)))
        if not wanted.parts:
            return {}
        asked = _query(Level.STUDY, [_criterion("PatientID", wanted)], visible)
        found = _read(self._search(asked, columns=_PATIENT_NAME), _MOST_STUDIES_OF_IDS, stop)
        names: dict[str, set[tuple[str | None, ...]]] = {}
        for patient_id, *groups in set(found.rows):
            names.setdefault(patient_id, set()).add(tuple(groups))
        numbers = {each: _different(groups) for each, groups in names.items()}
        return {each: number for each, number in numbers.items() if number > 1}

    def origins(
        self, study_uids: Iterable[str], visible: Visible = (), *, stop: Stop | None = None
    ) -> dict[str, Origin]:
        """Return where studies come from, and when, by their visible series."""
        wanted = AnyOf(tuple(SingleValue(each) for each in dict.fromkeys(study_uids)))
        if not wanted.parts:
            return {}
        asked = _query(Level.SERIES, [_criterion("StudyInstanceUID", wanted)], visible)
        keys = [KEYS_BY_KEYWORD[each] for each in ("StudyInstanceUID", "StationName")]
        returned = tuple(ReturnKey(key.tag, key.vr, key.level) for key in keys)
        asked = replace(asked, return_keys=returned)
        most = len(wanted.parts) * _MOST_SERIES
        found = _read(self._search(asked, columns=(_FIRST_FILE,)), most, stop)
        stations: dict[str, dict[str, None]] = {}
        times: dict[str, list[int]] = {}
        for uid, station, time in found.rows:
            stations.setdefault(uid, {}).update({station: None} if station else {})
            times.setdefault(uid, []).extend([] if time is None else [time])
        return {
            uid: Origin(tuple(sorted(names)), min(times[uid], default=None))
            for uid, names in stations.items()
        }


def _parts(listing: StudyListing, order: StudyOrder) -> list[bool | None]:
    """Return the parts of the list from its position on: studies with a value, and without."""
    if not has_empty(order):
        return [None]
    parts: list[bool | None] = [True, False] if listing.is_backward else [False, True]
    if listing.position is None:
        return parts
    return parts[parts.index(listing.position.values[0] is None) :]


def _facet(kind: FacetKind, offered: Tally | NotCounted, found: Tally | NotCounted) -> Facet:
    reasons = [each for each in (offered, found) if isinstance(each, NotCounted)]
    return Facet(
        kind,
        offered if isinstance(offered, Tally) else None,
        found if isinstance(found, Tally) else None,
        reasons[0] if reasons else None,
    )


def _is_of(key: KeyCriterion, kind: FacetKind) -> bool:
    return key.path[0].tag == kind.tag


def _failing(query: Query, own: Sequence[FacetKind], texts: Row) -> frozenset[FacetKind]:
    """Return the facets whose keys a study does not match, by its stored texts of them."""
    stored = zip(own, texts, strict=True)
    data_set = {kind.tag: text_element(kind.vr, text) for kind, text in stored if text is not None}
    zone = query.options.timezone_offset_minutes
    return frozenset(
        kind
        for kind in own
        if not matches_data_set(
            data_set, [key for key in query.criteria if _is_of(key, kind)], zone
        )
    )


def _tallied(counts: dict[FacetKind, Counter[str | None]], most: int) -> _Tallies:
    return {
        kind: tally(kind, texts) if texts.total() <= most else NotCounted.NUMBER
        for kind, texts in counts.items()
    }


def _of_studies(rows: Iterable[Row]) -> Counter[str | None]:
    """Return the studies that have each value in some series."""
    pairs = {(value, study) for text, study in rows for value in facet_values(text)}
    return Counter(value for value, _ in pairs)


def _read(cursor: Cursor, most: int, stop: Stop | None) -> _Found:
    """Read up to so many rows, and close the cursor."""
    rows: list[Row] = []
    stop = stop or Stop()
    try:
        with stop.watching(cursor):
            while len(rows) <= most:
                size = min(_ROWS, most + 1 - len(rows))
                found = cursor.fetch(size)
                rows += found
                if len(found) < size:
                    break
    except IndexDatabaseError:
        if stop.is_stopped or not stop.is_late:
            raise
        return _Found(rows[:most], is_all=False, is_late=True)
    finally:
        cursor.close()
    return _Found(rows[:most], is_all=len(rows) <= most, is_late=False)


def _different(names: Iterable[tuple[str | None, ...]]) -> int:
    """Count different names: those of one person may have other groups, but one in common."""
    people: list[set[tuple[int, str]]] = []
    for groups in names:
        same = {(at, group) for at, group in enumerate(groups) if group}
        if not same:
            continue
        others = []
        for person in people:
            if person & same:
                same |= person
            else:
                others.append(person)
        people = [*others, same]
    return len(people)


def _query(level: Level, keys: Iterable[KeyCriterion], visible: Visible) -> Query:
    options = QueryOptions(relational=True)
    return Query(STUDY_ROOT, level, tuple(keys), (), options, visible=visible)


def _criterion(keyword: str, criterion: Criterion) -> KeyCriterion:
    key = KEYS_BY_KEYWORD[keyword]
    return KeyCriterion((Step(key.tag),), key.level, key.vr, criterion)
