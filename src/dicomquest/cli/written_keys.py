"""The values of ``KEY=VALUE`` as people write them, read before anything is sent (PS3.5 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dicomquest.cli.asking.value_files import ValueFile
from dicomquest.dataset.written_values import written_value
from dicomquest.errors import WrittenValueError
from dicomquest.query.criteria import Step
from dicomquest.query.identifier.key_arguments import (
    UNKNOWN_PRIVATE_VR,
    WITHOUT_MULTIPLICITY,
    Key,
    KeyTextError,
    PathStep,
    vr_of,
)
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.tags import without_block

_AS_IS = " (--as-is sends it all the same.)"


class KeyValueError(KeyTextError):
    """A value that is none of its key's VR; the message names key, value and remedy."""


def read_written(keys: Sequence[Key], now: datetime, *, way_out: str = "") -> list[Key]:
    """Return the keys with the values that their VRs have; KeyValueError if a text is none.

    ``now`` is the instant that words like ``today`` look from, ``way_out`` ends the message.
    """
    return [replace(key, value=_value(key, now, way_out)) for key in keys]


def read_all_written(
    keys: Sequence[Key], values: ValueFile | None, now: datetime
) -> tuple[list[Key], ValueFile | None]:
    """Return the keys, and the values of a file, as ``find`` sends them."""
    written = read_written(keys, now, way_out=_AS_IS)
    if values is not None:
        read = (_value(replace(values.key, value=text), now, _AS_IS) for text in values.values)
        values = replace(values, values=tuple(dict.fromkeys(read)))
    return written, values


def _value(key: Key, now: datetime, way_out: str) -> str:
    vr = vr_of(key.path[-1]) or UNKNOWN_PRIVATE_VR
    parts = [key.value] if vr in WITHOUT_MULTIPLICITY else key.value.split("\\")
    try:
        return "\\".join(written_value(vr, part, now) for part in parts)
    except WrittenValueError as error:
        raise KeyValueError(f"{name_of(key.path[-1])} {error}{way_out}") from error


def name_of(step: PathStep) -> str:
    """Return the name of an attribute in a sentence."""
    tag = step.tag if step.creator is None else without_block(step.tag)
    return attribute_name(*Step(tag, step.creator))
