from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dicomquest.dimse.commands import CFindRQ
from dicomquest.errors import AssociationAbortedError
from dicomquest.services.request import AssociationInfo, ServiceRequest, ServiceUser
from dicomquest.services.verification import VerificationService
from dicomquest.ul.negotiation import AcceptedContext
from fixtures.faces import IMPLICIT, PATIENT_ROOT


class Channel:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    async def send_pending(
        self,
        request: ServiceRequest,
        status: int,
        identifiers: Sequence[bytes],
        *,
        final_follows: bool,
    ) -> None:
        self.sent.append((status, list(identifiers)))

    async def send_final(
        self, request: ServiceRequest, status: int, comment: str, offending: tuple[int, ...]
    ) -> None:
        self.sent.append((status, comment, offending))

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)


USER = ServiceUser("AE", "127.0.0.1", 104)


def request(channel: Channel) -> ServiceRequest:
    context = AcceptedContext(1, PATIENT_ROOT, IMPLICIT)
    info = AssociationInfo(7, USER, USER, {1: context})
    return ServiceRequest(
        channel, info, context, CFindRQ(message_id=1, affected_sop_class_uid=PATIENT_ROOT), b""
    )


@pytest.mark.requirement("UL-080")
def test_cancel_is_latched_and_told_once() -> None:
    made = request(Channel())
    told: list[str] = []
    made.on_cancel(lambda: told.append("before"))
    states = [made.is_cancelled]
    made.cancel()
    made.cancel()
    assert [*states, made.is_cancelled, made.is_cancelled] == [False, True, True]
    assert told == ["before"]
    made.on_cancel(lambda: told.append("after"))
    assert told == ["before", "after"]
    made.check_association()


@pytest.mark.requirement("UL-058")
def test_end_of_association_is_told_after_cancel_too() -> None:
    """The end of the association is told after a C-CANCEL too."""
    made = request(Channel())
    told: list[bool] = []
    made.on_cancel(lambda: told.append(made.is_cancelled))
    made.cancel()
    made.cancel(is_abandoned=True)
    made.cancel(is_abandoned=True)
    assert told == [True, True]
    with pytest.raises(AssociationAbortedError, match="association 7"):
        made.check_association()


def test_service_sends_to_its_channel() -> None:
    channel = Channel()
    made = request(channel)

    async def service() -> None:
        await made.send_pending(0xFF00, [b"a", b"b"])
        states = [made.is_finished]
        await made.send_final(0xA900, "level", (0x00080052,))
        assert [*states, made.is_finished] == [False, True]
        assert await made.run(lambda number: number + 1, 1) == 2

    asyncio.run(service())
    assert channel.sent == [(0xFF00, [b"a", b"b"]), (0xA900, "level", (0x00080052,))]


def test_verification_service_says_success() -> None:
    channel = Channel()
    asyncio.run(VerificationService().handle(request(channel)))
    assert channel.sent == [(0x0000, "", ())]
