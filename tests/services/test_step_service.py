"""The service of performed steps over the wire, asked by our SCU and by pynetdicom's."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynetdicom
import pytest
from pydicom import Dataset

from dicomquest import AE
from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.aio.server_settings import ServerSettings
from dicomquest.dataset.elements import DataSet, to_pydicom
from dicomquest.dimse.commands import CFindRQ, NCreateRQ, NCreateRSP, UnknownCommand
from dicomquest.dimse.fragments import Limits
from dicomquest.dimse.link import SessionOptions
from dicomquest.errors import IndexDatabaseError
from dicomquest.index import Index
from dicomquest.pdu.items import PresentationContextRQ
from dicomquest.pdu.pdus import AAssociateRQ
from dicomquest.pdu.user_information import UserInformation
from dicomquest.services.limit_defaults import LARGEST_STEP
from dicomquest.services.limit_names import LimitName
from dicomquest.services.observer import LimitHit
from dicomquest.services.step_events import StepFinished
from dicomquest.services.step_service import StepService
from dicomquest.standard.step_attributes import MPPS
from dicomquest.standard.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from dicomquest.sync import Association
from dicomquest.ul.negotiation import AcceptorPolicy, SupportedSyntax
from fixtures.building import data_set
from fixtures.faces import HOST, raw_requestor
from fixtures.observing import Heard
from fixtures.performed_steps import ended, performed

RQ = AAssociateRQ(
    "RIS",
    "CT1",
    (PresentationContextRQ(1, MPPS, (IMPLICIT_VR_LITTLE_ENDIAN,)),),
    UserInformation(),
)


@dataclass
class Modality:
    """An association of a modality, and what the server's observer hears."""

    association: Association
    heard: Heard
    service: StepService
    location: Path

    def create(self, attributes: DataSet, uid: str | None) -> Dataset:
        status, _ = self.association.send_n_create(to_pydicom(attributes), MPPS, uid)
        return status

    def set(self, attributes: DataSet, uid: str) -> Dataset:
        status, _ = self.association.send_n_set(to_pydicom(attributes), MPPS, uid)
        return status

    def stored(self, uid: str) -> str | None:
        """The status that the database has of a step, read beside the server."""
        with contextlib.closing(sqlite3.connect(self.location)) as database:
            statement = "SELECT status FROM performed_step WHERE sop_instance_uid = ?"
            row = database.execute(statement, (uid,)).fetchone()
        return None if row is None else str(row[0])

    @property
    def port(self) -> int:
        return self.association.acceptor.port

    @property
    def told(self) -> list[StepFinished]:
        return [each for each in self.heard.events if isinstance(each, StepFinished)]


def _nested(depth: int) -> DataSet:
    inner = [_nested(depth - 1)] if depth else []
    return data_set(ReferencedSOPClassUID="1.2", PurposeOfReferenceCodeSequence=inner)


@contextlib.contextmanager
def _serving(location: Path, *, longest: int = LARGEST_STEP, depth: int = 32) -> Iterator[Modality]:
    heard = Heard()
    with Index(location) as index:
        service = StepService(index, longest, depth)
        supported = {MPPS: SupportedSyntax((IMPLICIT_VR_LITTLE_ENDIAN,))}
        settings = ServerSettings(
            policy=AcceptorPolicy(supported=supported),
            services={MPPS: service},
            observer=heard,
            session=SessionOptions(limits=Limits(attributes=longest)),
        )
        server = RunningServer(lambda: Server(settings), (HOST, 0))
        server.start()
        ae = AE("CT1")
        ae.add_requested_context(MPPS, IMPLICIT_VR_LITTLE_ENDIAN)
        try:
            with ae.associate(*server.server_address[:2]) as association:
                yield Modality(association, heard, service, location)
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def modality(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Modality]:
    with _serving(tmp_path_factory.mktemp("steps") / "index.sqlite") as made:
        yield made


@pytest.mark.requirement("MP-001", "MP-009")
def test_modality_reports_its_step(modality: Modality) -> None:
    """Each change is in the database when its response comes."""
    assert modality.create(performed(), "1.1").Status == 0x0000
    assert modality.stored("1.1") == "IN PROGRESS"
    assert modality.set(data_set(PerformedProcedureStepDescription="Chest"), "1.1").Status == 0
    assert modality.set(ended(), "1.1").Status == 0x0000
    assert modality.stored("1.1") == "COMPLETED"
    assert [str(each).partition(": ")[2] for each in modality.told] == [
        f"{service} of 1.1 by CT1 at {HOST} ended with 0000, Success"
        for service in ("N-CREATE", "N-SET", "N-SET")
    ]


@pytest.mark.requirement("MP-002", "MP-004")
def test_uids_that_are_refused(modality: Modality) -> None:
    assert modality.create(performed(), "1.2").Status == 0x0000
    duplicate = modality.create(performed(), "1.2")
    assert (duplicate.Status, duplicate.get("AffectedSOPInstanceUID")) == (0x0111, "1.2")
    assert modality.set(ended(), "1.99").Status == 0x0112


@pytest.mark.requirement("MP-002")
def test_step_without_uid_gets_one(modality: Modality) -> None:
    status = modality.create(performed(), None)
    assert status.Status == 0x0000
    uid = status.AffectedSOPInstanceUID
    assert uid.startswith("2.25.")
    assert modality.set(ended(), uid).Status == 0x0000


@pytest.mark.requirement("MP-003", "MP-009", "DN-002")
def test_refusal_lists_the_attributes(modality: Modality) -> None:
    lacking = performed(Modality=None, PerformedProcedureStepID=None)
    status = modality.create(lacking, "1.3")
    assert status.Status == 0x0120
    assert list(status.AttributeIdentifierList) == [0x00080060, 0x00400253]
    assert modality.stored("1.3") is None


@pytest.mark.requirement("MP-005", "DN-002")
def test_ended_step_has_error_comment_and_id(modality: Modality) -> None:
    modality.create(performed(), "1.4")
    modality.set(ended(), "1.4")
    status = modality.set(ended("DISCONTINUED"), "1.4")
    assert (status.Status, status.ErrorComment, status.ErrorID) == (
        0x0110,
        "Performed Procedure Step Object may no longer be updated",
        0xA710,
    )


@pytest.mark.requirement("MP-007")
def test_fixed_attributes_give_a_warning(modality: Modality) -> None:
    modality.create(performed(), "1.5")
    status = modality.set(data_set(PatientID="P7"), "1.5")
    assert (status.Status, status.AttributeIdentifierList) == (0x0107, 0x00100020)


@pytest.mark.requirement("MP-011")
def test_text_is_of_character_set_of_step(modality: Modality) -> None:
    """An N-SET without a character set has that of the N-CREATE."""
    japanese = performed(SpecificCharacterSet="\\ISO 2022 IR 87", PatientName="山田^太郎")
    assert modality.create(japanese, "1.6").Status == 0x0000
    written = "放射線科"
    changes = to_pydicom(data_set(PerformedProcedureStepDescription=""))
    changes.add_new(0x00400254, "LO", written.encode("iso2022_jp"))
    status, _ = modality.association.send_n_set(changes, MPPS, "1.6")
    assert status.Status == 0x0000
    step, _ = modality.service._steps.change("1.6", lambda _: ended())
    assert step.attributes[0x00400254].values == (written,)


def test_value_that_cannot_be_read_is_invalid(modality: Modality) -> None:
    modality.create(performed(), "1.7")
    status = modality.set(ended(PerformedProcedureStepEndDate="never"), "1.7")
    assert (status.Status, status.AttributeIdentifierList) == (0x0106, 0x00400250)


def test_bytes_that_are_no_attributes_fail(modality: Modality) -> None:
    with raw_requestor(modality.port, RQ) as peer:
        command = NCreateRQ(
            message_id=1, affected_sop_class_uid=MPPS, affected_sop_instance_uid="1.8"
        )
        peer.send_command(command, b"\x40\0\x70\x02\xff\xff\xff\x7f", 1)
        answer = peer.receive_command()
    assert isinstance(answer, NCreateRSP)
    assert (answer.status, answer.affected_sop_instance_uid) == (0x0110, "1.8")
    assert answer.error_comment.startswith("attributes: ")


@pytest.mark.requirement("DN-003")
@pytest.mark.parametrize(
    ("attributes", "limit"),
    [
        (performed(StudyID="1", CommentsOnThePerformedProcedureStep="x" * 40_000), LimitName.STEP),
        (performed(ReferencedStudySequence=[_nested(9)]), LimitName.NESTING),
    ],
    ids=["bytes", "depth"],
)
def test_step_beyond_a_limit_is_refused(
    tmp_path: Path, attributes: DataSet, limit: LimitName
) -> None:
    with _serving(tmp_path / "index.sqlite", longest=32_000, depth=4) as modality:
        status = modality.create(attributes, "1.1")
        assert status.Status == 0x0213
        assert limit.value in status.ErrorComment
        assert modality.stored("1.1") is None
        assert modality.create(performed(), "1.1").Status == 0
        hits = [each for each in modality.heard.events if isinstance(each, LimitHit)]
        assert [each.limit for each in hits] == [limit]


@pytest.mark.requirement("DN-003")
def test_other_operations_are_unrecognized(modality: Modality) -> None:
    """N-GET is of a SOP class of its own."""
    get = UnknownCommand(command_field=0x0110, message_id=1)
    find = CFindRQ(message_id=2, affected_sop_class_uid=MPPS)
    with raw_requestor(modality.port, RQ) as peer:
        for command, data_set in ((get, b""), (find, b"abcd")):
            peer.send_command(command, data_set, 1)
            answer = peer.receive_command()
            assert getattr(answer, "status", None) == 0x0211


@pytest.mark.requirement("MP-001", "MP-005")
def test_pynetdicom_reports_its_step(modality: Modality) -> None:
    ae = pynetdicom.AE("MR1")
    ae.add_requested_context(MPPS)
    association = ae.associate(HOST, modality.port)
    found = [association.send_n_create(to_pydicom(performed()), MPPS, "1.9")[0]]
    found += [association.send_n_set(to_pydicom(ended()), MPPS, "1.9")[0] for _ in range(2)]
    association.release()
    assert [status.Status for status in found] == [0x0000, 0x0000, 0x0110]
    assert found[2].ErrorComment == "Performed Procedure Step Object may no longer be updated"
    assert found[2].ErrorID == 0xA710


def test_failing_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _serving(tmp_path / "index.sqlite") as modality:

        def fail(*_: Any, **__: Any) -> None:
            raise IndexDatabaseError("/secret/path is gone")

        monkeypatch.setattr(modality.service._steps, "create", fail)
        status = modality.create(performed(), "1.1")
    assert (status.Status, status.ErrorComment) == (0x0110, "the index failed")
