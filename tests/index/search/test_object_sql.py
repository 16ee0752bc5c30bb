"""Queries for objects without a patient, in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dicomquest.index import Index
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.query.visibility import parse_visible
from dicomquest.standard.models import (
    COLOR_PALETTE,
    DEFINED_PROCEDURE_PROTOCOL,
    GENERIC_IMPLANT_TEMPLATE,
    HANGING_PROTOCOL,
    PROTOCOL_APPROVAL,
    InformationModel,
)
from fixtures.building import data_set
from fixtures.objects import made, object_query

CHEST = data_set(CodeValue="43799004", CodingSchemeDesignator="SCT", CodeMeaning="Chest")
REFERENCES = [data_set(ReferencedSOPInstanceUID="1.2.9.5")]
OBJECTS = (
    made(
        HANGING_PROTOCOL, 1, HangingProtocolName="CT-CHEST", HangingProtocolLevel="SITE",
        HangingProtocolDescription="Two screens", NumberOfPriorsReferenced=1, NumberOfScreens=2,
        HangingProtocolDefinitionSequence=[
            data_set(Modality="CT", AnatomicRegionSequence=[CHEST]), data_set(Modality="MR"),
        ],
    ),
    made(HANGING_PROTOCOL, 2, HangingProtocolName="MG", HangingProtocolLevel="USER_GROUP"),
    made(COLOR_PALETTE, 3, ContentLabel="HOT_IRON", ContentCreatorName="Maker^Pat"),
    made(
        GENERIC_IMPLANT_TEMPLATE, 4, ImplantName="Stem", EffectiveDateTime="20240301",
        ReplacedImplantTemplateSequence=REFERENCES,
    ),
    made(
        DEFINED_PROCEDURE_PROTOCOL, 5, ProtocolName="Chest low dose",
        InstanceCreationDate="20240302", InstanceCreationTime="0900",
    ),
    made(
        DEFINED_PROCEDURE_PROTOCOL, 6, SOPClassUID="1.2.840.10008.5.1.4.1.1.200.7",
        ProtocolName="Angio", InstanceCreationDate="20240303",
    ),
    made(
        PROTOCOL_APPROVAL, 7, ApprovalSubjectSequence=REFERENCES,
        ApprovalSequence=[data_set(AssertionComments="fine", AssertionDateTime="20240401")],
    ),
)  # fmt: skip


@pytest.fixture
def objects(location: str) -> Iterator[Index]:
    with Index(location) as index:
        assert index.ingest_data_sets(OBJECTS).indexed == len(OBJECTS)
        yield index


def _found(index: Index, model: InformationModel, **keys: Any) -> list[int]:
    query = object_query(model, **{"SOPInstanceUID": ""} | keys)
    answers = index.find_data_sets(query)
    return sorted(int(str(each[0x00080018].values[0]).rpartition(".")[2]) for each in answers)


@pytest.mark.requirement("NP-002", "NP-003", "NP-004", "NP-005")
def test_keys_restrict(objects: Index) -> None:
    """Each model finds its own instances; keys of type R restrict, those of type - do not."""
    for model, keys, expected in (
        (HANGING_PROTOCOL, {}, [1, 2]),
        (HANGING_PROTOCOL, {"HangingProtocolName": "CT*"}, [1]),
        (HANGING_PROTOCOL, {"HangingProtocolLevel": "USER_GROUP"}, [2]),
        (HANGING_PROTOCOL, {"HangingProtocolDescription": "One screen"}, [1, 2]),
        (HANGING_PROTOCOL, {"NumberOfPriorsReferenced": 1}, [1]),
        (HANGING_PROTOCOL, {"NumberOfScreens": 3}, []),
        (HANGING_PROTOCOL, {"SOPInstanceUID": "1.2.9.2"}, [2]),
        (HANGING_PROTOCOL, {"SOPInstanceUID": "1.2.9.2\\1.2.9.1\\1.2.9.3"}, [1, 2]),
        (HANGING_PROTOCOL, {"SOPClassUID": "1.2.840.10008.5.1.4.38.1"}, [1, 2]),
        (HANGING_PROTOCOL, {"SOPClassUID": "1.2.840.10008.5.1.4.39.1"}, []),
        (HANGING_PROTOCOL, {"HangingProtocolDefinitionSequence": [data_set(Modality="MR")]}, [1]),
        (
            HANGING_PROTOCOL,
            {"HangingProtocolDefinitionSequence": [
                data_set(Modality="MR", AnatomicRegionSequence=[data_set(CodeValue="43799004")])
            ]},
            [],
        ),
        (COLOR_PALETTE, {"ContentLabel": "HOT*", "ContentCreatorName": "Nobody"}, [3]),
        (GENERIC_IMPLANT_TEMPLATE, {"EffectiveDateTime": "20240101-20241231"}, [4]),
        (GENERIC_IMPLANT_TEMPLATE, {"EffectiveDateTime": "20250101-"}, []),
        (GENERIC_IMPLANT_TEMPLATE, {"ImplantPartNumber": "4711"}, []),
        (
            GENERIC_IMPLANT_TEMPLATE,
            {"ReplacedImplantTemplateSequence": [
                data_set(ReferencedSOPInstanceUID="1.2\\1.2.9.5")
            ]},
            [4],
        ),
        (DEFINED_PROCEDURE_PROTOCOL, {"ProtocolName": "*"}, [5, 6]),
        (
            DEFINED_PROCEDURE_PROTOCOL,
            {"InstanceCreationDate": "20240301-20240303", "InstanceCreationTime": "1000-1100"},
            [5],
        ),
        (
            PROTOCOL_APPROVAL,
            {"ApprovalSequence": [data_set(AssertionComments="bad", AssertionDateTime="2024")]},
            [7],
        ),
    ):  # fmt: skip
        assert _found(objects, model, **keys) == expected, keys


def test_response_has_what_was_asked(objects: Index) -> None:
    query = object_query(
        HANGING_PROTOCOL, HangingProtocolName="CT*", HangingProtocolDescription="",
        HangingProtocolUserGroupName="",
        HangingProtocolDefinitionSequence=[data_set(Modality="")],
    )  # fmt: skip
    assert objects.find_data_sets(query) == [
        data_set(
            HangingProtocolName="CT-CHEST", HangingProtocolDescription="Two screens",
            HangingProtocolUserGroupName="",
            HangingProtocolDefinitionSequence=[data_set(Modality="CT"), data_set(Modality="MR")],
        )
    ]  # fmt: skip


def test_filter_hides_what_does_not_meet_it(objects: Index) -> None:
    query = object_query(GENERIC_IMPLANT_TEMPLATE, ImplantName="")
    assert objects.find_data_sets(query) == [data_set(ImplantName="Stem")]
    hidden = replace(query, visible=parse_visible(["InstitutionName=EAST"]))
    assert objects.find_data_sets(hidden) == []


@pytest.mark.requirement("NP-001")
def test_no_archive_query_finds_objects(objects: Index) -> None:
    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert list(objects.find(level=level, model="patient")) == []
    assert set(objects.counts().values()) == {0}


def test_statement_of_an_instance_has_no_python() -> None:
    plan = compile_query(object_query(COLOR_PALETTE, SOPInstanceUID="1.2"), Facts())
    assert plan.residuals == ()
    assert plan.sql == (
        "SELECT non_patient_object.attributes FROM non_patient_object WHERE "
        "(non_patient_object.sop_class_uid IN (?)) AND (non_patient_object.sop_instance_uid = ?)"
    )
