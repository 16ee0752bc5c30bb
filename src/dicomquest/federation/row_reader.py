"""The quick way of an answer that no other source shares: bytes, row, response (PS3.4 C.4.1.3).

It does for rows of text what ``Sieve`` and ``merged`` do for data sets; both are its oracles. Each
verdict on a value, and each value that is not sent as it came, is made by them once and remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from dicomquest.dataset.elements import DataSet
from dicomquest.dataset.response_fields import Field, Row, Source, text_element
from dicomquest.federation.answer_shape import Shape, Values
from dicomquest.federation.asked_query import ISSUER
from dicomquest.federation.merged_answer import COUNTS, Part, merged
from dicomquest.federation.raw_answer import RawCheck, raw_check
from dicomquest.federation.sieve import Sieve
from dicomquest.query.criteria import DateTimePairMatch, KeyCriterion
from dicomquest.query.model import Query
from dicomquest.standard.keys import UNIQUE_KEYS, KeyType, key_type
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
)

MOST_REMEMBERED: Final = 20_000
"""Values whose verdict is remembered for each key."""

_OF_THE_SERVICE = frozenset({QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY})
_PATIENT_ID = UNIQUE_KEYS[Level.PATIENT].tag


class RowPart(NamedTuple):
    """The answer of one source as a row; it has all that a ``Part`` and a ``Merged`` have.

    ``data`` are the bytes of its response, if they are those of the answer; None otherwise.
    """

    source: int
    known: Values | None
    data: bytes | None
    reader: RowReader

    @property
    def values(self) -> Values:
        """The values of its elements."""
        if self.known is not None:
            return self.known
        values = self.reader.shape.read(self.data or b"")
        assert values is not None  # noqa: S101  the check of its bytes is the narrower one
        return values

    @property
    def part(self) -> Part:
        """The answer as it is merged with others."""
        return Part(self.source, self.answer, self.titles)

    @property
    def answer(self) -> DataSet:
        """The answer as the decoder gives it."""
        return self.reader.shape.data_set(self.values)

    @property
    def titles(self) -> tuple[str, ...]:
        """The AE titles to retrieve from, if the answer itself names none."""
        return self.reader.titles

    @property
    def response(self) -> DataSet:
        """The response of this answer alone."""
        row = iter(self.reader.response(self.values))
        return {
            each.tag: text_element(
                each.vr, each.text if each.source is Source.CONSTANT else next(row)
            )
            for each in self.reader.fields
        }

    @property
    def sources(self) -> tuple[int, ...]:
        """The only source that holds the entity."""
        return (self.source,)

    @property
    def lacks(self) -> bool:
        """Tell whether some optional key is missing."""
        return self.reader.lacks


class _Verdicts(dict["str | tuple[str, str]", bool]):
    """The verdict of a key by the values that it looks at."""

    def __init__(
        self, judge: Callable[[DataSet], bool], elements: Sequence[tuple[int, str]]
    ) -> None:
        super().__init__()
        self._judge = judge
        self._elements = elements

    def __missing__(self, values: str | tuple[str, str]) -> bool:
        texts = (values,) if isinstance(values, str) else values
        answer = {
            tag: text_element(vr, text)
            for (tag, vr), text in zip(self._elements, texts, strict=True)
        }
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        verdict = self[values] = self._judge(answer)
        return verdict


class _Sent(dict[str, str]):
    """The value of a response by that of an answer, made as for a single answer."""

    def __init__(self, tag: int, vr: str, titles: tuple[str, ...], query: Query) -> None:
        super().__init__()
        self._tag, self._vr, self._titles, self._query = tag, vr, titles, query

    def __missing__(self, value: str) -> str:
        answer = {self._tag: text_element(self._vr, value)}
        response = merged([Part(0, answer, self._titles)], self._query).response
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        sent = self[value] = "\\".join(map(str, response[self._tag].values))
        return sent


@dataclass(slots=True, eq=False)
class RowReader:
    """Answers of one shape to one query of one source; ``reader_of`` makes it.

    ``fields`` are those of a response, ``lacks`` says that an optional key is not among them.
    """

    shape: Shape
    titles: tuple[str, ...]
    fields: tuple[Field, ...]
    lacks: bool
    sieve: Sieve
    issuer: tuple[int, int, str] | None
    unique: int
    issuer_place: int | None
    sent: list[tuple[int, _Sent | None]]
    checks: list[tuple[int, int | None, _Verdicts]]
    raw: RawCheck | None
    looked_at: list[int]

    @property
    def is_plain(self) -> bool:
        """Tell whether an answer that passes the check of its bytes needs no further look."""
        return self.raw is not None and not self.checks and self.issuer_place is None

    def take(self, data: bytes, source: int) -> tuple[bytes, RowPart] | bool:
        """Return an answer with the key of its entity; True if it is left out.

        False says that it is not of this shape, and nothing has been done.
        """
        if self.raw is not None and (match := self.raw.check(data)) is not None:
            return self._take_raw(match, data, source)
        values = self.shape.read(data)
        if values is None:
            return False
        unique = values[self.unique]
        if not unique:
            self.sieve.without_key += 1
            return True
        if self.issuer is not None:
            place, patient, issuer = self.issuer
            if values[patient] and not values[place]:
                values = (*values[:place], issuer, *values[place + 1 :])
        for first, second, verdicts in self.checks:
            looked_at = values[first] if second is None else (values[first], values[second])
            if not verdicts[looked_at]:
                self.sieve.dropped += 1
                return True
        if self.issuer_place is not None:
            issued = "" if self.issuer_place < 0 else values[self.issuer_place]
            unique = f"{unique}\0{issued}"
        return unique.encode(), tuple.__new__(RowPart, (source, values, None, self))

    def _take_raw(
        self, match: re.Match[bytes], data: bytes, source: int
    ) -> tuple[bytes, RowPart] | bool:
        """Return an answer whose bytes are those of its response."""
        groups = match.groups()
        if self.checks or self.issuer_place is not None:
            looked_at = dict(
                zip(self.looked_at, [each.rstrip(b" ").decode() for each in groups], strict=True)
            )
            unique = looked_at[self.unique]
            for first, second, verdicts in self.checks if unique else ():
                found = looked_at[first]
                if not verdicts[found if second is None else (found, looked_at[second])]:
                    self.sieve.dropped += 1
                    return True
            if unique and self.issuer_place is not None:
                issued = "" if self.issuer_place < 0 else looked_at[self.issuer_place]
                unique = f"{unique}\0{issued}"
            identity = unique.encode()
        else:
            identity = groups[0]
        if not identity:
            self.sieve.without_key += 1
            return True
        return identity, tuple.__new__(RowPart, (source, None, data, self))

    def response(self, values: Values) -> Row:
        """Return the row of a response."""
        return tuple(
            [values[place] if made is None else made[values[place]] for place, made in self.sent]
        )


def reader_of(
    shape: Shape, query: Query, sieve: Sieve, titles: tuple[str, ...]
) -> RowReader | None:
    """Return the reader of answers of a shape; None if the query asks for more than rows tell."""
    places = shape.places
    unique = UNIQUE_KEYS[query.level].tag
    if query.private_creators or unique not in places:
        return None
    made = _fields(shape, query, titles)
    checks = _checks(shape, sieve)
    if made is None or checks is None:
        return None
    fields, sent, lacks = made
    issuer = None
    if sieve.issuer:
        if ISSUER in places and _PATIENT_ID in places:
            issuer = places[ISSUER], places[_PATIENT_ID], sieve.issuer
        elif _knows_issuer(query):
            return None
    issuer_place = places.get(ISSUER, -1) if query.level is Level.PATIENT else None
    looked_at = {places[unique]}
    for first, second, _ in checks:
        looked_at |= {first} if second is None else {first, second}
    if issuer_place is not None and issuer_place >= 0:
        looked_at.add(issuer_place)
    raw = None
    if issuer is None and all(each.source is not Source.CONSTANT for each in fields[1:]):
        raw = raw_check(shape, [each.tag for each in fields], query.level.name, sorted(looked_at))
    return RowReader(
        shape, titles, fields, lacks, sieve, issuer, places[unique], issuer_place, sent, checks,
        raw, sorted(looked_at),
    )  # fmt: skip


def _knows_issuer(query: Query) -> bool:
    """Tell whether the issuer of a patient changes anything."""
    keys = (*query.criteria, *query.visible)
    return (
        query.level is Level.PATIENT
        or any(key.tag == ISSUER for key in query.return_keys)
        or any(key.path[0].tag == ISSUER for key in keys)
    )


def _fields(
    shape: Shape, query: Query, titles: tuple[str, ...]
) -> tuple[tuple[Field, ...], list[tuple[int, _Sent | None]], bool] | None:
    vrs = dict(shape.elements)
    fields = [Field(QUERY_RETRIEVE_LEVEL, "CS", Source.CONSTANT, query.level.name)]
    sent: list[tuple[int, _Sent | None]] = []

    def add(tag: int, vr: str, *, is_made: bool) -> None:
        fields.append(Field(tag, vr, Source.TEXT))
        sent.append((shape.places[tag], _Sent(tag, vr, titles, query) if is_made else None))

    def add_made(tag: int, vr: str) -> None:
        if tag in vrs:
            add(tag, vr, is_made=True)
        else:
            response = merged([Part(0, {}, titles)], query).response
            text = "\\".join(map(str, response[tag].values))
            fields.append(Field(tag, vr, Source.CONSTANT, text))

    add_made(RETRIEVE_AE_TITLE, "AE")
    if query.wants_availability:
        add_made(INSTANCE_AVAILABILITY, "CS")
    lacks = False
    for key in query.return_keys:
        if key.creator is not None or key.item_keys is not None or key.tag in _OF_THE_SERVICE:
            return None
        if key.tag in vrs:
            if vrs[key.tag] != key.vr:
                return None
            add(key.tag, key.vr, is_made=key.tag in COUNTS)
        elif key_type(key.tag, query.model) is KeyType.OPTIONAL:
            lacks = True
        else:
            fields.append(Field(key.tag, key.vr, Source.CONSTANT, ""))
    return tuple(fields), sent, lacks


def _checks(shape: Shape, sieve: Sieve) -> list[tuple[int, int | None, _Verdicts]] | None:
    """Return the places that each key looks at, with its verdicts; None for a key of items."""
    checks: list[tuple[int, int | None, _Verdicts]] = []
    vrs = dict(shape.elements)
    for key, judge in sieve.judges():
        if len(key.path) != 1 or key.path[0].creator is not None:
            return None
        looked_at = [tag for tag in _tags(key) if tag in vrs]
        verdicts = _Verdicts(judge, [(tag, vrs[tag]) for tag in looked_at])
        if not looked_at:
            # No answer of the shape has the attribute, so the verdict is the same for all.
            if judge({}):
                continue
            return None
        places = [shape.places[tag] for tag in looked_at]
        checks.append((places[0], places[1] if len(places) > 1 else None, verdicts))
    return checks


def _tags(key: KeyCriterion) -> tuple[int, ...]:
    if isinstance(key.criterion, DateTimePairMatch):
        return (key.criterion.date, key.criterion.time)
    return (key.path[0].tag,)
