"""A C-FIND identifier as a query: level, hierarchy, keys (PS3.4 C.4.1.1.3 to C.4.1.3).

Lenient reading (the default) takes a deviation as the SCU must have meant it, and says so in
``notes``; it never makes a key ask less than it says. Strict reading answers A900 with the element
and a comment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING

from dicomquest.dataset.dates import parse_offset
from dicomquest.errors import IdentifierError, ValueFormatError
from dicomquest.query.criteria import EmptyValue, HasValue, KeyCriterion, SingleValue, Step
from dicomquest.query.identifier.identifier_keys import (
    RETRIEVAL,
    KeyReader,
    ReadKey,
    is_key,
    universal_key,
)
from dicomquest.query.model import IgnoredKey, Query, ReturnKey
from dicomquest.standard import statuses
from dicomquest.standard.attributes import attribute_name, level_of
from dicomquest.standard.keys import UNIQUE_KEYS, KeyType, key_type
from dicomquest.standard.levels import Level
from dicomquest.standard.models import MODELS_BY_UID, InformationModel
from dicomquest.standard.tags import (
    FIRST_TAG,
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    QUERY_RETRIEVE_VIEW,
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    creator_tag,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.options import QueryOptions


# A request with more keys without value than this is not remembered, so that the cache stays small;
# usual requests have a dozen or two.
_MOST_REMEMBERED = 200


_LEVELS = {level.name: level for level in Level}


def parse_identifier(data_set: DataSet, sop_class_uid: str, options: QueryOptions) -> Query:
    """Return the query of an identifier; IdentifierError (A900, 0122) has element and comment."""
    model = read_model(sop_class_uid)
    level = read_level(data_set, model, strict=options.strict)
    reading = _Reading(model, level, options)
    zone = reading.check_control(data_set)
    own = options.timezone_offset_minutes
    adjusts = options.timezone_adjustment and zone is not None
    asking = reading.add_universal_keys(data_set)
    check_number_of_values(asking, options.most_values)
    for key in KeyReader(options, own if zone is None else zone, adjusts).read(asking):
        reading.add(key)
    reading.check_unique_keys()
    charset = data_set.get(SPECIFIC_CHARACTER_SET)
    return Query(
        model=model,
        level=level,
        criteria=tuple(reading.criteria),
        return_keys=tuple(sorted(reading.return_keys.values(), key=_TAG_OF)),
        options=options,
        pending_status=statuses.PENDING_WITH_UNSUPPORTED_KEYS
        if reading.unsupported
        else statuses.PENDING,
        ignored=tuple(reading.ignored),
        notes=tuple(reading.notes),
        private_creators=tuple(sorted(reading.creators.items())),
        wants_availability=INSTANCE_AVAILABILITY in data_set and not options.strict,
        charset_terms=tuple(str(value) for value in charset.values) if charset is not None else (),
        timezone_offset_minutes=zone,
    )


def check_number_of_values(data_set: DataSet, most: int) -> None:
    """Refuse more values than are read and compiled within some ten milliseconds."""
    count = _values_in(data_set)
    if count > most:
        raise IdentifierError(
            statuses.IDENTIFIER_DOES_NOT_MATCH,
            f"{count} values in all keys: at most {most}",
            limit="all_values",
        )


def _values_in(data_set: DataSet) -> int:
    """Count the values of keys that are no lists of UIDs, those of items with them."""
    return sum(
        sum(map(_values_in, element.values)) if element.vr == "SQ" else len(element.values)
        for element in data_set.values()
        if element.vr != "UI"
    )


def read_model(sop_class_uid: str) -> InformationModel:
    """Return the information model of a FIND SOP class; IdentifierError 0122 if we have none."""
    model = MODELS_BY_UID.get(sop_class_uid)
    if model is None:
        raise IdentifierError(
            statuses.SOP_CLASS_NOT_SUPPORTED, f"unsupported SOP class {sop_class_uid}"
        )
    return model


def read_level(data_set: DataSet, model: InformationModel, *, strict: bool) -> Level:
    """Return the query level; IdentifierError A900 if it is missing or not one of the model's."""
    element = data_set.get(QUERY_RETRIEVE_LEVEL)
    values = [str(value) for value in element.values] if element is not None else []
    text = ""
    if len(values) == 1:
        text = values[0] if strict else values[0].strip(" \0").upper()
        level = _LEVELS.get(text)
        if level is not None and level in model.levels:
            return level
    legal = "/".join(level.name for level in model.levels)
    if len(values) != 1 or not values[0].strip():
        got = "missing" if not any(values) else f"{len(values)} values"
        raise _rejected(QUERY_RETRIEVE_LEVEL, f"QueryRetrieveLevel {got}: expected {legal}")
    raise _rejected(QUERY_RETRIEVE_LEVEL, f"level {text[:16]!r}: expected {legal}")


@dataclass(slots=True)
class _Reading:
    """The query as it grows, key by key."""

    model: InformationModel
    level: Level
    options: QueryOptions
    criteria: list[KeyCriterion] = field(default_factory=list)
    return_keys: dict[int, ReturnKey] = field(default_factory=dict)
    ignored: list[IgnoredKey] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    creators: dict[int, str] = field(default_factory=dict)
    unsupported: bool = False

    def check_control(self, data_set: DataSet) -> int | None:
        """Check the elements that are no keys; return TimezoneOffsetFromUTC in minutes, or None."""
        view = data_set.get(QUERY_RETRIEVE_VIEW)
        if view is not None:
            self._deviates(
                QUERY_RETRIEVE_VIEW, "QueryRetrieveView without its negotiation", "ignored"
            )
        charset = data_set.get(SPECIFIC_CHARACTER_SET)
        if charset is not None and not any(charset.values):
            self._deviates(
                SPECIFIC_CHARACTER_SET, "SpecificCharacterSet without value", "taken as absent"
            )
        if INSTANCE_AVAILABILITY in data_set:
            self.notes.append("InstanceAvailability is no key: not matched")
        for tag in sorted(RETRIEVAL & data_set.keys()):
            if any(data_set[tag].values):
                self.ignored.append(IgnoredKey((tag,), "belongs to the service: not matched"))
                self.unsupported = True
        return self._zone(data_set)

    def _zone(self, data_set: DataSet) -> int | None:
        element = data_set.get(TIMEZONE_OFFSET_FROM_UTC)
        if element is None:
            return None
        text = str(element.values[0]).strip() if element.values else ""
        try:
            return parse_offset(text)
        except ValueFormatError as error:
            if text and self.options.timezone_adjustment:
                # Lenience would match other times than the SCU means.
                raise _rejected(
                    TIMEZONE_OFFSET_FROM_UTC, f"TimezoneOffsetFromUTC: {error}"
                ) from error
            self._deviates(
                TIMEZONE_OFFSET_FROM_UTC,
                f"TimezoneOffsetFromUTC {text[:16]!r} is no offset",
                "ignored",
            )
            return None

    def add_universal_keys(self, data_set: DataSet) -> DataSet:
        """Take in the keys that ask nothing, and return the other elements.

        Requests come in few shapes, of which only the values change. To remember the keys without
        value by their tags and VRs saves a fifth of the time of a small query.
        """
        if self.options.strict:
            # A strict answer names the first fault by tag, so all keys are read in their order.
            return data_set
        read = _shape if len(data_set) <= _MOST_REMEMBERED else _shape.__wrapped__
        elements = data_set.values()
        found, asking = read(
            self.model.uid,
            self.level,
            self.options,
            (
                tuple(data_set),
                tuple(map(_VR_OF, elements)),
                tuple(map(bool, map(_VALUES_OF, elements))),
            ),
        )
        self.return_keys.update(found.return_keys)
        self.ignored += found.ignored
        self.notes += found.notes
        self.unsupported = self.unsupported or found.unsupported
        return {tag: data_set[tag] for tag in asking}

    def add(self, key: ReadKey) -> None:
        """Take one key in, by its level."""
        entity = level_of(key.step.tag) if key.step.creator is None else Level.IMAGE
        level = self.model.query_level(entity)
        kind = key_type(key.tag, self.model)
        or_unknown = self.options.unknown_matches and kind is not KeyType.UNIQUE
        for trouble in key.troubles():
            self.ignored.append(trouble)
            self.unsupported = True
        if not key.exists:
            if self.options.strict and key.tag < FIRST_TAG:
                raise _rejected(key.tag, f"{attribute_name(key.tag)}: {key.trouble}")
            return
        if level > self.level:
            self._add_below(key, entity, or_unknown=or_unknown)
            return
        if level < self.level and kind is not KeyType.UNIQUE and not self.options.relational:
            name = attribute_name(key.step.tag, key.step.creator)
            self._deviates(
                key.tag,
                f"{name}: above the query level",
                "matched, as if relational queries were negotiated",
            )
        self.criteria += key.key_criteria((), entity, or_unknown=or_unknown)
        self._return(key, entity, or_unknown=or_unknown)

    def _return(self, key: ReadKey, entity: Level, *, or_unknown: bool) -> None:
        self.return_keys[key.tag] = key.return_key((), entity, or_unknown=or_unknown)
        if key.step.creator is not None:
            self.creators[creator_tag(key.tag)] = key.step.creator

    def _add_below(self, key: ReadKey, entity: Level, *, or_unknown: bool) -> None:
        """Take in a key of a lower level: some descendant must match, and no value is returned.

        The descendants have many values for the one element of the response (C.4.1.3.2).
        """
        if self.options.strict and not self.options.relational:
            raise _rejected(
                key.tag,
                f"{attribute_name(key.tag)}: of {entity.name} level in a {self.level.name} query",
            )
        criteria = key.key_criteria((), entity, or_unknown=or_unknown)
        self.criteria += criteria
        how = (
            f"matched on any of its {entity.entities}, not returned" if criteria else "not returned"
        )
        self.ignored.append(
            IgnoredKey((key.tag,), f"of {entity.name} level in a {self.level.name} query: {how}")
        )
        self.unsupported = True

    def check_unique_keys(self) -> None:
        """Check the unique keys of the query level and above (C.4.1.2.1); add missing ones."""
        for level in self.model.levels:
            if level > self.level:
                break
            unique = UNIQUE_KEYS[level]
            criteria = [
                each.criterion for each in self.criteria if each.path == (Step(unique.tag),)
            ]
            single = len(criteria) == 1 and isinstance(criteria[0], SingleValue)
            if level < self.level and not single and not self.options.relational:
                got = "has no single value" if criteria else "missing or empty"
                self._deviates(
                    unique.tag,
                    f"{unique.keyword} {got} without relational queries",
                    "taken as relational",
                )
            if level is self.level and unique.tag not in self.return_keys:
                self._deviates(
                    unique.tag,
                    f"{unique.keyword}, the unique key of the level, is missing",
                    "universal",
                )
            self.return_keys.setdefault(unique.tag, ReturnKey(unique.tag, unique.vr, level))
        if self.level is Level.PATIENT:
            self._require_patient_id()

    def _require_patient_id(self) -> None:
        """Leave out patients without an ID: no answer could tell them apart, no query name them."""
        unique = UNIQUE_KEYS[Level.PATIENT]
        path = (Step(unique.tag),)
        if all(
            isinstance(each.criterion, EmptyValue) for each in self.criteria if each.path == path
        ):
            self.criteria.append(KeyCriterion(path, Level.PATIENT, unique.vr, HasValue()))

    def _deviates(self, tag: int, what: str, taken_as: str) -> None:
        if self.options.strict:
            raise _rejected(tag, what)
        self.notes.append(f"{what}: {taken_as}")


# Run in C, where a loop over the elements would take longer than all that it finds.
_VR_OF, _VALUES_OF = itemgetter(0), itemgetter(1)
_TAG_OF = itemgetter(0)


@lru_cache(maxsize=512)
def _shape(
    uid: str,
    level: Level,
    options: QueryOptions,
    shape: tuple[tuple[int, ...], tuple[str, ...], tuple[bool, ...]],
) -> tuple[_Reading, tuple[int, ...]]:
    """Return the reading of keys without a value, and the tags of the other elements.

    ``shape`` has the tag and the VR of each element, and whether it has a value. Callers share the
    reading and never change it.
    """
    reading = _Reading(MODELS_BY_UID[uid], level, options)
    asking = []
    for tag, vr, has_values in sorted(zip(*shape, strict=True)):
        # As ``is_universal``.
        if has_values or vr == "SQ" or tag & 0x10000:
            asking.append(tag)
        elif is_key(tag):
            reading.add(universal_key(tag, vr))
    # In the order of the data set, as private creators are looked up in it.
    kept = frozenset(asking)
    return reading, tuple(tag for tag in shape[0] if tag in kept)


def _rejected(tag: int, comment: str) -> IdentifierError:
    return IdentifierError(statuses.IDENTIFIER_DOES_NOT_MATCH, comment, (tag,))
