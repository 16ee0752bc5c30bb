"""Wild card patterns: read, matched, put into words (PS3.4 C.2.2.2.4).

``*`` is any sequence of characters, ``?`` exactly one. Nothing else has a meaning, and a pattern is
anchored at both ends.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TypeGuard

from dicomquest.query.criteria import Pattern, Wild

_FIRST_BEYOND_ASCII, _LAST_CASED = 0x80, 0x1E943
_WILDS = {wild.value: wild for wild in Wild}


def parse_pattern(text: str) -> Pattern:
    """Return a key value as literals and wild cards; several ``*`` in a row are one."""
    tokens: list[str | Wild] = []
    for character in text:
        wild = _WILDS.get(character)
        last = tokens[-1] if tokens else None
        if wild is not None:
            if not (wild is Wild.ANY and last is Wild.ANY):
                tokens.append(wild)
        elif isinstance(last, str):
            tokens[-1] = last + character
        else:
            tokens.append(character)
    return tuple(tokens)


def has_wild_card(text: str) -> bool:
    """Tell whether a key value holds a wild card; full-width ones are letters like others."""
    return "*" in text or "?" in text


def is_universal(pattern: Pattern) -> bool:
    """Tell whether a pattern asks nothing: ``*`` alone."""
    return pattern == (Wild.ANY,)


def is_literal(pattern: Pattern) -> TypeGuard[tuple[str]]:
    """Tell whether a pattern is one plain text."""
    return len(pattern) == 1 and isinstance(pattern[0], str)


def prefix(pattern: Pattern) -> str:
    """Return the literal that every match begins with, "" if there is none."""
    return pattern[0] if pattern and isinstance(pattern[0], str) else ""


def matches(pattern: Pattern, text: str) -> bool:
    """Tell whether the whole text fits, in time of at most pattern times text."""
    characters: list[str | Wild] = []
    for token in pattern:
        characters += [token] if isinstance(token, Wild) else list(token)
    at = position = 0
    retry: tuple[int, int] | None = None
    while position < len(text):
        wanted = characters[at] if at < len(characters) else None
        if wanted is Wild.ANY:
            at += 1
            retry = (at, position)
        elif wanted is Wild.ONE or wanted == text[position]:
            at += 1
            position += 1
        elif retry is not None:
            # Only the last ``*`` ever takes one character more, which keeps the time bounded: the
            # earliest fit of all before it leaves the most text to the rest.
            at, position = retry[0], retry[1] + 1
            retry = (at, position)
        else:
            return False
    return all(token is Wild.ANY for token in characters[at:])


def fold_case(text: str) -> str:
    """Return a text in small letters, one for each of its letters.

    No letter becomes one of ASCII: K is no Kelvin sign, so that ASCII letters have two forms.
    """
    if text.isascii():
        return text.lower()
    return "".join(map(_small, text))


def _small(letter: str) -> str:
    small = letter.lower()
    return small if len(small) == 1 and (letter.isascii() or not small.isascii()) else letter


@cache
def _cases_beyond_ascii() -> dict[str, str]:
    found: dict[str, str] = {}
    for code in range(_FIRST_BEYOND_ASCII, _LAST_CASED + 1):
        letter = chr(code)
        small = _small(letter)
        if small != letter:
            found[small] = found.get(small, small) + letter
    return found


def cases(letter: str) -> str:
    """Return all letters of which ``fold_case`` makes this one."""
    if letter.isascii():
        return letter + letter.upper() if letter.islower() else letter
    return _cases_beyond_ascii().get(letter, letter)


def spellings(text: str, most: int) -> list[str] | None:
    """Return all texts of which ``fold_case`` makes this one; None for more than ``most``."""
    number = 1
    each = [cases(letter) for letter in text]
    for letters in each:
        number *= len(letters)
        if number > most:
            return None
    return ["".join(letters) for letters in product(*each)]


def fold_pattern_case(pattern: Pattern) -> Pattern:
    """Return a pattern without case."""
    return tuple(fold_case(token) if isinstance(token, str) else token for token in pattern)


def pattern_text(pattern: Pattern) -> str:
    """Return the pattern as a key value has it."""
    return "".join(token.value if isinstance(token, Wild) else token for token in pattern)


def pattern_words(pattern: Pattern) -> str:
    """Return the pattern as the rest of a sentence: ``starts with 'DOE'``."""
    match pattern:
        case (str(text),):
            return f"is '{text}'"
        case (str(text), Wild.ANY):
            return f"starts with '{text}'"
        case (Wild.ANY, str(text)):
            return f"ends with '{text}'"
        case (Wild.ANY, str(text), Wild.ANY):
            return f"contains '{text}'"
        case _:
            return f"is like '{pattern_text(pattern)}'"
