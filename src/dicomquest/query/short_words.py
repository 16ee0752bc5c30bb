"""A query as one short sentence, for the page and the terminal (PS3.4 C.2.2.2)."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

from dicomquest.query.criteria import (
    AnyOf,
    CaseFree,
    EmptyValue,
    FuzzyName,
    HasValue,
    MultipleValue,
    PersonName,
    Range,
    SingleInterval,
    SingleNumber,
    SingleValue,
    UIDList,
    Wild,
    WildCard,
)
from dicomquest.query.matching import words
from dicomquest.query.name_keys import GROUPS
from dicomquest.query.patterns import has_wild_card, pattern_text
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import KEYS_BY_KEYWORD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomquest.query.criteria import Criterion, KeyCriterion
    from dicomquest.query.model import Query

_NAME = KEYS_BY_KEYWORD["PatientName"].tag
_SEX = KEYS_BY_KEYWORD["PatientSex"].tag
_MODALITIES = KEYS_BY_KEYWORD["ModalitiesInStudy"].tag
_BORN = KEYS_BY_KEYWORD["PatientBirthDate"].tag
_SEXES = {"F": "female", "M": "male"}
_LABELS = {
    "ModalitiesInStudy": "modality",
    "StudyDescription": "description",
    "StudyInstanceUID": "study UID",
    "StationName": "station",
    "ReferringPhysicianName": "referring physician",
    "PatientSex": "sex",
    "PatientBirthDate": "birth date",
    "PatientName": "name",
}
_NAMES = {KEYS_BY_KEYWORD[keyword].tag: label for keyword, label in _LABELS.items()}


def short_question(query: Query) -> str:
    """Return a query in words: ``MR studies of patients named citizen…, study date in 2024``."""
    keys = [key for key in query.criteria if not isinstance(key.criterion, HasValue)]
    return short_sentence(keys, query.level.entities)


def short_sentence(
    keys: Sequence[KeyCriterion], entities: str = "studies", relative: dict[int, str] | None = None
) -> str:
    """Return keys in words; ``relative`` has those of dates that move with the day, by place."""
    if not keys:
        return f"All {entities}"
    before, who, named, rest = "", "patients", "", []
    for at, key in enumerate(keys):
        tag, criterion = key.tag, key.criterion
        remark = (relative or {}).get(at)
        is_root = len(key.path) == 1
        if remark is not None:
            rest.append(remark)
        elif is_root and tag == _MODALITIES and not before and (codes := _codes(criterion)):
            before = codes
        elif is_root and tag == _SEX and isinstance(criterion, SingleValue) and who == "patients":
            who = f"{_SEXES[criterion.value]} patients" if criterion.value in _SEXES else who
            if criterion.value not in _SEXES:
                rest.append(clause(key))
        elif is_root and tag == _NAME and not named and not isinstance(criterion, EmptyValue):
            named = name_words(criterion)
        else:
            rest.append(clause(key))
    subject = _subject(before, entities)
    if named or who != "patients":
        subject += f" of {who} {named}".rstrip()
    elif rest:
        subject += f" {_joint(rest[0])}{rest.pop(0)}"
    return ", ".join([subject[0].upper() + subject[1:], *rest])


def _joint(words: str) -> str:
    """Return what stands between "studies" and the words of their first key."""
    if words.startswith("born "):
        return "of patients "
    return "" if words.startswith(("with ", "without ")) else "with "


def _subject(before: str, entities: str) -> str:
    if before.startswith("with "):
        return f"{entities} {before}"
    return f"{before} {entities}".strip()


def _codes(criterion: Criterion) -> str:
    """Return modalities before or behind "studies", "" if they are no plain codes."""
    match criterion:
        case SingleValue(value):
            return value
        case AnyOf(parts) if all(isinstance(part, SingleValue) for part in parts):
            return _listed([str(_value(part)) for part in parts], "or")
        case MultipleValue(parts):
            both = "both " if len(parts) == 2 else ""
            return f"with {both}{_listed([str(_value(part)) for part in parts], 'and')}"
        case _:
            return ""


def clause(key: KeyCriterion) -> str:
    """Return one key in the words of a sentence: ``study date in 2024``."""
    return _clause(key, is_chip=False)


def chip(key: KeyCriterion) -> str:
    """Return one key in the words of a label of its own: ``study date 2024``."""
    return _clause(key, is_chip=True)


def _clause(key: KeyCriterion, *, is_chip: bool) -> str:
    label = _NAMES.get(key.tag) if len(key.path) == 1 else None
    label = label or _lowered(attribute_name(*key.path[-1]))
    criterion = key.criterion
    if key.vr == "PN" and isinstance(criterion, PersonName | FuzzyName):
        named = name_words(criterion)
        return named if key.tag == _NAME else f"{label} {named}"
    if key.vr == "DA" and isinstance(criterion, Range | SingleInterval):
        of = "born" if key.tag == _BORN else label
        return f"{of} {_days(criterion.lower, criterion.upper, is_chip=is_chip)}"
    if isinstance(criterion, EmptyValue):
        return f"without {label}"
    if isinstance(criterion, HasValue):
        return f"with any {label}"
    return f"{label} {_value(criterion, attribute_name(*key.path[-1]))}"


def _value(criterion: Criterion, name: str = "") -> str:
    match criterion:
        case SingleValue(value) | SingleNumber(value):
            return value
        case WildCard((Wild.ANY, str(text), Wild.ANY)) | CaseFree((Wild.ANY, str(text), Wild.ANY)):
            return f'with "{text}"'
        case WildCard(pattern) | CaseFree(pattern):
            return f"like {pattern_text(pattern)}"
        case UIDList(uids):
            return f"one of {len(uids)}"
        case AnyOf(parts):
            return _listed([_value(part, name) for part in parts], "or")
        case MultipleValue(parts):
            return _listed([_value(part, name) for part in parts], "and")
        case _:
            return words(criterion, name).removeprefix(f"{name} ")


def name_words(criterion: Criterion) -> str:
    """Return the criterion of a name as what follows "patients"."""
    match criterion:
        case FuzzyName(literal, fuzzy):
            typed = literal.text.lower().split()
            if len(typed) != len(fuzzy):
                typed = [pattern_text(word.pattern).removesuffix("*") for word in fuzzy]
            begun = " ".join(f"{word}…" for word in typed)
            order = " (any order)" if len(fuzzy) > 1 else ""
            like = "them" if len(fuzzy) > 1 else "it"
            sound = f" or sounding like {like}" if any(word.code for word in fuzzy) else ""
            return f"named {begun}{order}{sound}"
        case PersonName():
            return _literal_name(criterion)
        case AnyOf(parts):
            return _listed([name_words(part) for part in parts], "or")
        case EmptyValue():
            return "without name"
        case _:
            return words(criterion, "name")


def _literal_name(criterion: PersonName) -> str:
    text = criterion.text
    if not criterion.any_group:
        named = [
            f"{group} name {_like(part)}"
            for group, part in zip(GROUPS, text.split("="), strict=False)
            if part
        ]
        return f"with {' and '.join(named)}"
    parts = text.split("^")
    if len(parts) == 2 and all(_is_beginning(part) for part in parts):
        return f"with family name {_part(parts[0])}, given name {_part(parts[1])}"
    inner = text[1:-1]
    if text.startswith("*") and text.endswith("*") and inner and not set(inner) & set("*?^"):
        return f'named with "{inner}"'
    return f"named {_like(text)}" if has_wild_card(text) else f"named {text} exactly"


def _like(text: str) -> str:
    return f"like {text}" if has_wild_card(text) else text


def _is_beginning(part: str) -> bool:
    return len(part) > 1 and part.endswith("*") and not has_wild_card(part[:-1])


def _part(part: str) -> str:
    return f"{part[:-1].lower()}…"


def _days(lower: str | None, upper: str | None, *, is_chip: bool) -> str:
    """Return an interval of days, as a year, a month or a day if it is one."""
    if lower is None:
        return f"until {_day(upper or '')}"
    if upper is None:
        return f"since {_day(lower)}"
    if lower == upper:
        return _day(lower) if is_chip else f"on {_day(lower)}"
    period = whole_period(lower, upper)
    if period:
        return period if is_chip else f"in {period}"
    both = f"{_day(lower)} to {_day(upper)}"
    return both if is_chip else f"from {both}"


def span(lower: str, upper: str) -> str:
    """Return two days, or the one that both are."""
    return _day(lower) if lower == upper else f"{_day(lower)} to {_day(upper)}"


def whole_period(lower: str, upper: str) -> str:
    """Return the year or month of which two days are the first and the last, "" if none."""
    year, month = lower[:4], lower[4:6]
    if year != upper[:4] or lower[6:8] != "01":
        return ""
    if month == "01" and upper[4:8] == "1231":
        return year
    last = calendar.monthrange(int(year), int(month))[1] if year != "0000" else 0
    if month == upper[4:6] and upper[6:8] == f"{last:02}":
        return f"{calendar.month_name[int(month)]} {year}"
    return ""


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def _lowered(name: str) -> str:
    """Return the name of an attribute for the middle of a sentence: ``accession number``."""
    return " ".join(
        word if len(word) > 1 and word[1].isupper() else word.lower() for word in name.split()
    )


def _listed(texts: Sequence[str], operator: str) -> str:
    if len(texts) < 3:
        return f" {operator} ".join(texts)
    return f"{', '.join(texts[:-1])} {operator} {texts[-1]}"
