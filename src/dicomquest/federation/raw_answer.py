"""Answers whose bytes are those of their responses: checked, and passed on (PS3.4 C.4.1.3).

A dicomquest upstream answers with the very elements that the caller is to get. A walk by the
lengths and one pattern tell that the bytes are what decoding, merging and encoding them would
give. Nothing is built for an answer but its unique key.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from dicomquest.dataset.charset import UTF_8
from dicomquest.federation.answer_shape import LONGEST, Shape
from dicomquest.federation.merged_answer import AVAILABILITIES, COUNTS
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    SPECIFIC_CHARACTER_SET,
)
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

Check: TypeAlias = "Callable[[bytes], re.Match[bytes] | None]"
"""The check of an answer; groups of the match are the values of the places asked for."""

_HEADER: Final = 8
_TEXT = rb"(?![ \\])[ -~]*(?<!  )(?<!\\)"
# Any byte beyond ASCII: the whole of it is read as UTF-8, too.
_UTF_8_TEXT = rb"(?![ \\])[ -~\x80-\xff]*(?<!  )(?<!\\)"
_UIDS = rb"(?!\\)[0-9.\\]*(?<!\\)"
# The same for answers without a backslash, of which a pattern need not think then.
_SINGLE = {
    _TEXT: rb"(?! )[ -~]*(?<!  )",
    _UTF_8_TEXT: rb"(?! )[ -~\x80-\xff]*(?<!  )",
    _UIDS: rb"[0-9.]*",
}
_NUMBER = rb"(?:0|[1-9][0-9]*)?"
_TITLE = rb"(?! )[!-\[\]-~](?:[ -\[\]-~]*(?<!  ))?"
_SUSPECT = re.compile(rb" \\|\\ |\\\\|\xc2[\x80-\xa0]")


class _OtherShapeError(Exception):
    """The bytes before a value are not those of the shape."""


class _Steps(dict[bytes, int]):
    """The bytes of an element by the eight before its value."""

    def __init__(self, start: bytes, layout: str) -> None:
        super().__init__()
        self._start, self._layout = start, layout

    def __missing__(self, header: bytes) -> int:
        if len(header) != _HEADER or not header.startswith(self._start):
            raise _OtherShapeError
        length: int = struct.unpack(self._layout, header[len(self._start) :])[0]
        if length & 1 or length > LONGEST:
            raise _OtherShapeError
        step = self[header] = _HEADER + length
        return step


class RawCheck(NamedTuple):
    """The check of the answers of a shape; ``is_utf_8`` says that they have text beyond ASCII."""

    check: Check
    is_utf_8: bool

    def suits(self, transfer_syntax: str, requested: Sequence[str], own_syntax: str) -> bool:
        """Tell whether a caller may have the bytes as they are."""
        return transfer_syntax == own_syntax and (
            not self.is_utf_8 or tuple(requested) in {(), UTF_8}
        )


def raw_check(
    shape: Shape, sent: Collection[int], level: str, places: Sequence[int]
) -> RawCheck | None:
    """Return the check of a shape; None if its answers are never those of a response.

    ``sent`` are the tags of a response, ``places`` the elements whose values are looked at.
    """
    own = [tag for tag, _ in shape.elements if tag != SPECIFIC_CHARACTER_SET]
    if own != sorted(sent) or QUERY_RETRIEVE_LEVEL not in own or RETRIEVE_AE_TITLE not in own:
        return None
    is_utf_8 = shape.charset is not None
    explicit = shape.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN
    names: dict[str, Any] = {"Other": _OtherShapeError, "is_suspect": _SUSPECT.search}
    walk: list[str] = []
    headers: list[str] = []
    pattern = single = b""
    for place, (tag, vr) in enumerate(shape.elements):
        start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + (vr.encode() if explicit else b"")
        if not start.isascii():
            # No value has its NULs, so all of them are headers: none is in the way of UTF-8.
            names[f"H{place}"], names[f"A{place}"] = start, bytes(each & 0x7F for each in start)
            headers.append(f"        text = text.replace(H{place}, A{place})")
        names[f"S{place}"] = _Steps(start, "<H" if explicit else "<I")
        walk.append(f"        end += S{place}[data[end:end + {_HEADER}]]")
        value = _value(tag, vr, level, is_utf_8=is_utf_8)
        group = b"(" if place in places else b"(?:"
        pad = rb"\x00?" if vr == "UI" else rb" ?"
        header = re.escape(start) + b".{%d}" % (_HEADER - len(start)) + group
        pattern += header + value + b")" + pad
        single += header + _SINGLE.get(value, value) + b")" + pad
    if is_utf_8:
        if shape.charset != "\\".join(UTF_8):
            return None
        walk += ["        text = data", *headers]
        walk += ["        if text.isascii(): return None", "        text.decode()"]
        # A control character begins with this byte; so do others, which the pattern takes.
        walk += [r"        if b'\xc2' in data and is_suspect(data): return None"]
    names["match"] = re.compile(pattern, re.DOTALL).fullmatch
    names["match_single"] = re.compile(single, re.DOTALL).fullmatch
    code = _TEMPLATE.format(walk="\n".join(walk))
    exec(compile(code, "<answer check>", "exec"), names)  # noqa: S102
    return RawCheck(names["check"], is_utf_8)


def _value(tag: int, vr: str, level: str, *, is_utf_8: bool) -> bytes:
    if tag == QUERY_RETRIEVE_LEVEL:
        return re.escape(level.encode())
    if tag == RETRIEVE_AE_TITLE:
        return _TITLE
    if tag == INSTANCE_AVAILABILITY:
        return b"|".join(each.encode() for each in AVAILABILITIES)
    if tag == SPECIFIC_CHARACTER_SET:
        return re.escape("\\".join(UTF_8).encode())
    if tag in COUNTS:
        return _NUMBER
    if vr == "UI":
        return _UIDS
    return _UTF_8_TEXT if is_utf_8 else _TEXT


_TEMPLATE = """\
def check(data):
    end = 0
    try:
{walk}
    except (Other, UnicodeError):
        return None
    if end != len(data): return None
    if b'\\\\' not in data: return match_single(data)
    return None if is_suspect(data) else match(data)
"""
