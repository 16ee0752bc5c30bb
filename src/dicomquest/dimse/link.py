"""The link that both halves of a session share: a way to send, and a list of events (PS3.7 8.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import (
    CEchoRSP,
    CFindRSP,
    Command,
    name_of,
)
from dicomquest.dimse.events import ResponsesReceived, SessionEvent
from dicomquest.dimse.fragments import Limits, encode_message, fragment_pdus, longest_fragment
from dicomquest.errors import LocalProtocolError, RemoteProtocolError
from dicomquest.pdu.pdus import COMMAND
from dicomquest.ul.connection import UpperLayer
from dicomquest.ul.negotiation import AcceptedContext
from dicomquest.ul.states import Event, Role


class HopelessError(RemoteProtocolError):
    """The peer leaves no way out but A-ABORT by the service user, which has no reason.

    The bytes were valid; their sense was not: too many requests, responses to nothing, no response.
    """


REQUEST_LIMITS = Limits(data_set=1 << 20)
"""The limits of an acceptor, in bytes: an identifier with a list of 15,000 UIDs is shorter.

They do not bound the data sets of C-STORE where these are streamed.
"""


LONGEST_JOINED = 64 * 1024
"""Bytes of a data set at most that are copied into one buffer with their headers."""

SHORTEST_APART = 4 * 1024
"""Bytes of a fragment at least that is sent from where it is: the kernel takes 1,024 buffers."""

MOST_HELD = 64
"""Messages that wait for the end of a data set; a peer that causes more is aborted."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Options that may differ by peer.

    ``streams_stores`` hands out the data sets of C-STORE requests while they arrive. ``shares_pdu``
    puts command and identifier of a Pending response in one PDU if they fit. ``counts_pdu_header``
    is for peers whose maximum length wrongly includes the PDU header. ``most_waiting`` requests may
    wait beyond the window; a peer that sends more is aborted. ``assumes_scp_role`` takes requests
    of an acceptor that did not grant this side the SCP role.
    """

    limits: Limits = field(default_factory=Limits)
    streams_stores: bool = False
    shares_pdu: bool = False
    counts_pdu_header: bool = False
    most_waiting: int = 8
    assumes_scp_role: bool = False


class Link:
    """The way to the peer and to the user of the session."""

    def __init__(self, upper_layer: UpperLayer, options: SessionOptions) -> None:
        self.upper_layer = upper_layer
        self.options = options
        self.events: list[SessionEvent | ResponsesReceived] = []
        self.longest_fragment = 0
        # The name of the limit that the peer's messages went beyond; empty if none did.
        self.limit = ""
        # No message may come within the fragments of another one (PS3.8 Annex E): responses of
        # this side wait for the end of the data set that it is sending.
        self._is_within_data_set = False
        self._held: list[bytes] = []
        self._assumes_roles = False

    @property
    def may_send(self) -> bool:
        """Tell whether the state allows messages to be sent."""
        return self.upper_layer.allows(Event.P_DATA_REQUEST)

    def measure(self) -> int:
        """Set and return the most bytes of a fragment to the peer; 0 if no fragment fits."""
        self.longest_fragment = longest_fragment(
            self.upper_layer.send_limit, counts_pdu_header=self.options.counts_pdu_header
        )
        return self.longest_fragment

    def context(self, context_id: int) -> AcceptedContext:
        """Return an accepted presentation context."""
        context = self.upper_layer.contexts.get(context_id)
        if context is None:
            accepted = sorted(self.upper_layer.contexts)
            raise LocalProtocolError(f"presentation context {context_id}: accepted are {accepted}")
        return context

    def assume_roles(self) -> None:
        """Be SCU on every context: some peers expect that without role selection (D.3.3.4)."""
        self._assumes_roles = True

    def we_are_scu(self, context: AcceptedContext) -> bool:
        """Tell whether requests on this context may go to the peer."""
        return self._assumes_roles or (
            context.requestor_is_scu
            if self.upper_layer.role is Role.REQUESTOR
            else context.requestor_is_scp
        )

    def we_are_scp(self, context: AcceptedContext) -> bool:
        """Tell whether requests on this context may come from the peer."""
        return (
            context.requestor_is_scu
            if self.upper_layer.role is Role.ACCEPTOR
            else context.requestor_is_scp or self.options.assumes_scp_role
        )

    def send(self, context_id: int, command: Command, data_set: bytes | None, now: float) -> None:
        """Send a message; LocalProtocolError if it lacks its data set, or has one too many."""
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
        if not self._is_within_data_set:
            self.upper_layer.send_encoded_p_data(data, now)
        elif len(self._held) < MOST_HELD:
            self._held.append(data)
        else:
            raise HopelessError(f"{MOST_HELD} messages wait for the end of a data set")

    def send_command(self, context_id: int, command: Command, now: float) -> None:
        """Send the command of a message whose data set follows by ``send_data``."""
        pdus = fragment_pdus(context_id, COMMAND, encode_command(command), self.longest_fragment)
        self.upper_layer.send_encoded_p_data(b"".join(pdus), now)
        self._is_within_data_set = True

    def send_data(self, context_id: int, data: bytes, now: float, *, is_last: bool) -> None:
        """Send a part of a data set."""
        longest = self.longest_fragment
        held: list[bytes] = []
        if is_last:
            held, self._held = self._held, []
            self._is_within_data_set = False
        if len(data) < LONGEST_JOINED or longest < SHORTEST_APART:
            pdus = fragment_pdus(context_id, 0, data, longest, is_end=is_last)
            self.upper_layer.send_encoded_p_data(b"".join([*pdus, *held]), now)
        else:
            view = memoryview(data)
            header, *parts = fragment_pdus(context_id, 0, view, longest, is_end=is_last)
            self.upper_layer.send_encoded_p_data(bytes(header), now, [*parts, *held])

    def answer(self, context_id: int, command: Command, now: float) -> None:
        """Answer without the user; do nothing if the association has ended meanwhile."""
        if self.may_send:
            self.send(context_id, command, None, now)


@lru_cache(maxsize=256)
def _final_response(context_id: int, response: CFindRSP | CEchoRSP, longest: int) -> bytes:
    """Return the PDUs of a response without a data set: most are Success to a low Message ID."""
    return encode_message(context_id, encode_command(response), None, longest)
