"""The text of the search box read word by word (PS3.4 C.2.2.2).

The order of reading is: ``key:value``, UID, date or range, modality, number or code, name or
description. Nothing is guessed: two meanings are two links, none is a sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dicomquest.dataset.written_values import written_value
from dicomquest.errors import (
    IdentifierError,
    ValueFormatError,
    WrittenValueError,
)
from dicomquest.query.identifier.key_arguments import (
    UNKNOWN_PRIVATE_VR,
    WITHOUT_MULTIPLICITY,
    KeyTextError,
    vr_of,
)
from dicomquest.web.box.box_dates import (
    RELATIVE_UNITS,
    AmbiguousDayError,
    BoxDate,
    in_words,
    read_bare,
    read_named,
)
from dicomquest.web.box.box_keys import BoxKey, Choice, LookUp, Matching, NoLookUp, Trouble
from dicomquest.web.box.box_tokens import (
    LONGEST_TEXT,
    MOST_WORDS,
    Token,
    cleaned,
    quoted,
    split,
)
from dicomquest.web.box.key_kinds import (
    OF_NAMES,
    WordError,
    date_key,
    family_and_given,
    modalities_of,
    modality_key,
    name_key,
    named_modalities,
    perhaps,
    text_key,
    words_key,
)
from dicomquest.web.box.key_making import SHORT_NAMES, TEXTS, made, path_of
from dicomquest.web.box.reading import Reading, in_order
from dicomquest.web.box.word_tables import DESCRIPTION_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

MOST_LOOKED_UP = 8
"""Numbers and codes of a question; each costs three look-ups."""

KINDS = {
    "AccessionNumber": "accession number",
    "PatientID": "patient ID",
    "StudyID": "study ID",
}
"""The kinds of a number or code."""

_UID = re.compile(r"[0-2](?:\.\d+){2,}", re.ASCII)
_WILD = frozenset("*?")
_LISTED = frozenset({"CS", "UI"})
_SEXES = {"F": "F", "M": "M", "O": "O", "FEMALE": "F", "MALE": "M", "OTHER": "O"}
_OPERATORS = {
    "OR": "there is no OR between keys: ask twice",
    "AND": "each word must match anyway: leave AND out",
    "NOT": "there is no NOT in DICOM: leave it out, and narrow the result instead",
    "|": "there is no OR between keys: ask twice",
    "&": "each word must match anyway: leave & out",
}
_DATE_FORMS = "2024, 2024-03, 2024-03-05 or 2024-03..2024-05"
_KEY_FORMS = (
    "Write one of name: id: acc: born: sex: mod: date: desc: station: ref: uid:, or a keyword of "
    "DICOM such as BodyPartExamined:KNEE"
)
_SEVERAL = frozenset({"PatientName", *TEXTS})
"""Attributes that several words of a question may ask for."""


def read_box(text: str, now: datetime, look_up: LookUp | None = None) -> Reading:
    """Return the question that a text is; it has an answer, or says why there is none.

    ``now`` is in the zone in which people say today. ``look_up`` is asked for numbers and codes.
    """
    clean = cleaned(text[: 4 * LONGEST_TEXT])
    if len(clean) > LONGEST_TEXT:
        trouble = Trouble(
            LONGEST_TEXT, len(clean), f"The text has more than {LONGEST_TEXT} characters: cut it."
        )
        return Reading(clean, now, troubles=(trouble,))
    reader = _Reader(clean, now, look_up or NoLookUp())
    return reader.read()


@dataclass(slots=True)
class _Reader:
    """The question as it grows, word by word."""

    text: str
    now: datetime
    look_up: LookUp
    keys: list[BoxKey] = field(default_factory=list)
    names: list[Token] = field(default_factory=list)
    modalities: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    offers: list[Choice] = field(default_factory=list)
    question: str = ""
    looked_up: int = 0

    @property
    def today(self) -> date:
        return self.now.date()

    def read(self) -> Reading:
        """Return the question."""
        tokens = split(self.text)
        if len(tokens) > MOST_WORDS:
            first, last = tokens[MOST_WORDS], tokens[-1]
            words = f"The text has more than {MOST_WORDS} words: leave some out."
            self.troubles.append(Trouble(first.start, last.end, words))
            tokens = []
        at = 0
        while at < len(tokens):
            taken = self._joined(tokens, at)
            token = taken[0] if len(taken) == 1 else self._one(taken)
            self._guarded(token)
            at += len(taken)
        self._end_names()
        if self.modalities:
            self._add(modality_key(self.modalities))
        keys = in_order(self.keys)
        return Reading(
            self.text,
            self.now,
            keys,
            tuple(self.troubles),
            tuple(self.choices),
            tuple(self.offers),
            self.question,
        )

    def _joined(self, tokens: Sequence[Token], at: int) -> Sequence[Token]:
        """Return the words from a place on that are one: ``last month``, ``since 2024-03``."""
        if not tokens[at].is_word:
            return tokens[at : at + 1]
        for count in (3, 2):
            taken = tokens[at : at + count]
            if len(taken) < count or not all(each.is_word for each in taken):
                continue
            words = [each.folded.casefold() for each in taken]
            is_relative = RELATIVE_UNITS.fullmatch(words[-1]) and (
                words[-2].isdigit() or words[-2] in {"last", "this"}
            )
            if count == 3 and not (is_relative and words[0] == "last"):
                continue
            if is_relative and read_safely(" ".join(words), self.today):
                return taken
            if count == 2 and words[0] in {"since", "until"} and _is_date(words[1], self.today):
                return taken
        return tokens[at : at + 1]

    def _one(self, taken: Sequence[Token]) -> Token:
        start, end = taken[0].start, taken[-1].end
        words = [each.folded for each in taken]
        value = " ".join(words)
        match words[0].casefold():
            case "since":
                value = f"{words[1]}.."
            case "until":
                value = f"..{words[1]}"
        return Token(start, end, self.text[start:end], "", value, is_quoted=False)

    def _guarded(self, token: Token) -> None:
        """Take a word in; what is wrong with it becomes a trouble or a choice."""
        try:
            if not self._take(token):
                self._end_names()
                self._take_alone(token)
        except AmbiguousDayError as error:
            self._ask_which_day(token, error)
        except (
            WordError, WrittenValueError, ValueFormatError, KeyTextError, IdentifierError,
            ValueError,
        ) as error:  # fmt: skip
            self._trouble(token, str(error))

    def _trouble(self, token: Token, words: str) -> None:
        words = words if words.endswith((".", "?")) else f"{words}."
        self.troubles.append(Trouble(token.start, token.end, words))

    def _take(self, token: Token) -> bool:
        """Note a word of the name, which may go on; tell whether it is one."""
        if not (self._is_name_word(token) or self._is_given_name(token)):
            return False
        self.names.append(token)
        return True

    def _is_given_name(self, token: Token) -> bool:
        return bool(self.names) and self.names[-1].value.endswith(",") and token.is_word

    def _is_name_word(self, token: Token) -> bool:
        value = token.value
        if not token.is_word or "\\" in value or any(each.isdigit() for each in token.folded):
            return False
        if set(value) & OF_NAMES or value[0] in "~-!" or value in _OPERATORS:
            return False
        return not (
            modalities_of(token.folded)
            or _relative_word(token.folded, self.today)
            or value.casefold() in DESCRIPTION_WORDS
        )

    def _end_names(self) -> None:
        """Make one key of the words of a name that stood together."""
        tokens, self.names = self.names, []
        if not tokens:
            return
        place = Token(tokens[0].start, tokens[-1].end, "", "", "", is_quoted=False)
        try:
            self._add_name(" ".join(each.value for each in tokens))
        except (WordError, ValueFormatError, KeyTextError, IdentifierError) as error:
            self._trouble(place, str(error))

    def _add_name(self, value: str) -> None:
        family, comma, given = value.partition(",")
        if comma and family.strip() and given.strip(" ,"):
            self._add(family_and_given("PatientName", family, given))
            return
        self._add_words("PatientName", value.replace(",", " ").split(), Matching.WORDS)

    def _add_words(self, keyword: str, words: Sequence[str], matching: Matching) -> None:
        """Add words of a name to those that stand elsewhere in the text."""
        for at, key in enumerate(self.keys):
            if key.keyword == keyword and key.matching is matching:
                del self.keys[at]
                words = [*key.value.split(" "), *words]
                break
        self._add(words_key(keyword, words, matching))

    def _add(self, key: BoxKey) -> None:
        if any(each.keyword == key.keyword and each.value == key.value for each in self.keys):
            return
        if key.keyword not in _SEVERAL and any(each.keyword == key.keyword for each in self.keys):
            name = KINDS.get(key.keyword, SHORT_NAMES.get(key.keyword, key.keyword))
            raise WordError(f"{key.text}: the {name} is given twice. Leave one out")
        self.keys.append(key)

    def _take_alone(self, token: Token) -> None:
        if token.name:
            self._take_named(token)
        elif token.is_quoted:
            self._take_text("PatientName", token.value, is_quoted=True)
        elif token.value in _OPERATORS or token.value[0] in "-!":
            words = _OPERATORS.get(token.value, _OPERATORS["NOT"])
            raise WordError(f"{token.value}: {words}")
        elif "\\" in token.value:
            raise WordError(f"{token.value}: a backslash stands between values. Write mod:CT\\MR")
        elif _UID.fullmatch(token.folded) and not _is_date(token.folded, self.today):
            self._add(made("StudyInstanceUID", token.folded, Matching.STANDARD))
        elif (found := self._date(token)) is not None:
            self._add(date_key("StudyDate", found))
            self._offer_identifier(token)
        elif codes := modalities_of(token.folded):
            self._take_modalities(codes)
        elif any(each.isdigit() for each in token.folded):
            self._take_code(token)
        elif token.value.casefold() in DESCRIPTION_WORDS:
            self._take_text("StudyDescription", token.value, is_quoted=False)
        elif token.value.startswith("~") and len(token.value) > 1:
            self._add_words("PatientName", [token.value[1:]], Matching.SOUND)
        else:
            self._take_text("PatientName", token.value, is_quoted=False)

    def _date(self, token: Token) -> BoxDate | None:
        try:
            return read_bare(token.folded, self.today)
        except WrittenValueError as error:
            words = f"Write {_DATE_FORMS}, or acc:{token.value} for an accession number."
            raise WordError(f"{error} {words}") from error

    def _take_named(self, token: Token) -> None:
        if token.name.casefold() == "word":
            self._add_words("PatientName", [token.value], Matching.WORDS)
            return
        try:
            key = path_of(token.name)
        except KeyTextError as error:
            raise WordError(f"{token.name}: is no key. {_KEY_FORMS}.{perhaps(error)}") from error
        keyword, value = key.name, token.value
        vr = vr_of(key.path[-1]) or UNKNOWN_PRIVATE_VR
        short = SHORT_NAMES.get(keyword, keyword)
        if not value and not token.is_quoted:
            raise WordError(f"{token.text}: write a value behind the colon, or {short}:none")
        if (value.casefold() == "none" and not token.is_quoted) or not value:
            self._add(made(keyword, '""', Matching.EMPTY, f"{short}:none"))
        elif vr == "DA":
            self._add(date_key(keyword, read_named(value, self.today)))
        elif vr == "PN" or keyword in TEXTS:
            self._take_text(keyword, value, is_quoted=token.is_quoted)
        elif keyword == "ModalitiesInStudy":
            self._take_modalities(named_modalities(value))
        elif keyword == "PatientID" and "^^^" in value:
            patient_id, _, issuer = value.partition("^^^")
            self._add(made(keyword, patient_id, Matching.STANDARD))
            self._add(made("IssuerOfPatientID", issuer.split("^")[0], Matching.STANDARD))
        else:
            self._add(made(keyword, self._written(keyword, vr, value), Matching.STANDARD))

    def _written(self, keyword: str, vr: str, value: str) -> str:
        """Return a value as its VR has it; WrittenValueError if it is none."""
        if keyword == "PatientSex":
            words = value.upper().replace("\\", ",").split(",")
            sexes = [_SEXES.get(each.strip()) for each in words]
            if not all(sexes):
                raise WordError(f"{value}: is no sex. Write sex:F, sex:M or sex:O")
            return "\\".join(dict.fromkeys(filter(None, sexes)))
        value = "\\".join(map(str.strip, value.split(","))) if vr in _LISTED else value
        parts = [value] if vr in WITHOUT_MULTIPLICITY else value.split("\\")
        return "\\".join(written_value(vr, part, self.now) for part in parts)

    def _take_text(self, keyword: str, value: str, *, is_quoted: bool) -> None:
        """Take in what stands for a name or a description."""
        if keyword in TEXTS:
            self._add(text_key(keyword, value))
        elif "," in value and value.partition(",")[0].strip() and value.partition(",")[2].strip():
            family, _, given = value.partition(",")
            self._add(family_and_given(keyword, family, given))
        elif set(value) & OF_NAMES:
            self._add(name_key(keyword, value, Matching.STANDARD))
        elif is_quoted:
            self._add(name_key(keyword, value, Matching.PHRASE))
        elif value.startswith("~"):
            self._add_words(keyword, [value[1:]], Matching.SOUND)
        else:
            self._add_words(keyword, value.split(), Matching.WORDS)

    def _take_modalities(self, codes: str) -> None:
        if self.modalities and ("+" in codes or "+" in self.modalities[0]):
            raise WordError(
                f"{codes}: a study has one of several modalities, or all: write CT MR or CT+SR"
            )
        self.modalities += codes.split(",")

    def _take_code(self, token: Token) -> None:
        value = token.value
        if set(value) & _WILD:
            self._ask_kind(token, f"{value} may be several things. Which?", KINDS)
            return
        found = self._counts(value)
        kinds = [keyword for keyword in KINDS if found.get(keyword)]
        if len(kinds) == 1:
            self._add(made(kinds[0], value, Matching.STANDARD))
        elif kinds:
            parts = [f"the {KINDS[each]} of {_studies(found[each])}" for each in kinds]
            self._ask_kind(token, f"{value} is {_listed(parts)}. Which?", kinds)
        else:
            self._say_unknown(token)

    def _ask_kind(self, token: Token, question: str, kinds: Iterable[str]) -> None:
        if self.question:
            return
        self.question = question
        for keyword in self._open(kinds):
            text = f"{SHORT_NAMES[keyword]}:{quoted(token.value)}"
            self.choices.append(Choice(f"{KINDS[keyword]} {token.value}", self._with(token, text)))

    def _open(self, kinds: Iterable[str]) -> list[str]:
        """Return the kinds that no key has yet: a second one would only be refused."""
        given = {key.keyword for key in self.keys}
        return [keyword for keyword in kinds if keyword not in given]

    def _say_unknown(self, token: Token) -> None:
        value = token.value
        if self.question:
            return
        self.question = f"{value} is no accession number, patient ID or study ID here."
        if self._open(["PatientID"]) and (begun := self.look_up.beginning(value)):
            ids = "1 patient ID begins" if begun == 1 else f"{begun:,} patient IDs begin"
            offered = self._with(token, f"id:{quoted(value + '*')}")
            self.offers.append(Choice(f"{ids} with {value}", offered))
        if not set(value) & OF_NAMES:
            offered = self._with(token, f"word:{quoted(value)}")
            self.offers.append(Choice(f"Look for {value} in names", offered))

    def _offer_identifier(self, token: Token) -> None:
        """Offer the other meaning of a date that is an identifier, too."""
        if not token.folded.isdigit():
            return
        found = self._counts(token.folded)
        for keyword in self._open(KINDS):
            if found.get(keyword):
                label = f"{token.folded} is also the {KINDS[keyword]} of {_studies(found[keyword])}"
                text = f"{SHORT_NAMES[keyword]}:{token.folded}"
                self.offers.append(Choice(label, self._with(token, text)))

    def _counts(self, code: str) -> dict[str, int]:
        self.looked_up += 1
        if self.looked_up > MOST_LOOKED_UP:
            raise WordError(
                f"at most {MOST_LOOKED_UP} numbers are looked up: write id:{code} or acc:{code}"
            )
        return self.look_up.counts(code)

    def _ask_which_day(self, token: Token, error: AmbiguousDayError) -> None:
        keyword = path_of(token.name).name if token.name else "StudyDate"
        if not self._open([keyword]):
            name = SHORT_NAMES.get(keyword, keyword)
            self._trouble(token, f"{error.text}: the {name} is given twice. Leave one out")
            return
        if self.question:
            return
        self.question = f"{error.text} could be two days. Which?"
        for day in error.days:
            text = token.text.replace(error.text, day)
            if token.text.casefold().startswith(("since", "until")) or text == token.text:
                text = day
            if not token.name and read_safely(day, self.today) is None:
                text = f"date:{day}"
            self.choices.append(Choice(f"{day} ({in_words(day)})", self._with(token, text)))

    def _with(self, token: Token, text: str) -> str:
        """Return the whole text with another word in the place of one."""
        return self.text[: token.start] + text + self.text[token.end :]


def _is_date(text: str, today: date) -> bool:
    """Tell whether a word has the form of a date, a wrong or ambiguous one too."""
    try:
        return read_bare(text, today) is not None
    except (AmbiguousDayError, WrittenValueError):
        return True


def read_safely(text: str, today: date) -> BoxDate | None:
    """Return the date that some words are, None if they are none."""
    try:
        return read_bare(text, today)
    except (AmbiguousDayError, WrittenValueError):
        return None


def _relative_word(text: str, today: date) -> bool:
    return read_safely(text, today) is not None


def _studies(count: int) -> str:
    return "1 study" if count == 1 else f"{count:,} studies"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"
