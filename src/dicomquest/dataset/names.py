"""Person names: their groups and components, and the folded form for comparing (PS3.5 6.2.1)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from dicomquest.dataset.remembering import is_short, remembered

_GROUPS = 3
_COMPONENTS = 5
# In these scripts a letter with an accent is found by the letter without. In others a mark makes
# another letter or a vowel, and dropping it would make another name.
_ACCENTED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
# Unicode does not take these letters apart; the values are how a keyboard without them types them.
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
    """One PN value: its component groups, each a tuple of components.

    The groups are alphabetic, ideographic, phonetic. Nothing is dropped: ``str`` gives the text.
    ``is_regular`` is False for more than three groups, and for a group of more than five components
    (family, given, middle, prefix, suffix).
    """

    groups: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, text: str) -> PersonName:
        """Take any text apart."""
        return cls(tuple(tuple(group.split("^")) for group in text.split("=")))

    @property
    def is_regular(self) -> bool:
        """Tell whether PS3.5 6.2.1 allows so many groups and components."""
        return len(self.groups) <= _GROUPS and all(
            len(group) <= _COMPONENTS for group in self.groups
        )

    def __str__(self) -> str:
        return "=".join("^".join(group) for group in self.groups)


@remembered(4096, is_short)
def fold_name(group: str) -> str:
    """Return a component group in the form that names are compared in.

    It has no case, accents or width, no padding, and no empty components at its end. Ingest and
    queries fold the same names again and again.
    """
    if not group.isascii():
        group = _without_accents(unicodedata.normalize("NFKC", group).casefold())
    components = [component.strip() for component in group.casefold().split("^")]
    return "^".join(components).rstrip("^")


def name_groups(value: str) -> tuple[str, str, str]:
    """Return the folded alphabetic, ideographic and phonetic group, '' for a missing one."""
    alphabetic, ideographic, phonetic = (
        fold_name(group) for group in (value.split("=") + [""] * _GROUPS)[:_GROUPS]
    )
    return alphabetic, ideographic, phonetic


def _without_accents(text: str) -> str:
    """Drop the marks behind Latin, Greek and Cyrillic letters; dakuten, nukta and niqqud stay."""
    kept: list[str] = []
    accented = False
    for character in unicodedata.normalize("NFD", text):
        if not unicodedata.combining(character):
            accented = unicodedata.name(character, "").startswith(_ACCENTED_SCRIPTS)
        elif accented:
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).translate(_TYPED)
