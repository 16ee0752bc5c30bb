from __future__ import annotations

from typing import Any

import pytest

from dicomquest.query.options import QueryOptions
from dicomquest.query.words import sentence
from fixtures.building import data_set, query

NEGOTIATED = QueryOptions(
    relational=True,
    combined_datetime=True,
    fuzzy=True,
    timezone_adjustment=True,
    empty_value=True,
    multiple_value=True,
)
PLAIN = QueryOptions()


@pytest.mark.parametrize(
    ("options", "keys", "expected"),
    [
        (PLAIN, {}, "all studies; return Study Instance UID"),
        (
            PLAIN,
            {"PatientName": "CITIZEN*", "StudyDate": "20240101-"},
            (
                "studies whose Study Date is on or after 2024-01-01 "
                "and whose Patient's Name starts with 'CITIZEN'; "
                "return Study Date, Patient's Name and Study Instance UID"
            ),
        ),
        (PLAIN, {"StudyDate": "20240101"}, "studies whose Study Date is 2024-01-01"),
        (PLAIN, {"StudyDate": "-20240101"}, "studies whose Study Date is on or before 2024-01-01"),
        (PLAIN, {"StudyTime": "1200"}, "studies whose Study Time is 12:00"),
        (PLAIN, {"StudyTime": "1000-1230"}, "studies whose Study Time is from 10:00 to 12:30"),
        (PLAIN, {"StudyTime": "100001.5-"}, "studies whose Study Time is on or after 10:00:01.5"),
        (
            PLAIN,
            {"PatientName": "DOE^J=王*"},
            (
                "studies whose Patient's Name is such that the alphabetic group is 'DOE^J' "
                "and the ideographic group starts with '王'"
            ),
        ),
        (PLAIN, {"PatientWeight": "70.0"}, "studies whose Patient's Weight is 70"),
        (
            PLAIN,
            {"ModalitiesInStudy": "CT\\MR"},
            "studies whose Modalities in Study is 'CT' or is 'MR'",
        ),
        (
            PLAIN,
            {"SOPClassesInStudy": "1.2\\1.3\\1.4\\1.5"},
            "studies whose SOP Classes in Study is one of 4 UIDs (1.2, 1.3, 1.4, ...)",
        ),
        (
            PLAIN,
            {"Modality": "CT", "BodyPartExamined": "HEAD", "SOPClassUID": "1.2"},
            (
                "studies that have a series whose Modality is 'CT' "
                "and whose Body Part Examined is 'HEAD' "
                "and that have in it an instance whose SOP Class UID is '1.2'"
            ),
        ),
        (
            PLAIN,
            {"ProcedureCodeSequence": [data_set(CodeValue="A", CodingSchemeDesignator="B*")]},
            (
                "studies whose Procedure Code Sequence has an item whose Code Value is 'A' "
                "and whose Coding Scheme Designator starts with 'B'"
            ),
        ),
        (
            NEGOTIATED,
            {"ModalitiesInStudy": "CT\\MR"},
            "studies whose Modalities in Study is 'CT' and is 'MR'",
        ),
        (NEGOTIATED, {"AccessionNumber": '""'}, "studies whose Accession Number has no value"),
        (
            NEGOTIATED,
            {"PatientName": "Smith^J*"},
            "studies whose Patient's Name begins with or sounds like 'smith' and 'j', in any order",
        ),
        (
            NEGOTIATED,
            {
                "StudyDate": "20240101-20240102",
                "StudyTime": "10-12",
                "TimezoneOffsetFromUTC": "-0500",
            },
            (
                "studies whose Study Date with Study Time is from 2024-01-01 10:00 "
                "to 2024-01-02 12:59 in the zone -0500"
            ),
        ),
        (
            NEGOTIATED,
            {"StudyDate": "20240101", "StudyTime": "10", "TimezoneOffsetFromUTC": "+0100"},
            (
                "studies whose Study Date is 2024-01-01 "
                "and whose Study Time is from 10:00 to 10:59 in the zone +0100"
            ),
        ),
        (
            QueryOptions(unknown_matches=True),
            {"AccessionNumber": "A"},
            "studies whose Accession Number is 'A' (or is unknown)",
        ),
    ],
)
def test_sentence(options: QueryOptions, keys: dict[str, Any], expected: str) -> None:
    found = sentence(query("STUDY", "study", options, StudyInstanceUID="", **keys))
    assert (
        found == expected if "; return" in expected else found.partition("; return")[0] == expected
    )


def test_sentences_of_other_levels() -> None:
    assert sentence(query("PATIENT", "patient", PatientName="")) == (
        "all patients; return Patient's Name and Patient ID"
    )
    assert sentence(query("IMAGE", AcquisitionDateTime="202401011200+0100-")).startswith(
        "instances whose Acquisition DateTime is on or after 2024-01-01 11:00 UTC; return "
    )
