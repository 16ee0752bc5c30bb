"""Answers of several sources about one entity as one; splits of a corpus answered as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import IdentifierError
from dicomquest.federation.asked_query import asked
from dicomquest.federation.merged_answer import Part, merged
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.query.reference import find
from dicomquest.standard.keys import KEYS_BY_TAG, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_STUDY_ONLY, STUDY_ROOT
from fixtures.building import data_set, tag_of, text_of
from fixtures.federating import consistent, federated
from strategies.query import Asked, corpora, queries

SOURCES = 3


def query(**keys: str) -> Query:
    identifier = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", **keys)
    return parse_identifier(identifier, STUDY_ROOT.uid, QueryOptions())


def parts(*answers: DataSet) -> list[Part]:
    return [Part(place, answer, (f"AE{place}",)) for place, answer in enumerate(answers)]


def test_response_names_all_holders() -> None:
    """Retrieve AE Title names all holders, as they name themselves or as they are called."""
    answers = parts(
        data_set(StudyInstanceUID="1.2", RetrieveAETitle="ONE\\TWO"),
        data_set(StudyInstanceUID="1.2"),
    )
    response = merged(answers, query()).response
    assert text_of(response, "RetrieveAETitle") == "ONE\\TWO\\AE1"


def test_first_source_with_a_value_wins() -> None:
    """Of attributes that differ, the first source wins that has a value, whoever came first."""
    answers = parts(
        data_set(StudyInstanceUID="1.2", StudyID="", StudyDate="20240101"),
        data_set(StudyInstanceUID="1.2", StudyID="S1", StudyDate="20240102"),
    )
    response = merged(answers[::-1], query(StudyID="", StudyDate="")).response
    assert text_of(response, "StudyID") == "S1"
    assert text_of(response, "StudyDate") == "20240101"


def test_modalities_are_the_union() -> None:
    answers = parts(
        data_set(StudyInstanceUID="1.2", ModalitiesInStudy="MR\\CT"),
        data_set(StudyInstanceUID="1.2", ModalitiesInStudy="CT\\SR"),
    )
    response = merged(answers, query(ModalitiesInStudy="")).response
    assert text_of(response, "ModalitiesInStudy") == "CT\\MR\\SR"


def test_uncounted_number_is_the_largest() -> None:
    """A number that nobody counted is the largest one; a counted one stands as it is."""
    answers = parts(
        data_set(StudyInstanceUID="1.2", NumberOfStudyRelatedSeries="2"),
        data_set(StudyInstanceUID="1.2", NumberOfStudyRelatedSeries="3"),
    )
    asking = query(NumberOfStudyRelatedSeries="")
    tag = tag_of("NumberOfStudyRelatedSeries")
    assert merged(answers, asking).response[tag].values == ("3",)
    assert merged(answers, asking, {tag: 5}).response[tag].values == ("5",)


@pytest.mark.requirement("QR-042", "QR-044")
def test_absent_optional_key_is_left_out() -> None:
    """An optional key that nobody returned is left out and told; a required one is empty."""
    response, lacks, _ = merged(
        parts(data_set(StudyInstanceUID="1.2")), query(StudyDate="", ReferringPhysicianName="")
    )
    assert lacks
    assert tag_of("ReferringPhysicianName") not in response
    assert response[tag_of("StudyDate")].values == ()


@pytest.mark.requirement("QR-053")
def test_times_of_another_zone_are_not_mixed() -> None:
    answers = parts(
        data_set(StudyInstanceUID="1.2", StudyTime="", TimezoneOffsetFromUTC="+0100"),
        data_set(StudyInstanceUID="1.2", StudyTime="120000", TimezoneOffsetFromUTC="-0500"),
    )
    response = merged(answers, query(StudyTime="")).response
    assert text_of(response, "TimezoneOffsetFromUTC") == "+0100"
    assert response[tag_of("StudyTime")].values == ()


@pytest.mark.requirement("QR-051")
def test_least_available_holder_tells() -> None:
    asking = replace(query(), wants_availability=True)
    answers = parts(
        data_set(StudyInstanceUID="1.2", InstanceAvailability="ONLINE"),
        data_set(StudyInstanceUID="1.2", InstanceAvailability="NEARLINE"),
    )
    response = merged(answers, asking).response
    assert text_of(response, "InstanceAvailability") == "NEARLINE"


def key_of(response: DataSet) -> tuple[object, ...]:
    return tuple((tag, element.vr, repr(element.values)) for tag, element in response.items())


def hold_equal(
    places: Sequence[Sequence[DataSet]], question: Asked, accepted: QueryOptions | None = None
) -> None:
    """The answer about all places is that of one archive that has everything."""
    whole = [instance for place in places for instance in place]
    single = asked(
        question.identifier,
        parse_identifier(question.identifier, question.model.uid, question.options),
    )
    _, together = federated(places, question.identifier, question.model, question.options, accepted)
    assert Counter(map(key_of, together)) == Counter(map(key_of, find(whole, single.query)))


def split(corpus: list[DataSet], places: list[int], by: str) -> list[list[DataSet]]:
    """Each entity of a unique key in one of the places."""
    uids = {uid: at for at, uid in enumerate(dict.fromkeys(text_of(e, by) for e in corpus))}
    found: list[list[DataSet]] = [[] for _ in range(SOURCES)]
    for instance in corpus:
        found[places[uids[text_of(instance, by)] % len(places)]].append(instance)
    return found


def of_whole_entities(question: Asked) -> Asked:
    """The same query without keys that a part of an entity may meet, and the whole not."""
    found = parse_identifier(question.identifier, question.model.uid, question.options)
    partial = {
        step.tag
        for key in found.criteria
        for step in key.path[:1]
        if key.level > found.level
        or (key.tag in KEYS_BY_TAG and KEYS_BY_TAG[key.tag].storage is Storage.COMPUTED)
    }
    identifier = {
        tag: element._replace(values=()) if tag in partial else element
        for tag, element in question.identifier.items()
        if not (tag >> 16 & 1 and partial)
    }
    return question._replace(identifier=identifier)


COUNTS: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: ("Studies", "Series", "Instances"),
    Level.STUDY: ("Series", "Instances"),
    Level.SERIES: ("Instances",),
    Level.IMAGE: (),
}


def with_counts(question: Asked) -> Asked:
    found = parse_identifier(question.identifier, question.model.uid, question.options)
    level = found.level
    counted = COUNTS[level]
    if question.model is PATIENT_STUDY_ONLY:
        # It has no level of series by which the parts of a study could be told apart.
        counted = tuple(of for of in counted if of == "Studies")
        numbers = {tag_of(f"NumberOf{level.name.title()}Related{of}") for of in COUNTS[level]}
        kept = {tag: e for tag, e in question.identifier.items() if tag not in numbers}
        question = question._replace(identifier=kept)
    tags = [tag_of(f"NumberOf{level.name.title()}Related{of}") for of in counted]
    if level is Level.STUDY:
        tags += [tag_of("ModalitiesInStudy"), tag_of("SOPClassesInStudy")]
    added = {tag: Element(KEYS_BY_TAG[tag].vr, ()) for tag in tags}
    return question._replace(identifier=dict(sorted((added | question.identifier).items())))


@settings(max_examples=60)
@given(corpora(max_patients=4), queries(), st.lists(st.integers(0, SOURCES - 1), min_size=1))
def test_split_studies_answer_as_one_index(
    corpus: list[DataSet], question: Asked, places: list[int]
) -> None:
    """Studies in three archives are found as those of one, by any query below patients."""
    try:
        found = parse_identifier(question.identifier, question.model.uid, question.options)
    except IdentifierError:
        return
    if found.level is not Level.PATIENT:
        hold_equal(split(corpus, places, "StudyInstanceUID"), question)


@settings(max_examples=60)
@given(corpora(max_patients=4), queries(), st.lists(st.integers(0, SOURCES - 1), min_size=1))
def test_split_instances_answer_as_one_index(
    corpus: list[DataSet], question: Asked, places: list[int]
) -> None:
    """Patients, studies and series that lie in several archives are found and counted whole."""
    try:
        question = with_counts(of_whole_entities(question))
    except IdentifierError:
        return
    hold_equal(split(consistent(corpus), places, "SOPInstanceUID"), question)
