"""The worklist in a database: entries come, replace each other, and leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicomquest.index import Index
from dicomquest.worklist.entries import BATCH, Added, Worklist
from dicomquest.worklist.entry import entries_of
from fixtures.building import data_set
from fixtures.worklists import entry, request, worklist_query


def _patients(location: str, identifier: object = None) -> list[str]:
    asked = identifier or data_set(PatientID="")
    assert isinstance(asked, dict)
    with Index(location) as index:
        found = index.find_data_sets(worklist_query(asked | data_set(PatientID="")))
    return sorted(each[0x00100020].values[0] for each in found)


@pytest.mark.requirement("WL-002")
def test_same_step_takes_place_of_older(location: str) -> None:
    with Worklist(location) as worklist:
        assert worklist.add(entries_of(entry(1)), 0) == Added(new=1)
        moved = entry(1, ScheduledStationAETitle="CT2")
        assert worklist.add(entries_of(moved), 1) == Added(replaced=1)
        assert worklist.count() == 1
    assert _patients(location, request(ScheduledStationAETitle="CT1")) == []
    assert _patients(location, request(ScheduledStationAETitle="CT2")) == ["P1"]


def test_each_station_has_the_entry(location: str) -> None:
    with Worklist(location) as worklist:
        worklist.add(entries_of(entry(1, ScheduledStationAETitle="CT1\\CT2")), 0)
        worklist.add(entries_of(entry(2)), 0)
    assert _patients(location, request(ScheduledStationAETitle="CT2")) == ["P1"]
    assert _patients(location, request(ScheduledStationAETitle="CT1")) == ["P1", "P2"]
    assert _patients(location, request(ScheduledStationAETitle="CT?")) == ["P1", "P2"]


def test_entries_leave_by_date(location: str) -> None:
    old = entry(1, ScheduledProcedureStepStartDate="20251231")
    dateless = entry(3, ScheduledProcedureStepStartDate=None)
    with Worklist(location) as worklist:
        for each in (old, entry(2), dateless):
            worklist.add(entries_of(each, may_lack=True), 100)
        assert worklist.remove_before("20260101", 100) == 1
        assert _patients(location) == ["P2", "P3"]
        assert worklist.remove_before("20260101", 101) == 1
    assert _patients(location) == ["P2"]


def test_entries_leave_with_their_source(location: str) -> None:
    with Worklist(location) as worklist:
        first, second = entries_of(entry(1))[0], entries_of(entry(2))[0]
        worklist.add([first, second], 0, source="a.wl")
        worklist.add(entries_of(entry(3)), 0, source="b.wl")
        assert worklist.sources() == {"a.wl", "b.wl"}
        assert worklist.replace([first], 1, source="a.wl") == Added(replaced=1)
        assert _patients(location) == ["P1", "P3"]
        assert worklist.remove_of_source("a.wl") == 1
        assert _patients(location) == ["P3"]


def test_two_lists_have_one_step_each(location: str) -> None:
    """Two lists show one step, each to those who call its title; entries of no list go to all."""
    with Worklist(location) as worklist:
        for title in ("RIS1", "RIS2"):
            worklist.add(entries_of(entry(1)), 0, shown_to=title)
        worklist.add(entries_of(entry(2)), 0)
        assert worklist.count() == 3
    with Index(location) as index:
        shown: dict[str | None, int] = {"RIS1": 2, "RIS3": 1, None: 3}
        for called, found in shown.items():
            query = replace(worklist_query(data_set(PatientID="")), shown_to=called)
            assert len(index.find_data_sets(query)) == found


def test_many_entries_go_in_batches(location: str) -> None:
    with Worklist(location) as worklist:
        many = [made for number in range(BATCH + 2) for made in entries_of(entry(number))]
        assert worklist.add(many, 0) == Added(new=BATCH + 2)
        assert worklist.remove(range(1, BATCH + 2)) == BATCH + 1
        assert worklist.count() == 1
