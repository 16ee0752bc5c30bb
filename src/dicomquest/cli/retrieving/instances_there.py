"""The instances that a folder has already, found by their UIDs in the names of files."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

from dicomquest.errors import DataSetError
from dicomquest.index.ingest.files import PRIVATE_FOLDER

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+")


class InstancesThere:
    """The whole instances below a folder, as a container of SOP Instance UIDs.

    Each layout of a store has the UID in the file's name, so names alone are read at first. A file
    is looked at when its UID is asked for: it counts if it has that UID and no end is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._paths: dict[str, list[str]] = defaultdict(list)
        for place, folders, files in os.walk(folder):
            if PRIVATE_FOLDER in folders:
                folders.remove(PRIVATE_FOLDER)
            for name in files:
                for uid in _UID.findall(name):
                    self._paths[uid].append(os.path.join(place, name))  # noqa: PTH118

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, uid: object) -> bool:
        return any(_has(path, uid) for path in self._paths.get(str(uid), ()))


def _has(path: str, uid: object) -> bool:
    from dicomquest.scu.outgoing import describe

    try:
        return describe(path).sop_instance_uid == uid
    except (OSError, DataSetError):
        return False
