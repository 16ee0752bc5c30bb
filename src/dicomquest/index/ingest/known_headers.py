"""The headers of series that instances lately came of: one more says mostly the same (PS3.4 B.2).

The instances of a series come in a row, from a scanner or from a folder, and their headers differ
in some short values, most of the IMAGE level. Those that have the other bytes of an earlier one
also have its records but for these values. So only what differs is decoded, in a fifth of the time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.codec import is_deflated, is_implicit
from dicomquest.dataset.decoder import PIXEL_REPRESENTATION
from dicomquest.dataset.header_pattern import (
    HEADER_TAG,
    LONGEST_HEADER,
    HeaderPattern,
    header_pattern,
)
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

_KEPT_COST = 16
"""Decoded headers that pay for one that is kept in vain, which takes a tenth of the time of one."""

_PATTERN_COST = 32
"""Decoded headers that pay for a pattern in vain, which takes a third of the time of one."""

_MOST_CREDIT = 80 * _PATTERN_COST
"""The credit at first, and at most; a header that matches earns what its pattern has cost."""

_SOP_INSTANCE_UID = KEYS_BY_KEYWORD["SOPInstanceUID"].tag
_SERIES_INSTANCE_UID = b"\x20\x00\x0e\x00"
_ALWAYS_CHANGED = frozenset({_SOP_INSTANCE_UID, KEYS_BY_KEYWORD["InstanceNumber"].tag})
_NAMING = (
    "SOPClassUID",
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
)
_NEVER_CHANGED = frozenset(
    {
        *(KEYS_BY_KEYWORD[keyword].tag for keyword in _NAMING),
        SPECIFIC_CHARACTER_SET,
        PIXEL_REPRESENTATION,
        TIMEZONE_OFFSET_FROM_UTC,
    }
)
"""Elements that name an entity, or change how others are read or indexed."""

_short_length = struct.Struct("<H").unpack_from
_long_length = struct.Struct("<I").unpack_from


@dataclass(slots=True, eq=False)
class _Series:
    """A header of a series and its instance; without a pattern, none of its headers is known.

    The pattern is made of ``unmade`` when the next header comes: many series have only one.
    ``tags`` are the changed elements, ``others`` are the records of the rest of their levels.
    """

    data_set: DataSet
    received: Received
    tags: tuple[int, ...]
    misses: int
    unmade: _Unmade | None
    pattern: HeaderPattern | None = None
    others: dict[Level, Record] = field(default_factory=dict)


class _Unmade(NamedTuple):
    """The bytes of a header, with the tag at which it ``stops``; ``before`` is an earlier one."""

    data: bytes
    end: int
    stops: bool
    before: DataSet


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
        known = series.received
        changed = records(self.changed)
        found = known.records.copy()
        for level, before in series.others.items():
            texts, elements = changed[level]
            found[level] = Record(before.texts | texts, before.elements | elements)
        own = forms(Level.IMAGE, found[Level.IMAGE], default_zone, series.data_set | self.changed)
        return Received(
            known.patient,
            known.study_uid,
            known.series_uid,
            uid,
            found,
            own,
        )


class KnownHeaders:
    """The known headers of one thread that receives instances."""

    def __init__(self) -> None:
        self._series: dict[_Key, _Series] = {}
        # The tags that changed within the last series: most probably they do in the next one.
        self._usual: frozenset[int] = _ALWAYS_CHANGED
        self._credit = _MOST_CREDIT

    def find(self, data: bytes, start: int, transfer_syntax: str) -> KnownHeader | None:
        """Return the header that begins at ``start`` if it is like a known one of its series."""
        series = self._series.get(_key(data, start, transfer_syntax))
        if series is None:
            return None
        if series.unmade is not None and self._credit >= _PATTERN_COST:
            self._credit -= _PATTERN_COST
            self._make(series, series.unmade, explicit=not is_implicit(transfer_syntax))
        if series.pattern is None:
            return None
        match = series.pattern.match(data, start)
        if match is None:
            return None
        self._credit = min(self._credit + _KEPT_COST + _PATTERN_COST, _MOST_CREDIT)
        changed = dict(zip(series.tags, match.elements, strict=True))
        return KnownHeader(match.end, changed, series)

    def learn(
        self, data: bytes, start: int, transfer_syntax: str, header: Header, received: Received
    ) -> None:
        """Know a header that was decoded without a remark, and its instance."""
        self._credit = min(self._credit + 1, _MOST_CREDIT)
        # With enough left for the pattern: else the next header of the series could not make it.
        is_dear = self._credit < _KEPT_COST + _PATTERN_COST
        if is_dear or header.end - start > LONGEST_HEADER:
            return
        key = _key(data, start, transfer_syntax)
        if not key.series:
            return
        tags: tuple[int, ...] = ()
        before, misses = header.data_set, 0
        known = self._series.get(key)
        if known is not None:
            if known.unmade is None:
                misses = known.misses + 1
                if known.pattern is None or misses >= MOST_MISSES:
                    known.pattern = None
                    return
            tags, before = known.tags, known.data_set
            del self._series[key]
        self._credit -= _KEPT_COST
        kept = data[start : header.end + HEADER_TAG if header.stopped else header.end]
        unmade = _Unmade(kept, header.end - start, header.stopped, before)
        self._series[key] = _Series(header.data_set, received, tags, misses, unmade)
        if len(self._series) > MOST_SERIES:
            del self._series[next(iter(self._series))]

    def _make(self, series: _Series, unmade: _Unmade, *, explicit: bool) -> None:
        """Make the pattern of a series; none if its headers differ in more than may change."""
        series.unmade = None
        data_set, before = series.data_set, unmade.before
        tags = self._usual.union(series.tags)
        if before.keys() == data_set.keys():
            tags |= {tag for tag, element in data_set.items() if element != before[tag]}
        tags &= data_set.keys()
        if not _may_change(tags, data_set):
            return
        self._usual = tags
        series.tags = tuple(sorted(tags))
        # The column of the transfer syntax stays: the data set has none.
        changed = records({tag: data_set[tag] for tag in tags})
        for level in {level_of(tag) for tag in tags}:
            texts, elements = series.received.records[level]
            own = changed[level]
            series.others[level] = Record(
                {name: text for name, text in texts.items() if name not in own.texts},
                {path: text for path, text in elements.items() if path not in own.elements},
            )
        series.pattern = header_pattern(
            unmade.data, 0, unmade.end, tags, explicit=explicit, stops=unmade.stops
        )


class _Key(NamedTuple):
    """A transfer syntax and bytes that hardly any other series has.

    The bytes are searched for, so they may be those of another element: they are a hint. There are
    none for a header that is not compared.
    """

    transfer_syntax: str
    series: bytes


def _key(data: bytes, start: int, transfer_syntax: str) -> _Key:
    if transfer_syntax == EXPLICIT_VR_BIG_ENDIAN or is_deflated(transfer_syntax):
        return _Key("", b"")
    at = data.find(_SERIES_INSTANCE_UID, start, start + LONGEST_HEADER)
    if at < 0 or at + 8 > len(data):
        return _Key("", b"")
    is_long = is_implicit(transfer_syntax)
    (length,) = _long_length(data, at + 4) if is_long else _short_length(data, at + 6)
    return _Key(transfer_syntax, data[at : at + 8 + min(length, 64)])


def _may_change(tags: frozenset[int], data_set: DataSet) -> bool:
    """Tell whether elements name no more than the instance, and change no others."""
    if _SOP_INSTANCE_UID not in tags or tags & _NEVER_CHANGED or len(tags) > MOST_CHANGES:
        return False
    charset = data_set.get(SPECIFIC_CHARACTER_SET)
    scope = scope_of(())
    if charset is not None:
        scope = inner_scope(scope, charset, Remarks())
    return scope.is_ascii and not any(map(is_private_creator, tags))
