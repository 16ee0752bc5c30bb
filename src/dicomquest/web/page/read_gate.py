"""The readings of questions while people type: so many a second, one at a time a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dicomquest.services.find_gate import FindGate
from dicomquest.services.limit_names import LimitName


@dataclass(slots=True)
class _Turn:
    """A reading that runs or waits: how to stop it, and its end."""

    stop: Callable[[], None]
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class ReadGate:
    """Lets the newest reading of a session run, and stops the one before; in the event loop."""

    def __init__(self) -> None:
        self._rates = FindGate(None)
        self._turns: dict[str, _Turn] = {}

    def limit(self, session: str, per_second: float, now: float) -> LimitName | None:
        """Return the limit that a session has reached, None if it may read."""
        if self._rates.enter(session, per_second, now) is not None:
            return LimitName.READ_RATE
        self._rates.leave()
        return None

    @asynccontextmanager
    async def turn(self, session: str, stop: Callable[[], None]) -> AsyncIterator[bool]:
        """Wait for the end of the reading before, which is stopped; yield whether this is the last.

        ``stop`` is called when a newer one comes.
        """
        before, mine = self._turns.get(session), _Turn(stop)
        self._turns[session] = mine
        try:
            if before is not None:
                before.stop()
                await before.ended.wait()
            yield self._turns.get(session) is mine
        finally:
            mine.ended.set()
            if self._turns.get(session) is mine:
                del self._turns[session]
