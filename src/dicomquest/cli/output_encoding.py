r"""Output in an encoding that lacks characters: ``\uXXXX`` stands for each that is missing."""

from __future__ import annotations

import codecs
import io
import sys

ESCAPING = "dicomquest.escape"
"""The name of the error handler of codecs."""


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Return the escapes that JSON has, too: ``\uXXXX``, two of them beyond U+FFFF."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)), error.end


codecs.register_error(ESCAPING, _escape)

_ASCII = "dicomquest_ascii"


def _ascii(name: str) -> codecs.CodecInfo | None:
    """Return ASCII under another name: click writes UTF-8 to a stream whose encoding is ASCII."""
    if name != _ASCII:
        return None
    found = codecs.lookup("ascii")
    return codecs.CodecInfo(
        found.encode,
        found.decode,
        incrementalencoder=found.incrementalencoder,
        incrementaldecoder=found.incrementaldecoder,
        name=_ASCII,
    )


codecs.register(_ascii)


def escape_missing_characters() -> None:
    """Let standard output and standard error escape what their encoding lacks, and not fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if is_ascii else None, errors=ESCAPING)


def escaped(text: str, encoding: str | None) -> str:
    """Return a text as a stream of this encoding will show it, to know its width."""
    name = encoding or "utf-8"
    return text.encode(name, ESCAPING).decode(name)
