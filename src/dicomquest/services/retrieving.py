"""One running retrieve: it sends each instance of a source, counts, and reports (PS3.4 C.4.2.2).

Sub-operations go one after the other in the source's order. Between two of them the retrieve looks
whether it is cancelled. A Pending response goes out at most once a second, and at least once in ten
seconds while a sub-operation lasts, because SCUs give up on silence.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol

from dicomquest.dimse.commands import CMoveRQ
from dicomquest.errors import AssociationAbortedError, StoredInstanceError
from dicomquest.services.move_destinations import DestinationError
from dicomquest.services.prepared_instances import Prepared, PreparedInstances, prepare
from dicomquest.services.request import ServiceRequest
from dicomquest.services.retrieve_progress import Outcome, Progress, outcome_of
from dicomquest.services.retrieve_source import InstanceSource, Selected
from dicomquest.services.storage_link import (
    StorageLink,
    StorageLostError,
    StoreAnswer,
    SubOperation,
)
from dicomquest.standard import statuses
from dicomquest.standard.statuses import C_STORE_STATUSES, in_words

LOGGER = logging.getLogger("dicomquest.retrieve")

SHORTEST_PAUSE: Final = 1.0
"""Seconds between two Pending responses at least."""

LONGEST_PAUSE: Final = 10.0
"""Seconds between two Pending responses at most: the usual patience of an SCU is thirty."""


class Route(Protocol):
    """The way to the one who receives the instances: this association, or others."""

    @property
    def passes(self) -> int:
        """The number of times that the source is gone through, each for some of its classes."""

    def takes(self, number: int, selected: Selected) -> bool:
        """Tell whether an instance is sent in this pass."""

    async def link(self, number: int) -> StorageLink:
        """Return the association of a pass, opened if need be; DestinationError if that fails."""

    async def lose(self, *, by_us: bool) -> None:
        """Note that the association is lost; the next ``link`` opens another one, if it may."""

    async def end(self, *, is_orderly: bool) -> None:
        """Release the association, or abort it if a sub-operation was cut off."""


class Retrieving:
    """The sub-operations of one request; ``progress`` has their counts."""

    def __init__(
        self, request: ServiceRequest, source: InstanceSource, total: int, route: Route
    ) -> None:
        self._request = request
        self._source = source
        self._route = route
        self.progress = Progress(total)
        self.trouble = ""
        self._told_at = monotonic()
        command = request.command
        self._priority: int = getattr(command, "priority", 0)
        self._originator = (
            (request.association.requestor.ae_title, command.message_id)
            if isinstance(command, CMoveRQ)
            else None
        )

    async def run(self) -> int:
        """Send the instances, and return the status of the final response.

        AssociationAbortedError if the association of the request is gone.
        """
        teller = asyncio.ensure_future(self._keep_telling())
        is_orderly = False
        try:
            for number in range(self._route.passes):
                await self._pass(number)
            is_orderly = True
        finally:
            teller.cancel()
            with suppress(asyncio.CancelledError, AssociationAbortedError):
                await teller
            await self._route.end(is_orderly=is_orderly)
        if self._request.is_cancelled:
            return statuses.CANCEL
        self.progress.fail_rest()
        return self.progress.status()

    async def _pass(self, number: int) -> None:
        instances = PreparedInstances(
            self._source, self._request.run, lambda selected: self._route.takes(number, selected)
        )
        batch: list[Prepared] = []
        ahead: asyncio.Task[list[Prepared]] | None = None
        try:
            while not self._request.is_cancelled and not self.trouble:
                link = await self._route.link(number)
                batch = await (ahead or instances.next(link.contexts))
                if not batch:
                    return
                ahead = asyncio.ensure_future(instances.next(link.contexts))
                while batch and not self._request.is_cancelled:
                    await self._send(number, batch.pop(0))
        except DestinationError as error:
            self._give_up(error)
        finally:
            if ahead is not None:
                # A thread may still read; whatever it has opened is closed here.
                [read] = await asyncio.gather(ahead, return_exceptions=True)
                batch += read if isinstance(read, list) else []
            for prepared in batch:
                prepared.close()
        if self.trouble and not self._request.is_cancelled:
            for prepared in batch:
                self.progress.fail(prepared.selected.sop_instance_uid)
            await self._fail_rest(instances)

    def _give_up(self, error: DestinationError) -> None:
        """Send no more: all others would fail in the same way, and each would wait for it."""
        if not self.trouble and not self._request.is_cancelled:
            self.trouble = str(error)
            self._source.give_up()
            LOGGER.warning(
                "association %d: %s; %d instances not sent",
                self._request.association.number,
                error,
                self.progress.remaining,
            )

    async def _fail_rest(self, instances: PreparedInstances) -> None:
        """Count the instances of a pass that were not tried as failed."""
        while not self.progress.is_list_full and (page := await instances.unprepared()):
            for selected in page:
                self.progress.fail(selected.sop_instance_uid)

    async def _send(self, number: int, prepared: Prepared) -> None:
        """Send one instance, and count it."""
        selected = prepared.selected
        try:
            link = await self._route.link(number)
            if prepared.contexts is not link.contexts:
                # Another association may have accepted other contexts.
                prepared.close()
                prepared = await self._request.run(prepare, selected, link.contexts)
            if prepared.context is None or prepared.failure:
                self._fail(selected, prepared.failure)
            else:
                operation = SubOperation(
                    prepared.context.context_id,
                    selected.sop_instance_uid,
                    self._priority,
                    self._originator,
                )
                parts = prepared.parts(self._request.run)
                self._count(selected, await link.store(operation, parts))
                self.progress.bytes_sent += prepared.size
        except DestinationError:
            self.progress.fail(selected.sop_instance_uid)
            raise
        except (StorageLostError, StoredInstanceError) as error:
            self._fail(selected, str(error))
            await self._route.lose(by_us=isinstance(error, StoredInstanceError))
        finally:
            prepared.close()
        if self._tells_after(SHORTEST_PAUSE):
            await self._tell()

    def _count(self, selected: Selected, answer: StoreAnswer) -> None:
        outcome = outcome_of(answer.status)
        if outcome is not Outcome.COMPLETED:
            words = in_words(answer.status, C_STORE_STATUSES, answer.comment)
            if outcome is Outcome.FAILED:
                self._fail(selected, f"C-STORE response {words}")
                return
            self._log(selected, f"sent with a warning: C-STORE response {words}", logging.INFO)
        self.progress.send(outcome, selected.belongs_to, selected.sop_class_uid)

    def _fail(self, selected: Selected, reason: str) -> None:
        self.progress.fail(selected.sop_instance_uid)
        self._log(selected, f"not sent: {reason}", logging.WARNING)

    def _log(self, selected: Selected, words: str, level: int) -> None:
        association = self._request.association
        line = f"association {association.number}: {selected.sop_instance_uid} {words}"
        association.lines.log(LOGGER, level, "instance", line)

    async def _keep_telling(self) -> None:
        """Send a Pending response whenever the last one is ten seconds old."""
        while True:
            await asyncio.sleep(max(self._told_at + LONGEST_PAUSE - monotonic(), 0.0))
            if self._tells_after(LONGEST_PAUSE):
                await self._tell()

    def _tells_after(self, seconds: float) -> bool:
        return monotonic() - self._told_at >= seconds and not self._request.is_cancelled

    async def _tell(self) -> None:
        self._told_at = monotonic()
        counts = self.progress.sub_operations(statuses.PENDING)
        await self._request.send_counts(statuses.PENDING, counts)
