"""The instances of a retrieve by who holds them, and the C-GET requests for them."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.federation.held_instances import (
    MOST_IN_ORDER,
    Held,
    Holdings,
    named_instances,
    orders_of,
    question_for,
)
from dicomquest.query.identifier.retrieve_identifier import RetrieveIdentifier, parse_retrieve
from dicomquest.query.options import QueryOptions
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard.levels import Level
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel
from fixtures.building import data_set

CT = "1.2.840.10008.5.1.4.1.1.2"


def held(series: str) -> Held:
    return Held(CT, series, StudyOfPatient("1.1", "P1", "DOE"))


HERE = {"1.1.1.1": held("1.1.1"), "1.1.1.2": held("1.1.1"), "1.1.2.1": held("1.1.2")}


def retrieve(level: str, model: InformationModel = STUDY_ROOT, **keys: Any) -> RetrieveIdentifier:
    identifier = data_set(QueryRetrieveLevel=level, **keys)
    return parse_retrieve(identifier, model.get_uid, QueryOptions(relational=True))


def test_whole_series_are_asked_for_as_such() -> None:
    orders = list(orders_of(HERE, [*HERE], Level.STUDY, STUDY_ROOT))
    assert orders == [
        (
            data_set(
                QueryRetrieveLevel="SERIES", StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1"
            ),
            ("1.1.1.1", "1.1.1.2"),
        ),
        (
            data_set(
                QueryRetrieveLevel="SERIES", StudyInstanceUID="1.1", SeriesInstanceUID="1.1.2"
            ),
            ("1.1.2.1",),
        ),
    ]


@pytest.mark.parametrize(
    ("wanted", "level"),
    [(["1.1.1.1"], Level.STUDY), (["1.1.1.1", "1.1.1.2"], Level.IMAGE), (["1.1.1.1"], None)],
)
def test_parts_of_series_are_named(wanted: list[str], level: Level | None) -> None:
    [(identifier, uids)] = orders_of(HERE, wanted, level, PATIENT_ROOT)
    assert identifier == data_set(
        QueryRetrieveLevel="IMAGE", PatientID="P1", StudyInstanceUID="1.1",
        SeriesInstanceUID="1.1.1", SOPInstanceUID=wanted,
    )  # fmt: skip
    assert list(uids) == wanted


def test_order_names_so_many_instances_at_most() -> None:
    here = {f"1.1.1.{number}": held("1.1.1") for number in range(2 * MOST_IN_ORDER + 1)}
    sizes = [len(uids) for _, uids in orders_of(here, [*here], Level.IMAGE, STUDY_ROOT)]
    assert sizes == [MOST_IN_ORDER, MOST_IN_ORDER, 1]


def test_first_source_has_each_instance() -> None:
    holdings = Holdings({1: HERE, 0: {"1.1.1.2": held("1.1.1")}, 2: HERE})
    assert holdings.first_places() == {"1.1.1.1": 1, "1.1.1.2": 0, "1.1.2.1": 1}
    assert holdings.places_after("1.1.1.2", 0) == [1, 2]


def test_query_for_the_instances_of_a_retrieve() -> None:
    asking = question_for(retrieve("STUDY", StudyInstanceUID=["1.1", "1.2"]), STUDY_ROOT)
    assert asking.identifier == data_set(
        QueryRetrieveLevel="IMAGE", PatientID="", PatientName="", StudyInstanceUID=["1.1", "1.2"],
        SeriesInstanceUID="", SOPInstanceUID="", SOPClassUID="",
    )  # fmt: skip


def test_instances_that_are_named_one_by_one() -> None:
    named = retrieve("IMAGE", StudyInstanceUID="1.1", SOPInstanceUID=["1.2", "1.3"])
    assert named_instances(named) == frozenset({"1.2", "1.3"})
    assert named_instances(retrieve("STUDY", StudyInstanceUID="1.1")) is None
