"""pynetdicom's own findscu and echoscu, run by either library, against our server.

The programs stay as they are; a shim in this test gives them dicomquest for ``pynetdicom``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomquest import AE, evt, sop_class
from fixtures.faces import HOST, data_set
from fixtures.timing import LONG

SHIM = """
import importlib, importlib.util, runpy, sys, types
library, folder, program, *arguments = sys.argv[1:]
if library == "dicomquest":
    for name in ("", ".sop_class", ".pdu_primitives"):
        sys.modules["pynetdicom" + name] = importlib.import_module("dicomquest" + name)
    constants = types.ModuleType("pynetdicom._globals")
    constants.DEFAULT_MAX_LENGTH = 16382
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


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    ae = AE("APPS")
    for uid in (sop_class.Verification, *MODELS.values()):
        ae.add_supported_context(uid)
    handlers: list[evt.Binding] = [(evt.EVT_C_FIND, answer)]
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


@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
@pytest.mark.parametrize("options", [[], ["--repeat", "3"], ["--abort"], ["-xi"], ["-xb"]])
def test_echoscu_succeeds(library: str, options: list[str], port: int, tmp_path: Path) -> None:
    assert run(library, "echoscu", tmp_path, HOST, str(port), *options) == 0


@pytest.mark.parametrize("library", ["dicomquest", "pynetdicom"])
@pytest.mark.parametrize("program", ["echoscu", "findscu"])
def test_program_fails_without_a_server(library: str, program: str, tmp_path: Path) -> None:
    keys = ["-k", "PatientName="] if program == "findscu" else []
    assert run(library, program, tmp_path, HOST, "1", *keys) == 1
