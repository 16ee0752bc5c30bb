"""The audit trail: an observer that writes audit messages in a thread of its own (PS3.15 A.5)."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from dicomquest.monitor import audit_events
from dicomquest.monitor.audit_message import AuditMessage, AuditSource
from dicomquest.monitor.audit_sinks import Sink
from dicomquest.services.disclosures import InstancesAccessed, StudiesExported
from dicomquest.services.observer import (
    AlertKind,
    AssociationBegan,
    AssociationOver,
    AssociationRefused,
    Event,
    FindFinished,
    LimitHit,
    RetrieveFinished,
    SecurityAlert,
    SignedIn,
    StoreFinished,
    UpstreamFinished,
)
from dicomquest.services.request import AssociationInfo, StoredInstance
from dicomquest.services.step_events import StepFinished
from dicomquest.standard import statuses

_Number: TypeAlias = tuple[bool, int]

LOGGER = logging.getLogger("dicomquest.audit")

MOST_BYTES = 64 << 20
"""Bytes of events that wait at most, however few these are: an identifier may have a megabyte."""

SIZE = 1024
"""Bytes of an event without its identifier."""

SIZE_OF_STUDY = 256
"""Bytes of each study in an event that has many."""

BATCH = 256
"""Messages of one write."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
"""Seconds before a sink that fails is tried again, each pause twice as long as the last."""

LAST_WORDS = 2.0
"""Seconds that a sink which fails gets at the end of the server."""

MOST_INSTANCES = 1000
"""Instances of a study that one message counts: a crash loses no more than these."""


@dataclass(slots=True)
class _Study:
    """The instances of one study that an association has stored, and no message has told yet."""

    association: AssociationInfo
    instance: StoredInstance
    counts: Counter[str] = field(default_factory=Counter)


class AuditTrail:
    """Keeps events until its thread has made messages of them and the sink has taken these.

    The queue is bounded. Beyond it events are lost: the log says so at once, the trail itself when
    it works again, and ``count_lost`` is called. ``objection`` is for a server that would rather
    serve nobody than lose a message.
    """

    def __init__(
        self,
        sink: Sink,
        source: AuditSource,
        ae_title: str,
        most: int,
        *,
        count_lost: Callable[[int], None] = lambda _: None,
        has_started: bool = False,
    ) -> None:
        """Write to a sink as ``source``, of the server ``ae_title``; at most so many wait.

        ``has_started`` says that the application runs already.
        """
        self._sink = sink
        self._source = source
        self._ae_title = ae_title
        self._most = most
        self._count_lost = count_lost
        self._has_started = has_started
        self._changed = threading.Condition()
        # Under the lock of ``_changed``; the rest belongs to the thread.
        self._events: deque[tuple[float, Event]] = deque()
        self._bytes = 0
        self._lost = 0
        self._ends_at: float | None = None
        self._application_ends = True
        self._other: tuple[Sink, AuditSource] | None = None
        self._studies: dict[_Number, _Study] = {}
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Keep an event for the thread, or count it as lost."""
        if not _is_audited(event):
            return
        size = _size(event)
        with self._changed:
            if len(self._events) < self._most and self._bytes + size <= MOST_BYTES:
                self._events.append((time.time(), event))
                self._bytes += size
                self._changed.notify()
                return
            self._lost += 1
            is_first = self._lost == 1
        self._count_lost(1)
        if is_first:
            LOGGER.error("the audit trail takes no more messages: from now on they are lost")

    def objection(self) -> str:
        """Return the reason why nobody should be served; empty while there is room.

        The requests that run already may need the last tenth of it.
        """
        is_full = len(self._events) >= self._most * 0.9 or self._bytes >= MOST_BYTES * 0.9
        return "the audit trail takes no more messages" if is_full else ""

    def redirect(self, sink: Sink, source: AuditSource, ae_title: str, most: int) -> None:
        """Write to another sink from now on; it gets what waits for the present one, too."""
        with self._changed:
            before, self._other = self._other, (sink, source)
            self._ae_title, self._most = ae_title, most
            self._changed.notify()
        if before is not None:
            before[0].close()

    def stop(self) -> None:
        """Deliver what waits, and end while the application goes on; nobody waits for it."""
        self._application_ends = False
        self._end()

    def close(self) -> None:
        """Deliver what waits, and the message that the application stops; not for ever."""
        self._end()
        self._thread.join(5 * LAST_WORDS)
        if self._thread.is_alive():
            self._give_up(len(self._events))

    def _end(self) -> None:
        with self._changed:
            self._ends_at = time.monotonic() + LAST_WORDS
            self._changed.notify()

    def _run(self) -> None:
        self._deliver([self._bound(starts=True, of_application=not self._has_started)])
        while (events := self._next()) or self._ends_at is None:
            messages: list[AuditMessage] = []
            for when, event in events:
                messages += self._messages(when, event)
            self._deliver(messages)
        last = [self._transferred(time.time(), number) for number in list(self._studies)]
        end = self._bound(starts=False, of_application=self._application_ends)
        self._deliver([*last, end])
        self._sink.close()

    def _bound(self, *, starts: bool, of_application: bool) -> AuditMessage:
        """Return the first or the last message of the trail."""
        if of_application:
            return audit_events.activity(time.time(), self._ae_title, starts=starts)
        return audit_events.redirected(time.time(), starts=starts)

    def _next(self) -> list[tuple[float, Event]]:
        """Wait for events, and take some; none at the end, and where the sink is another one."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._is_called)
            events = [self._events.popleft() for _ in range(min(len(self._events), BATCH))]
            self._bytes -= sum(_size(event) for _, event in events)
        return events

    @property
    def _is_called(self) -> bool:
        """Tell whether the thread has something to do besides events."""
        return self._ends_at is not None or self._other is not None

    def _messages(self, when: float, event: Event) -> list[AuditMessage]:
        """Return the messages of an event; a stored instance waits for others of its study."""
        match event:
            case FindFinished():
                return [audit_events.query(when, event)]
            case StoreFinished():
                return self._note(when, event)
            case RetrieveFinished():
                return audit_events.sent(when, event)
            case StepFinished():
                return [audit_events.step(when, event)]
            case AssociationOver():
                number = _number(event.association)
                return [self._transferred(when, number)] if number in self._studies else []
            case AssociationBegan():
                return [audit_events.login(when, event)]
            case AssociationRefused():
                message = audit_events.refused(when, event)
                return [message] if message is not None else []
            case SecurityAlert():
                return [audit_events.alert(when, event)]
            case SignedIn():
                return [audit_events.login(when, event)]
            case InstancesAccessed():
                return [audit_events.accessed(when, event)]
            case StudiesExported():
                return audit_events.exported(when, event)
            case LimitHit() | UpstreamFinished():
                return []

    def _note(self, when: float, event: StoreFinished) -> list[AuditMessage]:
        """Count a stored instance; return the message of those before that it does not belong to.

        A message has one patient, so an instance of another study closes it.
        """
        assert event.instance is not None  # noqa: S101  others are not audited
        association = event.association
        messages = []
        number = _number(association)
        study = self._studies.get(number)
        if study is not None and (
            study.instance != event.instance or study.counts.total() >= MOST_INSTANCES
        ):
            messages.append(self._transferred(when, number))
            study = None
        if study is None:
            study = self._studies[number] = _Study(association, event.instance)
        study.counts[event.sop_class_uid] += 1
        return messages

    def _transferred(self, when: float, number: _Number) -> AuditMessage:
        study = self._studies.pop(number)
        return audit_events.transferred(when, study.association, study.instance, study.counts)

    def _deliver(self, messages: Sequence[AuditMessage]) -> None:
        """Have the sink take messages, however often it has to be tried; not for ever at the end.

        What was lost meanwhile is told behind them.
        """
        documents = [message.xml(self._source) for message in messages]
        pause = FIRST_PAUSE
        while documents := [*self._redirected(), *documents]:
            try:
                self._sink.write(documents)
            except OSError as error:
                if not self._is_failing:
                    LOGGER.error(  # noqa: TRY400
                        "the audit trail cannot be written: %s; %s messages wait at most",
                        error, f"{self._most:,}",
                    )  # fmt: skip
                self._is_failing = True
                if self._waits_no_more(pause):
                    self._give_up(len(documents))
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if self._is_failing:
                    LOGGER.warning("the audit trail is written again")
                self._is_failing = False
                documents = self._losses()

    def _redirected(self) -> list[bytes]:
        """Take another sink, if there is one; return the message that the trail begins there."""
        with self._changed:
            other, self._other = self._other, None
        if other is None:
            return []
        if not self._is_failing:
            end = audit_events.redirected(time.time(), starts=False)
            with suppress(OSError):
                self._sink.write([end.xml(self._source)])
        self._sink.close()
        self._sink, self._source = other
        return [audit_events.redirected(time.time(), starts=True).xml(self._source)]

    def _waits_no_more(self, pause: float) -> bool:
        """Wait until a sink may be tried again; tell whether the server ends before."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_called, pause)
            ends_at = self._ends_at
        if ends_at is None:
            return False
        if time.monotonic() >= ends_at:
            return True
        time.sleep(min(FIRST_PAUSE, max(0.0, ends_at - time.monotonic())))
        return False

    def _losses(self) -> list[bytes]:
        """Return the message about events that were lost, if there is room for others again."""
        with self._changed:
            if not self._lost or len(self._events) >= self._most:
                return []
            lost, self._lost = self._lost, 0
        return [audit_events.recording_stopped(time.time(), lost).xml(self._source)]

    def _give_up(self, count: int) -> None:
        LOGGER.error("the server ends: %d audit messages are lost", count)
        self._count_lost(count)


def _number(association: AssociationInfo) -> _Number:
    """Return what tells an association from those of now: requests by HTTP count on their own."""
    return association.is_http, association.number


def _is_audited(event: Event) -> bool:
    match event:
        case AssociationBegan():
            return event.association.user_identity is not None
        case AssociationOver():
            return event.association.state.has_stored
        case StoreFinished():
            return event.instance is not None and event.status in {
                statuses.SUCCESS,
                statuses.CLASS_NOT_TOLD,
            }
        case StepFinished():
            return event.instance is not None
        case SecurityAlert():
            # The rejection of the association is an event of its own.
            return event.kind is not AlertKind.IDENTITY
        case _:
            return not isinstance(event, LimitHit)


def _size(event: Event) -> int:
    if isinstance(event, StudiesExported):
        return SIZE + SIZE_OF_STUDY * len(event.studies)
    return SIZE + (len(event.identifier) if isinstance(event, FindFinished) else 0)
