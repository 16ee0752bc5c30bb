"""Counts, facets and pages of studies equal a plain evaluation in Python, for any corpus."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.dataset.dates import sortable_date, sortable_time
from dicomquest.dataset.encoder import encode
from dicomquest.dataset.names import name_groups
from dicomquest.dataset.part10 import encode_file_meta
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import open_index
from dicomquest.index.search.overview import Origin, Overview
from dicomquest.index.search.stop import Stop
from dicomquest.query import reference
from dicomquest.query.criteria import EmptyValue, KeyCriterion, Range, SingleValue, Step
from dicomquest.query.facets import (
    Facet,
    FacetKind,
    FacetValue,
    NotCounted,
    date_range,
    facet_values,
    without_own_key,
)
from dicomquest.query.options import QueryOptions
from dicomquest.query.study_listing import Position, SortBy, StudyListing, StudyOrder
from dicomquest.query.visibility import parse_visible
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from fixtures.building import instance, query, text_of
from fixtures.reference_indexes import empty, parse
from strategies.index import questions
from strategies.query import corpora
from strategies.visibility import filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.dataset.elements import DataSet
    from dicomquest.index import Index
    from dicomquest.index.search.plan import Columns
    from dicomquest.index.search.sqlite_cursor import Cursor
    from dicomquest.query.model import Query

STUDIES = query(
    "STUDY",
    StudyDate="",
    StudyTime="",
    PatientName="",
    PatientID="",
    IssuerOfPatientID="",
    ModalitiesInStudy="",
    PatientSex="",
)
BY_UID = {
    1: {"StudyDate": "20240305", "PatientSex": "F", "Modality": "CT", "StationName": "A"},
    2: {"StudyDate": "20240401", "PatientSex": "M", "Modality": "MR", "StationName": "B"},
    3: {"StudyDate": "20240301", "PatientSex": "F", "Modality": "MR", "StationName": "A"},
    4: {"StudyDate": "", "PatientSex": "", "Modality": "MR"},
}


def asked_of(drawn: st.DataObject, corpus: list[DataSet]) -> Query | None:
    """A query for studies with keys of the corpus, under a filter or under none."""
    found = parse(drawn.draw(questions(corpus)))
    if found is None:
        return None
    visible = drawn.draw(st.just(()) | filters(corpus), label="visible")
    return replace(STUDIES, criteria=found.criteria, options=found.options, visible=visible)


def clicked(asked: Query, facet: Facet, value: FacetValue) -> Query:
    """The query after a click on a value."""
    kind = facet.kind
    criterion: Any = SingleValue(value.value)
    if not value.value:
        criterion = EmptyValue()
    elif kind is FacetKind.DATE:
        lower, _, upper = date_range(value.value).partition("-")
        criterion = Range(lower, upper or lower, value.value)
    key = KeyCriterion((Step(kind.tag),), kind.level, kind.vr, criterion)
    without = without_own_key(asked, kind)
    return replace(without, criteria=(*without.criteria, key))


@settings(max_examples=settings().max_examples // 4)
@given(corpus=corpora(max_patients=2, again=True).filter(bool), drawn=st.data())
def test_counts_are_those_of_the_reference(
    indexes: dict[int, Index], corpus: list[DataSet], drawn: st.DataObject
) -> None:
    """A facet counts what the query finds after a click; a count, what it finds."""
    index = indexes[0]
    empty(index)
    index.ingest_data_sets(corpus)
    overview = Overview(index.search)
    for _ in range(3):
        asked = asked_of(drawn, corpus)
        if asked is None:
            continue
        found = reference.find(corpus, asked)
        count = overview.count(asked)
        assert (count.studies, count.is_exact) == (len(found), True)
        for facet in overview.facets(asked, tuple(FacetKind)):
            assert facet.offered is not None
            assert facet.found is not None
            for value in facet.offered.values:
                after = reference.find(corpus, clicked(asked, facet, value))
                assert len(after) == value.studies, (facet, value)
            if facet.kind is FacetKind.MODALITY:
                stored = Counter(
                    each
                    for study in found
                    for each in facet_values(text_of(study, facet.kind.value))
                )
                assert {each.value: each.studies for each in facet.found.values} == stored


def placed(study: DataSet, order: StudyOrder) -> tuple[Any, ...]:
    """A key by which Python sorts studies as a list does."""

    def last(text: str | None, *, is_descending: bool) -> tuple[bool, tuple[int, ...]]:
        codes = tuple(map(ord, text or ""))
        # Longer texts are greater, so their end is that of a smaller code.
        return text is None, (*(-each for each in codes), 1) if is_descending else codes

    date = sortable_date(text_of(study, "StudyDate") or "")
    uid = text_of(study, "StudyInstanceUID") or ""
    if order.by is SortBy.DATE:
        time = sortable_time(text_of(study, "StudyTime") or "")
        down = order.is_descending
        return last(date, is_descending=down), last(time, is_descending=down), uid
    names = text_of(study, "PatientName") or ""
    # The attribute has one value (PS3.3 C.7.1.1): several are no name to sort by.
    name = None if "\\" in names else name_groups(names)[0] or None
    return (
        last(name, is_descending=order.is_descending),
        last(text_of(study, "PatientID") or None, is_descending=False),
        last(date, is_descending=True),
        uid,
    )


def all_pages(overview: Overview, asked: Query, listing: StudyListing) -> list[str]:
    """The UIDs of all studies of a list, read in pages from its start or its end."""
    found: list[str] = []
    position: Position | None = None
    while True:
        page = overview.page(asked, replace(listing, position=position))
        at = [field.tag for field in page.fields].index(0x0020000D)
        uids = [row[at] for row in page.rows]
        found = uids + found if listing.is_backward else found + uids
        if page.is_last:
            return found
        assert len(uids) == listing.limit
        position = page.positions[0 if listing.is_backward else -1]


@settings(max_examples=settings().max_examples // 4)
@given(
    corpus=corpora(max_patients=3, again=True).filter(bool),
    drawn=st.data(),
    by=st.sampled_from((SortBy.DATE, SortBy.NAME)),
    is_descending=st.booleans(),
)
def test_pages_hold_all_studies_in_order(
    indexes: dict[int, Index],
    corpus: list[DataSet],
    drawn: st.DataObject,
    by: SortBy,
    is_descending: bool,
) -> None:
    index = indexes[0]
    empty(index)
    index.ingest_data_sets(corpus)
    asked = asked_of(drawn, corpus) if drawn.draw(st.booleans()) else STUDIES
    if asked is None:
        return
    order = StudyOrder(by, is_descending)
    studies = sorted(reference.find(corpus, asked), key=lambda study: placed(study, order))
    expected = [text_of(study, "StudyInstanceUID") for study in studies]
    for is_backward in (False, True):
        listing = StudyListing(order, is_backward=is_backward, limit=drawn.draw(st.integers(1, 3)))
        assert all_pages(Overview(index.search), asked, listing) == expected


def studies_of(index: Index, numbers: Sequence[int]) -> None:
    index.ingest_data_sets([instance(study=each, **BY_UID[each]) for each in numbers])


def test_new_studies_are_told_from_those_before(index: Index) -> None:
    """A list stands as of its mark; what came since is counted."""
    overview = Overview(index.search)
    assert overview.mark() == 0
    studies_of(index, (1, 2))
    mark = overview.mark()
    studies_of(index, (3, 4))
    listing = StudyListing(as_of=mark)
    assert len(overview.page(STUDIES, listing).rows) == 2
    assert overview.count(STUDIES, as_of=mark).studies == 2
    assert overview.count(STUDIES, since=mark).studies == 2
    of_women = query("STUDY", PatientSex="F")
    assert overview.count(of_women, since=mark).studies == 1
    (sex,) = overview.facets(STUDIES, [FacetKind.SEX], as_of=mark)
    assert sex.found is not None
    assert {each.value for each in sex.found.values} == {"F", "M"}
    newest = overview.page(STUDIES, StudyListing(StudyOrder(SortBy.RECEIVED), limit=1))
    assert newest.positions == (Position((overview.mark(),)),)


def test_more_studies_than_are_counted(index: Index) -> None:
    studies_of(index, (1, 2, 3))
    overview = Overview(index.search)
    count = overview.count(STUDIES, most=2)
    assert (count.studies, count.is_exact, count.is_late) == (2, False, False)
    assert overview.count(STUDIES, most=3).is_exact
    facet, _ = overview.facets(STUDIES, (FacetKind.SEX, FacetKind.STATION), most=2)
    assert (facet.found, facet.reason) == (None, NotCounted.NUMBER)


def test_no_time_leaves_facets_uncounted(index: Index) -> None:
    studies_of(index, (1, 2, 3))
    overview = Overview(index.search)
    facets = overview.facets(STUDIES, stop=Stop(0))
    assert {facet.reason for facet in facets} == {NotCounted.TIME}
    count = overview.count(STUDIES, stop=Stop(0))
    assert (count.is_exact, count.is_late) == (False, True)


def test_a_caller_stops_a_count(index: Index) -> None:
    stop = Stop()
    stop.stop()
    with pytest.raises(IndexDatabaseError, match="interrupted"):
        Overview(index.search).count(STUDIES, stop=stop)


def test_uses_of_an_identifier(index: Index) -> None:
    index.ingest_data_sets(
        [
            instance(study=1, AccessionNumber="A77", PatientID="0012"),
            instance(study=2, AccessionNumber="12", PatientID="A77"),
            instance(study=3, AccessionNumber="13", PatientID="A77", StudyID="A77"),
            instance(study=4, AccessionNumber="14", PatientID="A779"),
        ]
    )
    overview = Overview(index.search)
    found = {key: count.studies for key, count in overview.uses("A77").items()}
    assert found == {"AccessionNumber": 1, "PatientID": 2, "StudyID": 1}
    assert overview.uses("012")["PatientID"].studies == 0
    assert overview.beginning("A77").values == 2
    assert overview.beginning("A77", keyword="AccessionNumber").values == 1
    assert not overview.beginning("", most=2).is_exact


def test_names_that_share_a_patient_id(index: Index) -> None:
    """A name in other groups is the same name if one group is; a hidden one does not count."""
    index.ingest_data_sets(
        [
            instance(
                study=1, PatientID="JP001", PatientName="Yamada^Taro=山田^太郎", Modality="CT"
            ),
            instance(study=2, PatientID="JP001", PatientName="=山田^太郎", Modality="CT"),
            instance(study=3, PatientID="JP001", PatientName="Citizen^Ana", Modality="MR"),
            instance(study=4, PatientID="P2", PatientName="Doe^John", Modality="CT"),
            instance(study=5, PatientID="P2", PatientName="DOE^JOHN^", Modality="MR"),
        ]
    )
    overview = Overview(index.search)
    assert overview.names_of_ids(["JP001", "P2", "P3"]) == {"JP001": 2}
    assert overview.names_of_ids(["JP001"], parse_visible(["Modality=CT"])) == {}
    assert overview.names_of_ids([]) == {}


def test_origins_name_stations_and_the_first_file(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number, (station, study, second) in enumerate([("A", 1, 3), ("B", 1, 2), ("", 2, 9)]):
        modality = "CT" if station == "A" else "MR"
        made = instance(number, study=study, series=number, StationName=station, Modality=modality)
        syntax, ours = EXPLICIT_VR_LITTLE_ENDIAN, ("1.2", "X")
        meta = encode_file_meta(
            "1.2", f"1.{number}", syntax, implementation=ours, source_ae_title="A"
        )
        file = folder / f"{number}.dcm"
        file.write_bytes(meta + encode(made, syntax, ("ISO_IR 192",)))
        os.utime(file, ns=(0, second * 10**9))
    with open_index(tmp_path / "index.sqlite", create=True) as index:
        index.ingest([folder])
        overview = Overview(index.search)
        uids = [text_of(instance(study=study), "StudyInstanceUID") or "" for study in (1, 2)]
        found = overview.origins(uids)
        assert [found[uid] for uid in uids] == [
            Origin(("A", "B"), 2 * 10**9),
            Origin((), 9 * 10**9),
        ]
        seen = overview.origins(uids, parse_visible(["Modality=CT"]))
        assert list(seen.values()) == [Origin(("A",), 3 * 10**9)]
        assert overview.origins([]) == {}


KEYS_OF_FACETS = [
    {"StudyDate": "20240101-20240103", "ModalitiesInStudy": "CT", "PatientSex": "F"},
    {"StudyDate": "20240102", "ModalitiesInStudy": "MR\\SR"},
    {"StudyDate": "20240101-", "PatientSex": "*"},
    {"StudyDate": "-20240104", "PatientSex": "M", "StudyDescription": "B*"},
    {"StudyDate": "20240101-20240106", "ModalitiesInStudy": "*R", "StationName": "S1"},
]


def assorted_studies(index: Index) -> None:
    """Studies of many combinations of date, modalities, sex and station, some without."""
    index.ingest_data_sets(
        instance(
            series,
            series=f"{study}{series}",
            study=study,
            PatientID=f"P{study % 5}",
            PatientSex=["F", "M", "", "f", "O"][study % 5],
            StudyDate=f"2024010{study % 7 + 1}" if study % 8 else "",
            StudyDescription="BA"[study % 2],
            Modality=["CT", "MR", "ct", "SR", "CR", ""][(study + series) % 6],
            StationName=["S1", "S2", ""][study % 3],
        )
        for study in range(1, 25)
        for series in (1, 2)
    )


@pytest.mark.parametrize("visible", [[], ["Modality=CT"], ["PatientSex=F"]])
def test_one_pass_counts_what_several_count(
    index: Index, visible: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assorted_studies(index)
    overview, options = Overview(index.search), QueryOptions(relational=True, ignore_case=True)
    for keys, most in itertools.product(KEYS_OF_FACETS, (1, 2, 3, 5, 100)):
        asked = query("STUDY", options=options, **keys)
        asked = replace(asked, visible=parse_visible(visible) if visible else ())
        together = overview.facets(asked, tuple(FacetKind), most=most)
        with monkeypatch.context() as patched:
            patched.setattr(Overview, "_by_date", lambda *_: None)
            assert together == overview.facets(asked, tuple(FacetKind), most=most), (keys, most)


def test_the_studies_of_a_date_are_read_once(index: Index) -> None:
    """Of three facets' keys: a look at the index of dates, its studies, all without the date."""
    assorted_studies(index)
    asked = query("STUDY", StudyDate="20240101-", ModalitiesInStudy="CT", PatientSex="F")
    searched = []

    def search(query: Query, *, columns: Columns = ()) -> Cursor:
        searched.append(len(query.criteria))
        return index.search(query, columns=columns)

    assert all(facet.found is not None for facet in Overview(search).facets(asked))
    assert searched == [1, 1, 2]
    searched.clear()
    Overview(search).facets(asked, most=2)
    # Too many of this date: each facet is counted by itself.
    assert searched == [1, 3, 2, 2, 2]
