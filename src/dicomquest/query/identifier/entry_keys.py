"""Keys of a model without levels as people write them: without the sequence above (PS3.4 K.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.entry_models import ENTRY_MODELS
from dicomquest.query.identifier.key_arguments import Key, KeyTextError, PathStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dicomquest.query.identifier.entry_models import TagPath

_STEPS = ENTRY_MODELS["worklist"].places


def in_steps(keys: Iterable[Key]) -> list[Key]:
    """Return the keys of a worklist, those of a step in its sequence; see ``in_items``."""
    return in_items(keys, _STEPS, "the step")


def in_items(
    keys: Iterable[Key], places: Mapping[int, TagPath], item: str = "its sequence"
) -> list[Key]:
    """Return the keys, each in the sequences of its place; KeyTextError if one occurs twice then.

    ``item`` names the place in the message.
    """
    found: dict[tuple[PathStep, ...], Key] = {}
    for key in keys:
        above = places.get(key.path[0].tag, ())
        placed = replace(key, path=(*map(PathStep, above), *key.path)) if above else key
        if placed.path in found:
            raise KeyTextError(f"{key.name} occurs twice: within {item} and outside of it")
        found[placed.path] = placed
    return list(found.values())


def placed(elements: DataSet, places: Mapping[int, TagPath]) -> DataSet:
    """Return the elements of an identifier, each in the one item of its place."""
    found: DataSet = {}
    for tag, element in sorted(elements.items()):
        target = found
        for sequence in places.get(tag, ()):
            there = target.get(sequence) or elements.get(sequence)
            item = dict(there.values[0]) if there is not None and there.values else {}
            target[sequence] = Element("SQ", (item,))
            target = item
        if tag not in target or not target[tag].values:
            target[tag] = element
    return _ascending(found)


def _ascending(data_set: DataSet) -> DataSet:
    return {
        tag: Element("SQ", tuple(map(_ascending, element.values)))
        if element.vr == "SQ"
        else element
        for tag, element in sorted(data_set.items())
    }
