"""The compiler of a query for objects without a patient to one statement (PS3.4 U, X, BB, HH, II).

A site has some hundreds of them: the SOP class and the instance have columns, Python matches the
other keys on the JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.index.search.entry_sql import EntryPlan, ObjectResidual, Said, entry_plan
from dicomquest.index.search.matching_sql import criterion_sql
from dicomquest.index.search.pattern_sql import are_taken
from dicomquest.index.tables.schema import NON_PATIENT_OBJECT
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.object_keys import OBJECT_MODELS_BY_UID

if TYPE_CHECKING:
    from dicomquest.index.search.plan import Columns, Facts
    from dicomquest.index.tables.dialects import Dialect
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query

_TABLE = NON_PATIENT_OBJECT.name
_COLUMNS = {
    KEYS_BY_KEYWORD[keyword].tag: f"{_TABLE}.{KEYS_BY_KEYWORD[keyword].column}"
    for keyword in ("SOPClassUID", "SOPInstanceUID")
}


def compile_objects(query: Query, facts: Facts, columns: Columns = ()) -> EntryPlan:
    """Return the plan of a query; rows have the values of ``columns`` behind the JSON."""
    classes = OBJECT_MODELS_BY_UID[query.model.uid].sop_classes
    of_model = (f"{_TABLE}.sop_class_uid IN ({', '.join('?' * len(classes))})", classes)
    keys = (*query.criteria, *query.visible)
    said = [(key, _said_of(key, facts.dialect)) for key in keys]
    model = (None, Said([of_model], suffice=True))
    return entry_plan(query, facts, columns, ObjectResidual, [model, *said])


def _said_of(key: KeyCriterion, dialect: Dialect) -> Said:
    column = _COLUMNS.get(key.path[0].tag)
    has_column = column is not None and len(key.path) == 1 and key.path[0].creator is None
    if not has_column or not are_taken(key.criterion):
        return Said([], suffice=False)
    found = criterion_sql(key.criterion, (str(column),), dialect)
    return Said([], suffice=False) if found is None else Said([found], suffice=True)
