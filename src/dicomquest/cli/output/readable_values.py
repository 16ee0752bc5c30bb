"""Values as a person reads them: dates, times, names, well-known UIDs (PS3.5 6.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dicomquest.cli.output.match_values import elements_at, plain, value_text

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element
    from dicomquest.query.identifier.key_arguments import PathStep

_DATE = re.compile(r"(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,6})?)?)?")
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?")
_WELL_KNOWN = "1.2.840.10008."
_BETWEEN = {"CS": ",", "IS": ",", "DS": ",", "US": ",", "SS": ",", "UL": ",", "SL": ","}


def readable_at(data_set: DataSet, path: Sequence[PathStep], *, full: bool = False) -> str:
    """Return the values of an attribute on one line; ``full`` with all groups and fractions."""
    return "; ".join(
        text for element in elements_at(data_set, path) if (text := _readable(element, full=full))
    )


def _readable(element: Element, *, full: bool) -> str:
    convert = _CONVERTERS.get(element.vr)
    values = element.values
    if convert is None:
        is_sequence = element.vr == "SQ"
        texts = [value_text(plain(value) if is_sequence else value) for value in values]
    else:
        texts = [convert(value, full) for value in values]
    text = texts[0] if len(texts) == 1 else _BETWEEN.get(element.vr, "; ").join(texts)
    return printable(text)


def printable(text: str) -> str:
    """Blank the characters that would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def _date(text: Any, full: bool) -> str:  # noqa: ARG001
    match = _DATE.fullmatch(text)
    return f"{match[1]}-{match[2]}-{match[3]}" if match else str(text)


def _time(text: Any, full: bool) -> str:
    match = _TIME.fullmatch(text)
    if match is None:
        return str(text)
    shown = ":".join(filter(None, match.group(1, 2, 3)))
    return shown + (match[4] or "") if full else shown


def _date_time(text: Any, full: bool) -> str:
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return str(text)
    parts = [_date(match[1], full)]
    if match[2]:
        parts.append(_time(match[2], full))
    if full and match[3]:
        parts.append(match[3])
    return " ".join(parts)


def _name(text: Any, full: bool) -> str:
    groups = [group.rstrip("^ ") for group in text.split("=")]
    if full:
        return " = ".join(filter(None, groups))
    return " ".join(filter(None, groups[:2])) or "".join(groups[2:])


@lru_cache(maxsize=256)
def _uid(text: str, full: bool) -> str:
    if not text.startswith(_WELL_KNOWN):
        return text
    from pydicom.uid import UID

    name = UID(text).name
    if name == text:
        return text
    return f"{name} ({text})" if full else name


_CONVERTERS: dict[str, Callable[[Any, bool], str]] = {
    "DA": _date,
    "DT": _date_time,
    "PN": _name,
    "TM": _time,
    "UI": _uid,
}
