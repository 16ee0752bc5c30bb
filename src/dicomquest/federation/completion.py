"""The computed keys of entities that lie in several places, made whole (PS3.4 C.3.4).

What the places have below such entities is asked for many of them at once: one question names up
to a hundred studies or series. A place that falls short is not asked again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from dicomquest.dataset.elements import DataSet, Element
from dicomquest.federation.asked_query import AskedQuery
from dicomquest.federation.merged_answer import Merged, Part, merged
from dicomquest.federation.related_counts import Answers, Ask, counting_of
from dicomquest.federation.related_values import Values, learning_of
from dicomquest.federation.shortfall import SourceError
from dicomquest.federation.sources import Source
from dicomquest.query.search_forms import is_empty
from dicomquest.services.request import Run
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

LOGGER = logging.getLogger("dicomquest.federation")

MOST_IN_QUESTION = 100
"""Entities that one question names: with their UIDs the identifier has 6 KB."""

Work: TypeAlias = "Generator[list[Ask], Answers, dict[Level, int] | Values | None]"


class Completion:
    """Questions about entities in several places; ``failures`` are those of places, by place."""

    def __init__(self, sources: Mapping[int, Source], question: AskedQuery, run: Run) -> None:
        self._sources = sources
        self._run = run
        query = question.query
        if query.level is not Level.PATIENT and all(
            source.holds(STUDY_ROOT, Level.IMAGE) for source in sources.values()
        ):
            # Without patients in the way, one question names the studies of several.
            query = replace(query, model=STUDY_ROOT)
        self._query = question.query
        self._question = replace(question, query=query)
        self.failures: dict[int, SourceError] = {}

    def concerns(self, parts: Sequence[Part]) -> bool:
        """Tell whether something has to be asked about an entity."""
        query = self._question.query
        return len(parts) > 1 and (
            counting_of(query, parts)[1] is not None or bool(learning_of(query, parts))
        )

    async def responses(self, entities: Sequence[list[Part]]) -> list[Merged]:
        """Return the responses about some entities."""
        query = self._question.query
        learning = [
            (number, place, work)
            for number, parts in enumerate(entities)
            for place, work in learning_of(query, parts).items()
        ]
        counting = [counting_of(query, parts) for parts in entities]
        found = await self._results(
            [*(work for _, _, work in learning), *(work for _, work in counting if work)]
        )
        whole = [[*parts] for parts in entities]
        for (entity, place, _), values in zip(learning, found, strict=False):
            for at, part in enumerate(whole[entity]):
                if part.source == place and values is not None:
                    known: DataSet = {tag: e for tag, e in values.items() if isinstance(e, Element)}
                    whole[entity][at] = part._replace(answer={**part.answer, **known})
        numbers = iter(found[len(learning) :])
        made: list[Merged] = []
        for parts, (tags, work) in zip(whole, counting, strict=True):
            counted = next(numbers) if work is not None else {}
            if counted is None:
                LOGGER.info("an entity lies in several places, which did not say what is in it")
            counts: dict[int, int] = {}
            for level, tag in tags.items():
                number = (counted or {}).get(level)
                if isinstance(number, int):
                    counts[tag] = number
            made.append(merged(parts, self._query, counts))
        return made

    async def _results(self, works: Sequence[Work]) -> list[Mapping[int, object] | None]:
        """Run all works side by side: their questions of one step go out together."""
        results: list[Mapping[int, object] | None] = [None] * len(works)
        asking: dict[int, list[Ask]] = {number: next(work) for number, work in enumerate(works)}
        while asking:
            answers = iter(
                await self._answers_to([ask for asks in asking.values() for ask in asks])
            )
            following: dict[int, list[Ask]] = {}
            for number, asks in asking.items():
                try:
                    following[number] = works[number].send([next(answers) for _ in asks])
                except StopIteration as end:
                    results[number] = end.value
            asking = following
        return results

    async def _answers_to(self, asks: Sequence[Ask]) -> Answers:
        by_source: dict[int, dict[object, list[int]]] = {}
        for number, ask in enumerate(asks):
            groups = by_source.setdefault(ask.source, {})
            groups.setdefault(_kind(ask.identifier) or number, []).append(number)
        answers: Answers = [None] * len(asks)

        async def ask_source(source: int, groups: Sequence[list[int]]) -> None:
            for group in groups:
                for start in range(0, len(group), MOST_IN_QUESTION):
                    some = group[start:][:MOST_IN_QUESTION]
                    found = await self._related(source, [asks[each].identifier for each in some])
                    for number, each in zip(some, found, strict=True):
                        answers[number] = each

        await asyncio.gather(
            *(ask_source(source, [*groups.values()]) for source, groups in by_source.items())
        )
        return answers

    async def _related(self, source: int, identifiers: Sequence[DataSet]) -> Answers:
        """Return the answers to each of some identifiers of one kind."""
        nothing: Answers = [None] * len(identifiers)
        if source in self.failures:
            return nothing
        try:
            found = await self._sources[source].related(
                _joined(identifiers), self._question, self._run
            )
        except SourceError as error:
            self.failures[source] = error
            return nothing
        if found is None or len(identifiers) == 1:
            return [found] * len(identifiers)
        parent = _parent(identifiers[0])
        below: dict[str, list[DataSet]] = {}
        for answer in found:
            below.setdefault(_text(answer, parent), []).append(answer)
        # An answer that does not name its parent belongs to nobody, and an archive that does not
        # know lists of UIDs finds nothing: these are asked for one by one.
        return [
            below[uid]
            if "" not in below and (uid := _text(each, parent)) in below
            else (await self._related(source, [each]))[0]
            for each in identifiers
        ]


def _kind(identifier: DataSet) -> tuple[object, ...] | None:
    """Return what identifiers that can be joined have alike; None for one that cannot be."""
    if not _parent(identifier):
        return None
    return tuple(
        (tag, element.vr == "UI" or element.values, bool(element.values))
        for tag, element in identifier.items()
    )


def _parent(identifier: DataSet) -> int:
    """Return the unique key of the lowest entities that an identifier names; 0 without a UID."""
    level = Level[_text(identifier, QUERY_RETRIEVE_LEVEL)]
    above = [key for each, key in UNIQUE_KEYS.items() if each < level and key.vr == "UI"]
    named = [key.tag for key in above if not is_empty(identifier.get(key.tag))]
    return named[-1] if named else 0


def _joined(identifiers: Sequence[DataSet]) -> DataSet:
    """Return one identifier for all, by lists of UIDs."""
    first = identifiers[0]
    return {
        tag: element
        if element.vr != "UI"
        else Element(
            "UI", tuple(dict.fromkeys(uid for each in identifiers for uid in each[tag].values))
        )
        for tag, element in first.items()
    }


def _text(answer: DataSet, tag: int) -> str:
    element = answer.get(tag)
    return str(element.values[0]) if element is not None and element.values else ""
