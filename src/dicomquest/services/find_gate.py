"""The finds of a process counted: those that run, and those that an AE title may begin (PS3.4 C.4).

A *token bucket* holds as many finds as a title may begin at once: those of a second, at least one.
"""

from __future__ import annotations

from dataclasses import dataclass

from dicomquest.services.limit_names import LimitName

MOST_TITLES = 1024
"""AE titles that are kept: a peer may use as many titles as it likes."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class FindGate:
    """Lets finds begin as long as no limit is reached; used in the event loop alone."""

    def __init__(self, most: int | None) -> None:
        """Let at most so many finds run at a time; None for any number."""
        self._most = most
        self._running = 0
        self._buckets: dict[str, _Bucket] = {}

    def enter(self, title: str, per_second: float | None, now: float) -> LimitName | None:
        """Let a find begin, which has to ``leave``; else return the limit that is reached."""
        if self._most is not None and self._running >= self._most:
            return LimitName.FINDS
        if per_second is not None and not self._take_token(title, per_second, now):
            return LimitName.FIND_RATE
        self._running += 1
        return None

    def leave(self) -> None:
        """Note the end of a find that was let in."""
        self._running -= 1

    def _take_token(self, title: str, per_second: float, now: float) -> bool:
        most = max(per_second, 1.0)
        bucket = self._buckets.get(title)
        if bucket is None:
            bucket = self._buckets[title] = _Bucket(most, now)
            if len(self._buckets) > MOST_TITLES:
                # The one that has been here longest is full again, or soon will be.
                del self._buckets[next(iter(self._buckets))]
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * per_second)
        bucket.filled_at = now
        if bucket.tokens < 1.0:
            return False
        bucket.tokens -= 1.0
        return True
