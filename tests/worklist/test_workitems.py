"""Unified Procedure Steps in both databases: they come, replace each other, and leave."""

from __future__ import annotations

import pytest

from dicomquest.index import Index
from dicomquest.worklist.entries import Added
from dicomquest.worklist.workitem import workitem_of
from dicomquest.worklist.workitems import Workitems
from fixtures.building import data_set
from fixtures.workitems import workitem, workitem_query


@pytest.mark.requirement("UP-001")
def test_same_uid_takes_place_of_older(location: str) -> None:
    with Index(location) as index:
        workitems = Workitems(index.database)
        assert workitems.add(map(workitem_of, (workitem(1), workitem(2))), 0) == Added(new=2)
        again = workitem_of(workitem(1, ProcedureStepState="COMPLETED"))
        assert workitems.add([again], 1) == Added(replaced=1)
        assert workitems.count() == 2
        query = workitem_query(data_set(ProcedureStepState="COMPLETED", PatientID=""))
        (found,) = index.find_data_sets(query)
        assert found[0x00100020].values == ("P1",)
        assert workitems.remove([1, 2, 3, 99]) == 2
        assert workitems.count() == 0
