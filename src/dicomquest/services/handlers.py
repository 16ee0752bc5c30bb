"""The service that asks the user's handlers (PS3.7 9.1.2, 9.1.5).

A handler is a generator, a function, a coroutine or an async generator. A blocking one runs from
its first line to its last in one thread of the server's pool, because a database connection, say,
may belong to its thread. Its responses cross to the event loop by a ``Handoff``.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, assert_never

from pydicom.dataset import Dataset

from dicomquest.dimse.commands import (
    PENDING,
    CEchoRQ,
    CFindRQ,
    CGetRQ,
    CMoveRQ,
    CStoreRQ,
    NCreateRQ,
    NSetRQ,
)
from dicomquest.errors import DicomquestError
from dicomquest.services.identifiers import encode_response
from dicomquest.services.request import ServiceRequest
from dicomquest.standard import statuses
from dicomquest.standard.statuses import (
    C_ECHO_STATUSES,
    C_FIND_STATUSES,
    INVALID_PRIOR_RECORD,
    Status,
    find_status,
)

HANDOFF_LIMIT = 256
"""Responses that a handler's thread may be ahead of the network.

Enough to fill a write, and a bound on memory.
"""


class Handler(NamedTuple):
    """A handler that is called with the request.

    ``is_async`` says that the call gives a coroutine or an async generator, and so never blocks.
    """

    call: Callable[[ServiceRequest], Any]
    is_async: bool


class Answer(NamedTuple):
    """A response: a Pending one with its encoded identifier, or the final one, explained."""

    status: int
    identifier: bytes = b""
    comment: str = ""
    offending: tuple[int, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Tell whether more responses follow."""
        return self.status in PENDING

    @property
    def explained(self) -> tuple[int, str, tuple[int, ...]]:
        """The status, with the elements that explain it."""
        return self.status, self.comment, self.offending


def parse_status(status: Any, statuses: tuple[Status, ...]) -> Answer:
    """Read the status that a handler gave: a number, or a Dataset that explains it too (PS3.7 C).

    ValueError for a status that the service does not have, TypeError for what is no status.
    """
    answer = read_status(status)
    # Warnings (Bxxx) and A710 belong to SOP classes that the tables do not have, such as
    # Repository Query.
    is_known = find_status(answer.status, statuses) is not None
    if not is_known and answer.status & 0xF000 != 0xB000 and answer.status != INVALID_PRIOR_RECORD:
        raise ValueError(
            f"a handler gave the status {answer.status:04X}, which this service does not have: "
            "give one of PS3.7 Annex C or of the service"
        )
    return answer


def read_status(status: Any) -> Answer:
    """Read a status of whatever service; TypeError or ValueError for what is none."""
    if isinstance(status, Dataset):
        if "Status" not in status:
            raise ValueError("a handler gave a status Dataset without Status (0000,0900)")
        offending = tags_of(status.get("OffendingElement"))
        number = unsigned_short(status.Status, "Status (0000,0900)")
        return Answer(number, b"", str(status.get("ErrorComment", "")), offending)
    if not isinstance(status, int):
        raise TypeError(f"a handler gave {status!r} as status: give a number or a Dataset")
    return Answer(unsigned_short(status, "Status (0000,0900)"))


def unsigned_short(value: Any, name: str) -> int:
    """Return a value of VR US; ValueError if a response has no room for it."""
    number = int(value)
    if not 0 <= number <= 0xFFFF:
        raise ValueError(f"a handler gave {number} as {name}: give a number from 0 to 65535")
    return number


def tags_of(value: Any) -> tuple[int, ...]:
    """Return the tags of an AT element: none, one, or several, which are pydicom's MultiValue."""
    several = value if isinstance(value, Sequence) else () if value is None else (value,)
    return tuple(map(int, several))


def parse_answer(item: Any, transfer_syntax: str) -> Answer:
    """Read one answer of a handler: ``(status, identifier or None)``, or a status alone."""
    status, identifier = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
    answer = parse_status(status, C_FIND_STATUSES)
    if not answer.is_pending:
        return answer
    if not isinstance(identifier, Dataset):
        raise TypeError(
            f"a handler gave {type(identifier).__name__} with status {answer.status:04X}: "
            "give a pydicom Dataset"
        )
    try:
        return answer._replace(identifier=encode_response(identifier, transfer_syntax))
    except DicomquestError as error:
        # Another class, because a DicomquestError would be blamed on the request's identifier.
        raise ValueError(f"a handler gave an identifier that cannot be encoded: {error}") from error


def iterate(outcome: Any) -> Iterator[Any]:
    """Iterate over the answers of a blocking handler: several, a single one, or None for none."""
    if outcome is None:
        return iter(())
    # First, because tuples and Datasets are iterable, too.
    if isinstance(outcome, tuple | int | Dataset):
        return iter((outcome,))
    if isinstance(outcome, Iterable):
        return iter(outcome)
    raise TypeError(
        f"a handler returned {type(outcome).__name__}: yield (status, identifier) pairs instead"
    )


class Handoff:
    """Responses on their way from a handler's thread to the event loop, in order and bounded.

    ``put`` is called in the handler's thread, all else in the event loop's. No lock is needed: the
    semaphore counts free places, a deque's append and popleft are atomic, and ``_is_stopped`` only
    ever turns true.
    """

    def __init__(self, limit: int = HANDOFF_LIMIT) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: deque[Answer] = deque()
        self._places = threading.Semaphore(limit)
        self._arrived = asyncio.Event()
        self._is_stopped = False

    def put(self, answer: Answer) -> bool:
        """Hand one answer over, waiting for a place; False once nobody takes any more."""
        self._places.acquire()
        if self._is_stopped:
            return False
        self._answers.append(answer)
        self._loop.call_soon_threadsafe(self._arrived.set)
        return True

    async def take(self) -> list[Answer]:
        """Wait for answers and take all that are there."""
        await self._arrived.wait()
        # Before the answers are taken: one that arrives meanwhile sets the event again.
        self._arrived.clear()
        taken = [self._answers.popleft() for _ in range(len(self._answers))]
        if taken:
            self._places.release(len(taken))
        return taken

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits to be taken."""
        return not self._answers

    def wake(self, _: object = None) -> None:
        """Let ``take`` return, with an empty list if there is nothing."""
        self._arrived.set()

    def stop(self) -> None:
        """Take no more; a thread that waits for a place goes on."""
        self._is_stopped = True
        self._places.release()


@dataclass(frozen=True, slots=True)
class HandlerService:
    """A service that answers C-FIND and C-ECHO requests by the user's handlers.

    Without a handler a C-FIND fails with C310, and a C-ECHO succeeds.
    """

    find: Handler | None = None
    echo: Handler | None = None

    async def handle(self, request: ServiceRequest) -> None:
        """Answer the request; an exception of the handler passes through."""
        match request.command:
            case CEchoRQ():
                await self._handle_echo(request)
            case CFindRQ():
                await self._handle_find(request)
            case CStoreRQ() | CGetRQ() | CMoveRQ() | NCreateRQ() | NSetRQ():
                await request.send_final(statuses.UNRECOGNIZED_OPERATION)
            case _:
                assert_never(request.command)

    async def _handle_find(self, request: ServiceRequest) -> None:
        if self.find is None:
            await request.send_final(statuses.NO_HANDLER, "no handler is bound to C-FIND")
        elif self.find.is_async:
            await self._find_in_loop(request, self.find)
        else:
            await self._find_in_thread(request, self.find)

    async def _handle_echo(self, request: ServiceRequest) -> None:
        if self.echo is None:
            await request.send_final(statuses.SUCCESS)
            return
        if self.echo.is_async:
            outcome = await self.echo.call(request)
        else:
            outcome = await request.run(self.echo.call, request)
        answer = parse_status(statuses.SUCCESS if outcome is None else outcome, C_ECHO_STATUSES)
        await request.send_final(answer.status, answer.comment, answer.offending)

    async def _find_in_loop(self, request: ServiceRequest, handler: Handler) -> None:
        outcome = handler.call(request)
        if isinstance(outcome, Awaitable):
            outcome = await outcome
        items = outcome if isinstance(outcome, AsyncGenerator) else _as_async(iterate(outcome))
        final = Answer(statuses.SUCCESS)
        was_cancelled = False
        async with aclosing(items):
            async for item in items:
                answer = parse_answer(item, request.context.transfer_syntax)
                # One turn more after a C-CANCEL, as in ``_produce``.
                if was_cancelled or not answer.is_pending:
                    final = Answer(statuses.CANCEL) if answer.is_pending else answer
                    break
                was_cancelled = request.is_cancelled
                if not was_cancelled:
                    await _send(request, [answer])
        await request.send_final(final.status, final.comment, final.offending)

    async def _find_in_thread(self, request: ServiceRequest, handler: Handler) -> None:
        handoff = Handoff()
        running = asyncio.ensure_future(request.run(_run_to_end, request, handler, handoff))
        running.add_done_callback(handoff.wake)
        request.on_cancel(handoff.wake)
        is_complete = True
        try:
            while not (running.done() and handoff.is_empty):
                request.check_association()
                # One write for a run of equal statuses, which mostly is all that there is.
                for _, answers in groupby(await handoff.take(), key=attrgetter("explained")):
                    if request.is_cancelled:
                        is_complete = False
                        break
                    await _send(request, list(answers))
        except BaseException:
            # The handler may go on after its association is gone: asyncio must not report its end.
            running.add_done_callback(_forget)
            raise
        finally:
            handoff.stop()
        final = running.result()
        if isinstance(final, BaseException):
            raise final
        if final.status == statuses.SUCCESS and not is_complete:
            final = Answer(statuses.CANCEL)
        await request.send_final(final.status, final.comment, final.offending)


async def _send(request: ServiceRequest, answers: list[Answer]) -> None:
    """Send Pending responses, all with the same status and explanation."""
    status, comment, offending = answers[0].explained
    if not comment and not offending:
        await request.send_pending(status, [answer.identifier for answer in answers])
        return
    for answer in answers:
        await request.send_explained(status, answer.identifier, comment, offending)


def _run_to_end(
    request: ServiceRequest, handler: Handler, handoff: Handoff
) -> Answer | BaseException:
    """Run a blocking handler to its end; return its final answer, or the exception that it raised.

    SystemExit, say, must not be raised in a task of its own: that would end the event loop.
    """
    try:
        return _produce(request, handler, handoff)
    except BaseException as failure:  # noqa: BLE001 (raised again where it is guarded)
        return failure


def _produce(request: ServiceRequest, handler: Handler, handoff: Handoff) -> Answer:
    """Run a blocking handler to its end; give its final answer."""
    items = iterate(handler.call(request))
    try:
        was_cancelled = False
        for item in items:
            answer = parse_answer(item, request.context.transfer_syntax)
            if not answer.is_pending:
                return answer
            # One more turn after a C-CANCEL, so that the handler can see it and end in its own way.
            if was_cancelled or not handoff.put(answer):
                return Answer(statuses.CANCEL)
            was_cancelled = request.is_cancelled
    finally:
        if isinstance(items, Generator):
            items.close()
    return Answer(statuses.SUCCESS)


def _forget(running: asyncio.Future[Answer | BaseException]) -> None:
    if not running.cancelled():
        running.exception()


async def _as_async(items: Iterator[Any]) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item
