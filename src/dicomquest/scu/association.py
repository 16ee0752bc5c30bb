"""The public view of an association as requestor, whichever face drives it (PS3.8 7)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Never

from dicomquest.absent_names import no_attribute
from dicomquest.errors import ContextNotAcceptedError
from dicomquest.scu.peer_address import Peer
from dicomquest.scu.requestor import Requestor
from dicomquest.services.life_cycle import LifeCycle, LifeStage
from dicomquest.services.request import ServiceUser, service_user
from dicomquest.services.timeouts import HasTimeouts
from dicomquest.ul.timers import Timeouts

if TYPE_CHECKING:
    from dicomquest.services.contexts import PresentationContext


class RequestedAssociation(LifeCycle, HasTimeouts):
    """The view of an association as requestor that both faces share.

    Its properties show what its ``Requestor`` holds. Those that tell the stage look first at what
    the peer has sent meanwhile.
    """

    is_requestor = True
    is_acceptor = False

    def __init__(self, peer: Peer, requestor: Requestor) -> None:
        self._peer = peer
        self._requestor = requestor
        self._local_address = ("", 0)
        self.ae: Any = None

    @property
    def stage(self) -> LifeStage:
        """The stage of its life that the association has come to."""
        self._look()
        return self._requestor.stage

    @abstractmethod
    def _look(self) -> None:
        """Take what an idle peer has sent meanwhile, without waiting for more."""

    @property
    def failure(self) -> Exception | None:
        """The reason why the association was rejected or aborted; None in its other stages."""
        self._look()
        return self._requestor.failure

    def is_alive(self) -> bool:
        """Tell whether the association is established; it has no thread to be alive."""
        return self.is_established

    def __getattr__(self, name: str) -> Never:
        # Reached only for names that are not here.
        raise no_attribute("Association", name)

    @property
    def _timeouts(self) -> Timeouts:
        return self._requestor.timeouts

    def _use_timeouts(self, timeouts: Timeouts) -> None:
        self._requestor.set_timeouts(timeouts)

    @property
    def requestor(self) -> ServiceUser:
        """This side of the association."""
        rq = self._requestor.rq
        return service_user(rq.calling_ae_title, self._local_address, rq.user_information, rq)

    @property
    def acceptor(self) -> ServiceUser:
        """The peer, with its own words about itself once it has accepted (PS3.7 D.3.3.2)."""
        return self._requestor.acceptor_user(self._peer)

    @property
    def accepted_contexts(self) -> list[PresentationContext]:
        """The presentation contexts that the peer accepted, in the order proposed."""
        return self._requestor.answered_contexts(accepted=True)

    @property
    def rejected_contexts(self) -> list[PresentationContext]:
        """The presentation contexts that the peer did not accept; ``result`` says why."""
        return self._requestor.answered_contexts(accepted=False)

    @property
    def extended_negotiation(self) -> dict[str, bytes]:
        """The peer's answers to the extended negotiation, by SOP class UID (PS3.7 D.3.3.5)."""
        return self._requestor.extended_negotiation

    def _get_valid_context(
        self, ab_syntax: str, tr_syntax: str = "", role: str | None = None
    ) -> PresentationContext:
        """Return the accepted context for a SOP class; pynetdicom's own findscu asks this way.

        ContextNotAcceptedError, a ValueError, if there is none.
        """
        self._requestor.context_for(ab_syntax)
        for context in self.accepted_contexts:
            if context.abstract_syntax == ab_syntax and (
                (not tr_syntax or tr_syntax in context.transfer_syntax)
                and (role != "scp" or context.as_scp)
            ):
                return context
        raise ContextNotAcceptedError(
            f"the peer did not accept a presentation context for {ab_syntax} in {tr_syntax}"
        )
