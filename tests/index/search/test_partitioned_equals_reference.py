"""The engine finds what the reference finds on the partitioned layout, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.index import Index
from dicomquest.query import reference
from fixtures.reference_indexes import canonical, empty, parse, see_that_patients_hang_together
from strategies.query import Asked, corpora, queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.dataset.elements import DataSet
    from fixtures.postgresql_cluster import Cluster


@pytest.fixture(scope="module")
def partitioned(postgresql: Cluster) -> Iterator[Index]:
    """An index with partitions, emptied for each example."""
    with postgresql.database("template0") as url, Index(url, partitions=2) as opened:
        yield opened


@settings(max_examples=settings().max_examples // 5)
@given(corpus=corpora(again=True), asked=st.lists(queries(), min_size=2, max_size=4))
def test_partitions_answer_as_reference_does(
    partitioned: Index, corpus: list[DataSet], asked: list[Asked]
) -> None:
    empty(partitioned)
    # Some studies move to other patients by the second part.
    middle = len(corpus) // 2
    partitioned.ingest_data_sets(corpus[:middle])
    partitioned.ingest_data_sets(corpus[middle:])
    for query in filter(None, map(parse, asked)):
        expected = canonical(reference.find(corpus, query))
        assert canonical(partitioned.find_data_sets(query)) == expected
    assert partitioned.check().examples == []
    see_that_patients_hang_together(partitioned)
