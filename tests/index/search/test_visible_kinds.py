"""Each kind of filter with each kind of query: answers are those of the visible instances alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query import reference
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import parse_visible
from fixtures.building import data_set, instance, query
from fixtures.reference_indexes import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomquest.index import Index

COUNTS: dict[str, dict[str, Any]] = {
    "PATIENT": {"NumberOfPatientRelatedStudies": "", "NumberOfPatientRelatedInstances": ""},
    "STUDY": {
        "NumberOfPatientRelatedSeries": "", "NumberOfStudyRelatedSeries": "",
        "NumberOfStudyRelatedInstances": "", "ModalitiesInStudy": "", "SOPClassesInStudy": "",
        "AnatomicRegionsInStudyCodeSequence": [],
    },
    "SERIES": {"NumberOfSeriesRelatedInstances": "", "NumberOfStudyRelatedInstances": ""},
    "IMAGE": {"NumberOfSeriesRelatedInstances": "", "SOPInstanceUID": ""},
}  # fmt: skip


# Two persons have the ID of the third patient, one of them under two names.
NAMES = {
    (1, 1): "DOE^John", (1, 2): "DOE^John",
    (3, 1): "MOE^Ann", (3, 2): "POE^Beth", (3, 3): "POE^Beth^M",
}  # fmt: skip


def made(patient: int, study: int, series: int, number: int) -> DataSet:
    """An instance; a study, series or number that is even has other values than an odd one."""
    region = data_set(CodeValue=f"R{number}", CodingSchemeDesignator="SRT", CodeMeaning="region")
    step = data_set(ScheduledProcedureStepID=f"S{series}", RequestedProcedureID=f"P{number % 2}")
    found = instance(
        number, series=f"{study}.{series}", study=f"{patient}.{study}",
        PatientID=f"P{patient}", PatientName=NAMES.get((patient, study), "ROE^Jane"),
        StudyDate=f"2024010{study}", StudyTime="120000", StudyDescription=f"study {study}",
        Modality="CT" if series % 2 else "" if study == 2 else "SR",
        InstitutionName="EAST WING" if series % 2 else "WEST WING",
        RequestAttributesSequence=[step], SOPClassUID=f"1.2.{number}",
        AnatomicRegionSequence=[region], GantryID=f"G{series}", Rows=(512 * number,),
    )  # fmt: skip
    private = {0x00091001: Element("LO", (f"private {number}",)), 0x00090010: ACME}
    return dict(sorted((found | private).items()))


ACME = Element("LO", ("ACME",))
INSTANCES = [
    made(patient, study, series, number)
    for patient in (1, 2, 3)
    for study in (1, 2, 3)
    for series in (1, 2)
    for number in (1, 2)
    if (patient == 3 or study < 3) and (patient, study, series) != (2, 2, 1)
]


def has(keyword: str, value: str) -> Callable[[DataSet], bool]:
    """Tell whether an instance has a value."""
    ((tag, element),) = data_set(**{keyword: value}).items()
    return lambda found: found[tag] == element


FILTERS: dict[str, tuple[tuple[str, ...], Callable[[DataSet], bool]]] = {
    "patient": (
        ("PatientName=doe^*\\POE^B*",),
        lambda found: not (has("PatientName", "MOE^Ann")(found) or has("PatientID", "P2")(found)),
    ),
    "study": (("StudyDate=-20240101",), has("StudyDate", "20240101")),
    "two studies": (
        ("StudyDate=-20240102",),
        lambda found: not has("StudyDate", "20240103")(found),
    ),
    "series": (("InstitutionName=EAST*\\NORTH",), has("InstitutionName", "EAST WING")),
    "other series": (("InstitutionName=WEST*",), has("InstitutionName", "WEST WING")),
    "instance": (("SOPClassUID=1.2.2\\1.2.9",), has("SOPClassUID", "1.2.2")),
    "json": (("GantryID=G1",), has("GantryID", "G1")),
    "private": (("0009,xx01:ACME=private 2",), has("SOPClassUID", "1.2.2")),
    "sequence": (
        (
            "RequestAttributesSequence.ScheduledProcedureStepID=S1",
            "RequestAttributesSequence.RequestedProcedureID=P*",
        ),
        has("GantryID", "G1"),
    ),
    "several": (
        ("InstitutionName=EAST*", "StudyDescription=*2", "SOPClassUID=1.2.1"),
        lambda found: all(
            has(keyword, value)(found)
            for keyword, value in (
                ("GantryID", "G1"), ("StudyDescription", "study 2"), ("SOPClassUID", "1.2.1")
            )
        ),
    ),
    "computed": (
        ("ModalitiesInStudy=CT",),
        lambda found: not has("StudyInstanceUID", "1.2.2.2")(found),
    ),
    "nothing": (("InstitutionName=SOUTH*",), lambda _: False),
}  # fmt: skip

QUERIES: dict[str, tuple[str, dict[str, Any], QueryOptions]] = {
    "universal": ("STUDY", {"PatientName": "*"}, QueryOptions()),
    "hierarchical": ("SERIES", {"PatientID": "P1", "StudyInstanceUID": "1.2.1.1"}, QueryOptions()),
    "relational": ("IMAGE", {"PatientName": "doe*"}, QueryOptions(relational=True)),
    "patients": ("PATIENT", {"PatientName": ""}, QueryOptions()),
    "patients by name": ("PATIENT", {"PatientName": "POE^Beth^M"}, QueryOptions()),
    "patients by series": ("PATIENT", {"Modality": "SR"}, QueryOptions(relational=True)),
    "list of UIDs": ("STUDY", {"StudyInstanceUID": "1.2.1.1\\1.2.2.2"}, QueryOptions()),
    "fuzzy": ("STUDY", {"PatientName": "Jon Do"}, QueryOptions(fuzzy=True)),
    "sequence": (
        "STUDY",
        {"RequestAttributesSequence": [data_set(ScheduledProcedureStepID="S2")]},
        QueryOptions(relational=True),
    ),
    "of one series": (
        "STUDY", {"InstitutionName": "WEST*", "SOPClassUID": "1.2.1"}, QueryOptions(relational=True)
    ),
    "modality": ("STUDY", {"ModalitiesInStudy": "SR"}, QueryOptions()),
    "modalities": (
        "STUDY", {"ModalitiesInStudy": "CT\\SR"}, QueryOptions(multiple_value=True)
    ),
    "no modality": ("STUDY", {"ModalitiesInStudy": '""'}, QueryOptions(empty_value=True)),
    "unknown": ("STUDY", {"ModalitiesInStudy": "CT"}, QueryOptions(unknown_matches=True)),
    "SOP class": ("STUDY", {"SOPClassesInStudy": "1.2.1"}, QueryOptions()),
    "region": (
        "PATIENT",
        {"AnatomicRegionsInStudyCodeSequence": [data_set(CodeValue="R1")]},
        QueryOptions(relational=True),
    ),
    "rows": ("SERIES", {"Rows": (1024,)}, QueryOptions(relational=True)),
    "instant": (
        "STUDY", {"StudyDate": "20240101-", "StudyTime": "100000-"},
        QueryOptions(combined_datetime=True),
    ),
}  # fmt: skip


@pytest.fixture
def filled(index: Index) -> Index:
    index.ingest_data_sets(INSTANCES)
    return index


@pytest.mark.requirement("QR-131")
def test_answers_are_those_of_the_visible_instances(filled: Index) -> None:
    seen = 0
    for hides, (texts, is_visible) in FILTERS.items():
        visible = parse_visible(texts)
        shown = [each for each in INSTANCES if is_visible(each)]
        for kind, (level, keys, options) in QUERIES.items():
            asked = query(level, "patient", options, **COUNTS[level] | keys)
            expected = canonical(reference.find(shown, asked))
            found = canonical(filled.find_data_sets(replace(asked, visible=visible)))
            assert found == expected, (hides, kind)
            seen += len(found)
    assert seen > 100
