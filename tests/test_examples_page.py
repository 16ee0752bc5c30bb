"""Two scripts in the way of pynetdicom's users run under either package's name.

They make the calls of pynetdicom's page "Query/Retrieve (Find) Service Examples" in its order and
with its arguments; the test fills in package, port and folder.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from fixtures.timing import LONG
from peers.dcmtk import findscu
from peers.processes import Peer, client, free_port, server

SCU = """
from pydicom.dataset import Dataset
from {package} import AE, debug_logger
from {package}.sop_class import PatientRootQueryRetrieveInformationModelFind

debug_logger()
ae = AE()
ae.add_requested_context(PatientRootQueryRetrieveInformationModelFind)

query = Dataset()
query.PatientName = {name!r}
query.QueryRetrieveLevel = 'PATIENT'

association = ae.associate("127.0.0.1", {port})
if association.is_established:
    responses = association.send_c_find(
        query, PatientRootQueryRetrieveInformationModelFind
    )
    for status, identifier in responses:
        if status:
            print(f"status 0x{{status.Status:04X}}", identifier.PatientName if identifier else None)
        else:
            print("no response")
    association.release()
else:
    print("not established")
"""

SCP = """
import os
from pydicom import dcmread
from pydicom.dataset import Dataset
from {package} import AE, evt
from {package}.sop_class import PatientRootQueryRetrieveInformationModelFind

def answer(event):
    asked = event.identifier
    folder = {folder!r}
    instances = [dcmread(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]
    if 'QueryRetrieveLevel' not in asked:
        yield 0xC000, None
        return
    if asked.QueryRetrieveLevel == 'PATIENT':
        if 'PatientName' in asked:
            if asked.PatientName not in ['*', '', '?']:
                found = [
                    instance for instance in instances if instance.PatientName == asked.PatientName
                ]
    for instance in found:
        if event.is_cancelled:
            yield (0xFE00, None)
            return
        identifier = Dataset()
        identifier.PatientName = instance.PatientName
        identifier.QueryRetrieveLevel = asked.QueryRetrieveLevel
        yield (0xFF00, identifier)

ae = AE()
ae.add_supported_context(PatientRootQueryRetrieveInformationModelFind)
ae.start_server(("127.0.0.1", {port}), evt_handlers=[(evt.EVT_C_FIND, answer)])
"""

PACKAGES = ("dicomquest", "pynetdicom")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three instances: two of the patient in the query, and one of another."""
    folder = tmp_path_factory.mktemp("instances")
    for number, name in enumerate(("CITIZEN^Jan", "CITIZEN^Snip", "CITIZEN^Jan")):
        instance = Dataset()
        instance.PatientName = name
        instance.SOPClassUID, instance.SOPInstanceUID = CTImageStorage, generate_uid()
        instance.file_meta = FileMetaDataset()
        instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        instance.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


@contextlib.contextmanager
def running_scp(package: str, folder: Path, log: Path) -> Iterator[Peer]:
    """Run the server's script, which writes nothing to standard error."""
    port = free_port()
    script = SCP.format(package=package, folder=str(folder), port=port)
    with server([sys.executable, "-W", "error", "-c", script], port, log):
        yield Peer("127.0.0.1", port, "ANY-SCP")
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("ours", "theirs"), [("dicomquest", "dicomquest"), PACKAGES, PACKAGES[::-1]]
)
def test_scripts_against_each_other(ours: str, theirs: str, folder: Path, tmp_path: Path) -> None:
    with running_scp(theirs, folder, tmp_path / "scp.log") as scp:
        script = SCU.format(package=ours, name="CITIZEN^Jan", port=scp.port)
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            timeout=6 * LONG,
        )
    found = "status 0xFF00 CITIZEN^Jan\n"
    assert done.stdout == 2 * found + "status 0x0000 None\n"
    assert "Traceback" not in done.stderr


def test_client_without_a_server() -> None:
    script = SCU.format(package="dicomquest", name="CITIZEN^Jan", port=free_port())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=6 * LONG
    )
    assert done.stdout == "not established\n"
    assert "Traceback" not in done.stderr


@pytest.mark.peer("findscu")
def test_server_against_findscu(folder: Path, tmp_path: Path) -> None:
    with running_scp("dicomquest", folder, tmp_path / "scp.log") as scp:
        found = findscu(scp, "PATIENT", {"PatientName": "CITIZEN^Jan"}, model="patient")
        assert [answer["PatientName"] for answer in found.answers] == ["CITIZEN^Jan", "CITIZEN^Jan"]
        assert "Success" in found.final
        # The script has no case for "*": its variable is unbound, so the handler fails.
        found = findscu(scp, "PATIENT", {"PatientName": "*"}, model="patient")
        assert found.answers == []
        assert "UnableToProcess" in found.final


@pytest.mark.peer("findscu")
def test_query_without_a_level(folder: Path, tmp_path: Path) -> None:
    with running_scp("dicomquest", folder, tmp_path / "scp.log") as scp:
        command = ["findscu", "-v", "-P", "-k", "PatientName=CITIZEN^Jan", scp.host, str(scp.port)]
        assert "UnableToProcess" in client(command).output
