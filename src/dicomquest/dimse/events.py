"""What a session tells its user (PS3.7 9.1, PS3.8 7)."""

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
    """A request to be answered by ``send_pending`` and ``send_response``; AffectedSOPClassUID is that of the context.

    ``data_set`` is None where the peer announced none, though the service needs one. With ``is_streamed`` the data set
    follows as ``DataSetFragmentReceived``; the request may be answered before its end. ``is_class_told`` is False where
    the peer named no SOP class.
    """

    context: AcceptedContext
    command: Request
    data_set: bytes | None
    is_streamed: bool = False
    is_class_told: bool = True


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request that nobody need be asked about; ``response`` has been sent: for the log."""

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

    Only Pending responses have a data set: what a peer adds to a final one is thrown away. None means that there was
    none, or with ``is_oversized`` that it was longer than the limit.
    """

    context: AcceptedContext
    command: Response
    data_set: bytes | None
    is_oversized: bool = False


@dataclass(frozen=True, slots=True)
class CancelReceived:
    """The peer wants this running C-FIND to end, by C-CANCEL or by asking for release; a final response is due."""

    message_id: int


@dataclass(frozen=True, slots=True)
class MessageIgnored:
    """The peer sent what does no harm and belongs to nothing: for the log."""

    command: Command
    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """The association ended, not by failure.

    ``is_orderly`` is False when the peer just closed the connection, with nothing going on. ``outstanding`` has the
    Message IDs of our requests that will get no response any more.
    """

    is_orderly: bool = True
    outstanding: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association failed, with all that was going on: by an A-ABORT of either side, or by loss of the connection.

    ``source`` and ``reason`` are those of PS3.8 9.3.8; ``outstanding`` has the Message IDs of our requests that will
    get no response any more. This is told once.
    """

    source: int
    reason: int
    by_peer: bool
    message: str
    outstanding: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event: close the connection, after what is left to send. ``message`` says what ended it."""

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
