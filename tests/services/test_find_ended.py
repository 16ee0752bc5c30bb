"""Queries that end early: by C-CANCEL, or with their association."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.aio.server_settings import ServerSettings
from dicomquest.dataset.encoder import encode
from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import CCancelRQ, CFindRQ, CFindRSP
from dicomquest.errors import AssociationAbortedError
from dicomquest.index import Index
from dicomquest.index.search.sqlite_cursor import Cursor, SQLiteCursor
from dicomquest.pdu.pdus import COMMAND, LAST, PDataTF, PresentationDataValue
from dicomquest.services.find import FindService
from dicomquest.services.request import ServiceRequest
from dicomquest.services.search_batches import BATCH, FIRST_BATCH
from dicomquest.standard.models import PATIENT_ROOT
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax
from fixtures.building import data_set
from fixtures.faces import RawPeer, raw_requestor
from fixtures.find_service import (
    ALL_IMAGES,
    GARBAGE,
    Channel,
    ask,
    assert_given_back,
    nothing_at_once,
)
from fixtures.timing import LONG


@pytest.mark.requirement("QR-160", "QR-165")
@pytest.mark.parametrize("batches", [1, 2])
def test_cancel_while_streaming_ends_with_fe00(index: Index, batches: int) -> None:
    """A C-CANCEL while responses stream ends them with FE00."""
    channel = Channel()

    def cancel(request: ServiceRequest) -> None:
        if len(channel.batches) == batches:
            request.cancel()

    channel.after_pending = cancel
    ask(index, ALL_IMAGES, channel=channel)
    assert channel.statuses == [0xFF00] * sum([FIRST_BATCH, BATCH][:batches]) + [0xFE00]
    assert channel.finals == [(0xFE00, "", ())]


@pytest.mark.requirement("QR-160")
def test_early_cancel_gives_fe00_alone(
    sqlite_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A C-CANCEL before the first response ends with FE00 alone."""
    monkeypatch.setattr(SQLiteCursor, "fetch_at_once", nothing_at_once)
    channel = Channel(before_run=lambda request: request.cancel())
    assert ask(sqlite_index, ALL_IMAGES, channel=channel).statuses == [0xFE00]


@pytest.mark.requirement("QR-160", "QR-164", "QR-165")
@pytest.mark.parametrize("is_abandoned", [False, True])
def test_long_search_without_matches_is_interrupted(
    sqlite_index: Index, is_abandoned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that finds nothing for long is interrupted."""
    # The database is busy for many seconds, as in a scan of ten million studies.
    running, errors = threading.Event(), list[str]()
    long = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000000)"
        " SELECT i FROM n WHERE i < 0"
    )
    channel = Channel()

    class Long(SQLiteCursor):
        def _run(self) -> Any:
            object.__setattr__(self.plan, "sql", long)
            object.__setattr__(self.plan, "parameters", ())
            self._driver.create_function("told", 0, running.set)
            try:
                # A quick C-CANCEL interrupts this statement already.
                self._driver.execute("SELECT told()").fetchone()
                return super()._run()
            except sqlite3.OperationalError as error:
                errors.append(str(error))
                raise

    def find(query: Any, *, is_latest: bool) -> Cursor:
        cursor = Index.search(sqlite_index, query, is_latest=is_latest)
        cursor.__class__ = Long
        return cursor

    async def cancel_when_running() -> None:
        assert await asyncio.to_thread(running.wait, LONG)
        channel.request.cancel(is_abandoned=is_abandoned)

    tasks: list[asyncio.Task[None]] = []
    channel.before_run = lambda _: tasks.append(
        asyncio.get_running_loop().create_task(cancel_when_running())
    )
    monkeypatch.setattr(sqlite_index, "search", find)
    monkeypatch.setattr(SQLiteCursor, "fetch_at_once", nothing_at_once)
    with pytest.raises(AssociationAbortedError) if is_abandoned else contextlib.nullcontext():
        ask(sqlite_index, ALL_IMAGES, channel=channel)
    assert channel.statuses == ([] if is_abandoned else [0xFE00])
    assert errors == ["interrupted"]
    assert_given_back(sqlite_index)


@pytest.mark.requirement("QR-164")
def test_lost_association_ends_streaming_search(index: Index) -> None:
    """An association that ends while responses stream ends the search."""
    channel = Channel(after_pending=lambda request: request.cancel(is_abandoned=True))
    with pytest.raises(AssociationAbortedError):
        ask(index, ALL_IMAGES, channel=channel)
    assert channel.statuses == [0xFF00] * FIRST_BATCH
    assert_given_back(index)


@pytest.fixture
def port(index: Index) -> Iterator[int]:
    service = FindService(index, "ARCHIVE")
    policy = AcceptorPolicy({PATIENT_ROOT.uid: SupportedSyntax((IMPLICIT_VR_LITTLE_ENDIAN,))})
    settings = ServerSettings(policy, {PATIENT_ROOT.uid: service})
    server = RunningServer(lambda: Server(settings), ("127.0.0.1", 0))
    server.start()
    yield server.server_address[1]
    server.shutdown()


def final(peer: RawPeer) -> CFindRSP:
    while isinstance(response := peer.receive_command(), CFindRSP) and response.status == 0xFF00:
        assert response.has_data_set
    assert isinstance(response, CFindRSP)
    assert not response.has_data_set
    return response


@pytest.mark.requirement("QR-143", "QR-145", "QR-170")
def test_association_stays_usable_after_any_failure(port: int) -> None:
    levelless = encode(data_set(PatientID=""), IMPLICIT_VR_LITTLE_ENDIAN, ())
    with raw_requestor(port) as peer:
        for number, identifier in enumerate([*GARBAGE, levelless], 1):
            peer.send_find(2 * number, identifier)
            failure = final(peer)
            assert (failure.message_id_being_responded_to, failure.status) == (
                2 * number,
                0xA900 if identifier is levelless else 0xC001,
            )
            assert 0 < len(failure.error_comment) <= 64
            peer.send_find(2 * number + 1)
            assert final(peer).status == 0x0000


IMAGES = encode(ALL_IMAGES | data_set(PatientID="P1"), IMPLICIT_VR_LITTLE_ENDIAN, ())


@pytest.mark.requirement("QR-140", "QR-160", "QR-161", "QR-162", "QR-165")
def test_cancels_on_the_wire(port: int) -> None:
    with raw_requestor(port) as peer:
        # The C-CANCEL has arrived before the search begins, so no response is needed to see it.
        peer.send_command(CCancelRQ(message_id_being_responded_to=5))
        cancel = PDataTF(
            (
                PresentationDataValue(
                    3, COMMAND | LAST, encode_command(CCancelRQ(message_id_being_responded_to=5))
                ),
            )
        )
        find = CFindRQ(message_id=5, affected_sop_class_uid=PATIENT_ROOT.uid)
        command = PDataTF((PresentationDataValue(3, COMMAND | LAST, encode_command(find)),))
        peer.send(command, PDataTF((PresentationDataValue(3, LAST, IMAGES),)), cancel)
        assert final(peer).status == 0xFE00
        for message_id in (5, 5, 77):
            peer.send_command(CCancelRQ(message_id_being_responded_to=message_id))
        # The server answers none of these: the next response is that of the next request.
        peer.send_find(6, IMAGES)
        assert (final(peer).status, final_id(peer, 7)) == (0x0000, 7)


def final_id(peer: RawPeer, message_id: int) -> int:
    peer.send_find(message_id)
    return final(peer).message_id_being_responded_to


@pytest.mark.requirement("QR-164")
def test_lost_connection_gives_the_search_up(port: int, index: Index) -> None:
    given_back = threading.Event()
    pool = index._database._readers.pool
    listen = lambda *_: given_back.set()  # noqa: E731 (to be removed by name)
    event.listen(pool, "checkin", listen)
    try:
        with raw_requestor(port) as peer:
            peer.send_find(1, IMAGES)
            peer.receive_command()
        assert given_back.wait(LONG)
    finally:
        event.remove(pool, "checkin", listen)
