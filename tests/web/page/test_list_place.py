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


@pytest.mark.parametrize("after", ["", "x", "W10", "WzFd", "bnVsbA", "W1tbXV1d", "é", "a" * 5000])
def test_a_place_that_is_none_is_the_start(after: str) -> None:
    assert read_place({"after": after, "row": "x"}) == ListPlace()
