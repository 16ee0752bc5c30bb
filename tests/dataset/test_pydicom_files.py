"""Every file that pydicom ships decodes to what pydicom itself reads, element by element."""

from __future__ import annotations

import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.errors import InvalidDicomError

from dicomquest.dataset.charset import choose
from dicomquest.dataset.codec import (
    FILE_LIMITS,
    PIXEL_DATA,
    decode,
    decode_header,
    encode,
)
from dicomquest.dataset.elements import DataSet, Element, from_pydicom
from dicomquest.dataset.part10 import read_file_start
from dicomquest.errors import DataSetError
from dicomquest.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from fixtures.shipped_files import DATA, SHIPPED

# Of a sequence that is cut off, pydicom reads the beginning; our decoder leaves it out as a whole.
CUT_OFF = {"rtplan_truncated.dcm": 0x300A00B0, "DICOMDIR-nooffset": 0x00041220}


def read_by_pydicom(path: Path) -> DataSet:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_pydicom(pydicom.dcmread(path, force=True))


def without_trailing_groups(element: Element | None) -> Element | None:
    """A name as pydicom gives it: without trailing empty component groups."""
    if element is not None and element.vr == "PN":
        return Element("PN", tuple(value.rstrip("=") for value in element.values))
    return element


@pytest.mark.requirement("EN-001", "EN-006", "EN-014", "EN-018", "EN-021", "EN-022", "EN-027")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_file_decodes_to_what_pydicom_reads(path: Path) -> None:
    data = path.read_bytes()
    try:
        start = read_file_start(data)
    except DataSetError:
        with pytest.raises(InvalidDicomError):
            pydicom.dcmread(path)
        return
    header = decode_header(data, start.transfer_syntax, start=start.start)
    expected = {tag: element for tag, element in read_by_pydicom(path).items() if tag < PIXEL_DATA}
    if path.name in CUT_OFF:
        assert header.needed > len(data)
        del expected[CUT_OFF[path.name]]
    assert sorted(header.data_set) == sorted(expected)
    for tag, element in expected.items():
        assert without_trailing_groups(header.data_set[tag]) == without_trailing_groups(element), (
            f"{tag:08X}"
        )


def test_files_are_many() -> None:
    """The folders are where they are thought to be."""
    assert len(SHIPPED) > 150


@pytest.mark.requirement("EN-021", "EN-022", "EN-023", "EN-030")
@pytest.mark.parametrize(
    "path", sorted((DATA / "charset_files").glob("*.dcm")), ids=lambda path: path.name
)
def test_shipped_text_survives_in_both_charsets(path: Path) -> None:
    """Text of a shipped file survives in its own character set and in UTF-8."""
    data = path.read_bytes()
    start = read_file_start(data)
    data_set = decode_header(data, start.transfer_syntax, start=start.start).data_set
    own = data_set.pop(0x00080005).values
    texts = {tag: element for tag, element in data_set.items() if element.vr != "SQ"}
    for requested in (own, ("ISO_IR 192",)):
        terms = choose(texts, requested)
        for transfer_syntax in (EXPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN):
            encoded = encode(texts, transfer_syntax, terms)
            again = decode(encoded, transfer_syntax, limits=FILE_LIMITS)
            again.pop(0x00080005, None)
            assert again == texts
