"""Our SCU gets the same answers from other archives as their own clients."""

from __future__ import annotations

import asyncio

import pytest
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import dicomquest
from dicomquest import AE
from dicomquest.cli.request_identifier import MODEL_NAMES
from peers import ours
from peers.answers import Answer, only, plain
from peers.corpus import uid
from peers.dcmtk import findscu
from peers.processes import Peer
from peers.pynetdicom_programs import pynetdicom_find
from peers.queries import QUERIES, KnownQuery

VERIFICATION = "1.2.840.10008.1.1"

known_queries = pytest.mark.parametrize(
    "query", QUERIES, ids=lambda query: query.name.replace(" ", "-")
)


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
def test_command_line(peer: Peer, query: KnownQuery) -> None:
    answers = ours.find(peer, query.level, query.keys, model=query.model)
    assert only(answers, *query.keys) == only(their_clients_answers(peer, query), *query.keys)


def identifier_of(query: KnownQuery) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = query.level
    for keyword, value in query.keys.items():
        setattr(identifier, keyword, value)
    return identifier


def requesting_ae(syntax: str, query: KnownQuery) -> AE:
    ae = AE()
    ae.add_requested_context(MODEL_NAMES[query.model].uid, syntax)
    return ae


@known_queries
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_blocking_association(peer: Peer, query: KnownQuery, syntax: UID) -> None:
    ae = requesting_ae(syntax, query)
    with ae.associate(peer.host, peer.port, ae_title=peer.aet) as association:
        assert association.is_established, association.failure
        responses = list(
            association.send_c_find(identifier_of(query), MODEL_NAMES[query.model].uid)
        )
    assert association.is_released
    assert [status.Status for status, _ in responses] == [0xFF00] * (len(responses) - 1) + [0x0000]
    answers = [plain(match) for _, match in responses if match is not None]
    assert only(answers, *query.keys) == only(their_clients_answers(peer, query), *query.keys)


@known_queries
def test_asyncio_association(peer: Peer, query: KnownQuery) -> None:
    async def find() -> list[Answer]:
        ae = requesting_ae(ExplicitVRLittleEndian, query)
        async with await ae.associate_async(peer.host, peer.port, ae_title=peer.aet) as association:
            assert association.is_established, association.failure
            responses = association.send_c_find(identifier_of(query), MODEL_NAMES[query.model].uid)
            return [plain(match) async for _, match in responses if match is not None]

    assert only(asyncio.run(find()), *query.keys) == only(
        their_clients_answers(peer, query), *query.keys
    )


def test_short_way(peer: Peer) -> None:
    found = dicomquest.find(
        peer.host, peer.port, called_aet=peer.aet, PatientName="CITIZEN*", StudyInstanceUID=""
    )
    assert sorted(study.StudyInstanceUID for study in found) == [uid(1), uid(2), uid(3)]


@pytest.mark.requirement("UL-070", "UL-100")
def test_echo_and_small_pdus(peer: Peer) -> None:
    ae = AE()
    ae.add_requested_context(VERIFICATION)
    ae.add_requested_context(MODEL_NAMES["study"].uid)
    with ae.associate(peer.host, peer.port, ae_title=peer.aet, max_pdu=4096) as association:
        assert association.send_c_echo().Status == 0x0000
        for query in (QUERIES[4], *QUERIES[7:]):
            responses = list(
                association.send_c_find(identifier_of(query), MODEL_NAMES["study"].uid)
            )
            answers = [plain(match) for _, match in responses if match is not None]
            assert only(answers, *query.shown) == query.answers, query.name
        assert association.send_c_echo().Status == 0x0000


def test_loop_left_early_leaks_nothing(peer: Peer) -> None:
    """A loop left early leaks nothing into the next query."""
    many, one = QUERIES[-1], QUERIES[4]
    ae = requesting_ae(ExplicitVRLittleEndian, many)
    with ae.associate(peer.host, peer.port, ae_title=peer.aet) as association:
        for _ in association.send_c_find(identifier_of(many), MODEL_NAMES["study"].uid):
            break
        matches = [
            match
            for _, match in association.send_c_find(identifier_of(one), MODEL_NAMES["study"].uid)
            if match
        ]
        assert only(map(plain, matches), *one.shown) == one.answers
