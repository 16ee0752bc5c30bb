from __future__ import annotations

from itertools import pairwise

import pytest

from dicomquest.standard.statuses import (
    C_ECHO_STATUSES,
    C_FIND_STATUSES,
    C_GET_STATUSES,
    C_MOVE_STATUSES,
    C_STORE_STATUSES,
    Status,
    StatusClass,
    find_status,
    status_class,
)


@pytest.mark.requirement("QR-149", "QR-151")
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0x0000, StatusClass.SUCCESS),
        (0xFF00, StatusClass.PENDING),
        (0xFF01, StatusClass.PENDING),
        (0xFE00, StatusClass.CANCEL),
        (0xA700, StatusClass.FAILURE),
        (0xA900, StatusClass.FAILURE),
        (0xA801, StatusClass.FAILURE),
        (0xC000, StatusClass.FAILURE),
        (0xCABC, StatusClass.FAILURE),
        (0xCFFF, StatusClass.FAILURE),
        (0x0122, StatusClass.FAILURE),
        (0x02FF, StatusClass.FAILURE),
        (0x0001, StatusClass.WARNING),
        (0x0107, StatusClass.WARNING),
        (0xB001, StatusClass.WARNING),
        (0xFF02, StatusClass.FAILURE),
        (0x1234, StatusClass.FAILURE),
    ],
)
def test_codes_have_class_only_pending_goes_on(code: int, expected: StatusClass) -> None:
    """Every code has a class, and only the pending ones are not final."""
    assert status_class(code) is expected
    assert status_class(code).is_final is (code not in {0xFF00, 0xFF01})


@pytest.mark.requirement("QR-144")
def test_fields_that_explain_a_failure() -> None:
    rows = {code: find_status(code) for code in (0xA700, 0xA900, 0xC123, 0xFF00)}
    assert {code: row.fields for code, row in rows.items() if row} == {
        0xA700: ("ErrorComment",),
        0xA900: ("OffendingElement", "ErrorComment"),
        0xC123: ("OffendingElement", "ErrorComment"),
        0xFF00: (),
    }


@pytest.mark.parametrize(
    "table",
    [C_FIND_STATUSES, C_ECHO_STATUSES, C_STORE_STATUSES, C_GET_STATUSES, C_MOVE_STATUSES],
    ids=["find", "echo", "store", "get", "move"],
)
def test_no_two_rows_of_a_service_overlap(table: tuple[Status, ...]) -> None:
    ranges = sorted((row.first, row.last) for row in table)
    assert all(first <= last for first, last in ranges)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))


def test_store_gives_another_meaning_to_a900() -> None:
    row = find_status(0xA9FF, C_STORE_STATUSES)
    assert row is not None
    assert "data set" in row.meaning
    assert find_status(0xA9FF, C_FIND_STATUSES) is None
