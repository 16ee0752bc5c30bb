"""Data sets as pydicom writes them to files: every VR, private blocks, sequences of any form."""

from __future__ import annotations

import string

from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomquest.standard.vr import VALUE_REPRESENTATIONS, Kind

CHOICES = {
    "US or SS": ["US", "SS"],
    "OB or OW": ["OW"],  # implicit VR has OW alone
    "US or OW": ["OW"],
    "US or SS or OW": ["OW"],
}
PIXEL_REPRESENTATION = 0x00280103
# pydicom's dictionary knows these elements of the first creator; nobody knows the second.
KNOWN_CREATOR, UNKNOWN_CREATOR = "GEMS_IDEN_01", "DICOMQUEST TEST"
KNOWN_ELEMENTS = {0x02: "SH", 0x30: "SH", 0xE2: "LT", 0xE6: "SH", 0xE8: "DS"}
# Specific Character Set, Pixel Representation and Pixel Data stand for more than themselves, and
# pydicom treats these descriptors of tables by rules of its own.
_LEFT_OUT = {0x00080005, PIXEL_REPRESENTATION, 0x7FE00010}
_LEFT_OUT |= {0x00281101, 0x00281102, 0x00281103, 0x00283002}

TAGS: dict[str, list[int]] = {}
for _tag, _row in DicomDictionary.items():
    if _tag >> 16 >= 0x0008 and _tag >> 16 < 0xFFFA and _tag & 0xFFFF and _tag not in _LEFT_OUT:
        TAGS.setdefault(_row[0], []).append(_tag)

_WORDS = st.text(string.ascii_letters + string.digits + " ^=", max_size=20)
_NUMBERS = {
    "US": st.integers(0, 0xFFFF),
    "SS": st.integers(-0x8000, 0x7FFF),
    "UL": st.integers(0, 0xFFFFFFFF),
    "SL": st.integers(-0x80000000, 0x7FFFFFFF),
    "UV": st.integers(0, (1 << 64) - 1),
    "SV": st.integers(-(1 << 63), (1 << 63) - 1),
    "FL": st.floats(width=32, allow_nan=False),
    "FD": st.floats(allow_nan=False),
    "AT": st.integers(0, 0xFFFFFFFF),
}
_LENGTHS = st.one_of(st.integers(0, 20), st.sampled_from([8_192, 16_384]))
_PLAIN = [row for row in VALUE_REPRESENTATIONS if row.vr not in {"SQ", "UN"}]


def _texts(vr: str) -> st.SearchStrategy[object]:
    if vr in {"DS", "IS"}:
        return st.lists(st.integers(-999, 99_999).map(str), max_size=4)
    if vr == "UI":
        return st.lists(st.sampled_from(["1.2.3", "1.2.840.10008.1.2", "2.25.1"]), max_size=3)
    if vr in {"LT", "ST", "UT", "UR"}:
        return st.one_of(_WORDS, st.just("x" * 70_001)) if vr == "UT" else _WORDS
    return st.lists(_WORDS, max_size=4)


def values(vr: str) -> st.SearchStrategy[object]:
    """Draw the value of an element, long ones among them."""
    if vr in _NUMBERS:
        few = st.lists(_NUMBERS[vr], max_size=5)
        many = st.tuples(_NUMBERS[vr], _LENGTHS).map(lambda drawn: [drawn[0]] * drawn[1])
        return st.one_of(few, few, few, many)
    row = next(row for row in VALUE_REPRESENTATIONS if row.vr == vr)
    if row.kind is Kind.OPAQUE:
        words = st.tuples(st.binary(min_size=8, max_size=8), _LENGTHS)
        return words.map(lambda drawn: drawn[0] * drawn[1])
    return _texts(vr)


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 2) -> Dataset:
    """Draw a data set; its sequences are of defined or undefined length, as their items are."""
    dataset = Dataset()
    rows = draw(st.lists(st.sampled_from(_PLAIN), max_size=6))
    for vr in [row.vr for row in rows]:
        tag = draw(st.sampled_from(TAGS[vr]))
        dataset.add(DataElement(tag, vr, draw(values(vr))))
    for choice, written in CHOICES.items():
        if draw(st.booleans()):
            vr = draw(st.sampled_from(written))
            dataset.add(DataElement(draw(st.sampled_from(TAGS[choice])), vr, draw(values(vr))))
    if draw(st.booleans()):
        signed = draw(st.integers(0, 1))
        dataset.add(DataElement(PIXEL_REPRESENTATION, "US", signed))
    if draw(st.booleans()):
        block = dataset.private_block(0x0009, KNOWN_CREATOR, create=True)
        for offset, vr in KNOWN_ELEMENTS.items():
            if draw(st.booleans()):
                block.add_new(offset, vr, draw(_texts(vr)))
    if draw(st.booleans()):
        block = dataset.private_block(0x0029, UNKNOWN_CREATOR, create=True)
        vr = draw(st.sampled_from(_PLAIN)).vr
        block.add_new(1, vr, draw(values(vr)))
        block.add_new(2, "UN", draw(values("UN")))
        if depth:
            block.add_new(3, "SQ", draw(_sequences(depth)))
    if depth and draw(st.booleans()):
        tag = draw(st.sampled_from(TAGS["SQ"]))
        dataset.add(DataElement(tag, "SQ", draw(_sequences(depth))))
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = draw(st.booleans())
    return dataset


@st.composite
def _sequences(draw: st.DrawFn, depth: int) -> Sequence:
    items = draw(st.lists(data_sets(depth=depth - 1), max_size=2))
    for item in items:
        item.is_undefined_length_sequence_item = draw(st.booleans())
    return Sequence(items)
