"""A query to several sources at once: order, back-pressure, ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from dicomquest.dataset.elements import DataSet
from dicomquest.federation.asked_query import AskedQuery, asked
from dicomquest.federation.conversation import Found
from dicomquest.federation.gathering import AHEAD, Gathering, Response
from dicomquest.federation.merged_answer import Part
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.query.visibility import parse_visible
from dicomquest.services.request import Run
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT, InformationModel
from fixtures.building import data_set, text_of
from fixtures.timing import LONG, SHORT


@dataclass(eq=False)
class ScriptedSource:
    """A source of batches of studies; ``before`` is awaited before the last one.

    ``below`` is awaited when it is asked for what is in a study.
    """

    place: int
    batches: Sequence[Sequence[str]]
    before: Callable[[], Coroutine[Any, Any, object]] | None = None
    below: Callable[[], Coroutine[Any, Any, object]] | None = None
    failure: SourceError | None = None
    levels: frozenset[Level] = frozenset(Level)
    given: int = 0
    is_closed: bool = False
    applies_filter: ClassVar[bool] = False
    asked: list[DataSet] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"S{self.place}"

    def holds(self, model: InformationModel, level: Level) -> bool:
        return model is STUDY_ROOT and level in self.levels

    async def answers(self, question: AskedQuery, run: Run) -> AsyncGenerator[Found, None]:
        try:
            for number, uids in enumerate(self.batches, 1):
                if self.before is not None and number == len(self.batches):
                    await self.before()
                self.given += 1
                yield [
                    (uid.encode(), Part(self.place, data_set(StudyInstanceUID=uid), (self.name,)))
                    for uid in uids
                ]
            if self.failure is not None:
                raise self.failure
        finally:
            self.is_closed = True

    async def related(
        self, identifier: DataSet, question: AskedQuery, run: Run
    ) -> list[DataSet] | None:
        if self.below is not None:
            await self.below()
        return None

    async def end(self) -> None:
        pass


async def nowhere(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def gathering(
    *sources: ScriptedSource, patience: float = 60.0, visible: str = "", **keys: str
) -> Gathering:
    identifier = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", **keys)
    query = parse_identifier(identifier, STUDY_ROOT.uid, QueryOptions())
    question = asked(identifier, query, parse_visible([visible] if visible else []))
    return Gathering(sources, question, nowhere, patience)


def uids(found: list[Response]) -> list[str | None]:
    return [text_of(each.response, "StudyInstanceUID") for each in found]


async def everything(running: Gathering) -> list[str | None]:
    async with aclosing(running.batches()) as batches:
        return [uid async for batch in batches for uid in uids(batch)]


def test_entities_of_several_sources_come_once() -> None:
    sources = ScriptedSource(0, [["1", "2"], ["3"]]), ScriptedSource(1, [["2", "4"]])
    running = gathering(*sources)
    assert sorted(map(str, asyncio.run(everything(running)))) == ["1", "2", "3", "4"]
    assert [end.kind for end in running.ends.values()] == [EndKind.COMPLETE] * 2
    assert running.ends[1].matches == 2


def test_slow_source_keeps_nobody_waiting() -> None:
    """The answers of one source come while the other is silent."""

    async def script() -> None:
        release = asyncio.Event()
        slow = ScriptedSource(1, [["9"]], before=release.wait)
        running = gathering(ScriptedSource(0, [["1"], ["2"]]), slow, patience=0.0)
        async with aclosing(running.batches()) as batches:
            found: list[str | None] = []
            async for batch in batches:
                found += uids(batch)
                if found == ["1", "2"]:
                    release.set()
            assert found == ["1", "2", "9"]

    asyncio.run(script())


@pytest.mark.requirement("QR-171")
def test_source_waits_for_slow_caller() -> None:
    """A source is only some batches ahead of a caller who reads nothing."""

    async def script() -> None:
        source = ScriptedSource(0, [[str(number)] for number in range(50)])
        async with aclosing(gathering(source).batches()) as batches:
            first = await anext(batches)
            for _ in range(100):
                await asyncio.sleep(0)
            assert source.given <= len(first) + AHEAD + 1
        assert source.is_closed

    asyncio.run(script())


def test_failure_of_source_is_its_end() -> None:
    """The answers that it gave count, and those of the others."""
    failing = ScriptedSource(0, [["1"]], failure=SourceError(EndKind.LOST, "gone"))
    running = gathering(failing, ScriptedSource(1, [["2"]]))
    assert sorted(map(str, asyncio.run(everything(running)))) == ["1", "2"]
    assert (running.ends[0].kind, running.ends[0].detail) == (EndKind.LOST, "gone")


def test_source_without_the_level_is_not_asked() -> None:
    other = ScriptedSource(1, [["2"]], levels=frozenset({Level.SERIES}))
    running = gathering(ScriptedSource(0, [["1"]]), other)
    assert asyncio.run(everything(running)) == ["1"]
    assert list(running.ends) == [0]


def test_source_that_cannot_be_filtered_is_not_asked() -> None:
    """A caller may see studies with some CT series alone, which answers do not show."""
    source = ScriptedSource(0, [["1"]])
    running = gathering(source, visible="Modality=CT")
    assert asyncio.run(everything(running)) == []
    assert (source.given, running.ends[0].kind) == (0, EndKind.UNFILTERED)


@pytest.mark.requirement("QR-164")
def test_stop_closes_all_sources() -> None:
    async def script() -> None:
        silent = ScriptedSource(0, [["1"]], before=asyncio.Event().wait)
        running = gathering(silent)
        asyncio.get_running_loop().call_soon(running.wake)
        assert await everything(running) == []
        assert silent.is_closed

    asyncio.run(script())


def test_slow_source_does_not_hold_others_numbers() -> None:
    """A study in two places is counted when both have ended, whatever a third one does."""

    async def script() -> None:
        release = asyncio.Event()
        slow = ScriptedSource(2, [["9"]], before=release.wait)
        sources = ScriptedSource(0, [["1"]]), ScriptedSource(1, [["1"]]), slow
        running = gathering(*sources, patience=0.0, NumberOfStudyRelatedSeries="")
        async with aclosing(running.batches()) as batches, asyncio.timeout(LONG):
            assert uids(await anext(batches)) == ["1"]
            release.set()
            assert [uid async for batch in batches for uid in uids(batch)] == ["9"]

    asyncio.run(script())


@pytest.mark.requirement("QR-164")
def test_stop_ends_the_counting() -> None:
    """A C-CANCEL waits for no archive that is asked what is in a study."""

    async def script() -> None:
        running = gathering(
            ScriptedSource(0, [["1"]]),
            ScriptedSource(1, [["1"]], below=asyncio.Event().wait),
            NumberOfStudyRelatedSeries="",
        )
        asyncio.get_running_loop().call_later(SHORT, running.wake)
        async with asyncio.timeout(LONG):
            assert await everything(running) == []

    asyncio.run(script())
