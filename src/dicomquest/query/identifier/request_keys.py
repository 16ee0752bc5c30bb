"""A request identifier from Python keywords and values (PS3.4 C.4.1.1.3.1, C.4.1.2.1).

``dicomquest.find`` sends what this module builds, and ``Index.find`` runs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset

from dicomquest.dataset.dictionary import close_keywords, standard_vr
from dicomquest.dataset.elements import DataSet, Element, from_pydicom, split_text
from dicomquest.dataset.python_values import value_text
from dicomquest.dataset.written_values import written_value
from dicomquest.query.identifier.entry_keys import placed
from dicomquest.query.identifier.entry_models import (
    ENTRY,
    ENTRY_MODELS,
    ENTRY_MODELS_BY_UID,
    EntryModel,
)
from dicomquest.query.identifier.request_rules import RequestError
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import KEYS, UNIQUE_KEYS, KeyType, key_type
from dicomquest.standard.levels import Level
from dicomquest.standard.models import (
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    REPOSITORY_QUERY,
    STUDY_ROOT,
    InformationModel,
)
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET
from dicomquest.standard.vr import DICTIONARY_CHOICES, VR, Kind

Keys: TypeAlias = Mapping[str, Any] | Mapping[int, Any] | Mapping[str | int, Any]
"""Attributes by keyword or tag; three types, because a mapping is invariant in its keys."""

Reader: TypeAlias = Callable[[str, str], str]
"""Takes a VR and a value as a person wrote it, and returns the value; ValueError if it is none."""

MODELS_BY_NAME = {
    "patient": PATIENT_ROOT,
    "study": STUDY_ROOT,
    "psonly": PATIENT_STUDY_ONLY,
    "repository": REPOSITORY_QUERY,
}
"""The information models by the name that a caller gives."""

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_RANGE_VRS = frozenset({"DA", "TM", "DT"})

# The level is an argument, and the character set follows from the values.
_OF_THE_QUERY = frozenset({QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET})


def dates_as_written(now: datetime) -> Reader:
    """Return a reader of dates and times as people write them; ``today`` looks from ``now``."""
    return lambda vr, text: written_value(vr, text, now) if vr in _RANGE_VRS else text


def values_as_written(now: datetime) -> Reader:
    """Return such a reader that also refuses each text that is no value of its VR."""
    return lambda vr, text: written_value(vr, text, now)


def model_by_name(name: str) -> InformationModel:
    """Return the information model ``study``, ``worklist`` or another, else RequestError."""
    word = name.lower()
    if word in ENTRY_MODELS:
        return ENTRY_MODELS[word].model
    if word not in MODELS_BY_NAME:
        raise RequestError(
            f"model {name!r}: expected {', '.join((*MODELS_BY_NAME, *ENTRY_MODELS))}"
        )
    return MODELS_BY_NAME[word]


def level_by_name(name: str, model: InformationModel) -> Level:
    """Return the level called PATIENT, STUDY, SERIES or IMAGE, else RequestError.

    A model without levels takes the default, STUDY, and gives the level of its entries.
    """
    levels = {level.name: level for level in model.levels}
    if not levels:
        # The default of a caller who names no level.
        if name.upper() != "STUDY":
            raise RequestError(f"level {name!r}: {model.words} has no levels")
        return ENTRY
    level = levels.get(name.upper())
    if level is None:
        raise RequestError(f"level {name!r}: {model.words} has {', '.join(levels)}")
    return level


def check_limit(limit: object) -> None:
    """Raise RequestError unless a limit of matches is a number from 1 on, or None."""
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise RequestError(f"limit {limit!r}: expected a number of matches from 1 on, or None")


def request_identifier(
    model: InformationModel,
    level: Level,
    keys: Iterable[tuple[str | int, Any]],
    read: Reader | None = None,
) -> DataSet:
    """Build the identifier of a request from attributes by keyword or tag.

    ``read`` takes values as people write them; without it they stay as they are.

    A key with a value restricts, one with None or "" asks for the attribute. Where every key
    restricts, the unique and required keys of the level are asked for, else the unique key alone.
    RequestError names a key or a value that is none.
    """
    elements = _elements(keys, read)
    restricts_only = all(element.values for element in elements.values())
    if not model.levels:
        return _entry_identifier(ENTRY_MODELS_BY_UID[model.uid], elements, usual=restricts_only)
    returned = _usual_keys(model, level) if restricts_only else [UNIQUE_KEYS[level].tag]
    for tag in returned:
        elements.setdefault(tag, Element(_vr_of(tag), ()))
    elements[QUERY_RETRIEVE_LEVEL] = Element("CS", (level.name,))
    return dict(sorted(elements.items()))


def _entry_identifier(row: EntryModel, elements: DataSet, *, usual: bool) -> DataSet:
    """Return the identifier of a model without levels: attributes of items go into their items."""
    found = placed(elements, row.places)
    keywords = [*(row.usual if usual else ()), *filter(None, [row.unique])]
    asked = {tag: Element(_vr_of(tag), ()) for tag in map(_tag_of, keywords)}
    return placed(asked | found, row.places)


def _elements(keys: Iterable[tuple[str | int, Any]], read: Reader | None) -> DataSet:
    elements: DataSet = {}
    for key, value in keys:
        tag = _tag_of(key)
        if tag in elements:
            raise RequestError(f"{attribute_name(tag)} is given twice")
        elements[tag] = _element(tag, value, read)
    return elements


def _usual_keys(model: InformationModel, level: Level) -> list[int]:
    """List the unique and required keys of the level."""
    return [
        key.tag
        for key in KEYS
        if model.query_level(key.level) == level
        and key_type(key.tag, model) is not KeyType.OPTIONAL
    ]


def _tag_of(key: str | int) -> int:
    if isinstance(key, int):
        tag = int(key)
    elif match := _TAG.fullmatch(key):
        tag = int(match[1] + match[2], 16)
    else:
        found = tag_for_keyword(key)
        if found is None:
            close = close_keywords(key)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise RequestError(
                f"{key!r} is no key: expected the keyword or tag of an attribute, "
                f"such as PatientName or 00100010{hint}"
            )
        tag = int(found)
    if tag in _OF_THE_QUERY:
        raise RequestError(f"{keyword_for_tag(tag)} is no key: the query sets it itself")
    if standard_vr(tag) is None:
        raise RequestError(f"{attribute_name(tag)} is no attribute of the DICOM dictionary")
    return tag


def _vr_of(tag: int) -> str:
    vr = standard_vr(tag) or "UN"
    return DICTIONARY_CHOICES.get(vr, vr)


def _element(tag: int, value: Any, read: Reader | None) -> Element:
    """Return one key; RequestError if the value does not fit the attribute's VR."""
    vr = _vr_of(tag)
    try:
        values = _values(vr, value, read)
        if read is not None and VR[vr].kind is Kind.TEXT:
            values = tuple(read(vr, text) for text in values)
        return Element(vr, values)
    except (ArithmeticError, TypeError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{attribute_name(tag)}: {error}") from error


def _values(vr: str, value: Any, read: Reader | None) -> tuple[Any, ...]:
    if value is None or (isinstance(value, str | list | tuple) and not value):
        return ()
    match VR[vr].kind:
        case Kind.SEQUENCE:
            items = [value] if isinstance(value, Dataset | Mapping) else value
            return tuple(_item(item, read) for item in items)
        case Kind.TEXT if vr in _RANGE_VRS and isinstance(value, tuple):
            return _range(vr, value)
        case Kind.TEXT if _is_list(value):
            return tuple(value_text(vr, each) for each in value)
        case Kind.TEXT:
            return split_text(vr, value_text(vr, value))
        case Kind.OPAQUE:
            return (bytes(value),)
        case Kind.TAG | Kind.NUMBER:
            number = float if vr in ("FL", "FD") else int
            return tuple(number(each) for each in (value if _is_list(value) else [value]))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes)


def _range(vr: str, ends: tuple[Any, ...]) -> tuple[str, ...]:
    """Return a pair (first, last) as a range; None is an open end (PS3.4 C.2.2.2.5)."""
    if len(ends) != 2:
        raise ValueError(f"expected a pair (first, last), got {len(ends)} values: {ends!r}")
    first, last = (value_text(vr, end) for end in ends)
    return (f"{first}-{last}",) if first or last else ()


def _item(item: Any, read: Reader | None) -> DataSet:
    if isinstance(item, Dataset):
        return from_pydicom(item)
    if not isinstance(item, Mapping):
        raise TypeError(f"expected a Dataset or a mapping for each item, got {item!r}")
    return dict(sorted(_elements(item.items(), read).items()))
