"""An instance for a handler, in memory or in a file while it arrives (PS3.4 B.2, PS3.10 7.1)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from dicomquest.errors import StoreError
from dicomquest.standard import statuses

LARGEST_IN_MEMORY = 1 << 30
"""Bytes of a data set that may be kept in memory; a larger one needs a folder."""


class ReceivedInstance:
    """The data set of a C-STORE request, taken in parts.

    With a folder it goes to a file there, behind the ``start`` of the file, and ``path`` is that
    file. Without one ``data_set`` has its bytes. The methods may block.
    """

    def __init__(self, start: bytes, folder: str | os.PathLike[str] | None) -> None:
        """Make room for an instance; StoreError if the folder has none."""
        self.path: Path | None = None
        self._size = 0
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None
        if folder is None:
            return
        try:
            descriptor, name = tempfile.mkstemp(suffix=".dcm", dir=folder)
        except OSError as error:
            raise _no_place(error) from error
        self._file, self.path = os.fdopen(descriptor, "wb"), Path(name)
        self._append((start,))

    @property
    def data_set(self) -> bytes | None:
        """The bytes of the data set, None if a file has them."""
        if self.path is not None:
            return None
        if len(self._parts) != 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def write(self, parts: Iterable[bytes]) -> None:
        """Take the next parts; StoreError, and nothing is left, if there is no room for them."""
        if self._file is not None:
            self._append(parts)
            return
        for part in parts:
            self._parts.append(part)
            self._size += len(part)
        if self._size > LARGEST_IN_MEMORY:
            self._parts.clear()
            raise StoreError(
                statuses.OUT_OF_RESOURCES,
                f"more than {LARGEST_IN_MEMORY >> 20} MB in memory: set AE.incoming_folder",
            )

    def complete(self) -> None:
        """Close the file: all parts are here. StoreError if the disk did not take them."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self.discard()
                raise _no_place(error) from error

    def discard(self) -> None:
        """Delete the file, unless somebody has moved it away."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            if self.path is not None:
                self.path.unlink()

    def _append(self, parts: Iterable[bytes]) -> None:
        assert self._file is not None  # noqa: S101
        try:
            self._file.writelines(parts)
        except OSError as error:
            self.discard()
            raise _no_place(error) from error


def _no_place(error: OSError) -> StoreError:
    words = error.strerror or type(error).__name__
    return StoreError(statuses.OUT_OF_RESOURCES, f"the instance cannot be written: {words}")
