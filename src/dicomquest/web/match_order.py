"""The order of matches of several archives, which is that of an index (PS3.18 8.3.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet

_NUMBERS = {
    Level.SERIES: KEYS_BY_KEYWORD["SeriesNumber"].tag,
    Level.IMAGE: KEYS_BY_KEYWORD["InstanceNumber"].tag,
}
_DATE = KEYS_BY_KEYWORD["StudyDate"].tag
_TIME = KEYS_BY_KEYWORD["StudyTime"].tag


def match_order(response: DataSet, level: Level) -> tuple[object, ...]:
    """Return the place of a match: new studies first, then by number, and always by UID."""

    def text(tag: int) -> str:
        element = response.get(tag)
        return str(element.values[0]) if element is not None and element.values else ""

    uids = tuple(text(UNIQUE_KEYS[each].tag) for each in (Level.STUDY, Level.SERIES, Level.IMAGE))
    if level is Level.STUDY:
        return (_newest_first(text(_DATE)), _newest_first(text(_TIME)), uids[0])
    number = text(_NUMBERS[level]).strip().lstrip("0")
    return (*uids[: level - 2], not number, len(number), number, uids[level - 2])


def _newest_first(digits: str) -> tuple[int, ...]:
    return tuple(-ord(each) for each in digits) or (1,)
