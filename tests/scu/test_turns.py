"""Threads and tasks that share one association get right answers, or a clear error."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.aio.client import AsyncAssociation
from dicomquest.dimse.commands import CCancelRQ, CFindRSP
from dicomquest.errors import LocalProtocolError
from dicomquest.pdu.pdus import AReleaseRP, AReleaseRQ
from dicomquest.sync import Association
from fixtures.faces import (
    HOST,
    IDENTIFIER,
    PATIENT_ROOT,
    QUERY,
    RawPeer,
    associated,
    data_set,
    names,
    raw_acceptor,
    scu,
    serving,
    statuses,
)
from fixtures.timing import LONG, SHORT


def named(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    """Fifty patients with the name of the key, and a number."""
    for number in range(50):
        name = f"{event.identifier.PatientName}{number}"
        yield 0xFF00, data_set(QueryRetrieveLevel="PATIENT", PatientName=name)


def ask(association: Association, name: str) -> list[str]:
    query = data_set(QueryRetrieveLevel="PATIENT", PatientName=name)
    return names(association.send_c_find(query, PATIENT_ROOT))


def answer_of(name: str) -> list[str]:
    return [f"{name}{number}" for number in range(50)]


def test_threads_that_share_it_get_their_own_answers() -> None:
    with serving(named) as port, associated(port) as association, ThreadPoolExecutor(8) as pool:
        keys = [f"N{number}^" for number in range(100)]
        answers = list(pool.map(lambda key: ask(association, key), keys))
        assert answers == [answer_of(key) for key in keys]
        echoes = pool.map(lambda _: association.send_c_echo().Status, range(50))
        assert set(echoes) == {0x0000}


def test_read_matches_stay_with_their_thread() -> None:
    """A query whose responses are all here may be read while another thread asks."""
    with serving(named) as port, associated(port) as association, ThreadPoolExecutor(1) as pool:
        query = data_set(QueryRetrieveLevel="PATIENT", PatientName="A")
        responses = association.send_c_find(query, PATIENT_ROOT)
        operations = list(association._requestor._operations.values())
        first = next(responses)
        while not operations[0].is_answered:
            first = next(responses)
        assert pool.submit(ask, association, "B").result(LONG) == answer_of("B")
        assert statuses([first, *responses])[-1] == 0x0000


def test_unread_query_makes_another_thread_give_up() -> None:
    """A thread whose turn does not come in time gets an error that names the reason."""
    ae = scu()
    ae.dimse_timeout = SHORT
    done = threading.Event()

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        assert done.wait(LONG)

    with raw_acceptor(serve) as port:
        association = ae.associate(HOST, port)
        responses = association.send_c_find(QUERY, PATIENT_ROOT)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(association.send_c_echo)
            with pytest.raises(LocalProtocolError, match="in use by another thread"):
                asked.result(LONG)
        done.set()
        assert statuses(responses)[-1] is None
        association.abort()


def test_query_that_nobody_reads_hinders_no_thread() -> None:
    """Responses that are thrown away, even before the first one, are waited for by nobody."""
    with serving(named) as port, associated(port) as association, ThreadPoolExecutor(1) as pool:
        association.send_c_find(QUERY, PATIENT_ROOT)
        assert pool.submit(ask, association, "B").result(LONG) == answer_of("B")
        next(association.send_c_find(QUERY, PATIENT_ROOT))
        assert pool.submit(ask, association, "C").result(LONG) == answer_of("C")


@pytest.mark.parametrize("status", [0x0000, 0xB001, 0xFE00, 0xA700])
def test_query_that_gave_way_never_ends_well(status: int) -> None:
    """A query whose responses are thrown away for a later one does not end with Success."""

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        assert isinstance(peer.receive_command(), CCancelRQ)
        # A peer that had sent all of it before the C-CANCEL came.
        pending = CFindRSP(message_id_being_responded_to=1, status=0xFF00, has_data_set=True)
        peer.send_command(pending, IDENTIFIER)
        peer.send_command(CFindRSP(message_id_being_responded_to=1, status=status))
        peer.receive_command()
        peer.send_command(CFindRSP(message_id_being_responded_to=2, status=0x0000))
        assert peer.receive() == AReleaseRQ()
        peer.send(AReleaseRP())

    with raw_acceptor(serve) as port, associated(port) as association:
        first = association.send_c_find(QUERY, PATIENT_ROOT)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT, msg_id=2)) == [0x0000]
        if status in (0xFE00, 0xA700):
            assert statuses(first) == [status]
        else:
            with pytest.raises(LocalProtocolError, match="read a query to its end"):
                list(first)


@pytest.mark.parametrize("how", ["cancel", "abort"])
def test_another_thread_ends_a_waiting_query(how: str) -> None:
    """A C-CANCEL and an abort of another thread do not wait for the responses."""
    asked = threading.Event()

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.set()
        cancelled.wait(LONG)
        yield 0xFE00, None

    cancelled = threading.Event()
    with serving(handler) as port, associated(port) as association, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(
            lambda: statuses(association.send_c_find(QUERY, PATIENT_ROOT, msg_id=7))
        )
        assert asked.wait(LONG)
        if how == "cancel":
            association.send_c_cancel(7)
            cancelled.set()
            assert reading.result(LONG) == [0xFE00]
        else:
            association.abort()
            assert reading.result(LONG) == [None]
            cancelled.set()


def test_tasks_never_get_a_wrong_answer() -> None:
    """Tasks that share an association get all rows, or an error that says why not."""

    async def one(association: AsyncAssociation, name: str) -> bool:
        query = data_set(QueryRetrieveLevel="PATIENT", PatientName=name)
        found, final = [], None
        try:
            async for status, match in association.send_c_find(query, PATIENT_ROOT):
                final = status.Status
                if match is not None:
                    found.append(str(match.PatientName))
        except LocalProtocolError:
            return False
        assert final == 0xFE00 or (final == 0x0000 and found == answer_of(name))
        return True

    async def test(port: int) -> None:
        async with await scu().associate_async(HOST, port) as association:
            answered = await asyncio.gather(*(one(association, f"N{n}^") for n in range(20)))
            assert any(answered)
            assert await one(association, "LAST")

    with serving(named) as port:
        asyncio.run(test(port))


def test_task_aborts_what_another_one_waits_for() -> None:
    asked = threading.Event()
    done = threading.Event()

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.set()
        done.wait(LONG)
        yield 0xFE00, None

    async def test(port: int) -> None:
        association = await scu().associate_async(HOST, port)

        async def read() -> list[object]:
            responses = association.send_c_find(QUERY, PATIENT_ROOT)
            return [status.get("Status") async for status, _ in responses]

        reading = asyncio.create_task(read())
        await asyncio.to_thread(asked.wait, LONG)
        await association.abort()
        assert association.is_aborted
        assert await reading == [None]

    with serving(handler) as port:
        asyncio.run(test(port))
        done.set()
