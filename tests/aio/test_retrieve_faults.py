"""Retrieves whose peers, destinations and files fail on the way, by bytes on the wire."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dicomquest.dimse.command_sets import decode_command
from dicomquest.dimse.commands import CCancelRQ, CGetRSP, CStoreRQ
from dicomquest.index import Index
from dicomquest.pdu.pdus import AAbort, AReleaseRP, AReleaseRQ, PDataTF
from fixtures.faces import RawPeer
from fixtures.raw_retrieves import (
    accept,
    answer,
    answer_move,
    final_of,
    getting,
    moved,
    moving,
    serving,
    to_the_end,
    wait_until_closed,
)
from fixtures.retrieving import CT
from fixtures.storing import ROOT, data_set_bytes, instance, write, write_large
from fixtures.timing import LONG, MS

# More than the buffers of two sockets hold, so that the server waits for its peer.
LARGE = 64_000_000
FIRST, MIDDLE, LAST = (f"{ROOT}.1.1.{number}" for number in (1, 256, 300))
UIDS = (FIRST, MIDDLE, LAST)

REFUSES, WARNS = 0xA700, 0xB000


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Three files of a study by UID, in the order in which they are sent; one is large."""
    small = write(tmp_path / "small", [instance(1, number) for number in (1, 300)])
    large = write_large(tmp_path / "large", LARGE)
    return dict(zip(UIDS, (small[0], large, small[1]), strict=True))


@pytest.fixture
def index(files: dict[str, Path], tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as made:
        made.ingest([path.parent for path in files.values()])
        yield made


def take_all(peer: RawPeer, *statuses: int) -> None:
    """Answer each instance with the status of its turn, and then the release."""
    accept(peer, CT)
    for status in statuses:
        answer_move(peer, peer.receive_command(), status)
    assert peer.receive() == AReleaseRQ()
    peer.send(AReleaseRP())


def begin_large(peer: RawPeer) -> None:
    """Take the first instance, and the first PDU of the large one."""
    accept(peer, CT)
    answer_move(peer, peer.receive_command())
    assert isinstance(peer.receive(), PDataTF)


def read_to_the_end(peer: RawPeer) -> None:
    while peer.receive() is not None:
        pass


def test_destination_that_never_reads(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    """The write time-out ends its association, and nobody answers on the next one."""
    is_over = threading.Event()

    def stop_reading(peer: RawPeer) -> None:
        begin_large(peer)
        assert is_over.wait(LONG)

    with moving(index, stop_reading) as peer:
        final = final_of(peer)
        is_over.set()
    assert final == (0xB000, 1, 2, (MIDDLE, LAST))
    assert f"{MIDDLE} not sent" in caplog.text
    assert "the peer did not read what was sent to it" in caplog.text


def test_getter_that_never_reads(index: Index, files: dict[str, Path]) -> None:
    """Its association ends, its file is closed, and the next one has all instances."""
    with serving(index, write_timeout=300 * MS) as port, getting(port) as peer:
        answer(peer, peer.receive_command())
        with getting(port) as other:
            assert to_the_end(other)[0] == list(UIDS)
        wait_until_closed(str(files[MIDDLE].parent))


@pytest.mark.requirement("RT-025", "RT-026", "RT-047")
@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((WARNS, WARNS, WARNS), (0xB000, 0, 0, ())),
        ((0, 0, REFUSES), (0xB000, 2, 1, (LAST,))),
        ((REFUSES, WARNS, 0), (0xB000, 1, 1, (FIRST,))),
        ((REFUSES, REFUSES, REFUSES), (0xA702, 0, 3, UIDS)),
    ],
)
def test_destination_that_refuses_or_warns(
    index: Index, statuses: tuple[int, ...], expected: tuple[object, ...]
) -> None:
    assert moved(index, lambda peer: take_all(peer, *statuses)) == expected


@pytest.mark.requirement("RT-051")
def test_destination_that_dies_in_mid_instance(index: Index) -> None:
    """The instance in flight fails; the rest goes over one more association."""
    final = moved(index, begin_large, lambda peer: take_all(peer, 0))
    assert final == (0xB000, 2, 1, (MIDDLE,))


def remove(path: Path) -> None:
    path.unlink()


def replace_by_another(path: Path) -> None:
    (other,) = write(path.parent.parent / "other", [instance(9, 9)])
    other.replace(path)


@pytest.mark.requirement("RT-041", "RT-046")
@pytest.mark.parametrize("change", [remove, replace_by_another])
def test_file_that_goes_in_mid_instance(
    index: Index, files: dict[str, Path], change: Callable[[Path], None]
) -> None:
    """The open file stays what it was: an instance that is on its way comes whole."""
    stored = data_set_bytes(files[MIDDLE])
    sizes = []

    def take(peer: RawPeer) -> None:
        accept(peer, CT)
        answer_move(peer, peer.receive_command())
        store = receive_store(peer, lambda: change(files[MIDDLE]))
        sizes.append(peer.data_set == stored)
        answer_move(peer, store)
        answer_move(peer, peer.receive_command())
        assert peer.receive() == AReleaseRQ()
        peer.send(AReleaseRP())

    assert moved(index, take) == (0x0000, 3, 0, ())
    assert sizes == [True]


def receive_store(peer: RawPeer, in_between: Callable[[], None], after: int = 1) -> CStoreRQ:
    """Receive a C-STORE request, and do something after some of its PDUs."""
    command: CStoreRQ | None = None
    data = bytearray()
    for number in itertools.count(1):
        pdu = peer.receive()
        assert isinstance(pdu, PDataTF)
        for pdv in pdu.pdvs:
            if pdv.is_command:
                decoded = decode_command(pdv.fragment)
                assert isinstance(decoded, CStoreRQ)
                command = decoded
            else:
                data += pdv.fragment
        if number == after:
            in_between()
        if pdu.pdvs[-1].is_last and not pdu.pdvs[-1].is_command:
            break
    assert command is not None
    peer.data_set = bytes(data)
    return command


def cut(path: Path) -> None:
    os.truncate(path, 1_000_000)


@pytest.mark.requirement("RT-046")
def test_file_that_is_cut_fails_alone(index: Index, files: dict[str, Path]) -> None:
    """The storage association cannot be saved, and the last instance goes over another one."""

    def see_the_end(peer: RawPeer) -> None:
        begin_large(peer)
        cut(files[MIDDLE])
        read_to_the_end(peer)

    final = moved(index, see_the_end, lambda peer: take_all(peer, 0))
    assert final == (0xB000, 2, 1, (MIDDLE,))


@pytest.mark.requirement("RT-046", "RT-072")
def test_file_that_is_cut_ends_a_get(index: Index, files: dict[str, Path]) -> None:
    """A message without its end has no other one than that of the association."""
    with serving(index) as port, getting(port) as peer:
        answer(peer, peer.receive_command())
        assert isinstance(peer.receive(), PDataTF)
        cut(files[MIDDLE])
        while isinstance(pdu := peer.receive(), PDataTF):
            pass
        assert pdu is None or isinstance(pdu, AAbort)
        wait_until_closed(str(files[MIDDLE].parent))


CANCEL = CCancelRQ(message_id_being_responded_to=1)


@pytest.mark.requirement("RT-064", "RT-070")
@pytest.mark.parametrize("after", [1, 2, 100, 900])
def test_cancel_within_an_instance(index: Index, after: int) -> None:
    """The instance comes to its end, is answered and counted; the last one never begins."""
    with serving(index) as port, getting(port) as peer:
        answer(peer, peer.receive_command())
        store = receive_store(peer, lambda: peer.send_command(CANCEL, context_id=1), after)
        assert len(peer.data_set) > LARGE
        answer(peer, store)
        final = peer.receive_command()
    assert isinstance(final, CGetRSP)
    assert (final.status, final.number_of_remaining_suboperations) == (0xFE00, 1)
    assert final.number_of_completed_suboperations == 2


@pytest.mark.requirement("RT-070")
def test_cancel_on_the_heels_of_the_request(index: Index) -> None:
    with serving(index) as port, getting(port) as peer:
        peer.send_command(CANCEL, context_id=1)
        uids, final = to_the_end(peer)
    # The server may not know yet how many there are.
    assert final.status == 0xFE00
    assert final.number_of_remaining_suboperations in {None, 3 - len(uids)}


@pytest.mark.requirement("RT-070")
def test_cancel_while_a_destination_is_silent(index: Index) -> None:
    is_over = threading.Event()

    def say_nothing(peer: RawPeer) -> None:
        peer.receive()
        is_asked.set()
        assert is_over.wait(LONG)

    is_asked = threading.Event()
    with moving(index, say_nothing, acse_timeout=LONG) as peer:
        assert is_asked.wait(LONG)
        peer.send_command(CANCEL, context_id=1)
        assert final_of(peer) == (0xFE00, 0, 0, ())
        is_over.set()
