"""A zip file of instances, made while it is sent: nothing of it is kept (PKWARE APPNOTE 4.3.9)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dicomquest.errors import StoredInstanceError
from dicomquest.services.retrieve_progress import Progress
from dicomquest.web.page.chosen_instances import ChosenInstance, opened
from dicomquest.web.page.part10_pieces import file_pieces
from dicomquest.web.page.told_requests import SentInstances

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

    from dicomquest.store.stored_instance import StoredInstance

_TOGETHER = 256 * 1024
"""Bytes that are sent together: small files share a write."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of each member: that of the file says nothing of the study."""


class _Sink(io.RawIOBase):
    """A stream that cannot be sought, whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        part = bytes(data)
        self.parts.append(part)
        self.size += len(part)
        return len(part)

    def take(self) -> bytes:
        """Return what came, and forget it."""
        found, self.parts, self.size = b"".join(self.parts), [], 0
        return found


def zip_pieces(
    files: Iterable[tuple[ChosenInstance, tuple[str, ...]]], sent: SentInstances | None = None
) -> Iterator[bytes]:
    """Return the bytes of a zip file of instances as they are stored; blocking.

    ``sent`` is told which instances each piece begins and ends.

    A file that cannot be read or fetched is left out, and a last member ``MISSING.txt`` names it.
    """
    sent = sent or SentInstances(Progress(0))
    sink = _Sink()
    missing: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for instance, paths in files:
            try:
                stored = opened(instance, paths)
            except StoredInstanceError:
                missing.append(instance.path)
                sent.fail(instance)
                continue
            with stored:
                sent.begin(instance)
                yield from _member(archive, sink, instance, stored)
                sent.end(instance, stored.sop_class_uid, stored.length)
        if missing:
            archive.writestr(
                zipfile.ZipInfo("MISSING.txt", _EPOCH),
                "The files of these instances cannot be read, or no archive sends them:\n"
                + "".join(f"{each}\n" for each in missing),
            )
    yield sink.take()


def _member(
    archive: zipfile.ZipFile, sink: _Sink, instance: ChosenInstance, stored: StoredInstance
) -> Iterator[bytes]:
    info = zipfile.ZipInfo(instance.path, _EPOCH)
    is_large = stored.length > zipfile.ZIP64_LIMIT // 2
    with archive.open(info, "w", force_zip64=is_large) as member:
        for piece in file_pieces(stored):
            member.write(piece)
            if sink.size >= _TOGETHER:
                yield sink.take()
