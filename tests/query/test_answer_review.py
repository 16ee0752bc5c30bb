from __future__ import annotations

from dicomquest.query.answer_review import AnswerRemark, AnswerReview, review_answers
from dicomquest.query.options import QueryOptions
from fixtures.building import data_set, query


def test_ignored_keys_show_in_answers() -> None:
    asked = query(
        "STUDY", StudyInstanceUID="", PatientName="DOE*", StudyDescription="X", StudyDate=""
    )
    answers = [
        data_set(
            StudyInstanceUID="1.2", PatientName="DOE^JOHN", StudyDescription="X", StudyDate=""
        ),
        data_set(StudyInstanceUID="1.3", PatientName="ROE^JANE", StudyDate="20240101"),
        data_set(
            StudyInstanceUID="1.4", PatientName="", StudyDescription="Y", StudyDate="20240101"
        ),
    ]
    assert review_answers(asked, answers) == (
        AnswerRemark(
            0x00081030, "Study Description", "the value returned does not match the key", 1, 3
        ),
        AnswerRemark(0x00081030, "Study Description", "asked for, not returned", 1, 3),
        AnswerRemark(
            0x00100010, "Patient's Name", "the value returned does not match the key", 1, 3
        ),
    )


def test_good_answers_and_none_leave_nothing_to_say() -> None:
    asked = query(
        "SERIES",
        StudyInstanceUID="1.2",
        Modality="CT",
        RequestAttributesSequence=[data_set(RequestedProcedureID="A")],
    )
    answer = data_set(
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.3",
        Modality="CT",
        RequestAttributesSequence=[data_set(RequestedProcedureID="A")],
    )
    assert review_answers(asked, [answer]) == ()
    assert review_answers(asked, []) == ()


def test_answer_with_another_or_no_value_does_not_fit() -> None:
    """An answer fits unless a value in it contradicts a key; an attribute left out does not."""
    review = AnswerReview(query("STUDY", StudyInstanceUID="", PatientID="A", Modality="CT"))
    assert review.add(data_set(StudyInstanceUID="1.1", PatientID="A"))
    assert review.add(data_set(StudyInstanceUID="1.2"))
    assert not review.add(data_set(StudyInstanceUID="1.3", PatientID="B"))
    assert not review.add(data_set(StudyInstanceUID="1.4", PatientID=""))
    (key,) = review.keys()
    assert (key.absent, key.empty, key.other, key.total) == (1, 1, 1, 4)
    assert key.is_ignored


def test_duplicates_are_counted_by_unique_key() -> None:
    review = AnswerReview(query("STUDY", StudyInstanceUID=""))
    for number in (1, 2, 1, 1):
        review.add(data_set(StudyInstanceUID=f"1.{number}"))
    review.add(data_set(StudyInstanceUID=""))
    assert (review.duplicates, review.without_unique_key) == (2, 1)
    patients = AnswerReview(query("PATIENT", "patient", PatientID="", IssuerOfPatientID=""))
    for issuer in ("A", "B", "A"):
        patients.add(data_set(PatientID="1", IssuerOfPatientID=issuer))
    assert patients.duplicates == 1


def test_names_by_sound_are_not_judged() -> None:
    """The peer's fuzzy matching is its own: another name is no contradiction."""
    asked = query(
        "STUDY", "study", QueryOptions(fuzzy=True), StudyInstanceUID="", PatientName="MEYER"
    )
    review = AnswerReview(asked)
    assert review.add(data_set(StudyInstanceUID="1.1", PatientName="BAYER^A"))
    assert review.keys() == ()
