"""A source with a time limit, for callers who wait for all of the answer (PS3.4 C.4.1.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from dicomquest.federation.shortfall import EndKind, SourceError

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.federation.asked_query import AskedQuery
    from dicomquest.federation.conversation import Found
    from dicomquest.federation.sources import Source
    from dicomquest.services.request import Run
    from dicomquest.standard.levels import Level
    from dicomquest.standard.models import InformationModel


@dataclass(eq=False, slots=True)
class PatientSource:
    """A source that answers until a time; ``is_late`` tells if it had more, or nothing, by then.

    One that ``is_out`` is not asked.
    """

    source: Source
    until: float
    is_out: bool = False
    is_late: bool = False

    @property
    def name(self) -> str:
        """The name."""
        return self.source.name

    @property
    def applies_filter(self) -> bool:
        """Tell whether it applies the visibility filter itself, at all levels."""
        return self.source.applies_filter

    def holds(self, model: InformationModel, level: Level) -> bool:
        """Tell whether queries of a model and level go to it."""
        return not self.is_out and self.source.holds(model, level)

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        """Ask, and yield the answers as they come; SourceError if they are not all."""
        async with aclosing(self.source.answers(question, run)) as batches:
            while True:
                try:
                    async with asyncio.timeout(max(self.until - monotonic(), 0.0)):
                        batch = await anext(batches, None)
                except TimeoutError:
                    self.is_late = True
                    raise SourceError(EndKind.TIMED_OUT, "no answer by the deadline") from None
                if batch is None:
                    return
                yield batch

    async def related(
        self, identifier: DataSet, question: AskedQuery, run: Run
    ) -> list[DataSet] | None:
        """Return all answers to a plain question; None if there is no time for them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(self.until - monotonic(), 0.0)):
                return await self.source.related(identifier, question, run)
        return None

    async def end(self) -> None:
        """Let go of what the source holds open."""
        await self.source.end()
