"""Queries for Unified Procedure Steps as SQL, and their answers beside the plain meaning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dicomquest.dataset.elements import DataSet
from dicomquest.index import Index
from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.worklist.entry import WorklistEntryError
from dicomquest.worklist.workitem import Workitem, workitem_of
from dicomquest.worklist.workitems import Workitems
from fixtures.building import data_set
from fixtures.entry_answers import check_answers
from fixtures.reference_indexes import empty
from fixtures.workitems import workitem, workitem_query
from strategies.workitems import workitem_data_sets, workitem_identifiers
from strategies.worklist import worklist_answers

FILTERS = [(), ("PatientName=D*",), ("AccessionNumber=A1", "PatientID=P*")]


@pytest.mark.requirement("UP-003", "UP-008")
@settings(max_examples=settings().max_examples // 4)
@given(
    data_sets=st.lists(workitem_data_sets(), max_size=6),
    asked=st.lists(st.tuples(workitem_identifiers(), worklist_answers()), min_size=1, max_size=4),
    visible=st.sampled_from(FILTERS),
)
def test_sql_answers_as_plain_meaning_does(
    indexes: dict[int, Index],
    data_sets: list[DataSet],
    asked: list[tuple[DataSet, bytes]],
    visible: tuple[str, ...],
) -> None:
    """The engine finds and returns of steps what their plain evaluation does."""
    index = indexes[0]
    empty(index)
    stored: dict[str, Workitem] = {}
    for each in data_sets:
        try:
            made = workitem_of(each, index.timezone_offset_minutes, may_lack=True)
        except WorklistEntryError:
            event("not fit")
        else:
            stored[made.uid] = made
    Workitems(index.database).add(stored.values(), 0)
    attributes = [each.attributes for each in stored.values()]
    check_answers(index, attributes, asked, visible, workitem_query)


def test_statement_of_a_list_has_no_python() -> None:
    asked = data_set(ProcedureStepState="SCHEDULED", WorklistLabel="CAD*", PatientID="")
    plan = compile_query(workitem_query(asked), Facts())
    assert plan.residuals == ()
    assert plan.sql.startswith("SELECT workitem.attributes FROM workitem WHERE ")
    assert plan.parameters[0] == "SCHEDULED"


@pytest.mark.requirement("UP-003", "UP-004", "UP-005")
@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"ScheduledProcedureStepStartDateTime": "20260105-20260106"}, [1]),
        ({"ScheduledProcedureStepStartDateTime": "2026010514-"}, [2]),
        ({"ExpectedCompletionDateTime": "20260108"}, [2]),
        ({"InputReadinessState": "INCOMPLETE"}, [2]),
        ({"ReferencedRequestSequence": [{"AccessionNumber": "A2"}]}, [2]),
        ({"ScheduledStationNameCodeSequence": [{"CodeValue": "WS1"}]}, [1]),
        (
            {
                "ScheduledHumanPerformersSequence": [
                    {"HumanPerformerCodeSequence": [{"CodeValue": "H1"}]}
                ]
            },
            [1],
        ),
        ({"PatientName": "doe^*", "SOPInstanceUID": "1.2.8.2"}, [2]),
        ({"AdmissionID": "X"}, []),
        ({"AdmissionID": "*"}, [1, 2]),
        ({"ExpectedCompletionDateTime": "20200101-"}, [2]),
        ({"ScheduledWorkitemCodeSequence": [{"CodeValue": "W1"}]}, []),
        ({"WorklistLabel": "C?D", "PatientSex": "O"}, [2]),
        ({"TransactionUID": "1.2.9"}, [1, 2]),
    ],
)
def test_keys_match_in_both_databases(
    location: str, keys: dict[str, Any], found: list[int]
) -> None:
    first = workitem(
        1,
        ScheduledStationNameCodeSequence=[data_set(CodeValue="WS1")],
        ScheduledHumanPerformersSequence=[
            data_set(HumanPerformerCodeSequence=[data_set(CodeValue="H1")])
        ],
        TransactionUID="1.2.9",
    )
    second = workitem(
        2,
        ScheduledProcedureStepStartDateTime="20260107",
        ExpectedCompletionDateTime="202601081200",
        InputReadinessState="INCOMPLETE",
        PatientSex="O",
    )
    with Index(location) as index:
        Workitems(index.database).add(map(workitem_of, (first, second)), 0)
        asked = _items(keys) | data_set(PatientID="")
        answers = index.find_data_sets(workitem_query(asked))
    assert sorted(each[0x00100020].values[0] for each in answers) == [f"P{n}" for n in found]
    assert all(0x00081195 not in each for each in answers)


def _items(keys: dict[str, Any]) -> DataSet:
    return data_set(
        **{
            keyword: [_items(each) for each in value] if isinstance(value, list) else value
            for keyword, value in keys.items()
        }
    )
