"""Python's values become the text that pydicom writes of them."""

from __future__ import annotations

import math
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM, DSfloat

from dicomquest.dataset.elements import Element, from_pydicom
from dicomquest.dataset.python_values import value_text

CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("vr", "value", "text"),
    [
        ("DA", date(2024, 1, 5), "20240105"),
        ("DA", date(999, 1, 5), "09990105"),
        ("DA", datetime(2024, 1, 5, 10, tzinfo=CET), "20240105"),
        ("DA", DA("20240105"), "20240105"),
        ("TM", time(12, 0, 1), "120001"),
        ("TM", time(12, 0, 1, 500), "120001.000500"),
        ("TM", TM("1200"), "1200"),
        ("DT", datetime(2024, 1, 5, 10, tzinfo=CET), "20240105100000.000000+0100"),
        ("DT", datetime(2024, 1, 5, 10, tzinfo=UTC), "20240105100000.000000+0000"),
        ("DT", date(2024, 1, 5), "20240105"),
        ("DT", DT("202401"), "202401"),
        ("IS", 4, "4"),
        ("IS", 4.0, "4"),
        ("IS", Decimal(4), "4"),
        ("DS", 0.1, "0.1"),
        ("DS", Decimal("2.50"), "2.50"),
        ("DS", DSfloat("1.0"), "1.0"),
        ("LO", 7, "7"),
        ("LO", None, ""),
    ],
)
def test_text_of_a_value(vr: str, value: Any, text: str) -> None:
    assert value_text(vr, value) == text


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("DA", time(12)),
        ("TM", date(2024, 1, 5)),
        ("DT", time(12)),
        ("IS", 1.5),
        ("IS", math.nan),
        ("DS", math.inf),
        ("LO", object()),
        ("LO", {"a": "mapping"}),
    ],
)
def test_refuses_a_value_of_another_kind(vr: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=f"no {vr} value"):
        value_text(vr, value)


@pytest.mark.parametrize("value", [sys.float_info.max, -sys.float_info.max, 1.7976931345e308])
def test_greatest_floats_stay_finite(value: float) -> None:
    text = value_text("DS", value)
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-6)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_string_has_16_characters(value: float) -> None:
    text = value_text("DS", value)
    assert len(text) <= 16
    # As Decimals: the text of the largest floats may be rounded to more than a float holds.
    exact = Decimal(str(value))
    assert abs(Decimal(text) - exact) <= abs(exact) * Decimal("1e-8")


def test_datasets_hold_dates_everywhere() -> None:
    """Single, in lists, and in the items of a sequence."""
    item = Dataset()
    item.ScheduledProcedureStepStartDate = date(2024, 1, 5)
    data_set = Dataset()
    data_set.StudyDate = date(2024, 1, 5)
    data_set.StudyTime = time(12, 0, 1)
    data_set.DateOfSecondaryCapture = [date(2024, 1, 5), date(2024, 1, 6)]
    data_set.ScheduledProcedureStepSequence = [item]
    elements = from_pydicom(data_set)
    assert elements[0x00080020] == Element("DA", ("20240105",))
    assert elements[0x00080030] == Element("TM", ("120001",))
    assert elements[0x00181012] == Element("DA", ("20240105", "20240106"))
    assert elements[0x00400100].values[0][0x00400002] == Element("DA", ("20240105",))
