"""Servers in the background of a program, and in its foreground."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from pydicom.dataset import Dataset

from dicomquest import AE, evt
from dicomquest.errors import LocalProtocolError
from fixtures.faces import (
    HOST,
    PATIENT_ROOT,
    QUERY,
    associated,
    patients,
    running,
    scp,
    scu,
    statuses,
)
from fixtures.timing import LONG, MS


def test_server_tells_address_and_associations() -> None:
    """A server tells where it listens and which associations it has."""
    with running() as server:
        assert server.server_address[0] == HOST
        with associated(server.server_address[1]):
            assert [
                association.requestor.ae_title for association in server.active_associations
            ] == ["SCU"]
        states = [server.is_running]
    assert [*states, server.is_running] == [True, False]
    server.shutdown()


def test_handlers_bind_and_unbind_while_running() -> None:
    """Handlers are bound to a running server and unbound again."""

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        return patients(1)

    with running() as server, associated(server.server_address[1]) as association:
        server.bind(evt.EVT_C_FIND, handler)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xFF00, 0x0000]
        server.unbind(evt.EVT_C_FIND, handler)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xC310]


def test_entity_ends_all_its_servers() -> None:
    ae = scp()
    servers = [ae.start_server((HOST, 0), block=False) for _ in range(2)]
    ae.shutdown()
    assert [server.is_running for server in servers] == [False, False]


@pytest.mark.parametrize("block", [True, False])
def test_address_that_cannot_be_had_is_os_error(block: bool) -> None:
    with socket.create_server((HOST, 0)) as taken, pytest.raises(OSError, match="in use"):
        scp().start_server(taken.getsockname(), block=block)  # type: ignore[call-overload]


def test_server_needs_something_to_support() -> None:
    with pytest.raises(LocalProtocolError, match="without supported") as caught:
        AE().start_server((HOST, 0), block=False)
    assert isinstance(caught.value, ValueError)


def test_blocking_server_ends_from_another_thread() -> None:
    """Another thread can end a blocking server."""
    ae = scp()
    thread = threading.Thread(target=ae.start_server, args=((HOST, 0),))
    thread.start()
    for _ in range(1000):
        if ae._servers and ae._servers[0].is_running:
            break
        thread.join(5 * MS)
    port = ae._servers[0].server_address[1]
    with associated(port) as association:
        assert association.send_c_echo().Status == 0x0000
    ae.shutdown()
    thread.join(LONG)
    assert not thread.is_alive()


def test_shutdown_waits_for_handlers_of_an_end() -> None:
    """An association that has just been released still tells the end of its connection."""
    begun, go = threading.Event(), threading.Event()
    told: list[str] = []

    def released(event: evt.Event) -> None:
        begun.set()
        go.wait(LONG)

    with running(
        (evt.EVT_RELEASED, released),
        (evt.EVT_CONN_CLOSE, lambda event: told.append(event.event.name)),
    ) as server:
        with associated(server.server_address[1]):
            pass
        assert begun.wait(LONG)
        assert server._server is not None
        while len(server._server._connections):
            threading.Event().wait(5 * MS)
        thread = threading.Thread(target=server.shutdown)
        thread.start()
        while server.is_running:
            threading.Event().wait(5 * MS)
        go.set()
        thread.join(LONG)
    assert told == ["EVT_CONN_CLOSE"]


BLOCKING = """
import sys
from dicomquest import AE, evt
ae = AE()
ae.add_supported_context("1.2.840.10008.1.1")
port = int(sys.argv[1])
opened = (evt.EVT_CONN_OPEN, lambda event: print("open", flush=True))
ae.start_server(("127.0.0.1", port), evt_handlers=[opened])
print("ended")
"""


def test_interrupt_ends_blocking_server_cleanly() -> None:
    """An interrupt ends a blocking server cleanly."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", BLOCKING, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts background jobs with SIGINT ignored, and children inherit that. It is safe
        # before exec, because setting a signal's default takes no lock.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        ae = scu()
        while not (association := ae.associate(HOST, port)).is_established:
            assert process.poll() is None
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=LONG)
        finally:
            process.kill()
    association.release()
    assert (process.returncode, out, err) == (0, b"ended\n", b"")
