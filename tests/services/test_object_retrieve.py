"""C-GET and C-MOVE of objects without a patient, by pynetdicom, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pynetdicom
import pytest
from pydicom import Dataset
from pynetdicom import AE, evt

import dicomquest
from dicomquest.services.access import Profile, ServiceKind
from dicomquest.standard.models import COLOR_PALETTE, DEFINED_PROCEDURE_PROTOCOL, HANGING_PROTOCOL
from dicomquest.standard.object_keys import OBJECT_MODELS_BY_UID
from fixtures.objects import made, with_meta
from fixtures.storing import Store, storing

PROTOCOLS = [made(HANGING_PROTOCOL, n, HangingProtocolName=f"P{n}") for n in range(3)]
PALETTE = made(COLOR_PALETTE, 9, ContentLabel="HOT_IRON")
CLASS = OBJECT_MODELS_BY_UID[HANGING_PROTOCOL.uid].sop_classes[0]
HOST = "127.0.0.1"


class _Receiver:
    """A storage SCP of pynetdicom that notes what it receives."""

    def __init__(self) -> None:
        self.received: list[Dataset] = []
        entity = AE("STORE")
        entity.add_supported_context(CLASS)
        server = entity.start_server(
            (HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)]
        )
        assert server is not None
        self.server = server
        self.port = server.server_address[1]

    def store(self, event: Any) -> int:
        self.received.append(event.dataset)
        return 0


@pytest.fixture(scope="module")
def receiver() -> Iterator[_Receiver]:
    running = _Receiver()
    yield running
    running.server.shutdown()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, receiver: _Receiver) -> Iterator[Store]:
    """A server that has PROTOCOLS and PALETTE, and knows the receiver."""
    folder = tmp_path_factory.mktemp("objects")
    config = folder / "dicomquest.toml"
    config.write_text(f'[destinations.STORE]\nhost = "{HOST}"\nport = {receiver.port}\n')
    with storing(folder, "--config", str(config)) as running:
        entity = AE()
        for each in (PROTOCOLS[0], PALETTE):
            entity.add_requested_context(str(each[0x00080016].values[0]))
        association = entity.associate(running.peer.host, running.peer.port)
        sent = map(with_meta, [*PROTOCOLS, PALETTE])
        assert [association.send_c_store(each).Status for each in sent] == [0] * 4
        association.release()
        yield running


def _got(
    served: Store, model: str, identifier: Dataset, api: Any = pynetdicom
) -> tuple[list[Dataset], Dataset]:
    """The instances that come by C-GET, and the final status."""
    received: list[Dataset] = []

    def store(event: Any) -> int:
        received.append(event.dataset)
        return 0

    entity = api.AE()
    entity.add_requested_context(model)
    entity.add_requested_context(CLASS)
    association = entity.associate(
        served.peer.host, served.peer.port, ext_neg=[api.build_role(CLASS, scp_role=True)],
        evt_handlers=[(api.evt.EVT_C_STORE, store)],
    )  # fmt: skip
    *_, (status, _) = association.send_c_get(identifier, model)
    association.release()
    return received, status


def _uids(*numbers: int) -> Dataset:
    wanted = Dataset()
    wanted.SOPInstanceUID = [f"1.2.9.{number}" for number in numbers]
    return wanted


@pytest.mark.requirement("NP-008")
@pytest.mark.parametrize("api", [pynetdicom, dicomquest], ids=["pynetdicom", "ours"])
def test_get_sends_the_objects_of_the_model(served: Store, api: Any) -> None:
    """A list of UIDs is taken; the UID of a palette is none of a hanging protocol."""
    received, status = _got(served, HANGING_PROTOCOL.get_uid, _uids(0, 2, 9), api)
    assert sorted(each.HangingProtocolName for each in received) == ["P0", "P2"]
    assert (status.Status, status.NumberOfCompletedSuboperations) == (0, 2)
    assert _got(served, COLOR_PALETTE.get_uid, _uids(1))[1].Status == 0


@pytest.mark.requirement("NP-008")
@pytest.mark.parametrize("api", [pynetdicom, dicomquest], ids=["pynetdicom", "ours"])
def test_move_sends_them_to_a_destination(served: Store, receiver: _Receiver, api: Any) -> None:
    receiver.received.clear()
    entity = api.AE()
    entity.add_requested_context(HANGING_PROTOCOL.move_uid)
    association = entity.associate(served.peer.host, served.peer.port)
    responses = list(association.send_c_move(_uids(1), "STORE", HANGING_PROTOCOL.move_uid))
    association.release()
    assert responses[-1][0].Status == 0
    assert [each.HangingProtocolName for each in receiver.received] == ["P1"]


def test_get_without_a_key_is_refused(served: Store) -> None:
    asked = Dataset()
    asked.SOPInstanceUID = ""
    received, status = _got(served, HANGING_PROTOCOL.get_uid, asked)
    assert (received, status.Status) == ([], 0xA900)
    assert "no value" in status.ErrorComment


def test_retrieval_of_objects_is_of_their_service() -> None:
    uid = DEFINED_PROCEDURE_PROTOCOL.move_uid
    assert Profile(services=frozenset({ServiceKind.OBJECTS})).allows(uid)
    assert not Profile(services=frozenset({ServiceKind.RETRIEVE})).allows(uid)
