"""Counts, lists and final statuses of a retrieve."""

from __future__ import annotations

import pytest

from dicomquest.dataset.codec import decode
from dicomquest.dimse.commands import SubOperations
from dicomquest.services.retrieve_progress import LONGEST_LIST, Outcome, Progress, outcome_of
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard.tags import FAILED_SOP_INSTANCE_UID_LIST
from fixtures.faces import EXPLICIT

STUDY = StudyOfPatient("1", "P", "")


def progress(completed: int, failed: int, warning: int, total: int | None = None) -> Progress:
    made = Progress(completed + failed + warning if total is None else total)
    for _ in range(completed):
        made.send(Outcome.COMPLETED, STUDY, "1.2")
    for _ in range(warning):
        made.send(Outcome.WARNING, STUDY, "1.2")
    for number in range(failed):
        made.fail(f"1.2.{number}")
    return made


@pytest.mark.requirement("RT-024", "RT-025", "RT-026")
@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ((3, 0, 0), 0x0000),
        ((2, 0, 1), 0xB000),
        ((2, 1, 0), 0xB000),
        ((0, 1, 2), 0xB000),
        ((0, 3, 0), 0xA702),
        ((0, 0, 0), 0x0000),
    ],
)
def test_final_status_by_outcome(counts: tuple[int, int, int], status: int) -> None:
    assert progress(*counts).status() == status


@pytest.mark.requirement("RT-020", "RT-021", "RT-022")
def test_counts_of_each_response() -> None:
    running = progress(2, 1, 1, total=10)
    assert running.sub_operations(0xFF00) == SubOperations(6, 2, 1, 1)
    assert running.sub_operations(0xFE00) == SubOperations(6, 2, 1, 1)
    assert running.sub_operations(0xB000) == SubOperations(None, 2, 1, 1)


def test_large_counts_are_sent_as_the_largest() -> None:
    assert Progress(100_000).sub_operations(0xFF00).remaining == 0xFFFF


@pytest.mark.requirement("RT-027")
def test_list_of_failed_instances() -> None:
    assert progress(3, 0, 1).failed_list(EXPLICIT) is None
    encoded = progress(1, 2, 0).failed_list(EXPLICIT)
    assert encoded is not None
    assert decode(encoded, EXPLICIT)[FAILED_SOP_INSTANCE_UID_LIST].values == ("1.2.0", "1.2.1")


@pytest.mark.requirement("RT-028")
def test_long_list_is_cut_at_a_uid() -> None:
    made = Progress(5000)
    for number in range(5000):
        made.fail(f"1.2.840.99999.{number:020}"[:64])
    encoded = made.failed_list(EXPLICIT)
    assert encoded is not None
    values = decode(encoded, EXPLICIT)[FAILED_SOP_INSTANCE_UID_LIST].values
    assert LONGEST_LIST - 40 < len("\\".join(values)) <= LONGEST_LIST
    assert made.is_list_cut
    assert made.sub_operations(0xA702).failed == 5000


@pytest.mark.requirement("RT-047")
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0000, Outcome.COMPLETED),
        (0xB000, Outcome.WARNING),
        (0xB006, Outcome.WARNING),
        (0xB007, Outcome.WARNING),
        (0x0001, Outcome.WARNING),
        (0x0107, Outcome.WARNING),
        (0x0116, Outcome.WARNING),
        (0xA700, Outcome.FAILED),
        (0xA900, Outcome.FAILED),
        (0xC000, Outcome.FAILED),
        (0x0122, Outcome.FAILED),
        (0x0210, Outcome.FAILED),
    ],
)
def test_each_store_status_counts(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome
