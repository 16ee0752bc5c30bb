"""The part that the channels of all HTTP requests have alike (PS3.18 8.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never, ParamSpec, TypeVar

from dicomquest.aio.teller import Teller
from dicomquest.errors import LocalProtocolError
from dicomquest.services.limit_names import LimitName
from dicomquest.services.request import Run, ServiceRequest, ServiceUser

P = ParamSpec("P")
T = TypeVar("T")


class HttpChannel:
    """A channel whose service runs in the server's threads, and has no sub-operations."""

    def __init__(self, teller: Teller, requestor: ServiceUser, run: Run) -> None:
        self._teller = teller
        self._requestor = requestor
        self._run = run

    def storage_link(self, request: ServiceRequest) -> Never:
        """Refuse sub-operations: HTTP has none."""
        raise none_of("sub-operations", request)

    def hit(self, limit: LimitName) -> None:
        """Tell the observer of a limit that the client has reached."""
        self._teller.hit(self._requestor, limit)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking code in the server's own threads."""
        return await self._run(function, *args, **kwargs)


def none_of(what: str, request: ServiceRequest) -> LocalProtocolError:
    """Return the error of a service that asks for something its HTTP request has not."""
    return LocalProtocolError(f"HTTP request {request.association.number}: no {what}")
