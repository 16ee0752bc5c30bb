"""The MLLP listener: an answer after the commit, limits, who may send (HL7 2.5.1 C.4)."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hl7.mllp import open_hl7_connection

from dicomquest.worklist.entries import Added
from dicomquest.worklist.hl7_limits import Hl7Limits
from dicomquest.worklist.hl7_listener import Hl7Listener
from dicomquest.worklist.hl7_orders import Answered, Taken
from fixtures.timing import LONG, SHORT

TAKEN = Taken(Added(new=1), 0)


def echo(data: bytes, address: str) -> Answered:
    return Answered(address.encode() + b" sent " + data, TAKEN)


@asynccontextmanager
async def listening(
    answer: Callable[[bytes, str], Answered] = echo,
    limits: Hl7Limits | None = None,
    senders: tuple[str, ...] = (),
) -> AsyncIterator[int]:
    """A listener; gives its port."""
    listener = Hl7Listener(answer, senders=tuple(map(ipaddress.ip_network, senders)), limits=limits)
    async with asyncio.timeout(LONG):
        port = await listener.start("127.0.0.1", 0)
        try:
            yield port
        finally:
            await listener.close()


async def exchanged(port: int, *messages: bytes) -> list[bytes]:
    """The answers to messages over one connection; empty at its end."""
    reader, writer = await open_hl7_connection("127.0.0.1", port)
    answers = []
    try:
        for each in messages:
            writer.writeblock(each)
            answers.append(await reader.readblock())
    except asyncio.IncompleteReadError as error:
        answers.append(error.partial)
    finally:
        writer.close()
    return answers


async def closed(port: int, data: bytes) -> bytes:
    """All that a connection says to some bytes, until it is closed from there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_messages_are_answered_in_order() -> None:
    async def run() -> list[bytes]:
        async with listening() as port:
            return await exchanged(port, b"one", b"two")

    assert asyncio.run(run()) == [b"127.0.0.1 sent one", b"127.0.0.1 sent two"]


def test_two_senders_are_stored_one_by_one() -> None:
    running, most = threading.Semaphore(0), []

    def answer(data: bytes, _: str) -> Answered:
        running.release()
        most.append(running._value)
        running.acquire(timeout=LONG)
        return Answered(data, TAKEN)

    async def run() -> None:
        async with listening(answer) as port:
            await asyncio.gather(*(exchanged(port, b"a", b"b", b"c") for _ in range(8)))

    asyncio.run(run())
    assert most == [1] * 24


def test_others_than_the_senders_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> bytes:
        async with listening(senders=("10.0.0.0/8",)) as port:
            return await closed(port, b"\x0bMSH\x1c\r")

    assert asyncio.run(run()) == b""
    assert "--hl7-from does not name its address" in caplog.text


def test_other_senders_hold_at_once() -> None:
    async def run() -> tuple[list[bytes], bytes]:
        listener = Hl7Listener(echo)
        async with asyncio.timeout(LONG):
            port = await listener.start("127.0.0.1", 0)
            before = await exchanged(port, b"one")
            listener.reconfigure([ipaddress.ip_network("10.0.0.0/8")])
            after = await closed(port, b"\x0bMSH\x1c\r")
            await listener.close()
        return before, after

    assert asyncio.run(run()) == ([b"127.0.0.1 sent one"], b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "sends something else"),
        (b"\x0b" + b"A" * 2000, "the message is too long"),
        (b"\x0bMSH|", "did not come"),
        (b"", "said nothing for long"),
    ],
)
def test_limits_close_a_connection(
    caplog: pytest.LogCaptureFixture, data: bytes, words: str
) -> None:
    limits = Hl7Limits(message_seconds=SHORT, message_bytes=500, idle_seconds=SHORT)

    async def run() -> bytes:
        async with listening(limits=limits) as port:
            return await closed(port, data)

    assert asyncio.run(run()) == b""
    assert words in caplog.text


def test_silent_connections_give_way() -> None:
    async def run() -> tuple[bytes, list[bytes]]:
        async with listening(limits=Hl7Limits(connections=2)) as port:
            first, second = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            second[1].write(b"\x0bold\x1c\r")
            await second[0].readuntil(b"\x1c\r")
            answers = await exchanged(port, b"new")
            ended = await first[0].read()
            for _, writer in (first, second):
                writer.close()
            return ended, answers

    ended, answers = asyncio.run(run())
    assert ended == b""
    assert answers == [b"127.0.0.1 sent new"]


def test_close_waits_no_longer_than_its_grace() -> None:
    """A message whose database does not answer gets none either: its sender sends it again."""
    begun, go_on = threading.Event(), threading.Event()

    def answer(data: bytes, _: str) -> Answered:
        begun.set()
        go_on.wait(LONG)
        return Answered(data, TAKEN)

    async def run() -> bytes:
        listener = Hl7Listener(answer)
        async with asyncio.timeout(LONG):
            port = await listener.start("127.0.0.1", 0)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x0bMSH\x1c\r")
            await asyncio.to_thread(begun.wait, LONG)
            await listener.close(SHORT)
            said = await reader.read()
            go_on.set()
            writer.close()
        return said

    assert asyncio.run(run()) == b""


def test_close_answers_what_is_stored() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def answer(data: bytes, _: str) -> Answered:
        begun.set()
        go_on.wait(LONG)
        return Answered(data, TAKEN)

    async def run() -> bytes:
        listener = Hl7Listener(answer)
        async with asyncio.timeout(LONG):
            port = await listener.start("127.0.0.1", 0)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x0bMSH\x1c\r")
            await asyncio.to_thread(begun.wait, LONG)
            closing = asyncio.ensure_future(listener.close())
            go_on.set()
            said = await reader.read()
            await closing
            writer.close()
        return said

    assert asyncio.run(run()) == b"\x0bMSH\x1c\r"


def test_lines_name_the_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    answers = iter(
        [
            Answered(b"", Taken(Added(), 0, "17", ("CA",)), control_id="17"),
            Answered(b"", None, "wrong", "18\n"),
        ]
    )

    async def run() -> None:
        async with listening(lambda *_: next(answers)) as port:
            await exchanged(port, b"one", b"two")

    asyncio.run(run())
    assert "took message 17 of 127.0.0.1: 0 new" in caplog.text
    told = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert told[0] == "message 17 of 127.0.0.1: CA of an order that is not on the worklist"
    assert told[1].startswith("refused message 18\\")
