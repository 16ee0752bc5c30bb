"""Instances that come to a server, and the handler of EVT_C_STORE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomquest import AE, evt
from dicomquest.dimse.command_sets import encode_command
from dicomquest.dimse.commands import CStoreRQ, CStoreRSP
from dicomquest.pdu.items import PresentationContextRQ
from dicomquest.pdu.pdus import COMMAND, LAST, AAssociateRQ, PDataTF, PresentationDataValue
from dicomquest.pdu.user_information import UserInformation
from dicomquest.services.received_instance import ReceivedInstance
from fixtures.faces import HOST, IMPLICIT, data_set, raw_requestor, running
from fixtures.getting import CT, instance

RAW = AAssociateRQ("STORE", "RAW", (PresentationContextRQ(1, CT, (IMPLICIT,)),), UserInformation())


def storage_ae(folder: Path | None = None) -> AE:
    ae = AE("STORE")
    ae.incoming_folder = folder
    ae.add_supported_context(CT)
    ae.add_requested_context(CT)
    return ae


@contextmanager
def storing(handler: Callable[..., Any] | None, folder: Path | None = None) -> Iterator[int]:
    """A server with a handler of EVT_C_STORE."""
    bindings: list[evt.Binding] = [] if handler is None else [(evt.EVT_C_STORE, handler)]
    with running(*bindings, ae=storage_ae(folder)) as server:
        yield server.server_address[1]


def send(port: int, what: Dataset | Path, **arguments: Any) -> Dataset:
    with storage_ae().associate(HOST, port) as association:
        return association.send_c_store(what, **arguments)


def in_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param else None


folder = pytest.fixture(params=[False, True], ids=["in memory", "in a file"])(in_folder)


def test_event_shows_instance_and_request(folder: Path | None) -> None:
    seen: dict[str, Any] = {}

    def keep(event: evt.Event) -> int:
        seen.update(
            name=event.dataset.PatientName,
            syntax=event.context.transfer_syntax,
            meta=event.file_meta,
            bare=event.encoded_dataset(include_meta=False),
            file=event.encoded_dataset(),
            stream=event.request.DataSet.read(),
            originator=event.request.MoveOriginatorApplicationEntityTitle,
            number=event.request.MoveOriginatorMessageID,
            message_id=event.message_id,
            calling=event.assoc.requestor.ae_title,
        )
        return 0x0000

    with storing(keep, folder) as port:
        sent = send(port, instance("1.2.7"), msg_id=9, originator_aet="VIEWER", originator_id=5)
    assert sent.Status == 0x0000
    assert seen["name"] == "Citizen^Jan"
    assert seen["syntax"] == ExplicitVRLittleEndian
    assert seen["meta"].MediaStorageSOPInstanceUID == "1.2.7"
    assert seen["meta"].TransferSyntaxUID == ExplicitVRLittleEndian
    assert seen["bare"] == seen["stream"]
    assert seen["file"].endswith(seen["bare"])
    assert (seen["originator"], seen["number"], seen["message_id"]) == ("VIEWER", 5, 9)
    assert seen["calling"] == "STORE"


def test_encoded_dataset_is_a_file(tmp_path: Path) -> None:
    """The bytes of encoded_dataset() are a DICOM file, and so is what pydicom writes."""
    encoded, saved = tmp_path / "encoded.dcm", tmp_path / "saved.dcm"

    def keep(event: evt.Event) -> int:
        encoded.write_bytes(event.encoded_dataset())
        found = event.dataset
        found.file_meta = event.file_meta
        found.save_as(saved, enforce_file_format=True)
        return 0x0000

    with storing(keep) as port:
        send(port, instance("1.2.7", padding=200_000))
    assert dcmread(encoded) == dcmread(saved) == instance("1.2.7", padding=200_000)
    assert dcmread(encoded).file_meta.MediaStorageSOPClassUID == CT


def test_dataset_path_is_the_handlers_to_move(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()

    def keep(event: evt.Event) -> int:
        assert event.dataset_path.parent == incoming
        if event.request.AffectedSOPInstanceUID == "1.2.7":
            event.dataset_path.rename(tmp_path / "kept.dcm")
        return 0x0000

    with storing(keep, incoming) as port:
        send(port, instance("1.2.7", padding=2_000_000))
        send(port, instance("1.2.8"))
    assert dcmread(tmp_path / "kept.dcm").SOPInstanceUID == "1.2.7"
    assert not list(incoming.iterdir())


def test_dataset_path_needs_a_folder() -> None:
    failures: list[str] = []

    def look(event: evt.Event) -> int:
        try:
            _ = event.dataset_path
        except AttributeError as error:
            failures.append(str(error))
        return 0x0000

    with storing(look) as port:
        send(port, instance("1.2.7"))
    assert failures == ["the instance is in memory: set AE.incoming_folder to have it in a file"]


def fails(_: evt.Event) -> int:
    raise KeyError("x")


async def coroutine(event: evt.Event) -> int:
    return 0xB006 if event.dataset.PatientName == "Citizen^Jan" else 0x0000


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (None, 0xC211),
        (lambda _: 0xB000, 0xB000),
        (lambda _: data_set(Status=0xA700, ErrorComment="full"), 0xA700),
        (lambda _: None, 0xC211),
        (fails, 0xC211),
        (coroutine, 0xB006),
    ],
)
def test_handler_decides_the_status(handler: Any, status: int, folder: Path | None) -> None:
    with storing(handler, folder) as port:
        assert send(port, instance("1.2.7")).Status == status
    assert folder is None or not list(folder.iterdir())


def test_folder_that_is_gone_refuses(tmp_path: Path) -> None:
    with storing(lambda _: pytest.fail("called"), tmp_path / "none") as port:
        answer = send(port, instance("1.2.7", padding=2_000_000))
    assert (answer.Status, answer.ErrorComment) == (
        0xA700,
        "the instance cannot be written: No such file or directory",
    )


def test_more_than_memory_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomquest.services.received_instance.LARGEST_IN_MEMORY", 1 << 20)
    with storing(lambda _: pytest.fail("called")) as port:
        answer = send(port, instance("1.2.7", padding=2_000_000))
    assert answer.Status == 0xA700
    assert answer.ErrorComment == "more than 1 MB in memory: set AE.incoming_folder"


def test_unreadable_instance_cannot_be_understood() -> None:
    with (
        storing(lambda event: event.dataset.PatientName and 0) as port,
        raw_requestor(port, RAW) as peer,
    ):
        command = CStoreRQ(
            message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.7"
        )
        peer.send_command(command, b"\x08\0\x16\0\xff\xff\xff\x7f", 1)
        answer = peer.receive_command()
        assert isinstance(answer, CStoreRSP)
        assert answer.status & 0xF000 == 0xC000


def test_instance_that_is_cut_off_leaves_no_file(tmp_path: Path) -> None:
    with running((evt.EVT_C_STORE, lambda _: pytest.fail("called")), ae=storage_ae(tmp_path)) as (
        server
    ):
        with raw_requestor(server.server_address[1], RAW) as peer:
            command = CStoreRQ(
                message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.7"
            )
            peer.send(
                PDataTF((PresentationDataValue(1, COMMAND | LAST, encode_command(command)),)),
                *[PDataTF((PresentationDataValue(1, 0, bytes(60_000)),))] * 20,
            )
        server.shutdown()
    assert not list(tmp_path.iterdir())


@pytest.mark.requirement("RT-052")
def test_large_instance_is_never_whole_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An instance of 40 MB goes to its file in parts of about a megabyte."""
    sizes: list[int] = []
    write = ReceivedInstance.write

    def note(self: ReceivedInstance, parts: list[bytes]) -> None:
        sizes.append(sum(map(len, parts)))
        write(self, parts)

    monkeypatch.setattr(ReceivedInstance, "write", note)
    with storing(lambda event: 0 * event.dataset_path.stat().st_size, tmp_path) as port:
        assert send(port, instance("1.2.7", padding=40_000_000)).Status == 0x0000
    assert sum(sizes) > 40_000_000
    assert max(sizes) < 3_000_000
