from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    Criterion,
    EmptyValue,
    MultipleValue,
    SingleNumber,
    SingleValue,
    UIDList,
    Wild,
    WildCard,
)
from dicomquest.query.identifier.key_values import LONGEST_WILD_CARD, read_key
from dicomquest.query.options import QueryOptions
from dicomquest.standard.vr import VR, Kind, Matching
from fixtures.building import instance, matched

PLAIN = QueryOptions()
EMPTY = QueryOptions(empty_value=True)
MULTIPLE = QueryOptions(multiple_value=True)


def read(vr: str, *values: Any, options: QueryOptions = PLAIN, vm: str = "1") -> Criterion | None:
    return read_key(vr, values, vm, options, 0)


@pytest.mark.requirement("QR-090")
@pytest.mark.parametrize("vr", sorted(set(VR) - {"SQ"}))
def test_no_value_is_universal(vr: str) -> None:
    assert read(vr) is None
    if VR[vr].kind is Kind.TEXT:
        assert read(vr, "") is None
        assert read(vr, "  ") is None


@pytest.mark.requirement("QR-091")
@pytest.mark.parametrize("vr", ["AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"])
def test_star_alone_is_universal(vr: str) -> None:
    """A star alone is universal in VRs that allow wild cards."""
    assert read(vr, "*") is None
    assert read(vr, "**") is None


@pytest.mark.requirement("QR-096")
@pytest.mark.parametrize("key", ["*", "?", "1*", "1?", "??"])
@pytest.mark.parametrize("vr", ["DA", "TM", "DT", "IS", "DS", "AS"])
def test_wild_cards_elsewhere_are_errors(vr: str, key: str) -> None:
    """Wild cards in other VRs are errors and never universal."""
    with pytest.raises(ValueFormatError):
        read(vr, key)


@pytest.mark.requirement("QR-096")
def test_star_alone_in_a_uid() -> None:
    """A star alone in a UID key is universal unless strict."""
    assert read("UI", "*") is None
    with pytest.raises(ValueFormatError):
        read("UI", "*", options=QueryOptions(strict=True))
    for keys in (("1.2*",), ("?",), ("1.2", "*"), ("**",)):
        with pytest.raises(ValueFormatError):
            read("UI", *keys)


@pytest.mark.requirement("QR-093")
@pytest.mark.parametrize(
    ("vr", "key", "value"),
    [
        ("LO", " CHEST ", "CHEST"),
        ("SH", " CHEST", "CHEST"),
        ("CS", "CHEST ", "CHEST"),
        ("AE", " CHEST ", "CHEST"),
        ("LT", " CHEST ", " CHEST"),
        ("UT", " CHEST ", " CHEST"),
        ("ST", " CHEST ", " CHEST"),
        ("UR", "CHEST ", "CHEST"),
        ("UC", " CHEST ", " CHEST"),
        ("UI", "1.2\0", "1.2"),
        ("UI", "1.2 ", "1.2"),
    ],
)
def test_padding_is_insignificant(vr: str, key: str, value: str) -> None:
    assert read(vr, key) == SingleValue(value)


@pytest.mark.requirement("QR-092")
@pytest.mark.parametrize(
    "keyword", ["StationAETitle", "BodyPartExamined", "ProtocolName", "StationName"]
)
def test_text_is_case_sensitive(keyword: str) -> None:
    stored = [instance(1, **{keyword: "CHEST"}), instance(2, series=2, **{keyword: "chest"})]
    assert matched(stored, **{keyword: "CHEST"}) == [1]
    assert matched(stored, **{keyword: "ch*"}) == [2]
    assert matched(stored, **{keyword: "CHEST "}) == [1]


@pytest.mark.requirement("QR-092")
@pytest.mark.parametrize(
    "keyword",
    ["ImageComments", "DerivationDescription", "LongCodeValue", "TextValue", "RetrieveURL"],
)
def test_long_text_is_case_sensitive_too(keyword: str) -> None:
    stored = [instance(1, **{keyword: r"a\B"}), instance(2, **{keyword: r"A\b"})]
    if keyword != "LongCodeValue":
        assert matched(stored, **{keyword: r"a\B"}) == [1]
    assert matched(stored, **{keyword: "A*"}) == [2]


@pytest.mark.requirement("QR-120")
@pytest.mark.parametrize(
    ("keyword", "key", "stored", "expected"),
    [
        ("SeriesNumber", "7", "007", True),
        ("SeriesNumber", "+7", "7", True),
        ("SeriesNumber", "7", "-7", False),
        ("SeriesNumber", "7", "70", False),
        ("InstanceNumber", "-0", "0", True),
        ("PatientWeight", "1.5", "1.50", True),
        ("PatientWeight", "15E-1", "1.5", True),
        ("PatientWeight", "1.5", "1.51", False),
        ("PatientWeight", "0.1", "abc", False),
    ],
)
def test_numbers_match_by_value(keyword: str, key: str, stored: str, expected: bool) -> None:
    assert bool(matched([instance(**{keyword: stored})], **{keyword: key})) is expected


@pytest.mark.parametrize("vr", ["IS", "DS", "US", "FL", "AS", "AT"])
def test_unfit_value_is_an_error(vr: str) -> None:
    with pytest.raises(ValueFormatError):
        read(vr, "abc")


@pytest.mark.requirement("QR-103")
def test_uids_are_a_list_without_duplicates() -> None:
    """UIDs are a list, each once, and empty ones do not count."""
    assert read("UI", "1.2", "", "1.3", "1.2") == UIDList(("1.2", "1.3"))
    assert read("UI", "1.2", "", "1.2") == SingleValue("1.2")


@pytest.mark.parametrize("vr", ["UI", "LO", "PN", "DA", "IS"])
def test_delimiters_alone_are_no_universal_key(vr: str) -> None:
    with pytest.raises(ValueFormatError):
        read(vr, "", "")


@pytest.mark.requirement("QR-033")
def test_several_values_are_any_of_them_or_error() -> None:
    several = AnyOf((SingleValue("CT"), WildCard(("M", Wild.ANY))))
    assert read("CS", "CT", "", "M*") == several
    with pytest.raises(ValueFormatError):
        read("CS", "CT", "MR", options=QueryOptions(several_values="reject"))
    assert read("IS", "1", "02") == AnyOf((SingleNumber("1"), SingleNumber("2")))


@pytest.mark.requirement("QR-119")
def test_multiple_value_matching_needs_multiplicity() -> None:
    """Multiple Value matching is for attributes of several values."""
    assert read("CS", "CT", "P*", options=MULTIPLE, vm="1-n") == MultipleValue(
        (SingleValue("CT"), SingleValue("P*"))
    )
    assert isinstance(read("CS", "CT", "PT", options=MULTIPLE, vm="1"), AnyOf)
    assert isinstance(read("IS", "1", "2", options=MULTIPLE, vm="1-n"), AnyOf)
    with pytest.raises(ValueFormatError):
        read("PN", "DOE*", "ROE", options=MULTIPLE, vm="1-n")
    with pytest.raises(ValueFormatError):
        read("PN", "=", "ROE", options=MULTIPLE, vm="1-n")


@pytest.mark.requirement("QR-117", "QR-118")
@pytest.mark.parametrize("vr", sorted(set(VR) - {"SQ", "UN"}))
def test_empty_value_key_suits_text_dates_names(vr: str) -> None:
    """The Empty Value key is for text, dates and names."""
    if Matching.EMPTY_VALUE in VR[vr].matching:
        assert read(vr, '""', options=EMPTY) == EmptyValue()
    elif VR[vr].kind is Kind.TEXT and vr != "UI":
        with pytest.raises(ValueFormatError):
            read(vr, '""', options=EMPTY)
    if Matching.WILD_CARD in VR[vr].matching and vr != "PN":
        assert read(vr, '""') == SingleValue('""')


@pytest.mark.requirement("QR-032")
def test_values_longer_than_vr_allows_are_read() -> None:
    assert read("SH", "X" * 500) == SingleValue("X" * 500)
    assert read("CS", "abc" * 30 + "*") == WildCard(("abc" * 30, Wild.ANY))
    assert matched([instance(AccessionNumber="X" * 40)], AccessionNumber="X" * 39 + "?") == [1]


def test_wild_card_that_no_database_takes_is_error() -> None:
    """A pattern that no database takes is an error."""
    assert read("UT", "*" + "a" * (LONGEST_WILD_CARD - 1))
    for vr in ("UT", "PN"):
        with pytest.raises(ValueFormatError, match="10240"):
            read(vr, "*" + "a" * LONGEST_WILD_CARD)


def test_keys_are_compared_in_nfc() -> None:
    assert read("LO", "Mu\u0308ller") == SingleValue("Müller")
    assert read("LO", "?u\u0308*") == WildCard((Wild.ONE, "ü", Wild.ANY))


def test_key_of_unknown_vr_is_kept_as_bytes_and_text() -> None:
    assert read("UN", b"ABC ") == ByStoredVR(b"ABC ", "ABC")
    assert read("UN", b"\0\0") is None


@given(
    st.sampled_from(["LO", "PN", "UI", "DA", "TM", "DT", "IS", "DS", "AS", "UT"]),
    st.lists(st.text(max_size=12)),
)
@example("PN", ["=^ "])
def test_any_text_is_read_or_value_format_error(vr: str, texts: list[str]) -> None:
    """A key value is universal only if it is empty or has a star in it.

    A name of delimiters alone is empty (PS3.5 6.2.1.1).
    """
    padding = " \0^=" if vr == "PN" else " \0"
    try:
        criterion = read(vr, *texts)
    except ValueFormatError:
        return
    if criterion is None:
        assert all(not text.strip(padding) for text in texts) or any("*" in text for text in texts)
