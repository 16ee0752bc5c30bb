"""Caches that a peer cannot fill: only small arguments are remembered.

``lru_cache`` bounds how many entries there are, and each may be as large as a value that a peer
sent. Some hundred queries with keys of megabytes would stay in memory for good.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_REMEMBERED = 256
"""Characters of a text that a cache keeps; usual values have fewer than 64 (PS3.5 6.2)."""


def remembered(
    entries: int, is_small: Callable[..., bool]
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a pure function to keep ``entries`` results of calls whose arguments are small."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cached = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if not is_small(*args, **kwargs):
                return function(*args, **kwargs)
            return cached(*args, **kwargs)  # type: ignore[arg-type]  # values are hashable

        return call

    return decorate


def is_short(text: str) -> bool:
    """Tell whether a text is short enough to be remembered."""
    return len(text) <= LONGEST_REMEMBERED
