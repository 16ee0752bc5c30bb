"""The associations with one upstream, kept for the next query (PS3.8 7.1).

An association keeps the options that it negotiated (PS3.4 C.5.1.1), so only a query with the same
offer gets it. All of it runs in one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from dicomquest import evt
from dicomquest.aio.client import AsyncAssociation
from dicomquest.errors import (
    AssociationError,
    AssociationRejectedError,
    ConnectionFailedError,
    LocalProtocolError,
)
from dicomquest.federation.deadline import Deadline
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.upstream import Upstream
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    ExtendedNegotiation,
    UserInformation,
)
from dicomquest.query.extended_negotiation import accepted_options
from dicomquest.query.options import QueryOptions
from dicomquest.scu.proposal import peer_at
from dicomquest.scu.requestor import Requestor
from dicomquest.standard.models import InformationModel
from dicomquest.standard.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomquest.ul.negotiation import AcceptedContext, propose_contexts

IDLE_SECONDS = 30.0
"""Seconds that an idle association is kept: peers end theirs after a minute or more."""

ROOM_SECONDS = 120.0
"""Seconds in which an association of another kind gets its place, if no time-out is set."""

SETTLE_SECONDS = 5.0
"""Seconds for the end of a query that nobody wants any more; its association is aborted then."""

FAIR_SHARE = 0.5
"""The share of a query's time without which an association that is late is no fault of its peer."""

END_SECONDS = 2.0
"""Seconds for the end of all associations, at the end of the server."""


@dataclass(eq=False, slots=True)
class Link:
    """An association that is in use, or idle since a time."""

    association: AsyncAssociation
    offer: bytes
    since: float = 0.0
    is_new: bool = True

    def context(self, model: InformationModel) -> AcceptedContext:
        """Return the presentation context of a model; SourceError if there is none."""
        try:
            return self.association.context_for(model.uid)
        except (AssociationError, LocalProtocolError) as error:
            raise SourceError(EndKind.REJECTED, str(error)) from error

    @property
    def is_exact(self) -> bool:
        """Tell whether the upstream is of our own make."""
        made_by = self.association.acceptor.implementation_class_uid
        return made_by == IMPLEMENTATION_CLASS_UID

    def accepted(self, model: InformationModel, base: QueryOptions) -> QueryOptions:
        """Return the options that the upstream accepted for a model."""
        answer = self.association.extended_negotiation.get(model.uid, b"")
        return accepted_options(answer, base)


class UpstreamPool:
    """The associations with an upstream: at most so many, idle ones among them."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._places = asyncio.Semaphore(upstream.most_associations)
        self._idle: list[Link] = []
        self._trouble: SourceError | None = None
        self._trouble_until = 0.0
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, offer: bytes, deadline: Deadline, *, is_fresh: bool = False) -> Link:
        """Return an association that offered these options; SourceError says why there is none.

        ``is_fresh`` asks for a new one. Whoever takes it gives it back, or drops it.
        """
        await self._acquire(deadline)
        try:
            return await self._taken(offer, deadline, is_fresh=is_fresh)
        except BaseException:
            self._places.release()
            raise

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Hold the place of an association of another kind; SourceError if all are in use."""
        # With the connection's time-out off, this one bounds the wait.
        await self._acquire(Deadline(self._upstream.timeouts.retrieve or ROOM_SECONDS))
        try:
            if len(self._idle) >= self._upstream.most_associations:
                self._in_background(self._ended(self._idle.pop(0)))
            yield
        finally:
            self._places.release()

    async def _acquire(self, deadline: Deadline) -> None:
        words = f"all {self._upstream.most_associations} associations with it are in use"
        async with deadline.limit(words, self._upstream.timeouts.connect):
            await self._places.acquire()

    async def _taken(self, offer: bytes, deadline: Deadline, *, is_fresh: bool) -> Link:
        for link in [*self._idle]:
            if is_fresh or not link.association.is_established:
                self._idle.remove(link)
                self._in_background(self._ended(link))
        for link in self._idle:
            if link.offer == offer:
                self._idle.remove(link)
                link.is_new = False
                return link
        if len(self._idle) >= self._upstream.most_associations:
            self._in_background(self._ended(self._idle.pop(0)))
        link = Link(await self._associated(offer, deadline), offer)
        self._links.add(link)
        return link

    async def _associated(self, offer: bytes, deadline: Deadline) -> AsyncAssociation:
        upstream = self._upstream
        uids = [model.uid for model in upstream.models]
        rq = AAssociateRQ(
            upstream.ae_title,
            upstream.own_ae_title,
            propose_contexts(
                [(uid, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)) for uid in uids]
            ),
            UserInformation(
                maximum_length=upstream.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                extended_negotiations=tuple(ExtendedNegotiation(uid, offer) for uid in uids),
                user_identity_rq=upstream.user_identity,
            ),
        )
        if self._trouble is not None and monotonic() < self._trouble_until:
            # Each query would wait for the same time-outs in turn.
            seconds = f"{upstream.retry_seconds:g}"
            words = f"{self._trouble}; not tried again within {seconds} seconds"
            raise SourceError(self._trouble.kind, words)
        left, whole = deadline.left(), deadline.seconds
        # A query that has waited for its place says little about an upstream that is then slow.
        has_time = left is None or whole is None or left >= whole * FAIR_SHARE
        try:
            return await associated(upstream, rq, deadline)
        except SourceError as error:
            is_late = error.kind is EndKind.TIMED_OUT and has_time
            if is_late or error.kind is EndKind.UNREACHABLE:
                self._trouble = error
                self._trouble_until = monotonic() + upstream.retry_seconds
            raise

    def give_back(self, link: Link) -> None:
        """Keep an association for the next query, after the one on it has been settled."""
        self._in_background(self._settled(link))

    def drop(self, link: Link) -> None:
        """Abort an association with an upstream that is silent, and let the idle ones go."""
        for idle in self._idle:
            self._in_background(self._ended(idle))
        self._idle.clear()
        self._in_background(self._dropped(link))

    async def end(self) -> None:
        """Abort all associations, at the end of the server."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await asyncio.gather(*tasks, return_exceptions=True)
                await asyncio.gather(*(self._aborted(link) for link in [*self._links]))

    async def _settled(self, link: Link) -> None:
        try:
            with suppress(AssociationError, LocalProtocolError, TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    await link.association.settle()
                    self._keep(link)
                    return
            await self._aborted(link)
        finally:
            self._places.release()

    def _keep(self, link: Link) -> None:
        if not link.association.is_established:
            self._links.discard(link)
            return
        link.since = monotonic()
        self._idle.append(link)
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire, link, link.since)

    def _expire(self, link: Link, since: float) -> None:
        """End an association that has been idle since a time."""
        if link in self._idle and link.since == since:
            self._idle.remove(link)
            self._in_background(self._ended(link))

    async def _dropped(self, link: Link) -> None:
        try:
            await self._aborted(link)
        finally:
            self._places.release()

    async def _aborted(self, link: Link) -> None:
        with suppress(AssociationError, LocalProtocolError):
            await link.association.abort()
        self._links.discard(link)

    async def _ended(self, link: Link) -> None:
        with suppress(AssociationError, LocalProtocolError):
            await link.association.release()
        self._links.discard(link)

    def _in_background(self, ending: Coroutine[Any, Any, None]) -> None:
        # A caller that is cancelled must not wait, and nobody else keeps the task.
        task = asyncio.create_task(ending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_ENDING: set[asyncio.Task[None]] = set()
"""Associations that nobody waits for any more, kept from the collector of garbage."""


async def associated(
    upstream: Upstream,
    rq: AAssociateRQ,
    deadline: Deadline,
    handlers: evt.Handlers | None = None,
    incoming_folder: str | None = None,
) -> AsyncAssociation:
    """Return an association with an upstream; SourceError says why there is none."""
    tls = upstream.ssl_context
    association = AsyncAssociation(
        peer_at(upstream.host, upstream.port, tls=None if tls is None else (tls, upstream.host)),
        # After an abort nobody waits until the upstream, too, has closed the connection.
        Requestor(rq, replace(upstream.timeouts, artim=0.0)),
        handlers,
        incoming_folder,
    )
    began = monotonic()
    try:
        async with deadline.limit("no association in its time"):
            await association.open()
    except BaseException:
        task = asyncio.create_task(association.abort())
        _ENDING.add(task)
        task.add_done_callback(_ENDING.discard)
        raise
    if association.is_established:
        return association
    failure = association.failure
    seconds = upstream.timeouts.association
    kind = EndKind.LOST
    if isinstance(failure, AssociationRejectedError):
        kind = EndKind.REJECTED
    elif isinstance(failure, ConnectionFailedError):
        kind = EndKind.UNREACHABLE
    elif seconds is not None and monotonic() - began >= seconds:
        kind = EndKind.TIMED_OUT
    raise SourceError(kind, str(failure or "no association"))
