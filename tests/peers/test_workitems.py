"""Unified Procedure Steps and pynetdicom: it asks ours by each SOP class, ours asks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pynetdicom
import pytest
from click.testing import CliRunner
from pydicom import Dataset
from pynetdicom import evt

from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.cli import main
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import server_settings
from dicomquest.dataset.elements import DataSet, from_pydicom, to_pydicom
from dicomquest.index import Index
from dicomquest.standard.models import UPS_MODELS, UPS_PULL, InformationModel
from dicomquest.worklist.workitem import workitem_of
from dicomquest.worklist.workitems import Workitems
from fixtures.building import data_set
from fixtures.faces import HOST
from fixtures.workitems import workitem

STEPS = [
    workitem(1),
    workitem(2, ProcedureStepState="IN PROGRESS", TransactionUID="1.9.9"),
    workitem(3, PatientName="山田^太郎", ScheduledProcedureStepStartDateTime="20260106"),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with STEPS."""
    location = tmp_path_factory.mktemp("steps") / "index.sqlite"
    settings = replace(ServeSettings(index=str(location), aet="RIS"), worklist=True)
    with Index(location) as index:
        Workitems(index.database).add(map(workitem_of, STEPS), 0)
        server = RunningServer(lambda: Server(server_settings(settings, index)), (HOST, 0))
        server.start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def association(port: int) -> Iterator[pynetdicom.association.Association]:
    ae = pynetdicom.AE()
    for model in UPS_MODELS:
        ae.add_requested_context(model.uid)
    made = ae.associate(HOST, port)
    assert len(made.accepted_contexts) == len(UPS_MODELS)
    yield made
    made.release()


def _found(
    association: pynetdicom.association.Association, model: InformationModel, identifier: DataSet
) -> tuple[list[int], list[DataSet]]:
    answers = list(association.send_c_find(to_pydicom(identifier), model.uid))
    statuses = [status.Status for status, _ in answers]
    return statuses, [from_pydicom(found) for _, found in answers if found is not None]


@pytest.mark.requirement("UP-001", "UP-002")
@pytest.mark.parametrize("model", UPS_MODELS, ids=lambda model: model.words)
def test_each_sop_class_finds_all_steps(
    association: pynetdicom.association.Association, model: InformationModel
) -> None:
    asked = data_set(SOPInstanceUID="", SOPClassUID="", AdmissionID="", ProcedureStepState="")
    statuses, found = _found(association, model, asked)
    assert statuses == [0xFF00] * 3 + [0x0000]
    assert {each[0x00080016].values for each in found} == {("1.2.840.10008.5.1.4.34.6.1",)}
    assert sorted(each[0x00080018].values[0] for each in found) == ["1.2.8.1", "1.2.8.2", "1.2.8.3"]
    assert all(each[0x00380010].values == () for each in found)


@pytest.mark.requirement("UP-003", "UP-005")
def test_required_keys_restrict(association: pynetdicom.association.Association) -> None:
    asked = data_set(
        ProcedureStepState="IN PROGRESS",
        ReferencedRequestSequence=[data_set(AccessionNumber="A2")],
        TransactionUID="",
        PatientID="",
    )
    statuses, (found,) = _found(association, UPS_PULL, asked)
    # The lock of a step is as an attribute that nobody has.
    assert statuses == [0xFF01, 0x0000]
    assert found[0x00100020].values == ("P2",)
    assert 0x00081195 not in found


@pytest.mark.requirement("UP-006")
def test_bad_value_ends_with_a900(association: pynetdicom.association.Association) -> None:
    asked = data_set(ScheduledProcedureStepStartDateTime="20261301")
    assert _found(association, UPS_PULL, asked)[0] == [0xA900]


@pytest.mark.requirement("UP-007")
def test_other_operations_are_unrecognized(port: int) -> None:
    ae = pynetdicom.AE()
    ae.add_requested_context(UPS_PULL.uid)
    association = ae.associate(HOST, port)
    push = "1.2.840.10008.5.1.4.34.6.1"
    changes = to_pydicom(data_set(ProcedureStepLabel="X"))
    statuses = [
        association.send_n_get([], push, "1.2.8.1", meta_uid=UPS_PULL.uid)[0],
        association.send_n_action(changes, 1, push, "1.2.8.1", meta_uid=UPS_PULL.uid)[0],
        association.send_n_set(changes, push, "1.2.8.1", meta_uid=UPS_PULL.uid)[0],
    ]
    association.release()
    assert [status.Status for status in statuses] == [0x0211] * 3


def test_our_scu_asks_pynetdicom(tmp_path: Path) -> None:
    """`find -m ups` sends the request's attributes in their sequence, and shows the answers."""
    asked: list[Dataset] = []

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        yield 0xFF00, to_pydicom(STEPS[0])

    ae = pynetdicom.AE("RIS")
    ae.add_supported_context(UPS_PULL.uid)
    server = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)])
    assert server is not None
    command = [
        "find", HOST, str(server.server_address[1]), "-m", "ups", "AccessionNumber=A1",
        "ProcedureStepState=SCHEDULED", "--explain", "-f", "csv", "-o", str(tmp_path / "found.csv"),
    ]  # fmt: skip
    done = CliRunner().invoke(main, command)
    server.shutdown()
    assert done.exit_code == 0, done.stderr
    assert "Procedure Step State (0074,1000): required key, return type 1" in done.stderr
    assert asked[0].ReferencedRequestSequence[0].AccessionNumber == "A1"
    assert "QueryRetrieveLevel" not in asked[0]
    assert "Doe^John1" in (tmp_path / "found.csv").read_text()
