"""`dicomquest conform`: which checks run, the exit status, the forms of the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from click.testing import CliRunner, Result
from pydicom.dataset import Dataset

from dicomquest import evt
from dicomquest.cli import main
from dicomquest.cli.conform.check_table import ALL_CHECKS
from fixtures.faces import HOST, serving
from peers.processes import free_port


def conform(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["conform", *arguments])


def test_list_asks_nothing() -> None:
    done = conform("--list")
    assert done.exit_code == 0
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert listed == [check.identifier for check in ALL_CHECKS]


def test_unknown_check_is_refused() -> None:
    done = conform(HOST, "104", "--only", "wild-cards")
    assert done.exit_code == 2
    assert "'wild-cards' is no check" in done.stderr


def test_nothing_left_is_refused() -> None:
    assert conform(HOST, "104", "--only", "echo", "--skip", "e*").exit_code == 2


def test_no_association_is_a_failure() -> None:
    done = conform(HOST, str(free_port()))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: no connection")


def test_only_the_chosen_checks_run() -> None:
    with serving() as port:
        done = conform(HOST, str(port), "--only", "echo", "--only", "model-*", "--rate", "1000")
    assert [line.split()[1] for line in done.stdout.splitlines()] == [
        "echo:", "model-patient:", "model-study:"
    ]  # fmt: skip


def test_forms_are_read_by_others() -> None:
    arguments = ("--only", "echo", "--rate", "1000", "--format")
    with serving() as port:
        as_json = conform(HOST, str(port), *arguments, "json")
        as_junit = conform(HOST, str(port), *arguments, "junit")
    assert json.loads(as_json.stdout)["passed"] == 1
    assert ET.fromstring(as_junit.stdout).get("tests") == "1"


def test_empty_archive_decides_no_matching() -> None:
    def nothing(_: evt.Event) -> Iterator[tuple[int, Dataset]]:
        yield from ()

    with serving(nothing) as port:
        done = conform(HOST, str(port), "--rate", "1000", "--format", "json")
    assert done.exit_code == 1  # it answers Success without a level
    found = {each["id"]: each["outcome"] for each in json.loads(done.stdout)["checks"]}
    matching = ("single-", "list-", "universal", "wild-", "range-", "sequence", "optional-")
    assert {found[each] for each in found if each.startswith(matching)} == {"not decided"}
    assert found["malformed-no-level"] == "failed"
