"""The place in a list of studies, as parameters of an address (RFC 3986)."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.query.study_listing import Position, SortBy, StudyOrder
from dicomquest.web.page.list_place import ListPlace, read_place

_TEXT = st.none() | st.text(max_size=20)
_DATES = st.tuples(_TEXT, _TEXT, st.text(max_size=20))
_NAMES = st.tuples(_TEXT, _TEXT, _TEXT, st.text(max_size=20))


@given(values=_DATES, as_of=st.integers(0, 1 << 40), before=st.integers(0, 1 << 40))
def test_a_place_is_read_back(values: tuple[str | None, ...], as_of: int, before: int) -> None:
    place = ListPlace(StudyOrder(), as_of, Position(values), before)
    assert read_place(dict(parse_qsl(place.parameters()[1:]))) == place


@given(values=_NAMES, down=st.booleans())
def test_a_place_among_names_is_read_back(values: tuple[str | None, ...], down: bool) -> None:
    order = StudyOrder(SortBy.NAME, is_descending=down)
    place = ListPlace(order, 7, Position(values), 50)
    assert read_place(dict(parse_qsl(place.parameters()[1:]))) == place


@given(values=_DATES, before=st.none() | st.integers(0, 1 << 40))
def test_a_place_read_backward_is_read_back(
    values: tuple[str | None, ...], before: int | None
) -> None:
    place = ListPlace(StudyOrder(), 7, Position(values), before, is_backward=True)
    assert read_place(dict(parse_qsl(place.parameters()[1:]))) == place
    assert place.listing(100).is_backward


def test_the_end_of_a_list_is_read_back() -> None:
    end = ListPlace(StudyOrder(), 7, None, None, is_backward=True)
    assert read_place(dict(parse_qsl(end.parameters()[1:]))) == end
    assert not end.is_start


@pytest.mark.parametrize("after", ["", "x", "W10", "WzFd", "bnVsbA", "W1tbXV1d", "é", "a" * 5000])
def test_a_place_that_is_none_is_the_start(after: str) -> None:
    assert read_place({"after": after, "row": "x"}) == ListPlace()
