"""The selectivity of a key, which decides on the index that a query starts from.

The guess comes from the key alone: its kind (``matching_sql``), its attribute, and which index that
has. The database has no statistics, on purpose: a plan must not change under a running archive.
SQLite's planner takes an equality on an index for ten rows and knows nothing of value tables, so
``compile`` asks here which key shall lead.
"""

from __future__ import annotations

from collections.abc import Collection

from dicomquest.index.search.matching_sql import Selectivity, criterion_selectivity
from dicomquest.index.tables.promoted import searched_path
from dicomquest.index.tables.schema import INDEXED, TABLES, search_columns
from dicomquest.query.criteria import FuzzyName, KeyCriterion
from dicomquest.standard.keys import KEYS_BY_KEYWORD, KEYS_BY_TAG, Key, Storage

_IDENTIFYING = (
    "PatientID",
    "StudyInstanceUID",
    "AccessionNumber",
    "SeriesInstanceUID",
    "SOPInstanceUID",
)
_FEW = frozenset(KEYS_BY_KEYWORD[keyword].tag for keyword in _IDENTIFYING)

_OF_A_HANDFUL_OF_VALUES = (
    "Modality",
    "ModalitiesInStudy",
    "SOPClassesInStudy",
    "SOPClassUID",
    "BodyPartExamined",
)
_MANY = frozenset(KEYS_BY_KEYWORD[keyword].tag for keyword in _OF_A_HANDFUL_OF_VALUES)

_INDEXED = frozenset((indexed.table, indexed.columns[0]) for indexed in INDEXED)


def selectivity(key: KeyCriterion, occurrences: Collection[tuple[str, int]] = ()) -> Selectivity:
    """Return the guess for one key, in an index that has these ``occurrences`` (``plan.Facts``)."""
    if key.or_unknown:
        return Selectivity.SCAN
    found = criterion_selectivity(key.criterion)
    stored = _stored(key)
    if stored is None or stored.storage is Storage.JSON:
        return Selectivity.SCAN if searched_path(key, occurrences) is None else found
    if (
        stored.storage is Storage.COLUMN
        and (TABLES[stored.level], search_columns(stored)[0]) not in _INDEXED
    ):
        return Selectivity.SCAN
    if stored.tag in _MANY:
        return min(found, Selectivity.MANY)
    return Selectivity.FEW if stored.tag in _FEW and found is Selectivity.SOME else found


def _stored(key: KeyCriterion) -> Key | None:
    """Return the row of the key's attribute in the table of keys, None for one that has no row."""
    step = key.path[0]
    return KEYS_BY_TAG.get(step.tag) if step.creator is None else None


def is_led_by_rows(key: KeyCriterion) -> bool:
    """Tell whether value rows find the entities of a key, not the B-tree of a column."""
    stored = _stored(key)
    return (
        stored is None
        or stored.storage is not Storage.COLUMN
        or isinstance(key.criterion, FuzzyName)
    )
