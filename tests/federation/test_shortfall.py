"""The final status of a query by the ends of its sources."""

from __future__ import annotations

import pytest

from dicomquest.errors import LONGEST_COMMENT
from dicomquest.federation.shortfall import EndKind, SourceEnd, final_of
from dicomquest.services.failures import Failure
from dicomquest.standard import statuses


@pytest.mark.requirement("QR-141")
def test_success_needs_every_source() -> None:
    ends = [SourceEnd("A", EndKind.COMPLETE), SourceEnd("B", EndKind.COMPLETE)]
    assert final_of(ends) == Failure(statuses.SUCCESS)
    for kind in EndKind:
        final = final_of([*ends, SourceEnd("C", kind)])
        assert (final.status == statuses.SUCCESS) is not kind.is_short


def test_comment_names_those_that_fell_short() -> None:
    ends = [
        SourceEnd("A", EndKind.TIMED_OUT),
        SourceEnd("B", EndKind.COMPLETE),
        SourceEnd("C", EndKind.CAPPED),
        SourceEnd("D", EndKind.TIMED_OUT),
    ]
    assert final_of(ends) == Failure(0xC003, "incomplete: A, D timed out; C capped")


def test_comment_with_a_long_name_is_cut() -> None:
    comment = final_of([SourceEnd("A" * 80, EndKind.TIMED_OUT)]).comment
    assert comment.startswith("incomplete: AAAA")
    assert len(comment) <= LONGEST_COMMENT
