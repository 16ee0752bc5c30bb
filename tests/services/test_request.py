from __future__ import annotations

import asyncio

import pytest

from dicomquest.errors import AssociationAbortedError
from fixtures.service_requests import Channel, request


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
