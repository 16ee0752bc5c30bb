"""The events of a session, what it tells its user (PS3.7 9.1, PS3.8 7).

``Session.events`` returns them in the order in which they happened. After ``Released``, ``Aborted``
or ``AssociationRejected`` nothing comes but ``Ended``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from dicomquest.dimse.commands import Command, Request, Response
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, AAssociateRQ
from dicomquest.ul.negotiation import AcceptedContext


@dataclass(frozen=True, slots=True)
class AssociationRequested:
    """The peer wants an association: answer with ``accept`` or ``reject``."""

    rq: AAssociateRQ


@dataclass(frozen=True, slots=True)
class AssociationAccepted:
    """The peer accepted; ``contexts`` are the accepted presentation contexts by their ID."""

    ac: AAssociateAC
    contexts: Mapping[int, AcceptedContext]


@dataclass(frozen=True, slots=True)
class AssociationRejected:
    """The peer refused."""

    rj: AAssociateRJ


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request, to be answered by ``send_pending`` and ``send_response``.

    Its AffectedSOPClassUID is that of the context; ``is_class_told`` is False if the peer named
    none. ``data_set`` is None if the peer announced none, though the service may need one. With
    ``is_streamed`` the data set follows as ``DataSetFragmentReceived``; the request may be answered
    before its end.
    """

    context: AcceptedContext
    command: Request
    data_set: bytes | None
    is_streamed: bool = False
    is_class_told: bool = True


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request that the session itself has refused by ``response``: for the log."""

    command: Request
    response: Response


@dataclass(frozen=True, slots=True)
class DataSetFragmentReceived:
    """A part of the data set of a streamed request; the last one may be empty."""

    message_id: int
    fragment: bytes
    is_last: bool


class ResponseReceived(NamedTuple):
    """A response to one of our requests; any status but Pending ends the operation.

    A Pending one of C-FIND has a data set, and the final one of a retrieve may have one; a data set
    of another is thrown away. ``data_set`` is None if there was none, or if it was longer than the
    limit (``is_oversized``).
    """

    # A NamedTuple, where the other events are dataclasses: one is made for each match of a query.

    context: AcceptedContext
    command: Response
    data_set: bytes | None
    is_oversized: bool = False


class ResponsesReceived(NamedTuple):
    """Pending responses of a query that differ in their data sets only."""

    context: AcceptedContext
    command: Response
    data_sets: list[bytes]

    def apart(self) -> list[ResponseReceived]:
        """Return them one by one."""
        # A tuple's own constructor takes a third of the time of that of a NamedTuple.
        new, context, command = tuple.__new__, self.context, self.command
        return [new(ResponseReceived, (context, command, each, False)) for each in self.data_sets]


@dataclass(frozen=True, slots=True)
class CancelReceived:
    """The peer wants an operation to end, by C-CANCEL or A-RELEASE-RQ; a final response is due."""

    message_id: int


@dataclass(frozen=True, slots=True)
class MessageIgnored:
    """A message that does no harm and belongs to nothing: for the log."""

    command: Command
    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """The association ended, not by failure.

    ``is_orderly`` is False if the peer just closed the connection while nothing was going on.
    ``outstanding`` are the Message IDs of our requests that get no response any more.
    """

    is_orderly: bool = True
    outstanding: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association failed, and all its operations: by A-ABORT or by loss of the connection.

    ``source`` and ``reason`` are those of PS3.8 9.3.8; ``outstanding`` are the Message IDs of our
    requests that get no response any more. It is told once.
    """

    source: int
    reason: int
    by_peer: bool
    message: str
    outstanding: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event: close the connection, after sending what is left; ``message`` says why."""

    message: str = ""


SessionEvent: TypeAlias = (
    AssociationRequested
    | AssociationAccepted
    | AssociationRejected
    | RequestReceived
    | RequestRefused
    | DataSetFragmentReceived
    | ResponseReceived
    | CancelReceived
    | MessageIgnored
    | Released
    | Aborted
    | Ended
)


def apart(events: list[SessionEvent | ResponsesReceived]) -> list[SessionEvent]:
    """Return events with each response of its own."""
    return [
        each
        for event in events
        for each in (event.apart() if isinstance(event, ResponsesReceived) else (event,))
    ]
