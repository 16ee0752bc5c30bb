"""The keys of an identifier by their paths, also within items (PS3.4 C.2.2.2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.identifier_keys import is_key

if TYPE_CHECKING:
    from dicomquest.query.identifier.entry_models import TagPath


def leaf_paths(identifier: DataSet, *, is_deep: bool) -> Iterator[TagPath]:
    """Yield the paths of the keys; with ``is_deep`` those within a single item, too."""
    for tag, element in identifier.items():
        if not is_key(tag):
            continue
        if is_deep and element.vr == "SQ" and len(element.values) == 1 and element.values[0]:
            for path in leaf_paths(element.values[0], is_deep=True):
                yield (tag, *path)
        else:
            yield (tag,)


def element_at(identifier: DataSet, path: TagPath) -> Element:
    """Return the element of a path that ``leaf_paths`` gave."""
    for tag in path[:-1]:
        identifier = identifier[tag].values[0]
    return identifier[path[-1]]


def with_element(identifier: DataSet, path: TagPath, element: Element) -> DataSet:
    """Return an identifier with another element at a path, in the order of tags."""
    tag, *rest = path
    if rest:
        (item,) = identifier[tag].values
        element = Element("SQ", (with_element(item, tuple(rest), element),))
    return dict(sorted({**identifier, tag: element}.items()))
