from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.query.extended_negotiation import SUPPORTED, accepted_options, negotiate, offer
from dicomquest.query.options import QueryOptions
from dicomquest.standard.extended import EXTENDED_OPTIONS


@pytest.mark.requirement("QR-070", "QR-071", "QR-072", "QR-076")
@given(st.binary(min_size=1, max_size=12))
def test_answer_never_exceeds_the_offer(offered: bytes) -> None:
    """An answer is no longer than the offer and accepts only options offered."""
    answer = negotiate(offered)
    assert len(answer) == min(len(offered), len(EXTENDED_OPTIONS))
    assert all(value == 0 or (value == 1 and offered[at] == 1) for at, value in enumerate(answer))


@pytest.mark.requirement("QR-070", "QR-072")
@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (b"\1", b"\1"),
        (b"\0", b"\0"),
        (b"\1\1\1\1\1\1\1", b"\1\1\1\1\0\1\1"),
        (b"\0\1\0\1", b"\0\1\0\1"),
        (b"\1\1\1\1\1\1\1\1\1", b"\1\1\1\1\0\1\1"),
        (b"\2", b"\0"),
    ],
)
def test_all_is_supported_but_views(offered: bytes, answer: bytes) -> None:
    assert negotiate(offered) == answer


def test_disabled_option_is_declined() -> None:
    assert negotiate(b"\1\1\1", QueryOptions(relational=True)) == b"\1\0\0"


@pytest.mark.requirement("QR-074")
def test_missing_bytes_of_an_answer_are_zero() -> None:
    base = QueryOptions(strict=True, fuzzy=True)
    assert accepted_options(b"\1", base) == QueryOptions(strict=True, relational=True)
    assert accepted_options(b"") == QueryOptions()
    assert accepted_options(b"\0\0\0\0\0\1") == QueryOptions(empty_value=True)


@given(st.lists(st.booleans(), min_size=7, max_size=7))
def test_offer_accepted_whole_is_what_was_wanted(flags: list[bool]) -> None:
    chosen: dict[str, Any] = {
        row.option: flag for row, flag in zip(EXTENDED_OPTIONS, flags, strict=True)
    }
    wanted = QueryOptions(**chosen)
    assert accepted_options(offer(wanted)) == wanted


def test_options_begin_with_bytes_in_their_order() -> None:
    assert [field.name for field in fields(QueryOptions)][:7] == [
        row.option for row in EXTENDED_OPTIONS
    ]
    assert not SUPPORTED.enhanced_multiframe
