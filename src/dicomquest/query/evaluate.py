"""Keys on decoded data sets: do they match, and what is returned (PS3.4 C.2.2.2, C.2.2.3)."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, assert_never

from dicomquest.dataset.elements import Element
from dicomquest.errors import ValueFormatError
from dicomquest.query.criteria import (
    AnyOf,
    ByStoredVR,
    CaseFree,
    DateTimePairMatch,
    EmptyValue,
    FuzzyName,
    HasValue,
    KeyCriterion,
    MultipleValue,
    PersonName,
    Range,
    SequenceMatch,
    SingleInterval,
    SingleNumber,
    SingleValue,
    Step,
    TextByStoredVR,
    UIDList,
    WildCard,
)
from dicomquest.query.identifier.key_values import read_key
from dicomquest.query.matching import matches
from dicomquest.query.model import ReturnKey
from dicomquest.query.options import QueryOptions
from dicomquest.query.search_forms import BINARY_VRS, SearchForm, is_empty, own_zone, search_forms
from dicomquest.standard.tags import creator_tag, in_block, is_private_creator
from dicomquest.standard.vr import VR, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.criteria import Criterion


def find_element(data_set: DataSet, step: Step) -> Element | None:
    """Return the element of a step; a private one from the block of its creator (PS3.5 7.8.1)."""
    if step.creator is None:
        return data_set.get(step.tag)
    group = step.tag & 0xFFFF0000
    for tag, element in data_set.items():
        if (
            tag & 0xFFFF0000 == group
            and is_private_creator(tag)
            and element.values == (step.creator,)
        ):
            found = data_set.get(in_block(step.tag, tag & 0xFF))
            if found is not None:
                return found
    return None


def matches_data_set(
    data_set: DataSet, keys: Iterable[KeyCriterion], zone_minutes: int = 0
) -> bool:
    """Tell whether the attributes of one entity or item meet all keys.

    ``zone_minutes`` is the zone of a data set without TimezoneOffsetFromUTC. The data set is the
    one that holds the last step of each key's path.
    """
    zone = own_zone(data_set, zone_minutes)
    return all(_matches_key(data_set, key, zone) for key in keys)


def _matches_key(data_set: DataSet, key: KeyCriterion, zone: int) -> bool:
    criterion = key.criterion
    if isinstance(criterion, DateTimePairMatch):
        return _matches_pair(data_set, key, criterion, zone)
    element = find_element(data_set, key.path[-1])
    if is_empty(element):
        return key.or_unknown or isinstance(criterion, EmptyValue)
    match criterion:
        case EmptyValue():
            return False
        case HasValue():
            return True
        case SequenceMatch(keys):
            return bool(matching_items(element, keys, zone))
        case MultipleValue(parts):
            # Another value of the attribute may meet each part.
            return all(_matches_element(part, key.vr, element, zone) for part in parts)
        case (
            SingleValue()
            | SingleNumber()
            | SingleInterval()
            | Range()
            | WildCard()
            | CaseFree()
            | PersonName()
            | FuzzyName()
            | UIDList()
            | AnyOf()
            | ByStoredVR()
            | TextByStoredVR()
        ):
            return _matches_element(criterion, key.vr, element, zone)
        case _:
            assert_never(criterion)


def _matches_element(criterion: Criterion, vr: str, element: Element | None, zone: int) -> bool:
    """Tell whether some stored value satisfies a key (C.2.2.3)."""
    if isinstance(criterion, ByStoredVR):
        return element is not None and _matches_opaque(criterion, element, zone)
    if isinstance(criterion, TextByStoredVR):
        return element is not None and _matches_text(criterion, vr, element, zone)
    if isinstance(criterion, AnyOf):
        return any(_matches_element(part, vr, element, zone) for part in criterion.parts)
    return any(matches(criterion, form) for form in search_forms(vr, element, zone))


def _matches_opaque(criterion: ByStoredVR, element: Element, zone: int) -> bool:
    if element.vr in BINARY_VRS:
        return any(data.rstrip(b"\0 ") == criterion.data.rstrip(b"\0 ") for data in element.values)
    return _matches_values(values_in(element.vr, criterion), element, zone)


def _matches_text(criterion: TextByStoredVR, vr: str, element: Element, zone: int) -> bool:
    if element.vr == vr or element.vr in BINARY_VRS:
        return _matches_element(criterion.as_text, vr, element, zone)
    return _matches_values(values_in(element.vr, criterion), element, zone)


def _matches_values(values: tuple[Any, ...], element: Element, zone: int) -> bool:
    if not values:
        return False
    try:
        read = read_key(element.vr, values, "1-n", QueryOptions(), zone)
    except ValueFormatError:
        return False
    return read is None or _matches_element(read, element.vr, element, zone)


def values_in(vr: str, criterion: ByStoredVR | TextByStoredVR) -> tuple[Any, ...]:
    """Return a key's text or bytes as values of a VR, no values if they do not fit.

    Bytes of VR UN are little endian (PS3.5 6.2.2).
    """
    row = VR[vr]
    if isinstance(criterion, TextByStoredVR):
        return () if row.kind is Kind.SEQUENCE else criterion.values
    if row.kind is Kind.TEXT:
        return tuple(criterion.text.split("\\")) if row.multiple else (criterion.text,)
    layout = struct.Struct(f"<{row.layout}")
    if row.kind is Kind.SEQUENCE or len(criterion.data) % layout.size:
        return ()
    found = layout.iter_unpack(criterion.data)
    return (
        tuple(group << 16 | element for group, element in found)
        if row.kind is Kind.TAG
        else tuple(v for (v,) in found)
    )


def _matches_pair(
    data_set: DataSet, key: KeyCriterion, criterion: DateTimePairMatch, zone: int
) -> bool:
    """Tell whether a stored date and time meet a pair; of several, any date with any time."""
    elements = data_set.get(criterion.date), data_set.get(criterion.time)
    unknown = [key.or_unknown and is_empty(element) for element in elements]
    dates, times = (
        [form[0] for form in search_forms(vr, element, zone)] or [None]
        for vr, element in zip(("DA", "TM"), elements, strict=True)
    )
    if criterion.combined is not None and unknown[0]:
        return True
    wanted = DateTimePairMatch(
        criterion.date,
        criterion.time,
        None if unknown[0] else criterion.date_key,
        None if unknown[1] else criterion.time_key,
        criterion.combined,
        None,
    )
    shift = 0 if criterion.zone_minutes is None else criterion.zone_minutes - zone
    return any(matches(wanted, shifted(date, time, shift)) for date, time in product(dates, times))


def shifted(date: str | None, time: str | None, minutes: int) -> SearchForm:
    """Return a sortable date and time moved by minutes.

    They stay as they are without a time, and at the ends of the calendar.
    """
    if time is None or minutes == 0:
        return date, time
    # A naive datetime: the shift is the difference of two zones.
    day = datetime.strptime(date or "20000101", "%Y%m%d")  # noqa: DTZ007
    try:
        moved = day + timedelta(hours=int(time[:2]), minutes=int(time[2:4]) + minutes)
    except OverflowError:
        return date, time
    return date and f"{moved.year:04d}{moved:%m%d}", f"{moved:%H%M}{time[4:]}"


def matching_items(
    element: Element | None, keys: Iterable[KeyCriterion], zone: int
) -> list[DataSet]:
    """Return the items of a sequence that meet all item keys, each alone (C.2.2.2.6)."""
    if element is None or element.vr != "SQ":
        return []
    return [item for item in element.values if all(_matches_key(item, key, zone) for key in keys)]


def response_element(data_set: DataSet, key: ReturnKey, zone: int) -> Element:
    """Return the element of a response: all stored values, or the matching items, reduced."""
    element = find_element(data_set, key.step)
    if element is None or is_empty(element):
        return Element(key.vr, ())
    if key.vr != "SQ" or key.item_keys is None:
        return element
    items = matching_items(element, key.item_criteria, zone)
    return Element("SQ", tuple(reduced_item(item, key.item_keys, zone) for item in items))


def reduced_item(item: DataSet, keys: Iterable[ReturnKey], zone: int) -> DataSet:
    """Return an item with only the attributes asked for, ascending by tag.

    Private ones stand in the blocks of the request, with their creators.
    """
    reduced: dict[int, Any] = {}
    for key in keys:
        reduced[key.tag] = response_element(item, key, zone)
        if key.creator is not None:
            reduced[creator_tag(key.tag)] = Element("LO", (key.creator,))
    return dict(sorted(reduced.items()))
