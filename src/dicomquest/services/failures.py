"""The final responses that errors stand for (PS3.4 C.4.1.1.4, B.2.3; PS3.7 C)."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, assert_never

from dicomquest.dimse.commands import (
    CGetRQ,
    CMoveRQ,
    CStoreRQ,
    NCreateRQ,
    NormalizedRQ,
    NSetRQ,
    Request,
)
from dicomquest.errors import (
    DataSetError,
    IdentifierError,
    IndexDatabaseError,
    MissingIndexError,
    StoreError,
    error_comment,
)
from dicomquest.services.limit_names import OF_IDENTIFIER
from dicomquest.standard import statuses

ServiceError: TypeAlias = (
    IdentifierError | StoreError | DataSetError | IndexDatabaseError | MemoryError
)
"""The errors that have a status of their own."""


class Failure(NamedTuple):
    """A final response: status, Error Comment (0000,0902) and Offending Element (0000,0901)."""

    status: int
    comment: str = ""
    offending: tuple[int, ...] = ()


def failure_of(error: ServiceError) -> Failure:
    """Return the final response that tells the peer of this error."""
    match error:
        case IdentifierError(limit=beyond) if beyond in OF_IDENTIFIER:
            comment = f"limit {OF_IDENTIFIER[beyond].value}: {error}"
            return Failure(error.status, error_comment(comment), error.element)
        case IdentifierError() | StoreError():
            return Failure(error.status, error.comment, error.element)
        case DataSetError():
            limit = OF_IDENTIFIER.get(error.limit)
            words = "identifier" if limit is None else f"limit {limit.value}"
            return Failure(statuses.IDENTIFIER_UNREADABLE, f"{words}: {error}")
        case MissingIndexError():
            return Failure(statuses.OUT_OF_RESOURCES, "there is no index at the moment")
        case IndexDatabaseError():
            # The error's own words may hold a path or a host name: they go to the log alone.
            return Failure(statuses.INDEX_FAILED, "the index failed")
        case MemoryError():
            return Failure(statuses.OUT_OF_RESOURCES, "out of memory")
        case _:
            assert_never(error)


_HANDLER_FAILED: dict[type[Request], int] = {
    CStoreRQ: statuses.STORE_HANDLER_FAILED,
    CGetRQ: statuses.GET_HANDLER_FAILED,
    CMoveRQ: statuses.MOVE_HANDLER_FAILED,
    NCreateRQ: statuses.PROCESSING_FAILURE,
    NSetRQ: statuses.PROCESSING_FAILURE,
}
"""The status of a handler that failed, by the request; that of C-FIND for all others."""


def out_of_resources_of(request: Request) -> int:
    """Return the status of a request that the server is not able to answer at the moment."""
    is_normalized = isinstance(request, NormalizedRQ)
    return statuses.RESOURCE_LIMITATION if is_normalized else statuses.OUT_OF_RESOURCES


def failure_of_handler(error: BaseException | None, request: Request) -> Failure:
    """Return the final response for a handler that raised, or that ended without one (None).

    Only the error's class is told: its words may hold anything, patient data too.
    """
    what = "no final response" if error is None else type(error).__name__
    status = _HANDLER_FAILED.get(type(request), statuses.HANDLER_FAILED)
    return Failure(status, f"handler failed: {what}")
