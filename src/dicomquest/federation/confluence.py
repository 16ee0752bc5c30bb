"""The answers of several sources on their way to one stream, each entity once (PS3.4 C.4.1.3).

An answer waits a moment for those of other sources about the same entity, so that one response
names all holders. It never waits for a source that has ended or that nobody awaits any more, and
only so many answers wait: the first ones go on then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dicomquest.federation.merged_answer import Part
from dicomquest.federation.row_reader import RowPart
from dicomquest.federation.seen_entities import SeenEntities

AnyPart: TypeAlias = "Part | RowPart"
"""An answer, as a data set or as a row."""

MOST_HELD = 4096
"""Answers that wait; about 2 MB."""


@dataclass(frozen=True, slots=True)
class _Held:
    since: float
    parts: list[AnyPart]


class Confluence:
    """The meeting of the answers; the time is an argument.

    ``late`` counts answers about entities that had gone on: their source is named in no response.
    ``repeated`` counts those that one source gave twice.
    """

    def __init__(self, sources: Iterable[int], patience: float, most: int = MOST_HELD) -> None:
        """Let each answer wait so many seconds for those of the other sources."""
        self._running = set(sources)
        self._awaited = set(self._running)
        self._patience = patience
        self._most = most
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._ready: list[list[AnyPart]] = []
        self._single: list[AnyPart] = []
        self._gone = SeenEntities()
        self._several = len(self._running) > 1
        self.late = 0
        self.repeated = 0

    def add_all(self, source: int, found: Sequence[tuple[bytes, AnyPart]], now: float) -> None:
        """Take several answers of a source."""
        if self._awaited <= {source} and len(self._running) <= 1:
            # Only this source runs: answers about entities of no other one go on together.
            identities = [identity for identity, _ in found]
            if self._held.keys().isdisjoint(identities) and (
                not self._several or self._gone.has_none_of(identities)
            ):
                self._single += [part for _, part in found]
                return
        for identity, part in found:
            self.add(identity, part, now)

    def add(self, identity: bytes, part: AnyPart, now: float) -> None:
        """Take the answer of a source about an entity."""
        held = self._held.get(identity)
        if held is not None:
            if any(other.source == part.source for other in held.parts):
                self.repeated += 1
                return
            held.parts.append(part)
            if self._awaited <= {other.source for other in held.parts}:
                del self._held[identity]
                self._let_go(identity, held.parts)
        elif self._several and identity in self._gone:
            self.late += 1
        elif self._awaited <= {part.source}:
            self._let_go(identity, [part])
        else:
            self._held[identity] = _Held(now, [part])
            if len(self._held) > self._most:
                first, oldest = self._held.popitem(last=False)
                self._let_go(first, oldest.parts)

    def finish(self, source: int) -> None:
        """Note that a source has no more answers."""
        self._running.discard(source)
        self.await_no_more(source)

    def await_no_more(self, source: int) -> None:
        """Let no answer wait for a source, which may still answer."""
        if source not in self._awaited:
            return
        self._awaited.discard(source)
        for identity, held in list(self._held.items()):
            if self._awaited <= {part.source for part in held.parts}:
                del self._held[identity]
                self._let_go(identity, held.parts)

    def take(self, now: float) -> list[list[AnyPart]]:
        """Return the answers that wait no longer, those about one entity together."""
        while self._held:
            identity, held = next(iter(self._held.items()))
            if held.since + self._patience > now:
                break
            del self._held[identity]
            self._let_go(identity, held.parts)
        ready, self._ready = self._ready, []
        return ready

    def take_single(self) -> list[AnyPart]:
        """Return the answers that no other source shares, of those that wait no longer."""
        single, self._single = self._single, []
        return single

    def next_deadline(self) -> float | None:
        """Return the time at which the next answer has waited enough; None if none waits."""
        for held in self._held.values():
            return held.since + self._patience
        return None

    def _let_go(self, identity: bytes, parts: list[AnyPart]) -> None:
        self._ready.append(parts)
        # The last source that runs tells its own entities apart.
        if len(self._running) > 1:
            self._gone.add(identity)
