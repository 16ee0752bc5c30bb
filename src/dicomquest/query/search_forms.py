"""The search form of each VR: stored values as criteria compare them (PS3.4 C.2.2.2.1; PS3.5 6.2).

A value of most VRs has one form; a name has three, one a component group. No key value equals the
form None: an empty group, a text that is no date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from dicomquest.dataset.dates import parse_offset, sortable_date, sortable_datetime, sortable_time
from dicomquest.dataset.values import canonical_number, name_groups
from dicomquest.errors import ValueFormatError
from dicomquest.standard.tags import TIMEZONE_OFFSET_FROM_UTC
from dicomquest.standard.vr import VR, Kind

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element

SearchForm: TypeAlias = "tuple[str | None, ...]"

NUMBER_VRS = frozenset({"IS", "DS"} | {row.vr for row in VR.values() if row.kind is Kind.NUMBER})
BINARY_VRS = frozenset(row.vr for row in VR.values() if row.kind is Kind.OPAQUE)
_EMPTY_VALUES = ("", None, b"")
UNSPLIT_VRS = frozenset(row.vr for row in VR.values() if row.kind is Kind.TEXT and not row.multiple)


def search_form(vr: str, value: Any, zone_minutes: int) -> SearchForm:
    """Return one stored value in the search form of the key's VR.

    ``zone_minutes`` is the zone of date-times without an offset.
    """
    if vr in NUMBER_VRS:
        return (canonical_number(str(value)),)
    if vr == "AT":
        return (f"{value:08X}" if isinstance(value, int) else str(value).upper(),)
    text = str(value)
    match vr:
        case "PN":
            return tuple(group or None for group in name_groups(text))
        case "DA":
            return (sortable_date(text),)
        case "TM":
            return (sortable_time(text),)
        case "DT":
            return (sortable_datetime(text, zone_minutes),)
        case _:
            return (text or None,)


def search_forms(vr: str, element: Element | None, zone_minutes: int) -> list[SearchForm]:
    """Return all values of a stored element in the search form of the key's VR, none of an SQ."""
    if element is None or element.vr == "SQ":
        return []
    return [search_form(vr, value, zone_minutes) for value in stored_values(vr, element)]


def stored_values(vr: str, element: Element) -> tuple[Any, ...]:
    """Return the values of a stored element, read with the key's VR if its own is unknown."""
    if element.vr not in BINARY_VRS:
        return tuple(value for value in element.values if value not in ("", None))
    texts = [opaque_text(data) for data in element.values]
    values = (
        texts
        if vr in UNSPLIT_VRS
        else [part.strip(" ") for text in texts for part in text.split("\\")]
    )
    return tuple(value for value in values if value)


def opaque_text(data: bytes) -> str:
    """Return bytes of an unknown VR as text, without padding."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.rstrip(" \0")


def is_empty(element: Element | None) -> bool:
    """Tell whether an attribute has no value: absent and empty are the same here (C.2.2.2.7).

    A name of nothing but delimiters is empty: those of empty groups and components are optional
    (PS3.5 6.2.1).
    """
    if element is None:
        return True
    for value in element.values:
        if value not in _EMPTY_VALUES:
            return element.vr == "PN" and not any(
                each and each.strip("=^ ") for each in element.values
            )
    return True


def own_zone(data_set: DataSet, default_minutes: int) -> int:
    """Return the zone of a data set's times, in minutes east of UTC.

    It is TimezoneOffsetFromUTC, else the default.
    """
    element = data_set.get(TIMEZONE_OFFSET_FROM_UTC)
    if element is None or not element.values:
        return default_minutes
    try:
        return parse_offset(str(element.values[0]).strip())
    except ValueFormatError:
        return default_minutes
