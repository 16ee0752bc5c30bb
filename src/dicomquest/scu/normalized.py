"""N-CREATE and N-SET as SCU, in the shape that pynetdicom's users know (PS3.7 10.1.3, 10.1.5)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dicomquest.dimse.commands import NCreateRQ, NormalizedRQ, NSetRQ

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomquest.dimse.events import ResponseReceived


class NormalizedServices(ABC):
    """The DIMSE-N requests of an association, which a face sends by ``_exchange``."""

    @abstractmethod
    def _exchange(
        self, request: NormalizedRQ, dataset: Dataset, meta_uid: str | None
    ) -> ResponseReceived | None:
        """Send a request with its attributes; return the response, None if there was none."""

    def send_n_create(
        self,
        dataset: Dataset,
        class_uid: str,
        instance_uid: str | None = None,
        msg_id: int = 1,
        meta_uid: str | None = None,
    ) -> tuple[Dataset, Dataset | None]:
        """Send an N-CREATE with the attributes of a new instance, such as a performed step.

        Without ``instance_uid`` the peer chooses one: Affected SOP Instance UID of the status. The
        status is empty if the association ended before the response. The other Dataset has the
        attributes of the response, and is None if the request failed. ``meta_uid`` is the abstract
        syntax of the presentation context if that is not ``class_uid``.
        """
        request = create_request(class_uid, instance_uid, msg_id)
        return _read(self._exchange(request, dataset, meta_uid))

    def send_n_set(
        self,
        dataset: Dataset,
        class_uid: str,
        instance_uid: str,
        msg_id: int = 1,
        meta_uid: str | None = None,
    ) -> tuple[Dataset, Dataset | None]:
        """Send an N-SET with the attributes to change; return what ``send_n_create`` does."""
        request = set_request(class_uid, instance_uid, msg_id)
        return _read(self._exchange(request, dataset, meta_uid))


def create_request(class_uid: str, instance_uid: str | None, message_id: int) -> NCreateRQ:
    """Return the N-CREATE request of an instance, whose UID the peer may choose."""
    return NCreateRQ(
        message_id=message_id,
        affected_sop_class_uid=class_uid,
        affected_sop_instance_uid=instance_uid or "",
    )


def set_request(class_uid: str, instance_uid: str, message_id: int) -> NSetRQ:
    """Return the N-SET request of an instance."""
    return NSetRQ(
        message_id=message_id,
        requested_sop_class_uid=class_uid,
        requested_sop_instance_uid=instance_uid,
    )


def _read(response: ResponseReceived | None) -> tuple[Dataset, Dataset | None]:
    from dicomquest.services.identifiers import read_normalized_response  # noqa: PLC0415

    return read_normalized_response(response)
