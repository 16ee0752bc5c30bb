"""The Native DICOM Model, as XML, to a data set (PS3.19 A.1)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from dicomquest.dataset.elements import BulkAddress, DataSet, Element
from dicomquest.dataset.limits import FILE_LIMITS
from dicomquest.errors import DataSetError
from dicomquest.standard.tags import creator_tag, in_block, is_private, is_private_creator
from dicomquest.standard.vr import VR, Kind

_TAG = re.compile("[0-9A-Fa-f]{8}")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


class _Builder(ET.TreeBuilder):
    """A builder of trees that takes no entities: a few of them become gigabytes."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a document type, the only place where entities are declared."""
        del name, pubid, system
        raise DataSetError("a document type is not allowed in the Native DICOM Model")


def from_native_xml(data: bytes) -> DataSet:
    """Return the elements of NativeDicomModel, values by address as BulkAddress.

    DataSetError if it is no XML, or no such model.
    """
    parser = ET.XMLParser(target=_Builder())  # noqa: S314  no entities, and bounded by the caller
    try:
        parser.feed(data)
        root = parser.close()
    except (ET.ParseError, LookupError, ValueError) as error:
        if isinstance(error, DataSetError):
            raise
        raise DataSetError(f"no XML: {error}") from error
    if _name(root) != "NativeDicomModel":
        raise DataSetError(f"the XML is no NativeDicomModel: its root is {_name(root)[:64]!r}")
    return _data_set(root, 0)


def _data_set(parent: ET.Element, depth: int) -> DataSet:
    if depth > FILE_LIMITS.depth:
        raise DataSetError(f"sequences are nested deeper than {FILE_LIMITS.depth}")
    found: DataSet = {}
    private: list[tuple[int, str, Element]] = []
    for node in parent:
        if _name(node) != "DicomAttribute":
            continue
        text = node.get("tag", "")
        if not _TAG.fullmatch(text):
            raise DataSetError(f"{text[:64]!r} is no tag of eight hexadecimal digits")
        tag = int(text, 16)
        element = _element(node, tag, depth)
        creator = node.get("privateCreator")
        if creator and is_private(tag) and not is_private_creator(tag):
            private.append((tag, creator, element))
        else:
            found[tag] = element
    for tag, creator, element in private:
        found[_in_own_block(found, tag, creator)] = element
    return dict(sorted(found.items()))


def _in_own_block(found: DataSet, tag: int, creator: str) -> int:
    """Return a private tag in the block of its creator, which gets the next free one if none."""
    taken = 0x0F
    for block in range(0x10, 0x100):
        reserved = found.get(creator_tag(in_block(tag, block)))
        if reserved is None:
            continue
        if reserved.values == (creator,):
            return in_block(tag, block)
        taken = block
    if taken == 0xFF:
        raise DataSetError("all blocks of private elements are taken", tag=tag)
    found[creator_tag(in_block(tag, taken + 1))] = Element("LO", (creator,))
    return in_block(tag, taken + 1)


def _element(node: ET.Element, tag: int, depth: int) -> Element:
    vr = node.get("vr", "")
    if vr not in VR:
        raise DataSetError(f"{vr[:8]!r} is no value representation", tag=tag)
    kind = VR[vr].kind
    values: list[object] = []
    try:
        for child in _numbered(node):
            name, text = _name(child), child.text or ""
            if name == "BulkData":
                return Element(vr, (BulkAddress(child.get("uri") or child.get("uuid") or ""),))
            if name == "InlineBinary":
                data = base64.b64decode("".join(text.split()), validate=True)
                return Element(vr, (data,) if data else ())
            if name == "Item" and kind is Kind.SEQUENCE:
                values.append(_data_set(child, depth + 1))
            elif name == "PersonName" and vr == "PN":
                values.append(_person_name(child))
            elif name == "Value":
                values.append(_value(kind, vr, text))
    except DataSetError:
        raise
    except (ValueError, binascii.Error) as error:
        raise DataSetError(f"no value of VR {vr}: {error}", tag=tag) from error
    return Element(vr, tuple(values))


def _value(kind: Kind, vr: str, text: str) -> object:
    match kind:
        case Kind.TEXT:
            return text
        case Kind.TAG:
            return int(text, 16)
        case Kind.NUMBER:
            return float(text) if vr in {"FL", "FD"} else int(text)
        case Kind.OPAQUE | Kind.SEQUENCE:
            raise ValueError("it has its own element")


def _person_name(node: ET.Element) -> str:
    groups = {_name(child): child for child in node}
    texts = []
    for name in _GROUPS:
        parts = {_name(each): each.text or "" for each in groups.get(name, ())}
        texts.append("^".join(parts.get(each, "") for each in _COMPONENTS).rstrip("^"))
    return "=".join(texts).rstrip("=")


def _numbered(node: ET.Element) -> Iterator[ET.Element]:
    """Yield the values of an attribute in the order of their numbers."""
    yield from sorted(node, key=lambda child: int(child.get("number", "0")))


def _name(node: ET.Element) -> str:
    """Return the name of an XML element without its namespace."""
    return node.tag.rpartition("}")[2]
