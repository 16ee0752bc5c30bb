"""The compiler of a query for Unified Procedure Steps to one statement (PS3.4 CC.2.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.index.search.entry_sql import EntryPlan, Said, WorkitemResidual, entry_plan
from dicomquest.index.search.matching_sql import criterion_sql
from dicomquest.index.search.pattern_sql import are_taken
from dicomquest.index.tables.step_tables import WORKITEM, WORKITEM_COLUMNS
from dicomquest.query.worklist_entry import filter_of_workitem
from dicomquest.standard.workitem_keys import WORKITEM_KEYS

if TYPE_CHECKING:
    from dicomquest.index.search.plan import Columns, Facts
    from dicomquest.query.criteria import KeyCriterion
    from dicomquest.query.model import Query

_COLUMNS = {
    key.tag: tuple(f"{WORKITEM.name}.{column}" for column in columns)
    for key in WORKITEM_KEYS
    if not key.above
    and (columns := {"SOPInstanceUID": ("sop_instance_uid",), **WORKITEM_COLUMNS}.get(key.keyword))
}


def compile_workitems(query: Query, facts: Facts, columns: Columns = ()) -> EntryPlan:
    """Return the plan of a query; rows have the values of ``columns`` behind the JSON."""
    keys = (*query.criteria, *map(filter_of_workitem, query.visible))
    said = [(key, _said_of(key, query, facts)) for key in keys]
    return entry_plan(query, facts, columns, WorkitemResidual, said)


def _said_of(key: KeyCriterion, query: Query, facts: Facts) -> Said:
    columns = _COLUMNS.get(key.path[0].tag)
    is_of_column = columns is not None and len(key.path) == 1 and key.path[0].creator is None
    # The column has date-times without an offset in the zone of the index.
    is_of_zone = key.vr != "DT" or facts.zone_minutes == query.options.timezone_offset_minutes
    if columns is None or not is_of_column or not is_of_zone or not are_taken(key.criterion):
        return Said([], suffice=False)
    found = criterion_sql(key.criterion, columns, facts.dialect)
    return Said([], suffice=False) if found is None else Said([found], suffice=True)
