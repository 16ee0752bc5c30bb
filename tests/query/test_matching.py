"""Each kind of matching has a row, a meaning that fits no empty form, and words."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import Criterion
from dicomquest.query.identifier.key_values import read_key
from dicomquest.query.matching import BY_CRITERION, MATCHING_TYPES, matches, words
from dicomquest.query.options import QueryOptions
from strategies.query import key_texts


def test_every_criterion_has_its_row_and_clause() -> None:
    assert set(BY_CRITERION) == set(get_args(Criterion))
    assert all(row.clause.startswith("C.2.2.") for row in MATCHING_TYPES)
    assert {row.option for row in MATCHING_TYPES if row.option} <= set(
        QueryOptions.__dataclass_fields__
    )


@given(
    st.sampled_from(("LO", "CS", "PN", "UI", "DA", "TM", "DT", "IS", "DS", "AS", "LT")),
    st.data(),
)
def test_empty_form_fits_no_value(vr: str, data: st.DataObject) -> None:
    keys: tuple[Any, ...] = tuple(data.draw(st.lists(key_texts(vr), min_size=1, max_size=3)))
    try:
        criterion = read_key(vr, keys, "1-n", QueryOptions(), 0)
    except ValueFormatError:
        return
    if criterion is not None:
        assert not matches(criterion, (None,) * (3 if vr == "PN" else 1))
        assert words(criterion, "It").startswith("It ")
