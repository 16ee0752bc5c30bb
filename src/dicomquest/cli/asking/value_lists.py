"""Many values of one key: asked in lists that the peer takes, over several associations.

A UI key takes a list (PS3.4 C.2.2.2.2), if it is not a unique key above the level, which needs one
value (C.4.1.2.1). All other keys are asked for one value at a time.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome, answers, failure_of
from dicomquest.dataset.elements import Element
from dicomquest.errors import AssociationError, DicomquestError

if TYPE_CHECKING:
    from dicomquest.cli.asking.value_files import ValueFile
    from dicomquest.dataset.charset import Terms
    from dicomquest.dataset.elements import DataSet
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

LONGEST_LIST = 100
"""UIDs of one list: 6,500 bytes at most, which every peer that takes lists has taken."""

_TRIED_SINGLY = 3
"""UIDs of the first list without an answer that are asked for alone, to see if lists work."""


@dataclass(slots=True)
class ValueLists:
    """The questions for the values of a file; ``found`` has the values that got an answer."""

    identifier: DataSet
    model: InformationModel
    values: ValueFile
    takes_list: bool
    charset: Terms = ()
    outcome: Outcome = field(default_factory=Outcome)
    failure: str = ""
    found: set[str] = field(default_factory=set)
    is_singly: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def missing(self) -> list[str]:
        """The values that no answer has."""
        return [value for value in self.values.values if value not in self.found]

    def ask(
        self,
        first: Association,
        more: Callable[[], AbstractContextManager[Association]],
        associations: int,
    ) -> Iterator[DataSet]:
        """Yield the answers to all values, over the association at hand and some more."""
        todo = deque(self.values.values)
        if self.takes_list and len(todo) > 1:
            head = [todo.popleft() for _ in range(min(LONGEST_LIST, len(todo)))]
            yield from self._try_list(first, head)
        size = LONGEST_LIST if self.takes_list else 1
        lists = deque(tuple(todo)[start : start + size] for start in range(0, len(todo), size))
        if len(lists) < 2 or associations < 2:
            while lists and not self.failure:
                yield from self._one(first, lists.popleft())
            return
        yield from self._in_parallel(lists, first, more, min(associations, len(lists)))

    def _try_list(self, association: Association, head: Sequence[str]) -> Iterator[DataSet]:
        """Ask for the first list; if values asked alone find what it did not, ask singly on."""
        yield from self._one(association, head)
        absent = [value for value in head if value not in self.found]
        is_refused = bool(self.failure)
        self.failure = ""
        for value in absent[:_TRIED_SINGLY]:
            before = len(self.found)
            yield from self._one(association, [value])
            if len(self.found) > before:
                is_refused = True
        if is_refused:
            self.takes_list, self.is_singly = False, True
            for value in absent[_TRIED_SINGLY:]:
                yield from self._one(association, [value])

    def _one(self, association: Association, values: Sequence[str]) -> Iterator[DataSet]:
        """Ask for one list, and fill in the key where an answer lacks it."""
        outcome = Outcome()
        asked = {**self.identifier, self.values.tag: Element(self.values.vr, tuple(values))}
        try:
            for answer in answers(association, asked, self.model, outcome, self.charset):
                yield self._noted(answer, values)
        except DicomquestError as error:
            self.failure = self.failure or str(error)
        self._add(outcome, association)

    def _noted(self, answer: DataSet, values: Sequence[str]) -> DataSet:
        element = answer.get(self.values.tag)
        with self._lock:
            if element is not None:
                self.found.update(str(value) for value in element.values)
            if len(values) == 1:
                self.found.add(values[0])
        if len(values) == 1 and (element is None or not any(element.values)):
            filled = {**answer, self.values.tag: Element(self.values.vr, (values[0],))}
            return dict(sorted(filled.items()))
        return answer

    def _add(self, outcome: Outcome, association: Association) -> None:
        with self._lock:
            self.outcome.add(outcome)
            if outcome.final is None and not self.failure:
                self.failure = str(association.failure or "the association ended")
            elif not outcome.is_complete and not self.failure:
                self.failure = failure_of(outcome, association) or ""

    def _in_parallel(
        self,
        lists: deque[tuple[str, ...]],
        first: Association,
        more: Callable[[], AbstractContextManager[Association]],
        associations: int,
    ) -> Iterator[DataSet]:
        """Let several associations take lists from one queue."""
        ready: queue.Queue[DataSet | None] = queue.Queue(maxsize=1000)
        stop = threading.Event()

        def put(answer: DataSet | None) -> None:
            while not stop.is_set():
                with suppress(queue.Full):
                    ready.put(answer, timeout=0.1)
                    return

        def take(association: Association) -> None:
            while not stop.is_set() and not self.failure:
                try:
                    values = lists.popleft()
                except IndexError:
                    return
                for answer in self._one(association, values):
                    if stop.is_set():
                        return
                    put(answer)

        def work(*, is_first: bool) -> None:
            try:
                if is_first:
                    take(first)
                else:
                    # A peer that takes fewer associations is asked over those it takes.
                    with suppress(AssociationError), more() as association:
                        take(association)
            finally:
                put(None)

        threads = [
            threading.Thread(target=work, kwargs={"is_first": number == 0}, daemon=True)
            for number in range(associations)
        ]
        for thread in threads:
            thread.start()
        running = len(threads)
        try:
            while running:
                answer = ready.get()
                if answer is None:
                    running -= 1
                else:
                    yield answer
        finally:
            stop.set()
            for thread in threads:
                thread.join()
