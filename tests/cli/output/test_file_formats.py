"""XML, DICOM files and the DICOM JSON Model, read by the programs that others wrote for them."""

from __future__ import annotations

import io
import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from pydicom import Dataset, dcmread

from dicomquest.cli.output.formats import FORMATS
from dicomquest.cli.output.page import Page
from dicomquest.dataset.elements import DataSet, Element, from_pydicom
from dicomquest.query.identifier.key_arguments import parse_keys
from dicomquest.standard.levels import Level
from fixtures.timing import LONG

NAME = "Yamada^Tarou=山田^太郎=やまだ^たろう"
MATCH: DataSet = {
    0x00080005: Element("CS", ("ISO 2022 IR 87",)),
    0x00080016: Element("UI", ("1.2.840.10008.5.1.4.1.1.2",)),
    0x00080018: Element("UI", ("1.2.3.4",)),
    0x00080061: Element("CS", ("CT", "SR")),
    0x00081030: Element("LO", ("<Knee> & 'hip' größer",)),
    0x00100010: Element("PN", (NAME,)),
    0x00101001: Element("PN", ("Müller^Jürgen", "Doe^John^Q^Dr^Jr")),
    0x0020000D: Element("UI", ("1.2.3",)),
    0x00230010: Element("LO", ("ACME",)),
    0x00231001: Element("LO", ("private",)),
    0x00280010: Element("US", (512,)),
    0x00400275: Element("SQ", ({0x00400009: Element("SH", ("S1",))},)),
}
PLAIN = {tag: element for tag, element in MATCH.items() if tag != 0x00080005}
NAMESPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def written(name: str, matches: Sequence[DataSet], folder: Path | None = None) -> str:
    keys = tuple(parse_keys(["PatientName"]))
    out = io.StringIO()
    FORMATS[name].write(matches, Page(keys, frozenset(), Level.STUDY, out, folder=folder))
    return out.getvalue()


def test_pydicom_reads_the_json_model() -> None:
    (read,) = (Dataset.from_json(each) for each in json.loads(written("dicom-json", [MATCH])))
    assert from_pydicom(read) == MATCH


def test_pydicom_reads_the_file_of_a_match(tmp_path: Path) -> None:
    written("dcm", [MATCH], tmp_path)
    read = from_pydicom(dcmread(tmp_path / "1.2.3.dcm"))
    assert read.pop(0x00080005) == Element("CS", ("ISO_IR 192",))
    assert read == PLAIN


def test_name_of_a_file_is_no_path(tmp_path: Path) -> None:
    """Only a UID names a file, and a second match of it does not replace the first."""
    odd: DataSet = {0x0020000D: Element("UI", ("../../1.2",))}
    written("dcm", [odd, MATCH, MATCH], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1.2.3-000003.dcm", "1.2.3.dcm", "match-000001.dcm",
    ]  # fmt: skip


def test_xml_is_well_formed() -> None:
    """Each character that XML has not is replaced."""
    odd: DataSet = {0x00100010: Element("PN", ("A\x1b^B",))}
    root = ET.fromstring(written("xml", [MATCH, odd]))
    models = root.findall(f"{NAMESPACE}NativeDicomModel")
    assert len(models) == 2
    description = models[0].find(f"{NAMESPACE}DicomAttribute[@tag='00081030']/{NAMESPACE}Value")
    assert description is not None
    assert description.text == "<Knee> & 'hip' größer"
    assert "A\ufffd" in [each.text for each in models[1].iter()]


def outline(element: ET.Element) -> list[Any]:
    """The names, attributes and texts of an element and all within it, without namespaces."""
    text = (element.text or "").strip()
    attributes = {name: each for name, each in element.attrib.items() if "space" not in name}
    name = element.tag.removeprefix(NAMESPACE)
    return [name, attributes, text, [outline(each) for each in element]]


@pytest.mark.peer("dcm2xml")
def test_xml_is_that_of_dcm2xml(tmp_path: Path) -> None:
    """DCMTK writes the same Native DICOM Model of the same match."""
    written("dcm", [MATCH], tmp_path)
    command = ["dcm2xml", "-nat", str(tmp_path / "1.2.3.dcm")]
    theirs = subprocess.run(command, check=True, capture_output=True, timeout=6 * LONG).stdout
    (ours,) = ET.fromstring(written("xml", [MATCH]))
    assert outline(ours) == outline(ET.fromstring(theirs))


def of_dcmtk(model: ET.Element) -> str:
    """A Native DICOM Model in the XML that xml2dcm reads."""
    parts = []
    for attribute in model:
        tag, vr = attribute.attrib["tag"], attribute.attrib["vr"]
        if "privateCreator" in attribute.attrib:
            tag = f"{tag[:4]}10{tag[6:]}"
        names = f'tag="{tag[:4]},{tag[4:]}" vr="{vr}"'
        if vr == "SQ":
            items = "".join(f"<item>{of_dcmtk(item)}</item>" for item in attribute)
            parts.append(f"<sequence {names}>{items}</sequence>")
        else:
            value = escape("\\".join(map(text_of, attribute)))
            parts.append(f"<element {names}>{value}</element>")
    return "".join(parts)


def text_of(value: ET.Element) -> str:
    groups = {group.tag: [part.text or "" for part in group] for group in value}
    return "=".join("^".join(parts) for parts in groups.values()) or value.text or ""


@pytest.mark.peer("xml2dcm")
def test_xml2dcm_reads_a_model(tmp_path: Path) -> None:
    """xml2dcm reads no Native DICOM Model yet, so the test renames the elements."""
    (model,) = ET.fromstring(written("xml", [MATCH]))
    content = of_dcmtk(model)
    (tmp_path / "match.xml").write_text(
        f'<data-set xfer="1.2.840.10008.1.2.1">{content}</data-set>',
        encoding="utf-8",
    )
    command = ["xml2dcm", str(tmp_path / "match.xml"), str(tmp_path / "match.dcm")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=6 * LONG)
    assert done.returncode == 0, done.stderr
    read = from_pydicom(dcmread(tmp_path / "match.dcm"))
    assert read.pop(0x00080005) == Element("CS", ("ISO_IR 192",))
    assert read == PLAIN
