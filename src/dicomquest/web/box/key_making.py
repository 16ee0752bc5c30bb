"""A key of the search box made of a keyword and a value, and its criteria (PS3.4 C.2.2.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydicom.datadict import keyword_for_tag

from dicomquest.query.criteria import Criterion, FuzzyName, KeyCriterion, Range, SingleInterval
from dicomquest.query.identifier.identifier_keys import KeyReader, is_key
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    build_identifier,
    parse_key,
)
from dicomquest.query.options import QueryOptions
from dicomquest.query.short_words import chip, clause, span
from dicomquest.standard.attributes import level_of
from dicomquest.standard.levels import Level
from dicomquest.web.box.box_keys import BoxKey, Matching
from dicomquest.web.box.box_tokens import quoted

if TYPE_CHECKING:
    from dicomquest.query.identifier.identifier_keys import ReadKey

ALIASES = {
    "name": "PatientName", "id": "PatientID", "acc": "AccessionNumber", "born": "PatientBirthDate",
    "sex": "PatientSex", "mod": "ModalitiesInStudy", "date": "StudyDate", "time": "StudyTime",
    "desc": "StudyDescription", "ref": "ReferringPhysicianName", "station": "StationName",
    "institution": "InstitutionName", "study": "StudyID", "uid": "StudyInstanceUID",
}  # fmt: skip
"""The attributes by the word before the colon."""

USUAL = QueryOptions()
"""The limits under which a text is read."""

TEXTS = frozenset({"StudyDescription", "SeriesDescription"})
"""Attributes of free text, which a word of the box is looked for in."""

SHORT_NAMES = {keyword: alias for alias, keyword in ALIASES.items()}


def path_of(name: str) -> Key:
    """Return the attribute of a name before a colon; KeyTextError if there is none."""
    key = parse_key(f"{ALIASES.get(name.casefold(), name)}=")
    if not is_key(key.path[0].tag):
        raise KeyTextError(f"{key.name} is no attribute that studies are found by")
    keyword = keyword_for_tag(key.path[0].tag) if len(key.path) == 1 else ""
    return replace(key, name=keyword or key.name)


def criteria_of(key: BoxKey, options: QueryOptions) -> tuple[KeyCriterion, ...]:
    """Return what a key asks, none if it asks nothing.

    IdentifierError or KeyTextError if its value is none. ``options`` have the limits and the zone
    of the one who asks.
    """
    asked = replace(
        options,
        relational=True,
        combined_datetime=False,
        timezone_adjustment=False,
        fuzzy=key.matching in {Matching.WORDS, Matching.SOUND},
        empty_value=key.matching is Matching.EMPTY,
        multiple_value=key.matching is Matching.ALL_VALUES,
        several_values="or",
        strict=False,
        unknown_matches=False,
        ignore_case=key.matching in {Matching.PHRASE, Matching.PATTERN},
    )
    written = replace(parse_key(f"{key.keyword}="), value=key.value)
    identifier = build_identifier([written])
    reader = KeyReader(asked, asked.timezone_offset_minutes, adjusts=False)
    found: list[KeyCriterion] = []
    for read in reader.read(identifier):
        for _, reason in read.troubles():
            raise KeyTextError(f"{key.keyword}: {reason}")
        found += read.key_criteria((), _level(read), or_unknown=False)
    return tuple(each._replace(criterion=_as_asked(each, key.matching)) for each in found)


def _level(read: ReadKey) -> Level:
    return level_of(read.tag) if read.step.creator is None else Level.IMAGE


def _as_asked(asked: KeyCriterion, matching: Matching) -> Criterion:
    criterion = asked.criterion
    if matching is Matching.WORDS and isinstance(criterion, FuzzyName):
        words = tuple(replace(word, code="") for word in criterion.words)
        return FuzzyName(criterion.literal, words)
    return criterion


def _moving(asked: KeyCriterion, relative: str) -> str:
    """Return a date that moves with the day, in its days of now: ``2024-10-01 to 2024-10-31``."""
    criterion = asked.criterion
    label = chip(asked)
    if isinstance(criterion, Range | SingleInterval) and criterion.lower and criterion.upper:
        name = label.partition(" ")[0] if label.startswith("born") else "study date"
        label = f"{name} {span(criterion.lower, criterion.upper)}"
    return f"{label} ({relative.replace('-', ' ')})"


def made(
    keyword: str,
    value: str,
    matching: Matching,
    text: str = "",
    *,
    relative: str = "",
) -> BoxKey:
    """Return a key; errors as ``criteria_of``, and KeyTextError if it asks nothing."""
    text = text or f"{SHORT_NAMES.get(keyword, keyword)}:{quoted(value)}"
    key = BoxKey(keyword, value, matching, "", "", text, relative)
    criteria = criteria_of(key, USUAL)
    if not criteria:
        raise KeyTextError(f"{text}: every study has that. Leave it out, or write a value")
    words, label = clause(criteria[0]), chip(criteria[0])
    if relative:
        words = label = _moving(criteria[0], relative)
    return replace(key, words=words, chip=label)
