"""A C-GET or C-MOVE identifier as a query for instances (PS3.4 C.4.2.1.4.1, C.4.3.1.3.1, Y.4).

A retrieve has unique keys only. Lenient reading (the default) takes a key of an upper level as a
restriction wherever it stands, and goes without one that is missing, because UIDs are unique. It
refuses whatever it would have to ignore: that would send more than was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicomquest.errors import IdentifierError, ValueFormatError
from dicomquest.query.criteria import AnyOf, KeyCriterion, SingleValue, Step, UIDList
from dicomquest.query.identifier.identifier_keys import RETRIEVAL
from dicomquest.query.identifier.key_values import read_key
from dicomquest.query.identifier.parse import read_level
from dicomquest.query.model import Query, ReturnKey
from dicomquest.query.options import QueryOptions
from dicomquest.standard import statuses
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS, Key
from dicomquest.standard.levels import Level
from dicomquest.standard.models import (
    COMPOSITE_INSTANCE_ROOT,
    RETRIEVE_MODELS_BY_UID,
    InformationModel,
)
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    QUERY_RETRIEVE_VIEW,
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    is_private_creator,
)

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element

FRAME: Final = "FRAME"
"""The level of Composite Instance Root whose retrieves make new instances (PS3.4 Y.4.1)."""

ISSUER = KEYS_BY_KEYWORD["IssuerOfPatientID"]

_READING = QueryOptions()

# LengthToEnd of ACR-NEMA says as little about instances as the others do.
OF_NO_INSTANCE = frozenset({0x00080001, SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL})
"""Elements of an identifier that are no keys."""

# Responses to C-FIND have them, and SCUs send back what they got.
_OF_THE_SERVICE = RETRIEVAL | {INSTANCE_AVAILABILITY, TIMEZONE_OFFSET_FROM_UTC}
# Orthanc repeats the UID of the instance in Media Storage SOP Instance UID.
_FILE_META_GROUP = 0x0002

_RETURNED = tuple(
    ReturnKey(key.tag, key.vr, key.level)
    for key in sorted(
        (
            KEYS_BY_KEYWORD["SOPClassUID"],
            UNIQUE_KEYS[Level.IMAGE],
            KEYS_BY_KEYWORD["AvailableTransferSyntaxUID"],
            UNIQUE_KEYS[Level.STUDY],
        )
    )
)
"""The columns of the rows, ascending by tag: class, instance, transfer syntax, study."""


@dataclass(frozen=True, slots=True)
class RetrieveIdentifier:
    """A read identifier; ``level`` is that of the request, ``query`` finds the instances.

    The rows of the query have SOP class, SOP instance, transfer syntax and study.
    """

    level: Level
    query: Query

    @property
    def model(self) -> InformationModel:
        """The information model of the request."""
        return self.query.model


def parse_retrieve(
    data_set: DataSet, sop_class_uid: str, options: QueryOptions
) -> RetrieveIdentifier:
    """Return the query of a retrieve; IdentifierError (A900, AA01, 0122) has element and comment.

    ``options`` count as far as they say ``strict`` or ``relational``.
    """
    model = RETRIEVE_MODELS_BY_UID.get(sop_class_uid)
    if model is None:
        raise IdentifierError(
            statuses.SOP_CLASS_NOT_SUPPORTED, f"unsupported SOP class {sop_class_uid}"
        )
    _refuse_frames(data_set, model)
    level = read_level(data_set, model, strict=options.strict)
    reading = _Reading(model, level, options)
    reading.refuse_other_keys(data_set)
    criteria = reading.criteria(data_set)
    return RetrieveIdentifier(
        level,
        Query(
            model=model,
            level=Level.IMAGE,
            criteria=criteria,
            return_keys=_RETURNED,
            options=options,
            notes=tuple(reading.notes),
            in_order=True,
        ),
    )


def _refuse_frames(data_set: DataSet, model: InformationModel) -> None:
    element = data_set.get(QUERY_RETRIEVE_LEVEL)
    if model is COMPOSITE_INSTANCE_ROOT and element is not None:
        asked = [str(value).strip(" \0").upper() for value in element.values]
        if asked == [FRAME]:
            raise IdentifierError(
                statuses.OBJECT_NOT_CREATABLE, "frames are not extracted: ask at IMAGE level"
            )


class _Reading:
    """The reading of one identifier, which notes its deviations."""

    def __init__(self, model: InformationModel, level: Level, options: QueryOptions) -> None:
        self._model = model
        self._level = level
        self._options = options
        self.notes: list[str] = []

    def refuse_other_keys(self, data_set: DataSet) -> None:
        """Refuse keys that are no unique key of the level or above."""
        allowed = {UNIQUE_KEYS[level].tag for level in Level if level <= self._level}
        if Level.PATIENT in self._model.levels or not self._options.strict:
            allowed.add(ISSUER.tag)
        for tag, element in sorted(data_set.items()):
            if tag in allowed or tag in OF_NO_INSTANCE or tag & 0xFFFF == 0:
                continue
            has_value = any(value not in {"", b""} for value in element.values)
            name = attribute_name(tag)
            selects = tag not in _OF_THE_SERVICE and tag >> 16 != _FILE_META_GROUP
            if has_value and selects and not is_private_creator(tag):
                raise _rejected(tag, f"{name}: {self._why_not(tag)}")
            self._deviates(tag, f"{name}: no key of a retrieve")

    def _why_not(self, tag: int) -> str:
        if tag == QUERY_RETRIEVE_VIEW:
            return "views are not supported"
        lower = {UNIQUE_KEYS[level].tag for level in Level if level > self._level}
        if tag in lower:
            return f"below the {self._level.name} level of this retrieve"
        return "no unique key, which alone select what to retrieve"

    def criteria(self, data_set: DataSet) -> tuple[KeyCriterion, ...]:
        """Return what the unique keys ask for."""
        found = []
        for level in Level:
            if level > self._level:
                break
            key = UNIQUE_KEYS[level]
            values = key_values(data_set.get(key.tag))
            if level is self._level:
                found.append(self._own_key(key, values))
            elif not values:
                self._go_without(key)
            else:
                found.append(self._upper_key(key, values))
        if issuer := key_values(data_set.get(ISSUER.tag)):
            found.append(unique_criterion(ISSUER, issuer[:1]))
        return tuple(found)

    def _own_key(self, key: Key, values: tuple[str, ...]) -> KeyCriterion:
        name = key.keyword
        if not values:
            raise _rejected(key.tag, f"{name}, the key of the {self._level.name} level: no value")
        if self._level is Level.PATIENT and len(values) > 1:
            raise _rejected(key.tag, f"{name}: {len(values)} values, expected one")
        return unique_criterion(key, values)

    def _upper_key(self, key: Key, values: tuple[str, ...]) -> KeyCriterion:
        if key.level not in self._model.levels:
            self._deviates(key.tag, f"{key.keyword} is no key of {self._model.words}")
        if len(values) > 1:
            what = f"{key.keyword}: {len(values)} values above the level of the retrieve"
            self._deviates(key.tag, what)
        return unique_criterion(key, values)

    def _go_without(self, key: Key) -> None:
        if key.level in self._model.levels and not self._options.relational:
            self._deviates(key.tag, f"{key.keyword} missing or empty without relational retrieval")

    def _deviates(self, tag: int, what: str) -> None:
        if self._options.strict:
            raise _rejected(tag, what)
        self.notes.append(what)


def key_values(element: Element | None) -> tuple[str, ...]:
    """Return the values of a key, each once; a key without any has no value."""
    if element is None:
        return ()
    texts = (str(value).strip(" \0") for value in element.values)
    return tuple(dict.fromkeys(text for text in texts if text))


def unique_criterion(key: Key, values: tuple[str, ...]) -> KeyCriterion:
    """Return what a unique key asks for; IdentifierError (A900) for a value that is none."""
    for value in values:
        if "*" in value or "?" in value:
            raise _rejected(key.tag, f"{key.keyword}: a wild card; a retrieve has none")
    try:
        criterion = read_key(key.vr, values, key.vm, _READING, 0)
    except ValueFormatError as error:
        raise _rejected(key.tag, f"{key.keyword}: {error}") from error
    if not isinstance(criterion, SingleValue | UIDList | AnyOf):
        raise _rejected(key.tag, f"{key.keyword}: expected a value")
    return KeyCriterion((Step(key.tag),), key.level, key.vr, criterion)


def _rejected(tag: int, comment: str) -> IdentifierError:
    return IdentifierError(statuses.IDENTIFIER_DOES_NOT_MATCH, comment, (tag,))
