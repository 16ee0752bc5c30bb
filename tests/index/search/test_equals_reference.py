"""The engine finds what the plain meaning finds, response for response, whatever is stored and whatever is asked."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, to_json
from dicomquest.errors import IdentifierError
from dicomquest.index import Index
from dicomquest.index.tables.dialects import words_of
from dicomquest.index.tables.schema import METADATA, SETTING
from dicomquest.query import reference
from dicomquest.query.identifier.parse import parse_identifier
from strategies.index import questions
from strategies.query import Asked, corpora, queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.query.model import Query
    from fixtures.postgresql_cluster import Cluster

# Date-times without an offset are stored as read in the index's zone; queries are asked in this and in other ones.
ZONES = (0, 60)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def indexes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, Index]]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            folder = tmp_path_factory.mktemp("indexes")
            locations = [str(folder / f"{zone}.sqlite") for zone in ZONES]
        else:
            cluster: Cluster = request.getfixturevalue("postgresql")
            template = request.getfixturevalue("postgresql_template")
            locations = [stack.enter_context(cluster.database(template)) for _ in ZONES]
        yield {
            zone: stack.enter_context(Index(location, timezone_offset_minutes=zone))
            for zone, location in zip(ZONES, locations, strict=True)
        }


def empty(index: Index) -> None:
    """Delete all that was indexed, and the knowledge of what occurs."""
    with index._database.begin() as connection:
        connection.exec_driver_sql(words_of(connection).defer_constraints)
        for table in reversed(METADATA.sorted_tables):
            if table is not SETTING:
                connection.execute(table.delete())
    index._known = None


def canonical(responses: list[DataSet]) -> list[str]:
    return sorted(json.dumps(to_json(response), ensure_ascii=False) for response in responses)


def parse(asked: Asked) -> Query | None:
    try:
        return parse_identifier(asked.identifier, asked.model.uid, asked.options)
    except IdentifierError:
        return None


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
@settings(max_examples=settings().max_examples // 2)
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


@pytest.mark.requirement("QR-130", "QR-131", "QR-133")
@settings(max_examples=settings().max_examples // 2)
@given(corpus=corpora(max_patients=2), again=st.data())
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
