"""Numbers as one canonical text (PS3.5 6.2: IS, DS)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.codec import decode, encode
from dicomquest.dataset.elements import Element
from dicomquest.dataset.numbers import canonical_number
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN


@pytest.mark.requirement("EN-047")
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", "7"),
        ("007", "7"),
        ("+7", "7"),
        (" 7 ", "7"),
        ("-7", "-7"),
        ("-0", "0"),
        ("0.00", "0"),
        ("1.50", "1.5"),
        ("15E-1", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("-1.25e-3", "-0.00125"),
        ("12345678901234567890", "12345678901234567890"),
        ("", None),
        (".", None),
        ("-", None),
        ("e5", None),
        ("1e", None),
        ("abc", None),
        ("1 2", None),
        ("NaN", None),
        ("inf", None),
        ("1_000", None),
        ("\uff17", None),
        ("1e999999999", None),
        ("1" * 500, None),
    ],
)
def test_number_has_one_text(text: str, number: str | None) -> None:
    assert canonical_number(text) == number


@pytest.mark.requirement("EN-047")
@given(
    first=st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000
    ),
    second=st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000
    ),
    exponent=st.integers(-5, 5),
)
def test_texts_are_equal_exactly_where_numbers_are(
    first: Decimal, second: Decimal, exponent: int
) -> None:
    assert (canonical_number(str(first)) == canonical_number(str(second))) == (first == second)
    written = f"{first.scaleb(-exponent):f}E{exponent}"
    assert canonical_number(written) == canonical_number(str(first))
    assert Decimal(canonical_number(written) or "NaN") == first


@pytest.mark.requirement("EN-047")
@pytest.mark.parametrize("text", ["007", "+7", "1.50", "-0", "1.0"])
@pytest.mark.parametrize("vr", ["IS", "DS"])
def test_number_strings_keep_their_text(vr: str, text: str) -> None:
    data_set = {0x00091001: Element(vr, (text, "2"))}
    assert (
        decode(encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN) == data_set
    )
