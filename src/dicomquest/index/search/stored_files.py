"""The files of instances, with the patient and study that they belong to (PS3.4 C.4.2)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.index.search.routing import routed
from dicomquest.index.tables.dialects import rows
from dicomquest.index.tables.partitioned import is_partitioned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_FILES = (
    "SELECT instance.sop_instance_uid, study.study_instance_uid, patient.patient_id, "
    "patient.patient_name, file.path FROM instance "
    "JOIN series ON series.id = instance.parent JOIN study ON study.id = series.parent "
    "JOIN patient ON patient.id = study.parent LEFT JOIN file ON file.instance = instance.id "
    "WHERE instance.sop_instance_uid {in_values} ORDER BY file.id"
)

_CLASSES = (
    "SELECT sop_class_uid, available_transfer_syntax_uid, count(*) FROM (SELECT sop_class_uid, "
    "available_transfer_syntax_uid FROM instance ORDER BY id DESC LIMIT {most}) AS latest "
    "GROUP BY sop_class_uid, available_transfer_syntax_uid"
)


class InstanceFiles(NamedTuple):
    """The study and the patient of an instance, and the paths of its files; most have one."""

    study_uid: str
    patient_id: str
    patient_name: str
    paths: tuple[str, ...]


def files_of(connection: Connection, uids: Sequence[str]) -> dict[str, InstanceFiles]:
    """Return the files of instances by SOP Instance UID; those that are gone are left out."""
    found: dict[str, InstanceFiles] = {}
    statement = routed(_FILES) if is_partitioned(connection) else _FILES
    for uid, study, patient_id, patient_name, path in rows(connection, statement, uids):
        before = found.get(uid)
        paths = () if before is None else before.paths
        if path is not None:
            paths = (*paths, os.fsdecode(bytes(path)))
        found[uid] = InstanceFiles(study or "", patient_id or "", patient_name or "", paths)
    return found


def stored_syntaxes(connection: Connection, most: int) -> dict[str, tuple[str, ...]]:
    """Return the transfer syntaxes of each SOP class by the latest instances, most frequent first.

    ``most`` instances are looked at: an index of a hundred million says the same as its latest.
    """
    counts: dict[str, dict[str, int]] = {}
    statement = _CLASSES.replace("{most}", str(most))
    for sop_class, syntaxes, count in connection.exec_driver_sql(statement):
        # An instance with several syntaxes is stored in the first.
        stored = (syntaxes or "").partition("\\")[0]
        of_class = counts.setdefault(sop_class or "", {})
        of_class[stored] = of_class.get(stored, 0) + count
    return {
        sop_class: tuple(sorted((each for each in found if each), key=lambda each: -found[each]))
        for sop_class, found in counts.items()
    }
