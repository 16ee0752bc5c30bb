"""Our SCU against other people's archives: the same answers as their own clients get."""

from __future__ import annotations

import pytest

from peers import ours
from peers.answers import Answer, only
from peers.dcmtk import findscu
from peers.processes import Peer
from peers.pynetdicom_programs import pynetdicom_find
from peers.queries import QUERIES, KnownQuery

known_queries = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name.replace(" ", "-"))


@pytest.fixture(
    params=[
        pytest.param("dcmqrscp", marks=pytest.mark.peer("dcmqrscp", "dcmqridx", "findscu")),
        pytest.param("orthanc", marks=pytest.mark.peer("Orthanc", "findscu")),
        "pynetdicom",
    ]
)
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.getfixturevalue(request.param)
    return found


def their_clients_answers(peer: Peer, query: KnownQuery) -> list[Answer]:
    if peer.aet == "PYNETDICOM":
        return pynetdicom_find(peer, query.level, query.keys, model=query.model).answers
    return findscu(peer, query.level, query.keys, model=query.model).answers


@known_queries
def test_the_command_line(peer: Peer, query: KnownQuery) -> None:
    answers = ours.find(peer, query.level, query.keys, model=query.model)
    assert only(answers, *query.keys) == only(their_clients_answers(peer, query), *query.keys)
