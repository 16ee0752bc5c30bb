"""`make dist` builds a wheel and a source archive, and the wheel works in an empty environment."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import dicomquest
from dicomquest.pdu.user_information import IMPLEMENTATION_VERSION_NAME
from fixtures.timing import LONG
from peers.processes import free_port, server

ROOT = Path(__file__).parents[2]
NAME = f"dicomquest-{dicomquest.__version__}"


def run(*command: str | Path, cwd: Path) -> str:
    answer = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=30 * LONG
    )
    assert answer.returncode == 0, f"{command}\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make dist` has filled."""
    folder = tmp_path_factory.mktemp("dist")
    run(
        "make", "--no-print-directory", "--old-file", ROOT / ".venv" / "installed", "dist",
        f"BIN={Path(sys.executable).parent}", f"DIST={folder}",
        cwd=ROOT,
    )  # fmt: skip
    return folder


@pytest.mark.peer("make")
def test_the_wheel_has_all_modules_and_no_more(built: Path) -> None:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        metadata = Parser().parsestr(wheel.read(f"{NAME}.dist-info/METADATA").decode())
    package = ROOT / "src" / "dicomquest"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert names == {path.relative_to(ROOT / "src").as_posix() for path in files}
    assert metadata["Version"] == dicomquest.__version__
    assert metadata["License-Expression"] == "MIT"


@pytest.mark.peer("make")
def test_the_source_archive_can_be_tested(built: Path) -> None:
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        names = set(archive.getnames())
    needed = ["Makefile", "README.md", "constraints.txt", "pyproject.toml", "tests/conftest.py"]
    assert {f"{NAME}/{name}" for name in needed} <= names
    assert not [name for name in names if "/.venv/" in name or name.endswith((".pyc", ".sqlite"))]


@pytest.mark.peer("make")
def test_bill_of_materials_names_packages(built: Path) -> None:
    bill = json.loads((built / "dicomquest.cdx.json").read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "dicomquest"
    assert {"pydicom", "sqlalchemy", "psycopg"} <= {each["name"] for each in bill["components"]}


def test_the_wire_names_the_same_version() -> None:
    major, minor, _ = dicomquest.__version__.split(".")
    assert f"DICOMQUEST_{major}_{minor}" == IMPLEMENTATION_VERSION_NAME


@pytest.mark.peer("make")
@pytest.mark.skipif(
    os.environ.get("CI") != "true",
    reason="pip downloads what the wheel depends on; CI=true runs it",
)
def test_the_wheel_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    """Only pip is there; then --version, index, serve and find over the files of pydicom work."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    programs = tmp_path / "venv" / "bin"
    run(
        programs / "pip", "install", "--quiet", "--no-compile",
        "--constraint", ROOT / "constraints.txt",
        built / f"{NAME}-py3-none-any.whl",
        cwd=tmp_path,
    )  # fmt: skip
    run(programs / "pip", "check", cwd=tmp_path)
    dicomquest_program = programs / "dicomquest"
    version = run(dicomquest_program, "--version", cwd=tmp_path)
    assert version == f"dicomquest, version {dicomquest.__version__}\n"

    found = importlib.util.find_spec("pydicom")
    assert found is not None
    assert found.submodule_search_locations is not None
    data = Path(found.submodule_search_locations[0]) / "data" / "test_files"
    run(dicomquest_program, "index", "--quiet", data, cwd=tmp_path)
    assert (tmp_path / "dicomquest.sqlite").exists()

    port, log = free_port(), tmp_path / "log"
    with server([str(dicomquest_program), "serve", "--port", str(port)], port, log):
        answer = run(
            dicomquest_program, "find", "127.0.0.1", str(port), "PatientName=CompressedSamples^CT1",
            "--format", "json",
            cwd=tmp_path,
        )  # fmt: skip
    (study,) = json.loads(answer)
    assert study["PatientName"] == "CompressedSamples^CT1"
