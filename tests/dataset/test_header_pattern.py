"""A pattern matches headers that have its bytes but for some short values (PS3.5 7.1)."""

from __future__ import annotations

import pytest

from dicomquest.dataset.codec import decode_header, encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.dataset.header_pattern import HeaderPattern, header_pattern
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.building import instance, tag_of

UID, NUMBER = tag_of("SOPInstanceUID"), tag_of("InstanceNumber")
PIXELS = {0x7FE00010: Element("OW", (bytes(100),))}
CODES = [{0x00080100: Element("SH", ("T-1",))}]
SYNTAXES = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]


def encoded(number: int, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN, **values: object) -> bytes:
    """A header between bytes that are none, with pixel data behind it."""
    header = instance(number, InstanceNumber=str(number), AnatomicRegionSequence=CODES, **values)
    return b"meta" + encode({**header, **PIXELS}, syntax)


def pattern_of(
    data: bytes, *tags: int, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN
) -> HeaderPattern | None:
    header = decode_header(data, syntax, start=4)
    return header_pattern(
        data,
        4,
        header.end,
        tags,
        explicit=syntax == EXPLICIT_VR_LITTLE_ENDIAN,
        stops=header.stopped,
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_changed_values_of_other_lengths_match(syntax: str) -> None:
    pattern, other = (
        pattern_of(encoded(1, syntax), UID, NUMBER, syntax=syntax),
        encoded(1234, syntax),
    )
    assert pattern is not None
    match = pattern.match(other, 4)
    assert match is not None
    assert match.elements == [Element("UI", ("1.2.1.1.1234",)), Element("IS", ("1234",))]
    assert match.end == decode_header(other, syntax, start=4).end


@pytest.mark.parametrize(
    "values",
    [
        {"PatientName": "B"},
        {"PatientName": ""},
        {"SliceLocation": "1"},
        {"InstanceNumber": "1" * 80},
        {"InstanceNumber": "\xe4"},
    ],
    ids=["changed", "emptied", "added", "long", "not ASCII"],
)
def test_other_changes_do_not_match(values: dict[str, str]) -> None:
    pattern = pattern_of(encoded(1, PatientName="A"), UID, NUMBER)
    assert pattern is not None
    other: DataSet = {
        **instance(2, InstanceNumber="2", AnatomicRegionSequence=CODES, PatientName="A"),
        **{tag_of(keyword): Element("LO", (value,)) for keyword, value in values.items()},
        **PIXELS,
    }
    data = b"meta" + encode(dict(sorted(other.items())), EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 100",))
    assert pattern.match(data, 4) is None


def test_cut_header_does_not_match() -> None:
    data = encoded(1)
    pattern = pattern_of(data, UID, NUMBER)
    assert pattern is not None
    end = decode_header(data, EXPLICIT_VR_LITTLE_ENDIAN, start=4).end
    assert all(pattern.match(data[:size], 4) is None for size in range(4, end + 4))


def test_header_without_pixel_data_ends_the_data() -> None:
    data = b"meta" + encode(instance(1), EXPLICIT_VR_LITTLE_ENDIAN)
    pattern = pattern_of(data, UID)
    assert pattern is not None
    assert pattern.match(data, 4) is not None
    assert pattern.match(data + bytes(8), 4) is None


@pytest.mark.parametrize("tag", [tag_of("AnatomicRegionSequence"), tag_of("PatientName")])
def test_sequence_or_missing_element_has_no_pattern(tag: int) -> None:
    assert pattern_of(encoded(1), tag) is None
