from __future__ import annotations

from dicomquest.query.answer_review import AnswerRemark, review_answers
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
