"""The overview of what archives answered: order, places, numbers, facets (PS3.4 C.4.1.3).

No archive sorts or counts for its callers, so Python does, over the matches that are in hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from dicomquest.dataset.response_fields import Field, Source
from dicomquest.index.search.overview import (
    MOST_COUNTED,
    Origin,
    Overview,
    StudyCount,
    ValueCount,
    Visible,
)
from dicomquest.query.criteria import KeyCriterion, Step, Wild, WildCard
from dicomquest.query.facets import (
    USUAL_FACETS,
    Facet,
    FacetKind,
    NotCounted,
    Tally,
    has_own_key,
    tally,
    without_own_key,
)
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.query.search_forms import search_form
from dicomquest.query.study_listing import Position, SortBy, StudyListing, StudyOrder, StudyPage
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.federation.gathering import Response
    from dicomquest.index.search.plan import Columns
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.index.search.stop import Stop

_Values: TypeAlias = "tuple[str | None, ...]"
_Placed: TypeAlias = "tuple[_Values, DataSet]"

_UID, _NAME, _ID, _ISSUER, _DATE, _TIME = (
    KEYS_BY_KEYWORD[each].tag
    for each in (
        "StudyInstanceUID", "PatientName", "PatientID", "IssuerOfPatientID", "StudyDate",
        "StudyTime",
    )
)  # fmt: skip


def text_of(response: DataSet, tag: int) -> str | None:
    """Return the text of an attribute, its values joined by backslashes; None for no value."""
    element = response.get(tag)
    if element is None or not element.values:
        return None
    return "\\".join(map(str, element.values)) or None


def place_of(response: DataSet, by: SortBy) -> _Values:
    """Return the sort values of a study: the first is None for one without the value.

    No archive says when it received a study, so that order is the one by date.
    """
    uid, date = text_of(response, _UID) or "", text_of(response, _DATE)
    if by is not SortBy.NAME:
        return date, text_of(response, _TIME), uid
    name = text_of(response, _NAME)
    folded = search_form("PN", name, 0)[0] if name else None
    return folded, text_of(response, _ID), date, uid


def in_order(placed: list[_Placed], order: StudyOrder) -> list[_Placed]:
    """Return studies in an order; those without the value come last."""
    for column, is_down in reversed([*enumerate(_downs(order))]):
        placed = sorted(placed, key=lambda each: each[0][column] or "", reverse=is_down)
    return sorted(placed, key=lambda each: each[0][0] is None)


def comes_after(values: _Values, other: _Values, order: StudyOrder) -> bool:
    """Tell whether a study comes after another."""
    if (values[0] is None) is not (other[0] is None):
        return values[0] is None
    for mine, its, is_down in zip(values, other, _downs(order), strict=True):
        if (mine or "") != (its or ""):
            return ((mine or "") < (its or "")) is is_down
    return False


def _texts(position: Position) -> _Values:
    return tuple(None if each is None else str(each) for each in position.values)


def _downs(order: StudyOrder) -> tuple[bool, ...]:
    """Tell of each sort value whether it descends, as in an index."""
    down = order.is_descending
    return (down, False, True, False) if order.by is SortBy.NAME else (down, down, False)


class Gathered(NamedTuple):
    """The answers of archives; ``is_cut``: there is more, ``is_late``: the time was over."""

    found: list[Response]
    is_cut: bool
    is_late: bool


class Gatherer(Protocol):
    """A search that gathers; ``is_cut`` says that a list has not all matches."""

    is_cut: bool

    def begin(self, query: Query, *, columns: Columns = ()) -> Cursor:
        """Begin a search in the own index."""

    def gathered(self, query: Query, most: int | None = None, stop: Stop | None = None) -> Gathered:
        """Return what archives hold."""

    def holders(self, found: Response) -> tuple[str, ...]:
        """Return the names of the archives that hold an entity."""


class GatheredOverview(Overview):
    """Lists, counts and facets of what a search gathers."""

    def __init__(self, search: Gatherer) -> None:
        super().__init__(search.begin)
        self._gathering = search
        self._listed: list[Response] = []

    def page(self, query: Query, listing: StudyListing, *, stop: Stop | None = None) -> StudyPage:
        """Return a part of the list of studies."""
        order = listing.order or StudyOrder()
        answer = self._gathering.gathered(query, stop=stop)
        self._listed = answer.found
        self._gathering.is_cut |= answer.is_cut
        placed = [(place_of(each.response, order.by), each.response) for each in self._listed]
        ordered = in_order(placed, order)
        start = listing.position
        if start is not None and listing.is_backward:
            here = _texts(start)
            ordered = [each for each in ordered if comes_after(here, each[0], order)]
        elif start is not None:
            here = _texts(start)
            ordered = [each for each in ordered if comes_after(each[0], here, order)]
        kept = ordered[-listing.limit :] if listing.is_backward else ordered[: listing.limit]
        fields = tuple(Field(key.tag, key.vr, Source.TEXT) for key in query.return_keys)
        return StudyPage(
            fields,
            tuple(tuple(text_of(each, field.tag) for field in fields) for _, each in kept),
            tuple(Position(values) for values, _ in kept),
            is_last=len(kept) == len(ordered),
        )

    def mark(self, visible: Visible = (), *, stop: Stop | None = None) -> int:
        """Return 0: no archive says what is new."""
        del visible, stop
        return 0

    def count(
        self,
        query: Query,
        *,
        most: int = MOST_COUNTED,
        as_of: int | None = None,
        since: int | None = None,
        stop: Stop | None = None,
    ) -> StudyCount:
        """Count the studies that archives sent, no more than ``most``."""
        del as_of
        if since is not None:
            return StudyCount(0, 0, is_exact=True)
        answer = self._gathering.gathered(query, most, stop)
        found = answer.found[:most]
        patients = {
            (text_of(each.response, _ID), text_of(each.response, _ISSUER)) for each in found
        }
        is_exact = not answer.is_cut and len(answer.found) <= most
        is_late = answer.is_late and stop is not None and stop.is_late
        return StudyCount(len(found), len(patients), is_exact, is_late)

    def facets(
        self,
        query: Query,
        kinds: Sequence[FacetKind] = USUAL_FACETS,
        *,
        most: int = MOST_COUNTED,
        as_of: int | None = None,
        stop: Stop | None = None,
    ) -> tuple[Facet, ...]:
        """Count the values of each facet among what archives sent."""
        del as_of
        facets = []
        for kind in kinds:
            found = self._tally(query, kind, most, stop)
            offered = found
            if has_own_key(query, kind):
                wider = without_own_key(query, kind)
                if wider.criteria:
                    offered = self._tally(wider, kind, most, stop)
                elif kind is not FacetKind.DATE:
                    # All studies of all archives are too large a question.
                    offered = NotCounted.NUMBER
            reason = next((each for each in (offered, found) if isinstance(each, NotCounted)), None)
            facets.append(
                Facet(
                    kind,
                    offered if isinstance(offered, Tally) else None,
                    found if isinstance(found, Tally) else None,
                    reason,
                )
            )
        return tuple(facets)

    def _tally(
        self, query: Query, kind: FacetKind, most: int, stop: Stop | None
    ) -> Tally | NotCounted:
        if kind.level > Level.STUDY:
            return NotCounted.NUMBER
        answer = self._gathering.gathered(query, most, stop)
        if answer.is_late and stop is not None and stop.is_late:
            return NotCounted.TIME
        if answer.is_cut:
            return NotCounted.NUMBER
        return tally(kind, Counter(text_of(each.response, kind.tag) for each in answer.found))

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
        wanted = KeyCriterion((Step(key.tag),), key.level, key.vr, WildCard((prefix, Wild.ANY)))
        options = QueryOptions(relational=True)
        query = Query(STUDY_ROOT, Level.STUDY, (wanted,), (), options, visible=visible)
        answer = self._gathering.gathered(query, most, stop)
        values = {text_of(each.response, key.tag) for each in answer.found}
        return ValueCount(len(values), not answer.is_cut, answer.is_late)

    def names_of_ids(
        self, patient_ids: Iterable[str], visible: Visible = (), *, stop: Stop | None = None
    ) -> dict[str, int]:
        """Return the number of names under each Patient ID that listed studies share."""
        del visible, stop
        names: dict[str, set[str | None]] = {}
        for each in self._listed:
            name = text_of(each.response, _NAME)
            folded = search_form("PN", name, 0)[0] if name else None
            if folded:
                names.setdefault(text_of(each.response, _ID) or "", set()).add(folded)
        wanted = set(patient_ids)
        return {
            each: len(found) for each, found in names.items() if each in wanted and len(found) > 1
        }

    def origins(
        self, study_uids: Iterable[str], visible: Visible = (), *, stop: Stop | None = None
    ) -> dict[str, Origin]:
        """Return the archives that hold studies."""
        del visible, stop
        wanted = set(study_uids)
        return {
            uid: Origin((), holders=self._gathering.holders(each))
            for each in self._listed
            if (uid := text_of(each.response, _UID) or "") in wanted
        }
