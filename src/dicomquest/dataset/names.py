"""Person names: component groups and their components, and the folded form that names are compared in (PS3.5 6.2.1)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_GROUPS = 3
_COMPONENTS = 5
# Scripts whose letters with an accent are found by the letters without; in others a mark makes another letter or vowel.
_ACCENTED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
# Letters that Unicode does not take apart, and how they are typed where a keyboard has none of them.
_TYPED = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ŧ": "t",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
    }
)


@dataclass(frozen=True, slots=True)
class PersonName:
    """One PN value: its component groups (alphabetic, ideographic, phonetic), each a tuple of components.

    Nothing is dropped: ``str`` gives the text again. ``is_regular`` is False where the text has more than three groups
    or a group more than five components (family, given, middle, prefix, suffix).
    """

    groups: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, text: str) -> PersonName:
        """Take any text apart."""
        return cls(tuple(tuple(group.split("^")) for group in text.split("=")))

    @property
    def is_regular(self) -> bool:
        """Whether PS3.5 6.2.1 allows so many groups and components."""
        return len(self.groups) <= _GROUPS and all(
            len(group) <= _COMPONENTS for group in self.groups
        )

    def __str__(self) -> str:
        return "=".join("^".join(group) for group in self.groups)


@lru_cache(maxsize=4096)
def fold_name(group: str) -> str:
    """A component group without case, accents, width, padding of components, and trailing empty components."""
    if not group.isascii():
        group = _without_accents(unicodedata.normalize("NFKC", group).casefold())
    components = [component.strip() for component in group.casefold().split("^")]
    return "^".join(components).rstrip("^")


def name_groups(value: str) -> tuple[str, str, str]:
    """The folded alphabetic, ideographic and phonetic group; '' where missing, and groups after the third left out."""
    alphabetic, ideographic, phonetic = (
        fold_name(group) for group in (value.split("=") + [""] * _GROUPS)[:_GROUPS]
    )
    return alphabetic, ideographic, phonetic


def _without_accents(text: str) -> str:
    """Drop combining marks behind Latin, Greek and Cyrillic letters only: dakuten, nukta, niqqud, Hangul stay."""
    kept: list[str] = []
    accented = False
    for character in unicodedata.normalize("NFD", text):
        if not unicodedata.combining(character):
            accented = unicodedata.name(character, "").startswith(_ACCENTED_SCRIPTS)
        elif accented:
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).translate(_TYPED)
