"""Instances fetched from their holder by C-GET, into files of this server (PS3.4 C.4.3).

The holder sends on the association that it is asked on, so it need not know this server, nor the
destination of a C-MOVE. It waits while nobody takes what has arrived: few files lie here at a time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomquest import evt
from dicomquest.aio.client import AsyncAssociation
from dicomquest.dataset.elements import DataSet, to_pydicom
from dicomquest.errors import AssociationError, ContextNotAcceptedError, LocalProtocolError
from dicomquest.federation.deadline import Deadline
from dicomquest.federation.shortfall import EndKind, SourceError
from dicomquest.federation.upstream import Upstream
from dicomquest.federation.upstream_pool import UpstreamPool, associated
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    RoleSelection,
    UserInformation,
)
from dicomquest.scu.storage_proposal import MOST_CONTEXTS, UNCOMPRESSED, storage_pairs
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT, InformationModel
from dicomquest.standard.statuses import C_GET_STATUSES, in_words
from dicomquest.ul.negotiation import propose_contexts

_NO_GET: Final = "it accepts no C-GET, which retrieves through this server need"

MOST_WAITING: Final = 16
"""Instances that have arrived and wait for their turn."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """An instance in a file."""

    sop_class_uid: str
    sop_instance_uid: str
    path: str


class HolderFetch:
    """The retrieves of one request from one upstream, over an association of their own."""

    def __init__(
        self, upstream: Upstream, pool: UpstreamPool, classes: Collection[str], folder: Path
    ) -> None:
        """Fetch instances of these SOP classes into a folder; without any, of the usual ones."""
        self._upstream = upstream
        self._pool = pool
        self._classes = classes
        self._folder = folder
        self._arrived: asyncio.Queue[Arrived | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._wanted: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self._count = 0

    @property
    def model(self) -> InformationModel:
        """The information model of its retrieves."""
        return STUDY_ROOT if STUDY_ROOT in self._upstream.models else PATIENT_ROOT

    @property
    def patience(self) -> float | None:
        """The seconds in which the next instance must come; None for no limit."""
        return self._upstream.timeouts.retrieve

    async def fetch(
        self, orders: Sequence[tuple[DataSet, Collection[str]]]
    ) -> AsyncGenerator[list[Arrived], None]:
        """Send the identifiers one after the other, and yield the instances that are wanted.

        SourceError at the end if one of the retrieves failed.
        """
        task = self._task = asyncio.create_task(self._run(orders))
        # A task that is cancelled before its first step runs none of its own lines.
        task.add_done_callback(lambda _: self._arrived.put_nowait(None))
        try:
            is_over = False
            while not is_over:
                batch: list[Arrived] = []
                arrived = await self._arrived.get()
                while arrived is not None:
                    batch.append(arrived)
                    if self._arrived.empty():
                        break
                    arrived = self._arrived.get_nowait()
                is_over = arrived is None
                if batch:
                    yield batch
                for _ in batch:
                    self._room.release()
            # Awaiting the task itself would mix its end with a cancellation of this one.
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
        finally:
            self.stop()
            await asyncio.wait([task])
            if not task.cancelled():
                # The caller has it, or does not want it any more.
                task.exception()

    def stop(self) -> None:
        """End the retrieves: nothing more comes."""
        # A second time would cut off the end of the association.
        if self._task is not None and not self._task.cancelling():
            self._task.cancel()

    async def _run(self, orders: Sequence[tuple[DataSet, Collection[str]]]) -> None:
        async with self._pool.room():
            self._folder.mkdir(exist_ok=True)
            await self._run_all(orders)

    async def _run_all(self, orders: Sequence[tuple[DataSet, Collection[str]]]) -> None:
        handlers = evt.Handlers([(evt.EVT_C_STORE, self._store)])
        association = await associated(
            self._upstream,
            self._request(),
            Deadline(self._upstream.timeouts.dimse),
            handlers,
            os.fspath(self._folder),
        )
        failures: list[str] = []
        is_orderly = False
        try:
            for identifier, wanted in orders:
                self._wanted = frozenset(wanted)
                final: tuple[int | None, str] = (None, "")
                responses = association.send_c_get(to_pydicom(identifier), self.model.get_uid)
                async with aclosing(responses) as statuses:
                    async for status, _ in statuses:
                        final = status.get("Status"), str(status.get("ErrorComment", ""))
                if final[0] is None:
                    failure = str(association.failure or "the association ended")
                    kind = EndKind.TIMED_OUT if "no response" in failure else EndKind.LOST
                    raise SourceError(kind, failure)
                if final[0] != 0:
                    failures.append(in_words(final[0], C_GET_STATUSES, final[1]))
            is_orderly = True
        except ContextNotAcceptedError as error:
            raise SourceError(EndKind.REJECTED, _NO_GET) from error
        except (AssociationError, LocalProtocolError) as error:
            raise SourceError(EndKind.LOST, str(error)) from error
        finally:
            with suppress(AssociationError, LocalProtocolError):
                await end_association(association, is_orderly=is_orderly)
        if failures:
            raise SourceError(EndKind.FAILED, f"C-GET response {failures[0]}")

    async def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        # A holder may have got more meanwhile, or send more than was asked for.
        received = event.request.path
        if uid in self._wanted and received is not None:
            await self._room.acquire()
            self._count += 1
            path = self._folder / f"{self._count}"
            received.rename(path)
            sop_class = str(event.request.AffectedSOPClassUID)
            self._arrived.put_nowait(Arrived(sop_class, uid, os.fspath(path)))
        return 0

    def _request(self) -> AAssociateRQ:
        upstream = self._upstream
        pairs = storage_pairs(self._classes)
        classes = dict.fromkeys(uid for uid, _ in pairs)
        # Each archive accepts the second one: the refusal of C-GET is told apart by it.
        models = [self.model.get_uid, self.model.uid]
        return AAssociateRQ(
            upstream.ae_title,
            upstream.own_ae_title,
            propose_contexts(
                [*((uid, UNCOMPRESSED) for uid in models[: MOST_CONTEXTS + 1 - len(pairs)]), *pairs]
            ),
            UserInformation(
                maximum_length=upstream.maximum_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                roles=tuple(RoleSelection(uid, scu_role=False, scp_role=True) for uid in classes),
                user_identity_rq=upstream.user_identity,
            ),
        )


async def end_association(association: AsyncAssociation, *, is_orderly: bool) -> None:
    """Release an association, or abort it, as when its release is cut off."""
    try:
        await (association.release() if is_orderly else association.abort())
    except asyncio.CancelledError:
        if is_orderly:
            await association.abort()
        raise
