"""C-GET and C-MOVE requests answered by the handlers of their events (PS3.4 C.4.2.2, C.4.3.2).

A handler yields where to send to (C-MOVE), the number of sub-operations, then (status, instance)
pairs. Each instance is sent before the handler is asked for the next one, and a Pending response
with the counts follows it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from pydicom.dataset import Dataset

from dicomquest.aio.handled_destinations import Destination, OwnAssociation, StoreAssociation
from dicomquest.aio.handler_items import END, Items
from dicomquest.dimse.commands import CGetRQ, CMoveRQ, RetrieveRQ
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationError,
    DataSetError,
    LocalProtocolError,
)
from dicomquest.services.failures import failure_of_handler
from dicomquest.services.handlers import Answer, parse_status
from dicomquest.services.identifiers import encode_response
from dicomquest.services.request import ServiceRequest
from dicomquest.services.retrieve_progress import Outcome, Progress, outcome_of
from dicomquest.services.retrieve_source import StudyOfPatient
from dicomquest.standard import statuses

LOGGER = logging.getLogger("dicomquest.server")

LONGEST_PAUSE = 10.0
"""Seconds between two Pending responses at most: the usual patience of an SCU is thirty."""

_STATUSES = {CGetRQ: statuses.C_GET_STATUSES, CMoveRQ: statuses.C_MOVE_STATUSES}


class HandledRetrieve:
    """A C-GET or C-MOVE request with the items of its handler."""

    def __init__(self, request: ServiceRequest, command: RetrieveRQ, items: Items) -> None:
        self._request = request
        self._command = command
        self._items = items
        self._progress = Progress(0)
        self._destination: Destination | None = None

    async def answer(self) -> None:
        """Answer the request, to its final response; what the handler raises is answered, too."""
        try:
            answer, listed = await self._run()
        except AssociationAbortedError:
            raise
        except Exception as error:
            LOGGER.error(  # noqa: TRY400 (the traceback is for DEBUG)
                "association %d: the handler raised %s: %s",
                self._request.association.number,
                type(error).__name__,
                error,
            )
            LOGGER.debug("traceback", exc_info=error)
            failure = failure_of_handler(error, self._command)
            answer, listed = Answer(failure.status, comment=failure.comment), None
        finally:
            with suppress(AssociationError, OSError):
                await self._end_association()
            await self._items.close()
        await self._send_final(answer, listed)

    async def _run(self) -> tuple[Answer, Dataset | None]:
        """Return the final answer, and the identifier that the handler gave with it."""
        target = await self._items.next() if isinstance(self._command, CMoveRQ) else None
        if isinstance(self._command, CMoveRQ) and not _is_address(target):
            comment = f"move destination {self._command.move_destination} unknown"
            return Answer(statuses.MOVE_DESTINATION_UNKNOWN, comment=comment), None
        total = await self._items.next()
        if not isinstance(total, int):
            raise TypeError(f"a handler gave {total!r} first: give the number of sub-operations")
        if total < 1:
            return Answer(statuses.SUCCESS), None
        self._progress = Progress(total)
        if target is None:
            self._destination = OwnAssociation(self._request)
        else:
            self._destination = StoreAssociation(self._request, self._command, target)
        try:
            await self._destination.open()
        except AssociationError as error:
            LOGGER.warning("association %d: %s", self._request.association.number, error)
            answer = Answer(statuses.CANNOT_PERFORM_SUB_OPERATIONS, comment=str(error))
            return answer, None
        teller = asyncio.ensure_future(self._keep_telling())
        try:
            return await self._send_all()
        finally:
            teller.cancel()
            with suppress(asyncio.CancelledError, AssociationError, LocalProtocolError):
                await teller

    async def _send_all(self) -> tuple[Answer, Dataset | None]:
        was_cancelled = False
        while self._progress.remaining:
            item = await self._items.next()
            self._request.check_association()
            if item is END:
                self._progress.fail_rest()
                break
            answer, instance = self._read(item)
            # One turn more after a C-CANCEL, so that the handler can see it and end in its own way.
            if answer.is_pending and was_cancelled:
                return Answer(statuses.CANCEL), None
            if not answer.is_pending:
                if answer.status == statuses.SUCCESS:
                    break
                return answer, instance
            was_cancelled = self._request.is_cancelled
            if was_cancelled or instance is None:
                continue
            await self._store(instance)
            await self._tell()
        return Answer(self._progress.status()), None

    def _read(self, item: Any) -> tuple[Answer, Dataset | None]:
        status, instance = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
        if instance is not None and not isinstance(instance, Dataset):
            raise TypeError(
                f"a handler gave {type(instance).__name__} with a status: give a pydicom Dataset"
            )
        return parse_status(status, _STATUSES[type(self._command)]), instance

    async def _store(self, instance: Dataset) -> None:
        """Send an instance, and count it."""
        assert self._destination is not None  # noqa: S101
        uid = str(instance.get("SOPInstanceUID", ""))
        try:
            status = await self._destination.store(instance)
        except AssociationAbortedError:
            raise
        except (AssociationError, LocalProtocolError, DataSetError) as error:
            self._fail(uid, str(error))
            return
        if status is None:
            self._fail(uid, "the association was lost")
        elif (outcome := outcome_of(status)) is Outcome.FAILED:
            self._fail(uid, f"C-STORE response {statuses.in_words(status)}")
        else:
            study = [str(instance.get(name, "")) for name in _OF_STUDY]
            sop_class = str(instance.get("SOPClassUID", ""))
            self._progress.send(outcome, StudyOfPatient(*study), sop_class)

    def _fail(self, uid: str, reason: str) -> None:
        self._progress.fail(uid)
        association = self._request.association
        line = f"association {association.number}: {uid} not sent: {reason}"
        association.lines.log(LOGGER, logging.WARNING, "instance", line)

    async def _keep_telling(self) -> None:
        """Send a Pending response every ten seconds, because SCUs give up on silence."""
        while True:
            await asyncio.sleep(LONGEST_PAUSE)
            await self._tell()

    async def _tell(self) -> None:
        counts = self._progress.sub_operations(statuses.PENDING)
        await self._request.send_counts(statuses.PENDING, counts)

    async def _end_association(self) -> None:
        if self._destination is not None:
            await self._destination.end()

    async def _send_final(self, answer: Answer, listed: Dataset | None) -> None:
        """Send the final response; its list is the handler's, if that gave one."""
        status, comment, _ = answer.explained
        if status not in {statuses.SUCCESS, statuses.CANCEL}:
            self._progress.fail_rest()
        syntax = self._request.context.transfer_syntax
        failed = self._progress.failed_list(syntax)
        if listed is not None and listed.get("FailedSOPInstanceUIDList"):
            failed = encode_response(listed, syntax)
        await self._request.send_counts(
            status, self._progress.sub_operations(status), comment, failed
        )


_OF_STUDY = ("StudyInstanceUID", "PatientID", "PatientName")


def _is_address(target: Any) -> bool:
    """Tell whether a handler gave (address, port), or these with further arguments."""
    return isinstance(target, tuple | list) and len(target) in {2, 3} and None not in target[:2]
