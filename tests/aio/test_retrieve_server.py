"""C-GET and C-MOVE of a running server, with peers and destinations that a test scripts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomquest.dataset.codec import decode
from dicomquest.dataset.encoder import encode
from dicomquest.dimse.commands import (
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CGetRQ,
    CGetRSP,
    CStoreRQ,
)
from dicomquest.index import Index
from dicomquest.pdu.pdus import (
    AAbort,
    AAssociateAC,
    AAssociateRJ,
    AAssociateRQ,
    AReleaseRP,
    AReleaseRQ,
)
from dicomquest.pdu.user_information import ExtendedNegotiation, RoleSelection
from dicomquest.standard.models import PATIENT_ROOT, STUDY_ROOT
from dicomquest.standard.tags import RETRIEVE_AE_TITLE
from fixtures.building import data_set
from fixtures.faces import EXPLICIT, RawPeer, raw_requestor
from fixtures.raw_retrieves import (
    COUNT,
    GET,
    IDENTIFIER,
    MOVE,
    UIDS,
    accept,
    answer,
    answer_move,
    getting,
    moved,
    request,
    serving,
    to_the_end,
    wait_until_closed,
)
from fixtures.retrieving import CT, indexed
from fixtures.serving import serving as serve_process
from fixtures.timing import LONG, MS


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with indexed(tmp_path_factory.mktemp("retrieve"), {1: COUNT}) as made:
        yield made


@pytest.fixture(scope="module")
def port(index: Index) -> Iterator[int]:
    with serving(index, store_timeout=300 * MS, write_timeout=LONG) as port:
        yield port


def answered(port: int, rq: AAssociateRQ) -> AAssociateAC:
    """The answer to an association request."""
    with raw_requestor(port, None) as peer:
        peer.send(rq)
        ac = peer.receive()
        assert isinstance(ac, AAssociateAC)
        peer.send(AReleaseRQ())
        return ac


@pytest.mark.requirement("RT-060")
def test_role_is_granted_to_who_asks(port: int) -> None:
    ac = answered(port, request(GET, CT, roles=(RoleSelection(CT, True, True),)))
    # Without an archive nothing is received: the SCU role is refused, the class is not.
    assert ac.user_information.roles == (RoleSelection(CT, False, True),)
    assert [each.result for each in ac.presentation_contexts] == [0, 0]


@pytest.mark.requirement("RT-061")
def test_class_without_role_is_not_sent(port: int) -> None:
    ac = answered(port, request(GET, CT, roles=()))
    assert [each.result for each in ac.presentation_contexts] == [0, 3]


@pytest.mark.requirement("RT-061")
def test_role_may_be_assumed(index: Index) -> None:
    with (
        serving(index, peers={"RAW": {"assume_roles": True}}) as port,
        getting(port, request(GET, CT, roles=())) as peer,
    ):
        assert to_the_end(peer)[0] == UIDS


@pytest.mark.requirement("RT-073")
@pytest.mark.parametrize("services", [("find",), ("find", "store")])
def test_caller_that_may_not_retrieve(index: Index, services: tuple[str, ...]) -> None:
    with serving(index, services=services) as port:
        ac = answered(port, request(GET, CT, MOVE))
    assert [each.result for each in ac.presentation_contexts][::2] == [1, 1]
    assert ac.presentation_contexts[1].result != 0


def test_caller_that_may_retrieve_alone(index: Index) -> None:
    with serving(index, services=("retrieve",)) as port, getting(port) as peer:
        assert to_the_end(peer)[0] == UIDS


@pytest.mark.requirement("RT-082")
@pytest.mark.parametrize(
    ("offer", "expected"),
    [(b"\1", b"\1"), (b"\0", b"\0"), (b"\1\1", b"\1\0"), (b"\0\1", b"\0\0"), (b"\1\1\1", b"\1\0")],
)
def test_extended_negotiation(port: int, offer: bytes, expected: bytes) -> None:
    ac = answered(port, request(GET, CT, extended=offer))
    assert ac.user_information.extended_negotiations == (ExtendedNegotiation(GET, expected),)


@pytest.mark.requirement("RT-023", "RT-063")
def test_message_ids_of_both_directions_are_equal(port: int) -> None:
    with getting(port, request(GET, CT, "1.2.840.10008.1.1")) as peer:
        uids, final = to_the_end(peer)
        assert (uids, final.status, final.message_id_being_responded_to) == (UIDS, 0, 1)
        # The next message is the answer to the next request.
        peer.send_command(
            CEchoRQ(message_id=1, affected_sop_class_uid="1.2.840.10008.1.1"), context_id=5
        )
        assert isinstance(peer.receive_command(), CEchoRSP)


@pytest.mark.requirement("RT-070")
@pytest.mark.parametrize("after", [1, 5, COUNT])
def test_cancel_ends_after_the_running_store(port: int, after: int) -> None:
    with getting(port) as peer:
        for number in range(1, after + 1):
            store = peer.receive_command()
            if number == after:
                peer.send_command(CCancelRQ(message_id_being_responded_to=1), context_id=1)
            answer(peer, store)
        final = peer.receive_command()
    assert isinstance(final, CGetRSP)
    assert (final.status, final.number_of_remaining_suboperations) == (0xFE00, COUNT - after)
    assert final.number_of_completed_suboperations == after


@pytest.mark.requirement("RT-071")
def test_cancel_of_nothing_has_no_effect(port: int) -> None:
    cancel = CCancelRQ(message_id_being_responded_to=77)
    with getting(port) as peer:
        peer.send_command(cancel, context_id=1)
        uids, final = to_the_end(peer)
        assert (uids, final.status) == (UIDS, 0)
        peer.send_command(CCancelRQ(message_id_being_responded_to=1), context_id=1)
        peer.send_command(CGetRQ(message_id=1, affected_sop_class_uid=GET), IDENTIFIER, 1)
        assert to_the_end(peer)[1].status == 0


@pytest.mark.requirement("RT-025", "RT-027", "RT-047")
def test_every_third_is_refused(port: int) -> None:
    with getting(port) as peer:
        number = 0
        while isinstance(store := peer.receive_command(), CStoreRQ):
            number += 1
            answer(peer, store, 0xA700 if number % 3 == 0 else 0xB000 if number == 1 else 0)
    assert isinstance(store, CGetRSP)
    assert store.status == 0xB000
    assert store.has_data_set
    assert (store.number_of_failed_suboperations, store.number_of_warning_suboperations) == (4, 1)


def test_peer_that_does_not_answer_is_aborted(port: int) -> None:
    with getting(port) as peer:
        assert isinstance(peer.receive_command(), CStoreRQ)
        assert isinstance(peer.receive(), AAbort)


def test_release_within_a_retrieve(port: int) -> None:
    """A peer that asks for release gets its final response first, without its C-STORE response."""
    with getting(port) as peer:
        assert isinstance(peer.receive_command(), CStoreRQ)
        peer.send(AReleaseRQ())
        final = peer.receive_command()
        assert isinstance(final, CGetRSP)
        assert final.status == 0xFE00
        assert isinstance(peer.receive(), AReleaseRP)


@pytest.mark.requirement("RT-072")
def test_lost_peer_leaves_no_file_open(index: Index, port: int) -> None:
    folder = os.path.dirname(index.files(UIDS[:1])[UIDS[0]].paths[0])  # noqa: PTH120
    for _ in range(3):
        with getting(port) as peer:
            assert isinstance(peer.receive_command(), CStoreRQ)
    wait_until_closed(folder)


@pytest.mark.requirement("RT-080")
@pytest.mark.requirement("QR-049")
def test_retrieve_ae_title_is_that_of_this_server(port: int) -> None:
    """Of each model that is found under, the same AE serves C-GET and C-MOVE."""
    for model in (PATIENT_ROOT, STUDY_ROOT):
        with raw_requestor(port, request(model.uid, model.get_uid, model.move_uid)) as peer:
            keys = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="")
            peer.send_command(
                CFindRQ(message_id=1, affected_sop_class_uid=model.uid),
                encode(keys, EXPLICIT),
                context_id=1,
            )
            found = received_data_set(peer)
            assert decode(found, EXPLICIT)[RETRIEVE_AE_TITLE].values == ("DICOMQUEST",)
        ac = answered(port, request(model.uid, model.get_uid, model.move_uid))
        assert [each.result for each in ac.presentation_contexts] == [0, 0, 0]


def received_data_set(peer: RawPeer) -> bytes:
    """The data set of the next message."""
    from dicomquest.pdu.pdus import PDataTF

    while isinstance(pdu := peer.receive(), PDataTF):
        for pdv in pdu.pdvs:
            if not pdv.is_command:
                return bytes(pdv.fragment)
    raise AssertionError(pdu)


@pytest.mark.requirement("RT-029")
def test_destination_that_nobody_listens_at(index: Index) -> None:
    assert moved(index).counts == (0xA702, 0, COUNT)


def test_destination_that_rejects(index: Index) -> None:
    def reject(peer: RawPeer) -> None:
        peer.receive()
        peer.send(AAssociateRJ(1, 1, 7))
        peer.receive()

    assert moved(index, reject).counts == (0xA702, 0, COUNT)


@pytest.mark.requirement("RT-045")
def test_destination_that_accepts_no_context(index: Index) -> None:
    def refuse(peer: RawPeer) -> None:
        accept(peer)
        peer.receive()
        peer.send(AReleaseRP())

    assert moved(index, refuse).counts == (0xA702, 0, COUNT)


@pytest.mark.requirement("RT-051")
def test_destination_that_dies_within_an_instance(index: Index) -> None:
    def die(peer: RawPeer) -> None:
        accept(peer, CT)
        answer_move(peer, peer.receive_command())
        peer.receive()

    assert moved(index, die).counts == (0xB000, 1, COUNT - 1)


def test_destination_that_does_not_answer(index: Index) -> None:
    def wait(peer: RawPeer) -> None:
        accept(peer, CT)
        peer.receive_command()
        while peer.receive() is not None:
            pass

    assert moved(index, wait, dimse_timeout=200 * MS).counts == (0xA702, 0, COUNT)


def test_destination_that_answers_each(index: Index) -> None:
    def take(peer: RawPeer) -> None:
        accept(peer, CT)
        for number in range(COUNT):
            store = peer.receive_command()
            assert isinstance(store, CStoreRQ)
            assert store.move_originator_application_entity_title == "RAW"
            answer_move(peer, store, 0xA700 if number == 3 else 0)
        assert isinstance(peer.receive(), AReleaseRQ)
        peer.send(AReleaseRP())

    assert moved(index, take).counts == (0xB000, COUNT - 1, 1)


def test_end_of_the_server_waits_for_a_retrieve(index: Index, tmp_path: Path) -> None:
    """After SIGTERM a retrieve that runs goes on to its end, within the grace."""
    location = Path(index.files(UIDS[:1])[UIDS[0]].paths[0]).parents[1] / "index.sqlite"
    with (
        serve_process(location, tmp_path, "--grace", "30") as running,
        getting(running.port) as peer,
    ):
        store = peer.receive_command()
        running.process.send_signal(signal.SIGTERM)
        running.log_with("ending: running requests have")
        answer(peer, store)
        uids, final = to_the_end(peer)
        assert (len(uids), final.status) == (COUNT - 1, 0)
        assert isinstance(peer.receive(), AAbort)


def test_peer_of_a_killed_server_sees_the_end(index: Index, tmp_path: Path) -> None:
    """Nothing of an instance that was cut off comes after a kill -9, and nobody waits."""
    location = Path(index.files(UIDS[:1])[UIDS[0]].paths[0]).parents[1] / "index.sqlite"
    with serve_process(location, tmp_path) as running, getting(running.port) as peer:
        assert isinstance(peer.receive_command(), CStoreRQ)
        running.process.kill()
        assert peer.receive() is None
