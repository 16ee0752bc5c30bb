"""The events that handlers can be bound to, by pynetdicom's names (PS3.7 9.1, PS3.8 7).

A handler takes an ``Event`` and the further arguments of its binding. A *notification* tells any
number of handlers that something happened, and ignores their results. An *intervention* asks one
handler for an answer:

- EVT_C_FIND: it yields (status, identifier) pairs, FF00 or FF01 with a Dataset for each match. A
  last pair of the final status and None may follow; without one the status is Success.
- EVT_C_ECHO: it returns the status.
- EVT_C_STORE: it returns the status. It is asked for each instance that comes to a server, or to an
  association that asked for it by C-GET.
- EVT_C_GET: it yields the number of instances, then (status, instance) pairs, FF00 with a Dataset
  for each instance. That is sent before the next pair is asked for. Another status ends the
  request; without one the outcome of the sub-operations is the final status.
- EVT_C_MOVE: it yields first where the instances go, as (address, port), or as a triple with a dict
  of further arguments for ``AE.associate``; (None, None) stands for an unknown destination. The
  rest is as for EVT_C_GET.
- EVT_N_CREATE, EVT_N_SET: it returns the status and a Dataset with the attributes of the instance,
  or None. Where the request of an N-CREATE names no instance, Affected SOP Instance UID is one.
- EVT_SOP_EXTENDED: it returns a dict of SOP class UID to the bytes that answer the offer.
- EVT_USER_ID: it returns (is verified, bytes of the server's response or None).

A status is a number, or a Dataset with Status and the elements that explain it (PS3.7 C). Handlers
run in a thread of the server; coroutines and async generators run in its event loop. A handler that
raises is logged, and the peer gets a status (C311, of a C-STORE C211, of a C-GET C411, of a C-MOVE
C511, of N-CREATE and N-SET 0110), or no answer in a negotiation.

```python
from pydicom.dataset import Dataset

from dicomquest import AE, evt
from dicomquest.sop_class import StudyRootQueryRetrieveInformationModelFind as STUDY_ROOT

STUDIES = {"4711": ["2.25.1", "2.25.2"]}


def answer(event, studies):
    for uid in studies.get(event.identifier.PatientID, ()):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        match = Dataset()
        match.QueryRetrieveLevel = "STUDY"
        match.StudyInstanceUID = uid
        yield 0xFF00, match


ae = AE()
ae.add_supported_context(STUDY_ROOT)
handlers = [(evt.EVT_C_FIND, answer, [STUDIES])]
server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
server.shutdown()
```
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Never, Self, TypeAlias

from dicomquest.absent_names import no_name
from dicomquest.dimse.commands import CStoreRQ
from dicomquest.handled_request import PresentationContextTuple, Request, as_uid
from dicomquest.ul.negotiation import AcceptedContext

# Most programs that import this bind no handler, and need none of pydicom's types.
if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileMetaDataset

LOGGER = logging.getLogger("dicomquest.evt")


class NotificationEvent(NamedTuple):
    """A happening of which any number of handlers are told; their results are not used."""

    name: str
    description: str
    is_intervention: bool = False
    is_notification: bool = True

    def __str__(self) -> str:
        return self.name


class InterventionEvent(NamedTuple):
    """A request for an answer, which one handler returns or yields."""

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
EVT_C_GET = InterventionEvent("EVT_C_GET", "C-GET request received")
EVT_C_MOVE = InterventionEvent("EVT_C_MOVE", "C-MOVE request received")
EVT_C_STORE = InterventionEvent("EVT_C_STORE", "C-STORE request received")
EVT_N_CREATE = InterventionEvent("EVT_N_CREATE", "N-CREATE request received")
EVT_N_SET = InterventionEvent("EVT_N_SET", "N-SET request received")
EVT_SOP_EXTENDED = InterventionEvent("EVT_SOP_EXTENDED", "SOP class extended negotiation requested")
EVT_USER_ID = InterventionEvent("EVT_USER_ID", "User identity negotiation requested")

EventType: TypeAlias = NotificationEvent | InterventionEvent
Binding: TypeAlias = (
    tuple[EventType, Callable[..., Any]] | tuple[EventType, Callable[..., Any], list[Any] | None]
)
"""An element of ``evt_handlers=[...]``: an event, its handler, and its further arguments."""


@dataclass(frozen=True, slots=True)
class BoundHandler:
    """A handler with the arguments that follow its event."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self, event: Event) -> Any:
        """Call the handler with an event."""
        return self.function(event, *self.arguments)


class Handlers:
    """The handlers by the event that they are bound to."""

    def __init__(self, bindings: Iterable[Binding] = ()) -> None:
        self._bound: dict[EventType, tuple[BoundHandler, ...]] = {}
        for binding in bindings:
            self.bind(*binding)

    def bind(
        self, event: EventType, handler: Callable[..., Any], args: list[Any] | None = None
    ) -> None:
        """Bind one more handler to a notification, or the only one to an intervention event."""
        if not isinstance(event, NotificationEvent | InterventionEvent):
            raise TypeError(
                f"{event!r} is no event: give one of dicomquest.evt, such as evt.EVT_C_FIND"
            )
        bound = BoundHandler(handler, tuple(args or ()))
        earlier = self._bound.get(event, ())
        if event.is_intervention:
            self._bound[event] = (bound,)
        elif bound not in earlier:
            self._bound[event] = (*earlier, bound)

    def unbind(self, event: EventType, handler: Callable[..., Any]) -> None:
        """Undo each binding of this handler to this event; there may be none."""
        self._bound[event] = tuple(
            bound for bound in self._bound.get(event, ()) if bound.function != handler
        )

    def copy(self) -> Handlers:
        """Return a copy with bindings of its own."""
        copied = Handlers()
        copied._bound = dict(self._bound)
        return copied

    def events(self) -> list[EventType]:
        """List the events that have a handler, by name."""
        return sorted((event for event, bound in self._bound.items() if bound), key=str)

    def pairs(self, event: EventType) -> Any:
        """Return (handler, arguments) pairs of a notification, the one pair of an intervention.

        (None, None) stands for an intervention without a handler.
        """
        pairs = [(bound.function, list(bound.arguments) or None) for bound in self.bound(event)]
        if not event.is_intervention:
            return pairs
        return pairs[0] if pairs else (None, None)

    def bound(self, event: EventType) -> tuple[BoundHandler, ...]:
        """Return the handlers of an event, in the order of their binding."""
        return self._bound.get(event, ())

    def notify(self, event: Event) -> None:
        """Call the handlers of a notification here and now; their exceptions are only logged."""
        for bound in self.bound(event.event):
            with guarded(event.event.name):
                bound(event)


class HasHandlers(ABC):
    """The methods by which scripts bind handlers, to an association or to a server."""

    @property
    @abstractmethod
    def handlers(self) -> Handlers:
        """The handlers that are bound now."""

    def bind(
        self, event: EventType, handler: Callable[..., Any], args: list[Any] | None = None
    ) -> None:
        """Bind a handler to an event from now on; ``args`` follow the event in its calls."""
        self.handlers.bind(event, handler, args)

    def unbind(self, event: EventType, handler: Callable[..., Any]) -> None:
        """Undo the binding of a handler to an event, from now on."""
        self.handlers.unbind(event, handler)

    def get_events(self) -> list[EventType]:
        """List the events that have a handler, by name."""
        return self.handlers.events()

    def get_handlers(self, event: EventType) -> Any:
        """Return what is bound: a list of (handler, args), or one pair for an intervention."""
        return self.handlers.pairs(event)


class guarded:  # noqa: N801 (read as a statement: with guarded(...))
    """A boundary around code that is not ours: it logs an exception, and keeps it in ``failure``.

    A mistake in a handler or a service must not end an association, so every such call goes through
    here. The traceback is logged at DEBUG.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if failure is None or self.lets_pass(failure):
            return False
        self.failure = failure
        words = f"{type(failure).__name__}: {failure}".removesuffix(": ")
        LOGGER.error("%s: the handler raised %s", self._what, words)
        LOGGER.debug("%s: traceback", self._what, exc_info=failure)
        return True

    def lets_pass(self, failure: BaseException) -> bool:
        """Tell whether to let an exception pass: here what ends the program, such as Ctrl-C."""
        return not isinstance(failure, Exception)


class Event:
    """An event as a handler is given it.

    All have ``event``, ``assoc`` (the association) and ``timestamp`` (a datetime in local time).

    | Event | Further attributes |
    | --- | --- |
    | EVT_C_FIND | ``request``, ``context``, ``message_id``, ``identifier``, ``is_cancelled`` |
    | EVT_C_ECHO | ``request``, ``context``, ``message_id`` |
    | EVT_C_GET, EVT_C_MOVE | as EVT_C_FIND; ``move_destination`` of a C-MOVE |
    | EVT_C_STORE | ``request``, ``context``, ``message_id``, ``dataset``, ``file_meta``, |
    | | ``encoded_dataset()``, ``dataset_path`` |
    | EVT_N_CREATE | ``request``, ``context``, ``message_id``, ``attribute_list`` |
    | EVT_N_SET | ``request``, ``context``, ``message_id``, ``modification_list`` |
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
        """The identifier of a query or retrieve, decoded; DataSetError if unreadable."""
        if (
            not isinstance(request := self._attributes.get("request"), Request)
            or request.data_set is None
        ):
            # Python falls back to __getattr__ then, which has the words.
            raise AttributeError
        return request.identifier

    @property
    def attribute_list(self) -> Dataset:
        """The attributes of an N-CREATE request; DataSetError if they cannot be read."""
        return self._request.attribute_list

    @property
    def modification_list(self) -> Dataset:
        """The attributes of an N-SET request; DataSetError if they cannot be read."""
        return self._request.modification_list

    @property
    def dataset(self) -> Dataset:
        """The instance of a C-STORE request; DataSetError if it cannot be read."""
        return self._request.read_instance()

    @property
    def dataset_path(self) -> Path:
        """The file to which the instance was written, for the time of the call.

        It is there if the AE has an ``incoming_folder``. A handler that keeps the file moves it.
        """
        if (path := self._request.path) is None:
            raise AttributeError  # to __getattr__, which has the words
        return path

    @property
    def move_destination(self) -> str:
        """The Move Destination of a C-MOVE request, without padding."""
        return self._request.MoveDestination

    @property
    def file_meta(self) -> FileMetaDataset:
        """The File Meta Information for the instance of a C-STORE request (PS3.10 7.1)."""
        return self._request.file_meta

    def encoded_dataset(self, include_meta: bool = True) -> bytes:
        """Return the instance of a C-STORE request as it was sent, as a file unless told not to."""
        return self._request.part10 if include_meta else self._request.instance

    @property
    def _request(self) -> Request:
        request = self._attributes.get("request")
        if not isinstance(request, Request):
            raise AttributeError(f"{self.event} has no request")  # noqa: TRY004
        return request

    @property
    def is_cancelled(self) -> bool:
        """Tell whether a C-CANCEL came or the association ended; once true it stays so."""
        return self._cancelled is not None and self._cancelled()

    def __getattr__(self, name: str) -> Any:
        # Reached only for names that not every event has. By __dict__, because copy and pickle ask
        # before there is an _attributes, which would be looked for here, without end.
        attributes = self.__dict__.get("_attributes", {})
        if name in attributes:
            return attributes[name]
        if name == "dataset_path" and self.__dict__.get("event") is EVT_C_STORE:
            words = "the instance is in memory: set AE.incoming_folder to have it in a file"
            raise AttributeError(words)
        raise AttributeError(
            f"{self.__dict__.get('event')} has no {name!r}; "
            f"it has {', '.join(attributes) or 'none'}"
        )


def store_event(
    assoc: Any,
    command: CStoreRQ,
    context: AcceptedContext,
    *,
    data_set: bytes | None,
    path: Path | None,
) -> Event:
    """Make the event of an instance that has arrived, in memory or in a file."""
    return Event(
        assoc,
        EVT_C_STORE,
        request=Request(command, data_set, context.transfer_syntax, path),
        context=context_tuple(context),
    )


def context_tuple(context: AcceptedContext) -> PresentationContextTuple:
    """Return a presentation context as handlers have it."""
    return PresentationContextTuple(
        context.context_id, as_uid(context.abstract_syntax), as_uid(context.transfer_syntax)
    )


def __getattr__(name: str) -> Never:
    raise no_name(__name__, name)
