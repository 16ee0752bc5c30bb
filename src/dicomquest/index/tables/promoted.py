"""Promoted attributes: they have no column, but their values have rows in the value tables.

The table ``promoted_attribute`` lists them, and each write transaction reads it. Queries learn from
``occurrence`` which of them are complete, in the snapshot that they see.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dataset.dictionary import US_OR_SS, standard_vr
from dicomquest.dataset.elements import element_from_json, from_json
from dicomquest.errors import ValueFormatError
from dicomquest.index.tables.dialects import execute
from dicomquest.index.tables.rows import element_rows
from dicomquest.index.tables.schema import ALL_THERE, TOO_LONG
from dicomquest.query.criteria import ByStoredVR, Step, TextByStoredVR
from dicomquest.query.evaluate import find_element, values_in
from dicomquest.query.identifier.key_values import read_key
from dicomquest.query.options import QueryOptions
from dicomquest.query.search_forms import own_zone
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import TIMEZONE_OFFSET_FROM_UTC
from dicomquest.standard.vr import VR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dicomquest.index.tables.dialects import Driven
    from dicomquest.index.tables.rows import ValueRow
    from dicomquest.query.criteria import KeyCriterion

FILLING, READY, DROPPING = "filling", "ready", "dropping"
"""The states: value rows are being filled in; all are there; they are being removed."""

# Characters: a row in a B-tree of PostgreSQL has 2,704 bytes at most, a character up to four.
_LONGEST = 600

_ZONE_PATH = f"{TIMEZONE_OFFSET_FROM_UTC:08X}"


class Attribute(NamedTuple):
    """An attribute to promote; a private one has its creator, and block 0 (``gggg00ee``)."""

    tag: int
    creator: str
    level: Level
    keyword: str
    vr: str

    @property
    def path(self) -> str:
        """The path of its value rows; of a sequence the prefix of the paths of its rows."""
        return _path(self.tag, self.creator, self.vr)

    @property
    def step(self) -> Step:
        """The attribute as a step of a key's path."""
        return Step(self.tag, self.creator or None)


class Promoted(NamedTuple):
    """A promoted attribute; its level's rows with ids up to ``done`` have their values."""

    attribute: Attribute
    state: str
    done: int


class PromotedForms(NamedTuple):
    """The search forms that promoted attributes add to an entity."""

    values: frozenset[ValueRow]
    occurrences: frozenset[tuple[str, int]]


NOTHING = PromotedForms(frozenset(), frozenset())


def _path(tag: int, creator: str, vr: str) -> str:
    # In hex, because a creator may be any text, and the path stands in SQL.
    return f"{tag:08X}:{vr}:{creator.encode('utf-8', 'replace').hex()}" if creator else f"{tag:08X}"


def standard_key_vr(tag: int) -> str | None:
    """Return the VR of a standard attribute as a key, None if the dictionary has none."""
    vr = standard_vr(tag)
    return "US" if vr == US_OR_SS else vr


def searched_path(key: KeyCriterion, occurrences: Collection[tuple[str, int]]) -> str | None:
    """Return the path of the value rows that decide a key without a column, or None."""
    step = key.path[0]
    path = _path(step.tag, step.creator or "", key.vr)
    if (path, ALL_THERE) not in occurrences or (path, TOO_LONG) in occurrences:
        return None
    return path if step.creator is not None or key.vr == standard_key_vr(step.tag) else None


def told_by_promotion(key: KeyCriterion, occurrences: Collection[tuple[str, int]]) -> KeyCriterion:
    """Read a private key of unknown VR with that of its promoted attribute; else return the key."""
    step, criterion = key.path[0], key.criterion
    if step.creator is None or not isinstance(criterion, ByStoredVR | TextByStoredVR):
        return key
    vr = next(
        (vr for vr in VR if (_path(step.tag, step.creator, vr), ALL_THERE) in occurrences), None
    )
    # Only the stored data set has the zone of its date-times, so Python reads a DT.
    if vr is None or vr == "DT":
        return key
    values = values_in(vr, criterion)
    try:
        read = read_key(vr, values, "1-n", QueryOptions(), 0) if values else None
    except ValueFormatError:
        read = None
    return key if read is None else key._replace(vr=vr, criterion=read)


def read_promoted(connection: Driven) -> tuple[Promoted, ...]:
    """Return all promoted attributes, as this transaction sees them."""
    statement = (
        "SELECT tag, creator, level, keyword, vr, state, done FROM promoted_attribute ORDER BY id"
    )
    return tuple(
        Promoted(Attribute(int(tag, 16), creator, Level(level), keyword, vr), state, done)
        for tag, creator, level, keyword, vr, state, done in execute(connection, statement)
    )


def filled(promoted: Iterable[Promoted]) -> dict[Level, list[Attribute]]:
    """Return by level the attributes whose values each new or changed row needs."""
    found: dict[Level, list[Attribute]] = {}
    for each in promoted:
        if each.state != DROPPING:
            found.setdefault(each.attribute.level, []).append(each.attribute)
    return found


def promoted_forms(
    attributes: Iterable[Attribute], elements: Mapping[str, str], default_zone: int
) -> PromotedForms:
    """Return the value rows of an entity, by its elements: JSON texts by ``GGGGEEEE``."""
    values: set[ValueRow] = set()
    occurrences: set[tuple[str, int]] = set()
    for attribute in attributes:
        for row in _rows(attribute, elements, default_zone):
            if len(row.search) <= _LONGEST:
                values.add(row)
            else:
                occurrences.add((attribute.path, TOO_LONG))
    return PromotedForms(frozenset(values), frozenset(occurrences))


def _rows(
    attribute: Attribute, elements: Mapping[str, str], default_zone: int
) -> Iterable[ValueRow]:
    if attribute.creator:
        group = f"{attribute.tag >> 16:04X}"
        texts = {
            path: json.loads(text) for path, text in elements.items() if path.startswith(group)
        }
        element = find_element(from_json(texts), attribute.step) if texts else None
    else:
        text = elements.get(attribute.path)
        element = None if text is None else element_from_json(json.loads(text))
    if element is None or (element.vr == "SQ") != (attribute.vr == "SQ"):
        return ()
    zone = default_zone
    if _ZONE_PATH in elements:
        stored_zone = element_from_json(json.loads(elements[_ZONE_PATH]))
        zone = own_zone({TIMEZONE_OFFSET_FROM_UTC: stored_zone}, default_zone)
    return element_rows(attribute.path, attribute.vr, element, zone)
