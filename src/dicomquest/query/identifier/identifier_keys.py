"""The keys of one data set or item: attribute, criterion, support (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from pydicom.datadict import get_entry, private_dictionary_VM, private_dictionary_VR

from dicomquest.dataset.dictionary import private_vr
from dicomquest.dataset.elements import Element
from dicomquest.errors import LONGEST_COMMENT, IdentifierError, ValueFormatError
from dicomquest.query.criteria import (
    AnyOf,
    DateTimePairMatch,
    EmptyValue,
    KeyCriterion,
    MultipleValue,
    Range,
    SequenceMatch,
    SingleInterval,
    Step,
    TextByStoredVR,
)
from dicomquest.query.identifier.key_values import read_key
from dicomquest.query.instants import combined_range
from dicomquest.query.model import IgnoredKey, ReturnKey
from dicomquest.query.search_forms import BINARY_VRS, opaque_text
from dicomquest.standard import statuses
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import DATE_TIME_PAIRS, EXISTENCE_ONLY, DateTimePair
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    QUERY_RETRIEVE_VIEW,
    RETRIEVE_AE_TITLE,
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    creator_tag,
    is_private,
    is_private_creator,
    without_block,
)
from dicomquest.standard.vr import DICTIONARY_CHOICES, VR, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.criteria import Criterion
    from dicomquest.query.options import QueryOptions

# Elements that say how to read the others, so no keys. The first is LengthToEnd, of ACR-NEMA.
_READING = frozenset({0x00080001, SPECIFIC_CHARACTER_SET, TIMEZONE_OFFSET_FROM_UTC})
# The other two are StorageMediaFileSetID and StorageMediaFileSetUID.
RETRIEVAL = frozenset({RETRIEVE_AE_TITLE, 0x00880130, 0x00880140})
"""Elements by which the service names a source to retrieve from (C.4.1.1.3.2): never matched."""
_SERVICE = RETRIEVAL | {QUERY_RETRIEVE_LEVEL, QUERY_RETRIEVE_VIEW, INSTANCE_AVAILABILITY}

_PIXEL_DATA_GROUP = 0x7FE0

LONGEST_CREATOR = 64
"""Characters of a private creator: it is an LO (PS3.5 6.2, 7.8.1)."""


@dataclass(frozen=True, slots=True)
class ReadKey:
    """One key, read.

    ``criterion`` None asks nothing. ``trouble`` says why the attribute is not matched; with
    ``exists`` False it is not returned either.
    """

    tag: int
    step: Step
    vr: str
    criterion: Criterion | None = None
    item_keys: tuple[ReadKey, ...] | None = None
    trouble: str = ""
    exists: bool = True

    def key_criteria(
        self, above: tuple[Step, ...], level: Level, *, or_unknown: bool
    ) -> tuple[KeyCriterion, ...]:
        """Return the criterion as that of a path, none if the key asks nothing."""
        if self.item_keys is not None:
            inner = self.item_criteria(above, level, or_unknown=or_unknown)
            criterion: Criterion | None = SequenceMatch(inner) if inner else None
        else:
            criterion = self.criterion
        if criterion is None or self.trouble:
            return ()
        if isinstance(criterion, DateTimePairMatch):
            # The time key may stand alone: the criterion still belongs to the path of the date.
            return (
                KeyCriterion((*above, Step(criterion.date)), level, "DA", criterion, or_unknown),
            )
        return (KeyCriterion((*above, self.step), level, self.vr, criterion, or_unknown),)

    def item_criteria(
        self, above: tuple[Step, ...], level: Level, *, or_unknown: bool
    ) -> tuple[KeyCriterion, ...]:
        """Return the criteria that an item must meet."""
        path = (*above, self.step)
        return tuple(
            criterion
            for key in self.item_keys or ()
            for criterion in key.key_criteria(path, level, or_unknown=or_unknown)
        )

    def return_key(self, above: tuple[Step, ...], level: Level, *, or_unknown: bool) -> ReturnKey:
        """Return the attribute of the responses."""
        if self.item_keys is None:
            return ReturnKey(self.tag, self.vr, level, self.step.creator)
        path = (*above, self.step)
        items = tuple(
            key.return_key(path, level, or_unknown=or_unknown)
            for key in self.item_keys
            if key.exists
        )
        criteria = () if self.trouble else self.item_criteria(above, level, or_unknown=or_unknown)
        return ReturnKey(self.tag, self.vr, level, self.step.creator, items, criteria)

    def troubles(self, above: tuple[int, ...] = ()) -> Iterator[IgnoredKey]:
        """Give the troubles of the key and of the keys in its item."""
        if self.trouble:
            yield IgnoredKey((*above, self.tag), self.trouble)
        for key in self.item_keys or ():
            yield from key.troubles((*above, self.tag))


@dataclass(frozen=True, slots=True)
class KeyReader:
    """Reads the keys of a data set and, in turn, of its items.

    ``zone_minutes``, east of UTC, is the zone of the request's times. ``adjusts`` says that stored
    dates and times are moved into it before they are compared.
    """

    options: QueryOptions
    zone_minutes: int
    adjusts: bool

    def read(self, data_set: DataSet, above: tuple[int, ...] = ()) -> list[ReadKey]:
        """Return all keys, ascending by tag; IdentifierError A900 names a key with a bad value."""
        combined = self._combined(data_set, above)
        keys = [
            ReadKey(tag, Step(tag), described(tag, None, element)[0])
            if any(tag in pair for pair in combined)
            else self._read(tag, element, data_set, above)
            for tag, element in sorted(data_set.items())
            if is_key(tag, in_item=bool(above))
        ]
        if not combined and not self.adjusts:
            return keys
        by_tag = {key.tag: key for key in keys}
        for pair in DATE_TIME_PAIRS:
            self._pair(pair, combined.get(pair), by_tag)
        return list(by_tag.values())

    def _read(
        self, tag: int, element: Element, data_set: DataSet, above: tuple[int, ...]
    ) -> ReadKey:
        if is_universal(tag, element):
            return universal_key(tag, element.vr)
        creator = private_creator(tag, data_set)
        step = Step(tag) if creator is None else Step(without_block(tag), creator)
        vr, vm = described(tag, creator, element)
        path = (*above, tag)
        if trouble := _unsupported(tag, creator, vr, element.vr):
            return ReadKey(tag, step, vr, trouble=trouble, exists=False)
        if vr == "SQ":
            return self._read_sequence(ReadKey(tag, step, vr), element, path)
        if element.vr == "SQ":
            raise _rejected(path, f"{_name(path)}: a sequence, expected {vr}")
        if vr in BINARY_VRS and vr != "UN":
            trouble = f"values of VR {vr} are not matched" if any(element.values) else ""
            return ReadKey(tag, step, vr, trouble=trouble)
        values = element.values
        if element.vr in BINARY_VRS and vr not in BINARY_VRS:
            values = tuple(opaque_text(data) for data in values)
            values = tuple(part for text in values for part in text.split("\\"))
        try:
            criterion = read_key(vr, values, vm, self.options, self.zone_minutes)
        except ValueFormatError as error:
            raise _wrong_value(path, error) from error
        if (
            criterion is not None
            and vr == "LO"
            and creator
            and private_vr(tag, creator) in {None, "UN"}
        ):
            criterion = _by_stored_vr(criterion, values)
        trouble = (
            "returned, but its values are not matched"
            if tag in EXISTENCE_ONLY and criterion
            else ""
        )
        return ReadKey(tag, step, vr, None if trouble else criterion, trouble=trouble)

    def _read_sequence(self, key: ReadKey, element: Element, path: tuple[int, ...]) -> ReadKey:
        if element.vr != "SQ":
            if any(element.values):
                raise _rejected(path, f"{_name(path)}: VR {element.vr}, expected a sequence")
            return key
        if len(element.values) > 1:
            raise _rejected(path, f"{_name(path)}: {len(element.values)} items, expected one")
        items = self.read(element.values[0], path) if element.values else []
        if not items:
            return key
        asks = any(item.key_criteria((), Level.IMAGE, or_unknown=False) for item in items)
        trouble = (
            "returned, but its items are not matched" if key.tag in EXISTENCE_ONLY and asks else ""
        )
        return replace(key, item_keys=tuple(items), trouble=trouble)

    def _combined(self, data_set: DataSet, above: tuple[int, ...]) -> dict[DateTimePair, Range]:
        """Return the pairs whose two ranges are one (C.2.2.2.5.4)."""
        found: dict[DateTimePair, Range] = {}
        if not self.options.combined_datetime:
            return found
        for pair in DATE_TIME_PAIRS:
            texts = [_only_text(data_set.get(tag)) for tag in pair]
            try:
                combined = combined_range(*texts)
            except ValueFormatError as error:
                path = (*above, pair.date)
                raise _wrong_value(path, error) from error
            if combined is not None:
                found[pair] = combined
        return found

    def _pair(self, pair: DateTimePair, combined: Range | None, keys: dict[int, ReadKey]) -> None:
        """Make one criterion of a date and its time if they are matched together."""
        date, time = (_instants(keys.get(tag)) for tag in pair)
        zone = self.zone_minutes if self.adjusts else None
        if combined is None and (zone is None or (date is None and time is None)):
            return
        criterion = DateTimePairMatch(pair.date, pair.time, date, time, combined, zone)
        place = pair.date if combined is not None or date is not None else pair.time
        for tag, instants in zip(pair, (date, time), strict=True):
            if instants is not None:
                keys[tag] = replace(keys[tag], criterion=None)
        keys[place] = replace(keys[place], criterion=criterion)


def is_universal(tag: int, element: Element) -> bool:
    """Tell whether an element asks nothing, for itself: a standard attribute without a value."""
    return not element.values and element.vr != "SQ" and not (tag >> 16) & 1


@lru_cache(maxsize=4096)
def universal_key(tag: int, sent_vr: str) -> ReadKey:
    """Return the key of a standard attribute without a value; most keys are, in each request."""
    vr, _ = described(tag, None, Element(sent_vr, ()))
    trouble = _unsupported(tag, None, vr, sent_vr)
    return ReadKey(tag, Step(tag), vr, trouble=trouble, exists=not trouble)


def is_key(tag: int, *, in_item: bool = False) -> bool:
    """Tell whether an element is a key.

    Group lengths, private creators and elements that steer the query or the service are none. In an
    item the elements of the service are attributes like any other.
    """
    if tag & 0xFFFF == 0 or is_private_creator(tag) or tag in _READING:
        return False
    return in_item or tag not in _SERVICE


def private_creator(tag: int, data_set: DataSet) -> str | None:
    """Return the creator of a private tag in its data set or item (PS3.5 7.8.1).

    It is "" if it is missing, and None for a standard tag.
    """
    if not is_private(tag):
        return None
    element = data_set.get(creator_tag(tag))
    creator = str(element.values[0]) if element is not None and element.values else ""
    if len(creator) > LONGEST_CREATOR:
        raise IdentifierError(
            statuses.IDENTIFIER_DOES_NOT_MATCH,
            f"private creator of {len(creator)} characters: at most {LONGEST_CREATOR}",
            (creator_tag(tag),),
        )
    return creator


def described(tag: int, creator: str | None, element: Element) -> tuple[str, str]:
    """Return VR and VM of an attribute by the dictionary (PS3.6), else the VR as sent.

    The VR is "" if neither tells.
    """
    sent = element.vr
    try:
        if creator is not None:
            vr, vm = private_dictionary_VR(tag, creator), private_dictionary_VM(tag, creator)
        else:
            vr, vm = _dictionary_entry(tag)
    except KeyError:
        return sent, "1"
    if creator is not None and sent != "UN":
        return sent, vm
    if sent == "UN" and any(element.values) and (vr == "UN" or VR[vr].kind is not Kind.TEXT):
        # The VR of the stored element tells how to read the bytes.
        return sent, vm
    if vr in DICTIONARY_CHOICES:
        vr = sent if sent in vr.split(" or ") else DICTIONARY_CHOICES[vr]
    return vr, vm


@lru_cache(maxsize=4096)
def _dictionary_entry(tag: int) -> tuple[str, str]:
    """Return VR and VM of a standard attribute; KeyError if the dictionary has none."""
    vr, vm = get_entry(tag)[:2]
    if vr == "NONE":
        raise KeyError(tag)  # a delimiter of items, which is no attribute
    return vr, vm


def _unsupported(tag: int, creator: str | None, vr: str, sent_vr: str) -> str:
    """Return the reason why an attribute is neither matched nor returned, "" if it is."""
    group = tag >> 16
    if group < 8:
        return "no group of a data set"
    if creator == "":
        return "a private attribute without its creator"
    if group == _PIXEL_DATA_GROUP:
        return "pixel data is not kept"
    if creator is None and sent_vr == "UN" and vr in {"UN", ""}:
        return "an unknown attribute"
    return ""


def _by_stored_vr(criterion: Criterion, values: tuple[str, ...]) -> Criterion:
    """Return the criterion of a private key's text for any VR: SCUs send LO if they know none."""
    return (
        criterion
        if isinstance(criterion, EmptyValue | MultipleValue)
        else TextByStoredVR(values, criterion)
    )


def _only_text(element: Element | None) -> str:
    return str(element.values[0]) if element is not None and len(element.values) == 1 else ""


def _instants(key: ReadKey | None) -> SingleInterval | Range | AnyOf | None:
    criterion = key.criterion if key is not None else None
    return criterion if isinstance(criterion, SingleInterval | Range | AnyOf) else None


def _name(path: tuple[int, ...]) -> str:
    return attribute_name(path[-1])


def _rejected(path: tuple[int, ...], comment: str) -> IdentifierError:
    return IdentifierError(statuses.IDENTIFIER_DOES_NOT_MATCH, comment, path)


def _wrong_value(path: tuple[int, ...], error: ValueFormatError) -> IdentifierError:
    # The peer knows its value: where a comment has no room for it, it has what is expected.
    name, no_value = _name(path), f"no {error.vr} value"
    briefs = (f"{name}: expected {error.expected}", f"{name}: '{error.value}' is {no_value}")
    shortest = f"{name}: {no_value}"
    brief = next((each for each in briefs if len(each) <= LONGEST_COMMENT), shortest)
    return IdentifierError(
        statuses.IDENTIFIER_DOES_NOT_MATCH,
        f"{name}: {error}",
        path,
        limit=error.limit,
        brief=brief,
    )
