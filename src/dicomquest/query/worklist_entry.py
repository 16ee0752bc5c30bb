"""The plain meaning of a worklist query on one entry: does it match, what is returned (PS3.4 K.4).

An entry is a data set with exactly one Scheduled Procedure Step, and all that stands around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.dataset.elements import Element
from dicomquest.query.criteria import KeyCriterion, SequenceMatch, Step
from dicomquest.query.evaluate import matches_data_set, reduced_item
from dicomquest.query.search_forms import is_empty, own_zone
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.models import UPS_MODELS
from dicomquest.standard.tags import SCHEDULED_PROCEDURE_STEP_SEQUENCE
from dicomquest.standard.workitem_keys import OF_REQUEST, REFERENCED_REQUESTS
from dicomquest.standard.worklist_keys import STEP_TAGS

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.model import Query

_PERTINENT_DOCUMENTS = 0x00380100
_STRUCTURED_DOCUMENTS = 0x0040A390

# Attributes of a series that an entry has under another name, in the item of its step.
_OF_A_STEP = {
    KEYS_BY_KEYWORD["ModalitiesInStudy"].tag: KEYS_BY_KEYWORD["Modality"].tag,
    KEYS_BY_KEYWORD["StationName"].tag: 0x00400010,
    KEYS_BY_KEYWORD["PerformingPhysicianName"].tag: 0x00400006,
}


def filter_of_entry(key: KeyCriterion) -> KeyCriterion:
    """Return a key of a visibility filter for instances as one for entries (``query.visibility``).

    What an instance has of its series, an entry has of its step. An entry that lacks the attribute
    stays hidden.
    """
    step = key.path[0]
    tag = _OF_A_STEP.get(step.tag, step.tag)
    if step.creator is not None or tag not in STEP_TAGS:
        return key
    sequence = Step(SCHEDULED_PROCEDURE_STEP_SEQUENCE)
    inner = key._replace(path=(sequence, Step(tag), *key.path[1:]))
    return KeyCriterion((sequence,), key.level, "SQ", SequenceMatch((inner,)))


def filter_of_workitem(key: KeyCriterion) -> KeyCriterion:
    """Return a key of a visibility filter as one for Unified Procedure Steps (PS3.4 CC.2.5).

    The numbers of an order stand in the items of its requests. A step that lacks the attribute
    stays hidden.
    """
    step = key.path[0]
    if step.creator is not None or step.tag not in OF_REQUEST:
        return key
    sequence = Step(REFERENCED_REQUESTS)
    inner = key._replace(path=(sequence, *key.path))
    return KeyCriterion((sequence,), key.level, "SQ", SequenceMatch((inner,)))


def matches_entry(entry: DataSet, query: Query) -> bool:
    """Tell whether an entry meets all keys of a query, and the filter of the one who asks."""
    to_entry = filter_of_workitem if query.model in UPS_MODELS else filter_of_entry
    keys = (*query.criteria, *map(to_entry, query.visible))
    return matches_data_set(entry, keys, query.options.timezone_offset_minutes)


def entry_response(entry: DataSet, query: Query) -> DataSet:
    """Return the response identifier of an entry: what was asked for, and nothing else (K.4.1.1.3).

    Only the references to HL7 documents come unasked, with the documents that they belong to.
    """
    zone = own_zone(entry, query.options.timezone_offset_minutes)
    response = reduced_item(entry, query.return_keys, zone)
    documents = response.get(_PERTINENT_DOCUMENTS)
    structured = entry.get(_STRUCTURED_DOCUMENTS)
    if structured is not None and not is_empty(structured) and not is_empty(documents):
        response[_STRUCTURED_DOCUMENTS] = Element("SQ", structured.values)
        return dict(sorted(response.items()))
    return response
