"""A filter hides entities: answers are those of an index without them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query import reference
from dicomquest.query.criteria import KeyCriterion
from dicomquest.query.model import Query
from dicomquest.standard.keys import KEYS, Storage
from dicomquest.standard.models import PATIENT_ROOT
from fixtures.building import data_set, tag_of
from fixtures.reference_indexes import ZONES, canonical, empty, parse
from strategies.index import questions
from strategies.query import Asked, corpora, queries

if TYPE_CHECKING:
    from dicomquest.index import Index

COMPUTED = {key.tag: Element(key.vr, ()) for key in KEYS if key.storage is Storage.COMPUTED}


def filters(corpus: list[DataSet]) -> st.SearchStrategy[tuple[KeyCriterion, ...]]:
    """Filters of one to four keys of any level, most of which some stored instance meets."""
    return questions(corpus).map(_criteria).filter(bool)


def _criteria(asked: Asked) -> tuple[KeyCriterion, ...]:
    query = parse(
        asked._replace(
            model=PATIENT_ROOT,
            identifier=asked.identifier | data_set(QueryRetrieveLevel="IMAGE"),
            options=replace(asked.options, relational=True),
        )
    )
    return () if query is None else query.criteria


@st.composite
def computed_queries(draw: st.DrawFn, corpus: list[DataSet]) -> Query | None:
    """Queries that return all computed attributes, and match some by stored values."""
    asked = draw(questions(corpus) | queries())
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


@settings(max_examples=int(os.environ.get("VIS_N", "0")) or settings().max_examples // 2)
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
        for query in drawn.draw(st.lists(computed_queries(corpus), min_size=2, max_size=5)):
            if query is None:
                continue
            query = replace(query, visible=visible)  # noqa: PLW2901
            expected = canonical(reference.find(corpus, query))
            event(f"{min(len(expected), 3)} responses")
            assert canonical(index.find_data_sets(query)) == expected, query
