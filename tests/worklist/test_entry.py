"""Entries made of data sets: one a step, refused with a reason if they are not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dicomquest.dataset.elements import Element, from_json
from dicomquest.worklist.entry import LONGEST_COLUMN, WorklistEntryError, entries_of
from fixtures.building import data_set
from fixtures.worklists import entry, step


@pytest.mark.requirement("WL-002", "WL-003")
def test_each_step_is_an_entry() -> None:
    steps = [step(ScheduledProcedureStepID="S1"), step(ScheduledProcedureStepID="S2")]
    data = entry(1) | data_set(ScheduledProcedureStepSequence=steps)
    found = entries_of(data)
    assert len({each.identity for each in found}) == 2
    for each, only in zip(found, steps, strict=True):
        stored = from_json(json.loads(each.attributes))
        assert stored[0x00400100] == Element("SQ", (only,))


@pytest.mark.requirement("WL-007")
@pytest.mark.parametrize(
    ("root", "values", "name"),
    [
        ({"PatientName": None}, {}, "Patient's Name"),
        ({"StudyInstanceUID": None}, {}, "Study Instance UID"),
        ({}, {"Modality": None}, "Modality"),
        ({}, {"ScheduledStationAETitle": None}, "Scheduled Station AE Title"),
        (
            {},
            {"ScheduledProcedureStepDescription": None},
            "Scheduled Procedure Step Description or Scheduled Protocol Code Sequence",
        ),
    ],
)
def test_entry_without_type_1_is_refused(
    root: dict[str, Any], values: dict[str, Any], name: str
) -> None:
    data = entry(1, root=root, **values)
    with pytest.raises(WorklistEntryError, match=f"{name} has no value"):
        entries_of(data)
    assert len(entries_of(data, may_lack=True)) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (data_set(PatientID="P1"), "no Scheduled Procedure Step Sequence"),
        (entry(1, ScheduledProcedureStepStartDate="5.1.2026"), "'5.1.2026' cannot be read"),
        (entry(1, ScheduledProcedureStepStartTime="half ten"), "'half ten' cannot be read"),
        (entry(1, root={"PatientID": "A\\B"}), "Patient ID has 2 values"),
        (entry(1, root={"PatientID": "A" * (LONGEST_COLUMN + 1)}), "513 characters"),
        (entry(1, ScheduledStationAETitle="A" * (LONGEST_COLUMN + 1)), "513 characters"),
        (entry(1, root={"PatientName": "A" * (LONGEST_COLUMN + 1)}), "513 characters"),
        (
            entry(1, root={"AccessionNumber": "A" * 17}),
            r"Accession Number 'A{17}' has 17 characters: Accession Number \(SH\) has at most 16",
        ),
        (entry(1, Modality="C" * 17), "at most 16"),
        (
            entry(1) | {0x00080050: Element("SH", ("A\\B",))},
            "has a backslash: Accession Number",
        ),
        (entry(1) | {0x001021C0: Element("US", (70_000,))}, "a value cannot be sent"),
    ],
)
def test_unfit_data_set_is_refused(data: dict[int, Element], words: str) -> None:
    with pytest.raises(WorklistEntryError, match=words):
        entries_of(data, may_lack=True)


def test_empty_values_and_pixels_are_not_kept() -> None:
    data = entry(1, root={"PatientSex": "", "SpecificCharacterSet": "ISO_IR 100"})
    data[0x7FE00010] = Element("OW", (b"\0\0",))
    (made,) = entries_of(data)
    assert set(from_json(json.loads(made.attributes))) == set(entry(1))


def test_steps_without_id_are_told_apart_by_time() -> None:
    first, second = (
        entries_of(
            entry(1, ScheduledProcedureStepID=None, ScheduledProcedureStepStartTime=time),
            may_lack=True,
        )[0]
        for time in ("0900", "1000")
    )
    assert first.identity != second.identity
