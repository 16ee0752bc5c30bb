"""The application entity: the front door for scripts, in pynetdicom's call shapes (PS3.8 3.5.1)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Never, overload
from weakref import WeakSet

from pydicom.uid import UID

from dicomquest import evt
from dicomquest.absent_names import no_attribute
from dicomquest.ae.entity_text import association_lines, context_lines
from dicomquest.ae.negotiation_items import NegotiationItem, with_items
from dicomquest.ae.titles import checked_title
from dicomquest.dimse.link import REQUEST_LIMITS, SessionOptions
from dicomquest.errors import MissingContextsError
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MAXIMUM_LENGTH,
    UserInformation,
)
from dicomquest.scu.proposal import SCU_ARTIM, patience, peer_at
from dicomquest.scu.requestor import Requestor
from dicomquest.services.contexts import (
    PresentationContext,
    as_uid,
    build_context,
    checked_contexts,
    keeps_any,
)
from dicomquest.sync import Association
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax, propose_contexts
from dicomquest.ul.timers import Timeouts

# A program that only asks starts a third sooner without asyncio and the server: they are imported
# where they are needed.
if TYPE_CHECKING:
    from dicomquest.ae.background import RunningServer
    from dicomquest.aio.acceptor import AcceptedAssociation
    from dicomquest.aio.client import AsyncAssociation
    from dicomquest.aio.server_settings import ServerSettings

ANY_SCP = "ANY-SCP"


class AE:
    """An application entity: an SCU with ``associate``, an SCP with ``start_server`` (PS3.8 3.5.1).

    Its attributes hold for associations and servers that begin later:

    - ``ae_title``: its own title, at most 16 characters.
    - ``requested_contexts``, ``supported_contexts``: the presentation contexts that it proposes as
      SCU, and accepts as SCP.
    - ``maximum_pdu_size``: the longest P-DATA-TF that it takes, in bytes; 0 for any (PS3.8 D.1).
    - ``maximum_associations``, ``maximum_associations_per_peer``: limits of each server; an
      association beyond is rejected. None for no limit per address.
    - ``require_called_aet``: reject requests for another title than the server's.
    - ``require_calling_aet``: the titles that may ask; empty for all. Both hold for the next
      association of a running server, too.
    - ``connection_timeout``, ``acse_timeout``, ``dimse_timeout``, ``network_timeout``: seconds to
      wait for the connection, for an association request and for the answer to one or to a release,
      for a response, and for a peer that neither sends nor reads; None waits for ever.
    - ``retrieve_timeout``: seconds that a C-GET or C-MOVE waits for a response or an instance.
    - ``incoming_folder``: the folder where each instance that arrives is written while it arrives,
      for ``dataset_path`` of EVT_C_STORE; None keeps it in memory.
    - ``assume_scp_role``: take the instances of a C-GET also from a peer that did not grant the SCP
      role that was asked for; some archives send them all the same.
    - ``artim_timeout``: seconds that the peer of a server gets to close a connection that is over
      (PS3.8 9.1.5).
    - ``implementation_class_uid``, ``implementation_version_name``: the words about this program in
      each association (PS3.7 D.3.3.2).

    An SCP that knows one patient, and an SCU that asks it:

    ```python
    from pydicom.dataset import Dataset

    from dicomquest import AE, evt
    from dicomquest.sop_class import PatientRootQueryRetrieveInformationModelFind as PATIENT_ROOT


    def answer(event):
        match = Dataset()
        match.QueryRetrieveLevel = event.identifier.QueryRetrieveLevel
        match.PatientID = "4711"
        yield 0xFF00, match


    ae = AE("EXAMPLE")
    ae.add_supported_context(PATIENT_ROOT)
    ae.add_requested_context(PATIENT_ROOT)
    handlers = [(evt.EVT_C_FIND, answer)]
    with ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers) as server:
        query = Dataset()
        query.QueryRetrieveLevel = "PATIENT"
        query.PatientID = None
        with ae.associate(*server.server_address) as association:
            for status, match in association.send_c_find(query, PATIENT_ROOT):
                print(f"{status.Status:04X}", match and match.PatientID)
    ```
    """

    def __init__(self, ae_title: str | bytes = "DICOMQUEST") -> None:
        self.ae_title = ae_title
        self.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        self.implementation_version_name: str | None = IMPLEMENTATION_VERSION_NAME
        self.maximum_pdu_size = MAXIMUM_LENGTH
        self.maximum_associations = 100
        self.maximum_associations_per_peer: int | None = None
        self.require_called_aet = False
        self.require_calling_aet = []
        self.connection_timeout: float | None = 10.0
        self.acse_timeout: float | None = 30.0
        self.dimse_timeout: float | None = 60.0
        self.network_timeout: float | None = 60.0
        self.artim_timeout: float | None = 10.0
        self.retrieve_timeout: float | None = 600.0
        self.incoming_folder: str | os.PathLike[str] | None = None
        self.assume_scp_role = False
        self._requested: list[PresentationContext] = []
        self._supported: dict[UID, PresentationContext] = {}
        self._servers: list[RunningServer] = []
        self._associations: WeakSet[Association] = WeakSet()

    def __setattr__(self, name: str, value: Any) -> None:
        # A misspelt access list or time-out would silently not apply. A subclass has its own names.
        if name not in _NAMES:
            close = get_close_matches(name, _NAMES, 1)
            if type(self) is AE or close:
                hint = f": did you mean {close[0]!r}?" if close else ""
                raise AttributeError(f"an AE has no attribute {name!r}{hint}")
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Never:
        raise no_attribute("AE", name)

    @property
    def ae_title(self) -> str:
        """Its own title, at most 16 characters of ASCII; TitleError for another one."""
        return self._ae_title

    @ae_title.setter
    def ae_title(self, value: str | bytes) -> None:
        self._ae_title = checked_title(value)

    @property
    def require_calling_aet(self) -> list[str]:
        """The titles that may ask; empty for all."""
        return self._require_calling_aet

    @require_calling_aet.setter
    def require_calling_aet(self, titles: Iterable[str | bytes]) -> None:
        if isinstance(titles, str | bytes):
            raise TypeError(f"require_calling_aet {titles!r}: expected a list of titles")
        self._require_calling_aet = [
            checked_title(title, "require_calling_aet") for title in titles
        ]

    @property
    def requested_contexts(self) -> list[PresentationContext]:
        """The presentation contexts that this AE proposes as SCU, at most 128."""
        return self._requested

    @requested_contexts.setter
    def requested_contexts(self, contexts: Iterable[PresentationContext]) -> None:
        self._requested = deepcopy(checked_contexts(contexts))

    def add_requested_context(
        self, abstract_syntax: str, transfer_syntax: str | Iterable[str] | None = None
    ) -> None:
        """Propose one more context as SCU.

        Without ``transfer_syntax`` it has DEFAULT_TRANSFER_SYNTAXES. ValueError for the 129th
        context, or for an abstract syntax that is no UID.
        """
        self._requested = checked_contexts(
            [*self._requested, build_context(abstract_syntax, transfer_syntax)]
        )

    def remove_requested_context(
        self, abstract_syntax: str, transfer_syntax: str | Iterable[str] | None = None
    ) -> None:
        """Propose no context with this abstract syntax any more.

        With ``transfer_syntax`` only these are taken away; a context that keeps none is, too.
        """
        self._requested = [
            context
            for context in self._requested
            if context.abstract_syntax != abstract_syntax or keeps_any(context, transfer_syntax)
        ]

    @property
    def supported_contexts(self) -> list[PresentationContext]:
        """The presentation contexts that this AE accepts as SCP, in the order of their UIDs."""
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
        """Accept an abstract syntax as SCP, or accept it with further transfer syntaxes.

        ``scu_role`` and ``scp_role`` are the roles that a requestor may have who asks for them
        (PS3.7 D.3.3.4). Without ``transfer_syntax`` it has DEFAULT_TRANSFER_SYNTAXES.
        """
        context = build_context(abstract_syntax, transfer_syntax)
        known = self._supported.setdefault(context.abstract_syntax, context)
        for syntax in context.transfer_syntax:
            known.add_transfer_syntax(syntax)
        known.scu_role, known.scp_role = scu_role, scp_role

    def remove_supported_context(
        self, abstract_syntax: str, transfer_syntax: str | Iterable[str] | None = None
    ) -> None:
        """Accept this abstract syntax no more, or not in these transfer syntaxes."""
        uid = as_uid(str(abstract_syntax))
        context = self._supported.get(uid)
        if context is not None and not keeps_any(context, transfer_syntax):
            del self._supported[uid]

    @property
    def active_associations(self) -> list[AcceptedAssociation | Association]:
        """The established associations: those of this AE's servers, then those it asked for."""
        accepted = [each for server in self._servers for each in server.active_associations]
        return [*accepted, *(each for each in self._associations if each.is_established)]

    def __str__(self) -> str:
        lines = [
            "",
            f"Application Entity {self.ae_title}",
            *context_lines("Requested", self.requested_contexts),
            *context_lines("Supported", self.supported_contexts),
            "",
            f"  ACSE timeout: {self.acse_timeout} s",
            f"  DIMSE timeout: {self.dimse_timeout} s",
            f"  Network timeout: {self.network_timeout} s",
            f"  Connection timeout: {self.connection_timeout} s",
            "",
        ]
        if self.require_calling_aet:
            lines.append(f"  Required calling AE title(s): {', '.join(self.require_calling_aet)}")
        lines.append(f"  Require called AE title: {self.require_called_aet}")
        lines += association_lines(self.active_associations, self.maximum_associations)
        return "\n".join(lines)

    def associate(  # noqa: PLR0917
        self,
        addr: str,
        port: int,
        contexts: Iterable[PresentationContext] | None = None,
        ae_title: str | bytes = ANY_SCP,
        max_pdu: int | None = None,
        ext_neg: Iterable[NegotiationItem] = (),
        bind_address: tuple[str, int] | None = None,
        tls_args: tuple[ssl.SSLContext, str | None] | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
    ) -> Association:
        """Connect to a peer, and negotiate an association as SCU (PS3.8 7.1).

        - ``addr``, ``port``: the peer's host and port; ``ae_title`` is its title.
        - ``contexts``: the presentation contexts to propose, ``requested_contexts`` by default.
        - ``max_pdu``: as ``maximum_pdu_size``, for this association alone.
        - ``ext_neg``: further items of the request, such as ``build_role`` or
          ``UserIdentityNegotiation`` make.
        - ``bind_address``: the (address, port) of this end of the connection.
        - ``tls_args``: an SSLContext, and the name that the peer's certificate must have, None for
          the one in ``addr``.
        - ``evt_handlers``: (event, handler) pairs, or triples with a list of further arguments.

        The network and the peer never make it raise: the association tells its outcome by
        ``is_established``, ``is_rejected`` or ``is_aborted``, and the reason by ``failure``.
        LocalProtocolError for a request that cannot be sent, such as one without contexts.
        """
        requestor = self._requestor(contexts, ae_title, max_pdu, ext_neg)
        peer = peer_at(addr, port, tls=tls_args, bind_address=bind_address)
        association = Association(
            peer, requestor, evt.Handlers(evt_handlers or ()), self.incoming_folder
        )
        association.ae = self
        self._associations.add(association)
        association.open()
        return association

    async def associate_async(  # noqa: PLR0917
        self,
        addr: str,
        port: int,
        contexts: Iterable[PresentationContext] | None = None,
        ae_title: str | bytes = ANY_SCP,
        max_pdu: int | None = None,
        ext_neg: Iterable[NegotiationItem] = (),
        bind_address: tuple[str, int] | None = None,
        tls_args: tuple[ssl.SSLContext, str | None] | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
    ) -> AsyncAssociation:
        """Connect and negotiate as ``associate`` does, but in the running event loop.

        Of ``evt_handlers`` only that of EVT_C_STORE is called.
        """
        from dicomquest.aio.client import AsyncAssociation

        requestor = self._requestor(contexts, ae_title, max_pdu, ext_neg)
        association = AsyncAssociation(
            peer_at(addr, port, tls=tls_args, bind_address=bind_address),
            requestor,
            evt.Handlers(evt_handlers or ()),
            self.incoming_folder,
        )
        association.ae = self
        await association.open()
        return association

    def _requestor(
        self,
        contexts: Iterable[PresentationContext] | None,
        ae_title: str | bytes,
        max_pdu: int | None,
        ext_neg: Iterable[NegotiationItem],
    ) -> Requestor:
        proposed = self._requested if contexts is None else checked_contexts(contexts)
        information = UserInformation(
            maximum_length=self.maximum_pdu_size if max_pdu is None else max_pdu,
            implementation_class_uid=str(self.implementation_class_uid),
            implementation_version_name=self.implementation_version_name,
        )
        rq = AAssociateRQ(
            checked_title(ae_title),
            self.ae_title,
            propose_contexts(
                (str(context.abstract_syntax), context.transfer_syntax) for context in proposed
            ),
            with_items(information, ext_neg or ()),
        )
        timeouts = self._timeouts(SCU_ARTIM)
        return Requestor(rq, timeouts, assumes_scp_role=self.assume_scp_role)

    def _timeouts(self, artim: float | None) -> Timeouts:
        return patience(
            connection=self.connection_timeout,
            acse=self.acse_timeout,
            dimse=self.dimse_timeout,
            network=self.network_timeout,
            artim=artim,
            retrieve=self.retrieve_timeout,
        )

    @overload
    def start_server(
        self,
        address: tuple[str, int],
        block: Literal[True] = True,
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
        ae_title: str | bytes | None = None,
        contexts: Iterable[PresentationContext] | None = None,
    ) -> None: ...

    @overload
    def start_server(
        self,
        address: tuple[str, int],
        block: Literal[False],
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
        ae_title: str | bytes | None = None,
        contexts: Iterable[PresentationContext] | None = None,
    ) -> RunningServer: ...

    def start_server(  # noqa: PLR0917
        self,
        address: tuple[str, int],
        block: bool = True,
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: Iterable[evt.Binding] = (),
        ae_title: str | bytes | None = None,
        contexts: Iterable[PresentationContext] | None = None,
    ) -> RunningServer | None:
        """Answer associations as SCP, by handlers, until ``shutdown`` or KeyboardInterrupt.

        - ``address``: the (host, port) to listen on; port 0 takes a free one.
        - ``block``: False serves in a thread of its own, and returns the server once it listens.
        - ``ssl_context``: for TLS 1.2 or 1.3.
        - ``evt_handlers``: (event, handler) pairs, or triples with a list of further arguments.
        - ``ae_title``: the title for ``require_called_aet``, ``ae_title`` of the AE by default.
        - ``contexts``: the presentation contexts to accept, ``supported_contexts`` by default.

        OSError if the address is taken; MissingContextsError, a ValueError, without any context;
        ValueError for an SSLContext that allows TLS below 1.2.
        """
        from dicomquest.ae.background import RunningServer
        from dicomquest.aio.server import Server

        handlers = evt.Handlers(evt_handlers or ())
        settings = self._server_settings(ae_title, contexts, ssl_context, handlers)
        server = RunningServer(lambda: Server(settings, handlers), address[:2])
        server.ae = self
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
        """Shut down all servers that this AE has started."""
        for server in list(self._servers):
            server.shutdown()
        self._servers.clear()

    def _server_settings(
        self,
        ae_title: str | bytes | None,
        contexts: Iterable[PresentationContext] | None,
        ssl_context: ssl.SSLContext | None,
        handlers: evt.Handlers,
    ) -> ServerSettings:
        from dicomquest.aio.bound_handlers import BoundHandlers
        from dicomquest.aio.server_settings import ServerSettings

        supported = self.supported_contexts if contexts is None else list(contexts)
        if not supported:
            raise MissingContextsError(
                "a server without supported presentation contexts: add one to the AE, "
                "such as add_supported_context(Verification)"
            )
        policy = AcceptorPolicy(
            supported={
                str(context.abstract_syntax): _supported_syntax(context) for context in supported
            },
            maximum_length=self.maximum_pdu_size,
            implementation_class_uid=str(self.implementation_class_uid),
            implementation_version_name=self.implementation_version_name,
        )
        own_title = checked_title(ae_title or self.ae_title)

        def access(policy: AcceptorPolicy) -> AcceptorPolicy:
            """Apply the titles that the AE requires now, not those at the server's start."""
            return replace(
                policy,
                called_ae_titles=frozenset({own_title.strip(" ")})
                if self.require_called_aet
                else None,
                calling_ae_titles=frozenset(title.strip(" ") for title in self.require_calling_aet)
                or None,
            )

        service = BoundHandlers(handlers, self.incoming_folder)
        return ServerSettings(
            policy=policy,
            services=dict.fromkeys(policy.supported, service),
            timeouts=self._timeouts(self.artim_timeout),
            maximum_associations=self.maximum_associations,
            maximum_associations_per_peer=self.maximum_associations_per_peer,
            ssl_context=ssl_context,
            session=SessionOptions(limits=REQUEST_LIMITS, streams_stores=True),
            access=access,
            ae=self,
        )


# What may be set of an AE; a property's own name stands beside the one that holds its value.
_NAMES = frozenset({
    "ae_title", "_ae_title", "implementation_class_uid", "implementation_version_name",
    "maximum_pdu_size", "maximum_associations", "maximum_associations_per_peer",
    "require_called_aet", "require_calling_aet", "_require_calling_aet",
    "connection_timeout", "acse_timeout", "dimse_timeout", "network_timeout", "artim_timeout",
    "retrieve_timeout", "incoming_folder", "assume_scp_role",
    "requested_contexts", "supported_contexts", "_requested", "_supported", "_servers",
    "_associations",
})  # fmt: skip


def _supported_syntax(context: PresentationContext) -> SupportedSyntax:
    """Return how to serve a context; a role that is None is the default one, requestor SCU."""
    scu = True if context.scu_role is None else context.scu_role
    return SupportedSyntax(tuple(context.transfer_syntax), scu, bool(context.scp_role))
