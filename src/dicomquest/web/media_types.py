"""Media types of a request, and the choice of a representation (PS3.18 8.7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LONGEST_ACCEPT = 8192
"""Characters of all Accept headers that are read; a browser's has two hundred."""

JSON = "application/dicom+json"
XML = "application/dicom+xml"
MULTIPART = "multipart/related"

_SEPARATED = re.compile(r'((?:[^,;"]|"(?:[^"\\]|\\.)*"?)*)([,;]|$)')


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One range of an Accept header; ``kind`` is in small letters, such as ``image/*``."""

    kind: str
    quality: float = 1.0
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """The type of the parts of a multipart message, "" if it is not said."""
        return self.parameters.get("type", "").partition(";")[0].strip().lower()


def read_ranges(texts: Iterable[str]) -> list[MediaRange]:
    """Return the ranges of Accept headers, best quality first; parts that are none are left out."""
    ranges: list[MediaRange] = []
    fields: list[str] = []
    for found in _SEPARATED.finditer(",".join(texts)[:LONGEST_ACCEPT]):
        fields.append(found[1].strip())
        if found[2] != ";":
            if media_range := _range(fields):
                ranges.append(media_range)
            fields = []
    return sorted(ranges, key=lambda each: -each.quality)


def _range(fields: Sequence[str]) -> MediaRange | None:
    kind = fields[0].lower()
    if kind.count("/") != 1:
        return None
    parameters = {}
    for each in fields[1:]:
        name, _, value = each.partition("=")
        parameters[name.strip().lower()] = _unquoted(value.strip())
    try:
        quality = min(max(float(parameters.pop("q", "1")), 0.0), 1.0)
    except ValueError:
        quality = 1.0
    # "type" may hold the parameters of the parts' own type.
    inner = parameters.get("type", "")
    for each in inner.split(";")[1:]:
        name, _, value = each.partition("=")
        parameters.setdefault(name.strip().lower(), _unquoted(value.strip()))
    return MediaRange(kind, quality, parameters)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def quality_of(kind: str, ranges: Iterable[MediaRange], *, is_parts: bool = False) -> float:
    """Return the quality of a media type, by the most specific range that has it; 0 for none.

    ``is_parts`` says that the type is that of the parts of a multipart message.
    """
    best = (-1, 0.0)
    for each in ranges:
        fit = _fit(kind, each, is_parts=is_parts)
        if fit > best[0]:
            best = (fit, each.quality)
    return best[1]


def _fit(kind: str, media_range: MediaRange, *, is_parts: bool) -> int:
    """Return how specific a range is that has a type; -1 if it has not."""
    asked = media_range.kind
    if asked == "*/*":
        return 0
    if is_parts:
        if asked == "multipart/*":
            return 1
        if asked != MULTIPART:
            return -1
        asked = media_range.part or "*/*"
    if asked == kind:
        return 4
    if asked == f"{kind.partition('/')[0]}/*":
        return 3
    return 2 if asked == "*/*" else -1


def search_type(ranges: Sequence[MediaRange]) -> str:
    """Return JSON or XML for the results of a search; "" if neither is acceptable."""
    # Some clients name JSON alone; a range is that of DICOM's own type.
    plain = [each.quality for each in ranges if each.kind == "application/json"]
    as_json = max([quality_of(JSON, ranges), *plain])
    as_xml = quality_of(XML, ranges, is_parts=True)
    if not as_json and not as_xml:
        return ""
    return JSON if as_json >= as_xml else XML
