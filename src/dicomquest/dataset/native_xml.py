"""A data set in the Native DICOM Model, as XML (PS3.19 A.1)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.tags import (
    SPECIFIC_CHARACTER_SET,
    creator_tag,
    is_private,
    is_private_creator,
)
from dicomquest.standard.vr import VR, Kind

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def to_native_xml(data_set: DataSet) -> str:
    """Return the element NativeDicomModel; a character that XML has not becomes U+FFFD.

    Specific Character Set, if it is there, is that of the XML: UTF-8.
    """
    if SPECIFIC_CHARACTER_SET in data_set:
        data_set = data_set | {SPECIFIC_CHARACTER_SET: Element("CS", ("ISO_IR 192",))}
    content = "\n".join(attributes(data_set))
    start = f'<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
    return f"{start}\n{content}\n</NativeDicomModel>"


def attributes(data_set: DataSet) -> Iterator[str]:
    """Yield an element DicomAttribute for each attribute."""
    for tag, element in data_set.items():
        names = f'tag="{tag:08X}" vr="{element.vr}"'
        if keyword := keyword_for_tag(tag):
            names += f' keyword="{keyword}"'
        if is_private(tag) and not is_private_creator(tag):
            creator = data_set.get(creator_tag(tag))
            if creator is not None and creator.values:
                names += f" privateCreator={quoteattr(_text(creator.values[0]))}"
                names = names.replace(f"{tag:08X}", f"{tag & 0xFFFF00FF:08X}", 1)
        content = "".join(_values(element))
        yield f"<DicomAttribute {names}>{content}</DicomAttribute>"


def _values(element: Element) -> Iterator[str]:
    vr, values = element
    kind = VR[vr].kind
    for number, value in enumerate(values, 1):
        if kind is Kind.SEQUENCE:
            content = "\n".join(attributes(value))
            yield f'<Item number="{number}">\n{content}\n</Item>'
        elif kind is Kind.OPAQUE and isinstance(value, str):
            yield f"<BulkData uri={quoteattr(value)}/>"
        elif kind is Kind.OPAQUE:
            yield f"<InlineBinary>{base64.b64encode(value).decode('ascii')}</InlineBinary>"
        elif vr == "PN":
            yield f'<PersonName number="{number}">{"".join(_name(value))}</PersonName>'
        else:
            yield f'<Value number="{number}">{_value(kind, value)}</Value>'


def _value(kind: Kind, value: Any) -> str:
    return f"{value:08X}" if kind is Kind.TAG else _text(str(value))


def _name(value: str) -> Iterator[str]:
    for group, text in zip(_GROUPS, value.split("=", 2), strict=False):
        parts = zip(_COMPONENTS, text.split("^", 4), strict=False)
        content = "".join(f"<{name}>{_text(part)}</{name}>" for name, part in parts if part)
        if content:
            yield f"<{group}>{content}</{group}>"


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", escape(text))
