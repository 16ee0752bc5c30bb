"""The operations that are outstanding on an association, invoked and performed ones (PS3.7 8.1, D.3.3.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dicomquest.dimse.commands import (
    CEchoRQ,
    CFindRQ,
    CStoreRQ,
    Request,
    Response,
    name_of,
    response_to,
)
from dicomquest.dimse.events import RequestReceived
from dicomquest.dimse.fragments import PendingFramer
from dicomquest.errors import LocalProtocolError
from dicomquest.standard.sop_classes import SERVED_BY_UID
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.ul.timers import Timeouts

LAST_MESSAGE_ID: Final = 0xFFFF

QUEUE_LIMIT: Final = 8
"""Requests beyond the window that wait for their turn; a peer that sends more has lost count and is aborted."""

CANCEL_PATIENCE: Final = 10.0
"""Seconds that a peer which answers no more is given after C-CANCEL, before A-ABORT."""

SERVICES: Final[dict[type[Request], str]] = {CEchoRQ: "C-ECHO", CFindRQ: "C-FIND", CStoreRQ: "C-STORE"}
"""The DIMSE service of each request, as the table of SOP classes names it."""


@dataclass(slots=True)
class Invoked:
    """A request of ours, until its final response."""

    context_id: int
    message_id: int
    request: Request
    seconds: float | None
    deadline: float | None
    is_cancelled: bool = False
    is_expiring: bool = False


class InvokedOperations:
    """Our requests that wait for responses; ``window`` is how many there may be, 0 for any number."""

    def __init__(self, timeouts: Timeouts) -> None:
        self.window = 1
        self._timeouts = timeouts
        self._operations: dict[int, Invoked] = {}
        self._last_message_id = 0

    def __len__(self) -> int:
        return len(self._operations)

    def __iter__(self) -> Iterator[Invoked]:
        return iter(self._operations.values())

    def get(self, message_id: int) -> Invoked | None:
        """Return the operation of this Message ID, if it is outstanding."""
        return self._operations.get(message_id)

    def new_message_id(self) -> int:
        """Return the next Message ID, 1 to 65535 and around, that no outstanding operation has."""
        if len(self._operations) >= LAST_MESSAGE_ID:
            raise LocalProtocolError(f"{len(self._operations)} operations are outstanding: no Message ID is left")
        while True:
            self._last_message_id = self._last_message_id % LAST_MESSAGE_ID + 1
            if self._last_message_id not in self._operations:
                return self._last_message_id

    def check(self, request: Request) -> None:
        """Raise LocalProtocolError if this request cannot be sent now."""
        if self.window and len(self._operations) >= self.window:
            raise LocalProtocolError(
                f"{name_of(request)} while {len(self._operations)} operations await their final response: "
                f"{self.window} may at a time"
            )
        if request.message_id in self._operations:
            raise LocalProtocolError(f"Message ID {request.message_id} is that of an operation that is outstanding")

    def begin(self, context_id: int, request: Request, now: float) -> None:
        """Note a request that has been sent."""
        # A query may take long to find its first match; from then on, and for the other services, responses are due.
        seconds = self._timeouts.first_response if isinstance(request, CFindRQ) else self._timeouts.dimse
        operation = Invoked(context_id, request.message_id, request, seconds, None)
        self._operations[request.message_id] = operation
        _restart(operation, seconds, now)

    def note_pending(self, operation: Invoked, now: float) -> None:
        """Note a response that is not the last."""
        if not operation.is_expiring:
            _restart(operation, self._timeouts.dimse, now)

    def note_cancel(self, operation: Invoked, now: float) -> None:
        """Note a C-CANCEL of the user: the final response is due."""
        operation.is_cancelled = True
        _restart(operation, self._timeouts.dimse, now)

    def note_expiry(self, operation: Invoked, now: float) -> None:
        """Note the C-CANCEL after a time-out: the final response is due soon."""
        operation.is_cancelled = operation.is_expiring = True
        operation.deadline = now + min(operation.seconds or 0.0, CANCEL_PATIENCE)

    def end(self, operation: Invoked) -> None:
        """Note the final response."""
        del self._operations[operation.message_id]

    def expired(self, now: float) -> Invoked | None:
        """Return an operation whose response is overdue."""
        overdue = (each for each in self if each.deadline is not None and each.deadline <= now)
        return next(overdue, None)

    def next_deadline(self) -> float | None:
        """When the next response is overdue."""
        return min((each.deadline for each in self if each.deadline is not None), default=None)

    def fail(self) -> tuple[int, ...]:
        """Forget all operations; return their Message IDs."""
        message_ids = tuple(self._operations)
        self._operations.clear()
        return message_ids


def _restart(operation: Invoked, seconds: float | None, now: float) -> None:
    operation.seconds = seconds
    operation.deadline = None if seconds is None else now + seconds


@dataclass(slots=True)
class Performed:
    """A request of the peer's, until our final response; ``framers`` by the status of Pending responses."""

    context: AcceptedContext
    request: Request
    is_cancelled: bool = False
    framers: dict[int, PendingFramer] = field(default_factory=dict)


class PerformedOperations:
    """The peer's requests that wait for responses; ``window`` is how many run at a time, 0 for any number."""

    def __init__(self) -> None:
        self.window = 1
        self._running: dict[int, Performed] = {}
        self._waiting: deque[RequestReceived] = deque()

    def __len__(self) -> int:
        return len(self._running) + len(self._waiting)

    def __iter__(self) -> Iterator[Performed]:
        return iter(self._running.values())

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._running or any(each.command.message_id == message_id for each in self._waiting)

    def get(self, message_id: int) -> Performed | None:
        """Return the running operation of this Message ID."""
        return self._running.get(message_id)

    @property
    def is_full(self) -> bool:
        """Whether not even one more request may wait."""
        return len(self._waiting) >= QUEUE_LIMIT

    @property
    def has_room(self) -> bool:
        """Whether a request would not have to wait."""
        return not self._waiting and (not self.window or len(self._running) < self.window)

    def wait(self, received: RequestReceived) -> None:
        """Keep a request until it is its turn."""
        self._waiting.append(received)

    def begin(self, received: RequestReceived) -> RequestReceived:
        """Note a request that is told to the user, and return it."""
        self._running[received.command.message_id] = Performed(received.context, received.command)
        return received

    def begin_next(self) -> RequestReceived | None:
        """Let the next request have its turn, if there is one."""
        if self._waiting and (not self.window or len(self._running) < self.window):
            return self.begin(self._waiting.popleft())
        return None

    def end(self, message_id: int) -> None:
        """Note the final response."""
        del self._running[message_id]

    def withdraw(self, message_id: int) -> RequestReceived | None:
        """Take a request back that still waits for its turn."""
        for received in self._waiting:
            if received.command.message_id == message_id and isinstance(received.command, CFindRQ):
                self._waiting.remove(received)
                return received
        return None

    def fail(self) -> None:
        """Forget all operations."""
        self._running.clear()
        self._waiting.clear()


class Arrival(NamedTuple):
    """A request that has arrived, with what decides whether it is refused at once."""

    context: AcceptedContext
    request: Request
    is_oversized: bool
    we_are_scp: bool
    is_outstanding: bool


class Refusal(NamedTuple):
    """A reason to refuse a request without asking the user: the status (PS3.7 C) and what its Error Comment says."""

    applies: Callable[[Arrival], bool]
    status: int
    comment: str = ""


def _is_of_another_service(arrival: Arrival) -> bool:
    sop_class = SERVED_BY_UID.get(arrival.context.abstract_syntax)
    return sop_class is not None and sop_class.service != SERVICES[type(arrival.request)]


# The first row that applies counts; 0210 and 0211 have no Error Comment.
REFUSALS: Final = (
    Refusal(lambda arrival: arrival.is_outstanding, 0x0210),
    Refusal(lambda arrival: not arrival.we_are_scp, 0x0122, "no SCP role on this presentation context"),
    Refusal(
        lambda arrival: arrival.request.affected_sop_class_uid != arrival.context.abstract_syntax,
        0x0122,
        "SOP class is not the abstract syntax of the context",
    ),
    Refusal(_is_of_another_service, 0x0211),
    Refusal(lambda arrival: arrival.is_oversized, 0xA700, "data set is longer than the limit"),
)


def refusal_of(arrival: Arrival) -> Response | None:
    """Return the response that refuses a request, None if the user is to answer it."""
    for refusal in REFUSALS:
        if refusal.applies(arrival):
            return response_to(arrival.request, refusal.status, error_comment=refusal.comment)
    return None
