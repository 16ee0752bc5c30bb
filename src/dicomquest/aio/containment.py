"""The boundary around handlers in the server, which nothing that they raise may end (PS3.7 C)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dicomquest import evt

T = TypeVar("T")


class contained(evt.guarded):  # noqa: N801 (read as a statement: with contained(...))
    """A guard that keeps SystemExit, KeyboardInterrupt and their like, too.

    Raised in a task, these would end the event loop and all associations with it. Only a
    CancelledError by which the server ends its own task passes.
    """

    def lets_pass(self, failure: BaseException) -> bool:
        """Tell whether the server itself has cancelled this task."""
        if not isinstance(failure, asyncio.CancelledError):
            return False
        try:
            task = asyncio.current_task()
        except RuntimeError:
            # No event loop runs in a handler's thread, and nothing cancels there.
            return False
        return task is not None and task.cancelling() > 0


@dataclass(frozen=True, slots=True)
class Escape:
    """An exception on its way out of a thread, as a value.

    As a future's exception, GeneratorExit would close the coroutines that wait for it, and
    StopIteration would leave them waiting.
    """

    failure: BaseException


def escape_of(function: Callable[[], T]) -> T | Escape:
    """Call a function in a thread, and return its result or what it raised."""
    try:
        return function()
    except BaseException as failure:  # noqa: BLE001 (raised again in the event loop)
        return Escape(failure)
