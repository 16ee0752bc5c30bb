"""``KEY=@FILE``: the values of a key from a file: lines of text, or a column of a CSV."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.query.identifier.key_arguments import (
    UNKNOWN_PRIVATE_VR,
    Key,
    KeyTextError,
    label,
    vr_of,
)

_UID_SEPARATORS = re.compile(r"[\s,;]+")
_QUOTES = "\"' \t\ufeff"


@dataclass(frozen=True, slots=True)
class ValueFile:
    """The values of one key that a file gives; each once, in the file's order."""

    key: Key
    vr: str
    values: tuple[str, ...]

    @property
    def tag(self) -> int:
        """The tag of the key."""
        return self.key.path[0].tag


def take_file(keys: Sequence[Key]) -> tuple[list[Key], ValueFile | None]:
    """Return the keys with the first value in place of ``@FILE``, and the file's values.

    KeyTextError for a second file, for one that cannot be read or has no value.
    """
    named = [key for key in keys if key.value.startswith("@") and len(key.value) > 1]
    if not named:
        return list(keys), None
    if len(named) > 1:
        raise KeyTextError(f"{named[1].name}={named[1].value}: one key at most may name a file")
    (key,) = named
    if len(key.path) > 1:
        raise KeyTextError(f"{key.name}: a key in a sequence takes no file of values")
    vr = vr_of(key.path[0]) or UNKNOWN_PRIVATE_VR
    values = _read(key.value[1:], label(key.path[0]), vr)
    if not values:
        raise KeyTextError(f"{key.name}={key.value}: the file has no value")
    made = ValueFile(key, vr, values)
    return [replace(each, value=values[0]) if each is key else each for each in keys], made


def with_all_values(identifier: DataSet, values: ValueFile | None) -> DataSet:
    """Return an identifier with all values of a file in one key, as an index takes it."""
    if values is None:
        return identifier
    return {**identifier, values.tag: Element(values.vr, values.values)}


def _read(path: str, name: str, vr: str) -> tuple[str, ...]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise KeyTextError(f"{name}=@{path}: the file cannot be read: {reason}") from error
    lines = [
        line.strip()
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    found = _column(lines, name)
    if found is None:
        found = [
            value.strip(_QUOTES)
            for line in lines
            for value in (_UID_SEPARATORS.split(line) if vr == "UI" else [line])
        ]
    return tuple(dict.fromkeys(value for value in found if value))


def _column(lines: Sequence[str], name: str) -> list[str] | None:
    """Return the column of a CSV whose heading is the key's name; None without such a heading."""
    if not lines:
        return None
    delimiter = next((each for each in ",;\t" if each in lines[0]), ",")
    rows = list(csv.reader(lines, delimiter=delimiter))
    wanted = _folded(name)
    at = next((at for at, text in enumerate(rows[0]) if _folded(text) == wanted), None)
    if at is None:
        return None
    return [row[at].strip() for row in rows[1:] if len(row) > at]


def _folded(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())
