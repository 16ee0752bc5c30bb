"""The engine finds what the reference finds, response for response, for any corpus and query."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.query import reference
from fixtures.reference_indexes import (
    ZONES,
    canonical,
    empty,
    parse,
    rows_of_patients,
    see_that_patients_hang_together,
)
from strategies.index import questions
from strategies.query import Asked, corpora, queries


@pytest.mark.requirement(
    "QR-005",
    "QR-007",
    "QR-060",
    "QR-062",
    "QR-063",
    "QR-064",
    "QR-065",
    "QR-066",
    "QR-107",
    "QR-109",
)
@settings(max_examples=settings().max_examples // 4)
@given(
    corpus=corpora(again=True),
    asked=st.lists(queries(), min_size=1, max_size=4),
    zone=st.sampled_from(ZONES),
)
def test_engine_answers_as_reference_does(
    indexes: dict[int, Index], corpus: list[DataSet], asked: list[Asked], zone: int
) -> None:
    index = indexes[zone]
    empty(index)
    index.ingest_data_sets(corpus)
    for each in asked:
        query = parse(each)
        if query is None:
            event("no query")
            continue
        expected = canonical(reference.find(corpus, query))
        event(f"{min(len(expected), 3)} responses")
        assert canonical(index.find_data_sets(query)) == expected


@pytest.mark.requirement(
    "QR-054", "QR-062", "QR-065", "QR-105", "QR-107", "QR-108", "QR-109", "QR-132"
)
@settings(max_examples=settings().max_examples // 4)
@given(
    corpus=corpora(max_patients=2, again=True).filter(bool),
    drawn=st.data(),
    zone=st.sampled_from(ZONES),
)
def test_engine_finds_what_reference_finds(
    indexes: dict[int, Index], corpus: list[DataSet], drawn: st.DataObject, zone: int
) -> None:
    """The engine finds what is there as the reference does."""
    index = indexes[zone]
    empty(index)
    index.ingest_data_sets(corpus)
    for asked in drawn.draw(st.lists(questions(corpus), min_size=5, max_size=10)):
        query = parse(asked)
        if query is None:
            event("no query")
            continue
        expected = canonical(reference.find(corpus, query))
        event(f"{min(len(expected), 3)} responses")
        assert canonical(index.find_data_sets(query)) == expected, asked


@pytest.mark.requirement("QR-009")
@settings(max_examples=settings().max_examples // 4)
@given(corpus=corpora().filter(bool), drawn=st.data())
def test_batches_show_what_one_batch_shows(
    indexes: dict[int, Index], corpus: list[DataSet], drawn: st.DataObject
) -> None:
    """Each study shows its own demographics, in whichever batches the instances come."""
    index = indexes[0]
    empty(index)
    cuts = sorted(drawn.draw(st.lists(st.integers(0, len(corpus)), max_size=4)))
    for start, end in pairwise([0, *cuts, len(corpus)]):
        index.ingest_data_sets(corpus[start:end])
    for asked in drawn.draw(st.lists(questions(corpus), min_size=3, max_size=6)):
        query = parse(asked)
        if query is not None:
            expected = canonical(reference.find(corpus, query))
            assert canonical(index.find_data_sets(query)) == expected, asked
    event(f"{rows_of_patients(index)} rows of patients")
    see_that_patients_hang_together(index)


@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
@settings(max_examples=settings().max_examples // 4)
@given(corpus=corpora(max_patients=2, again=True), again=st.data())
def test_computed_values_stay_right_in_any_batches(
    indexes: dict[int, Index], corpus: list[DataSet], again: st.DataObject
) -> None:
    """Computed values stay right whatever is received in which batches."""
    index = indexes[0]
    empty(index)
    received = corpus + (
        again.draw(st.lists(st.sampled_from(corpus), max_size=3)) if corpus else []
    )
    cut = again.draw(st.integers(0, len(received)))
    index.ingest_data_sets(received[:cut])
    index.ingest_data_sets(received[cut:])
    report = index.check()
    assert report.examples == []
    see_that_patients_hang_together(index)
