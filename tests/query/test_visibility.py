"""The text of a visibility filter, and the entities that it hides (PS3.4 C.3.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dicomquest.query.reference import find
from dicomquest.query.visibility import VisibilityError, parse_visible
from dicomquest.query.words import sentence
from dicomquest.standard.levels import Level
from fixtures.building import instance, query, text_of


def answers(instances: Any, filter_texts: Any, level: str = "STUDY", **keys: Any) -> Any:
    """The answers to a query under a filter."""
    asked = replace(query(level, "patient", **keys), visible=parse_visible(filter_texts))
    return find(instances, asked)


def values(instances: Any, filter_texts: Any, keyword: str, level: str = "STUDY") -> list[Any]:
    """The values of one attribute in the answers."""
    found = answers(instances, filter_texts, level, **{keyword: ""})
    return sorted(str(text_of(each, keyword)) for each in found)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("PatientName=DOE*", Level.PATIENT),
        ("StudyDate=20200101-", Level.STUDY),
        ("InstitutionName=EAST*\\WEST*", Level.SERIES),
        ('InstitutionName=""', Level.SERIES),
        ("0008,0016=1.2.3\\1.2.4", Level.IMAGE),
        ("0023,xx01:Acme=x", Level.IMAGE),
        ("RequestAttributesSequence.ScheduledProcedureStepID=S1", Level.SERIES),
        ("StudyDescription=a!=b", Level.STUDY),
    ],
)
def test_key_has_the_level_of_its_attribute(text: str, level: Level) -> None:
    (key,) = parse_visible([text])
    assert key.level is level
    assert not key.or_unknown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("InstitutionName", "asks for nothing"),
        ("InstitutionName=*", "every value matches it"),
        ("InstitutonName=A", "did you mean InstitutionName"),
        ("StudyDate=yesterday", "expected YYYYMMDD"),
        ("NumberOfStudyRelatedSeries=1", "its values are not matched"),
        ("QueryRetrieveLevel=STUDY", "no attribute that instances are matched by"),
        ("InstanceAvailability=ONLINE", "no attribute that instances are matched by"),
        ("InstitutionName!=EAST", "no filter excludes values"),
        ("StudyInstanceUID=1.2*", "expected no wild card"),
        ("", "expected KEY or KEY=VALUE"),
    ],
)
def test_wrong_key_is_named_with_the_remedy(text: str, words: str) -> None:
    with pytest.raises(VisibilityError) as caught:
        parse_visible(["Modality=CT", text])
    assert words in str(caught.value)
    assert repr(text) in str(caught.value)


def test_attribute_given_twice_is_refused() -> None:
    """Two values of one attribute would be met by none, or by luck."""
    with pytest.raises(VisibilityError, match="write a backslash between several values"):
        parse_visible(["Modality=CT", "Modality=MR"])


def test_no_text_is_no_filter() -> None:
    assert parse_visible([]) == ()


def test_series_key_hides_series_and_what_they_count() -> None:
    corpus = [
        instance(1, series=1, Modality="CT"),
        instance(2, series=1, Modality="CT"),
        instance(1, series=2, Modality="SR"),
        instance(1, series=3, study=2, Modality="SR"),
    ]
    assert values(corpus, ["Modality=CT"], "StudyInstanceUID") == ["1.2.1"]
    assert values(corpus, ["Modality=CT"], "ModalitiesInStudy") == ["CT"]
    assert values(corpus, ["Modality=CT"], "NumberOfStudyRelatedInstances") == ["2"]
    assert values(corpus, ["Modality=CT"], "NumberOfPatientRelatedSeries", "PATIENT") == ["1"]


def test_hidden_values_are_not_matched() -> None:
    """A query learns nothing of a hidden series by asking for it."""
    corpus = [instance(1, series=1, Modality="CT"), instance(1, series=2, Modality="SR")]
    assert answers(corpus, ["Modality=CT"], ModalitiesInStudy="SR") == []
    assert len(answers(corpus, ["Modality=CT"], ModalitiesInStudy="CT")) == 1


def test_keys_of_the_filter_see_the_whole_index() -> None:
    """A study with a CT series is visible with all its series."""
    corpus = [instance(1, series=1, Modality="CT"), instance(1, series=2, Modality="SR")]
    assert values(corpus, ["ModalitiesInStudy=CT"], "ModalitiesInStudy") == ["CT\\SR"]


def test_one_instance_must_meet_query_and_filter() -> None:
    corpus = [
        instance(1, Modality="CT", SOPClassUID="1.1", InstanceNumber="1"),
        instance(2, Modality="CT", SOPClassUID="1.2", InstanceNumber="2"),
    ]
    assert answers(corpus, ["SOPClassUID=1.1"], InstanceNumber="2") == []
    assert len(answers(corpus, ["SOPClassUID=1.1"], InstanceNumber="1")) == 1


def test_patient_shows_nothing_of_a_hidden_study() -> None:
    """The latest demographics may be those of another person with the same Patient ID."""
    corpus = [
        instance(1, study=1, PatientName="Doe", StudyDescription="open"),
        instance(1, study=2, PatientName="Roe", StudyDescription="secret"),
    ]
    assert values(corpus, ["StudyDescription=open"], "PatientName", "PATIENT") == ["Doe"]
    assert values(corpus, ["StudyDescription=*e*"], "PatientName", "PATIENT") == ["Roe"]
    assert answers(corpus, ["StudyDescription=open"], "PATIENT", PatientName="Roe") == []


def test_words_say_what_is_visible() -> None:
    asked = replace(query("STUDY", StudyInstanceUID=""), visible=parse_visible(["Modality=CT"]))
    assert sentence(asked).endswith("; visible are only instances whose Modality is 'CT'")


def test_filter_is_no_key_of_the_identifier() -> None:
    """Nothing of the filter is returned or said to be matched."""
    found = answers([instance(1, Modality="CT")], ["Modality=CT"], StudyInstanceUID="")
    assert [text_of(each, "Modality") for each in found] == [None]
