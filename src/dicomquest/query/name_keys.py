"""Person name keys, literal and fuzzy (PS3.4 C.2.2.2.1.1, C.2.2.2.4; PS3.5 6.2.1).

Literal matching compares folded component groups: without case, accents, width, component padding
and trailing empty components. Fuzzy matching takes a name apart into words of any order and group:
a stored word fits a word of the key if it begins with it or has the same Metaphone code.
"""

from __future__ import annotations

import re

from jellyfish import metaphone

from dicomquest.dataset.values import fold_name
from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import FuzzyName, FuzzyWord, Pattern, PersonName, Wild
from dicomquest.query.patterns import is_universal, matches

GROUPS = ("alphabetic", "ideographic", "phonetic")

# Noncharacters stand for the wild cards while a key is folded: folding turns a full-width asterisk,
# which is a letter to the Standard, into the wild card.
_STAND_INS = str.maketrans({"*": "\ufdd0", "?": "\ufdd1"})
_WILDS = {"\ufdd0": Wild.ANY, "\ufdd1": Wild.ONE}
_TOKENS = re.compile("[\ufdd0\ufdd1]|[^\ufdd0\ufdd1]+")
# Not \w, which leaves out combining marks: they belong to the letters of Thai or Devanagari.
_BETWEEN_WORDS = re.compile(r"[\s^=,;.()/\-\u3000\u30fb]+")
_WITHIN_WORDS = str.maketrans("", "", "'\u2019`")


def parse_name(text: str, *, fuzzy: bool) -> PersonName | FuzzyName | None:
    """Return the criterion of a PN key value, None if it asks nothing (``*``, ``^``).

    ValueFormatError if it has more than three component groups.
    """
    groups = text.split("=")
    if len(groups) > len(GROUPS):
        raise ValueFormatError("PN", text, "at most three component groups")
    patterns = [fold_pattern(group) for group in groups]
    alternatives = [_alternatives(pattern) if pattern else None for pattern in patterns]
    if all(group is None for group in alternatives):
        return None
    if len(groups) == 1:
        literal = PersonName((alternatives[0],), any_group=True, text=text)
    else:
        alternatives += [None] * (len(GROUPS) - len(alternatives))
        literal = PersonName(tuple(alternatives), any_group=False, text=text)
    words = _key_words(text) if fuzzy else ()
    return FuzzyName(literal, words) if words else literal


def fold_pattern(text: str) -> Pattern:
    """Return one component group of a key, folded as stored names are, with its wild cards."""
    plain = text.replace("\ufdd0", "\ufffd").replace("\ufdd1", "\ufffd")
    folded = fold_name(plain.translate(_STAND_INS))
    tokens: list[str | Wild] = []
    for token in _TOKENS.findall(folded):
        wild = _WILDS.get(token)
        if wild is None or not (wild is Wild.ANY and tokens and tokens[-1] is Wild.ANY):
            tokens.append(wild or token)
    return tuple(tokens)


def _alternatives(pattern: Pattern) -> tuple[Pattern, ...] | None:
    """Return the pattern and those without empty last components: ``doe^*`` and ``doe``.

    None if one of them asks nothing.
    """
    found = [pattern]
    while len(pattern) >= 2 and pattern[-1] is Wild.ANY:
        before = pattern[-2]
        if not isinstance(before, str) or not before.endswith("^"):
            break
        rest = before.rstrip("^")
        pattern = (*pattern[:-2], rest) if rest else pattern[:-2]
        found.append(pattern)
    return (
        None if any(is_universal(each) for each in found) else tuple(each for each in found if each)
    )


def split_words(name: str) -> tuple[str, ...]:
    """Return the words of a folded name or component group, each once."""
    words = _BETWEEN_WORDS.split(name.translate(_WITHIN_WORDS))
    return tuple(dict.fromkeys(word for word in words if word))


def name_words(groups: tuple[str, str, str]) -> tuple[str, ...]:
    """Return the words of a stored name's folded groups."""
    return split_words("=".join(groups))


def phonetic_code(word: str) -> str:
    """Return the Metaphone code of a folded word, "" unless it has Latin letters only."""
    return metaphone(word) if word.isascii() and word.isalpha() else ""


def _key_words(text: str) -> tuple[FuzzyWord, ...]:
    words = []
    for word in split_words(fold_name(text.translate(_STAND_INS).replace("=", "^"))):
        pattern = tuple(_WILDS.get(token) or token for token in _TOKENS.findall(word))
        if any(isinstance(token, str) for token in pattern):
            plain = len(pattern) == 1
            words.append(
                FuzzyWord(
                    (word, Wild.ANY) if plain else pattern, phonetic_code(word) if plain else ""
                )
            )
    return tuple(words)


def matches_group(alternatives: tuple[Pattern, ...], group: str | None) -> bool:
    """Tell whether a stored, folded group fits one of the alternatives; an empty one fits none."""
    return bool(group) and any(matches(pattern, group or "") for pattern in alternatives)


def matches_name(criterion: PersonName, groups: tuple[str | None, ...]) -> bool:
    """Tell whether a stored name's three folded groups fit."""
    if criterion.any_group:
        (alternatives,) = criterion.groups
        return alternatives is not None and any(
            matches_group(alternatives, group) for group in groups
        )
    wanted = zip(criterion.groups, groups, strict=True)
    return all(
        alternatives is None or matches_group(alternatives, group) for alternatives, group in wanted
    )


def matches_word(word: FuzzyWord, stored: str) -> bool:
    """Tell whether a stored word fits one word of a fuzzy key."""
    return matches(word.pattern, stored) or (word.code != "" and word.code == phonetic_code(stored))


def matches_fuzzily(criterion: FuzzyName, groups: tuple[str | None, ...]) -> bool:
    """Tell whether a stored name fits literally, or has a word for each word of the key."""
    if matches_name(criterion.literal, groups):
        return True
    stored = split_words("=".join(group or "" for group in groups))
    return all(any(matches_word(word, each) for each in stored) for word in criterion.words)
