"""What handlers can be bound to and what they are given, by the names that pynetdicom's users know."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

from dicomquest.dimse.commands import CEchoRQ, CFindRQ, CStoreRQ

# Handlers are given pydicom's types, most who import this bind none: it is imported where it is used.
if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

LOGGER = logging.getLogger("dicomquest.evt")


class NotificationEvent(NamedTuple):
    """Something that happened; any number of handlers are told, and what they return is not used."""

    name: str
    description: str
    is_intervention: bool = False
    is_notification: bool = True

    def __str__(self) -> str:
        return self.name


class InterventionEvent(NamedTuple):
    """Something that asks for an answer: one handler is called, and what it returns or yields is the answer."""

    name: str
    description: str
    is_intervention: bool = True
    is_notification: bool = False

    def __str__(self) -> str:
        return self.name


EVT_CONN_OPEN = NotificationEvent("EVT_CONN_OPEN", "Connection opened")
EVT_CONN_CLOSE = NotificationEvent("EVT_CONN_CLOSE", "Connection closed")
EVT_REQUESTED = NotificationEvent("EVT_REQUESTED", "Association requested")
EVT_ACCEPTED = NotificationEvent("EVT_ACCEPTED", "Association accepted")
EVT_REJECTED = NotificationEvent("EVT_REJECTED", "Association rejected")
EVT_ESTABLISHED = NotificationEvent("EVT_ESTABLISHED", "Association established")
EVT_RELEASED = NotificationEvent("EVT_RELEASED", "Association released")
EVT_ABORTED = NotificationEvent("EVT_ABORTED", "Association aborted")

EVT_C_ECHO = InterventionEvent("EVT_C_ECHO", "C-ECHO request received")
EVT_C_FIND = InterventionEvent("EVT_C_FIND", "C-FIND request received")
EVT_SOP_EXTENDED = InterventionEvent("EVT_SOP_EXTENDED", "SOP class extended negotiation requested")
EVT_USER_ID = InterventionEvent("EVT_USER_ID", "User identity negotiation requested")

EventType: TypeAlias = NotificationEvent | InterventionEvent
Binding: TypeAlias = (
    tuple[EventType, Callable[..., Any]] | tuple[EventType, Callable[..., Any], list[Any] | None]
)
"""What ``evt_handlers=[...]`` lists: the event, its handler and the handler's further arguments."""


@dataclass(frozen=True, slots=True)
class BoundHandler:
    """A handler with the arguments that follow its event."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self, event: Event) -> Any:
        """Call the handler with an event."""
        return self.function(event, *self.arguments)


class Handlers:
    """Which handlers are bound to which event."""

    def __init__(self, bindings: Iterable[Binding] = ()) -> None:
        self._bound: dict[EventType, tuple[BoundHandler, ...]] = {}
        for binding in bindings:
            self.bind(*binding)

    def bind(
        self, event: EventType, handler: Callable[..., Any], args: list[Any] | None = None
    ) -> None:
        """Bind one more handler to a notification, or the only one to an intervention event."""
        bound = BoundHandler(handler, tuple(args or ()))
        earlier = self._bound.get(event, ())
        if event.is_intervention:
            self._bound[event] = (bound,)
        elif bound not in earlier:
            self._bound[event] = (*earlier, bound)

    def unbind(self, event: EventType, handler: Callable[..., Any]) -> None:
        """Undo each binding of this handler to this event; none is fine too."""
        self._bound[event] = tuple(
            bound for bound in self._bound.get(event, ()) if bound.function != handler
        )

    def events(self) -> list[EventType]:
        """Name the events with a handler."""
        return [event for event, bound in self._bound.items() if bound]

    def bound(self, event: EventType) -> tuple[BoundHandler, ...]:
        """Look up the handlers of an event, in the order of their binding."""
        return self._bound.get(event, ())

    def notify(self, event: Event) -> None:
        """Call the handlers of a notification here and now; what they raise is logged and goes no further."""
        for bound in self.bound(event.event):
            with guarded(event.event.name):
                bound(event)


class guarded:  # noqa: N801 (read as a statement: with guarded(...))
    """Run code that is not ours (a handler, a service): log what it raises and go on; ``failure`` holds it then.

    This is the one boundary that keeps somebody's mistake from ending an association or printing a traceback, which is
    logged at DEBUG.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(failure, Exception):
            return False
        self.failure = failure
        LOGGER.error("%s: the handler raised %s: %s", self._what, type(failure).__name__, failure)
        LOGGER.debug("%s: traceback", self._what, exc_info=failure)
        return True


class PresentationContextTuple(NamedTuple):
    """The accepted presentation context on which a request came."""

    context_id: int
    abstract_syntax: UID
    transfer_syntax: UID


@dataclass(frozen=True)
class Request:
    """A DIMSE request by the names of its command elements (PS3.7 9.1); ``Identifier`` is its undecoded data set."""

    command: CEchoRQ | CFindRQ | CStoreRQ
    data_set: bytes | None
    transfer_syntax: str

    @property
    def MessageID(self) -> int:
        """The Message ID (0000,0110)."""
        return self.command.message_id

    @property
    def AffectedSOPClassUID(self) -> UID:
        """The Affected SOP Class UID (0000,0002)."""
        from pydicom import config
        from pydicom.uid import UID

        return UID(self.command.affected_sop_class_uid, config.IGNORE)

    @property
    def Priority(self) -> int | None:
        """The Priority (0000,0700): 0 medium, 1 high, 2 low; None where the message has none."""
        return None if isinstance(self.command, CEchoRQ) else self.command.priority

    @property
    def Identifier(self) -> BytesIO | None:
        """The identifier in the context's transfer syntax."""
        return None if self.data_set is None else BytesIO(self.data_set)

    @cached_property
    def identifier(self) -> Dataset:
        """The identifier, decoded; DataSetError if it is none."""
        from dicomquest.dataset.codec import decode
        from dicomquest.dataset.elements import to_pydicom

        return to_pydicom(decode(self.data_set or b"", self.transfer_syntax))


class Event:
    """What a handler is given: what happened, on which association and when, and what belongs to that event.

    | event | attributes besides ``event``, ``assoc`` and ``timestamp`` |
    | --- | --- |
    | EVT_C_FIND | ``request``, ``context``, ``message_id``, ``identifier`` (pydicom Dataset), ``is_cancelled`` |
    | EVT_C_ECHO | ``request``, ``context``, ``message_id`` |
    | EVT_CONN_OPEN, EVT_CONN_CLOSE | ``address``: (host, port) of the peer |
    | EVT_SOP_EXTENDED | ``app_info``: dict of SOP class UID to the bytes offered |
    | EVT_USER_ID | ``user_id_type``, ``primary_field``, ``secondary_field`` |
    """

    def __init__(
        self,
        assoc: Any,
        event: EventType,
        *,
        request: Request | None = None,
        cancelled: Callable[[], bool] | None = None,
        **attributes: Any,
    ) -> None:
        self.assoc = assoc
        self.event = event
        self.timestamp = datetime.now()  # noqa: DTZ005 (local time, as pynetdicom gives it)
        self._cancelled = cancelled
        if request is not None:
            attributes.update(request=request, message_id=request.MessageID)
        self._attributes = attributes

    @property
    def identifier(self) -> Dataset:
        """The C-FIND request's identifier."""
        if (
            not isinstance(request := self._attributes.get("request"), Request)
            or request.data_set is None
        ):
            raise AttributeError  # __getattr__ says the rest
        return request.identifier

    @property
    def is_cancelled(self) -> bool:
        """Whether a C-CANCEL for this request has arrived; once true it stays so."""
        return self._cancelled is not None and self._cancelled()

    def __getattr__(self, name: str) -> Any:
        # Reached only for names that are no attribute of every event.
        attributes = self.__dict__.get("_attributes", {})
        if name in attributes:
            return attributes[name]
        raise AttributeError(
            f"{self.__dict__.get('event')} has no {name!r}; it has {', '.join(attributes) or 'none'}"
        )
