"""The turns of readings: the newest of a session runs, alone."""

from __future__ import annotations

import asyncio

from dicomquest.services.limit_names import LimitName
from dicomquest.web.page.read_gate import ReadGate


def test_the_newest_reading_runs_alone() -> None:
    ran: list[str] = []
    running = 0

    async def reading(gate: ReadGate, name: str) -> None:
        nonlocal running
        stopped = asyncio.Event()
        async with gate.turn("ann", stopped.set) as is_last:
            if is_last:
                running += 1
                assert running == 1
                ran.append(name)
                if name != "third":
                    await stopped.wait()
                running -= 1

    async def all_of_them() -> None:
        gate = ReadGate()
        tasks = []
        for name in ("first", "second", "third"):
            tasks.append(asyncio.create_task(reading(gate, name)))
            if name == "first":
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())
    assert ran == ["first", "third"]


def test_sessions_do_not_wait_for_each_other() -> None:
    def stop() -> None:
        raise AssertionError("one session stops another")

    async def both() -> bool:
        gate = ReadGate()
        async with gate.turn("ann", stop), gate.turn("ben", stop) as is_last:
            return is_last

    assert asyncio.run(both())


def test_a_session_reads_so_often_a_second() -> None:
    gate = ReadGate()
    assert [gate.limit("ann", 2.0, 10.0) for _ in range(3)] == [None, None, LimitName.READ_RATE]
    assert gate.limit("ben", 2.0, 10.0) is None
    assert gate.limit("ann", 2.0, 10.5) is None
