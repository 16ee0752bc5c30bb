"""Questions that name the key which excludes everything, against the reference."""

from __future__ import annotations

from functools import cache

import pytest

from dicomquest.dataset.elements import DataSet, from_pydicom
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.loosening import MOST_QUESTIONS, Finding, find_cause, hints
from dicomquest.query.options import QueryOptions
from dicomquest.query.reference import find
from dicomquest.standard.models import MODELS_BY_UID
from fixtures.building import ROOTS, data_set
from fixtures.nothing_found import CASES, Case
from peers import corpus


@cache
def instances() -> tuple[DataSet, ...]:
    return tuple(from_pydicom(instance) for instance in corpus.instances())


def count(identifier: DataSet, root: str) -> int:
    query = parse_identifier(identifier, ROOTS[root], QueryOptions())
    return len(list(find(list(instances()), query)))


def ask(identifier: DataSet, root: str) -> tuple[Finding, list[str]]:
    """Answer the questions from the corpus; return the finding and their words."""
    plan = find_cause(identifier, MODELS_BY_UID[ROOTS[root]], relational=False)
    asked: list[str] = []
    answer = None
    while True:
        try:
            question = next(plan) if answer is None else plan.send(answer)
        except StopIteration as end:
            finding: Finding = end.value
            return finding, asked
        asked.append(question.words)
        answer = count(question.identifier, root)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cause_is_found(case: Case) -> None:
    identifier = data_set(QueryRetrieveLevel=case.level, **case.keys)
    assert count(identifier, case.root) == 0
    finding, asked = ask(identifier, case.root)
    assert case.words in finding.words
    assert len(asked) <= MOST_QUESTIONS
    if case.hint:
        assert case.hint in " ".join(hints(identifier))


def test_questions_are_bounded() -> None:
    """Many keys at fault: the questions end, and the finding says that it knows no more."""
    names = ("PatientName", "PatientID", "AccessionNumber", "StudyID", "StudyDescription",
             "ReferringPhysicianName", "InstitutionName", "StationName", "Manufacturer",
             "BodyPartExamined", "ProtocolName", "OperatorsName", "RequestingPhysician",
             "PatientComments")  # fmt: skip
    keys = dict.fromkeys(names, "NONE")
    finding, asked = ask(data_set(QueryRetrieveLevel="STUDY", **keys), "study")
    assert len(asked) <= MOST_QUESTIONS
    assert not finding.is_certain


def test_peer_that_shows_nothing_is_said() -> None:
    identifier = data_set(QueryRetrieveLevel="STUDY", StudyDate="")
    finding, asked = ask(identifier, "study")
    assert asked == []
    assert finding.words == "The peer shows us no studies at all, whatever the keys."


def test_modality_of_a_study_is_hinted_at() -> None:
    (hint,) = hints(data_set(QueryRetrieveLevel="STUDY", Modality="CT"))
    assert "Perhaps ModalitiesInStudy='CT'." in hint


def test_nothing_to_hint_at() -> None:
    assert hints(data_set(QueryRetrieveLevel="STUDY", PatientName="DOE^*", PatientID="1")) == []
