"""The sub-operations of a C-GET: C-STORE requests back over its association (PS3.7 9.1.3)."""

from __future__ import annotations

from dicomquest.aio.session_protocol import SessionProtocol
from dicomquest.aio.storage_session import StorageSession
from dicomquest.errors import AssociationAbortedError, StoredInstanceError
from dicomquest.services.request import AssociationInfo
from dicomquest.services.storage_link import Parts, StorageLostError, StoreAnswer, SubOperation
from dicomquest.standard.sop_classes import QUERY_RETRIEVE_BY_UID


class OwnStorageLink(StorageSession):
    """This side as Storage SCU on an association that it accepted."""

    def __init__(self, protocol: SessionProtocol, association: AssociationInfo) -> None:
        super().__init__(
            protocol,
            tuple(
                context
                for context in association.contexts.values()
                if context.abstract_syntax not in QUERY_RETRIEVE_BY_UID
                and (context.requestor_is_scp or association.profile.assumes_roles)
            ),
        )

    async def store(self, operation: SubOperation, parts: Parts) -> StoreAnswer:
        """Send an instance; AssociationAbortedError if that ends the association."""
        try:
            return await super().store(operation, parts)
        except StoredInstanceError as error:
            raise AssociationAbortedError(str(error)) from error
        except StorageLostError as error:
            if self._lost:
                raise AssociationAbortedError(str(error)) from error
            raise

    async def release(self) -> None:
        """Leave the association to its requestor."""

    async def abort(self) -> None:
        """Leave the association to its requestor."""
