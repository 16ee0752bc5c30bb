"""A value that its VR does not allow is refused, with the value that was probably meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dicomquest.dataset.written_values import written_value
from dicomquest.errors import WrittenValueError

NOW = datetime(2024, 3, 13, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("CS", "CT"),
        ("CS", "C?*"),
        ("UI", "1.2.840"),
        ("UI", "1.02"),
        ("AS", "045Y"),
        ("IS", " -12 "),
        ("DS", "1.5e3"),
        ("PN", "A" * 64 + "=" + "B" * 64),
        ("LO", "A" * 70 + "*"),
        ("SH", '""'),
        ("DA", ""),
        ("LT", "two\nlines"),
        ("US", "any"),
        ("SQ", "any"),
    ],
)
def test_value_of_the_vr_stays(vr: str, text: str) -> None:
    assert written_value(vr, text, NOW) == text


@pytest.mark.parametrize(
    ("vr", "text", "perhaps"),
    [
        ("CS", "ct", "CT"),
        ("CS", "CT,MR", "CT\\MR"),
        ("CS", "ct*", "CT*"),
        ("CS", "male", "M"),
        ("CS", "Ä", ""),
        ("CS", "A" * 17, ""),
        ("UI", "1.2.*", ""),
        ("UI", "*", ""),
        ("UI", "1.2.3, 1.2.4", "1.2.3\\1.2.4"),
        ("UI", "1.2.3.", "1.2.3"),
        ("UI", "1." * 40 + "1", ""),
        ("UI", "abc", ""),
        ("AS", "45", "045Y"),
        ("AS", "6 months", "006M"),
        ("IS", "1.5", ""),
        ("IS", "99999999999", ""),
        ("DS", "1,5", "1.5"),
        ("DS", "nan", ""),
        ("SH", "A" * 17, ""),
        ("PN", "A" * 65, ""),
        ("LO", "a\nb", "a b"),
        ("AE", "A" * 17, ""),
        ("DA", "20241301", "2024-01-13"),
    ],
)
def test_other_value_is_refused(vr: str, text: str, perhaps: str) -> None:
    with pytest.raises(WrittenValueError) as caught:
        written_value(vr, text, NOW)
    assert caught.value.perhaps == perhaps
    assert str(caught.value).startswith(f"'{text}' ")


def test_now_is_the_day_of_the_one_who_asks() -> None:
    assert written_value("DA", "today", NOW) == "20240313"
    assert written_value("DT", "yesterday", NOW) == "20240312"
    assert written_value("TM", "10:11", NOW) == "1011"
