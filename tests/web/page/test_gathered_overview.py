"""The order of gathered studies is that of an index."""

from __future__ import annotations

import itertools
import random

import pytest

from dicomquest.query.study_listing import SortBy, StudyOrder
from dicomquest.web.page.gathered_overview import comes_after, in_order, place_of
from fixtures.building import data_set

NAMES = ["", "Citizen^Jan", "CITIZEN^JAN", "Müller^Ann"]
DATES = ["", "20240101", "20240102"]


@pytest.mark.parametrize("by", [SortBy.DATE, SortBy.NAME])
@pytest.mark.parametrize("descending", [False, True])
def test_order_and_places_agree(by: SortBy, *, descending: bool) -> None:
    order = StudyOrder(by, is_descending=descending)
    found = [
        data_set(
            StudyInstanceUID=f"1.{at}", PatientName=name, StudyDate=date, PatientID=f"P{at % 2}"
        )
        for at, (name, date) in enumerate(itertools.product(NAMES, DATES))
    ]
    random.Random(1).shuffle(found)
    placed = in_order([(place_of(each, by), each) for each in found], order)
    values = [each for each, _ in placed]
    assert values[-1][0] is None
    for (at, one), (other_at, other) in itertools.product(enumerate(values), repeat=2):
        assert comes_after(one, other, order) is (at > other_at)
