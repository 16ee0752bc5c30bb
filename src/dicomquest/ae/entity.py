"""The application entity (PS3.8 3.5.1): the front door for scripts, in the shape that pynetdicom's users know."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Literal, overload

from pydicom.uid import UID

from dicomquest import evt
from dicomquest.ae.negotiation_items import NegotiationItem, with_items
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.items import MAXIMUM_CONTEXTS
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MAXIMUM_LENGTH,
    UserInformation,
)
from dicomquest.scu.proposal import SCU_ARTIM, patience, peer_at
from dicomquest.scu.requestor import Requestor
from dicomquest.services.contexts import PresentationContext, as_uid, build_context
from dicomquest.sync import Association
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax, propose_contexts
from dicomquest.ul.timers import Timeouts

# Imported where they are needed: a program that only asks starts a third sooner without asyncio and the server.
if TYPE_CHECKING:
    from dicomquest.ae.background import RunningServer
    from dicomquest.aio.client import AsyncAssociation
    from dicomquest.aio.server_settings import ServerSettings

ANY_SCP = "ANY-SCP"


class AE:
    """An application entity: its title, what it asks for as SCU, what it answers as SCP, and how patient it is.

    Time-outs are in seconds; None waits for ever. They hold for associations and servers that begin later.
    """

    def __init__(self, ae_title: str = "DICOMQUEST") -> None:
        self.ae_title = ae_title
        self.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self.implementation_version_name: str | None = IMPLEMENTATION_VERSION_NAME
        self.maximum_pdu_size = MAXIMUM_LENGTH
        self.maximum_associations = 100
        self.maximum_associations_per_peer: int | None = None
        self.require_called_aet = False
        self.require_calling_aet: list[str] = []
        self.connection_timeout: float | None = 10.0
        self.acse_timeout: float | None = 30.0
        self.dimse_timeout: float | None = 60.0
        self.network_timeout: float | None = 60.0
        self.artim_timeout: float | None = 10.0
        self._requested: list[PresentationContext] = []
        self._supported: dict[UID, PresentationContext] = {}
        self._servers: list[RunningServer] = []

    # Presentation contexts.

    @property
    def requested_contexts(self) -> list[PresentationContext]:
        """What the SCU proposes."""
        return self._requested

    @requested_contexts.setter
    def requested_contexts(self, contexts: Iterable[PresentationContext]) -> None:
        self._requested = deepcopy(_checked(contexts))

    def add_requested_context(
        self, abstract_syntax: str, transfer_syntax: str | Iterable[str] | None = None
    ) -> None:
        """Propose one more context; without transfer syntaxes, the four of the identifier (PS3.5 10)."""
        self._requested = _checked(
            [*self._requested, build_context(abstract_syntax, transfer_syntax)]
        )

    def remove_requested_context(self, abstract_syntax: str) -> None:
        """Propose no context with this abstract syntax."""
        self._requested = [
            context for context in self._requested if context.abstract_syntax != abstract_syntax
        ]

    @property
    def supported_contexts(self) -> list[PresentationContext]:
        """What the SCP accepts, by abstract syntax."""
        return [self._supported[uid] for uid in sorted(self._supported)]

    @supported_contexts.setter
    def supported_contexts(self, contexts: Iterable[PresentationContext]) -> None:
        self._supported = {context.abstract_syntax: context for context in deepcopy(list(contexts))}

    def add_supported_context(
        self,
        abstract_syntax: str,
        transfer_syntax: str | Iterable[str] | None = None,
        scu_role: bool | None = None,
        scp_role: bool | None = None,
    ) -> None:
        """Accept an abstract syntax, or accept it with further transfer syntaxes; roles as in PS3.7 D.3.3.4."""
        context = build_context(abstract_syntax, transfer_syntax)
        known = self._supported.setdefault(context.abstract_syntax, context)
        for syntax in context.transfer_syntax:
            known.add_transfer_syntax(syntax)
        known.scu_role, known.scp_role = scu_role, scp_role

    def remove_supported_context(self, abstract_syntax: str) -> None:
        """Accept this abstract syntax no more."""
        self._supported.pop(as_uid(str(abstract_syntax)), None)

    # As SCU.

    def associate(  # noqa: PLR0917
        self,
        addr: str,
        port: int,
        contexts: Iterable[PresentationContext] | None = None,
        ae_title: str = ANY_SCP,
        max_pdu: int | None = None,
        ext_neg: Iterable[NegotiationItem] = (),
        bind_address: tuple[str, int] | None = None,
        tls_args: tuple[ssl.SSLContext, str | None] | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
    ) -> Association:
        """Connect and negotiate.

        Never raises for what the network or the peer does: the association says ``is_established``, ``is_rejected`` or
        ``is_aborted``, and ``failure`` says why. Raises LocalProtocolError for a request that cannot be sent, such as
        one without contexts. ``tls_args`` is an SSLContext and the name that the peer's certificate must have.
        """
        requestor = self._requestor(contexts, ae_title, max_pdu, ext_neg)
        peer = peer_at(addr, port, tls=tls_args, bind_address=bind_address)
        association = Association(peer, requestor, evt.Handlers(evt_handlers or ()))
        association.open()
        return association

    async def associate_async(  # noqa: PLR0917
        self,
        addr: str,
        port: int,
        contexts: Iterable[PresentationContext] | None = None,
        ae_title: str = ANY_SCP,
        max_pdu: int | None = None,
        ext_neg: Iterable[NegotiationItem] = (),
        bind_address: tuple[str, int] | None = None,
        tls_args: tuple[ssl.SSLContext, str | None] | None = None,
    ) -> AsyncAssociation:
        """Connect and negotiate as ``associate`` does, in the running event loop."""
        from dicomquest.aio.client import AsyncAssociation

        requestor = self._requestor(contexts, ae_title, max_pdu, ext_neg)
        association = AsyncAssociation(
            peer_at(addr, port, tls=tls_args, bind_address=bind_address), requestor
        )
        await association.open()
        return association

    def _requestor(
        self,
        contexts: Iterable[PresentationContext] | None,
        ae_title: str,
        max_pdu: int | None,
        ext_neg: Iterable[NegotiationItem],
    ) -> Requestor:
        proposed = self._requested if contexts is None else _checked(contexts)
        information = UserInformation(
            maximum_length=self.maximum_pdu_size if max_pdu is None else max_pdu,
            implementation_class_uid=str(self.implementation_class_uid),
            implementation_version_name=self.implementation_version_name,
        )
        rq = AAssociateRQ(
            ae_title,
            self.ae_title,
            propose_contexts(
                (str(context.abstract_syntax), context.transfer_syntax) for context in proposed
            ),
            with_items(information, ext_neg or ()),
        )
        return Requestor(rq, self._timeouts(SCU_ARTIM))

    def _timeouts(self, artim: float | None) -> Timeouts:
        return patience(
            connection=self.connection_timeout,
            acse=self.acse_timeout,
            dimse=self.dimse_timeout,
            network=self.network_timeout,
            artim=artim,
        )

    # As SCP.

    @overload
    def start_server(
        self,
        address: tuple[str, int],
        block: Literal[True] = True,
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
        ae_title: str | None = None,
        contexts: Iterable[PresentationContext] | None = None,
    ) -> None: ...

    @overload
    def start_server(
        self,
        address: tuple[str, int],
        block: Literal[False],
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
        ae_title: str | None = None,
        contexts: Iterable[PresentationContext] | None = None,
    ) -> RunningServer: ...

    def start_server(  # noqa: PLR0917
        self,
        address: tuple[str, int],
        block: bool = True,
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
        ae_title: str | None = None,
        contexts: Iterable[PresentationContext] | None = None,
    ) -> RunningServer | None:
        """Answer associations on this address by the handlers, until ``shutdown`` or KeyboardInterrupt.

        With ``block=False`` a thread of its own does so, and the server is returned as soon as it listens. OSError if
        the address cannot be had.
        """
        from dicomquest.ae.background import RunningServer
        from dicomquest.aio.server import Server

        handlers = evt.Handlers(evt_handlers or ())
        settings = self._server_settings(ae_title, contexts, ssl_context, handlers)
        server = RunningServer(lambda: Server(settings, handlers), address[:2])
        self._servers.append(server)
        try:
            if not block:
                server.start()
                return server
            server.run()
            return None
        finally:
            if not server.is_running and server in self._servers:
                self._servers.remove(server)

    def shutdown(self) -> None:
        """End all servers that this AE has started."""
        for server in list(self._servers):
            server.shutdown()
        self._servers.clear()

    def _server_settings(
        self,
        ae_title: str | None,
        contexts: Iterable[PresentationContext] | None,
        ssl_context: ssl.SSLContext | None,
        handlers: evt.Handlers,
    ) -> ServerSettings:
        from dicomquest.aio.bound_handlers import BoundHandlers
        from dicomquest.aio.server_settings import ServerSettings

        supported = self.supported_contexts if contexts is None else list(contexts)
        if not supported:
            raise LocalProtocolError(
                "a server without supported presentation contexts: expected at least one"
            )
        policy = AcceptorPolicy(
            supported={
                str(context.abstract_syntax): _supported_syntax(context) for context in supported
            },
            called_ae_titles=frozenset({ae_title or self.ae_title})
            if self.require_called_aet
            else None,
            calling_ae_titles=frozenset(self.require_calling_aet) or None,
            maximum_length=self.maximum_pdu_size,
            implementation_class_uid=str(self.implementation_class_uid),
            implementation_version_name=self.implementation_version_name,
        )
        service = BoundHandlers(handlers)
        return ServerSettings(
            policy=policy,
            services=dict.fromkeys(policy.supported, service),
            timeouts=self._timeouts(self.artim_timeout),
            maximum_associations=self.maximum_associations,
            maximum_associations_per_peer=self.maximum_associations_per_peer,
            ssl_context=ssl_context,
        )


def _checked(contexts: Iterable[PresentationContext]) -> list[PresentationContext]:
    contexts = list(contexts)
    if len(contexts) > MAXIMUM_CONTEXTS:
        raise ValueError(
            f"{len(contexts)} presentation contexts: an association can propose {MAXIMUM_CONTEXTS}"
        )
    return contexts


def _supported_syntax(context: PresentationContext) -> SupportedSyntax:
    """Say how to serve a context; a role that is not spoken of is the default one, requestor SCU and acceptor SCP."""
    scu = True if context.scu_role is None else context.scu_role
    return SupportedSyntax(tuple(context.transfer_syntax), scu, bool(context.scp_role))
