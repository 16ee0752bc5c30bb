"""The rows of instances that belong to no patient, and of their files (PS3.4 GG)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dicomquest.index.ingest.writes import insert
from dicomquest.index.tables.dialects import execute, rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from dicomquest.index.ingest.file_reader import FileState
    from dicomquest.index.ingest.instance import ReceivedObject
    from dicomquest.index.tables.dialects import Driven

_COLUMNS = ("id", "sop_class_uid", "sop_instance_uid", "attributes")
_UPDATE = "UPDATE non_patient_object SET sop_class_uid = ?, attributes = ? WHERE id = ?"
_UPSERT_FILE = """
    INSERT INTO object_file (path, size, modified_ns, object) VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE
    SET size = excluded.size, modified_ns = excluded.modified_ns, object = excluded.object
"""
_KNOWN = "SELECT sop_instance_uid, id FROM non_patient_object WHERE sop_instance_uid {in_values}"
_AT_ONCE = 500


def write_objects(
    connection: Driven, objects: Sequence[tuple[ReceivedObject, FileState | None]]
) -> int:
    """Write objects, of equal ones the last; return the number of new ones."""
    if not objects:
        return 0
    latest = {received.sop_uid: received for received, _ in objects}
    known: dict[str, int] = dict(rows(connection, _KNOWN, latest))
    changed = [
        (each.sop_class_uid, each.attributes, known[uid])
        for uid, each in latest.items()
        if uid in known
    ]
    new = [each for uid, each in latest.items() if uid not in known]
    first = execute(connection, "SELECT max(id) FROM non_patient_object").fetchone()[0] or 0
    known |= {each.sop_uid: number for number, each in enumerate(new, first + 1)}
    if changed:
        execute(connection, _UPDATE, changed)
    if new:
        made = [(known[each.sop_uid], each.sop_class_uid, *_stored(each)) for each in new]
        insert(connection, "non_patient_object", _COLUMNS, made)
    files = [(file, known[received.sop_uid]) for received, file in objects if file is not None]
    if files:
        before = _objects_of(connection, [os.fsencode(file.path) for file, _ in files])
        states = [(os.fsencode(file.path), *file[1:], owner) for file, owner in files]
        execute(connection, _UPSERT_FILE, states)
        remove_objects(connection, before)
    return len(new)


def _stored(received: ReceivedObject) -> tuple[str, str]:
    return received.sop_uid, received.attributes


def known_objects(connection: Driven, uids: Collection[str]) -> dict[str, list[str]]:
    """Return the paths of the objects that the index has; an object without a file has none."""
    statement = (
        "SELECT sop_instance_uid, object_file.path FROM non_patient_object LEFT JOIN object_file"
        " ON object_file.object = non_patient_object.id WHERE sop_instance_uid {in_values}"
    )
    known: dict[str, list[str]] = {}
    for uid, path in rows(connection, statement, uids):
        known.setdefault(uid, []).extend([] if path is None else [os.fsdecode(bytes(path))])
    return known


def known_states(connection: Driven, paths: Sequence[bytes]) -> Iterator[Any]:
    """Give path, size and time of the files at some paths, whatever instance they have."""
    marks = ", ".join("?" * len(paths))
    for table in ("file", "object_file"):
        statement = f"SELECT path, size, modified_ns FROM {table} WHERE path IN ({marks})"
        yield from execute(connection, statement, tuple(paths)).fetchall()


def displace(connection: Driven, files: Sequence[FileState]) -> set[int]:
    """Forget the files that are an object's now; return the instances that have no other file."""
    lost: set[int] = set()
    for paths in _parts([os.fsencode(file.path) for file in files]):
        marks = ", ".join("?" * len(paths))
        statement = f"DELETE FROM file WHERE path IN ({marks}) RETURNING instance"
        lost |= {found for (found,) in execute(connection, statement, paths).fetchall()}
    left = "SELECT instance FROM file WHERE instance {in_values}"
    return lost - {found for (found,) in rows(connection, left, lost)} if lost else lost


def forget_files(connection: Driven, paths: Sequence[str]) -> int:
    """Forget files that are no object's any more; return the number of objects without a file."""
    if not paths or execute(connection, "SELECT 1 FROM object_file LIMIT 1").fetchone() is None:
        return 0
    lost: set[int] = set()
    for part in _parts([os.fsencode(path) for path in paths]):
        marks = ", ".join("?" * len(part))
        statement = f"DELETE FROM object_file WHERE path IN ({marks}) RETURNING object"
        lost |= {found for (found,) in execute(connection, statement, part).fetchall()}
    return remove_objects(connection, lost)


def remove_objects(connection: Driven, ids: Collection[int], *, filed: bool = False) -> int:
    """Remove objects that have no file, or with ``filed`` all of them; return how many."""
    if not ids:
        return 0
    statement = "DELETE FROM non_patient_object WHERE id {in_values}"
    if not filed:
        statement += (
            " AND NOT EXISTS (SELECT 1 FROM object_file"
            " WHERE object_file.object = non_patient_object.id)"
        )
    return len(rows(connection, f"{statement} RETURNING id", ids))


def _objects_of(connection: Driven, paths: Sequence[bytes]) -> set[int]:
    found: set[int] = set()
    for part in _parts(paths):
        marks = ", ".join("?" * len(part))
        statement = f"SELECT object FROM object_file WHERE path IN ({marks})"
        found |= {each for (each,) in execute(connection, statement, part).fetchall()}
    return found


def _parts(paths: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield tuple(paths[start : start + _AT_ONCE])
