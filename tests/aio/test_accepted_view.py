"""The acceptor's association as handlers see it: handlers and time-outs of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.aio.acceptor import AcceptedAssociation
from fixtures.faces import (
    PATIENT_ROOT,
    QUERY,
    associated,
    patients,
    raw_requestor,
    running,
    scp,
    scu,
    statuses,
)
from fixtures.timing import LONG, SHORT


def one(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    return patients(1)


def none(event: evt.Event) -> list[tuple[int, Dataset]]:
    return []


def test_handlers_of_one_association_are_its_own() -> None:
    def begin(event: evt.Event) -> None:
        if event.assoc.requestor.ae_title == "OTHER":
            event.assoc.bind(evt.EVT_C_FIND, none)

    other = scu()
    other.ae_title = "OTHER"
    with running((evt.EVT_C_FIND, one), (evt.EVT_ACCEPTED, begin)) as server:
        port = server.server_address[1]
        with associated(port) as first, associated(port, other) as second:
            assert statuses(first.send_c_find(QUERY, PATIENT_ROOT)) == [0xFF00, 0x0000]
            assert statuses(second.send_c_find(QUERY, PATIENT_ROOT)) == [0x0000]
            assert server.get_handlers(evt.EVT_C_FIND) == (one, None)


def test_a_binding_of_the_server_reaches_all() -> None:
    """The server's bind and unbind reach an association that has handlers of its own."""

    def begin(event: evt.Event) -> None:
        event.assoc.bind(evt.EVT_C_FIND, one)

    with (
        running((evt.EVT_ACCEPTED, begin)) as server,
        associated(server.server_address[1]) as association,
    ):
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xFF00, 0x0000]
        server.bind(evt.EVT_C_FIND, none)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0x0000]
        server.unbind(evt.EVT_C_FIND, none)
        assert statuses(association.send_c_find(QUERY, PATIENT_ROOT)) == [0xC310]


def test_a_time_out_of_one_association_applies() -> None:
    """A peer that stays idle longer than a handler allows is aborted."""
    ended = threading.Event()

    def begin(event: evt.Event) -> None:
        event.assoc.network_timeout = SHORT

    def echo(event: evt.Event) -> int:
        return 0x0000

    with (
        running(
            (evt.EVT_REQUESTED, begin), (evt.EVT_C_ECHO, echo),
            (evt.EVT_ABORTED, lambda _: ended.set()),
        ) as server,
        raw_requestor(server.server_address[1]),
    ):  # fmt: skip
        assert ended.wait(LONG)


def test_entity_lists_associations_of_both_sides() -> None:
    ae = scp()
    ae.requested_contexts = scu().requested_contexts
    with running(ae=ae) as server, associated(server.server_address[1], ae) as association:
        assert association.send_c_echo().Status == 0x0000
        accepted, requested = ae.active_associations
        assert isinstance(accepted, AcceptedAssociation)
        assert requested is association
        assert server.active_associations == [accepted]
        assert "Association(s): 2/100" in str(ae)
    assert ae.active_associations == []


@pytest.mark.parametrize("name", ["release", "send_c_find", "send_n_get", "dul"])
def test_name_that_an_acceptor_lacks_says_so(name: str) -> None:
    said: list[str] = []

    def echo(event: evt.Event) -> int:
        with pytest.raises(AttributeError) as caught:
            getattr(event.assoc, name)
        said.append(str(caught.value))
        return 0x0000

    with (
        running((evt.EVT_C_ECHO, echo)) as server,
        associated(server.server_address[1]) as association,
    ):
        association.send_c_echo()
    assert said[0].startswith(f"dicomquest has no {name}: ")
