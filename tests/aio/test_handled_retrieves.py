"""C-GET and C-MOVE requests, and the handlers of EVT_C_GET and EVT_C_MOVE."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomquest import AE, evt
from dicomquest.ae.background import RunningServer
from fixtures.faces import HOST, IMPLICIT, data_set, running, statuses
from fixtures.getting import (
    CT,
    ROLES,
    STUDY_GET,
    STUDY_MOVE,
    WANTED,
    Responses,
    ask_blocking,
    getter,
    instance,
)
from fixtures.timing import LONG

UIDS = ["1.2.1", "1.2.2", "1.2.3"]
MR = "1.2.840.10008.5.1.4.1.1.4"

Taken = list[tuple[str, str | None]]


def give(event: evt.Event) -> Iterator[Any]:
    """Three instances."""
    assert event.identifier.StudyInstanceUID == "1.2.3"
    yield 3
    for uid in UIDS:
        yield 0xFF00, instance(uid)


def archive(name: str = "ARCHIVE") -> AE:
    """An AE that answers C-GET and C-MOVE, and sends CT instances."""
    ae = AE(name)
    for uid in (STUDY_GET, STUDY_MOVE):
        ae.add_supported_context(uid)
    ae.add_supported_context(CT, scu_role=False, scp_role=True)
    ae.add_requested_context(CT)
    return ae


@contextmanager
def giving(handler: Callable[..., Any] | None = give, *args: Any) -> Iterator[int]:
    bindings: list[evt.Binding] = [(evt.EVT_C_GET, handler, list(args))] if handler else []
    with running(*bindings, ae=archive()) as server:
        yield server.server_address[1]


@contextmanager
def storage(
    taken: Taken, answer: Callable[[evt.Event], int] = lambda _: 0x0000
) -> Iterator[RunningServer]:
    """A storage SCP that notes each instance, with the AE that asked for it."""

    def take(event: evt.Event) -> int:
        request = event.request
        uid = str(request.AffectedSOPInstanceUID)
        taken.append((uid, request.MoveOriginatorApplicationEntityTitle))
        return answer(event)

    ae = AE("STORE")
    ae.add_supported_context(CT)
    with running((evt.EVT_C_STORE, take), ae=ae) as server:
        yield server


@contextmanager
def moving(handler: Callable[..., Any], *args: Any) -> Iterator[int]:
    with running((evt.EVT_C_MOVE, handler, list(args)), ae=archive()) as server:
        yield server.server_address[1]


def counts(responses: Responses) -> list[tuple[int | None, ...]]:
    """The counts of each response: remaining, completed, failed, warning."""
    names = ("Remaining", "Completed", "Failed", "Warning")
    return [
        tuple(status.get(f"NumberOf{name}Suboperations") for name in names)
        for status, _ in responses
    ]


def ask(port: int, answers: Callable[[evt.Event], int] = lambda _: 0x0000) -> Responses:
    return ask_blocking(port, (evt.EVT_C_STORE, answers))


async def give_in_loop(event: evt.Event) -> AsyncIterator[Any]:
    for item in give(event):
        yield item


async def give_list(event: evt.Event) -> list[Any]:
    return list(give(event))


@pytest.mark.requirement("RT-020", "RT-021", "RT-022")
@pytest.mark.parametrize("handler", [give, give_in_loop, give_list, lambda e: list(give(e))])
def test_get_sends_each_instance(handler: Callable[..., Any]) -> None:
    taken: list[str] = []

    def take(event: evt.Event) -> int:
        taken.append(event.dataset.SOPInstanceUID)
        return 0x0000

    with giving(handler) as port:
        responses = ask(port, take)
    assert taken == UIDS
    assert statuses(responses) == [0xFF00] * 3 + [0x0000]
    assert counts(responses) == [(2, 1, 0, 0), (1, 2, 0, 0), (0, 3, 0, 0), (None, 3, 0, 0)]
    assert responses[-1][1] is None


@pytest.mark.requirement("RT-025", "RT-026", "RT-027", "RT-047")
@pytest.mark.parametrize(
    ("answers", "status", "final", "failed"),
    [
        ({"1.2.1": 0xB000}, 0xB000, (None, 2, 0, 1), None),
        ({"1.2.2": 0xA700}, 0xB000, (None, 2, 1, 0), "1.2.2"),
        (dict.fromkeys(UIDS, 0xC000), 0xA702, (None, 0, 3, 0), UIDS),
    ],
)
def test_outcomes_make_the_final_status(
    answers: dict[str, int], status: int, final: tuple[int | None, ...], failed: Any
) -> None:
    def take(event: evt.Event) -> int:
        return answers.get(event.request.AffectedSOPInstanceUID, 0x0000)

    with giving() as port:
        *_, last = ask(port, take)
    assert last[0].Status == status
    assert counts([last]) == [final]
    assert (last[1] and last[1].FailedSOPInstanceUIDList) == failed


@pytest.mark.requirement("RT-045")
def test_instance_without_context_fails_alone() -> None:
    def mixed(_: evt.Event) -> Iterator[Any]:
        yield 2
        other = instance("1.2.1")
        other.SOPClassUID = MR
        yield 0xFF00, other
        yield 0xFF00, instance("1.2.2")

    with giving(mixed) as port:
        *_, last = ask(port)
    assert last[0].Status == 0xB000
    assert last[1] is not None
    assert last[1].FailedSOPInstanceUIDList == "1.2.1"


def raises(_: evt.Event) -> Iterator[Any]:
    yield 3
    yield 0xFF00, instance("1.2.1")
    raise KeyError("x")


def fewer(_: evt.Event) -> Iterator[Any]:
    yield 3
    yield 0xFF00, instance("1.2.1")


def ends_well(_: evt.Event) -> Iterator[Any]:
    yield 2
    yield 0xFF00, instance("1.2.1")
    yield 0xFF00, instance("1.2.2")
    pytest.fail("asked for more than it announced")


def refuses(_: evt.Event) -> Iterator[Any]:
    yield 3
    yield data_set(Status=0xA900, ErrorComment="no level"), None


def names_failed(_: evt.Event) -> Iterator[Any]:
    yield 3
    yield 0xA702, data_set(FailedSOPInstanceUIDList=["1.2.8", "1.2.9"])


@pytest.mark.parametrize(
    ("handler", "status", "final"),
    [
        (None, 0xC411, (None, None, None, None)),
        (lambda _: iter([0]), 0x0000, (None, 0, 0, 0)),
        (raises, 0xC411, (None, 1, 2, 0)),
        (fewer, 0xB000, (None, 1, 2, 0)),
        (ends_well, 0x0000, (None, 2, 0, 0)),
        (refuses, 0xA900, (None, 0, 3, 0)),
        (names_failed, 0xA702, (None, 0, 3, 0)),
        (lambda _: iter(["three"]), 0xC411, (None, 0, 0, 0)),
        (lambda _: iter([1, (0xFF00, "no data set")]), 0xC411, (None, 0, 1, 0)),
        (lambda _: iter([1, (0x1234, None)]), 0xC411, (None, 0, 1, 0)),
        (lambda _: iter([1, (0xFE00, None)]), 0xFE00, (1, 0, 0, 0)),
        (lambda _: iter([1, (0xFF00, None), (0xFF00, instance("1.2.1"))]), 0x0000, (None, 1, 0, 0)),
    ],
)
def test_handler_may_end_in_any_way(
    handler: Callable[..., Any] | None, status: int, final: tuple[int | None, ...]
) -> None:
    with giving(handler) as port:
        *_, last = ask(port)
    assert last[0].Status == status
    assert counts([last]) == [final]


def test_handler_names_what_failed() -> None:
    with giving(names_failed) as port:
        ((_, failed),) = ask(port)
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == ["1.2.8", "1.2.9"]


@pytest.mark.requirement("RT-070")
@pytest.mark.parametrize("is_heeded", [True, False])
def test_cancel_ends_with_what_remains(*, is_heeded: bool) -> None:
    """A handler sees ``is_cancelled``; one that does not look is ended a turn later."""
    is_closed = threading.Event()

    def many(event: evt.Event) -> Iterator[Any]:
        try:
            yield 1000
            for number in range(1000):
                if is_heeded and event.is_cancelled:
                    yield 0xFE00, None
                    return
                yield 0xFF00, instance(f"1.2.{number}")
        finally:
            is_closed.set()

    def cancel(event: evt.Event) -> int:
        event.assoc.send_c_cancel(1)
        return 0x0000

    with giving(many) as port:
        *_, (status, _) = ask(port, cancel)
    assert status.Status == 0xFE00
    assert status.NumberOfRemainingSuboperations > 900
    assert is_closed.wait(LONG)


@pytest.mark.requirement("RT-072")
def test_lost_association_closes_the_handler() -> None:
    is_closed = threading.Event()

    def many(_: evt.Event) -> Iterator[Any]:
        try:
            yield 1000
            for number in range(1000):
                yield 0xFF00, instance(f"1.2.{number}")
        finally:
            is_closed.set()

    def leave(event: evt.Event) -> int:
        event.assoc.abort()
        return 0x0000

    with giving(many) as port:
        assert statuses(ask(port, leave)) == [None]
        assert is_closed.wait(LONG)


def test_blocking_handler_has_one_thread() -> None:
    """A connection of sqlite3 that the handler opens can be used to its last line."""

    def read(_: evt.Event) -> Iterator[Any]:
        connection = sqlite3.connect(":memory:")
        yield 3
        for uid in UIDS:
            connection.execute("SELECT 1")
            yield 0xFF00, instance(uid)
        connection.close()

    with giving(read) as port:
        assert statuses(ask(port))[-1] == 0x0000


def move_to(target: Any) -> Callable[[evt.Event], Iterator[Any]]:
    def move(event: evt.Event) -> Iterator[Any]:
        assert event.move_destination == "STORE"
        yield target
        yield from give(event)

    return move


@pytest.mark.requirement("RT-049")
def test_move_sends_to_the_address() -> None:
    taken: Taken = []
    with (
        storage(taken) as store,
        moving(move_to((*store.server_address, {"ae_title": "OTHER"}))) as port,
    ):
        responses = ask_blocking(port, move_to="STORE")
    assert taken == [(uid, "GETTER") for uid in UIDS]
    assert statuses(responses) == [0xFF00] * 3 + [0x0000]
    assert counts(responses)[-1] == (None, 3, 0, 0)


@pytest.mark.requirement("RT-029")
@pytest.mark.parametrize(
    ("target", "status"), [((None, None), 0xA801), (None, 0xA801), ((HOST, 1), 0xA702)]
)
def test_move_to_nowhere(target: Any, status: int) -> None:
    with moving(move_to(target)) as port:
        ((answer, _),) = ask_blocking(port, move_to="STORE")
    assert answer.Status == status
    assert "ErrorComment" in answer


@pytest.mark.requirement("RT-051")
def test_storage_association_is_reopened_once() -> None:
    """A destination that aborts loses that instance; the next one has an association anew."""
    taken: Taken = []

    def leave(event: evt.Event) -> int:
        if len(taken) == 1:
            event.assoc.abort()
        return 0x0000

    with (
        storage(taken, leave) as store,
        moving(move_to(store.server_address)) as port,
    ):
        *_, (status, failed) = ask_blocking(port, move_to="STORE")
    assert [uid for uid, _ in taken] == UIDS
    assert status.Status == 0xB000
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == "1.2.1"


def test_two_retrieves_on_one_association() -> None:
    taken: list[Dataset] = []

    def take(event: evt.Event) -> int:
        taken.append(event.dataset)
        return 0x0000

    with (
        giving() as port,
        getter().associate(
            HOST, port, ext_neg=ROLES, evt_handlers=[(evt.EVT_C_STORE, take)]
        ) as association,
    ):
        for _ in range(2):
            *_, (status, _) = association.send_c_get(WANTED, STUDY_GET)
            assert status.NumberOfCompletedSuboperations == 3
    assert len(taken) == 6
    assert {each.file_meta.TransferSyntaxUID for each in taken} == {IMPLICIT}
