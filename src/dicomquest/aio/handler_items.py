"""The answers of a handler one at a time, each when it is asked for (PS3.7 9.1.3, 9.1.4)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from dicomquest.services.handlers import iterate
from dicomquest.services.request import ServiceRequest

END: Final = object()
"""The item after the last one."""


@dataclass(frozen=True, slots=True)
class _Raised:
    """An exception on its way out of the handler's thread, as a value."""

    failure: BaseException


class BlockingItems:
    """The items of a blocking handler, which runs in one thread from its first line to its last.

    A database connection, say, may belong to its thread. The thread waits between two items.
    """

    def __init__(self, request: ServiceRequest, call: Callable[[], Any]) -> None:
        """Take the items of what ``call`` returns, in a thread of the server."""
        self._loop = asyncio.get_running_loop()
        self._given: asyncio.Queue[Any] = asyncio.Queue()
        self._wanted = threading.Semaphore(0)
        self._is_stopped = False
        self._running = asyncio.ensure_future(request.run(self._produce, call))

    async def next(self) -> Any:
        """Return the next item, END after the last; raise what the handler raised."""
        self._wanted.release()
        item = await self._given.get()
        if isinstance(item, _Raised):
            raise item.failure
        return item

    async def close(self) -> None:
        """Have the handler end, as by leaving a loop over it."""
        self._is_stopped = True
        self._wanted.release()

    def _produce(self, call: Callable[[], Any]) -> None:
        try:
            items = iterate(call())
            try:
                item = None
                while item is not END and self._is_wanted():
                    item = next(items, END)
                    self._give(item)
            finally:
                if isinstance(items, Generator):
                    items.close()
        except BaseException as failure:  # noqa: BLE001 (raised again where it is guarded)
            self._give(_Raised(failure))

    def _is_wanted(self) -> bool:
        self._wanted.acquire()
        return not self._is_stopped

    def _give(self, item: Any) -> None:
        self._loop.call_soon_threadsafe(self._given.put_nowait, item)


class AsyncItems:
    """The items of a coroutine or an async generator."""

    def __init__(self, call: Callable[[], Any]) -> None:
        """Take the items of what ``call`` returns."""
        self._call = call
        self._items: AsyncIterator[Any] | None = None

    async def next(self) -> Any:
        """Return the next item, END after the last; raise what the handler raised."""
        if self._items is None:
            outcome = self._call()
            if isinstance(outcome, Awaitable):
                outcome = await outcome
            self._items = outcome if isinstance(outcome, AsyncGenerator) else _each(outcome)
        return await anext(self._items, END)

    async def close(self) -> None:
        """Have the handler end, as by leaving a loop over it."""
        if isinstance(self._items, AsyncGenerator):
            await self._items.aclose()


Items = BlockingItems | AsyncItems


async def _each(outcome: Any) -> AsyncGenerator[Any, None]:
    for item in iterate(outcome):
        yield item
