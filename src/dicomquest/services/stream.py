"""A data set on its way from the association that receives it to its service (PS3.7 9.3.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dicomquest.errors import AssociationAbortedError

HIGH_WATER = 1 << 20
"""Unread bytes at which the peer is made to wait."""

PORTION = HIGH_WATER // 2
"""Bytes that are awaited to be thrown away at once, lest the peer stop and go with every PDU."""


class DataSetStream:
    """The fragments of one data set, in order and bounded.

    The association calls ``feed`` and ``lose``, the service ``read`` and ``drain``, all of them in
    the event loop's thread. ``pause`` and ``resume`` stop and restart reading from the peer.
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = 0
        self._changed = asyncio.Event()
        self._is_paused = False
        self._is_complete = False
        self._is_lost = False
        self._is_unwanted = False

    @property
    def is_complete(self) -> bool:
        """Tell whether the last fragment has arrived, read or not."""
        return self._is_complete

    def feed(self, fragment: bytes, *, is_last: bool) -> None:
        """Take the next fragment."""
        if fragment and not self._is_unwanted:
            self._parts.append(fragment)
            self._size += len(fragment)
        if is_last:
            self._is_complete = True
        if is_last or self._size >= self._wanted:
            self._changed.set()
        # Not at the last fragment: the peer has to be heard then, and nothing follows to bound.
        if self._size >= HIGH_WATER and not self._is_paused and not is_last:
            self._is_paused = True
            self._pause()

    def lose(self) -> None:
        """Note that the association has ended: no more will come."""
        self._is_lost = True
        self._changed.set()

    async def read(self, size: int) -> list[bytes]:
        """Wait for ``size`` bytes or the end, and return all that has arrived.

        AssociationAbortedError if the association ended before the data set did.
        """
        while not self._is_complete and self._size < size:
            if self._is_lost:
                raise AssociationAbortedError("the association ended within a data set")
            self._wanted = size
            self._changed.clear()
            await self._changed.wait()
        parts, self._parts, self._size = self._parts, [], 0
        if self._is_paused:
            self._is_paused = False
            self._resume()
        return parts

    async def drain(self) -> None:
        """Wait for the end, and throw away the rest."""
        self._is_unwanted = True
        while not self._is_complete:
            await self.read(PORTION)
