"""The ways of a handler's instances: this association, or another one (PS3.4 C.5.2, C.5.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from pydicom.dataset import Dataset

from dicomquest.aio.client import AsyncAssociation
from dicomquest.aio.suited_datasets import suited
from dicomquest.dimse.commands import RetrieveRQ
from dicomquest.errors import AssociationError, ContextNotAcceptedError
from dicomquest.scu.outgoing import prepare
from dicomquest.services.contexts import as_uid
from dicomquest.services.request import ServiceRequest
from dicomquest.services.storage_link import SubOperation
from dicomquest.ul.negotiation import AcceptedContext


class OwnAssociation:
    """The association that the C-GET came on; the peer is SCP of its storage contexts."""

    def __init__(self, request: ServiceRequest) -> None:
        self._request = request
        self._link = request.channel.storage_link(request)

    async def open(self) -> None:
        """Do nothing: it is open."""

    async def store(self, instance: Dataset) -> int | None:
        """Send an instance, and return the status of the response."""
        accepted = {
            context.transfer_syntax
            for context in self._link.contexts
            if context.abstract_syntax == instance.get("SOPClassUID")
        }
        instance = await self._request.run(suited, instance, accepted)
        outgoing = await self._request.run(prepare, instance, self._context)
        command = self._request.command
        operation = SubOperation(
            outgoing.context.context_id,
            outgoing.sop_instance_uid,
            getattr(command, "priority", 0),
        )
        return (await self._link.store(operation, _in_turn(outgoing.parts))).status

    async def end(self) -> None:
        """Leave the association to its requestor."""

    def _context(self, sop_class: str, transfer_syntaxes: Sequence[str]) -> AcceptedContext:
        usable = {
            context.transfer_syntax: context
            for context in reversed(self._link.contexts)
            if context.abstract_syntax == sop_class
        }
        for syntax in transfer_syntaxes:
            if syntax in usable:
                return usable[syntax]
        raise ContextNotAcceptedError(
            f"the peer has no presentation context for {as_uid(sop_class).name} in "
            f"{as_uid(transfer_syntaxes[0]).name} with the SCP role"
        )


class StoreAssociation:
    """An association with the destination of a C-MOVE, opened anew once if it is lost."""

    def __init__(self, request: ServiceRequest, command: RetrieveRQ, target: Sequence[Any]) -> None:
        """Use (address, port), and a dict of further arguments of ``AE.associate``."""
        self._request = request
        self._command = command
        self._address: tuple[str, int] = (target[0], target[1])
        self._arguments: dict[str, Any] = {
            "ae_title": getattr(command, "move_destination", "").strip(" "),
            **(target[2] if len(target) > 2 else {}),
        }
        self._association: AsyncAssociation | None = None
        self._is_reopened = False

    async def open(self) -> None:
        """Open the association; AssociationError if that fails."""
        ae: Any = getattr(self._request.channel, "ae", None)
        association = await ae.associate_async(*self._address, **self._arguments)
        if not association.is_established:
            host, port = self._address
            raise AssociationError(
                f"{self._arguments['ae_title']} at {host} port {port}: {association.failure}"
            )
        self._association = association

    async def store(self, instance: Dataset) -> int | None:
        """Send an instance; return the status of the response, None if there is none."""
        association = self._association
        if association is None or not (association.is_established or self._is_reopened):
            self._is_reopened = True
            await self.open()
            association = self._association
        if association is None or not association.is_established:
            raise AssociationError("the association with the destination is lost")
        accepted = {
            syntax
            for context in association.accepted_contexts
            if context.abstract_syntax == instance.get("SOPClassUID")
            for syntax in context.transfer_syntax
        }
        instance = await self._request.run(suited, instance, accepted)
        asking = self._request.association.requestor.ae_title.strip(" ")
        status = await association.send_c_store(
            instance,
            priority=self._command.priority,
            originator_aet=asking,
            originator_id=self._command.message_id,
        )
        return int(status.Status) if "Status" in status else None

    async def end(self) -> None:
        """Release the association."""
        if self._association is not None:
            await self._association.release()


Destination = OwnAssociation | StoreAssociation


async def _in_turn(parts: Iterator[tuple[bytes, bool]]) -> AsyncIterator[tuple[bytes, bool]]:
    """Give the parts of a data set that is in memory."""
    for part in parts:
        yield part
