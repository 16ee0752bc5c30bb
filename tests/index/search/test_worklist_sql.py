"""A worklist query as SQL: the statement, its plan, and its answer beside the plain meaning."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import Entry, WorklistEntryError, entries_of
from fixtures.building import data_set
from fixtures.entry_answers import check_answers
from fixtures.reference_indexes import empty
from fixtures.worklists import entry, request, worklist_query
from strategies.worklist import worklist_answers, worklist_data_sets, worklist_identifiers

OF_A_DAY = request(
    ScheduledStationAETitle="CT1", ScheduledProcedureStepStartDate="20260105", Modality=""
)


def _fit(data_sets: list[DataSet]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for each in data_sets:
        try:
            found |= {entry.identity: entry for entry in entries_of(each, may_lack=True)}
        except WorklistEntryError:
            event("not fit")
    return found


@pytest.fixture(scope="module")
def worklist(indexes: dict[int, Index]) -> Iterator[Worklist]:
    """The worklist in the database of the first index."""
    with Worklist(indexes[0]._database._location) as opened:
        yield opened


@pytest.mark.requirement("WL-002", "WL-004", "WL-005", "WL-006", "WL-009")
@settings(max_examples=settings().max_examples // 4)
@given(
    data_sets=st.lists(worklist_data_sets(), max_size=6),
    asked=st.lists(st.tuples(worklist_identifiers(), worklist_answers()), min_size=1, max_size=4),
    visible=st.sampled_from([(), ("Modality=CT",), ("PatientName=D*", "ModalitiesInStudy=MR")]),
)
def test_sql_answers_as_plain_meaning_does(
    indexes: dict[int, Index],
    worklist: Worklist,
    data_sets: list[DataSet],
    asked: list[tuple[DataSet, bytes]],
    visible: tuple[str, ...],
) -> None:
    """The engine finds and returns of entries what their plain evaluation does."""
    index = indexes[0]
    empty(index)
    stored = _fit(data_sets)
    worklist.add(stored.values(), 0)
    attributes = [each.attributes for each in stored.values()]
    check_answers(index, attributes, asked, visible, worklist_query)


def test_day_of_station_is_range_of_index(indexes: dict[int, Index]) -> None:
    with indexes[0].search(worklist_query(OF_A_DAY)) as cursor:
        assert any("ix_worklist_station_day" in step for step in cursor.explain())


def test_statement_of_a_day_has_no_python() -> None:
    plan = compile_query(worklist_query(OF_A_DAY), Facts())
    assert plan.residuals == ()
    assert plan.sql == (
        "SELECT worklist_entry.attributes FROM worklist_entry WHERE (worklist_entry.id IN "
        "(SELECT entry FROM worklist_station WHERE (station_ae_title = ?) AND "
        "(start_date_sort = ?))) AND "
        "(worklist_entry.scheduled_procedure_step_start_date_sort = ?)"
    )
    assert plan.parameters == ("CT1", "20260105", "20260105")


@pytest.mark.parametrize(
    ("identifier", "found"),
    [
        (request(ScheduledProcedureStepLocation="ROOM 1"), [2]),
        (data_set(PatientSex="F"), [2]),
        (data_set(RequestedProcedureCodeSequence=[data_set(CodeValue="C1")]), [1]),
        (data_set(PatientName="doe^*"), [1, 2]),
        (data_set(AccessionNumber="A2"), [2]),
    ],
)
def test_optional_keys_match(location: str, identifier: DataSet, found: list[int]) -> None:
    """Keys without a column restrict as well, in both databases."""
    with Worklist(location) as worklist, Index(location) as index:
        first = entry(1, root={"RequestedProcedureCodeSequence": [data_set(CodeValue="C1")]})
        second = entry(2, root={"PatientSex": "F"}, ScheduledProcedureStepLocation="ROOM 1")
        for each in (first, second):
            worklist.add(entries_of(each), 0)
        query = worklist_query(identifier | data_set(PatientID=""))
        answers = index.find_data_sets(query)
    assert sorted(each[0x00100020].values[0] for each in answers) == [f"P{n}" for n in found]
