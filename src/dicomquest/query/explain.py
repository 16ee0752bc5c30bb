"""The keys of an identifier, explained for a model and level (PS3.4 C.2.2.1, C.4.1.2, C.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomquest.errors import IdentifierError
from dicomquest.query.criteria import TextByStoredVR
from dicomquest.query.identifier.identifier_keys import (
    KeyReader,
    described,
    is_key,
    private_creator,
)
from dicomquest.query.identifier.key_values import EMPTY_VALUE_KEY
from dicomquest.query.identifier.parse import read_level, read_model
from dicomquest.query.matching import BY_CRITERION
from dicomquest.query.patterns import has_wild_card
from dicomquest.standard.attributes import attribute_name, level_of
from dicomquest.standard.keys import KEYS_BY_TAG, UNIQUE_KEYS, KeyType, key_type
from dicomquest.standard.levels import Level
from dicomquest.standard.models import InformationModel
from dicomquest.standard.tags import INSTANCE_AVAILABILITY, creator_tag, without_block
from dicomquest.standard.vr import VR, Matching

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet, Element
    from dicomquest.query.options import QueryOptions

_MAY_LACK = "an SCP need not support it, and then leaves it out (C.2.2.1.3)"
OPTIONAL = f"optional: {_MAY_LACK}"
"""The remark on each optional key."""
_UNLISTED = f"optional, in no table of keys: {_MAY_LACK}"
_MISSING = "missing: the unique key of the query level must be there (C.4.1.2.1)"
_UPPER = "without relational queries each upper unique key needs one value (C.4.1.2.1)"
_MISSING_UPPER = f"missing: {_UPPER}"


@dataclass(frozen=True, slots=True)
class KeyExplanation:
    """One key: its type and level in the model, its kind of matching, and its faults."""

    tag: int
    name: str
    type: KeyType
    level: Level
    matching: str
    remarks: tuple[str, ...]


def explain_keys(
    data_set: DataSet, sop_class_uid: str, options: QueryOptions
) -> tuple[KeyExplanation, ...]:
    """Return a row a key, ascending by tag, and then rows for the missing unique keys.

    ``options`` are those that were negotiated. A remark names each fault for which an SCP would
    reject the identifier. IdentifierError tells of an unknown SOP class, or a level that its model
    does not have.
    """
    model = read_model(sop_class_uid)
    level = read_level(data_set, model, strict=False)
    rows = [
        _explain(tag, element, data_set, (model, level), options)
        for tag, element in sorted(data_set.items())
    ]
    found = [row for row in rows if row is not None]
    present = {row.tag for row in found}
    for missing in (UNIQUE_KEYS[each] for each in model.levels if each <= level):
        if missing.tag not in present and (missing.level is level or not options.relational):
            remark = _MISSING if missing.level is level else _MISSING_UPPER
            name = attribute_name(missing.tag)
            found.append(
                KeyExplanation(missing.tag, name, KeyType.UNIQUE, missing.level, "none", (remark,))
            )
    return tuple(found)


def _explain(
    tag: int,
    element: Element,
    data_set: DataSet,
    at: tuple[InformationModel, Level],
    options: QueryOptions,
) -> KeyExplanation | None:
    model, level = at
    if not is_key(tag):
        return _explain_control(tag, model, level)
    creator = private_creator(tag, data_set)
    name = attribute_name(tag if creator is None else without_block(tag), creator)
    vr, _ = described(tag, creator, element)
    kind = key_type(tag, model)
    entity = model.query_level(level_of(tag) if creator is None else Level.IMAGE)
    remarks = _level_remarks(kind, entity, level, options)
    remarks += _value_remarks(vr, element, options)
    if creator == "":
        remarks.append("a private attribute without its creator element (PS3.5 7.8.1)")
    elif kind is KeyType.OPTIONAL:
        remarks.append(OPTIONAL if tag in KEYS_BY_TAG else _UNLISTED)
    try:
        matching = _matching(tag, data_set, options)
    except IdentifierError as error:
        matching = "none"
        remarks.append(f"not valid: {error}")
    if (
        kind is KeyType.UNIQUE
        and entity < level
        and not options.relational
        and matching != "Single Value"
    ):
        remarks.append(_UPPER)
    return KeyExplanation(tag, name, kind, entity, matching, tuple(remarks))


def _explain_control(tag: int, model: InformationModel, level: Level) -> KeyExplanation | None:
    if tag != INSTANCE_AVAILABILITY:
        return None
    remark = "not allowed in a request (C.4.1.1.3.2): an SCP that knows it returns it unasked"
    name = attribute_name(tag)
    return KeyExplanation(tag, name, KeyType.OPTIONAL, model.query_level(level), "none", (remark,))


def _matching(tag: int, data_set: DataSet, options: QueryOptions) -> str:
    """Return the kind of matching of one key, read alone."""
    alone = {tag: data_set[tag]}
    if private_creator(tag, data_set):
        alone[creator_tag(tag)] = data_set[creator_tag(tag)]
    (key,) = (key for key in KeyReader(options, 0, adjusts=False).read(alone) if key.tag == tag)
    if key.trouble and not key.exists:
        return "none"
    if key.item_keys is not None:
        return "Sequence"
    criterion = (
        key.criterion.as_text if isinstance(key.criterion, TextByStoredVR) else key.criterion
    )
    return "Universal" if criterion is None else BY_CRITERION[type(criterion)].name


def _level_remarks(kind: KeyType, entity: Level, level: Level, options: QueryOptions) -> list[str]:
    place = f"of {entity.name} level in a {level.name} query"
    if entity > level:
        return [f"{place}: not allowed, an SCP may ignore it (C.4.1.2.1)"]
    if entity < level and kind is not KeyType.UNIQUE and not options.relational:
        return [f"{place}: needs relational queries (C.4.1.2.2)"]
    return []


def _value_remarks(vr: str, element: Element, options: QueryOptions) -> list[str]:
    remarks = []
    texts = [value for value in element.values if isinstance(value, str)]
    matching = VR[vr].matching if vr in VR else Matching.NONE
    if Matching.WILD_CARD not in matching and any(has_wild_card(text) for text in texts):
        remarks.append(f"no wild card matching for VR {vr} (C.2.2.2.4)")
    if EMPTY_VALUE_KEY in texts and not options.empty_value:
        remarks.append('"" is a literal: empty value matching was not negotiated (C.2.2.2.7)')
    if len(texts) > 1 and Matching.UID_LIST not in matching and not options.multiple_value:
        remarks.append(
            "several values: undefined, as multiple value matching was not negotiated (C.2.2.2.8)"
        )
    return remarks
