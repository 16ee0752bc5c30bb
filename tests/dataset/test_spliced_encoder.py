"""Data sets whose large values are elsewhere, encoded and read again (PS3.5 7.1.2, 7.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.dataset.codec import decode
from dicomquest.dataset.elements import BulkAddress, DataSet, Element
from dicomquest.dataset.encoder import encode
from dicomquest.dataset.limits import FILE_LIMITS
from dicomquest.dataset.spliced_encoder import (
    BULK_VRS,
    BulkParts,
    Extent,
    Survey,
    encode_spliced,
    survey,
)
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.standard.vr import VR, Kind
from strategies.dataset import data_sets


def spliced(data_set: DataSet, values: dict[str, bytes], *, is_utf_8: bool = True) -> bytes:
    """The bytes of a data set whose values by address are given."""
    all_values, places = b"", {}
    for address, value in values.items():
        places[address] = BulkParts((Extent(len(all_values), len(value)),))
        all_values += value
    return b"".join(
        piece if isinstance(piece, bytes) else all_values[piece.start : piece.start + piece.length]
        for piece in encode_spliced(data_set, places.__getitem__, is_utf_8=is_utf_8)
    )


def by_address(data: st.DataObject, data_set: DataSet) -> tuple[DataSet, dict[str, bytes]]:
    """A data set with some values elsewhere, in items too."""
    values: dict[str, bytes] = {}

    def moved(before: DataSet) -> DataSet:
        after = {}
        for tag, element in before.items():
            vr = element.vr
            if vr == "SQ":
                after[tag] = Element(vr, tuple(moved(item) for item in element.values))
            elif vr in BULK_VRS and bool(element.values) and data.draw(st.booleans()):
                length = 12 if VR[vr].long_form else 8
                address = BulkAddress(f"a{len(values)}")
                values[address] = encode({tag: element}, EXPLICIT_VR_LITTLE_ENDIAN)[length:]
                after[tag] = Element(vr, (address,))
            else:
                after[tag] = element
        return after

    return moved(data_set), values


ASCII = data_sets.filter(lambda each: not survey(each).needs_utf_8)


@given(st.data())
def test_it_is_the_encoder_with_values_elsewhere(data: st.DataObject) -> None:
    before = data.draw(ASCII)
    apart, values = by_address(data, before)
    found = spliced(apart, values, is_utf_8=False)
    whole = encode(before, EXPLICIT_VR_LITTLE_ENDIAN)
    read = [decode(each, EXPLICIT_VR_LITTLE_ENDIAN, limits=FILE_LIMITS) for each in (found, whole)]
    assert read[0] == read[1]


@given(data_sets)
def test_without_addresses_it_is_the_encoder(data_set: DataSet) -> None:
    expected = encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, ("ISO_IR 192",))
    assert spliced(data_set, {}) == expected


def test_a_survey_finds_addresses_and_text() -> None:
    item: DataSet = {0x00081030: Element("LO", ("é",)), 9 << 16: Element("OB", ())}
    item[0x00091010] = Element("UN", (BulkAddress("u"),))
    found = survey({0x00081140: Element("SQ", ({}, item)), 0x00080016: Element("UI", ("1.2",))})
    assert found == Survey({BulkAddress("u"): "UN"}, needs_utf_8=True)
    assert survey({0x00080016: Element("UI", ("1.2",))}) == Survey({}, needs_utf_8=False)
    # Text elsewhere may be anything.
    assert survey({0x0040A160: Element("UT", (BulkAddress("u"),))}).needs_utf_8


def test_sequences_have_a_depth() -> None:
    data_set: DataSet = {}
    for _ in range(FILE_LIMITS.depth):
        data_set = {0x00081140: Element("SQ", (data_set,))}
    with pytest.raises(DataSetError, match="deeper than 32"):
        survey(data_set)


@pytest.mark.parametrize("vr", ["PN", "SQ", "UI", "AT", "SH"])
def test_not_every_vr_has_addresses(vr: str) -> None:
    with pytest.raises(DataSetError, match=f"VR {vr}"):
        survey({0x00091010: Element(vr, (BulkAddress("u"),))})
    assert all(VR[each].kind is not Kind.SEQUENCE for each in BULK_VRS)


def test_a_value_is_as_long_as_its_field_can_say() -> None:
    address = BulkAddress("u")
    for vr, length in (("UT", 1 << 32), ("OW", (1 << 32) - 1), ("LT", 1 << 16)):
        parts = BulkParts((Extent(0, length),))
        pieces = encode_spliced(
            {0x00091010: Element(vr, (address,))}, {address: parts}.__getitem__, is_utf_8=False
        )
        with pytest.raises(DataSetError, match="longer than"):
            list(pieces)


def test_only_pixel_data_is_compressed() -> None:
    address = BulkAddress("u")
    parts = BulkParts((Extent(0, 3),), is_compressed=True)
    with pytest.raises(DataSetError, match="only pixel data"):
        list(
            encode_spliced(
                {0x00091010: Element("OB", (address,))}, {address: parts}.__getitem__,
                is_utf_8=False,
            )
        )  # fmt: skip
