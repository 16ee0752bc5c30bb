"""The time that an upstream has in one query, however often it is asked (PS3.7 9.1.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

from dicomquest.federation.shortfall import EndKind, SourceError


class Deadline:
    """The time by which an upstream must have answered: one for all that comes before.

    It runs from the wait for an association to the first answer, and over a second try.
    """

    def __init__(self, seconds: float | None) -> None:
        """Begin now; None waits for ever."""
        self.seconds = seconds
        self._end = 0.0
        self.renew()

    def renew(self) -> None:
        """Begin anew, after an answer."""
        if self.seconds is not None:
            self._end = monotonic() + self.seconds

    def left(self, most: float | None = None) -> float | None:
        """Return the seconds that are left, at most so many; None for no end."""
        if self.seconds is None:
            return most
        left = max(self._end - monotonic(), 0.0)
        return left if most is None else min(left, most)

    @asynccontextmanager
    async def limit(self, words: str = "", most: float | None = None) -> AsyncGenerator[None, None]:
        """End the block when the time is over, or so many seconds: SourceError with the words."""
        seconds = self.left(most)
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            words = words or f"no answer within {self.seconds or 0.0:g} s"
            raise SourceError(EndKind.TIMED_OUT, words) from error
