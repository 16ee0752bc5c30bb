"""The instances of a C-GET, and its responses, under both faces."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dicomquest import evt
from dicomquest.dimse.commands import (
    CCancelRQ,
    CGetRQ,
    CMoveRQ,
    CStoreRSP,
    SubOperations,
    retrieve_response,
)
from dicomquest.pdu.pdus import AReleaseRP, AReleaseRQ
from dicomquest.services.received_instance import ReceivedInstance
from fixtures.faces import HOST, IMPLICIT, RawPeer, data_set, raw_acceptor, statuses
from fixtures.getting import (
    CT,
    GET_CONTEXT,
    MOVE_CONTEXT,
    ROLES,
    STUDY_GET,
    WANTED,
    Ask,
    accept_getter,
    ask_blocking,
    ask_in_loop,
    end,
    getter,
    receive_request,
    send_store,
    send_store_in_pdus,
    store,
)
from fixtures.timing import LONG

both_faces = pytest.mark.parametrize("ask", [ask_blocking, ask_in_loop])

FAILED = bytes.fromhex("0800 5800 0600 0000") + b"1.2.9\0"
"""Failed SOP Instance UID List, in Implicit VR Little Endian."""


@pytest.mark.requirement("RT-063")
@both_faces
def test_instances_come_between_responses(ask: Ask) -> None:
    """Instances reach the handler, responses the caller, though their Message IDs are equal."""
    taken: list[str] = []

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        assert isinstance(request, CGetRQ)
        assert request.message_id == 1
        for count, uid in enumerate(("1.2.1", "1.2.2"), 1):
            assert store(peer, uid, request.message_id) == 0x0000
            counts = SubOperations(2 - count, count, 0, 0)
            peer.send_command(retrieve_response(request, 0xFF00, counts), context_id=GET_CONTEXT)
        peer.send_command(
            retrieve_response(request, 0x0000, SubOperations(None, 2, 0, 0)),
            context_id=GET_CONTEXT,
        )
        end(peer)

    def keep(event: evt.Event, where: list[str]) -> int:
        assert event.request.AffectedSOPClassUID == CT
        assert event.context.transfer_syntax == IMPLICIT
        assert event.assoc.is_established
        assert event.dataset.PatientName == "Citizen^Jan"
        where.append(event.dataset.SOPInstanceUID)
        return 0x0000

    with raw_acceptor(serve) as port:
        responses = ask(port, (evt.EVT_C_STORE, keep, [taken]))
    assert taken == ["1.2.1", "1.2.2"]
    assert statuses(responses) == [0xFF00, 0xFF00, 0x0000]
    counts = [
        (
            status.get("NumberOfRemainingSuboperations"),
            status.NumberOfCompletedSuboperations,
            status.NumberOfFailedSuboperations,
            status.NumberOfWarningSuboperations,
        )
        for status, _ in responses
    ]
    assert counts == [(1, 1, 0, 0), (0, 2, 0, 0), (None, 2, 0, 0)]
    assert [identifier for _, identifier in responses] == [None] * 3


@pytest.mark.requirement("RT-032")
@pytest.mark.parametrize(
    ("identifier", "expected"), [(FAILED, "1.2.9"), (b"", None), (b"\x08\0\x58\0\xff\0\0\0", None)]
)
@both_faces
def test_final_identifier_may_be_anything(
    ask: Ask, identifier: bytes, expected: str | None
) -> None:
    """The list of failed UIDs is read where there is one; counts may be missing."""

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        assert isinstance(request, CMoveRQ)
        assert request.move_destination == "STORE"
        response = retrieve_response(
            request, 0xB000, SubOperations(), has_data_set=bool(identifier)
        )
        peer.send_command(response, identifier, MOVE_CONTEXT)
        end(peer)

    with raw_acceptor(serve) as port:
        ((status, failed),) = ask(port, move_to="STORE")
    assert status.Status == 0xB000
    assert "NumberOfFailedSuboperations" not in status
    assert (failed and failed.FailedSOPInstanceUIDList) == expected


@pytest.mark.parametrize(
    ("returned", "status"),
    [
        (0xB000, 0xB000),
        (data_set(Status=0xA700, ErrorComment="full"), 0xA700),
        (None, 0xC211),
        (0xFF00, 0xC211),
        (KeyError("x"), 0xC211),
    ],
)
@both_faces
def test_handler_decides_the_status(ask: Ask, returned: object, status: int) -> None:
    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        assert store(peer, "1.2.1") == status
        peer.send_command(
            retrieve_response(request, 0x0000, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    def handle(_: evt.Event) -> object:
        if isinstance(returned, Exception):
            raise returned
        return returned

    with raw_acceptor(serve) as port:
        assert statuses(ask(port, (evt.EVT_C_STORE, handle))) == [0x0000]


@both_faces
def test_instance_without_handler_is_refused(ask: Ask) -> None:
    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        assert store(peer, "1.2.1") == 0x0122
        peer.send_command(
            retrieve_response(request, 0xA702, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    with raw_acceptor(serve) as port:
        assert statuses(ask(port)) == [0xA702]


@both_faces
def test_instance_in_a_file_is_the_handlers(ask: Ask, tmp_path: Path) -> None:
    """An AE with a folder has instances in files, which go unless the handler moves them."""
    incoming, kept = tmp_path / "incoming", tmp_path / "kept.dcm"
    incoming.mkdir()

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        assert store(peer, "1.2.1", padding=60_000) == 0x0000
        assert store(peer, "1.2.2", padding=60_000) == 0x0000
        peer.send_command(
            retrieve_response(request, 0x0000, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    def keep(event: evt.Event) -> int:
        path = event.dataset_path
        assert path.parent == incoming
        assert path.read_bytes() == event.encoded_dataset()
        assert event.encoded_dataset().endswith(event.encoded_dataset(include_meta=False))
        assert event.dataset.SOPInstanceUID == event.request.AffectedSOPInstanceUID
        if event.request.AffectedSOPInstanceUID == "1.2.1":
            path.rename(kept)
        return 0x0000

    with raw_acceptor(serve) as port:
        ask(port, (evt.EVT_C_STORE, keep), ae=getter(incoming_folder=incoming))
    assert not list(incoming.iterdir())
    assert kept.stat().st_size > 60_000


@both_faces
def test_folder_that_is_gone_fails_the_instance(ask: Ask, tmp_path: Path) -> None:
    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        assert store(peer, "1.2.1") == 0xA700
        peer.send_command(
            retrieve_response(request, 0xA702, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    with raw_acceptor(serve) as port:
        ask(
            port,
            (evt.EVT_C_STORE, lambda _: pytest.fail("called")),
            ae=getter(incoming_folder=tmp_path / "none"),
        )


@both_faces
def test_part_of_an_instance_leaves_no_file(ask: Ask, tmp_path: Path) -> None:
    """The file of an instance that does not come to its end is deleted."""

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        receive_request(peer)
        whole: list[bytes] = []
        sender = peer.send
        peer.send = lambda *pdus: whole.extend(map(bytes_of, pdus))  # type: ignore[method-assign]
        send_store(peer, "1.2.1", padding=60_000)
        sender(b"".join(whole)[:-10])
        peer.socket.close()

    with raw_acceptor(serve) as port:
        handler = (evt.EVT_C_STORE, lambda _: pytest.fail("called"))
        responses = ask(port, handler, ae=getter(incoming_folder=tmp_path))
    assert statuses(responses) == [None]
    assert not list(tmp_path.iterdir())


@pytest.mark.requirement("RT-064")
def test_instances_after_cancel_are_answered() -> None:
    """A C-CANCEL by the handler: later instances are answered, and the final response is read."""

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        send_store(peer, "1.2.1")
        assert isinstance(peer.receive_command(), CCancelRQ)
        assert isinstance(peer.receive_command(), CStoreRSP)
        assert store(peer, "1.2.2") == 0x0000
        peer.send_command(
            retrieve_response(request, 0xFE00, SubOperations(3, 2, 0, 0)),
            context_id=GET_CONTEXT,
        )
        end(peer)

    def cancel(event: evt.Event) -> int:
        event.assoc.send_c_cancel(1, query_model=STUDY_GET)
        return 0x0000

    with raw_acceptor(serve) as port:
        responses = ask_blocking(port, (evt.EVT_C_STORE, cancel))
    assert statuses(responses) == [0xFE00]
    assert responses[0][0].NumberOfRemainingSuboperations == 3


@pytest.mark.requirement("RT-064")
def test_loop_left_early_answers_instances() -> None:
    """Leaving the loop cancels the C-GET; what still comes is answered before the next request."""

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        peer.send_command(
            retrieve_response(request, 0xFF00, SubOperations(2, 0, 0, 0)),
            context_id=GET_CONTEXT,
        )
        assert isinstance(peer.receive_command(), CCancelRQ)
        assert store(peer, "1.2.1") == 0x0000
        peer.send_command(
            retrieve_response(request, 0xFE00, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    taken: list[str] = []

    def keep(event: evt.Event) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    with (
        raw_acceptor(serve) as port,
        getter().associate(
            HOST, port, ext_neg=ROLES, evt_handlers=[(evt.EVT_C_STORE, keep)]
        ) as association,
    ):
        for status, _ in association.send_c_get(WANTED, STUDY_GET):
            assert status.NumberOfRemainingSuboperations == 2
            break
        association.release()
    assert taken == ["1.2.1"]


def test_handler_may_abort_in_the_loop() -> None:
    """A coroutine that aborts its association from the handler does not wait for itself."""

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        receive_request(peer)
        send_store(peer, "1.2.1")
        while peer.receive() is not None:
            pass

    async def abort(event: evt.Event) -> int:
        await event.assoc.abort()
        return 0x0000

    with raw_acceptor(serve) as port:
        assert statuses(ask_in_loop(port, (evt.EVT_C_STORE, abort))) == [None]


def test_another_thread_cancels_while_handling() -> None:
    """A handler that waits for another thread does not keep that from the association."""
    is_cancelled = threading.Event()

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        send_store(peer, "1.2.1")
        assert isinstance(peer.receive_command(), CCancelRQ)
        assert isinstance(peer.receive_command(), CStoreRSP)
        peer.send_command(
            retrieve_response(request, 0xFE00, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    def wait(event: evt.Event) -> int:
        def cancel() -> None:
            event.assoc.send_c_cancel(1)
            is_cancelled.set()

        threading.Thread(target=cancel).start()
        assert is_cancelled.wait(LONG)
        return 0x0000

    with raw_acceptor(serve) as port:
        assert statuses(ask_blocking(port, (evt.EVT_C_STORE, wait))) == [0xFE00]


def test_silent_retrieve_is_cancelled_then_aborted() -> None:
    """``retrieve_timeout`` bounds the wait for a response, not ``dimse_timeout``."""
    ae = getter(dimse_timeout=0.01, retrieve_timeout=0.3)

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        for number in range(3):
            peer.socket.settimeout(0.15)
            with pytest.raises(TimeoutError):
                peer.receive()
            peer.socket.settimeout(LONG)
            if number == 1:
                assert store(peer, "1.2.1") == 0x0000
            else:
                peer.send_command(
                    retrieve_response(request, 0xFF00, SubOperations(1, 0, 0, 0)),
                    context_id=GET_CONTEXT,
                )
        assert isinstance(peer.receive_command(), CCancelRQ)
        while peer.receive() is not None:
            pass

    with raw_acceptor(serve) as port:
        responses = ask_blocking(port, (evt.EVT_C_STORE, lambda _: 0x0000), ae=ae)
    assert statuses(responses) == [0xFF00, 0xFF00, None]


def bytes_of(pdu: object) -> bytes:
    """The bytes of a PDU, encoded or not."""
    from dicomquest.pdu.pdus import encode

    return pdu if isinstance(pdu, bytes) else encode(pdu)  # type: ignore[arg-type]


def test_instance_after_release_is_not_answered() -> None:
    """An instance that comes when the release is asked for is no reason to fail."""

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        assert peer.receive() == AReleaseRQ()
        send_store(peer, "1.2.1")
        peer.send(AReleaseRP())
        assert peer.receive() is None

    with raw_acceptor(serve) as port:
        association = getter().associate(
            HOST, port, ext_neg=ROLES, evt_handlers=[(evt.EVT_C_STORE, lambda _: 0x0000)]
        )
        association.release()
        assert association.is_released


@pytest.mark.requirement("RT-052")
@both_faces
def test_large_instance_arrives_in_parts(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An instance of 20 MB goes to its file in parts of some hundred kilobytes."""
    sizes: list[int] = []
    write = ReceivedInstance.write

    def note(self: ReceivedInstance, parts: list[bytes]) -> None:
        sizes.append(sum(map(len, parts)))
        write(self, parts)

    def serve(peer: RawPeer) -> None:
        accept_getter(peer)
        request = receive_request(peer)
        send_store_in_pdus(peer, "1.2.1", 20_000_000)
        response = peer.receive_command()
        assert isinstance(response, CStoreRSP)
        assert response.status == 0x0000
        peer.send_command(
            retrieve_response(request, 0x0000, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    monkeypatch.setattr(ReceivedInstance, "write", note)
    with raw_acceptor(serve) as port:
        handler = (evt.EVT_C_STORE, lambda event: 0 * event.dataset_path.stat().st_size)
        ask(port, handler, ae=getter(incoming_folder=tmp_path))
    assert sum(sizes) > 20_000_000
    assert max(sizes) < 1_000_000


@pytest.mark.parametrize("is_assumed", [False, True])
@both_faces
def test_instance_without_the_role(
    ask: Ask, caplog: pytest.LogCaptureFixture, *, is_assumed: bool
) -> None:
    """A peer that did not grant the SCP role may send instances only if that is assumed."""

    def serve(peer: RawPeer) -> None:
        peer.accept()
        request = receive_request(peer)
        assert store(peer, "1.2.1") == (0x0000 if is_assumed else 0x0122)
        peer.send_command(
            retrieve_response(request, 0x0000, SubOperations()), context_id=GET_CONTEXT
        )
        end(peer)

    with raw_acceptor(serve) as port:
        ae = getter(assume_scp_role=is_assumed)
        ask(port, (evt.EVT_C_STORE, lambda _: 0x0000), ae=ae)
    assert ("AE.assume_scp_role = True" in caplog.text) is not is_assumed
