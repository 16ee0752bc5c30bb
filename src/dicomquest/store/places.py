"""The path of an instance's file: a template of keywords, and names fit for every file system."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from pathlib import PurePosixPath
from string import Formatter
from typing import NamedTuple
from unicodedata import category, normalize

from dicomquest.dataset.remembering import is_short, remembered
from dicomquest.errors import LayoutError
from dicomquest.standard.keys import KEYS_BY_KEYWORD, Storage
from dicomquest.standard.levels import Level

DEFAULT_LAYOUT = (
    "{PatientID}/{StudyDate}_{StudyInstanceUID}/{Modality}_{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
)

NOTHING = "_"
"""Stands for a value that an instance does not have."""

LONGEST_NAME = 200
"""Bytes of a file's or folder's name; file systems allow 255."""

_UNIQUE = "SOPInstanceUID"
_REFUSED = re.compile(r"[\\/:*?\"<>|]|[\s$`'!&;()\[\]{}#%]|^[-~=]")
"""Characters that some file system refuses, or that mean something else to a shell.

At the beginning, those that make a name an option, a home folder or, for zsh, a program.
"""

_DIGEST = re.compile(r"~[0-9a-f]{8}(\.dcm)?$", re.IGNORECASE)
"""The end of a changed name; a text that ends so is changed, so that no two names are equal."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


_PLAIN = re.compile(r"(?:[0-9]{1,16}_|[A-Z]{1,16}_)?[0-9](?:[0-9.]{0,100}[0-9])?(?:\.dcm)?")
"""A short cut: numbers and UIDs, as most names are, need no change."""


class _Place(NamedTuple):
    """A keyword in the template with the text before it; without a level, the text at the end."""

    literal: str
    level: Level | None
    column: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A parsed template: the places of each name of the path."""

    names: tuple[tuple[_Place, ...], ...]

    def path(self, texts: Mapping[Level, Mapping[str, str]]) -> PurePosixPath:
        """Make the path of an instance from its values, which cannot lead out of the folder."""
        return PurePosixPath(self.text(texts))

    def text(self, texts: Mapping[Level, Mapping[str, str]]) -> str:
        """Make the same path as a text."""
        *folders, last = self.names
        names = [_remembered_name(places, _values(places, texts)) for places in folders]
        return "/".join([*names, _name(last, _values(last, texts))])


def parse_layout(template: str) -> Layout:
    """Parse a template such as ``DEFAULT_LAYOUT``; LayoutError if it is malformed or ambiguous."""
    names = template.split("/")
    if not all(names):
        raise LayoutError(
            f"{template!r}: expected names between single slashes, none at the beginning or end"
        )
    if f"{{{_UNIQUE}}}" not in names[-1]:
        raise LayoutError(
            f"{template!r}: expected {{{_UNIQUE}}} in the last name: no two instances may share it"
        )
    return Layout(tuple(tuple(_places(template, name)) for name in names))


def _places(template: str, name: str) -> list[_Place]:
    places = []
    try:
        fields = list(Formatter().parse(name))
    except ValueError as error:
        raise LayoutError(f"{template!r}: {error}") from error
    for literal, keyword, form, conversion in fields:
        if keyword is None:
            places.append(_Place(literal, None, ""))
            continue
        key = KEYS_BY_KEYWORD.get(keyword)
        if key is None or key.storage is not Storage.COLUMN or form or conversion:
            written = f"{keyword}!{conversion}" if conversion else keyword
            written = f"{written}:{form}" if form else written
            raise LayoutError(
                f"{template!r}: {{{written}}}: expected the keyword of an attribute that has a "
                "column in the index"
            )
        places.append(_Place(literal, key.level, key.column))
    return places


def _values(
    places: tuple[_Place, ...], texts: Mapping[Level, Mapping[str, str]]
) -> tuple[str, ...]:
    return tuple(
        [
            "" if level is None else texts[level].get(column) or NOTHING
            for _, level, column in places
        ]
    )


def _name(places: tuple[_Place, ...], values: tuple[str, ...]) -> str:
    text = "".join([place.literal + value for place, value in zip(places, values, strict=True)])
    return safe_name(text, values)


_remembered_name = remembered(4096, lambda _places, values: is_short("".join(values)))(_name)
"""The same for folders, which the instances of a series share."""


def safe_name(text: str, values: Sequence[str] = ()) -> str:
    """Return a text as a name fit for every file system and shell; a digest keeps it unique.

    ``values`` are the parts of the text that differ between instances, all of it by default.
    Names that differ in case alone are one name on some disks, so a value with small letters counts
    as changed.
    """
    varying = "".join(values) if values else text
    if _PLAIN.fullmatch(text) and not varying.endswith(".dcm"):
        return text
    is_fit = varying.casefold().upper() == varying and _is_safe(text)
    if is_fit and text.isascii() and text.isprintable():
        return text
    kept = "".join("_" if category(each)[0] in "CZ" else each for each in normalize("NFC", text))
    kept = _REFUSED.sub("_", kept).strip(". ")
    if is_fit and kept == text:
        return kept
    cut = (
        kept.encode("utf-8", "replace")[: LONGEST_NAME - 10].decode("utf-8", "ignore").rstrip(". ")
    )
    digest = blake2s(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    stem, dot, suffix = cut.rpartition(".")
    return f"{stem}~{digest}.{suffix}" if dot and suffix == "dcm" else f"{cut}~{digest}"


def _is_safe(text: str) -> bool:
    return (
        len(text.encode("utf-8", "replace")) <= LONGEST_NAME
        and text == text.strip(". ")
        and text != ""
        and _REFUSED.search(text) is None
        and _DIGEST.search(text) is None
        and _RESERVED.fullmatch(text) is None
    )
