"""The cases of DCMTK's unit test of attribute matching (dcmdata/tests/tmatch.cc), as facts.

Each row has VR, key, stored value, DCMTK's answer, ours, and the reason if the answers differ.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from dicomquest.errors import ValueFormatError
from dicomquest.query.identifier.key_values import read_key
from dicomquest.query.matching import matches
from dicomquest.query.options import QueryOptions
from dicomquest.query.search_forms import search_form


class Vector(NamedTuple):
    vr: str
    key: str
    stored: str
    theirs: bool
    ours: bool
    why: str = ""


YES, NO = True, False
# A bound stands for the whole interval that its precision leaves open, as a single value does.
# PS3.4 C.2.2.2.1.3 leaves this open, and an SCU that asks for times up to 12 wants 12:00:01, too.
INTERVAL = "the upper bound is the last instant of its interval, not the first"
VECTORS = [
    Vector("LO", "", "hello world", YES, YES),
    Vector("LO", "*", "hello world", YES, YES),
    Vector("LO", "?", "hello world", NO, NO),
    Vector("LO", "?*", "hello world", YES, YES),
    Vector("LO", "?ell*??l?", "hello world", YES, YES),
    Vector("LO", "?ell***?*?l??", "hello world", NO, NO),
    Vector("LO", "?ell*?**?l?*", "hello world", YES, YES),
    Vector("DA", "", "20170224", YES, YES),
    Vector("DA", "1987.08.02", "19870802", YES, YES),
    Vector("DA", "-20000101", "20000101", YES, YES),
    Vector("DA", "-20000101", "19990531", YES, YES),
    Vector("DA", "-20000101", "20010101", NO, NO),
    Vector("DA", "20000101-", "20010101", YES, YES),
    Vector("DA", "20000101-", "19991231", NO, NO),
    Vector("DA", "19990101-20000305", "20000101", YES, YES),
    Vector("DA", "19990101-20000305", "19980107", NO, NO),
    Vector("DA", "19990101-20000305", "20000306", NO, NO),
    Vector("DA", "19990101-20000305", "122713.114122", NO, NO),
    Vector("DA", "20160101-20181231", "20170713", YES, YES),
    Vector("TM", "", "120224", YES, YES),
    Vector("TM", "11:23:17.123456", "112317.123456", YES, YES),
    Vector("TM", "-12", "120000", YES, YES),
    Vector("TM", "-12", "113059.654321", YES, YES),
    Vector("TM", "-12", "120000.000001", NO, YES, INTERVAL),
    Vector("TM", "1200-", "120000.000000", YES, YES),
    Vector("TM", "12-", "115959.999999", NO, NO),
    Vector("TM", "11-121428.234763", "12", YES, YES),
    Vector("TM", "11-121428.234763", "105959.999999", NO, NO),
    Vector("TM", "11-121428.234763", "121428.234764", NO, NO),
    Vector("TM", "11-121428.234763", "20140909", NO, NO),
    Vector("TM", "-12", "11", YES, YES),
    Vector("DT", "", "20170224120224+0100", YES, YES),
    Vector("DT", "20170224113224.000000+0030", "20170224120224+0100", YES, YES),
    Vector("DT", "-2000", "20000101000000.000000", YES, YES),
    Vector("DT", "-2000", "19990531132417.231194", YES, YES),
    Vector("DT", "-2000", "20000102000000.000001", NO, YES, INTERVAL),
    Vector("DT", "200001-", "2001010100", YES, YES),
    Vector("DT", "2000-", "19991231235959.999999", NO, NO),
    Vector("DT", "1999-20000305173259.123456", "1998010712+0430", NO, NO),
    Vector("DT", "1999-20000305173259.123456", "20000306", NO, NO),
    Vector("DT", "1999-20000305173259.123456", "122713.114122", NO, NO),
    Vector("UI", "", "123.456.789.10", YES, YES),
    Vector("UI", "123.456.789.10", "123.456.789.10", YES, YES),
    Vector("UI", "456.789.10", "123.456.789.10", NO, NO),
    Vector("UI", r"456.789.10\123.456.789.10", "123.456.789.10", YES, YES),
    Vector("UI", r"456.789.10\123.456.789.10\456.123.789.10", "123.456.789.10", YES, YES),
    Vector("UI", r"456.789.10\123.456.79.10\456.123.789.10", "123.456.789.10", NO, NO),
    Vector("LO", "", "Hello world!", YES, YES),
    Vector("LO", "Hello world!", "Hello world!", YES, YES),
    Vector("LO", "Hello*world!", "Hello*world!", YES, YES),
    Vector(
        "LO",
        "Hello*world!",
        "Hello world!",
        NO,
        YES,
        "C.2.2.2.4: an asterisk in a wild card VR is no literal",
    ),
    Vector("PN", "M?ller", "^Martin", NO, NO),
]


@pytest.mark.requirement(
    "QR-090", "QR-091", "QR-094", "QR-098", "QR-099", "QR-100", "QR-101", "QR-103"
)
@pytest.mark.parametrize(
    "vector", VECTORS, ids=lambda vector: f"{vector.vr} {vector.key!r} {vector.stored!r}"
)
def test_vector(vector: Vector) -> None:
    try:
        criterion = read_key(
            vector.vr, tuple(vector.key.split("\\")) if vector.key else (), "1", QueryOptions(), 0
        )
    except ValueFormatError:
        found = False
    else:
        found = criterion is None or matches(criterion, search_form(vector.vr, vector.stored, 0))
    assert found is vector.ours
    assert (vector.ours is vector.theirs) is (not vector.why)
