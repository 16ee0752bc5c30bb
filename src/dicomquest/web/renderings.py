"""The pictures that a service makes, as many at a time as its limits allow (PS3.18 10.4.1.1.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from dicomquest.store.rendering_processes import RenderingLimits, RenderingProcesses
from dicomquest.web.refusals import RefusalError

if TYPE_CHECKING:
    from dicomquest.services.request import Run
    from dicomquest.store.rendering_job import RenderingJob

MOST_WAITING: Final = 200
"""Pictures that wait for others: a viewer asks for a hundred thumbnails at once."""


class Renderings:
    """Makes pictures in processes of their own; used in the event loop."""

    def __init__(self, limits: RenderingLimits) -> None:
        self.limits = limits
        self._processes = RenderingProcesses(limits)
        self._gate = asyncio.Semaphore(limits.at_once)
        self._waiting = 0

    async def render(self, job: RenderingJob, run: Run) -> bytes:
        """Return a picture; RenderingError if there is none, RefusalError 503 if too many wait."""
        if self._waiting >= MOST_WAITING:
            raise RefusalError(503, "too many pictures are waited for", {"Retry-After": "1"})
        self._waiting += 1
        try:
            async with self._gate:
                return await run(self._processes.render, job)
        finally:
            self._waiting -= 1
