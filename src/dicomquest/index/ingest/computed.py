"""The attributes that an entity has from those below it (PS3.4 C.3.4, Table C.3-1).

Results have column names. Ingest writes them in the transaction that changes them; ``check``
computes them again and compares.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dicomquest.index.tables.computed_texts import distinct_text, regions_text
from dicomquest.index.tables.dialects import rows, words_of
from dicomquest.index.tables.rows import ANATOMIC_REGION_PATH, ValueRow
from dicomquest.standard.keys import KEYS_BY_KEYWORD
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dicomquest.index.ingest.instance import Received
    from dicomquest.index.tables.dialects import Driven

Columns = dict[str, Any]
"""Values by column."""

SERIES_COUNT = "number_of_series_related_instances"
STUDY_COUNT = "number_of_patient_related_studies"
STUDY_INSTANCES = "number_of_study_related_instances"
PATIENT_INSTANCES = "number_of_patient_related_instances"
OF_ALL_INSTANCES = ("sop_classes_in_study", "anatomic_regions_in_study_code_sequence")
"""The columns of a study that depend on each of its instances."""

_PATIENT_COUNTS = (
    STUDY_COUNT,
    "number_of_patient_related_series",
    PATIENT_INSTANCES,
)
_STUDIES = f"count(*), sum(number_of_study_related_series), sum({STUDY_INSTANCES})"

MODALITIES_PATH = f"{KEYS_BY_KEYWORD['ModalitiesInStudy'].tag:08X}"
SOP_CLASSES_PATH = f"{KEYS_BY_KEYWORD['SOPClassesInStudy'].tag:08X}"


def _distinct_list(connection: Driven, column: str) -> str:
    return words_of(connection).distinct_list.format(column=column)


def _series(
    connection: Driven, ids: set[int], settled: Mapping[int, Columns]
) -> dict[int, Columns]:
    found = dict(settled)
    if ids := ids - found.keys():
        statement = "SELECT parent, count(*) FROM instance WHERE parent {in_values} GROUP BY parent"
        found |= {
            parent: {SERIES_COUNT: count} for parent, count in rows(connection, statement, ids)
        }
    return found


def _studies(
    connection: Driven, ids: set[int], settled: Mapping[int, Columns]
) -> dict[int, Columns]:
    statement = f"""
        SELECT parent, count(*), sum({SERIES_COUNT}), {_distinct_list(connection, "modality")}
        FROM series WHERE parent {{in_values}} GROUP BY parent"""
    found: dict[int, Columns] = {
        parent: {
            "number_of_study_related_series": series,
            STUDY_INSTANCES: instances,
            "modalities_in_study": distinct_text(json.loads(modalities)),
            **{
                column: settled[parent][column] if parent in settled else None
                for column in OF_ALL_INSTANCES
            },
        }
        for parent, series, instances, modalities in rows(connection, statement, ids)
    }
    ids = found.keys() - settled.keys()
    if not ids:
        return found
    statement = f"""
        SELECT series.parent, {_distinct_list(connection, "instance.sop_class_uid")}
        FROM series JOIN instance ON instance.parent = series.id
        WHERE series.parent {{in_values}} GROUP BY series.parent"""
    for parent, uids in rows(connection, statement, ids):
        found[parent]["sop_classes_in_study"] = distinct_text(json.loads(uids))
    statement = f"""
        SELECT series.parent, {_distinct_list(connection, "search")}
        FROM series JOIN instance ON instance.parent = series.id
            JOIN instance_value ON instance_value.owner = instance.id
        WHERE series.parent {{in_values}} AND instance_value.path = '{ANATOMIC_REGION_PATH}'
        GROUP BY series.parent"""
    for parent, regions in rows(connection, statement, ids):
        text = regions_text(json.loads(regions))
        if text is not None:
            found[parent]["anatomic_regions_in_study_code_sequence"] = text
    return found


def of_new_study(
    instances: Mapping[int, Sequence[Received]], modalities: Mapping[int, str | None]
) -> Columns:
    """Return the columns of a study of which all instances are given, by their series.

    ``modalities`` are the texts of the series, by id.
    """
    received = [each for series in instances.values() for each in series]
    regions = [
        row.search
        for each in received
        if ANATOMIC_REGION_PATH in each.records[Level.IMAGE].elements
        for row in each.forms.values
        if row.path == ANATOMIC_REGION_PATH
    ]
    return {
        "number_of_study_related_series": len(instances),
        STUDY_INSTANCES: len(received),
        "modalities_in_study": distinct_text(modalities[each] for each in instances),
        "sop_classes_in_study": distinct_text(
            {each.records[Level.IMAGE].texts.get("sop_class_uid") for each in received}
        ),
        "anatomic_regions_in_study_code_sequence": regions_text(regions) if regions else None,
    }


def of_new_patient(studies: Sequence[Columns]) -> Columns:
    """Return the columns of a patient of whom these are all studies."""
    names = ("number_of_study_related_series", STUDY_INSTANCES)
    sums = [sum(study[name] for study in studies) for name in names]
    return dict(zip(_PATIENT_COUNTS, (len(studies), *sums), strict=True))


def _patients(
    connection: Driven, ids: set[int], _settled: Mapping[int, Columns]
) -> dict[int, Columns]:
    statement = f"SELECT parent, {_STUDIES} FROM study WHERE parent {{in_values}} GROUP BY parent"
    return {
        parent: dict(zip(_PATIENT_COUNTS, counts, strict=True))
        for parent, *counts in rows(connection, statement, ids)
    }


def add_variants(connection: Driven, computed: dict[int, Columns], mains: set[int]) -> None:
    """Add to the counts of main rows those of their variants: studies show one or the other."""
    statement = f"""
        SELECT patient.variant_of, {_STUDIES}
        FROM patient JOIN study ON study.parent = patient.id
        WHERE patient.variant_of {{in_values}} GROUP BY patient.variant_of"""
    for main, *counts in rows(connection, statement, mains):
        own = computed.get(main, dict.fromkeys(_PATIENT_COUNTS, 0))
        computed[main] = {
            column: own[column] + count
            for column, count in zip(_PATIENT_COUNTS, counts, strict=True)
        }


COMPUTE: dict[Level, Callable[[Driven, set[int], Mapping[int, Columns]], dict[int, Columns]]] = {
    Level.SERIES: _series,
    Level.STUDY: _studies,
    Level.PATIENT: _patients,
}
"""Functions that compute the columns of entities by id, the lowest level first.

An entity without children is missing in the result. For a ``settled`` series or study, the columns
that depend on all its instances are known already, and are not computed.
"""


def value_rows(level: Level, columns: Columns) -> frozenset[ValueRow]:
    """Return the value rows by which ModalitiesInStudy and SOPClassesInStudy are matched."""
    if level is not Level.STUDY:
        return frozenset()
    paths = ((MODALITIES_PATH, "modalities_in_study"), (SOP_CLASSES_PATH, "sop_classes_in_study"))
    return frozenset(
        ValueRow(path, 0, value)
        for path, column in paths
        for value in (columns[column] or "").split("\\")
        if value
    )
