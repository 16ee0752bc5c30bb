"""The keys of the search box by their kind: names, descriptions, dates, modalities (PS3.5 6.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dicomquest.dataset.written_values import written_value
from dicomquest.query.identifier.key_arguments import KeyTextError
from dicomquest.web.box.box_keys import BoxKey, Matching
from dicomquest.web.box.box_tokens import quoted
from dicomquest.web.box.key_making import SHORT_NAMES, made
from dicomquest.web.box.word_tables import IN_SMALL_LETTERS, MODALITIES, MODALITY_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.web.box.box_dates import BoxDate

OF_NAMES = frozenset("*?^=")
"""Characters by which a name is a key as the Standard has it."""

_WILD = frozenset("*?")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class WordError(Exception):
    """A word that cannot be read; the text says why."""


def words_key(keyword: str, words: Sequence[str], matching: Matching) -> BoxKey:
    """Return the key of words of a name in any order."""
    mark = "~" if matching is Matching.SOUND else ""
    named = [f"{SHORT_NAMES.get(keyword, keyword)}:{mark}{word}" for word in words]
    if keyword == "PatientName":
        named = [f"{mark}{word}" if mark else f"word:{quoted(word)}" for word in words]
    return made(keyword, " ".join(words), matching, " ".join(named))


def name_key(keyword: str, value: str, matching: Matching) -> BoxKey:
    """Return the key of a name as the Standard has it, or of a phrase within it."""
    short = SHORT_NAMES.get(keyword, keyword)
    if "\\" in value:
        raise WordError(f"{value}: a backslash stands between values: leave it out")
    if matching is Matching.PHRASE:
        text = f"{short}:{quoted(value, always=True)}"
        return made(keyword, f"*{value}*", matching, text)
    return made(keyword, value, matching, f"{short}:{quoted(value)}")


def family_and_given(keyword: str, family: str, given: str) -> BoxKey:
    """Return the key of a name with a comma: the beginnings of its first two components."""
    family, given = (" ".join(each.replace(",", " ").split()) for each in (family, given))
    if (set(family) | set(given)) & {*OF_NAMES, "\\"}:
        raise WordError(f"{family}, {given}: write words alone, or the name as FAMILY^GIVEN")
    text = f"{SHORT_NAMES.get(keyword, keyword)}:{quoted(f'{family}, {given}')}"
    return made(keyword, f"{family}*^{given}*", Matching.STANDARD, text)


def text_key(keyword: str, value: str) -> BoxKey:
    """Return the key of a description: text that it contains, or a pattern."""
    text = f"{SHORT_NAMES.get(keyword, keyword)}:{quoted(value)}"
    if "\\" in value:
        raise WordError(f"{value}: a backslash stands between values: leave it out")
    if set(value) & _WILD:
        return made(keyword, value, Matching.PATTERN, text)
    return made(keyword, f"*{value}*", Matching.PHRASE, text)


def date_key(keyword: str, found: BoxDate) -> BoxKey:
    """Return the key of a date or a range."""
    short = SHORT_NAMES.get(keyword, keyword)
    written = (found.relative or found.text).replace(" ", "-")
    return made(
        keyword, found.value, Matching.STANDARD, f"{short}:{written}", relative=found.relative
    )


def modality_key(codes: Sequence[str]) -> BoxKey:
    """Return the key of modalities, of which one will do, or with a plus all are there."""
    if "+" in codes[0]:
        values = list(dict.fromkeys(codes[0].split("+")))
        text = f"mod:{'+'.join(values)}"
        matching = Matching.ALL_VALUES if len(values) > 1 else Matching.STANDARD
        return made("ModalitiesInStudy", "\\".join(values), matching, text)
    values = list(dict.fromkeys(codes))
    text = f"mod:{','.join(values)}"
    return made("ModalitiesInStudy", "\\".join(values), Matching.STANDARD, text)


def modalities_of(token: str) -> str:
    """Return the codes that a word stands for, with commas or pluses; "" if it is none."""
    if token in MODALITIES or token in IN_SMALL_LETTERS:
        return token.upper()
    parts = token.split("+")
    if len(parts) > 1 and all(each in MODALITIES or each in IN_SMALL_LETTERS for each in parts):
        return token.upper()
    return ",".join(MODALITY_WORDS.get(token.casefold(), ()))


def named_modalities(value: str) -> str:
    """Return the codes behind ``mod:``; WrittenValueError if one is none."""
    separator = "+" if "+" in value else ","
    parts = value.replace("\\", ",").split(separator)
    if separator == "+" and any("," in each for each in parts):
        raise WordError(f"{value}: write CT,MR for one of them, or CT+SR for both")
    found: list[str] = []
    for part in map(str.strip, parts):
        codes = MODALITY_WORDS.get(part.casefold(), (part.upper(),))
        found += codes if separator == "," else codes[:1]
    if not all(found):
        raise WordError(f"{value}: write a modality between the {separator}")
    return separator.join(written_value("CS", each, _ANY_TIME) for each in found)


def perhaps(error: KeyTextError) -> str:
    """Return the keyword that was perhaps meant."""
    _, hint, names = str(error).partition("; did you mean ")
    return f" Perhaps {names.rstrip('?')}." if hint else ""
