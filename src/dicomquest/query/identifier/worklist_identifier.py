"""An identifier of a model without levels as a query (PS3.4 K.4.1.1.3, CC, U, X, BB, HH, II).

An empty stored value matches no key that has a value (K.2.2.1.1.1): unlike a Q/R key, none is read
with ``or_unknown``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.dataset.dates import parse_offset
from dicomquest.dataset.elements import Element
from dicomquest.errors import IdentifierError, ValueFormatError
from dicomquest.query.criteria import (
    DateTimePairMatch,
    HasValue,
    KeyCriterion,
    SequenceMatch,
    Step,
)
from dicomquest.query.identifier.entry_models import ENTRY, ENTRY_MODELS_BY_UID
from dicomquest.query.identifier.identifier_keys import RETRIEVAL, KeyReader, ReadKey
from dicomquest.query.identifier.parse import check_number_of_values
from dicomquest.query.model import IgnoredKey, Query, ReturnKey
from dicomquest.standard import statuses
from dicomquest.standard.models import MODALITY_WORKLIST, UPS_MODELS
from dicomquest.standard.tags import (
    INSTANCE_AVAILABILITY,
    QUERY_RETRIEVE_LEVEL,
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    SPECIFIC_CHARACTER_SET,
    TIMEZONE_OFFSET_FROM_UTC,
    creator_tag,
)
from dicomquest.standard.workitem_keys import TRANSACTION_UID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.options import QueryOptions
    from dicomquest.standard.models import InformationModel

_OF_THE_ARCHIVE = RETRIEVAL | {INSTANCE_AVAILABILITY, QUERY_RETRIEVE_LEVEL}


def parse_worklist(data_set: DataSet, options: QueryOptions) -> Query:
    """Return the query of a worklist identifier; IdentifierError (A900) for a bad one."""
    return parse_entry_query(data_set, options, MODALITY_WORKLIST)


def parse_entry_query(data_set: DataSet, options: QueryOptions, model: InformationModel) -> Query:
    """Return the query of an identifier of any such model; IdentifierError (A900) for a bad one."""
    notes: list[str] = []
    zone = _zone(data_set, options, notes)
    ignored = [
        IgnoredKey((tag,), "belongs to Query/Retrieve: neither matched nor returned")
        for tag in sorted(_OF_THE_ARCHIVE & data_set.keys())
    ]
    if model in UPS_MODELS and TRANSACTION_UID in data_set:
        ignored.append(IgnoredKey((TRANSACTION_UID,), "is a lock: neither matched nor returned"))
    if ignored and options.strict:
        raise IdentifierError(
            statuses.IDENTIFIER_DOES_NOT_MATCH, ignored[0].reason, ignored[0].path
        )
    is_unsupported = any(each.path != (QUERY_RETRIEVE_LEVEL,) for each in ignored)
    data_set = {tag: element for tag, element in data_set.items() if (tag,) not in _paths(ignored)}
    check_number_of_values(data_set, options.most_values)
    own = options.timezone_offset_minutes
    adjusts = options.timezone_adjustment and zone is not None
    reader = KeyReader(options, own if zone is None else zone, adjusts)
    criteria: list[KeyCriterion] = []
    return_keys: list[ReturnKey] = []
    creators: dict[int, str] = {}
    for key in reader.read(_without_unmatched(data_set, never_matched(model))):
        ignored += key.troubles()
        is_unsupported = is_unsupported or _lacks(key)
        if not key.exists:
            continue
        criteria += _with_times(key.key_criteria((), ENTRY, or_unknown=False))
        return_keys.append(_return_key(key))
        if key.step.creator is not None:
            creators[creator_tag(key.tag)] = key.step.creator
    charset = data_set.get(SPECIFIC_CHARACTER_SET)
    return Query(
        model=model,
        level=ENTRY,
        criteria=tuple(criteria),
        return_keys=tuple(sorted(return_keys, key=lambda key: key.tag)),
        options=options,
        # FF01 is for existence alone here (Table K.4-1).
        pending_status=statuses.PENDING_WITH_UNSUPPORTED_KEYS
        if is_unsupported
        else statuses.PENDING,
        ignored=tuple(ignored),
        notes=tuple(notes),
        private_creators=tuple(sorted(creators.items())),
        charset_terms=tuple(str(value) for value in charset.values) if charset is not None else (),
        timezone_offset_minutes=zone,
    )


def _paths(ignored: Iterable[IgnoredKey]) -> set[tuple[int, ...]]:
    return {each.path for each in ignored}


def _zone(data_set: DataSet, options: QueryOptions, notes: list[str]) -> int | None:
    element = data_set.get(TIMEZONE_OFFSET_FROM_UTC)
    if element is None:
        return None
    text = str(element.values[0]).strip() if element.values else ""
    try:
        return parse_offset(text)
    except ValueFormatError as error:
        if options.strict or (text and options.timezone_adjustment):
            # Lenience would match other times than the SCU means.
            raise IdentifierError(
                statuses.IDENTIFIER_DOES_NOT_MATCH,
                f"TimezoneOffsetFromUTC: {error}",
                (TIMEZONE_OFFSET_FROM_UTC,),
            ) from error
        notes.append(f"TimezoneOffsetFromUTC {text!r} is no offset: ignored")
        return None


def never_matched(model: InformationModel) -> frozenset[int]:
    """Return the attributes that are returned only, at the root and in items."""
    return ENTRY_MODELS_BY_UID[model.uid].never_matched


def _without_unmatched(data_set: DataSet, unmatched: frozenset[int]) -> DataSet:
    """Return the keys, without the values of those that are never used for matching."""
    return {tag: _asking(tag, element, unmatched) for tag, element in data_set.items()}


def _asking(tag: int, element: Element, unmatched: frozenset[int]) -> Element:
    if tag in unmatched:
        return _emptied(element)
    if element.vr != "SQ":
        return element
    return Element("SQ", tuple(_without_unmatched(item, unmatched) for item in element.values))


def _emptied(element: Element) -> Element:
    if element.vr != "SQ":
        return Element(element.vr, ())
    items = ({tag: _emptied(each) for tag, each in item.items()} for item in element.values)
    return Element("SQ", tuple(items))


def _lacks(key: ReadKey) -> bool:
    """Tell whether a key, or one in its item, names an attribute that no response can have."""
    return not key.exists or any(map(_lacks, key.item_keys or ()))


def _with_times(keys: Iterable[KeyCriterion]) -> tuple[KeyCriterion, ...]:
    """Return the criteria with one more for each combined range: the time is there.

    The range itself finds a date without a time, which Q/R needs and a worklist must not.
    """
    found: list[KeyCriterion] = []
    for key in keys:
        match key.criterion:
            case SequenceMatch(inner):
                found.append(key._replace(criterion=SequenceMatch(_with_times(inner))))
            case DateTimePairMatch(time=time, combined=combined) if combined is not None:
                path = (*key.path[:-1], Step(time))
                found += [key, KeyCriterion(path, key.level, "TM", HasValue())]
            case _:
                found.append(key)
    return tuple(found)


def _return_key(key: ReadKey) -> ReturnKey:
    made = key.return_key((), ENTRY, or_unknown=False)
    if made.tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE:
        # The one item of an entry that matches meets its keys: responses of one shape share an
        # encoder, whatever values the keys have.
        return made._replace(item_criteria=())
    return made
