"""A C-GET or C-MOVE identifier for objects without a patient (PS3.4 U.4, X.4, BB.4, HH.4, II.4).

It has no level: SOP Instance UID, one or a list, is its only key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.errors import IdentifierError
from dicomquest.query.identifier.entry_models import ENTRY
from dicomquest.query.identifier.retrieve_identifier import (
    OF_NO_INSTANCE,
    RetrieveIdentifier,
    key_values,
    unique_criterion,
)
from dicomquest.query.model import Query
from dicomquest.standard import statuses
from dicomquest.standard.attributes import attribute_name
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.models import OBJECT_RETRIEVE_MODELS
from dicomquest.standard.object_keys import OBJECT_MODELS_BY_UID
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL, SOP_CLASS_UID

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.query.options import QueryOptions

_UNIQUE = UNIQUE_KEYS[ENTRY]


def parse_object_retrieve(
    data_set: DataSet, sop_class_uid: str, options: QueryOptions
) -> RetrieveIdentifier:
    """Return the query of a retrieve; IdentifierError (A900) has element and comment."""
    model = OBJECT_RETRIEVE_MODELS[sop_class_uid]
    classes = OBJECT_MODELS_BY_UID[model.uid].sop_classes
    notes: list[str] = []
    for tag, element in sorted(data_set.items()):
        if tag == _UNIQUE.tag or tag in OF_NO_INSTANCE - {QUERY_RETRIEVE_LEVEL} or not tag & 0xFFFF:
            continue
        # SCUs send back what they got of a C-FIND.
        says_nothing = not key_values(element) or (
            tag == SOP_CLASS_UID and set(key_values(element)) <= set(classes)
        )
        what = f"{attribute_name(tag)}: no key of this retrieve"
        if options.strict or not (says_nothing or tag == QUERY_RETRIEVE_LEVEL):
            raise _rejected(tag, what)
        notes.append(what)
    values = key_values(data_set.get(_UNIQUE.tag))
    if not values:
        raise _rejected(_UNIQUE.tag, f"{_UNIQUE.keyword}, the only key: no value")
    criterion = unique_criterion(_UNIQUE, values)
    query = Query(model, ENTRY, (criterion,), (), options, notes=tuple(notes))
    return RetrieveIdentifier(ENTRY, query)


def _rejected(tag: int, comment: str) -> IdentifierError:
    return IdentifierError(statuses.IDENTIFIER_DOES_NOT_MATCH, comment, (tag,))
