"""The frames of stored images, read one by one (PS3.5 A.4, PS3.18 10.4.1.1.6)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from dicomquest.dataset.frame_places import FramePlaces, find_frames, read_frame
from dicomquest.errors import DamagedInstanceError, DataSetError, StoredInstanceError
from dicomquest.standard.transfer_syntaxes import (
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.store.decompression import IMAGE_TAGS, decoded_frame
from dicomquest.store.stored_instance import StoredInstance, reachable

MOST_REMEMBERED: Final = 64
"""Images whose places are remembered: a viewer asks for their frames one by one."""

MOST_FRAMES: Final = 100_000
"""Frames beyond which an image is not remembered."""


class StoredFrames:
    """Reads frames; it remembers where those of the latest images are."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, tuple[int, int]], FramePlaces] = OrderedDict()
        self._lock = threading.Lock()

    def places(self, stored: StoredInstance) -> FramePlaces | None:
        """Return the frames of an image; None if it has no pixels.

        DamagedInstanceError if they cannot be found.
        """
        key = (stored.path, stored.state)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        try:
            found = find_frames(stored.read, *stored.extent, stored.transfer_syntax_uid, IMAGE_TAGS)
        except DataSetError as error:
            raise DamagedInstanceError(f"{stored.path}: {error}") from error
        if found is not None and len(found.starts) <= MOST_FRAMES:
            with self._lock:
                self._known[key] = found
                if len(self._known) > MOST_REMEMBERED:
                    self._known.popitem(last=False)
        return found

    def read(self, stored: StoredInstance, places: FramePlaces, number: int, syntax: str) -> bytes:
        """Return a frame in a transfer syntax; StoredInstanceError if it cannot be had.

        DamagedInstanceError if it cannot be had in any.
        """
        try:
            frame = read_frame(stored.read, *stored.extent, places, number)
        except DataSetError as error:
            raise DamagedInstanceError(f"{stored.path}: {error}") from error
        try:
            if not places.is_compressed or syntax == places.syntax:
                return frame
            if places.syntax == ENCAPSULATED_UNCOMPRESSED:
                return frame[: places.frame_bits // 8]
            return decoded_frame(frame, places.syntax, places.values)
        except DataSetError as error:
            raise StoredInstanceError(f"{stored.path}: {error}") from error


def frame_syntaxes(places: FramePlaces) -> tuple[str, ...]:
    """Return the transfer syntaxes in which frames can be had; that of the file is first."""
    if not places.is_compressed:
        return (EXPLICIT_VR_LITTLE_ENDIAN,)
    others = reachable(places.syntax)[1:]
    return (places.syntax, *(each for each in others if each == EXPLICIT_VR_LITTLE_ENDIAN))
