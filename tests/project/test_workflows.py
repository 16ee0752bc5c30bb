"""The files that a forge reads are right before they are pushed: workflows, forms, hooks."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.timing import LONG

ROOT = Path(__file__).parents[2]
HOOKS = ROOT / ".pre-commit-config.yaml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(
    path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][\w-]*):(?!=)", MAKEFILE, re.MULTILINE))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow: Any) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def named_targets(command: str) -> list[str]:
    """Return the words that a command gives to make or to .ci/run as targets."""
    found = re.findall(r"(?:\bmake|\.ci/run)((?: [^\n;&|]+)?)", command)
    words = [word for words in found for word in words.split()]
    return [word for word in words if not word.startswith("-") and "=" not in word]


def phony_targets() -> set[str]:
    (line,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    return set(line.split())


def test_each_phony_target_has_its_rule() -> None:
    """A target that is phony and has no rule does nothing, and succeeds."""
    assert phony_targets() == TARGETS


@pytest.mark.peer("make")
def test_help_names_each_target() -> None:
    answer = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=6 * LONG
    )
    assert set(re.findall(r"^make (\S+)", answer.stdout, re.MULTILINE)) == TARGETS - {
        "help",
        "setup",
    }


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_targets_that_exist(path: Path) -> None:
    workflow = read(path)
    # YAML 1.1, which the parser reads, takes the key `on` for a truth value.
    assert {"name", True, "permissions", "jobs"} <= workflow.keys()
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    named = [target for command in commands for target in named_targets(command)]
    assert named
    assert set(named) <= TARGETS
    for step in steps(workflow):
        assert ("run" in step) != ("uses" in step), step


def test_the_workflows_run_all_checks() -> None:
    commands = [step.get("run", "") for path in WORKFLOWS for step in steps(read(path))]
    named = {target for command in commands for target in named_targets(command)}
    assert {"lint", "test", "docs", "dist"} <= named


def test_each_supported_python_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    supported = [
        version
        for classifier in project["classifiers"]
        for version in re.findall(r"^Programming Language :: Python :: (3\.\d+)$", classifier)
    ]
    matrix = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == supported
    assert project["requires-python"] == f">={supported[0]}"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_has_what_a_forge_asks_for(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"checkboxes", "dropdown", "input", "textarea"}
    assert all(field["attributes"]["label"] for field in fields)
    assert all(field["attributes"]["options"] for field in fields if field["type"] == "dropdown")
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids)


def test_the_hooks_are_local() -> None:
    hooks = read(HOOKS)
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        assert {"id", "name", "entry", "language"} <= hook.keys()
        assert set(named_targets(hook["entry"])) <= TARGETS


def test_the_ci_script_is_a_shell_script() -> None:
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True, timeout=6 * LONG)
