"""Bytes of a multipart message to its parts, as they come (RFC 2046 5.1.1, PS3.18 8.6.1.2)."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from enum import Enum
from typing import NamedTuple, TypeAlias

from dicomquest.errors import DicomquestError

LONGEST_PREAMBLE = 65_536
"""Bytes before the first part: some clients write a sentence there."""

LONGEST_HEADERS = 8192
"""Bytes of the headers of a part; those of real clients have two hundred."""

LONGEST_PADDING = 256
"""Blanks between a delimiter and the end of its line."""

_END_OF_LINE = re.compile(rb"[ \t]*(\r?\n)")
_PADDING = re.compile(rb"[ \t]*\r?")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_NO_HEADERS = re.compile(rb"\r?\n")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class MultipartError(DicomquestError):
    """The bytes are no multipart message with this boundary."""


class PartBegan(NamedTuple):
    """The headers of a part have come."""

    headers: bytes = b""

    def header(self, name: str) -> str:
        """Return a header of the part; "" without it."""
        for line in self.headers.decode("latin-1").splitlines():
            found, _, value = line.partition(":")
            if found.strip().lower() == name:
                return value.strip()
        return ""


class PartData(NamedTuple):
    """Some of the content of the part that began last."""

    data: bytes


class PartEnded(NamedTuple):
    """The part that began last is whole."""


PartEvent: TypeAlias = PartBegan | PartData | PartEnded


class _State(Enum):
    PREAMBLE = 1
    HEADERS = 2
    CONTENT = 3
    EPILOGUE = 4


class MultipartReader:
    """Reads one message; all after its last delimiter is ignored, as is the preamble.

    Lines end with CRLF; those of a message whose first delimiter ends with a bare LF do so too.
    """

    def __init__(self, boundary: str) -> None:
        """Read parts between delimiters of a boundary; MultipartError if it can be none."""
        if not _BOUNDARY.fullmatch(boundary):
            raise MultipartError("the boundary has not 1 to 70 of the characters of RFC 2046")
        self._dashed = b"--" + boundary.encode("ascii")
        self._delimiter = b"\n" + self._dashed
        # The first delimiter may stand at the very beginning: as if a line had ended before it.
        self._bytes = b"\n"
        self._ahead = 0  # bytes before the content that may begin a delimiter
        self._state = _State.PREAMBLE
        self._skipped = 0
        self._has_begun = False

    @property
    def has_begun(self) -> bool:
        """Tell whether a part has begun."""
        return self._has_begun

    @property
    def is_closed(self) -> bool:
        """Tell whether the last delimiter has come."""
        return self._state is _State.EPILOGUE

    def feed(self, data: bytes) -> Iterator[PartEvent]:
        """Take bytes, and yield what they complete; MultipartError if they cannot be read."""
        self._bytes += data
        at = 0
        while True:
            state = self._state
            match state:
                case _State.PREAMBLE | _State.CONTENT:
                    at = yield from self._to_delimiter(at)
                case _State.HEADERS:
                    at = yield from self._to_content(at)
                case _State.EPILOGUE:
                    at = len(self._bytes)
            if self._state is state:
                # Once a call: a copy for each of a thousand small parts would take its time.
                self._bytes = self._bytes[at:]
                return

    def _to_delimiter(self, begin: int) -> Generator[PartEvent, None, int]:
        is_content = self._state is _State.CONTENT
        since = begin
        while (at := self._bytes.find(self._delimiter, since)) >= 0:
            after = at + len(self._delimiter)
            line = _END_OF_LINE.match(self._bytes, after)
            is_last = self._bytes.startswith(b"--", after)
            if line or is_last:
                yield from self._passed(begin, at)
                if is_content:
                    yield PartEnded()
                elif line:
                    self._delimiter = line[1] + self._dashed
                self._state = _State.EPILOGUE if is_last else _State.HEADERS
                return after if line is None else line.end()
            if self._may_be_one(after):
                yield from self._passed(begin, at)
                return at
            since = at + 1
        # The end of the bytes may be the beginning of a delimiter.
        kept = max(begin, len(self._bytes) - len(self._delimiter) + 1)
        yield from self._passed(begin, kept)
        return kept

    def _passed(self, begin: int, end: int) -> Iterator[PartEvent]:
        """Hand out bytes that are no delimiter, or count those of the preamble."""
        if self._state is _State.PREAMBLE:
            self._skipped += end - begin
            if self._skipped > LONGEST_PREAMBLE:
                raise MultipartError(f"no part begins in the first {LONGEST_PREAMBLE} bytes")
            return
        start = min(self._ahead, end - begin)
        self._ahead -= start
        if begin + start < end:
            yield PartData(self._bytes[begin + start : end])

    def _may_be_one(self, after: int) -> bool:
        """Tell whether the bytes to come decide if these are a delimiter."""
        rest = self._bytes[after : after + LONGEST_PADDING + 1]
        if len(rest) > LONGEST_PADDING:
            return False
        return rest == b"-" or _PADDING.fullmatch(rest) is not None

    def _to_content(self, begin: int) -> Generator[PartEvent, None, int]:
        limit = begin + LONGEST_HEADERS
        found = _NO_HEADERS.match(self._bytes, begin) or _END_OF_HEADERS.search(
            self._bytes, begin, limit
        )
        if found is None:
            if len(self._bytes) >= limit:
                words = f"the headers of a part are longer than {LONGEST_HEADERS} bytes"
                raise MultipartError(words)
            return begin
        # The next delimiter may follow at once: its line end is that of the headers.
        line_end = len(self._delimiter) - len(self._dashed)
        self._ahead = min(line_end, found.end() - begin)
        self._state = _State.CONTENT
        self._has_begun = True
        yield PartBegan(self._bytes[begin : found.start()])
        return found.end() - self._ahead
