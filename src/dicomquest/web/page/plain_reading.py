"""The text of the search box as the keys of a query, and in words (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
import shlex
from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import quote

from dicomquest.errors import IdentifierError
from dicomquest.query.identifier.key_arguments import KeyTextError, build_identifier, parse_key
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.model import Query
from dicomquest.query.options import QueryOptions
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.web.page.study_words import DESCRIPTION_WORDS, MODALITIES, MODALITY_WORDS

LookUp = Callable[[str, str], int]
"""The number of studies that have a value of an attribute, by its keyword."""

LONGEST_TEXT = 1000
"""Characters of a question."""

_TOKEN = re.compile(r'(?:[\w.,]+:)?"[^"]*"?|\S+')
_UID = re.compile(r"[012](?:\.\d+){3,}")
_NAMED = {
    "name": "PatientName", "id": "PatientID", "acc": "AccessionNumber", "mod": "ModalitiesInStudy",
    "date": "StudyDate", "born": "PatientBirthDate", "sex": "PatientSex", "uid": "StudyInstanceUID",
    "desc": "StudyDescription", "ref": "ReferringPhysicianName", "station": "StationName",
    "study": "StudyID", "time": "StudyTime", "institution": "InstitutionName",
}  # fmt: skip
KEY_WORDS = {keyword: word for word, keyword in _NAMED.items()}
"""The word before the colon, by keyword."""

_NAMES = {
    "PatientName": "named", "PatientID": "patient ID", "AccessionNumber": "accession number",
    "ModalitiesInStudy": "modality", "StudyDate": "study date", "PatientBirthDate": "born",
    "PatientSex": "sex", "StudyInstanceUID": "UID", "StudyDescription": "description with",
    "ReferringPhysicianName": "referring physician", "StationName": "station",
    "StudyID": "study ID", "StudyTime": "study time", "InstitutionName": "institution",
}  # fmt: skip
_DATES = frozenset({"StudyDate", "PatientBirthDate"})
_LOOKED_UP = ("AccessionNumber", "PatientID", "StudyID")
_SLASHED = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoxKey:
    """One key: its attribute, the value as DICOM has it, its words, and the text that gives it."""

    keyword: str
    value: str
    words: str
    text: str

    @property
    def chip(self) -> str:
        """The words of the key by itself."""
        name = _NAMES.get(self.keyword, self.keyword)
        return f"{name} {self.words}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part of the text that cannot be read: its place, and a sentence about it."""

    start: int
    end: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several meanings: its words, and the text that has it alone."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A question as it was understood."""

    text: str
    keys: tuple[BoxKey, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    choices: tuple[Choice, ...] = ()
    question: str = ""

    @property
    def is_answerable(self) -> bool:
        """Tell whether the question has one meaning."""
        return not (self.troubles or self.choices)

    @property
    def address(self) -> str:
        """The question as the query component of an address."""
        return f"q={quote(self.text, safe='')}" if self.text else "all"

    @property
    def sentence(self) -> str:
        """The question in words."""
        by_keyword = {each.keyword: each for each in self.keys}
        modality = by_keyword.pop("ModalitiesInStudy", None)
        sex = by_keyword.pop("PatientSex", None)
        if not self.keys:
            return "All studies"
        subject = f"{modality.words} studies" if modality else "Studies"
        name = by_keyword.pop("PatientName", None)
        who = {"F": "female patients", "M": "male patients"}.get(sex.value if sex else "")
        if name is not None:
            subject += f" of {who or 'patients'} named {name.words}"
        elif who:
            subject += f" of {who}"
        return ", ".join([subject, *(each.chip for each in by_keyword.values())])

    def without(self, key: BoxKey) -> Reading:
        """Return the question without a key."""
        return _of(each for each in self.keys if each is not key)

    def with_(self, keyword: str, text: str) -> Reading:
        """Return the question with a key, in the place of another one of its attribute."""
        kept = [each for each in self.keys if each.keyword != keyword]
        return Reading(" ".join([*(each.text for each in kept), text]).strip())

    def query(self, returned: Sequence[str], options: QueryOptions) -> Query:
        """Return the query; IdentifierError if a value is none."""
        keys = [parse_key(f"{each.keyword}={each.value}") for each in self.keys]
        asked = {key.name for key in keys}
        keys += [parse_key(name) for name in returned if name not in asked]
        identifier = build_identifier([parse_key("QueryRetrieveLevel=STUDY"), *keys])
        return parse_identifier(identifier, STUDY_ROOT.uid, _options(options))

    @property
    def find_line(self) -> str:
        """The question as a command."""
        keys = [f"{each.keyword}={each.value}" for each in self.keys]
        return shlex.join(["dicomquest", "find", "--index", "scans.sqlite", *keys])

    @property
    def qido(self) -> str:
        """The question as the path and query component of QIDO-RS."""
        keys = [f"{each.keyword}={quote(each.value, safe='')}" for each in self.keys]
        if any(each.keyword == "PatientName" for each in self.keys):
            keys.append("fuzzymatching=true")
        return "/studies" + ("?" if keys else "") + "&".join(keys)


def _options(options: QueryOptions) -> QueryOptions:
    return replace(options, relational=True, combined_datetime=True, fuzzy=True, empty_value=True)


def _of(keys: Iterable[BoxKey]) -> Reading:
    kept = tuple(keys)
    return Reading(" ".join(each.text for each in kept), kept)


def read_box(text: str, today: date, look_up: LookUp) -> Reading:
    """Return the question that a text is; ``look_up`` is asked for numbers and mixed codes."""
    text = text.strip()[:LONGEST_TEXT]
    return _Reader(text, today, look_up).read()


class _Reader:
    def __init__(self, text: str, today: date, look_up: LookUp) -> None:
        self._text, self._today, self._look_up = text, today, look_up
        self._keys: dict[str, BoxKey] = {}
        self._troubles: list[Trouble] = []
        self._choices: list[Choice] = []
        self._question = ""

    def read(self) -> Reading:
        """Return the question, word by word."""
        text = _joined_phrases(self._text)
        for match in _TOKEN.finditer(text):
            try:
                self._take(match[0])
            except (ValueError, KeyTextError, IdentifierError) as error:
                self._troubles.append(Trouble(match.start(), match.end(), str(error)))
        keys = tuple(self._keys.values())
        return Reading(
            self._text, keys, tuple(self._troubles), tuple(self._choices), self._question
        )

    def _take(self, token: str) -> None:
        word, colon, value = token.partition(":")
        value = value.strip('"')
        if colon and word and not token.startswith('"'):
            self._take_named(word, value)
        elif token.startswith('"'):
            self._add_word("PatientName", token.strip('"'), token)
        elif _UID.fullmatch(token):
            self._add("StudyInstanceUID", token, token, f"uid:{token}")
        elif found := read_date(token.replace("_", " "), self._today):
            value, words = found
            self._add("StudyDate", value, words, f"date:{token}")
        elif slashed := _SLASHED.fullmatch(token):
            self._take_slashed(token, slashed)
        elif modality := _modalities(token):
            self._add_modalities(modality, token)
        elif any(each.isdigit() for each in token):
            self._take_code(token)
        elif token.casefold() in DESCRIPTION_WORDS:
            self._add_word("StudyDescription", token, f"desc:{token}")
        else:
            self._add_word("PatientName", token, token)

    def _take_named(self, word: str, value: str) -> None:
        keyword = _NAMED.get(word.casefold(), word)
        if word.casefold() not in _NAMED:
            parse_key(f"{word}=")
        shown = f'"{value}"' if " " in value else value
        text = f"{word}:{shown}"
        if value.casefold() == "none":
            self._add(keyword, '""', "without a value", text)
        elif keyword in _DATES:
            found = read_date(value.replace("_", " "), self._today)
            if found is None:
                raise ValueError(
                    f"{value} is no date: write 2024-03-05, 2024-03 or 2024-01..2024-05"
                )
            self._add(keyword, found[0], found[1], text)
        elif keyword == "ModalitiesInStudy":
            self._add_modalities([each.upper() for each in value.split(",")], text)
        elif keyword in {"StudyDescription", "PatientName"}:
            self._add_word(keyword, value, text)
        elif keyword == "PatientSex":
            self._add(keyword, value.upper()[:1], value.upper()[:1], text)
        else:
            self._add(keyword, value, value, text)

    def _take_slashed(self, token: str, match: re.Match[str]) -> None:
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        readings = []
        for day, month in dict.fromkeys(((first, second), (second, first))):
            try:
                readings.append(date(year, month, day))
            except ValueError:
                continue
        if not readings:
            raise ValueError(f"{token} is no date: write 2024-03-05")
        if len(readings) == 1:
            self._take(readings[0].isoformat())
            return
        self._question = f"{token} could be two days. Which?"
        for each in readings:
            label = f"{each.isoformat()} ({each.day} {_MONTHS[each.month - 1]} {each.year})"
            self._choices.append(Choice(label, self._text.replace(token, each.isoformat())))

    def _take_code(self, token: str) -> None:
        found = {each: self._look_up(each, token) for each in _LOOKED_UP}
        kinds = [keyword for keyword, number in found.items() if number]
        if len(kinds) > 1:
            parts = [f"the {_NAMES[each]} of {_number(found[each])}" for each in kinds]
            self._question = f"{token} is {' and '.join(parts)}. Which?"
            for each in kinds:
                new = self._text.replace(token, f"{KEY_WORDS[each]}:{token}")
                self._choices.append(Choice(f"{_NAMES[each]} {token}", new))
            return
        keyword = kinds[0] if kinds else "PatientID"
        self._add(keyword, token, token, f"{KEY_WORDS[keyword]}:{token}")

    def _add(self, keyword: str, value: str, words: str, text: str) -> None:
        if keyword in self._keys:
            name = _NAMES.get(keyword, keyword)
            raise ValueError(f"{text}: the {name} is given twice: leave one out")
        self._keys[keyword] = BoxKey(keyword, value, words, text)

    def _add_word(self, keyword: str, value: str, text: str) -> None:
        before = self._keys.pop(keyword, None)
        joined = f"{before.text} {text}" if before else text
        if keyword == "PatientName":
            literal = any(each in value for each in "^*?=")
            words = value if literal else " ".join(f"{each}…" for each in value.split())
            key = BoxKey(keyword, value, words, joined)
            if before:
                key = replace(key, value=f"{before.value} {value}", words=f"{before.words} {words}")
        else:
            wild = f"*{value}*"
            key = BoxKey(keyword, wild, f"“{value}”", joined)
            if before:
                value = f"{before.value.strip('*')}*{value}"
                words = f"{before.words} and “{wild.strip('*')}”"
                key = replace(key, value=f"*{value}*", words=words)
        self._keys[keyword] = key

    def _add_modalities(self, modalities: Sequence[str], text: str) -> None:
        before = self._keys.pop("ModalitiesInStudy", None)
        values = before.value.split("\\") if before else []
        values = list(dict.fromkeys([*values, *modalities]))
        self._add(
            "ModalitiesInStudy", "\\".join(values), " or ".join(values), "mod:" + ",".join(values)
        )
        del text


def _joined_phrases(text: str) -> str:
    """Return a text whose phrases of time are one word each."""
    text = re.sub(r"(?i)\blast (week|month|year)\b", r"last_\1", text)
    text = re.sub(r"(?i)\b(?:last )?(\d{1,3}) days\b", r"\1_days", text)
    return re.sub(r"(?i)\bsince (\d{4}(?:-\d\d){0,2})\b", r"\1..", text)


def _modalities(token: str) -> list[str] | None:
    if token.isupper() and (token in MODALITIES or all(t in MODALITIES for t in token.split("+"))):
        return token.split("+")
    return MODALITY_WORDS.get(token.casefold())


def read_date(text: str, today: date) -> tuple[str, str] | None:
    """Return a date or a range as DICOM has it, and its words; None if the text is none.

    ValueError for a date that no calendar has.
    """
    low = text.casefold()
    if low in {"today", "yesterday"}:
        day = today - timedelta(days=low == "yesterday")
        return f"{day:%Y%m%d}", f"{day} ({low})"
    if low == "last week":
        end = today - timedelta(days=today.weekday() + 1)
        return _range(end - timedelta(days=6), end, " (last week)")
    if low == "last month":
        end = today.replace(day=1) - timedelta(days=1)
        return _range(end.replace(day=1), end, " (last month)")
    if low == "last year":
        return _range(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31), " (last year)")
    if match := re.fullmatch(r"(\d{1,3}) days", low):
        return _range(today - timedelta(days=int(match[1]) - 1), today, f" ({low})")
    if ".." in text:
        first, _, last = text.partition("..")
        lower = _span(first, today) if first else None
        upper = _span(last, today) if last else None
        if (first and lower is None) or (last and upper is None) or not (first or last):
            return None
        return _open_range(lower and lower[0], upper and upper[1])
    span = _span(text, today)
    if span is None:
        return None
    value = f"{span[0]:%Y%m%d}" if span[0] == span[1] else f"{span[0]:%Y%m%d}-{span[1]:%Y%m%d}"
    if len(text) == 7:
        return value, f"in {_MONTHS[span[0].month - 1]} {span[0].year}"
    return value, f"in {span[0].year}" if len(text) == 4 else str(span[0])


def _span(text: str, today: date) -> tuple[date, date] | None:
    if re.fullmatch(r"\d{8}", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
        if not 1900 <= int(text[:4]) <= today.year + 1:
            return None
    match = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", text)
    if match is None or not 1900 <= int(match[1]) <= today.year + 1:
        return None
    year, month, day = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if not match[2]:
        return date(year, 1, 1), date(year, 12, 31)
    if not 1 <= month <= 12:
        raise ValueError(f"{text}: there is no month {match[2]}: write 01 to 12")
    last = monthrange(year, month)[1]
    if not match[3]:
        return date(year, month, 1), date(year, month, last)
    if not 1 <= day <= last:
        raise ValueError(f"{text}: {_MONTHS[month - 1]} {year} has {last} days")
    return date(year, month, day), date(year, month, day)


def _range(first: date, last: date, remark: str = "") -> tuple[str, str]:
    return f"{first:%Y%m%d}-{last:%Y%m%d}", f"{first} to {last}{remark}"


def _open_range(first: date | None, last: date | None) -> tuple[str, str]:
    if first and last:
        return _range(first, last)
    if first:
        return f"{first:%Y%m%d}-", f"on or after {first}"
    return f"-{last:%Y%m%d}", f"on or before {last}"


def _number(count: int) -> str:
    return "1 study" if count == 1 else f"{count:,} studies"


LEVEL = Level.STUDY
"""The level of all questions."""
