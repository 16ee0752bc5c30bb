"""N-CREATE and N-SET by handlers, in scripts that run with pynetdicom and with us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pynetdicom
import pytest
from pydicom import Dataset

import dicomquest
from dicomquest.dataset.elements import from_pydicom, to_pydicom
from dicomquest.standard.step_attributes import MPPS
from fixtures.building import data_set
from fixtures.faces import HOST
from fixtures.performed_steps import ended, performed
from fixtures.timing import LONG


class Steps:
    """The handlers of a manager of performed steps."""

    def __init__(self) -> None:
        self.managed: dict[str, Dataset] = {}

    def create(self, event: Any) -> tuple[int, Dataset | None]:
        uid = event.request.AffectedSOPInstanceUID
        if uid in self.managed:
            return 0x0111, None
        made = Dataset()
        made.update(event.attribute_list)
        if uid is None:
            made.AffectedSOPInstanceUID = uid = "1.2.99"
        self.managed[uid] = made
        return 0x0000, made

    def change(self, event: Any) -> tuple[int, Dataset | None]:
        request = event.request
        assert request.RequestedSOPClassUID == MPPS
        if request.RequestedSOPInstanceUID not in self.managed:
            return 0x0112, None
        changed = self.managed[request.RequestedSOPInstanceUID]
        changed.update(event.modification_list)
        return 0x0000, changed


@contextmanager
def serving(api: Any, create: Callable[..., Any], change: Callable[..., Any]) -> Iterator[int]:
    """Run a server of either library; give its port."""
    ae = api.AE("RIS")
    ae.add_supported_context(MPPS)
    handlers = [(api.evt.EVT_N_CREATE, create), (api.evt.EVT_N_SET, change)]
    server = ae.start_server((HOST, 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def associated(api: Any, port: int) -> Any:
    ae = api.AE("CT1")
    ae.add_requested_context(MPPS)
    association = ae.associate(HOST, port)
    assert association.is_established
    return association


@pytest.mark.requirement("DN-001")
@pytest.mark.parametrize(
    ("server", "client"),
    [(dicomquest, pynetdicom), (pynetdicom, dicomquest), (dicomquest, dicomquest)],
    ids=["pynetdicom asks", "pynetdicom answers", "ours alone"],
)
def test_script_manages_steps(server: Any, client: Any) -> None:
    steps = Steps()
    with serving(server, steps.create, steps.change) as port:
        association = associated(client, port)
        status, made = association.send_n_create(to_pydicom(performed()), MPPS, "1.1")
        assert (status.Status, made.PatientID) == (0x0000, "P1")
        assert association.send_n_create(to_pydicom(performed()), MPPS, "1.1")[0].Status == 0x0111
        status, made = association.send_n_set(to_pydicom(ended()), MPPS, "1.1")
        assert (status.Status, made.PerformedProcedureStepStatus) == (0x0000, "COMPLETED")
        assert association.send_n_set(to_pydicom(ended()), MPPS, "1.9")[0].Status == 0x0112
        association.release()
    assert from_pydicom(steps.managed["1.1"]) == performed() | ended()


def test_handler_names_the_instance() -> None:
    """A request without a UID gets the one that the handler puts into its attributes."""
    steps = Steps()
    with serving(dicomquest, steps.create, steps.change) as port:
        association = associated(dicomquest, port)
        status, made = association.send_n_create(to_pydicom(performed()), MPPS)
        assert (status.Status, status.AffectedSOPInstanceUID) == (0x0000, "1.2.99")
        assert "AffectedSOPInstanceUID" not in made
        association.release()
    assert "AffectedSOPInstanceUID" in steps.managed["1.2.99"]


@pytest.mark.requirement("DN-002")
def test_status_explains_a_refusal() -> None:
    def refuse(_: Any) -> tuple[Dataset, None]:
        status = Dataset()
        status.Status, status.ErrorID = 0x0110, 0xA710
        status.ErrorComment = "over"
        status.AttributeIdentifierList = [0x00400252, 0x00400253]
        return status, None

    with serving(dicomquest, refuse, lambda _: 0x0107) as port:
        association = associated(dicomquest, port)
        status, made = association.send_n_create(to_pydicom(performed()), MPPS, "1.1")
        warned, _ = association.send_n_set(to_pydicom(ended()), MPPS, "1.1")
        association.release()
    assert (status.Status, status.ErrorComment, status.ErrorID) == (0x0110, "over", 0xA710)
    assert list(status.AttributeIdentifierList) == [0x00400252, 0x00400253]
    assert made is None
    assert warned.Status == 0x0107


def explained(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: (0, "attributes"),
        lambda _: "fine",
        lambda _: (0, None),
        lambda _: (0, explained(AffectedSOPInstanceUID="no UID")),
        lambda _: 0x10000,
        lambda _: (explained(Status=0x0110, ErrorID=0x10000), None),
        lambda _: 0xFF00,
        lambda event: 1 / event.message_id.zero,
    ],
    ids=[
        "no Dataset",
        "no status",
        "no UID",
        "wrong UID",
        "17 bits",
        "Error ID of 17 bits",
        "Pending",
        "raises",
    ],
)
def test_wrong_answer_of_a_handler_is_0110(
    answer: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(dicomquest, answer, answer) as port:
        association = associated(dicomquest, port)
        status, _ = association.send_n_create(to_pydicom(performed()), MPPS)
        assert status.Status == 0x0110
        association.release()
    assert "raised" in caplog.text


def test_unreadable_attributes_are_0110(monkeypatch: pytest.MonkeyPatch) -> None:
    """No status of a query, whose identifier they are not."""

    def read(event: Any) -> tuple[int, Dataset]:
        return 0x0000, event.attribute_list

    monkeypatch.setattr(
        "dicomquest.services.identifiers.encode_request", lambda *_: b"\x10\x00\x10\x00\xff\xff"
    )
    with serving(dicomquest, read, read) as port:
        association = associated(dicomquest, port)
        status, _ = association.send_n_create(to_pydicom(performed()), MPPS, "1.1")
        association.release()
    assert status.Status == 0x0110
    assert status.ErrorComment.startswith("attributes: ")


def test_event_without_a_handler_is_0110() -> None:
    ae = dicomquest.AE()
    ae.add_supported_context(MPPS)
    with ae.start_server((HOST, 0), block=False) as server:
        association = associated(dicomquest, server.server_address[1])
        status, _ = association.send_n_set(to_pydicom(ended()), MPPS, "1.1")
        association.release()
    assert (status.Status, status.ErrorComment) == (0x0110, "no handler is bound to EVT_N_SET")


def test_coroutines_answer_and_ask() -> None:
    """A handler may be a coroutine, and an asyncio SCU sends both requests."""
    steps = Steps()

    async def create(event: Any) -> tuple[int, Dataset | None]:
        await asyncio.sleep(0)
        return steps.create(event)

    async def ask(port: int) -> list[int]:
        ae = dicomquest.AE("CT1")
        ae.add_requested_context(MPPS)
        async with asyncio.timeout(LONG):
            association = await ae.associate_async(HOST, port)
            attributes = to_pydicom(performed())
            first, made = await association.send_n_create(attributes, MPPS, "1.1")
            assert made is not None
            second, _ = await association.send_n_set(
                to_pydicom(data_set(PatientID="P2")), MPPS, "1.1", meta_uid=MPPS
            )
            await association.release()
        return [first.Status, second.Status]

    with serving(dicomquest, create, steps.change) as port:
        assert asyncio.run(ask(port)) == [0x0000, 0x0000]
    assert steps.managed["1.1"].PatientID == "P2"


def test_request_has_its_own_attributes() -> None:
    """`hasattr` tells the services apart, as with pynetdicom."""
    seen: list[tuple[bool, ...]] = []

    def look(event: Any) -> int:
        names = ("AttributeList", "ModificationList", "RequestedSOPInstanceUID")
        seen.append(tuple(hasattr(event.request, name) for name in names))
        with pytest.raises(AttributeError):
            _ = event.dataset
        return 0

    with serving(dicomquest, look, look) as port:
        association = associated(dicomquest, port)
        association.send_n_create(to_pydicom(performed()), MPPS, "1.1")
        association.send_n_set(to_pydicom(ended()), MPPS, "1.1")
        association.release()
    assert seen == [(True, False, False), (False, True, True)]
