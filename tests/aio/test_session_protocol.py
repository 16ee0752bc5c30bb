"""A server bounds what it holds for a peer that does not read."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import weakref

import pytest

from dicomquest import evt
from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import CEchoRQ, Command, UnknownCommand
from dicomquest.pdu.pdus import COMMAND, LAST, PDataTF, PresentationDataValue, encode
from fixtures.faces import associated, raw_requestor, serving
from fixtures.timing import LONG, SHORT

KERNEL = 16 << 20
"""Bytes that the buffers of both sockets may take on loopback."""


def pdu(command: Command, context_id: int = 1) -> bytes:
    pdv = PresentationDataValue(context_id, COMMAND | LAST, encode_command(command))
    return encode(PDataTF((pdv,)))


@pytest.mark.parametrize(
    "command",
    [
        UnknownCommand(command_field=0x0150, message_id=7),
        CEchoRQ(message_id=7, affected_sop_class_uid="1.2.840.10008.1.1.1"),
    ],
    ids=["unknown", "refused"],
)
def test_a_peer_that_reads_nothing_has_to_wait(
    command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers without a service count, too: the server reads no further command meanwhile."""
    caplog.set_level(logging.CRITICAL, "dicomquest.server")
    many = pdu(command) * 1000
    sent = 0
    with serving() as port, raw_requestor(port) as peer:
        peer.socket.settimeout(10 * SHORT)
        with contextlib.suppress(TimeoutError):
            while sent < 4 * KERNEL:
                sent += peer.socket.send(many)
        assert sent < 4 * KERNEL


@pytest.mark.parametrize(
    ("uid", "echoed"), [("1.2.3", "1.2.3"), ("1.02.3", "1.02.3"), ("x" * 60_000, "")]
)
def test_only_uids_are_echoed(uid: str, echoed: str) -> None:
    with serving() as port, raw_requestor(port) as peer:
        peer.send_command(
            UnknownCommand(command_field=0x0150, message_id=7, affected_sop_class_uid=uid)
        )
        response = peer.receive_command()
    assert isinstance(response, UnknownCommand)
    assert response.affected_sop_class_uid == echoed


def test_turns_keep_messages_in_order() -> None:
    """Bytes that have to wait for the next turn come before those that are read later."""
    numbers = range(1, 5001)
    with serving() as port, raw_requestor(port) as peer:
        peer.send(*(pdu(UnknownCommand(command_field=0x0150, message_id=n)) for n in numbers))
        for number in numbers:
            response = peer.receive_command()
            assert getattr(response, "message_id_being_responded_to", None) == number


def test_end_between_turns_is_harmless() -> None:
    """A peer that sends much and goes leaves the server as it was."""
    many = pdu(UnknownCommand(command_field=0x0150, message_id=1)) * 20_000
    with serving() as port:
        for _ in range(3):
            with raw_requestor(port) as peer:
                peer.send(many[: len(many) // 4])
        with raw_requestor(port) as peer:
            peer.send(pdu(UnknownCommand(command_field=0x0150, message_id=9)))
            assert getattr(peer.receive_command(), "message_id_being_responded_to", None) == 9


def test_association_that_ends_leaves_no_cycle() -> None:
    """Its memory is free at once: collections of many associations took a tenth of their time."""
    gone = threading.Event()
    watched: list[weakref.ref[object]] = []

    def watch(event: evt.Event) -> None:
        watched.append(weakref.ref(event.assoc, lambda _: gone.set()))

    gc.disable()
    try:
        with serving(None, (evt.EVT_CONN_CLOSE, watch)) as port:
            with associated(port) as association:
                assert association.send_c_echo().Status == 0x0000
            assert gone.wait(LONG)
    finally:
        gc.enable()
    assert watched
