from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian

from dicomquest import AE, evt
from dicomquest.aio.client import AsyncAssociation
from dicomquest.aio.server import new_event_loop
from dicomquest.dimse.commands import CCancelRQ, CFindRSP
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    LocalProtocolError,
)
from dicomquest.pdu.pdus import AAbort
from fixtures.faces import (
    HOST,
    IDENTIFIER,
    PATIENT_ROOT,
    QUERY,
    STUDY_ROOT,
    RawPeer,
    data_set,
    patients,
    raw_acceptor,
    running,
    scp,
    scu,
    serving,
)
from fixtures.storing import data_set_bytes, instance, stored_files, storing, syntax_files
from fixtures.timing import LONG, SHORT


def many(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    for number in range(100_000):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        yield (
            0xFF00,
            data_set(
                QueryRetrieveLevel="PATIENT", PatientName=f"{event.identifier.PatientName}{number}"
            ),
        )


@contextlib.asynccontextmanager
async def associated(
    port: int, ae: AE | None = None, **more: Any
) -> AsyncIterator[AsyncAssociation]:
    association = await (ae or scu()).associate_async(HOST, port, **more)
    assert association.is_established, association.failure
    async with association:
        yield association


InLoop: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=[asyncio.new_event_loop, new_event_loop], ids=["asyncio", "uvloop"])
def in_loop(request: pytest.FixtureRequest) -> InLoop:
    """Run a coroutine to its end, in the standard event loop and in uvloop."""

    def run(test: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(LONG):
                await test()

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())

    return run


def test_echo_and_queries(in_loop: InLoop) -> None:
    async def test() -> None:
        async with associated(port) as association:
            assert (await association.send_c_echo()).Status == 0x0000
            for _ in range(2):
                responses = [each async for each in association.send_c_find(QUERY, PATIENT_ROOT)]
                assert [status.Status for status, _ in responses] == [0xFF00] * 1000 + [0x0000]
                assert [str(found.PatientName) for _, found in responses if found is not None][
                    -1
                ] == "999"
        assert association.is_released

    with serving(lambda _: patients(1000)) as port:
        in_loop(test)


@pytest.mark.requirement("UL-099")
def test_loop_left_early_leaks_nothing(in_loop: InLoop) -> None:
    """A loop left early leaks nothing into the next query."""

    async def test() -> None:
        async with associated(port) as association:
            for letter in "ABC":
                count = 0
                query = data_set(QueryRetrieveLevel="PATIENT", PatientName=letter)
                async for _, found in association.send_c_find(query, PATIENT_ROOT):
                    assert found is not None
                    assert found.PatientName == f"{letter}{count}"
                    count += 1
                    if count == 300:
                        break
            assert (await association.send_c_echo()).Status == 0x0000

    with serving(many) as port:
        in_loop(test)


def test_query_that_is_cancelled(in_loop: InLoop) -> None:
    async def test() -> None:
        async with associated(port) as association:
            responses = association.send_c_find(QUERY, PATIENT_ROOT, msg_id=3)
            await anext(responses)
            await association.send_c_cancel(3)
            assert [status.Status async for status, _ in responses][-1] == 0xFE00

    with serving(many) as port:
        in_loop(test)


def test_files_are_stored_as_they_are(in_loop: InLoop, tmp_path: Path) -> None:
    sent = {
        str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in syntax_files()
    }
    ae = AE()
    for path in sent.values():
        meta = dcmread(path, stop_before_pixels=True).file_meta
        ae.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)

    async def test() -> None:
        async with associated(store.peer.port, ae) as association:
            for path in sent.values():
                assert (await association.send_c_store(path)).Status == 0x0000

    with storing(tmp_path) as store:
        in_loop(test)
        stored = stored_files(store.folder)
    assert stored.keys() == sent.keys()
    for uid, path in sent.items():
        data_set = data_set_bytes(path)
        # A deflated data set may have an odd length in a file, but no fragment may.
        assert data_set_bytes(stored[uid]) == data_set + b"\0" * (len(data_set) % 2)


def test_data_set_is_stored_in_what_peer_accepts(in_loop: InLoop, tmp_path: Path) -> None:
    ae = AE()
    ae.add_requested_context(CTImageStorage, ImplicitVRLittleEndian)
    made = instance(1, 1)

    async def test() -> None:
        async with associated(store.peer.port, ae) as association:
            assert (await association.send_c_store(made)).Status == 0x0000
            with pytest.raises(ContextNotAcceptedError):
                await association.send_c_store(str(get_testdata_file("MR_small.dcm")))
            assert (await association.send_c_store(instance(1, 2))).Status == 0x0000

    with storing(tmp_path) as store:
        in_loop(test)
        stored = stored_files(store.folder)
    assert len(stored) == 2
    assert (
        dcmread(stored[made.SOPInstanceUID]).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    )
    assert dcmread(stored[made.SOPInstanceUID]).PixelData == made.PixelData


def test_task_cancelled_while_sending_ends_association(in_loop: InLoop) -> None:
    """A task cancelled while it sends ends the association."""
    is_sending, is_cancelled = threading.Event(), threading.Event()
    last: list[object] = []

    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive()
        is_sending.set()
        assert is_cancelled.wait(LONG)
        while (pdu := peer.receive()) is not None:
            last[:] = [pdu]
            if isinstance(pdu, AAbort):
                return

    async def test() -> None:
        ae = AE()
        ae.add_requested_context(CTImageStorage, ImplicitVRLittleEndian)
        association = await ae.associate_async(HOST, port)
        # More bytes than the connection buffers.
        sending = asyncio.create_task(association.send_c_store(instance(1, 1, pixels=64_000_000)))
        assert await asyncio.to_thread(is_sending.wait, LONG)
        sending.cancel()
        is_cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert association.is_aborted

    with raw_acceptor(serve) as port:
        in_loop(test)
    assert isinstance(last[0], AAbort)


def test_many_associations_at_once(in_loop: InLoop) -> None:
    async def one(port: int) -> int:
        async with associated(port) as association:
            return len(
                [
                    found
                    async for _, found in association.send_c_find(QUERY, PATIENT_ROOT)
                    if found is not None
                ]
            )

    async def test() -> None:
        assert await asyncio.gather(*(one(port) for _ in range(30))) == [50] * 30

    with serving(lambda _: patients(50)) as port:
        in_loop(test)


def test_why_there_is_no_association(in_loop: InLoop) -> None:
    async def test() -> None:
        nowhere = await scu().associate_async(HOST, closed)
        assert nowhere.is_aborted
        assert isinstance(nowhere.failure, ConnectionFailedError)
        rejected = await scu().associate_async(HOST, port, ae_title="OTHER")
        assert rejected.is_rejected
        assert isinstance(rejected.failure, AssociationRejectedError)
        with pytest.raises(ContextNotAcceptedError):
            async with associated(port, ae_title="SCP") as association:
                await anext(association.send_c_find(QUERY, STUDY_ROOT))
        assert association.is_released
        with pytest.raises(ZeroDivisionError):
            async with associated(port, ae_title="SCP") as association:
                _ = 1 / 0
        assert association.is_aborted
        with pytest.raises(LocalProtocolError):
            await association.send_c_echo()

    with socket.create_server((HOST, 0)) as listener:
        closed = listener.getsockname()[1]
    ae = scp()
    ae.require_called_aet = True
    with serving(ae=ae) as port:
        in_loop(test)


@pytest.mark.requirement("UL-061")
def test_peer_that_does_not_answer(in_loop: InLoop) -> None:
    def serve_no_association(peer: RawPeer) -> None:
        peer.receive()
        assert peer.receive() == AAbort(0, 0)

    def serve_no_response(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        assert peer.receive_command() == CCancelRQ(message_id_being_responded_to=1)
        assert peer.receive() == AAbort(0, 0)

    async def test(port: int, *, accepts: bool) -> None:
        ae = scu()
        ae.acse_timeout = ae.dimse_timeout = SHORT
        association = await ae.associate_async(HOST, port)
        assert association.is_established is accepts
        if accepts:
            assert [
                status.get("Status")
                async for status, _ in association.send_c_find(QUERY, PATIENT_ROOT)
            ] == [None]
        assert association.is_aborted
        assert isinstance(association.failure, AssociationAbortedError)

    with raw_acceptor(serve_no_association) as port:
        in_loop(lambda: test(port, accepts=False))
    with raw_acceptor(serve_no_response) as port:
        in_loop(lambda: test(port, accepts=True))


@pytest.mark.requirement("UL-058")
def test_association_that_is_lost_during_query(in_loop: InLoop) -> None:
    def serve(peer: RawPeer) -> None:
        peer.accept()
        peer.receive_command()
        peer.send_command(
            CFindRSP(message_id_being_responded_to=1, status=0xFF00, has_data_set=True), IDENTIFIER
        )

    async def test() -> None:
        association = await scu().associate_async(HOST, port)
        got = [
            status.get("Status") async for status, _ in association.send_c_find(QUERY, PATIENT_ROOT)
        ]
        assert got == [0xFF00, None]
        assert association.is_aborted

    with raw_acceptor(serve) as port:
        in_loop(test)


def test_cancelled_task_leaves_association_usable(in_loop: InLoop) -> None:
    async def test() -> None:
        async with associated(port) as association:
            begun = asyncio.Event()

            async def collect() -> None:
                async for _ in association.send_c_find(QUERY, PATIENT_ROOT):
                    begun.set()

            task = asyncio.create_task(collect())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await association.send_c_echo()).Status == 0x0000

    with serving(many) as port:
        in_loop(test)


def test_nagle_is_off(in_loop: InLoop) -> None:
    async def test() -> None:
        async with associated(port) as association:
            assert association._writer is not None
            connection = association._writer.get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1

    with running() as server:
        port = server.server_address[1]
        in_loop(test)
