"""Values of a match at the path of a key: as they are, as text, and as plain objects (PS3.5 6)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dicomquest.standard.tags import (
    creator_tag,
    in_block,
    is_private,
    is_private_creator,
    without_block,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element
    from dicomquest.query.identifier.key_arguments import PathStep


def elements_at(data_set: DataSet, path: Sequence[PathStep]) -> list[Element]:
    """Return the elements of an attribute; those of all items where the path has sequences."""
    element = _element(data_set, path[0])
    if element is None:
        return []
    if len(path) == 1:
        return [element]
    return [
        found
        for item in element.values
        if element.vr == "SQ"
        for found in elements_at(item, path[1:])
    ]


def values_at(data_set: DataSet, path: Sequence[PathStep]) -> list[Any]:
    """Return the values of an attribute; an item of a sequence is an object by keyword."""
    return [
        plain(value) if element.vr == "SQ" else value
        for element in elements_at(data_set, path)
        for value in element.values
    ]


def _element(data_set: DataSet, step: PathStep) -> Element | None:
    if step.creator is None:
        return data_set.get(step.tag)
    group = step.tag & 0xFFFF0000
    for block in range(0x10, 0x100):  # a peer may reserve another block than we asked with
        if group | block in data_set and step.creator in data_set[group | block].values:
            return data_set.get(in_block(step.tag, block))
    return None


def text_at(data_set: DataSet, path: Sequence[PathStep]) -> str:
    """Return the values of an attribute as one text, with backslashes between them."""
    return "\\".join(value_text(value) for value in values_at(data_set, path))


def value_text(value: Any) -> str:
    """Return one value as text: items as JSON, bytes as hexadecimal digits."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else str(value)


def plain(data_set: DataSet) -> dict[str, Any]:
    """Return an object by keyword: text as sent, null for no value, a list for several."""
    return {
        _name(data_set, tag): _plain_value(element)
        for tag, element in data_set.items()
        if not is_private_creator(tag)
    }


def _name(data_set: DataSet, tag: int) -> str:
    from dicomquest.query.identifier.key_arguments import PathStep, label

    creator = data_set.get(creator_tag(tag)) if is_private(tag) else None
    if creator is not None and creator.values:
        return label(PathStep(without_block(tag), creator.values[0], any_block=True))
    return label(PathStep(tag))


def _plain_value(element: Element) -> Any:
    if element.vr == "SQ":
        return [plain(item) for item in element.values]
    values = [
        value if isinstance(value, int | float) else value_text(value) for value in element.values
    ]
    return values if len(values) > 1 else values[0] if values else None
