"""The value of a key as a person wrote it: read, or refused with what was meant (PS3.5 6.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from dicomquest.dataset.written_dates import written_date, written_datetime, written_time
from dicomquest.errors import WrittenValueError
from dicomquest.standard.vr import VR, Matching

_CODE = re.compile(r"[A-Z0-9 _]*", re.ASCII)
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_LOOSE_AGE = re.compile(r"(\d{1,3})\s*([DWMY]?)[a-z]*", re.ASCII | re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r" *[+-]?\d+ *", re.ASCII)
_DECIMAL = re.compile(r" *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *", re.ASCII)
_LISTED = re.compile(r"\s*[,;|]\s*|\s+")
_WILD = re.compile(r"[*?]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_LINE_END = re.compile(r"[\t\n\f\r]")

_OF_LINES = frozenset({"LT", "ST", "UT"})
"""VRs whose values may have several lines."""

_INTEGER_BOUND = 1 << 31

_SEXES = {"male": "M", "female": "F", "other": "O"}

EMPTY = '""'
"""The key value of empty value matching (PS3.4 C.2.2.2.7)."""


def written_value(vr: str, text: str, now: datetime) -> str:
    """Return one value of a key, without a delimiter, as its VR has it.

    WrittenValueError says why it is none, and which value was probably meant. ``now`` is the
    instant that words like ``today`` look from.
    """
    if not text.strip() or text == EMPTY:
        return text
    match vr:
        case "DA":
            return written_date(text, now.date())
        case "TM":
            return written_time(text)
        case "DT":
            return written_datetime(text, now.date())
        case _:
            if check := _CHECKS.get(vr):
                check(text)
            _check_text(vr, text)
            return text


def _check_text(vr: str, text: str) -> None:
    row = VR.get(vr)
    if row is None or row.layout:
        return
    if _CONTROL.search(text) or (vr not in _OF_LINES and _LINE_END.search(text)):
        perhaps = re.sub(r"\s+", " ", _CONTROL.sub(" ", text)).strip()
        raise WrittenValueError(text, f"has a control character: {row.name} has none", perhaps)
    if _WILD.search(text) and Matching.WILD_CARD in row.matching:
        # With wild cards a key may be longer than any value.
        return
    parts = text.split("=") if vr == "PN" else [text]
    longest = max(len(part.strip()) for part in parts)
    if row.limit is not None and longest > row.limit:
        raise WrittenValueError(
            text, f"has {longest} characters: {row.name} ({vr}) has at most {row.limit}"
        )


def _check_code(text: str) -> None:
    if _CODE.fullmatch(_WILD.sub("", text)):
        return
    if text.strip().casefold() in _SEXES:
        raise WrittenValueError(text, "is no code", _SEXES[text.strip().casefold()])
    words = [word.upper() for word in _LISTED.split(text.strip()) if word]
    is_list = len(words) > 1 and all(_CODE.fullmatch(word) for word in words)
    perhaps = "\\".join(words) if is_list and "," in text else text.upper()
    if not all(_CODE.fullmatch(_WILD.sub("", part)) for part in perhaps.split("\\")):
        perhaps = ""
    raise WrittenValueError(
        text, "is no code: capital letters, digits, spaces and _ alone", perhaps
    )


def _check_uid(text: str) -> None:
    uid = text.strip(" \0")
    if _UID.fullmatch(uid) and len(uid) <= 64:
        return
    if uid == "*":
        raise WrittenValueError(text, "is no UID: leave the value out to ask for any")
    if _WILD.search(uid):
        raise WrittenValueError(text, "is no UID: a UID takes no wild card; give it whole")
    if len(uid) > 64 and _UID.fullmatch(uid):
        raise WrittenValueError(text, f"has {len(uid)} characters: a UID has at most 64")
    parts = [part for part in _LISTED.split(uid) if part]
    stripped = uid.strip(".\"'<>()")
    perhaps = ""
    if len(parts) > 1 and all(_UID.fullmatch(part) for part in parts):
        perhaps = "\\".join(parts)
    elif _UID.fullmatch(stripped):
        perhaps = stripped
    raise WrittenValueError(text, "is no UID: digits with dots between them", perhaps)


def _check_age(text: str) -> None:
    if _AGE.fullmatch(text.strip()):
        return
    loose = _LOOSE_AGE.fullmatch(text.strip())
    perhaps = f"{int(loose[1]):03}{(loose[2] or 'Y').upper()}" if loose else ""
    raise WrittenValueError(text, "is no age: three digits, then D, W, M or Y", perhaps)


def _check_whole_number(text: str) -> None:
    if not _WHOLE_NUMBER.fullmatch(text) or not (-_INTEGER_BOUND <= int(text) < _INTEGER_BOUND):
        raise WrittenValueError(text, "is no number: write a whole one, such as 12")


def _check_decimal(text: str) -> None:
    if not _DECIMAL.fullmatch(text):
        point = text.replace(",", ".")
        perhaps = point if _DECIMAL.fullmatch(point) else ""
        raise WrittenValueError(text, "is no number: write one such as 1.5", perhaps)


_CHECKS: dict[str, Callable[[str], None]] = {
    "AS": _check_age,
    "CS": _check_code,
    "DS": _check_decimal,
    "IS": _check_whole_number,
    "UI": _check_uid,
}
