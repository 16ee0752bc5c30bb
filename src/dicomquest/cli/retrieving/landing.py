"""The folder that fetched instances come to: whole in their places, or not at all (PS3.10 7)."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple, Self

from dicomquest.cli.file_rights import PRIVATE
from dicomquest.errors import StoreError
from dicomquest.index.ingest.file_reader import read_left
from dicomquest.index.ingest.instance import Skipped
from dicomquest.standard import statuses
from dicomquest.store.incoming import IncomingFolder, take_leftovers
from dicomquest.store.places import Layout

_OWNER = "dicomquest get"
"""Stands in the lock file where a server names its index: the two never share a folder."""

_ROOM = 1 << 20
_KEPT = ".kept-by-get"
"""The suffix of whole files that are not on disk yet: the next run removes those of a dead one."""


class Kept(NamedTuple):
    """A whole file under its temporary path, with the place that it is to have."""

    path: str
    at: str
    sop_instance_uid: str


class Landing:
    """A folder of instances, each at the path that the layout gives it.

    An instance arrives in a temporary file. It is on disk before it takes its place, so a file in
    place is whole whatever dies in between. Threads share a landing.
    """

    def __init__(self, folder: Path, layout: Layout, umask: str = PRIVATE) -> None:
        """Make the folder; OSError if that fails, ArchiveInUseError if a server stores there."""
        # Temporary files are their owner's alone; those in place have the rights of the mask.
        self._mode = 0o666 & ~int(umask, 8)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._layout = layout
        self._incoming = IncomingFolder(folder, _OWNER)
        self._numbers = count(1)

    @property
    def temporary(self) -> Path:
        """The folder for files that still arrive, on the same file system."""
        return self._incoming.path

    def recover(self) -> None:
        """Put whole files of a process that died in their places, and remove its other files."""
        left = take_leftovers(self.folder, self._incoming)
        for path in left[1] if left is not None else ():
            # A server's: of ours none has the prefix of its name before it is in place.
            with suppress(StoreError):
                self.place(self.keep(path))

    def keep(self, path: str, sop_instance_uid: str = "") -> Kept:
        """Take a complete file, and look at it; StoreError if it stays out.

        ``sop_instance_uid`` is the instance that the file must have, any by default.
        """
        kept = f"{self.temporary}/{next(self._numbers)}{_KEPT}"
        try:
            os.replace(path, kept)  # noqa: PTH105
        except OSError as error:
            raise _not_written(error) from error
        try:
            return self._look(kept, sop_instance_uid)
        except StoreError:
            Path(kept).unlink(missing_ok=True)
            raise

    def _look(self, path: str, sop_instance_uid: str) -> Kept:
        received = read_left(path, 0)
        if isinstance(received, Skipped):
            detail = f": {received.detail}" if received.detail else ""
            raise StoreError(statuses.CANNOT_UNDERSTAND, f"{received.reason.value}{detail}")
        if sop_instance_uid not in {"", received.sop_uid}:
            raise StoreError(
                statuses.DATA_SET_DOES_NOT_MATCH, "SOP Instance UID is not that of the command"
            )
        place = self.folder / self._layout.path(received.texts)
        return Kept(path, str(place), received.sop_uid)

    def place(self, kept: Kept) -> int:
        """Put a file in its place once it is on disk, and return its size; StoreError if not."""
        try:
            descriptor = os.open(kept.path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            os.chmod(kept.path, self._mode)  # noqa: PTH101
            os.makedirs(os.path.dirname(kept.at), exist_ok=True)  # noqa: PTH103, PTH120
            os.replace(kept.path, kept.at)  # noqa: PTH105
        except OSError as error:
            raise _not_written(error) from error
        return size

    def check_room(self) -> None:
        """Raise OSError if the disk has no room for an instance of ordinary size."""
        path = self.temporary / "room"
        try:
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _ROOM)
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the temporary files."""
        self._incoming.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _not_written(error: OSError) -> StoreError:
    return StoreError(statuses.OUT_OF_RESOURCES, f"not written: {error.strerror or error}")
