"""A DIMSE request on an accepted association, as a service is given it (PS3.7 9.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Never, ParamSpec, Protocol, TypeVar

from dicomquest.absent_names import no_attribute
from dicomquest.dimse.commands import Request, SubOperations
from dicomquest.errors import AssociationAbortedError
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRQ
from dicomquest.pdu.user_information import UserIdentityRQ, UserInformation
from dicomquest.services.limit_names import LimitName
from dicomquest.services.repeated_lines import RepeatedLines
from dicomquest.standard.statuses import PENDING
from dicomquest.ul.negotiation import AcceptedContext

# Streams and profiles are the server's: a program that only asks starts sooner without asyncio
# and without queries.
if TYPE_CHECKING:
    from dicomquest.query.model import Query
    from dicomquest.services.access import Profile
    from dicomquest.services.contexts import PresentationContext
    from dicomquest.services.retrieve_progress import Retrieved
    from dicomquest.services.storage_link import StorageLink
    from dicomquest.services.stream import DataSetStream

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """One side of an association, as its A-ASSOCIATE PDU and the socket show it (PS3.8 7.1.1).

    - ``address`` and ``port`` are those of its end of the connection.
    - ``maximum_length`` is the longest P-DATA-TF that it takes, in bytes; 0 for any (PS3.8 D.1).
    - ``sop_class_extended`` holds the bytes that it offered or answered in the SOP class extended
      negotiation, by SOP class UID (PS3.7 D.3.3.5).
    - ``primitive`` is its A-ASSOCIATE PDU, None for a peer that has sent none.
    """

    ae_title: str
    address: str
    port: int
    maximum_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str | None = None
    sop_class_extended: Mapping[str, bytes] = field(default_factory=dict)
    primitive: AAssociateRQ | AAssociateAC | None = field(default=None, repr=False, compare=False)

    def __getattr__(self, name: str) -> Never:
        raise no_attribute("ServiceUser", name)

    @property
    def user_identity(self) -> UserIdentityRQ | None:
        """The identity that the requestor gives, None without one (PS3.7 D.3.3.7)."""
        pdu = self.primitive
        return pdu.user_information.user_identity_rq if isinstance(pdu, AAssociateRQ) else None

    @property
    def requested_contexts(self) -> list[PresentationContext]:
        """The presentation contexts that the requestor proposes; of an acceptor none."""
        from dicomquest.services.contexts import PresentationContext, as_uid  # noqa: PLC0415

        if not isinstance(self.primitive, AAssociateRQ):
            return []
        return [
            PresentationContext(
                as_uid(context.abstract_syntax),
                [as_uid(syntax) for syntax in context.transfer_syntaxes],
                context.context_id,
            )
            for context in self.primitive.presentation_contexts
        ]


def service_user(
    ae_title: str,
    address: tuple[str, int],
    information: UserInformation,
    primitive: AAssociateRQ | AAssociateAC | None = None,
) -> ServiceUser:
    """Describe a side by the user information of its A-ASSOCIATE PDU."""
    return ServiceUser(
        ae_title,
        *address,
        information.maximum_length,
        information.implementation_class_uid,
        information.implementation_version_name,
        {
            item.sop_class_uid: item.application_information
            for item in information.extended_negotiations
        },
        primitive,
    )


@dataclass(slots=True)
class AssociationState:
    """The facts that the services of one association tell each other.

    ``has_stored`` says that an instance has been stored: later queries must find it, however far
    replicas lag behind.
    """

    has_stored: bool = False


def _everything() -> Profile:
    from dicomquest.services.access import EVERYTHING  # noqa: PLC0415 (as above)

    return EVERYTHING


@dataclass(frozen=True, slots=True)
class AssociationInfo:
    """An accepted association: its two sides, and the terms that they agreed on.

    - ``number`` is the server's, as the log has it.
    - ``contexts`` has the accepted presentation contexts by their ID.
    - ``extended_negotiation`` has the answered bytes of the SOP class extended negotiation, by SOP
      class UID (PS3.7 D.3.3.5).
    - ``user_identity`` is the accepted user name, None without one (PS3.7 D.3.3.7).
    - ``profile`` says what the requestor may do.
    - ``lines`` take what services log of each request, however many come.
    - ``is_http`` says that it is one request by HTTP, with a number of its own kind.
    """

    number: int
    requestor: ServiceUser
    acceptor: ServiceUser
    contexts: Mapping[int, AcceptedContext]
    extended_negotiation: Mapping[str, bytes] = field(default_factory=dict)
    user_identity: str | None = None
    profile: Profile = field(default_factory=_everything)
    state: AssociationState = field(default_factory=AssociationState, compare=False)
    lines: RepeatedLines = field(default_factory=RepeatedLines, compare=False, repr=False)
    is_http: bool = False

    @property
    def words(self) -> str:
        """The name of it in the log."""
        return f"{'request' if self.is_http else 'association'} {self.number}"


class Run(Protocol):
    """The way of a server to run blocking code in a thread."""

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it with these arguments, and return its result."""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """The instance that a C-STORE brought, as its own data set names it."""

    study_uid: str
    patient_id: str
    patient_name: str
    series_uid: str = field(default="", compare=False)


class Channel(Protocol):
    """The way of a service's answers to the peer, as the driver of an association provides it."""

    async def send_pending(
        self,
        request: ServiceRequest,
        status: int,
        identifiers: Sequence[bytes],
        *,
        final_follows: bool,
    ) -> None:
        """Send a Pending response for each identifier; wait while the peer reads too slowly."""

    async def send_explained(
        self,
        request: ServiceRequest,
        status: int,
        identifier: bytes,
        comment: str,
        offending: tuple[int, ...],
    ) -> None:
        """Send one Pending response with an Error Comment or Offending Elements."""

    async def send_final(
        self, request: ServiceRequest, status: int, comment: str, offending: tuple[int, ...]
    ) -> None:
        """Send the final response."""

    async def send_counts(
        self,
        request: ServiceRequest,
        status: int,
        counts: SubOperations,
        comment: str,
        failed: bytes | None,
    ) -> None:
        """Send a response to a retrieve, with the identifier of failed instances if there is one.

        Any status but Pending makes it the final one.
        """

    def storage_link(self, request: ServiceRequest) -> StorageLink:
        """Return this association as the way of sub-operations to the peer of a C-GET."""

    def hit(self, limit: LimitName) -> None:
        """Tell the server's observer that the peer has reached a limit."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking code in the server's own threads."""


class ServiceRequest:
    """A request that asks for one final response, after any number of Pending ones.

    - ``association`` says who asks, ``context`` on which presentation context.
    - ``command`` is the command set, ``data_set`` the bytes of the data set in the context's
      transfer syntax, None without one.
    - ``stream`` has the data set instead if it is handed out while it arrives, as for C-STORE.
    - ``began`` is the time of its arrival, ``matches`` the number of Pending responses so far.
    - ``query``, ``instance`` and ``retrieved`` are what its service knows, for the observer.
    - ``error_id`` is the Error ID (0000,0903) of a failed DIMSE-N request, which its service sets;
      ``attributes`` are the encoded ones of the response to one that was carried out.
    - ``is_told`` says that log and observer know its end.
    - ``service_name`` names a service that is neither DIMSE's nor DICOMweb's, for the log.

    All of it is used in the event loop's thread; blocking code goes through ``run``. Sending on an
    association that is gone raises AssociationAbortedError, so a service need not look for that.
    """

    service_name = ""

    __slots__ = (
        "_cancel_callbacks",
        "_is_abandoned",
        "_is_cancelled",
        "_is_finished",
        "association",
        "attributes",
        "began",
        "channel",
        "command",
        "context",
        "data_set",
        "error_id",
        "instance",
        "is_told",
        "matches",
        "query",
        "retrieved",
        "stream",
    )

    def __init__(
        self,
        channel: Channel,
        association: AssociationInfo,
        context: AcceptedContext,
        command: Request,
        data_set: bytes | None,
        *,
        stream: DataSetStream | None = None,
    ) -> None:
        """Hold a request that the driver of an association received; ``channel`` is that driver."""
        self.channel = channel
        self._cancel_callbacks: list[Callable[[], object]] = []
        self._is_abandoned = False
        self._is_cancelled = False
        self._is_finished = False
        self.association = association
        self.context = context
        self.command = command
        self.data_set = data_set
        self.stream = stream
        self.began = monotonic()
        self.matches = 0
        self.query: Query | None = None
        self.instance: StoredInstance | None = None
        self.retrieved: Retrieved | None = None
        self.error_id: int | None = None
        self.attributes: bytes | None = None
        self.is_told = False

    @property
    def is_cancelled(self) -> bool:
        """Tell whether a C-CANCEL came or the association ended; once true it stays so."""
        return self._is_cancelled

    @property
    def is_finished(self) -> bool:
        """Tell whether the final response has been sent."""
        return self._is_finished

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Call this in the event loop's thread as soon as ``is_cancelled`` turns true.

        That is now, if it is true already. A second call follows if the association ends after a
        C-CANCEL.
        """
        if self._is_cancelled:
            callback()
        else:
            self._cancel_callbacks.append(callback)

    def cancel(self, *, is_abandoned: bool = False) -> None:
        """Latch ``is_cancelled``: for the driver, on a C-CANCEL and at the association's end.

        ``is_abandoned`` means the latter: nobody is left to read a response.
        """
        is_new = not self._is_cancelled or (is_abandoned and not self._is_abandoned)
        self._is_cancelled = True
        self._is_abandoned = self._is_abandoned or is_abandoned
        if is_abandoned and self.stream is not None:
            self.stream.lose()
        if is_new:
            for callback in self._cancel_callbacks:
                callback()

    def forget_callbacks(self) -> None:
        """Call nothing of ``on_cancel`` any more: a service is done with what that interrupts."""
        self._cancel_callbacks.clear()

    def check_association(self) -> None:
        """Raise AssociationAbortedError if the association has ended."""
        if self._is_abandoned:
            raise AssociationAbortedError(f"association {self.association.number} has ended")

    async def send_pending(
        self, status: int, identifiers: Sequence[bytes], *, final_follows: bool = False
    ) -> None:
        """Send a Pending response for each encoded identifier; return when there is room for more.

        ``final_follows`` promises the final response without delay: all go out in one write.
        """
        self.matches += len(identifiers)
        await self.channel.send_pending(self, status, identifiers, final_follows=final_follows)

    async def send_explained(
        self, status: int, identifier: bytes, comment: str, offending: tuple[int, ...]
    ) -> None:
        """Send one Pending response with an Error Comment or Offending Elements."""
        self.matches += 1
        await self.channel.send_explained(self, status, identifier, comment, offending)

    async def send_final(
        self, status: int, comment: str = "", offending: tuple[int, ...] = ()
    ) -> None:
        """Send the final response.

        ``comment`` is the Error Comment (0000,0902), which is cut at a word on the wire;
        ``offending`` are the tags of the Offending Element (0000,0901), or of the Attribute
        Identifier List (0000,1005) for a DIMSE-N request.
        """
        self._is_finished = True
        await self.channel.send_final(self, status, comment, offending)

    async def send_counts(
        self, status: int, counts: SubOperations, comment: str = "", failed: bytes | None = None
    ) -> None:
        """Send a response to a retrieve; any status but Pending makes it the final one.

        ``failed`` is the encoded list of the instances that failed.
        """
        self._is_finished = self._is_finished or status != PENDING
        await self.channel.send_counts(self, status, counts, comment, failed)

    async def refuse(self, status: int, comment: str) -> None:
        """Send the final response instead of a service's.

        The data set is read to its end: some peers read no response before all is sent.
        """
        if self.stream is not None:
            await self.stream.drain()
        await self.send_final(status, comment)

    def hit(self, limit: LimitName) -> None:
        """Tell the server's observer that the peer has reached a limit."""
        self.channel.hit(limit)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking code in the server's own threads, and return its result."""
        return await self.channel.run(function, *args, **kwargs)


class Service(Protocol):
    """A service that answers the requests of an abstract syntax."""

    async def handle(self, request: ServiceRequest) -> None:
        """Answer the request, to its final response.

        An exception becomes a failure status: see ``failures``.
        """
