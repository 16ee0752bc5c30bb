"""A filter hides entities: answers are those of an index without them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.query import reference
from dicomquest.standard.models import PATIENT_ROOT
from fixtures.building import data_set
from fixtures.reference_indexes import ZONES, canonical, empty, parse
from strategies.index import questions
from strategies.query import Asked, corpora, queries

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.index import Index
    from dicomquest.query.criteria import KeyCriterion


def filters(corpus: list[DataSet]) -> st.SearchStrategy[tuple[KeyCriterion, ...]]:
    """Filters of one to three keys of any level, most of which some stored instance meets."""
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


@settings(max_examples=settings().max_examples // 2)
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
    for hides in drawn.draw(st.lists(filters(corpus), min_size=1, max_size=3)):
        for asked in drawn.draw(st.lists(questions(corpus) | queries(), min_size=3, max_size=6)):
            query = parse(asked)
            if query is None:
                continue
            query = replace(query, visible=hides)
            expected = canonical(reference.find(corpus, query))
            event(f"{min(len(expected), 3)} responses")
            assert canonical(index.find_data_sets(query)) == expected, (asked, hides)
