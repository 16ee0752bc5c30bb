"""N-CREATE and N-SET of an asyncio SCU (PS3.7 10.1.3, 10.1.5)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dicomquest.scu.normalized import create_request, set_request
from dicomquest.services.identifiers import encode_request, read_normalized_response

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.dimse.commands import NormalizedRQ
    from dicomquest.dimse.events import ResponseReceived
    from dicomquest.ul.negotiation import AcceptedContext


class InstanceRequests(ABC):
    """The DIMSE-N requests of an association, which it sends by ``_exchange``."""

    @abstractmethod
    def context_for(self, abstract_syntax: str) -> AcceptedContext:
        """Return the presentation context of an abstract syntax."""

    @abstractmethod
    async def _exchange(
        self, context: AcceptedContext, request: NormalizedRQ, attributes: bytes
    ) -> ResponseReceived | None:
        """Send a request with its attributes; return the response, None if there was none."""

    async def send_n_create(
        self,
        dataset: Dataset,
        class_uid: str,
        instance_uid: str | None = None,
        msg_id: int = 1,
        meta_uid: str | None = None,
    ) -> tuple[Dataset, Dataset | None]:
        """Send an N-CREATE; arguments and result are those of ``Association.send_n_create``."""
        return await self._exchanged(
            create_request(class_uid, instance_uid, msg_id), dataset, meta_uid
        )

    async def send_n_set(
        self,
        dataset: Dataset,
        class_uid: str,
        instance_uid: str,
        msg_id: int = 1,
        meta_uid: str | None = None,
    ) -> tuple[Dataset, Dataset | None]:
        """Send an N-SET; arguments and result are those of ``Association.send_n_set``."""
        return await self._exchanged(
            set_request(class_uid, instance_uid, msg_id), dataset, meta_uid
        )

    async def _exchanged(
        self, request: NormalizedRQ, dataset: Dataset, meta_uid: str | None
    ) -> tuple[Dataset, Dataset | None]:
        context = self.context_for(meta_uid or request.affected_sop_class_uid)
        attributes = encode_request(dataset, context.transfer_syntax)
        return read_normalized_response(await self._exchange(context, request, attributes))
