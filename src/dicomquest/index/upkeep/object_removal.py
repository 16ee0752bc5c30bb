"""Removal of objects that belong to no patient, by SOP Instance UID (PS3.4 GG)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dicomquest.index.database.owned_database import OwnedDatabase
from dicomquest.index.ingest.file_reader import FileState
from dicomquest.index.ingest.objects import known_objects, remove_objects
from dicomquest.index.tables.dialects import rows
from dicomquest.index.upkeep.removal import Removed, delete_files, is_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_FILES = "SELECT object, path, size, modified_ns FROM object_file WHERE object {in_values}"
_IDS = "SELECT id FROM non_patient_object WHERE sop_instance_uid {in_values} ORDER BY id"


class ObjectRemoval(OwnedDatabase):
    """The objects of an index, to be removed; it is closed as a ``with`` statement does."""

    def __init__(self, location: str | os.PathLike[str]) -> None:
        """Open an index; MissingIndexError if there is none."""
        super().__init__(location, create=False)

    def count(self, uids: Sequence[str]) -> int:
        """Return how many of the instances the index has."""
        with self._database.connect() as connection:
            return len(known_objects(connection, uids))

    def run(self, uids: Sequence[str], *, delete_below: str | None = None) -> tuple[int, Removed]:
        """Remove the objects; return how many, and what became of their files.

        With ``delete_below``, delete their files at or below that folder first. A file that has
        changed since it was indexed, or that cannot be deleted, stays, and so does its object.
        """
        removed = Removed()
        with self._database.begin() as connection:
            gone = [identifier for (identifier,) in rows(connection, _IDS, uids)]
            if delete_below is not None:
                # Within the transaction: so nobody stores a newer version, whose file would be
                # deleted for the older one.
                files = _files(connection, gone, delete_below)
                gone = [each for each in gone if delete_files(files.get(each, ()), removed)]
            return remove_objects(connection, gone, filed=True), removed


def _files(
    connection: Connection, objects: Sequence[int], below: str
) -> dict[int, list[FileState]]:
    """Return the files of objects at or below a folder."""
    files: dict[int, list[FileState]] = {}
    for owner, path, size, modified_ns in rows(connection, _FILES, objects):
        state = FileState(os.fsdecode(bytes(path)), size, modified_ns)
        if is_below(state.path, below):
            files.setdefault(owner, []).append(state)
    return files
