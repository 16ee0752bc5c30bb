"""The attributes of one entity in the index: texts by column, and JSON elements (PS3.18 F)."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomquest.dataset.dictionary import standard_vr
from dicomquest.dataset.elements import DataSet, Element, element_from_json, element_to_json
from dicomquest.dataset.remembering import is_short, remembered
from dicomquest.index.tables.schema import (
    ATTRIBUTES,
    CODE_PART,
    COLUMN_KEYS,
    GROUP_PARTS,
    SEARCH_SUFFIXES,
    SEVERAL_VALUES,
    VALUE_PART,
    WORD_PART,
    search_columns,
)
from dicomquest.query.name_keys import name_words, phonetic_code
from dicomquest.query.search_forms import BINARY_VRS, is_empty, own_zone, search_form, stored_values
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS, KEYS_BY_TAG, Storage
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import ANATOMIC_REGION_SEQUENCE, TIMEZONE_OFFSET_FROM_UTC
from dicomquest.standard.vr import VR, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dicomquest.query.search_forms import SearchForm

LARGEST_BINARY = 1024
"""Bytes of a binary value that is kept; larger ones are pictures, tables and curves."""

_COMPUTED = frozenset(key.tag for key in KEYS if key.storage is Storage.COMPUTED)
_COLUMNS = {key.tag: key.column for key in KEYS if key.storage is Storage.COLUMN}


class _Searched(NamedTuple):
    """A key with search forms; a COLUMN key may have ``columns`` for forms besides its text."""

    tag: int
    path: str
    vr: str
    columns: tuple[str, ...]


# By column, and by path. A column without a search form besides its text, and never with several
# values, needs no work here.
_SEARCHED_COLUMNS = {
    level: {
        key.column: _Searched(
            key.tag,
            f"{key.tag:08X}",
            key.vr,
            search_columns(key) if key.vr in SEARCH_SUFFIXES else (),
        )
        for key in COLUMN_KEYS[level]
        if key.vr in SEARCH_SUFFIXES or VR[key.vr].multiple
    }
    for level in Level
}
_SEARCHED_VALUES = {
    level: {
        f"{key.tag:08X}": _Searched(key.tag, f"{key.tag:08X}", key.vr, ())
        for key in KEYS
        if key.level is level and key.storage is Storage.VALUES
    }
    for level in Level
}
_LEVELS = tuple(Level)
_FIRST_GROUP = 0x0008  # groups below belong to files and messages, not to data sets (PS3.5 7.1)
_LAST_GROUP = 0x7FDF  # pixel data, and what trails it
_GROUP_LENGTH = 0x0000FFFF

# The databases' text is UTF-8, which has no surrogates; PostgreSQL's has no NUL either, not even as
# an escape in JSON.
_NOT_STORED = re.compile("[\0\ud800-\udfff]")
_NUL_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

ANATOMIC_REGION_PATH = f"{ANATOMIC_REGION_SEQUENCE:08X}"
"""Value rows of this path hold whole elements, for AnatomicRegionsInStudyCodeSequence."""

_ONE_PART = (VALUE_PART,)
_ZONE_PATH = f"{TIMEZONE_OFFSET_FROM_UTC:08X}"


class Record(NamedTuple):
    """The attributes of one entity: ``texts`` by column, ``elements`` as JSON by ``GGGGEEEE``.

    No text is empty.
    """

    texts: dict[str, str]
    elements: dict[str, str]

    def attributes(self) -> str | None:
        """Return the JSON column, its tags ascending."""
        if not self.elements:
            return None
        return (
            "{" + ",".join([f'"{tag}":{self.elements[tag]}' for tag in sorted(self.elements)]) + "}"
        )

    def columns(self) -> dict[str, Any]:
        """Return the columns without the search forms."""
        return {**self.texts, ATTRIBUTES: self.attributes()}

    def copy(self) -> Record:
        """Return a record of its own."""
        return Record(self.texts.copy(), self.elements.copy())


class ValueRow(NamedTuple):
    """One row of a value table without its owner."""

    path: str
    part: int
    search: str


class Forms(NamedTuple):
    """The search forms of one entity: in columns (those that are not NULL) and in value rows."""

    columns: dict[str, str]
    values: frozenset[ValueRow]
    occurrences: frozenset[tuple[str, int]]


class _Place(NamedTuple):
    """The place of an attribute: its level, its column if it has one, its key in the JSON."""

    level: Level
    column: str | None
    vr: str
    path: str


class _Kept(NamedTuple):
    """The stored form of an attribute: the text of its column, or its JSON if it has none."""

    level: Level
    column: str | None
    path: str
    text: str


@lru_cache(maxsize=8192)
def _place(tag: int) -> _Place | None:
    """Return the place of an attribute, None if it is not kept; headers ask for the same ones."""
    if not is_kept(tag) or tag in _COMPUTED:
        return None
    column = _COLUMNS.get(tag)
    return _Place(
        level_of(tag), column, KEYS_BY_TAG[tag].vr if column is not None else "", f"{tag:08X}"
    )


def is_kept(tag: int) -> bool:
    """Tell whether an attribute belongs to the header of a data set."""
    return _FIRST_GROUP <= tag >> 16 <= _LAST_GROUP and tag & _GROUP_LENGTH != 0


def records(data_set: DataSet) -> dict[Level, Record]:
    """Return the attributes of an instance by the level that owns each (PS3.4 C.3.1)."""
    found = {
        Level.PATIENT: Record({}, {}),
        Level.STUDY: Record({}, {}),
        Level.SERIES: Record({}, {}),
        Level.IMAGE: Record({}, {}),
    }
    for tag, element in data_set.items():
        known = _known_objects.get((tag, id(element)))
        if known is not None and known[0] is element:
            kept = known[1]
        elif _comes_again(element):
            kept = _remembered_kept(tag, element)
            if len(_known_objects) >= _MOST_OBJECTS:
                _known_objects.clear()
            _known_objects[tag, id(element)] = element, kept
        else:
            kept = _kept(tag, element)
        if kept is None:
            continue
        level, column, path, text = kept
        if column is not None:
            found[level].texts[column] = text
            continue
        # The zone belongs to every level, because each has times in it.
        for each in _LEVELS if tag == TIMEZONE_OFFSET_FROM_UTC else (level,):
            found[each].elements[path] = text
    return found


# The decoder remembers short elements, too, and gives the same object for the same bytes. By that
# object its stored form is found in a third of the time that its hash takes.
_known_objects: dict[tuple[int, int], tuple[Element, _Kept | None]] = {}
_MOST_OBJECTS = 8192


def _kept(tag: int, element: Element) -> _Kept | None:
    """Return the stored form of an attribute; None if it is not kept."""
    place = _place(tag)
    if place is None or is_empty(element):
        return None
    level, column, vr, path = place
    if column is not None and element.vr != "SQ":
        text: str | None = column_text(vr, element)
    else:
        column, text = None, element_json(element)
    return _Kept(level, column, path, text) if text else None


@lru_cache(maxsize=16384)
def _remembered_kept(tag: int, element: Element) -> _Kept | None:
    """Return the same from a cache: a scanner repeats its values, and this takes a fifth."""
    return _kept(tag, element)


def column_text(vr: str, element: Element) -> str:
    """Return all values of an element, joined by backslashes."""
    values = element.values
    if len(values) == 1 and type(values[0]) is str:
        # A short cut: nearly every element is one text, and ingest spends much of its time here.
        text = values[0]
        return text if text.isascii() and "\0" not in text else stored_text(text)
    if element.vr in BINARY_VRS:
        values = stored_values(vr, element)
    return stored_text("\\".join(["" if value is None else str(value) for value in values]))


def stored_text(text: str) -> str:
    """Return ``text`` as a database can hold it: NUL and surrogates become U+FFFD."""
    return text if text.isascii() and "\0" not in text else _NOT_STORED.sub("\ufffd", text)


def _stored_json(text: str) -> str:
    return stored_text(_NUL_ESCAPE.sub("\\1\ufffd", text) if "\\u0000" in text else text)


def element_json(element: Element) -> str | None:
    """Return an attribute of the DICOM JSON Model as text; None if it is not kept.

    The text is made by hand: a header has a hundred of these, and ``json.dumps`` takes five times
    as long.
    """
    vr, values = element
    kind = VR[vr].kind
    if kind is Kind.SEQUENCE and values:
        items = ",".join(["{" + ",".join(_item_json(item)) + "}" for item in values])
        return f'{{"vr":"SQ","Value":[{items}]}}'
    if kind is Kind.OPAQUE and sum(map(len, values)) > LARGEST_BINARY:
        return None
    return _remembered_json(element) if _comes_again(element) else _value_json(element)


def _item_json(item: DataSet) -> Iterator[str]:
    for tag, element in item.items():
        text = element_json(element) if tag & _GROUP_LENGTH else None
        if text is not None:
            yield f'"{tag:08X}":{text}'


# Texts and whole numbers: a scanner repeats them. Not floats, which may be equal and yet differ, as
# 0.0 and -0.0 do.
_REMEMBERED_VRS = frozenset(
    row.vr
    for row in VR.values()
    if row.kind is Kind.TEXT or (row.kind is Kind.NUMBER and row.vr not in {"FL", "FD"})
)
_MOST_VALUES = 6
_LONGEST_VALUE = 64
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _comes_again(element: Element) -> bool:
    """Tell whether an element is remembered: a short one, which bounds the cache in bytes."""
    vr, values = element
    if vr not in _REMEMBERED_VRS or len(values) > _MOST_VALUES:
        return False
    # A generator in any() takes three times as long as this loop.
    for value in values:  # noqa: SIM110
        if type(value) is str and len(value) > _LONGEST_VALUE:
            return False
    return True


def _value_json(element: Element) -> str:
    vr, values = element
    if VR[vr].kind is Kind.TEXT and vr != "PN" and values:
        text = ",".join([encode_basestring(value) if value else "null" for value in values])
        return _stored_json(f'{{"vr":"{vr}","Value":[{text}]}}')
    return _stored_json(_dump(element_to_json(element)))


_remembered_json = lru_cache(maxsize=16384)(_value_json)


def record_from_row(level: Level, row: Mapping[str, Any]) -> Record:
    """Return the record of a row of the level's table."""
    texts = {
        key.column: row[key.column] for key in COLUMN_KEYS[level] if row[key.column] is not None
    }
    elements = json.loads(row[ATTRIBUTES]) if row[ATTRIBUTES] is not None else {}
    return Record(texts, {tag: _dump(value) for tag, value in elements.items()})


def forms(level: Level, record: Record, default_zone: int, decoded: DataSet | None = None) -> Forms:
    """Return the search forms of an entity; ``default_zone``, in minutes, is for one without zone.

    ``decoded`` is the data set of the record, if it is at hand: then no JSON is parsed.
    """

    def element_of(path: str, tag: int) -> Element:
        return (
            element_from_json(json.loads(record.elements[path]))
            if decoded is None
            else decoded[tag]
        )

    elements = record.elements
    zone = default_zone
    if _ZONE_PATH in elements:
        zone = own_zone(
            {TIMEZONE_OFFSET_FROM_UTC: element_of(_ZONE_PATH, TIMEZONE_OFFSET_FROM_UTC)},
            default_zone,
        )
    columns: dict[str, str] = {}
    values: set[ValueRow] = set()
    occurrences: set[tuple[str, int]] = set()
    searched = _SEARCHED_COLUMNS[level]
    for column, text in record.texts.items():
        key = searched.get(column)
        if key is None:
            continue
        if "\\" in text and VR[key.vr].multiple:
            found = [value for value in text.split("\\") if value]
            if len(found) > 1 or not key.columns:
                # A column holds no form of several values: each gets a value row, and an occurrence
                # tells queries so. The same holds for one value among empty ones if the column's
                # text itself is the search form.
                values.update(element_rows(key.path, key.vr, Element(key.vr, tuple(found)), zone))
                occurrences.add((key.path, SEVERAL_VALUES))
                continue
            # One value among empty ones.
            text = "".join(found)  # noqa: PLW2901
        if key.columns and text:
            _column_forms(key, text, zone).add_to(columns, values, occurrences)
    for path in elements.keys() & _SEARCHED_VALUES[level].keys():
        key = _SEARCHED_VALUES[level][path]
        values.update(element_rows(path, key.vr, element_of(path, key.tag), zone))
    if level is Level.IMAGE and ANATOMIC_REGION_PATH in elements:
        regions = element_of(ANATOMIC_REGION_PATH, ANATOMIC_REGION_SEQUENCE)
        if regions.vr == "SQ" and not is_empty(regions):
            values.add(ValueRow(ANATOMIC_REGION_PATH, VALUE_PART, elements[ANATOMIC_REGION_PATH]))
    return Forms(columns, frozenset(values), frozenset(occurrences))


class _ColumnForms(NamedTuple):
    """The search forms of one text of a column."""

    columns: dict[str, str]
    values: frozenset[ValueRow]
    occurrences: frozenset[tuple[str, int]]

    def add_to(
        self, columns: dict[str, str], values: set[ValueRow], occurrences: set[tuple[str, int]]
    ) -> None:
        columns.update(self.columns)
        if self.values:
            values |= self.values
            occurrences |= self.occurrences


@remembered(16384, lambda _key, text, _zone: is_short(text))
def _column_forms(key: _Searched, text: str, zone: int) -> _ColumnForms:
    """Return the forms of one value from a cache: values repeat, and folding a name is dear."""
    form = search_form(key.vr, text, zone)
    columns = {
        name: stored_text(each)
        for name, each in zip(key.columns, form, strict=True)
        if each is not None
    }
    if key.vr != "PN":
        return _ColumnForms(columns, frozenset(), frozenset())
    occurrences = frozenset(
        (key.path, part)
        for part, group in zip(GROUP_PARTS[1:], form[1:], strict=True)
        if group is not None
    )
    return _ColumnForms(columns, frozenset(_word_rows(key.path, form)), occurrences)


def element_rows(path: str, vr: str, element: Element, zone: int) -> Iterable[ValueRow]:
    """Give the rows of one element; of a sequence those of its items, to any depth.

    Private elements of items have none.
    """
    if element.vr == "SQ":
        for item in element.values:
            for tag, inner in item.items():
                if not (tag >> 16) & 1:
                    yield from element_rows(
                        f"{path}.{tag:08X}", item_key_vr(tag) or inner.vr, inner, zone
                    )
        return
    if vr in BINARY_VRS:
        return
    for value in stored_values(vr, element):
        form = search_form(vr, value, zone)
        for part, text in zip(GROUP_PARTS if vr == "PN" else _ONE_PART, form, strict=True):
            if text is not None:
                yield ValueRow(path, part, stored_text(text))
        if vr == "PN":
            yield from _word_rows(path, form)


def value_path(tags: Iterable[int]) -> str:
    """Return the path of value rows: eight hex digits a tag, sequences first, joined by dots."""
    return ".".join([f"{tag:08X}" for tag in tags])


def item_key_vr(tag: int) -> str | None:
    """Return the VR of an item's attribute as a key; None if value rows cannot decide it."""
    vr = standard_vr(tag)
    return vr if vr in VR and VR[vr].kind is Kind.TEXT else None


def _word_rows(path: str, form: SearchForm) -> Iterable[ValueRow]:
    alphabetic, ideographic, phonetic = (stored_text(group or "") for group in form)
    for word in name_words((alphabetic, ideographic, phonetic)):
        yield ValueRow(path, WORD_PART, word)
        code = phonetic_code(word)
        if code:
            yield ValueRow(path, CODE_PART, code)
