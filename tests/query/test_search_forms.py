"""The search forms of stored values, by VR (PS3.5 6.2)."""

from __future__ import annotations

from typing import Any

import pytest

from dicomquest.dataset.elements import Element
from dicomquest.query.search_forms import (
    is_empty,
    opaque_text,
    own_zone,
    search_form,
    search_forms,
    stored_values,
)
from fixtures.building import data_set


@pytest.mark.parametrize(
    ("vr", "value", "form"),
    [
        ("LO", "Knee", ("Knee",)),
        ("LO", "", (None,)),
        ("IS", "007", ("7",)),
        ("DS", "1.50", ("1.5",)),
        ("US", 512, ("512",)),
        ("AT", 0x00181063, ("00181063",)),
        ("AT", "0018106a", ("0018106A",)),
        ("DA", "20240101", ("20240101",)),
        ("DA", "20241301", (None,)),
        ("PN", "Doe^John==yamada", ("doe^john", None, "yamada")),
    ],
)
def test_form_of_a_value(vr: str, value: Any, form: tuple[str | None, ...]) -> None:
    assert search_form(vr, value, 0) == form


def test_date_time_is_an_instant_of_the_zone() -> None:
    (there,) = search_form("DT", "20240101120000", 60)
    (here,) = search_form("DT", "20240101110000", 0)
    assert there == here
    assert search_form("DT", "20240101120000+0100", 0) == (there,)


def test_sequence_and_absent_element_have_no_form() -> None:
    assert search_forms("LO", None, 0) == []
    assert search_forms("LO", Element("SQ", ({},)), 0) == []
    assert search_forms("LO", Element("LO", ("A", "", "B")), 0) == [("A",), ("B",)]


def test_opaque_bytes_are_read_with_the_keys_vr() -> None:
    stored = Element("UN", (b"CT \\MR\0",))
    assert stored_values("CS", stored) == ("CT", "MR")
    assert stored_values("LT", stored) == ("CT \\MR",)
    assert opaque_text("Müller ".encode()) == "Müller"
    assert opaque_text(b"M\xfcller\0") == "Müller"


@pytest.mark.parametrize(
    ("element", "empty"),
    [
        (None, True),
        (Element("LO", ()), True),
        (Element("LO", ("", "")), True),
        (Element("OB", (b"",)), True),
        (Element("PN", ("==",)), True),
        (Element("PN", ("^^^^",)), True),
        (Element("PN", ("^^=^ ^",)), True),
        (Element("PN", ("^Jan",)), False),
        (Element("LO", ("^^^^",)), False),
        (Element("PN", ("=", "Doe")), False),
        (Element("LO", ("==",)), False),
        (Element("US", (0,)), False),
    ],
)
def test_emptiness(element: Element | None, empty: bool) -> None:
    assert is_empty(element) is empty


@pytest.mark.parametrize(
    ("offset", "minutes"), [("+0100", 60), ("-0530", -330), ("", 15), ("nonsense", 15)]
)
def test_zone_of_a_data_set(offset: str, minutes: int) -> None:
    assert own_zone(data_set(TimezoneOffsetFromUTC=offset), 15) == minutes
    assert own_zone({}, 15) == 15
