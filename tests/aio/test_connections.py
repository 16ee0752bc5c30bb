"""Connections have places: one address cannot take those of another."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dicomquest.aio.connections import (
    SPARE_CONNECTIONS,
    SPARE_OF_ADDRESS,
    ConnectionLimits,
    Connections,
)
from dicomquest.pdu.pdus import AAssociateAC, AAssociateRJ, encode
from dicomquest.services.limit_names import LimitName
from fixtures.faces import HOST, RQ, RawPeer, associated, raw_requestor, scp, scu, serving
from fixtures.timing import LONG

OTHER = "127.0.0.2"


@dataclass(frozen=True, slots=True)
class Place:
    host: str
    number: int = 0


@contextlib.contextmanager
def connected(port: int, count: int, said: bytes = b"") -> Iterator[list[RawPeer]]:
    """Connections that have said no more than ``said``."""
    with contextlib.ExitStack() as stack:
        peers = []
        for _ in range(count):
            connection = socket.create_connection((HOST, port), timeout=LONG)
            peers.append(RawPeer(stack.enter_context(connection)))
            connection.sendall(said)
        yield peers


@pytest.mark.requirement("UL-124")
@pytest.mark.parametrize("said", [b"", encode(RQ)[:-1]], ids=["silent", "unfinished"])
def test_waiting_peers_give_way(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """However many connections wait, another address gets its association."""
    ae = scp()
    with serving(ae=ae) as port, connected(port, 100 + SPARE_CONNECTIONS + 6, said) as peers:
        with associated(port, bind_address=(OTHER, 0)) as association:
            assert association.send_c_echo().Status == 0x0000
        assert peers[0].receive() is None
        peers[-1].send(encode(RQ)[len(said) :])
        assert isinstance(peers[-1].receive(), AAssociateAC)
    assert f"connection from {HOST} dropped: too many are open" in caplog.text


@pytest.mark.requirement("UL-124")
def test_an_address_waits_within_its_own_limit() -> None:
    """Beyond the limit of its address, a connection takes the place of an older one of it."""
    ae = scp()
    ae.maximum_associations_per_peer = 1
    with serving(ae=ae) as port, associated(port) as first:
        with connected(port, SPARE_OF_ADDRESS + 1) as peers:
            assert peers[0].receive() is None
            peers[-1].send(RQ)
            assert isinstance(peers[-1].receive(), AAssociateRJ)
        assert first.send_c_echo().Status == 0x0000


def test_established_associations_stay() -> None:
    ae = scp()
    ae.maximum_associations = 1
    with serving(ae=ae) as port, associated(port) as first, connected(port, 2 * SPARE_CONNECTIONS):
        assert first.send_c_echo().Status == 0x0000
        assert scu().associate(HOST, port).is_rejected


def test_rejected_association_frees_its_place() -> None:
    """A rejected association has no place, though its connection is still open."""
    ae = scp()
    ae.maximum_associations = 1
    ae.require_calling_aet = ["SCU"]
    with serving(ae=ae) as port, raw_requestor(port), associated(port) as association:
        assert association.send_c_echo().Status == 0x0000


def test_oldest_of_the_greediest_goes() -> None:
    connections: Connections[Place] = Connections(ConnectionLimits(2, None))
    few = [Place("few", number) for number in range(2)]
    many = [Place("many", number) for number in range(SPARE_CONNECTIONS)]
    assert [connections.open(each) for each in (*few, *many)] == [None] * len((*few, *many))
    assert connections.admit(many[0]) is None
    assert connections.open(Place("new")) == (many[1], LimitName.CONNECTIONS)
    assert connections.admit(many[1]) is LimitName.ASSOCIATIONS
    assert len(connections) == 2 + SPARE_CONNECTIONS


def test_places_are_counted_exactly() -> None:
    connections: Connections[Place] = Connections(ConnectionLimits(3, 1))
    one, two = Place("host", 1), Place("host", 2)
    connections.open(one)
    connections.open(two)
    assert connections.admit(one) is None
    assert connections.admit(two) is LimitName.ASSOCIATIONS_OF_ADDRESS
    connections.dismiss(one)
    assert connections.admit(two) is None
    connections.close(two)
    connections.close(two)
    assert connections.admit(one) is None
    connections.close(one)
    assert len(connections) == 0


def test_places_of_a_title_are_counted() -> None:
    connections: Connections[Place] = Connections(ConnectionLimits(9, None))
    places = [Place("host", number) for number in range(3)]
    for place in places:
        connections.open(place)
        assert connections.admit(place) is None
    assert connections.admit_title(places[0], "A", 1) is None
    assert connections.admit_title(places[1], "A", 1) is LimitName.ASSOCIATIONS_OF_TITLE
    assert connections.admit_title(places[2], "B", 1) is None
    connections.dismiss(places[0])
    assert connections.admit_title(places[1], "A", 1) is None


def test_spare_connections_can_be_fewer() -> None:
    connections: Connections[Place] = Connections(
        ConnectionLimits(1, 1, spare=2, spare_of_address=1)
    )
    places = [Place(f"host{number // 2}", number) for number in range(4)]
    assert [connections.open(place) for place in places[:3]] == [None] * 3
    assert connections.open(places[3]) == (places[0], LimitName.CONNECTIONS)
    assert connections.open(Place("host1", 9)) == (places[2], LimitName.CONNECTIONS_OF_ADDRESS)
