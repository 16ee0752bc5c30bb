"""The Native DICOM Model read from XML (PS3.19 A.1)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from dicomquest.dataset.elements import BulkAddress, DataSet, Element
from dicomquest.dataset.native_xml import to_native_xml
from dicomquest.dataset.native_xml_reader import from_native_xml
from dicomquest.errors import DataSetError
from dicomquest.standard.vr import VR, Kind
from strategies.dataset import data_sets

NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def expected(data_set: DataSet) -> DataSet:
    """A data set as XML can have it: empty binary values and component groups are not there."""
    found: DataSet = {}
    for tag, (vr, values) in data_set.items():
        kind = VR[vr].kind
        seen: tuple[object, ...]
        if kind is Kind.SEQUENCE:
            seen = tuple(map(expected, values))
        elif vr == "PN":
            seen = tuple(_name(value) for value in values)
        elif kind is Kind.TEXT:
            seen = tuple(NO_XML.sub("\ufffd", value) for value in values)
        else:
            seen = () if values == (b"",) else values
        found[tag] = Element(vr, seen)
    return dict(sorted(found.items()))


def _name(value: str) -> str:
    return "=".join(map(_group, value.split("=", 2))).rstrip("=")


def _group(text: str) -> str:
    parts = [NO_XML.sub("\ufffd", part) for part in text.split("^", 4)]
    return "^".join(parts).rstrip("^")


@given(data_sets)
def test_it_reads_what_the_writer_writes(data_set: DataSet) -> None:
    found = from_native_xml(to_native_xml(data_set).encode("utf-8"))
    assert repr(expected(found)) == repr(expected(data_set))


def model(content: str) -> bytes:
    start = '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
    return f"{start}{content}</NativeDicomModel>".encode()


def attribute(names: str, content: str = "") -> str:
    return f"<DicomAttribute {names}>{content}</DicomAttribute>"


def test_a_private_element_is_in_its_creators_block() -> None:
    element = attribute('tag="00090001" vr="LO" privateCreator="{}"', "<Value>x</Value>")
    creator = attribute('tag="00090020" vr="LO"', "<Value>B</Value>")
    found = from_native_xml(model(element.format("A") + creator + element.format("B")))
    value = Element("LO", ("x",))
    assert found == {
        0x00090020: Element("LO", ("B",)),
        0x00090021: Element("LO", ("A",)),
        0x00092001: value,
        0x00092101: value,
    }


def test_values_come_by_their_numbers_and_by_address() -> None:
    found = from_native_xml(
        model(
            '<DicomAttribute tag="00080061" vr="CS"><Value number="2">B</Value>'
            '<Value number="1">A</Value></DicomAttribute>'
            '<DicomAttribute tag="7fe00010" vr="OW"><BulkData uri="http://a/1"/></DicomAttribute>'
        )
    )
    assert found[0x00080061] == Element("CS", ("A", "B"))
    assert isinstance(found[0x7FE00010].values[0], BulkAddress)


DEEP = '<DicomAttribute tag="00081140" vr="SQ"><Item>' * 40 + "</Item></DicomAttribute>" * 40


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no XML"),
        (b"<a", "no XML"),
        (b"<a/>", "no NativeDicomModel"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (b'<?xml version="1.0" encoding="nothing"?><a/>', "no XML"),
        (model(attribute('tag="1" vr="LO"')), "no tag"),
        (model(attribute('tag="00100010" vr="X"')), "no value representation"),
        (model(attribute('tag="00280010" vr="US"', "<Value>x</Value>")), "US"),
        (model(attribute('tag="00280010" vr="OB"', "<Value>x</Value>")), "OB"),
        (model(attribute('tag="00280010" vr="OB"', "<InlineBinary>!</InlineBinary>")), "OB"),
        (model(attribute('tag="00081140" vr="SQ"', "<Value>x</Value>")), "SQ"),
        (model(DEEP), "deeper"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataSetError, match=words):
        from_native_xml(data)
