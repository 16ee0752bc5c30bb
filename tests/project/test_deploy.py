"""The files of ``deploy/`` fit the program, and what they install is pinned."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from fixtures.timing import LONG
from peers import ours

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PINNED = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)


def test_configuration_is_in_order() -> None:
    done = ours.run("config", "check", "--config", str(DEPLOY / "dicomquest.toml"))
    assert done.status == 0, done.err


def test_container_installs_pinned_versions() -> None:
    """Versions are those that the tests ran with, and each has a digest."""
    text = (DEPLOY / "requirements.txt").read_text("utf-8")
    pinned = dict(PINNED.findall(text))
    tested = dict(
        PINNED.findall((ROOT / "constraints.txt").read_text("utf-8").lower().replace("_", "-"))
    )
    assert {name: tested.get(name) for name in pinned} == pinned
    assert all("--hash=sha256:" in block for block in text.split("\n\n") if PINNED.match(block))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *extras["access"],
        *extras["metrics"],
        *extras["postgresql"],
        *extras["web"],
    ]
    names = {re.split(r"[\[<>=;!~ ]", each)[0].lower() for each in wanted}
    assert names <= set(pinned)


def test_container_asks_the_options_of_serve() -> None:
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    (command,) = (json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD"))
    help_text = ours.run("serve", "--help-all").out
    options = [each for each in command if each.startswith("--")]
    assert command[0] == "serve"
    assert options
    assert [each for each in options if each not in help_text] == []


def test_compose_file_gives_no_rights() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    server = services["dicomquest"]
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    assert "PASSWORD" not in str(server["environment"]).upper()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    text = (DEPLOY / "dicomquest.service").read_text("utf-8")
    unit = tmp_path / "dicomquest.service"
    unit.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=6 * LONG,
    )
    assert "dicomquest.service" not in done.stderr, done.stderr


def test_unit_forgives_a_forbidden_call() -> None:
    """NumPy's library tries mbind(2), which would end the server as soon as it is loaded."""
    lines = (ROOT / "deploy" / "dicomquest.service").read_text(encoding="utf-8").splitlines()
    assert "SystemCallFilter=~@privileged @resources" in lines
    assert "SystemCallErrorNumber=EPERM" in lines
