"""A filter hides entities: answers are those of an index without them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query import reference
from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.model import Query
from dicomquest.standard.keys import KEYS, Storage
from dicomquest.standard.levels import Level
from fixtures.building import query, tag_of, text_of
from fixtures.compiled import RELATIONAL
from fixtures.reference_indexes import ZONES, canonical, empty, parse, rows_of_patients
from strategies.index import questions
from strategies.query import corpora, queries
from strategies.visibility import filters

if TYPE_CHECKING:
    from dicomquest.index import Index

ALL_INSTANCES = query("IMAGE", options=RELATIONAL, SOPInstanceUID="")
COMPUTED = {key.tag: Element(key.vr, ()) for key in KEYS if key.storage is Storage.COMPUTED}


def uids(index: Index, visible: tuple[KeyCriterion, ...] = ()) -> set[str]:
    """The SOP Instance UIDs that a filter lets see."""
    found = index.find_data_sets(replace(ALL_INSTANCES, visible=visible))
    return {str(text_of(each, "SOPInstanceUID")) for each in found}


@st.composite
def computed_queries(
    draw: st.DrawFn, corpus: list[DataSet], zone: int | None = None
) -> Query | None:
    """Queries that return all computed attributes, and match some by stored values.

    ``zone`` is that of the server, any one by default.
    """
    asked = draw(questions(corpus) | queries())
    if zone is not None:
        asked = asked._replace(options=replace(asked.options, timezone_offset_minutes=zone))
    if draw(st.booleans()):
        # The few keys of a query seldom fit together.
        kept = draw(st.sampled_from([*asked.identifier]))
        control = {tag_of("QueryRetrieveLevel"), kept}
        asked = asked._replace(identifier={tag: asked.identifier[tag] for tag in sorted(control)})
    stored = draw(st.sampled_from(corpus))
    of_study = {}
    for source, keyword in (
        ("SOPClassUID", "SOPClassesInStudy"),
        ("AnatomicRegionSequence", "AnatomicRegionsInStudyCodeSequence"),
    ):
        element = stored.get(tag_of(source))
        if element is not None and any(element.values) and draw(st.integers(0, 3)) == 0:
            of_study[tag_of(keyword)] = Element(element.vr, element.values[:1])
    identifier = COMPUTED | asked.identifier | of_study
    return parse(asked._replace(identifier=dict(sorted(identifier.items()))))


@settings(max_examples=settings().max_examples // 6)
@given(
    corpus=corpora(max_patients=2, again=True).filter(bool),
    drawn=st.data(),
    zone=st.sampled_from(ZONES),
)
def test_engine_hides_what_reference_hides(
    indexes: dict[int, Index], corpus: list[DataSet], drawn: st.DataObject, zone: int
) -> None:
    index = indexes[zone]
    empty(index)
    index.ingest_data_sets(corpus)
    for _ in range(2):
        visible = drawn.draw(filters(corpus), label="visible")
        for asked in drawn.draw(st.lists(computed_queries(corpus), min_size=2, max_size=5)):
            if asked is None:
                continue
            restricted = replace(asked, visible=visible)
            expected = canonical(reference.find(corpus, restricted))
            event(f"{min(len(expected), 3)} responses")
            assert canonical(index.find_data_sets(restricted)) == expected, restricted


@settings(max_examples=settings().max_examples // 6)
@given(corpus=corpora(max_patients=2).filter(bool), drawn=st.data())
def test_answers_are_of_an_index_without_it(
    indexes: dict[int, Index], corpus: list[DataSet], drawn: st.DataObject
) -> None:
    """A filter answers as the index does after a removal of all that the filter hides."""
    index = indexes[0]
    empty(index)
    index.ingest_data_sets(corpus)
    visible = drawn.draw(filters(corpus), label="visible")
    # A server has one zone: in another, other times match the filter.
    drawn_queries = drawn.draw(st.lists(computed_queries(corpus, zone=0), min_size=3))
    asked = [each for each in drawn_queries if each is not None]
    under_filter = [
        canonical(index.find_data_sets(replace(each, visible=visible))) for each in asked
    ]
    shown = uids(index, visible)
    hidden = uids(index) - shown
    event(f"{min(len(shown), 2)} shown, {min(len(hidden), 2)} hidden")
    if hidden:
        index.remove(query("IMAGE", options=RELATIONAL, SOPInstanceUID=tuple(sorted(hidden))))
    agree = rows_of_patients(index) == index.counts()[Level.PATIENT]
    for each, answered in zip(asked, under_filter, strict=True):
        # Of studies that disagree on their patient, the filter shows the newest one alone.
        if agree or each.level is not Level.PATIENT:
            assert answered == canonical(index.find_data_sets(each)), (each, visible)
