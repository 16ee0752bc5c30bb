"""Wild card patterns: read, matched, and written for a database (PS3.4 C.2.2.2.4).

``*`` is any sequence of characters, ``?`` exactly one; nothing else has a meaning, and patterns are anchored at both
ends.
"""

from __future__ import annotations

from typing import TypeGuard

from dicomquest.query.criteria import Pattern, Wild

_WILDS = {wild.value: wild for wild in Wild}
# SQLite's GLOB has brackets besides, and no escape but them; LIKE has % and _, and PostgreSQL's escape is a backslash.
_GLOB_WILDS = {Wild.ANY: "*", Wild.ONE: "?"}
_GLOB_LITERALS = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_LIKE_WILDS = {Wild.ANY: "%", Wild.ONE: "_"}
_LIKE_LITERALS = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})
_LAST_CODE_POINT = 0x10FFFF


def parse_pattern(text: str) -> Pattern:
    """A key value as literals and wild cards; several ``*`` in a row are one."""
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
    """Whether a key value holds a wild card of the default repertoire; full-width ones are letters like others."""
    return "*" in text or "?" in text


def is_universal(pattern: Pattern) -> bool:
    """Whether a pattern asks nothing: ``*`` alone."""
    return pattern == (Wild.ANY,)


def is_literal(pattern: Pattern) -> TypeGuard[tuple[str]]:
    """Whether a pattern is one plain text."""
    return len(pattern) == 1 and isinstance(pattern[0], str)


def matches(pattern: Pattern, text: str) -> bool:
    """Whether the whole text fits, in time of at most pattern times text."""
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
            # Only the last ``*`` need ever take one character more: what stood before it has been met already.
            at, position = retry[0], retry[1] + 1
            retry = (at, position)
        else:
            return False
    return all(token is Wild.ANY for token in characters[at:])


def prefix(pattern: Pattern) -> str:
    """The literal that every match begins with."""
    return pattern[0] if pattern and isinstance(pattern[0], str) else ""


def after_prefix(text: str) -> str | None:
    """The least text above all that begin with ``text``, in code point order; None if there is none."""
    for index in range(len(text) - 1, -1, -1):
        code = ord(text[index])
        if code < _LAST_CODE_POINT:
            # No text of a database holds a surrogate, so the code point after them bounds as well.
            return text[:index] + chr(0xE000 if code + 1 == 0xD800 else code + 1)
    return None


def glob(pattern: Pattern) -> str:
    """The pattern for SQLite's GLOB."""
    return "".join(
        _GLOB_WILDS[t] if isinstance(t, Wild) else t.translate(_GLOB_LITERALS) for t in pattern
    )


def like(pattern: Pattern) -> str:
    """The pattern for PostgreSQL's LIKE."""
    return "".join(
        _LIKE_WILDS[t] if isinstance(t, Wild) else t.translate(_LIKE_LITERALS) for t in pattern
    )


def pattern_text(pattern: Pattern) -> str:
    """The pattern as a key value has it."""
    return "".join(token.value if isinstance(token, Wild) else token for token in pattern)


def pattern_words(pattern: Pattern, quote: str = "'") -> str:
    """The pattern as the rest of a sentence: ``starts with 'DOE'``."""
    match pattern:
        case (str(text),):
            return f"is {quote}{text}{quote}"
        case (str(text), Wild.ANY):
            return f"starts with {quote}{text}{quote}"
        case (Wild.ANY, str(text)):
            return f"ends with {quote}{text}{quote}"
        case (Wild.ANY, str(text), Wild.ANY):
            return f"contains {quote}{text}{quote}"
        case _:
            return f"is like {quote}{pattern_text(pattern)}{quote}"
