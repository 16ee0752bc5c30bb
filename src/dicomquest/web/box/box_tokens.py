"""The text of the search box cut into words, phrases and ``key:value`` (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

LONGEST_TEXT = 800
"""Characters of a question: its address has at most nine times as many bytes."""

MOST_WORDS = 60
"""Words of a question; each may be a key."""

_PRIVATE = r"[0-9A-Fa-f]{3}[13579BDFbdf],?[0-9A-Fa-fxX]{4}:[^\s\":]+"
_NAME = rf"(?:{_PRIVATE}|[^\s\":]+)"
_QUOTED = r'"(?:[^"]|"")*(?:"|$)'
_TOKEN = re.compile(rf"(?P<name>{_NAME}):(?P<phrase>{_QUOTED})|(?P<bare>{_QUOTED})|(?P<word>\S+)")
_NAMED = re.compile(rf"(?P<name>{_NAME}):(?P<value>.*)", re.DOTALL)
_NEEDS_QUOTES = re.compile(r'[\s]|^"|^$')


class Token(NamedTuple):
    """A word of the text: its place, the name before a colon, the value, whether it is quoted."""

    start: int
    end: int
    text: str
    name: str
    value: str
    is_quoted: bool

    @property
    def folded(self) -> str:
        """The value with full-width letters and digits as plain ones."""
        return unicodedata.normalize("NFKC", self.value)

    @property
    def is_word(self) -> bool:
        """Tell whether it is neither named nor quoted."""
        return not self.name and not self.is_quoted


def cleaned(text: str) -> str:
    """Return a text in NFC, without control characters and what no UTF-8 has."""
    plain = "".join(
        " " if each < " " or each == "\x7f" else "\ufffd" if "\ud800" <= each <= "\udfff" else each
        for each in text
    )
    return unicodedata.normalize("NFC", plain).strip()


def split(text: str) -> list[Token]:
    """Return the words of a clean text; a quote that nobody closes ends with the text."""
    return [_token(match) for match in _TOKEN.finditer(text)]


def _token(match: re.Match[str]) -> Token:
    phrase = match["phrase"] or match["bare"]
    if phrase is not None:
        value = _unquoted(phrase)
        name = match["name"] or ""
        return Token(match.start(), match.end(), match[0], name, value, is_quoted=True)
    named = _NAMED.fullmatch(match[0])
    name, value = (named["name"], named["value"]) if named else ("", match[0])
    return Token(match.start(), match.end(), match[0], name, value, is_quoted=False)


def _unquoted(phrase: str) -> str:
    inner = phrase[1:]
    # An odd number of quotes at the end closes the phrase.
    if (len(inner) - len(inner.rstrip('"'))) % 2:
        inner = inner[:-1]
    return inner.replace('""', '"')


def quoted(value: str, *, always: bool = False) -> str:
    """Return a value as it stands behind a colon, in quotes if it needs them."""
    if always or _NEEDS_QUOTES.search(value) or value.casefold() == "none":
        return '"' + value.replace('"', '""') + '"'
    return value
