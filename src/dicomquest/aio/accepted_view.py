"""The public view of an association as acceptor, as handlers have it (PS3.8 7)."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from dicomquest import evt
from dicomquest.aio.server_settings import ServerSettings
from dicomquest.dimse.session import Session
from dicomquest.services.contexts import PresentationContext, as_uid, rejected_contexts
from dicomquest.services.life_cycle import LifeCycle, LifeStage
from dicomquest.services.request import ServiceUser
from dicomquest.services.timeouts import HasTimeouts
from dicomquest.ul.timers import Timeouts

LOGGER = logging.getLogger("dicomquest.server")


_NOT_KNOWN_YET = ServiceUser("", "", 0)


class ViewHost(Protocol):
    """The server as the view of an association needs it."""

    @property
    def settings(self) -> ServerSettings:
        """The settings that hold for every association."""

    @property
    def handlers(self) -> evt.Handlers:
        """The handlers that are bound now."""


class AcceptedView(LifeCycle, HasTimeouts, evt.HasHandlers):
    """The view of an association as acceptor, in the shape that pynetdicom's users know.

    - ``number`` counts the server's associations, as its log has it.
    - ``requestor`` and ``acceptor`` describe the two sides.
    """

    is_requestor = False
    is_acceptor = True

    def __init__(self, server: ViewHost, number: int) -> None:
        self.number = number
        self.requestor = self.acceptor = _NOT_KNOWN_YET
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._session = Session.acceptor(
            server.settings.timeouts, monotonic(), server.settings.session
        )
        self._stage = LifeStage.REQUESTED
        self._own_handlers: evt.Handlers | None = None
        self._own_timeouts: Timeouts | None = None

    @property
    def stage(self) -> LifeStage:
        """The stage of its life that the association has come to."""
        return self._stage

    @property
    def ae(self) -> Any:
        """The AE whose server this is, None for a server without one."""
        return self._server.settings.ae

    @property
    def handlers(self) -> evt.Handlers:
        """The handlers that are bound now: those of the server, unless it got its own."""
        return self._server.handlers if self._own_handlers is None else self._own_handlers

    def bind(
        self, event: evt.EventType, handler: Callable[..., Any], args: list[Any] | None = None
    ) -> None:
        """Bind a handler for this association alone, from now on."""
        self._own_handlers = self.handlers.copy()
        super().bind(event, handler, args)

    def unbind(self, event: evt.EventType, handler: Callable[..., Any]) -> None:
        """Undo the binding of a handler for this association alone, from now on."""
        self._own_handlers = self.handlers.copy()
        super().unbind(event, handler)

    @property
    def _timeouts(self) -> Timeouts:
        return self._own_timeouts or self._server.settings.timeouts

    def _use_timeouts(self, timeouts: Timeouts) -> None:
        self._own_timeouts = timeouts
        self._loop.call_soon_threadsafe(self._session.set_timeouts, timeouts)

    def is_alive(self) -> bool:
        """Tell whether the association is established; it has no thread to be alive."""
        return self.is_established

    @property
    def accepted_contexts(self) -> list[PresentationContext]:
        """The presentation contexts that the requestor may use, with the roles of this side."""
        return [
            PresentationContext(
                as_uid(context.abstract_syntax),
                [as_uid(context.transfer_syntax)],
                context.context_id,
                result=0,
                as_scu=context.requestor_is_scp,
                as_scp=context.requestor_is_scu,
            )
            for context in self._session.contexts.values()
        ]

    @property
    def rejected_contexts(self) -> list[PresentationContext]:
        """The presentation contexts that were not accepted; ``result`` says why."""
        return rejected_contexts(self.requestor.primitive, self.acceptor.primitive)

    @property
    def extended_negotiation(self) -> dict[str, bytes]:
        """The answers to the SOP class extended negotiation, by SOP class UID (PS3.7 D.3.3.5)."""
        return dict(self.acceptor.sop_class_extended)

    @abstractmethod
    def end(self) -> None:
        """Abort the association, in the event loop's thread."""

    def abort(self) -> None:
        """End the association now, with A-ABORT; from any thread."""
        self._loop.call_soon_threadsafe(self.end)

    def log_negotiation(self) -> None:
        """Show the peer and each presentation context with its result, at DEBUG."""
        if LOGGER.isEnabledFor(logging.DEBUG):
            LOGGER.debug("association %d: the peer is %s", self.number, self.requestor)
            for words, contexts in (
                ("proposed", self.requestor.requested_contexts),
                ("answered", [*self.accepted_contexts, *self.rejected_contexts]),
            ):
                for context in contexts:
                    shown = str(context).replace("\n", "; ")
                    LOGGER.debug("association %d: %s: %s", self.number, words, shown)
