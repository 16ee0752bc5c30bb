"""The entries that belong to an order, by its numbers and by what a message sends of others."""

from __future__ import annotations

import pytest

from dicomquest.worklist.entries import Worklist
from dicomquest.worklist.entry import entries_of
from dicomquest.worklist.same_order import STEP_ID, NamedOrder, steps_of_order
from fixtures.worklists import entry


def found(location: str, order: NamedOrder, *, by_order_number: bool = False) -> int:
    numbers = {"PlacerOrderNumberImagingServiceRequest": "PL"}
    with Worklist(location) as worklist:
        worklist.add(entries_of(entry(1)) + entries_of(entry(2, root=numbers)), 0)
        with worklist.database.connect() as connection:
            return len(steps_of_order(connection, order, by_order_number=by_order_number))


@pytest.mark.parametrize(("only", "count"), [(False, 1), (True, 0)])
def test_entry_without_order_numbers(location: str, *, only: bool, count: int) -> None:
    order = NamedOrder(entries_of(entry(1))[0])
    assert found(location, order, by_order_number=only) == count


def test_filled_in_step_tells_nothing_apart(location: str) -> None:
    root = {"PlacerOrderNumberImagingServiceRequest": "PL", "PatientID": "P2"}
    named = entries_of(entry(2, root=root, ScheduledProcedureStepID="PL"))[0]
    assert found(location, NamedOrder(named, frozenset({STEP_ID}))) == 1
    assert found(location, NamedOrder(named)) == 0
