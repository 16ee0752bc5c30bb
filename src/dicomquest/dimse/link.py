"""What the two halves of a session share: the upper layer to send by, and the events to tell (PS3.7 8.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from dicomquest.dimse.commands import CEchoRSP, CFindRSP, Command, encode_command, name_of
from dicomquest.dimse.events import SessionEvent
from dicomquest.dimse.fragments import Limits, encode_message, fragment_pdus, longest_fragment
from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import COMMAND
from dicomquest.ul.connection import UpperLayer
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.ul.states import Event, Role


class HopelessError(RemoteProtocolError):
    """What the peer does with its operations leaves nothing but A-ABORT by the service user, which has no reason."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What may differ by peer.

    ``streams_stores`` hands out the data sets of C-STORE requests while they arrive. ``shares_pdu`` puts command and
    identifier of a Pending response in one PDU where they fit. ``counts_pdu_header`` is for peers whose maximum length
    wrongly includes the PDU header.
    """

    limits: Limits = field(default_factory=Limits)
    streams_stores: bool = False
    shares_pdu: bool = False
    counts_pdu_header: bool = False


class Link:
    """The way to the peer and to the user of the session."""

    def __init__(self, upper_layer: UpperLayer, options: SessionOptions) -> None:
        self.upper_layer = upper_layer
        self.options = options
        self.events: list[SessionEvent] = []
        self.longest_fragment = 0

    @property
    def may_send(self) -> bool:
        """Whether messages can be sent."""
        return self.upper_layer.allows(Event.P_DATA_REQUEST)

    def measure(self) -> int:
        """Find out how many bytes a fragment to the peer may have; 0 if none fits in its maximum length."""
        self.longest_fragment = longest_fragment(
            self.upper_layer.send_limit, counts_pdu_header=self.options.counts_pdu_header
        )
        return self.longest_fragment

    def context(self, context_id: int) -> AcceptedContext:
        """Return an accepted presentation context."""
        context = self.upper_layer.contexts.get(context_id)
        if context is None:
            raise LocalProtocolError(
                f"presentation context {context_id}: accepted are {sorted(self.upper_layer.contexts)}"
            )
        return context

    def we_are_scu(self, context: AcceptedContext) -> bool:
        """Whether requests on this context may go from us to the peer."""
        return (
            context.requestor_is_scu
            if self.upper_layer.role is Role.REQUESTOR
            else context.requestor_is_scp
        )

    def we_are_scp(self, context: AcceptedContext) -> bool:
        """Whether requests on this context may come from the peer."""
        return (
            context.requestor_is_scu
            if self.upper_layer.role is Role.ACCEPTOR
            else context.requestor_is_scp
        )

    def send(self, context_id: int, command: Command, data_set: bytes | None, now: float) -> None:
        """Send a message."""
        if command.has_data_set is not (data_set is not None):
            raise LocalProtocolError(
                f"{name_of(command)} {'without its' if command.has_data_set else 'with a'} data set"
            )
        if data_set is None and isinstance(command, CFindRSP | CEchoRSP):
            data = _final_response(context_id, command, self.longest_fragment)
        else:
            data = encode_message(
                context_id, encode_command(command), data_set, self.longest_fragment
            )
        self.upper_layer.send_encoded_p_data(data, now)

    def send_command(self, context_id: int, command: Command, now: float) -> None:
        """Send the command of a message whose data set follows by ``send_data``."""
        pdus = fragment_pdus(context_id, COMMAND, encode_command(command), self.longest_fragment)
        self.upper_layer.send_encoded_p_data(b"".join(pdus), now)

    def send_data(self, context_id: int, data: bytes, now: float, *, is_last: bool) -> None:
        """Send a part of a data set."""
        pdus = fragment_pdus(context_id, 0, data, self.longest_fragment, is_end=is_last)
        self.upper_layer.send_encoded_p_data(b"".join(pdus), now)

    def answer(self, context_id: int, command: Command, now: float) -> None:
        """Answer without the user; too late if the association has ended in the same breath."""
        if self.may_send:
            self.send(context_id, command, None, now)


@lru_cache(maxsize=256)
def _final_response(context_id: int, response: CFindRSP | CEchoRSP, longest: int) -> bytes:
    """The PDUs of a response without a data set: most say Success to one of the first Message IDs."""
    return encode_message(context_id, encode_command(response), None, longest)
