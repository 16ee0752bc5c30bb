"""Keys of a worklist as people write them: those of a step without its sequence (PS3.4 K.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dicomquest.query.identifier.key_arguments import Key, KeyTextError, PathStep
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.standard.worklist_keys import STEP_TAGS

_STEP = PathStep(SCHEDULED_PROCEDURE_STEP_SEQUENCE)


def in_steps(keys: Iterable[Key]) -> list[Key]:
    """Return the keys, those of a step in its sequence; KeyTextError if one occurs twice then."""
    found: dict[tuple[PathStep, ...], Key] = {}
    for key in keys:
        placed = key
        if len(key.path) == 1 and key.path[0].tag in STEP_TAGS:
            placed = replace(key, path=(_STEP, *key.path))
        if placed.path in found:
            raise KeyTextError(f"{key.name} occurs twice: within the step and outside of it")
        found[placed.path] = placed
    return list(found.values())
