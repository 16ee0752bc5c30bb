"""Real indexes as sources: however instances are split, they answer as one that has all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.gathering import Gathering
from dicomquest.federation.sources import IndexSource
from dicomquest.index import Index
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import PATIENT_ROOT
from dicomquest.standard.tags import RETRIEVE_AE_TITLE
from fixtures.building import data_set
from fixtures.federating import consistent
from strategies.query import corpora

P = ParamSpec("P")
T = TypeVar("T")

PLACES = 3
STUDY_KEYS = {
    "StudyInstanceUID": "", "StudyDate": "", "StudyTime": "", "AccessionNumber": "",
    "ModalitiesInStudy": "", "NumberOfStudyRelatedSeries": "", "NumberOfStudyRelatedInstances": "",
}  # fmt: skip

ASKED: list[dict[str, Any]] = [
    {"QueryRetrieveLevel": "PATIENT", "PatientID": "", "PatientName": "",
     "NumberOfPatientRelatedStudies": "", "NumberOfPatientRelatedInstances": ""},
    {"QueryRetrieveLevel": "STUDY", **STUDY_KEYS},
    {"QueryRetrieveLevel": "STUDY", "PatientName": "*a*", **STUDY_KEYS},
    {"QueryRetrieveLevel": "STUDY", **STUDY_KEYS, "StudyDate": "20000101-20201231"},
    {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": "", "Modality": "CT",
     "NumberOfSeriesRelatedInstances": ""},
    {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": "", "InstanceNumber": "", "StudyDate": ""},
]  # fmt: skip


async def at_once(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


@contextmanager
def indexes_of(places: list[list[DataSet]]) -> Iterator[list[Index]]:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        indexes = []
        for number, corpus in enumerate(places):
            index = stack.enter_context(Index(Path(folder) / f"{number}.sqlite"))
            index.ingest_data_sets(corpus)
            indexes.append(index)
        yield indexes


def answers(indexes: list[Index], question: AskedQuery) -> list[str]:
    """The responses, in any order, without the names of their holders."""

    async def gathered() -> list[DataSet]:
        sources = [
            IndexSource(place, index, f"PLACE{place}") for place, index in enumerate(indexes)
        ]
        gathering = Gathering(sources, question, at_once, 1.0)
        found = [each.response async for batch in gathering.batches() for each in batch]
        assert not any(end.kind.is_short for end in gathering.ends.values())
        return found

    return sorted(
        repr({tag: each for tag, each in response.items() if tag != RETRIEVE_AE_TITLE})
        for response in asyncio.run(gathered())
    )


@settings(max_examples=15, deadline=None)
@given(corpora(max_patients=3), st.lists(st.integers(0, PLACES - 1), min_size=1, max_size=20))
def test_split_indexes_answer_as_one(corpus: list[DataSet], places: list[int]) -> None:
    """Instances lie anywhere, some in two places."""
    corpus = consistent(corpus)
    split: list[list[DataSet]] = [[] for _ in range(PLACES)]
    for number, instance in enumerate(corpus):
        place = places[number % len(places)]
        split[place].append(instance)
        if number % 4 == 0:
            split[(place + 1) % PLACES].append(instance)
    with indexes_of([*split, corpus]) as (*parts, whole):
        for keys in ASKED:
            identifier = data_set(**keys)
            query = parse_identifier(identifier, PATIENT_ROOT.uid, QueryOptions(relational=True))
            question = asked(identifier, query)
            assert answers(parts, question) == answers([whole], question)


@pytest.mark.parametrize("level", ["STUDY", "SERIES"])
def test_empty_indexes_answer_nothing(level: str) -> None:
    identifier = data_set(QueryRetrieveLevel=level)
    query = parse_identifier(identifier, PATIENT_ROOT.uid, QueryOptions(relational=True))
    with indexes_of([[], []]) as indexes:
        assert answers(indexes, asked(identifier, query)) == []
