"""pynetdicom's own clients, run by either library, against our server.

The programs stay as they are; a shim in this test gives them dicomquest for ``pynetdicom``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomquest import AE, QueryRetrievePresentationContexts, evt, sop_class
from fixtures.faces import HOST, data_set
from fixtures.getting import CT, instance
from fixtures.timing import LONG
from peers.processes import free_port

SHIM = """
import importlib, importlib.util, runpy, sys, types
library, folder, program, *arguments = sys.argv[1:]
if library == "dicomquest":
    for name in ("", ".sop_class", ".pdu_primitives"):
        sys.modules["pynetdicom" + name] = importlib.import_module("dicomquest" + name)
    constants = types.ModuleType("pynetdicom._globals")
    constants.DEFAULT_MAX_LENGTH = 16382
    constants.ALL_TRANSFER_SYNTAXES = sys.modules["pynetdicom"].ALL_TRANSFER_SYNTAXES
    sys.modules["pynetdicom._globals"] = constants
    sys.modules["pynetdicom.apps"] = types.ModuleType("pynetdicom.apps")
    spec = importlib.util.spec_from_file_location("pynetdicom.apps.common", folder + "/common.py")
    common = importlib.util.module_from_spec(spec)
    sys.modules["pynetdicom.apps.common"] = common
    spec.loader.exec_module(common)
sys.argv = [program, *arguments]
runpy.run_path(f"{folder}/{program}/{program}.py", run_name="__main__")
"""

MODELS = {
    "-P": sop_class.PatientRootQueryRetrieveInformationModelFind,
    "-S": sop_class.StudyRootQueryRetrieveInformationModelFind,
    "-O": sop_class.PatientStudyOnlyQueryRetrieveInformationModelFind,
    "-W": sop_class.ModalityWorklistInformationModelFind,
    "-U": sop_class.UnifiedProcedureStepPull,
}

UIDS = ["1.2.3.1", "1.2.3.2"]
"""The instances that our server gives to each C-GET and C-MOVE."""


def apps() -> str:
    spec = find_spec("pynetdicom")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return str(Path(spec.submodule_search_locations[0]) / "apps")


def run(library: str, program: str, folder: Path, *arguments: str) -> int:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", SHIM, library, apps(), program, *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=6 * LONG
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    """Three patients with the name that is asked for, and the model of the request."""
    for number in range(3):
        match = data_set(PatientName=event.identifier.PatientName, PatientID=f"ID{number}")
        match.RetrieveURL = str(event.request.AffectedSOPClassUID)
        yield 0xFF00, match


def get(event: evt.Event) -> Iterator[Any]:
    """Two CT images of the study that is asked for."""
    yield len(UIDS)
    for uid in UIDS:
        image = instance(uid)
        image.StudyInstanceUID = event.identifier.StudyInstanceUID
        yield 0xFF00, image


def move(event: evt.Event) -> Iterator[Any]:
    """The same, to this machine; the title of the destination is its port."""
    yield HOST, int(event.move_destination)
    yield from get(event)


def store(event: evt.Event, taken: list[str]) -> int:
    taken.append(event.dataset.SOPInstanceUID)
    return 0x0000


@pytest.fixture(scope="module")
def taken() -> list[str]:
    """The UIDs of the instances that were sent to our server."""
    return []


@pytest.fixture(scope="module")
def port(taken: list[str]) -> Iterator[int]:
    ae = AE("APPS")
    for uid in (sop_class.Verification, *MODELS.values()):
        ae.add_supported_context(uid)
    for context in QueryRetrievePresentationContexts:
        ae.add_supported_context(context.abstract_syntax)
    ae.add_supported_context(CT, scu_role=True, scp_role=True)
    ae.add_requested_context(CT)
    handlers: list[evt.Binding] = [
        (evt.EVT_C_FIND, answer),
        (evt.EVT_C_GET, get),
        (evt.EVT_C_MOVE, move),
        (evt.EVT_C_STORE, store, [taken]),
    ]
    with ae.start_server((HOST, 0), block=False, evt_handlers=handlers) as server:
        yield server.server_address[1]


@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
@pytest.mark.parametrize("model", MODELS)
def test_findscu_writes_each_match(library: str, model: str, port: int, tmp_path: Path) -> None:
    keys = ["-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientName=CITIZEN^Jan"]
    options = ["-w", model, *keys, "-aet", "ME", "-aec", "YOU", "--relational-query"]
    assert run(library, "findscu", tmp_path, HOST, str(port), *options) == 0
    written = [dcmread(path, force=True) for path in sorted(tmp_path.iterdir())]
    assert [(str(each.PatientName), each.PatientID, each.RetrieveURL) for each in written] == [
        ("CITIZEN^Jan", f"ID{number}", MODELS[model]) for number in range(3)
    ]


def check_written(folder: Path) -> None:
    written = [dcmread(path) for path in sorted(folder.iterdir())]
    assert [(each.SOPInstanceUID, each.StudyInstanceUID) for each in written] == [
        (uid, "1.2.3") for uid in UIDS
    ]


KEYS = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.3"]


@pytest.mark.requirement("RT-083")
@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
@pytest.mark.parametrize("model", ["-P", "-S", "-O"])
def test_getscu_writes_each_instance(library: str, model: str, port: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = [model, *KEYS, "-od", str(out)]
    assert run(library, "getscu", tmp_path, HOST, str(port), *options) == 0
    check_written(out)


@pytest.mark.requirement("RT-083")
@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
def test_movescu_receives_each_instance(library: str, port: int, tmp_path: Path) -> None:
    """The program is the storage SCP, too."""
    out, own_port = tmp_path / "out", str(free_port())
    options = ["-S", *KEYS, "-od", str(out), "--store", "--store-port", own_port]
    assert run(library, "movescu", tmp_path, HOST, str(port), "-aem", own_port, *options) == 0
    check_written(out)


@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
def test_storescu_sends_a_file(library: str, port: int, taken: list[str], tmp_path: Path) -> None:
    image = instance("1.2.3.9")
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    taken.clear()
    assert run(library, "storescu", tmp_path, HOST, str(port), str(tmp_path / "image.dcm")) == 0
    assert taken == ["1.2.3.9"]


@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
@pytest.mark.parametrize("options", [[], ["--repeat", "3"], ["--abort"], ["-xi"], ["-xb"]])
def test_echoscu_succeeds(library: str, options: list[str], port: int, tmp_path: Path) -> None:
    assert run(library, "echoscu", tmp_path, HOST, str(port), *options) == 0


@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
@pytest.mark.parametrize("program", ["echoscu", "findscu"])
def test_program_fails_without_a_server(library: str, program: str, tmp_path: Path) -> None:
    keys = ["-k", "PatientName="] if program == "findscu" else []
    assert run(library, program, tmp_path, HOST, "1", *keys) == 1
