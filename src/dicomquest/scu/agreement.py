"""The terms of an association, as its requestor knows them (PS3.8 7.1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicomquest.errors import ContextNotAcceptedError
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRQ, encode
from dicomquest.services.request import ServiceUser, service_user
from dicomquest.ul.negotiation import AcceptedContext

# pydicom's UIDs are imported where contexts are shown: a C-ECHO starts in half the time without.
if TYPE_CHECKING:
    from dicomquest.scu.peer_address import Peer
    from dicomquest.services.contexts import PresentationContext

NAMED_CONTEXTS = 3
"""SOP classes that a message names; a request may have 128."""


class Agreement(ABC):
    """The association request, its answer once it is here, and the accepted contexts by ID."""

    def __init__(self, rq: AAssociateRQ) -> None:
        self.rq = rq
        self.ac: AAssociateAC | None = None
        self.contexts: dict[int, AcceptedContext] = {}

        # A request that cannot be sent is refused here, before there is a connection.
        encode(rq)

    @abstractmethod
    def check_established(self) -> None:
        """Raise LocalProtocolError if the association is not established."""

    def context_for(self, abstract_syntax: str) -> AcceptedContext:
        """Return the context to use as SCU.

        ContextNotAcceptedError if the peer accepted none, LocalProtocolError if the association is
        not established.
        """
        self.check_established()
        for context in self.contexts.values():
            if context.abstract_syntax == abstract_syntax and context.requestor_is_scu:
                return context
        from dicomquest.services.contexts import as_uid

        name = as_uid(abstract_syntax).name
        proposed = any(
            context.abstract_syntax == abstract_syntax for context in self.rq.presentation_contexts
        )
        raise ContextNotAcceptedError(
            f"the peer did not accept a presentation context for {name}"
            if proposed
            else f"the peer was not asked for a presentation context for {name}: propose one, "
            "such as by AE.add_requested_context"
        )

    def context_to_store(
        self, abstract_syntax: str, transfer_syntaxes: Sequence[str]
    ) -> AcceptedContext:
        """Return the context for instances of a class that can be sent in these transfer syntaxes.

        The first transfer syntax that the peer accepted wins. Errors as ``context_for``.
        """
        from dicomquest.services.contexts import as_uid

        any_context = self.context_for(abstract_syntax)
        usable = {
            context.transfer_syntax: context
            # Reversed, so that of several contexts the first one stays.
            for context in reversed(list(self.contexts.values()))
            if context.abstract_syntax == abstract_syntax and context.requestor_is_scu
        }
        for transfer_syntax in transfer_syntaxes:
            if transfer_syntax in usable:
                return usable[transfer_syntax]
        raise ContextNotAcceptedError(
            f"the peer did not accept a presentation context for {as_uid(abstract_syntax).name} in "
            f"{as_uid(transfer_syntaxes[0]).name}, "
            f"only in {as_uid(any_context.transfer_syntax).name}"
        )

    def answered_contexts(self, *, accepted: bool) -> list[PresentationContext]:
        """List the contexts that the peer accepted, or else the others, in the order proposed."""
        from dicomquest.services.contexts import PresentationContext, as_uid

        results = (
            {answer.context_id: answer.result for answer in self.ac.presentation_contexts}
            if self.ac
            else {}
        )
        contexts = []
        for proposed in self.rq.presentation_contexts:
            agreed = self.contexts.get(proposed.context_id)
            if self.ac is None or (agreed is not None) is not accepted:
                continue
            syntaxes = proposed.transfer_syntaxes if agreed is None else (agreed.transfer_syntax,)
            contexts.append(
                PresentationContext(
                    as_uid(proposed.abstract_syntax),
                    [as_uid(syntax) for syntax in syntaxes],
                    proposed.context_id,
                    # Contexts without a result count as rejected by the provider (PS3.8 9.3.3.2).
                    result=results.get(proposed.context_id, 2),
                    as_scu=agreed is not None and agreed.requestor_is_scu,
                    as_scp=agreed is not None and agreed.requestor_is_scp,
                )
            )
        return contexts

    @property
    def extended_negotiation(self) -> dict[str, bytes]:
        """The peer's answers to the SOP class extended negotiation, by SOP class UID."""
        return {
            context.abstract_syntax: context.extended_negotiation
            for context in self.contexts.values()
            if context.extended_negotiation is not None
        }

    def acceptor_user(self, peer: Peer) -> ServiceUser:
        """Describe the peer, by its own words once it has accepted."""
        if self.ac is None:
            return ServiceUser(self.rq.called_ae_title, peer.host, peer.port)
        return service_user(
            self.rq.called_ae_title, (peer.host, peer.port), self.ac.user_information, self.ac
        )


def no_context(rq: AAssociateRQ) -> ContextNotAcceptedError:
    """Return the error of an association without any accepted context."""
    from dicomquest.services.contexts import as_uid

    uids = dict.fromkeys(context.abstract_syntax for context in rq.presentation_contexts)
    names = ", ".join(as_uid(uid).name for uid in list(uids)[:NAMED_CONTEXTS])
    more = f" and {len(uids) - NAMED_CONTEXTS} more" if len(uids) > NAMED_CONTEXTS else ""
    return ContextNotAcceptedError(
        f"the peer did not accept a presentation context for {names}{more}: "
        "ask for what it offers, or add this to what it supports"
    )
