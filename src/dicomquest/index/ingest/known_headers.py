"""The headers of series that instances lately came of: one more says mostly the same (PS3.4 B.2).

A scanner sends the instances of a series in a row, and their headers differ in some short values of
the IMAGE level. Those that have the other bytes of an earlier one also have its records of patient,
study and series. So only what differs is decoded, in a fifth of the time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.codec import is_deflated, is_implicit
from dicomquest.dataset.decoder import PIXEL_REPRESENTATION
from dicomquest.dataset.header_pattern import LONGEST_HEADER, HeaderPattern, header_pattern
from dicomquest.dataset.value_fields import Remarks, inner_scope, scope_of
from dicomquest.index.ingest.instance import Received, is_fit
from dicomquest.index.tables.rows import Record, column_text, forms, records
from dicomquest.standard.attributes import level_of
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    is_private_creator,
)
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN

if TYPE_CHECKING:
    from dicomquest.dataset.codec import Header
    from dicomquest.dataset.elements import DataSet

MOST_SERIES = 128
"""Series whose headers are known; each takes up to a hundred kilobytes, most of them a tenth."""

MOST_CHANGES = 64
"""Elements that differ within a series; with more, its headers are not worth comparing."""

MOST_MISSES = 3
"""Headers of a series that match no pattern, in a row, until no more patterns are made of it."""

_SOP_INSTANCE_UID = KEYS_BY_KEYWORD["SOPInstanceUID"].tag
_SERIES_INSTANCE_UID = b"\x20\x00\x0e\x00"
_ALWAYS_CHANGED = frozenset({_SOP_INSTANCE_UID, KEYS_BY_KEYWORD["InstanceNumber"].tag})
_NEVER_CHANGED = frozenset(
    {
        KEYS_BY_KEYWORD["SOPClassUID"].tag,
        SPECIFIC_CHARACTER_SET,
        PIXEL_REPRESENTATION,
        TIMEZONE_OFFSET_FROM_UTC,
    }
)
"""Elements of the IMAGE level that change how others are read or indexed."""

_short_length = struct.Struct("<H").unpack_from
_long_length = struct.Struct("<I").unpack_from


@dataclass(slots=True, eq=False)
class _Series:
    """A header of a series and its instance; without a pattern, none of its headers is known.

    ``tags`` are the changed elements, ``image`` is the record of the others of the IMAGE level.
    """

    data_set: DataSet
    tags: tuple[int, ...]
    pattern: HeaderPattern | None
    received: Received
    image: Record
    misses: int


class KnownHeader(NamedTuple):
    """A header that matches a known one of its ``series``, up to ``end``, but for ``changed``."""

    end: int
    changed: DataSet
    series: _Series

    def instance(self, default_zone: int) -> Received | None:
        """Return the instance; None if it has to be looked at as a whole."""
        series = self.series
        uid = column_text("UI", self.changed[_SOP_INSTANCE_UID])
        if not is_fit(uid):
            return None
        series.misses = 0
        known, before = series.received, series.image
        changed = records(self.changed)[Level.IMAGE]
        image = Record(before.texts | changed.texts, before.elements | changed.elements)
        own = forms(Level.IMAGE, image, default_zone, series.data_set | self.changed)
        return Received(
            known.patient,
            known.study_uid,
            known.series_uid,
            uid,
            {**known.records, Level.IMAGE: image},
            own,
        )


class KnownHeaders:
    """The known headers of one thread that receives instances."""

    def __init__(self) -> None:
        self._series: dict[bytes, _Series] = {}
        # The tags that changed within the last series: most probably they do in the next one.
        self._usual: frozenset[int] = _ALWAYS_CHANGED

    def find(self, data: bytes, start: int, transfer_syntax: str) -> KnownHeader | None:
        """Return the header that begins at ``start`` if it is like a known one of its series."""
        series = self._series.get(_key(data, start, transfer_syntax))
        if series is None or series.pattern is None:
            return None
        match = series.pattern.match(data, start)
        if match is None:
            return None
        changed = dict(zip(series.tags, match.elements, strict=True))
        return KnownHeader(match.end, changed, series)

    def learn(
        self, data: bytes, start: int, transfer_syntax: str, header: Header, received: Received
    ) -> None:
        """Know a header that was decoded without a remark, and its instance."""
        key = _key(data, start, transfer_syntax)
        if not key or header.end - start > LONGEST_HEADER:
            return
        data_set, tags, misses = header.data_set, set(self._usual), 0
        before = self._series.get(key)
        if before is not None:
            if before.pattern is None:
                return
            misses = before.misses + 1
            tags.update(before.tags)
            known = before.data_set
            if known.keys() == data_set.keys():
                tags |= {tag for tag, element in data_set.items() if element != known[tag]}
            del self._series[key]
        tags &= data_set.keys()
        pattern = None
        if misses < MOST_MISSES and _may_change(tags, data_set):
            self._usual = frozenset(tags)
            is_explicit = not is_implicit(transfer_syntax)
            pattern = header_pattern(
                data, start, header.end, tags, explicit=is_explicit, stops=header.stopped
            )
        # The column of the transfer syntax stays: the data set has none.
        image = received.records[Level.IMAGE]
        changed = records({tag: data_set[tag] for tag in tags})[Level.IMAGE]
        others = Record(
            {name: text for name, text in image.texts.items() if name not in changed.texts},
            {path: text for path, text in image.elements.items() if path not in changed.elements},
        )
        self._series[key] = _Series(
            data_set, tuple(sorted(tags)), pattern, received, others, misses
        )
        if len(self._series) > MOST_SERIES:
            del self._series[next(iter(self._series))]


def _key(data: bytes, start: int, transfer_syntax: str) -> bytes:
    """Return bytes that hardly any other series has; none for a header that is not compared.

    They are searched for, so they may be those of another element: they are a hint.
    """
    if transfer_syntax == EXPLICIT_VR_BIG_ENDIAN or is_deflated(transfer_syntax):
        return b""
    at = data.find(_SERIES_INSTANCE_UID, start, start + LONGEST_HEADER)
    if at < 0 or at + 8 > len(data):
        return b""
    is_long = is_implicit(transfer_syntax)
    (length,) = _long_length(data, at + 4) if is_long else _short_length(data, at + 6)
    return transfer_syntax.encode() + data[at : at + 8 + min(length, 64)]


def _may_change(tags: set[int], data_set: DataSet) -> bool:
    """Tell whether elements are of the IMAGE level, and change no others; the UID is there."""
    if _SOP_INSTANCE_UID not in tags or tags & _NEVER_CHANGED or len(tags) > MOST_CHANGES:
        return False
    charset = data_set.get(SPECIFIC_CHARACTER_SET)
    scope = scope_of(())
    if charset is not None:
        scope = inner_scope(scope, charset, Remarks())
    return scope.is_ascii and all(
        level_of(tag) is Level.IMAGE and not is_private_creator(tag) for tag in tags
    )
