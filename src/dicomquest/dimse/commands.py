"""The messages of the DIMSE services as values: one frozen class each (PS3.7 9.3, 10.3, E).

Their fields are named like the command elements; ``MESSAGES`` says what a message must have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, IntEnum, auto
from typing import Final, NamedTuple, TypeAlias

from dicomquest.standard import statuses

RESPONSE: Final = 0x8000
"""The bit that makes the Command Field of a request that of its response (PS3.7 E.1)."""

NO_DATA_SET: Final = 0x0101
"""The one value of Command Data Set Type that says that no data set follows (PS3.7 E.1)."""

DATA_SET: Final = 0x0001
"""The value that is sent for a data set; peers send any other value but 0101H."""

PENDING: Final = frozenset({statuses.PENDING, statuses.PENDING_WITH_UNSUPPORTED_KEYS})
"""The statuses after which more responses follow; FF01 is only of C-FIND (PS3.4 C.4.1.1.4)."""


class Priority(IntEnum):
    """Priority (0000,0700) of a request (PS3.7 E.1)."""

    MEDIUM = 0
    HIGH = 1
    LOW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoRQ:
    """The question to a peer whether it answers."""

    message_id: int
    affected_sop_class_uid: str = ""
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoRSP:
    """The answer to C-ECHO."""

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str = ""
    offending_element: tuple[int, ...] = ()
    error_comment: str = ""
    error_id: int | None = None
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindRQ:
    """A query; the data set that follows is its identifier."""

    message_id: int
    affected_sop_class_uid: str = ""
    priority: int = Priority.MEDIUM
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindRSP:
    """A match, if the status is Pending, its identifier follows; else the end of the query."""

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str = ""
    offending_element: tuple[int, ...] = ()
    error_comment: str = ""
    error_id: int | None = None
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetRQ:
    """A request for instances over this association; its identifier selects them."""

    message_id: int
    affected_sop_class_uid: str = ""
    priority: int = Priority.MEDIUM
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _RetrieveResponse:
    """The elements of a response with counts of sub-operations (PS3.7 9.3.3, 9.3.4)."""

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str = ""
    offending_element: tuple[int, ...] = ()
    error_comment: str = ""
    error_id: int | None = None
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetRSP(_RetrieveResponse):
    """The progress of C-GET, or its end; only the end may have an identifier: the failed UIDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveRQ:
    """A request to send instances to another AE; its identifier selects them."""

    message_id: int
    affected_sop_class_uid: str = ""
    move_destination: str = ""
    priority: int = Priority.MEDIUM
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveRSP(_RetrieveResponse):
    """The progress of C-MOVE, or its end; only the end may have an identifier: the failed UIDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CCancelRQ:
    """A request to end the operation of this Message ID; it has no response of its own."""

    message_id_being_responded_to: int
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreRQ:
    """An instance to store; it is the data set that follows."""

    message_id: int
    affected_sop_class_uid: str = ""
    affected_sop_instance_uid: str = ""
    priority: int = Priority.MEDIUM
    move_originator_application_entity_title: str = ""
    move_originator_message_id: int | None = None
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreRSP:
    """The outcome of storing an instance."""

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str = ""
    affected_sop_instance_uid: str = ""
    offending_element: tuple[int, ...] = ()
    error_comment: str = ""
    error_id: int | None = None
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateRQ:
    """A request to make an instance; the data set that follows has its attributes.

    The performer chooses a UID for an instance that the request names by none.
    """

    message_id: int
    affected_sop_class_uid: str = ""
    affected_sop_instance_uid: str = ""
    has_data_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetRQ:
    """A request to change an instance; the data set that follows has the attributes to change."""

    message_id: int
    requested_sop_class_uid: str = ""
    requested_sop_instance_uid: str = ""
    has_data_set: bool = True

    @property
    def affected_sop_class_uid(self) -> str:
        """The SOP class, by the name that all other requests and the response have for it."""
        return self.requested_sop_class_uid

    @property
    def affected_sop_instance_uid(self) -> str:
        """The instance, by the name that the response has for it."""
        return self.requested_sop_instance_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class _NormalizedResponse:
    """The elements of a response to N-CREATE or N-SET (PS3.7 10.3.3, 10.3.5)."""

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str = ""
    affected_sop_instance_uid: str = ""
    attribute_identifier_list: tuple[int, ...] = ()
    offending_element: tuple[int, ...] = ()
    error_comment: str = ""
    error_id: int | None = None
    has_data_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateRSP(_NormalizedResponse):
    """The outcome of making an instance; a data set has the attributes that it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetRSP(_NormalizedResponse):
    """The outcome of changing an instance; a data set has the attributes that were changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCommand:
    """A message that is not in ``MESSAGES``: of another DIMSE-N service, or of no service."""

    command_field: int
    message_id: int | None = None
    message_id_being_responded_to: int | None = None
    affected_sop_class_uid: str = ""
    status: int | None = None
    has_data_set: bool = False

    @property
    def is_response(self) -> bool:
        """Tell whether its Command Field is that of a response."""
        return self.command_field & RESPONSE != 0


RetrieveRQ: TypeAlias = CGetRQ | CMoveRQ
RetrieveRSP: TypeAlias = CGetRSP | CMoveRSP
Cancellable: TypeAlias = CFindRQ | CGetRQ | CMoveRQ
"""The requests that C-CANCEL ends."""
NormalizedRQ: TypeAlias = NCreateRQ | NSetRQ
NormalizedRSP: TypeAlias = NCreateRSP | NSetRSP
Request: TypeAlias = CEchoRQ | CFindRQ | CStoreRQ | CGetRQ | CMoveRQ | NCreateRQ | NSetRQ
Response: TypeAlias = CEchoRSP | CFindRSP | CStoreRSP | CGetRSP | CMoveRSP | NCreateRSP | NSetRSP
Command: TypeAlias = Request | Response | CCancelRQ | UnknownCommand


class DataSetRule(Enum):
    """The rule by which a message has a data set (PS3.7 9.3, 10.3)."""

    NEVER = auto()
    ALWAYS = auto()
    IF_PENDING = auto()
    AT_THE_END = auto()
    """A final response may have one, a Pending one has none."""
    OPTIONAL = auto()


class Message(NamedTuple):
    """A row of ``MESSAGES``: the class of its values, its Command Field, its fields (PS3.7 E.1).

    A receiver cannot do without the fields in ``required``; a sender fills those in ``sent`` too.
    """

    name: str
    command: type[Command]
    command_field: int
    data_set: DataSetRule
    required: tuple[str, ...]
    sent: tuple[str, ...] = ()


_NEVER, _ALWAYS, _IF_PENDING, _AT_THE_END, _OPTIONAL = DataSetRule
_ID, _ID_RESPONDED_TO = "message_id", "message_id_being_responded_to"
_CLASS, _INSTANCE = "affected_sop_class_uid", "affected_sop_instance_uid"
_REQUESTED = "requested_sop_class_uid", "requested_sop_instance_uid"

# fmt: off
MESSAGES = (
    Message("C-STORE-RQ",  CStoreRQ,  0x0001, _ALWAYS,     (_ID,), (_CLASS, _INSTANCE)),
    Message("C-STORE-RSP", CStoreRSP, 0x8001, _NEVER,      (_ID_RESPONDED_TO, "status")),
    Message("C-GET-RQ",    CGetRQ,    0x0010, _ALWAYS,     (_ID,), (_CLASS,)),
    Message("C-GET-RSP",   CGetRSP,   0x8010, _AT_THE_END, (_ID_RESPONDED_TO, "status")),
    Message("C-FIND-RQ",   CFindRQ,   0x0020, _ALWAYS,     (_ID,), (_CLASS,)),
    Message("C-FIND-RSP",  CFindRSP,  0x8020, _IF_PENDING, (_ID_RESPONDED_TO, "status")),
    Message("C-MOVE-RQ",   CMoveRQ,   0x0021, _ALWAYS,     (_ID,), (_CLASS, "move_destination")),
    Message("C-MOVE-RSP",  CMoveRSP,  0x8021, _AT_THE_END, (_ID_RESPONDED_TO, "status")),
    Message("C-ECHO-RQ",   CEchoRQ,   0x0030, _NEVER,      (_ID,), (_CLASS,)),
    Message("C-ECHO-RSP",  CEchoRSP,  0x8030, _NEVER,      (_ID_RESPONDED_TO, "status")),
    Message("C-CANCEL-RQ", CCancelRQ, 0x0FFF, _NEVER,      (_ID_RESPONDED_TO,)),
    Message("N-SET-RQ",    NSetRQ,    0x0120, _ALWAYS,     (_ID,), _REQUESTED),
    Message("N-SET-RSP",   NSetRSP,   0x8120, _OPTIONAL,   (_ID_RESPONDED_TO, "status")),
    Message("N-CREATE-RQ", NCreateRQ, 0x0140, _OPTIONAL,   (_ID,), (_CLASS,)),
    Message("N-CREATE-RSP", NCreateRSP, 0x8140, _OPTIONAL, (_ID_RESPONDED_TO, "status")),
)

# fmt: on

UNKNOWN = Message("a message of another service", UnknownCommand, 0, DataSetRule.NEVER, ())
"""The row of whatever has no row in ``MESSAGES``."""

_NAMES = {message.command: message.name for message in MESSAGES}
_RESPONSES: dict[type[Request], type[Response]] = {
    CEchoRQ: CEchoRSP,
    CFindRQ: CFindRSP,
    CStoreRQ: CStoreRSP,
    CGetRQ: CGetRSP,
    CMoveRQ: CMoveRSP,
    NCreateRQ: NCreateRSP,
    NSetRQ: NSetRSP,
}


def name_of(command: Command) -> str:
    """Return the message's name in the Standard, such as C-FIND-RQ."""
    if isinstance(command, UnknownCommand):
        return f"command {command.command_field:04X}H"
    return _NAMES[type(command)]


def response_to(
    request: Request,
    status: int,
    *,
    error_comment: str = "",
    offending_element: tuple[int, ...] = (),
    error_id: int | None = None,
    has_attributes: bool = False,
) -> Response:
    """Return the response to a request; only a Pending one to C-FIND has a data set.

    The offending elements of a DIMSE-N request are its Attribute Identifier List (PS3.7 C); its
    response has a data set if it has attributes.
    """
    if isinstance(request, CStoreRQ):
        return CStoreRSP(
            message_id_being_responded_to=request.message_id,
            status=status,
            affected_sop_class_uid=echoed_uid(request.affected_sop_class_uid),
            affected_sop_instance_uid=echoed_uid(request.affected_sop_instance_uid),
            offending_element=offending_element,
            error_comment=error_comment,
        )
    response = _RESPONSES[type(request)](
        message_id_being_responded_to=request.message_id,
        status=status,
        affected_sop_class_uid=echoed_uid(request.affected_sop_class_uid),
        offending_element=offending_element,
        error_comment=error_comment,
        has_data_set=isinstance(request, CFindRQ) and status in PENDING,
    )
    if isinstance(request, NormalizedRQ) and isinstance(response, NormalizedRSP):
        return replace(
            response,
            affected_sop_instance_uid=echoed_uid(request.affected_sop_instance_uid),
            attribute_identifier_list=offending_element,
            offending_element=(),
            error_id=error_id,
            has_data_set=has_attributes,
        )
    return response


def with_sop_class(request: Request, uid: str) -> Request:
    """Return a request that names this SOP class."""
    if isinstance(request, NSetRQ):
        return replace(request, requested_sop_class_uid=uid)
    return replace(request, affected_sop_class_uid=uid)


class SubOperations(NamedTuple):
    """The counts of sub-operations in a response; None is left out (PS3.4 C.4.2.1.6 to 9)."""

    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None


def sub_operations_of(response: RetrieveRSP) -> SubOperations:
    """Return the counts that a response has."""
    return SubOperations(
        response.number_of_remaining_suboperations,
        response.number_of_completed_suboperations,
        response.number_of_failed_suboperations,
        response.number_of_warning_suboperations,
    )


def retrieve_response(
    request: RetrieveRQ,
    status: int,
    counts: SubOperations,
    *,
    error_comment: str = "",
    offending_element: tuple[int, ...] = (),
    has_data_set: bool = False,
) -> RetrieveRSP:
    """Return the response to a retrieve; only a final one may have a data set."""
    response = CGetRSP if isinstance(request, CGetRQ) else CMoveRSP
    return response(
        message_id_being_responded_to=request.message_id,
        status=status,
        affected_sop_class_uid=echoed_uid(request.affected_sop_class_uid),
        offending_element=offending_element,
        error_comment=error_comment,
        number_of_remaining_suboperations=counts.remaining,
        number_of_completed_suboperations=counts.completed,
        number_of_failed_suboperations=counts.failed,
        number_of_warning_suboperations=counts.warning,
        has_data_set=has_data_set,
    )


_ECHOED_UID = re.compile(r"[0-9.]{1,256}")


def echoed_uid(uid: str) -> str:
    """Return a request's UID for its response, "" if it is none.

    Else a peer that reads nothing could have 60 KB sent for each small command. Leading zeros and
    up to 256 characters are let pass: instances have such UIDs, and their SCU waits for its own.
    """
    return uid if _ECHOED_UID.fullmatch(uid) else ""
