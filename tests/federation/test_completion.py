"""Computed keys of studies in several places, with few questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.federation import completion
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.completion import Completion
from dicomquest.federation.merged_answer import Merged, Part
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.services.request import Run
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, InformationModel
from fixtures.building import data_set, instance, tag_of, text_of
from fixtures.federating import source_answers

KEYS = {
    "QueryRetrieveLevel": "STUDY", "PatientID": "", "StudyInstanceUID": "", "ModalitiesInStudy": "",
    "SOPClassesInStudy": "", "NumberOfStudyRelatedInstances": "",
}  # fmt: skip


class CorpusSource:
    """A source of a corpus; ``lacks`` are keywords that it does not return.

    ``knows_lists`` says that it reads lists of UIDs.
    """

    applies_filter = True

    def __init__(
        self,
        place: int,
        corpus: Sequence[DataSet],
        *,
        lacks: Sequence[str] = (),
        knows_lists: bool = True,
        failure: SourceError | None = None,
    ) -> None:
        self.place, self.corpus, self.failure = place, corpus, failure
        self.knows_lists = knows_lists
        self.lacks = {tag_of(keyword) for keyword in lacks}
        self.asked: list[DataSet] = []

    @property
    def name(self) -> str:
        return f"S{self.place}"

    def holds(self, model: InformationModel, level: Level) -> bool:
        return True

    def found(self, identifier: DataSet) -> list[DataSet]:
        answers = source_answers(
            self.corpus, identifier, PATIENT_ROOT, QueryOptions(relational=True)
        )
        return [{t: e for t, e in each.items() if t not in self.lacks} for each in answers]

    async def related(
        self, identifier: DataSet, question: AskedQuery, run: Run
    ) -> list[DataSet] | None:
        self.asked.append(identifier)
        if self.failure is not None:
            raise self.failure
        uids = identifier.get(tag_of("StudyInstanceUID"))
        if not self.knows_lists and uids is not None and len(uids.values) > 1:
            return []
        return self.found(identifier)

    async def end(self) -> None:
        pass

    answers: Any = None


async def nowhere(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def completed(*sources: CorpusSource) -> list[Merged]:
    """The responses about the studies that lie in all of the sources."""
    identifier = data_set(**KEYS)
    query = parse_identifier(identifier, PATIENT_ROOT.uid, QueryOptions(relational=True))
    question = asked(identifier, query)
    by_study: dict[str | None, list[Part]] = {}
    for source in sources:
        for answer in source.found(identifier):
            part = Part(source.place, answer, (source.name,))
            by_study.setdefault(text_of(answer, "StudyInstanceUID"), []).append(part)
    entities = [parts for parts in by_study.values() if len(parts) == len(sources)]
    running = Completion(dict(enumerate(sources)), question, nowhere)
    assert all(map(running.concerns, entities))
    return asyncio.run(running.responses(entities))


def values(response: Merged, keyword: str) -> tuple[object, ...] | None:
    element = response.response.get(tag_of(keyword))
    return None if element is None else element.values


def places(studies: int = 1) -> tuple[list[DataSet], list[DataSet]]:
    """Each study in two places: a CT series in both, an MR series in the second alone."""
    first = [
        instance(1, study=study, Modality="CT", SOPClassUID="1.2.3")
        for study in range(1, studies + 1)
    ]
    second = [
        instance(number, study=study, series=series, Modality=modality, SOPClassUID=f"1.2.{series}")
        for study in range(1, studies + 1)
        for number, series, modality in ((1, 1, "CT"), (1, 2, "MR"))
    ]
    return first, second


LACKS = ("ModalitiesInStudy", "SOPClassesInStudy", "NumberOfStudyRelatedInstances")


@pytest.mark.parametrize("knows_lists", [True, False], ids=["lists", "no lists"])
def test_key_that_a_place_lacks_is_asked_for_below(*, knows_lists: bool) -> None:
    """Modalities and numbers are those of both places, though one returns none of them."""
    first, second = places(studies=3)
    lacking = CorpusSource(1, second, lacks=LACKS, knows_lists=knows_lists)
    responses = completed(CorpusSource(0, first), lacking)
    assert len(responses) == 3
    for response in responses:
        assert values(response, "ModalitiesInStudy") == ("CT", "MR")
        assert values(response, "SOPClassesInStudy") == ("1.2.1", "1.2.2", "1.2.3")
        assert values(response, "NumberOfStudyRelatedInstances") == ("2",)
        assert not response.lacks


def test_value_that_nobody_tells_is_marked() -> None:
    """All that is known goes out with FF01, which says that it may not be all."""
    first, second = places()
    silent = CorpusSource(1, second, lacks=("ModalitiesInStudy", "Modality"))
    (response,) = completed(CorpusSource(0, first), silent)
    assert values(response, "ModalitiesInStudy") == ("CT",)
    assert response.lacks


def test_many_studies_take_few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "MOST_IN_QUESTION", 4)
    first, second = places(studies=6)
    sources = CorpusSource(0, first), CorpusSource(1, second)
    assert len(completed(*sources)) == 6
    # For the series of four studies and of two, and for the instances of the series in both.
    assert [len(source.asked) for source in sources] == [4, 4]


def test_place_that_fails_is_not_asked_again() -> None:
    """Its time-out is paid once; the numbers that the places gave stand, the largest of them."""
    first, second = places(studies=3)
    gone = CorpusSource(1, second, failure=SourceError(EndKind.TIMED_OUT, "silent"))
    responses = completed(CorpusSource(0, first), gone)
    assert len(gone.asked) == 1
    assert {values(each, "NumberOfStudyRelatedInstances") for each in responses} == {("2",)}
