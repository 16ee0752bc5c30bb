"""Text of peers and files, made safe for logs and terminals (control characters, PS3.5 6.1.3)."""

from __future__ import annotations

import logging
import re
from types import TracebackType
from typing import TypeAlias

ExceptionInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

_UNSAFE = re.compile(
    "["
    "\x00-\x1f"  # C0: line breaks, and ESC, which steers terminals
    "\x7f-\x9f"  # DEL, and C1, of which CSI steers terminals too
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional: they show text in another order
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff"  # surrogates: bytes of file names that are not UTF-8; no stream can write them
    "]"
)

_UNSAFE_IN_JSON = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", ""))  # JSON escapes C0 itself


def escaped(text: str) -> str:
    r"""Write control, line-breaking and bidirectional characters as \x1b or \u2028.

    A backslash stays as it is: it separates values, and stands in paths.
    """
    # Nearly every line of a log, and these two cost it a tenth of the search.
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escape, text)


def escaped_json(text: str) -> str:
    r"""Write the same characters of a JSON text as \u009b, which JSON reads as what they were."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class EscapingFormatter(logging.Formatter):
    """A formatter of one line a message, whatever names and values a peer has put into it.

    A traceback keeps its lines. Each is indented, so that none passes for a line of the log.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format the line, without a traceback."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: ExceptionInfo) -> str:
        """Format a traceback."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        """Format the stack of a message that asks for it."""
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"  {escaped(line)}" for line in text.split("\n"))
