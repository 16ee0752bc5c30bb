"""UIDs and the lengths of values (PS3.5 6.2, 9)."""

from __future__ import annotations

import pytest

from dicomquest.dataset.values import check_uid, exceeds_limit
from dicomquest.errors import ValueFormatError


@pytest.mark.requirement("EN-050")
@pytest.mark.parametrize("uid", ["1", "0", "1.2.840.10008.1.1", "2.25." + "9" * 59, "1.0.3"])
def test_uids_of_the_standards_form_are_good(uid: str) -> None:
    check_uid(uid)


@pytest.mark.requirement("EN-050")
@pytest.mark.parametrize(
    "uid",
    ["", "1.02", "1..2", "1.2.", ".1", "1.a", "2.25." + "9" * 60, "1.2\0", "1.2\n", "\uff11.2"],
)
def test_other_uids_are_refused(uid: str) -> None:
    with pytest.raises(ValueFormatError):
        check_uid(uid)


@pytest.mark.requirement("EN-028")
@pytest.mark.parametrize(
    ("vr", "text", "exceeds"),
    [
        ("SH", "x" * 16, False),
        ("SH", "x" * 17, True),
        ("SH", "山" * 16, False),  # 16 characters; 48 bytes of UTF-8, 38 with escapes in ISO 2022
        ("SH", "山" * 17, True),
        ("LO", "e\u0301" * 32, False),
        ("LO", "e\u0301" * 33, True),  # each combining character counts
        ("PN", "山" * 63 + "=" + "x" * 64, False),
        ("PN", "山" * 64 + "=" + "x" * 64, True),
        ("PN", "x" * 64, False),
        ("PN", "x=y=" + "z" * 65, True),
        ("UI", "1" * 65, True),
        ("CS", "X" * 16, False),
        ("UT", "x" * 100_000, False),
    ],
)
def test_limits_count_characters(vr: str, text: str, exceeds: bool) -> None:
    assert exceeds_limit(vr, text) == exceeds
