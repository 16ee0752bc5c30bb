"""The parts of shown values that a question asked for, marked (PS3.4 C.2.2.2)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from dicomquest.web.box import Matching

if TYPE_CHECKING:
    from dicomquest.web.box import Reading


class Hits:
    """Marks the words of a question in the values of its rows."""

    def __init__(self, reading: Reading) -> None:
        self._words: list[str] = []
        self._parts: list[str] = []
        for key in reading.keys:
            if key.keyword == "PatientName" and key.matching is Matching.WORDS:
                self._words += [_folded(word)[0] for word in key.value.split(" ")]
            elif key.keyword == "StudyDescription" and key.matching is Matching.PHRASE:
                self._parts.append(_folded(key.value.strip("*"))[0])

    def in_name(self, text: str) -> Markup:
        """Return a name as markup: words that begin as one of the question are marked."""
        if not self._words:
            return escape(text)
        folded, places = _folded(text)
        return _marked(text, [
            (places[at], places[at + len(word)])
            for word in self._words
            for at in _places(folded, word)
            if at == 0 or not folded[at - 1].isalnum()
        ])  # fmt: skip

    def in_text(self, text: str) -> Markup:
        """Return a description as markup: what the question asks to be in it is marked."""
        if not self._parts:
            return escape(text)
        folded, places = _folded(text)
        return _marked(text, [
            (places[at], places[at + len(part)])
            for part in self._parts
            for at in _places(folded, part)
        ])  # fmt: skip


def _places(text: str, part: str) -> list[int]:
    """Return the places of a part in a text, none for an empty one."""
    found: list[int] = []
    at = text.find(part) if part else -1
    while at >= 0:
        found.append(at)
        at = text.find(part, at + len(part))
    return found


def _folded(text: str) -> tuple[str, list[int]]:
    """Return a text without case and accents, and the place of each character in the first one."""
    folded: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        for each in unicodedata.normalize("NFKD", character):
            if not unicodedata.combining(each):
                plain = each.casefold()
                folded.append(plain)
                places += [at] * len(plain)
    return "".join(folded), [*places, len(text)]


def _marked(text: str, spans: list[tuple[int, int]]) -> Markup:
    parts: list[Markup] = []
    end = 0
    for start, stop in sorted(spans):
        if start < end or stop <= start:
            continue
        mark = Markup('<mark class="hit">{}</mark>').format(text[start:stop])
        parts += [escape(text[end:start]), mark]
        end = stop
    return Markup("").join([*parts, escape(text[end:])])
