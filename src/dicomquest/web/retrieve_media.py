"""The representations of retrieved resources that a client accepts (PS3.18 8.7, 10.4.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.web.media_types import JSON, MULTIPART, XML, MediaRange, quality_of

DICOM: Final = "application/dicom"
OCTETS: Final = "application/octet-stream"
STORED: Final = "*"
"""The transfer syntax of a client that takes any: that of the file."""

_P: Final = "1.2.840.10008.1.2."
FRAME_TYPES: Final[dict[str, str]] = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    **{_P + each: "image/jpeg" for each in ("4.50", "4.51", "4.57", "4.70")},
    **{_P + each: "image/jls" for each in ("4.80", "4.81")},
    **{_P + each: "image/jp2" for each in ("4.90", "4.91")},
    **{_P + each: "image/jpx" for each in ("4.92", "4.93")},
    **{_P + each: "image/jphc" for each in ("4.201", "4.202", "4.203")},
    **{_P + each: "image/jxl" for each in ("4.110", "4.111", "4.112")},
    **{_P + each: "video/mpeg" for each in ("4.100", "4.100.1", "4.101", "4.101.1")},
    **{
        _P + each: "video/mp4"
        for each in ("4.102", "4.102.1", "4.103", "4.103.1", "4.104", "4.104.1", "4.105", "4.105.1",
                     "4.106", "4.106.1")
    },
    **{_P + each: "video/H265" for each in ("4.107", "4.108")},
}  # fmt: skip
"""The media type of a codestream by its transfer syntax (Tables 8.7.3-4 and -5)."""

_DEFAULT_SYNTAX: Final = {
    "image/jpeg": _P + "4.70", "image/dicom-rle": "1.2.840.10008.1.2.5", "image/jls": _P + "4.80",
    "image/jp2": _P + "4.90", "image/jpx": _P + "4.92", "image/jphc": _P + "4.201",
    "image/jxl": _P + "4.110",
}  # fmt: skip
_ALIASES: Final = {
    "image/x-dicom-rle": "image/dicom-rle",
    "image/dicom+rle": "image/dicom-rle",
    "image/x-jls": "image/jls",
    "image/dicom+jpeg-ls": "image/jls",
    "image/dicom+jpeg": "image/jpeg",
    "image/dicom+jp2": "image/jp2",
    "image/dicom+jpx": "image/jpx",
    "video/mpeg2": "video/mpeg",
}
"""Names of earlier editions, which clients still ask for."""

LOSSY: Final = frozenset(
    _P + each
    for each in ("4.50", "4.51", "4.81", "4.91", "4.93", "4.112", "4.203",
                 "4.100", "4.100.1", "4.101", "4.101.1", "4.102", "4.102.1", "4.103", "4.103.1",
                 "4.104", "4.104.1", "4.105", "4.105.1", "4.106", "4.106.1", "4.107", "4.108")
)  # fmt: skip
"""The transfer syntaxes whose pixels the Standard lets a server send as they are (8.7.3)."""

_NOT_ON_THE_WEB: Final = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One acceptable form: ``kind`` is the media type of a part, or of all of a single part.

    ``kind`` may be a range. ``syntax`` is a transfer syntax, ``*`` for any, "" if none is said.
    """

    is_multipart: bool
    kind: str
    syntax: str = ""


def wanted_forms(ranges: Sequence[MediaRange], *, is_missing: bool) -> Iterator[Wanted]:
    """Yield the acceptable forms, best first; ``is_missing`` says that there is no Accept."""
    if is_missing:
        yield Wanted(is_multipart=True, kind="*/*", syntax=STORED)
    for each in ranges:
        if not each.quality:
            continue
        syntax = each.parameters.get("transfer-syntax", "")
        if each.kind in {"*/*", "multipart/*"}:
            yield Wanted(is_multipart=True, kind="*/*", syntax=STORED)
        elif each.kind == MULTIPART:
            kind = _ALIASES.get(each.part, each.part)
            yield Wanted(True, kind, syntax or (STORED if kind.endswith("/*") else ""))
        else:
            yield Wanted(False, _ALIASES.get(each.kind, each.kind), syntax)


def codestream_syntax(kind: str, syntax: str) -> str:
    """Return the transfer syntax of a codestream of a media type; "" if unknown."""
    return syntax or _DEFAULT_SYNTAX.get(_ALIASES.get(kind, kind), "")


def fits(kind: str, asked: str) -> bool:
    """Tell whether a media type is in a range; an empty one is that of the resource."""
    return asked in {"", "*/*", kind.lower(), kind} or asked == f"{kind.partition('/')[0]}/*"


def instance_syntax(asked: str, stored: str, reachable: Sequence[str]) -> str | None:
    """Return the transfer syntax in which an instance is sent, None if none is acceptable."""
    if asked == STORED:
        asked = EXPLICIT_VR_LITTLE_ENDIAN if stored in _NOT_ON_THE_WEB else stored
    elif not asked:
        asked = stored if stored in LOSSY else EXPLICIT_VR_LITTLE_ENDIAN
    if asked in _NOT_ON_THE_WEB or asked not in reachable:
        return None
    return asked


def frame_form(asked: Wanted, reachable: Sequence[str]) -> tuple[str, str] | None:
    """Return the media type and transfer syntax of a frame's part, None if it is not acceptable.

    ``reachable`` are the transfer syntaxes in which it can be had, that of the file first.
    """
    stored = reachable[0]
    native = FRAME_TYPES.get(stored) is None
    own_kind = FRAME_TYPES.get(stored, OCTETS)
    if asked.syntax == STORED:
        # By the letter octets are not compressed, but viewers ask so for whatever is stored.
        if fits(OCTETS, asked.kind) and asked.kind not in {"", "*/*"}:
            return OCTETS, stored
        return (own_kind, stored) if fits(own_kind, asked.kind) else None
    if fits(OCTETS, asked.kind) or not asked.kind:
        syntax = asked.syntax or EXPLICIT_VR_LITTLE_ENDIAN
        if syntax in reachable:
            return OCTETS, syntax
        if not asked.syntax and stored in LOSSY:
            return OCTETS, stored
        return None
    if native or not fits(own_kind, asked.kind):
        return None
    syntax = asked.syntax or _DEFAULT_SYNTAX.get(asked.kind, stored)
    return (own_kind, stored) if syntax == stored else None


def metadata_type(ranges: Sequence[MediaRange], *, is_missing: bool) -> str:
    """Return JSON or XML for metadata; "" if neither is acceptable."""
    if is_missing:
        return JSON
    plain = [each.quality for each in ranges if each.kind == "application/json"]
    as_json = max([quality_of(JSON, ranges), *plain])
    as_xml = quality_of(XML, ranges, is_parts=True)
    if not as_json and not as_xml:
        return ""
    return JSON if as_json >= as_xml else XML
