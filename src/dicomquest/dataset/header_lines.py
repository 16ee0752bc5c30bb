"""The elements of a data set as lines for people: tag, VR, name and value (PS3.5 7.1, PS3.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pydicom.uid import UID

from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.tags import creator_tag, is_private, is_private_creator, tag_text

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element

_BYTES_SHOWN = 16
_VALUES_SHOWN = 64


class HeaderLine(NamedTuple):
    """One element, or the beginning of an item; ``depth`` counts the sequences around it."""

    depth: int
    tag: str
    vr: str
    name: str
    value: str


def header_lines(data_set: DataSet, depth: int = 0) -> Iterator[HeaderLine]:
    """Return a line an element, those of items below their sequence."""
    for tag, element in data_set.items():
        name = _name(tag, data_set)
        if element.vr == "SQ":
            number = len(element.values)
            words = f"{number} item{'' if number == 1 else 's'}"
            yield HeaderLine(depth, tag_text(tag), "SQ", name, words)
            for at, item in enumerate(element.values, 1):
                yield HeaderLine(depth + 1, "", "", f"Item {at}", "")
                yield from header_lines(item, depth + 1)
        else:
            yield HeaderLine(depth, tag_text(tag), element.vr, name, _value(element))


def _name(tag: int, data_set: DataSet) -> str:
    if not is_private(tag):
        return attribute_name(tag)
    if is_private_creator(tag):
        return "Private Creator"
    creator = data_set.get(creator_tag(tag))
    return f"of {creator.values[0]}" if creator is not None and creator.values else "private"


def _value(element: Element) -> str:
    values = element.values
    if len(values) == 1 and isinstance(values[0], bytes):
        data: bytes = values[0]
        shown = data[:_BYTES_SHOWN].hex(" ")
        return f"{len(data):,} bytes: {shown}{' …' if len(data) > _BYTES_SHOWN else ''}"
    texts = [_text(element.vr, value) for value in values[:_VALUES_SHOWN]]
    more = len(values) - _VALUES_SHOWN
    return "\\".join(texts) + (f" … {more:,} more values" if more > 0 else "")


def _text(vr: str, value: Any) -> str:
    if vr == "AT" and isinstance(value, int):
        return tag_text(value)
    if vr == "UI":
        name = UID(str(value)).name
        return str(value) if name == value else f"{value} ({name})"
    return str(value)
