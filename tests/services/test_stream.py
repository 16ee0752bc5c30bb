"""A data set that streams from its association to a service (PS3.7 9.3.1)."""

from __future__ import annotations

import asyncio

import pytest

from dicomquest.errors import AssociationAbortedError
from dicomquest.services.stream import HIGH_WATER, PORTION, DataSetStream


class Reading:
    """The reading from a peer, which a stream pauses and resumes."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.stream = DataSetStream(
            lambda: self.changes.append("pause"), lambda: self.changes.append("resume")
        )


def test_read_waits_for_its_bytes() -> None:
    async def scenario() -> list[bytes]:
        stream = Reading().stream
        reading = asyncio.create_task(stream.read(4))
        stream.feed(b"ab", is_last=False)
        await asyncio.sleep(0)
        assert not reading.done()
        stream.feed(b"cd", is_last=False)
        return await reading

    assert asyncio.run(scenario()) == [b"ab", b"cd"]


def test_end_gives_less_than_was_asked_for() -> None:
    async def scenario() -> None:
        stream = Reading().stream
        stream.feed(b"ab", is_last=False)
        stream.feed(b"", is_last=True)
        assert stream.is_complete
        assert await stream.read(100) == [b"ab"]
        assert await stream.read(100) == []

    asyncio.run(scenario())


def test_fast_peer_waits_and_goes_on() -> None:
    async def scenario() -> list[str]:
        reading = Reading()
        for _ in range(3):
            reading.stream.feed(bytes(HIGH_WATER), is_last=False)
        assert reading.changes == ["pause"]
        await reading.stream.read(1)
        return reading.changes

    assert asyncio.run(scenario()) == ["pause", "resume"]


def test_last_fragment_pauses_nothing() -> None:
    reading = Reading()
    reading.stream.feed(bytes(2 * HIGH_WATER), is_last=True)
    assert reading.changes == []


def test_lost_association_ends_a_read() -> None:
    async def scenario() -> None:
        stream = Reading().stream
        reading = asyncio.create_task(stream.read(4))
        await asyncio.sleep(0)
        stream.lose()
        await reading

    with pytest.raises(AssociationAbortedError, match="within a data set"):
        asyncio.run(scenario())


def test_drain_throws_the_rest_away() -> None:
    async def scenario() -> Reading:
        reading = Reading()
        reading.stream.feed(bytes(HIGH_WATER), is_last=False)
        draining = asyncio.create_task(reading.stream.drain())
        await asyncio.sleep(0)
        for _ in range(10):
            reading.stream.feed(bytes(PORTION), is_last=False)
        reading.stream.feed(b"", is_last=True)
        await draining
        assert await reading.stream.read(1) == []
        return reading

    assert asyncio.run(scenario()).changes == ["pause", "resume"]
