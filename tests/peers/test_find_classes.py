"""Each FIND SOP class, as SCU and as SCP with a handler, between the two libraries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from types import ModuleType
from typing import Any

import pynetdicom
import pytest
from pydicom.dataset import Dataset

import dicomquest
from dicomquest import sop_class
from fixtures.faces import HOST, data_set
from fixtures.pynetdicom_lines import SOP_CLASSES

FIND = [name for name in SOP_CLASSES if name.endswith(("Find", "Query", "Pull", "Watch"))]


def step() -> Dataset:
    return data_set(
        ScheduledProcedureStepStartDate=date(2024, 1, 5), ScheduledProcedureStepStartTime=time(7)
    )


def with_python_values() -> Dataset:
    """Dates, times and numbers of Python: single, in a list, and in the item of a sequence."""
    return data_set(
        StudyDate=date(2024, 1, 5),
        StudyTime=time(12, 0, 1),
        AcquisitionDateTime=datetime(2024, 1, 5, 10, tzinfo=UTC),
        DateOfSecondaryCapture=[date(2024, 1, 5), date(2024, 1, 6)],
        SeriesNumber=7,
        PatientWeight=70.5,
        ScheduledProcedureStepSequence=[step()],
    )


def texts(identifier: Dataset) -> list[str]:
    item = identifier.ScheduledProcedureStepSequence[0]
    found = [
        identifier.StudyDate,
        identifier.StudyTime,
        identifier.AcquisitionDateTime,
        *identifier.DateOfSecondaryCapture,
        identifier.SeriesNumber,
        identifier.PatientWeight,
        item.ScheduledProcedureStepStartDate,
        item.ScheduledProcedureStepStartTime,
    ]
    # Ours has the six digits of a DT always, pydicom where they are not zero: the same instant.
    return [str(each).replace(".000000", "") for each in found]


EXPECTED = [
    "20240105", "120001", "20240105100000+0000", "20240105", "20240106", "7", "70.5",
    "20240105", "070000",
]  # fmt: skip


def test_the_page_has_each_class() -> None:
    assert len(FIND) >= 18
    assert len({getattr(sop_class, name) for name in FIND}) == len(FIND)


@pytest.mark.parametrize("name", FIND)
@pytest.mark.parametrize(
    ("answering", "asking"),
    [(dicomquest, dicomquest), (dicomquest, pynetdicom), (pynetdicom, dicomquest)],
)
def test_class_is_asked_and_answered(answering: ModuleType, asking: ModuleType, name: str) -> None:
    """A handler reads the key, and its Pending, values and final status arrive."""
    uid = str(getattr(sop_class, name))
    seen: list[list[str]] = []

    def handler(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        seen.append(texts(event.identifier))
        yield 0xFF00, with_python_values()
        yield 0x0000, None

    scp, scu = answering.AE(), asking.AE()
    scp.add_supported_context(uid)
    scu.add_requested_context(uid)
    handlers = [(answering.evt.EVT_C_FIND, handler)]
    server = scp.start_server((HOST, 0), block=False, evt_handlers=handlers)
    try:
        association = scu.associate(HOST, server.server_address[1])
        assert association.is_established
        responses = list(association.send_c_find(with_python_values(), uid))
        association.release()
    finally:
        server.shutdown()
    assert [status.Status for status, _ in responses] == [0xFF00, 0x0000]
    assert seen == [EXPECTED]
    assert texts(responses[0][1]) == EXPECTED
