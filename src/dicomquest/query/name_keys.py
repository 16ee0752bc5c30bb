"""Person name keys, literal and fuzzy (PS3.4 C.2.2.2.1.1, C.2.2.2.4; PS3.5 6.2.1).

Literal matching compares folded component groups: without case, accents, width, component padding
and trailing empty components. Fuzzy matching takes a name apart into words of any order and group:
a stored word fits a word of the key if it begins with it or has the same Metaphone code.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

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
# Names that are typed and stored without a space between family and given name as well.
_UNSPACED = ("CJK ", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC ITERATION")
_LONGEST_UNSPACED = 12
# The letters of both kinds of kana, and their iteration marks.
_HIRAGANA = [*range(0x3041, 0x3097), 0x309D, 0x309E]
_TO_KATAKANA = {code: code + 0x60 for code in _HIRAGANA}
_TO_HIRAGANA = {code + 0x60: code for code in _HIRAGANA}
_WITHIN_WORDS = str.maketrans("", "", "'\u2019`")


def parse_name(text: str, *, fuzzy: bool, by_sound: bool = True) -> PersonName | FuzzyName | None:
    """Return the criterion of a PN key value, None if it asks nothing (``*``, ``^``).

    Fuzzy names also match by words, and unless ``by_sound`` is False by words that sound alike.
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
    words = _key_words(text, by_sound=by_sound) if fuzzy else ()
    if not words:
        return literal
    if len(groups) == 1 and (unspaced := _unspaced(groups[0])):
        literal = replace(literal, groups=((*(alternatives[0] or ()), *unspaced),))
    return FuzzyName(literal, words)


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


def _unspaced(group: str) -> tuple[Pattern, ...]:
    """Return the patterns of a name in Han, kana or Hangul that is typed without a space.

    Family and given name may meet behind each letter.
    """
    name = fold_name(group)
    if not 1 < len(name) <= _LONGEST_UNSPACED or not all(map(_is_unspaced, name)):
        return ()
    return tuple(
        (f"{each[:at]}{between}{each[at:]}", Wild.ANY)
        for each in (name, *_other_kana(name))
        for at in range(1, len(each))
        for between in "^ "
    )


def _is_unspaced(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_UNSPACED)


def _other_kana(word: str) -> tuple[str, ...]:
    """Return a word all in the other kinds of kana, where it has some."""
    found = {word.translate(_TO_KATAKANA), word.translate(_TO_HIRAGANA)} - {word}
    return tuple(sorted(found))


def _key_words(text: str, *, by_sound: bool) -> tuple[FuzzyWord, ...]:
    words = []
    for word in split_words(fold_name(text.translate(_STAND_INS).replace("=", "^"))):
        pattern = tuple(_WILDS.get(token) or token for token in _TOKENS.findall(word))
        if any(isinstance(token, str) for token in pattern):
            if len(pattern) > 1:
                words.append(FuzzyWord(pattern, ""))
                continue
            code = phonetic_code(word) if by_sound else ""
            others = tuple((each, Wild.ANY) for each in _other_kana(word))
            words.append(FuzzyWord((word, Wild.ANY), code, others))
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
    return any(matches(pattern, stored) for pattern in word.spellings) or (
        word.code != "" and word.code == phonetic_code(stored)
    )


def matches_fuzzily(criterion: FuzzyName, groups: tuple[str | None, ...]) -> bool:
    """Tell whether a stored name fits literally, or has a word for each word of the key."""
    if matches_name(criterion.literal, groups):
        return True
    stored = split_words("=".join(group or "" for group in groups))
    return all(any(matches_word(word, each) for each in stored) for word in criterion.words)
