"""The table of messages shows what the client really says of peers in trouble."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicomquest.cli import main
from fixtures.capped_archive import Sorted
from fixtures.faces import HOST
from fixtures.misbehaving import answering_each, listening
from fixtures.troubles import TROUBLES, Trouble, row

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "when-find-fails.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name.replace(" ", "-"))
def test_page_shows_the_real_message(trouble: Trouble) -> None:
    assert row(trouble) in PAGE.read_text(encoding="utf-8").splitlines()


def test_page_shows_no_other_message() -> None:
    names = [f"| {trouble.name}. |" for trouble in TROUBLES]
    rows = [
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith(("| The peer", "| Nothing", "| The port"))
    ]
    assert len(rows) == len(names)


@pytest.mark.parametrize(("is_splittable", "block"), [(True, 0), (False, 1)])
def test_page_shows_a_real_list_in_parts(
    is_splittable: bool, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"```console\n(\$ dicomquest find pacs1 .*?)```", TEXT, re.DOTALL)[block]
    printed = []
    with listening(answering_each(Sorted(same_second=not is_splittable))) as port:
        for command in re.findall(r"^\$ dicomquest (.*)$", shown, re.MULTILINE):
            words = [HOST, str(port), *command.split()[2:]]
            done = CliRunner().invoke(main, ["find", *words])
            printed += [f"$ dicomquest {command}", *(done.stdout + done.stderr).splitlines()]
    assert [_without_time(line) for line in shown.splitlines()] == [
        _without_time(line) for line in printed
    ]


def _without_time(line: str) -> str:
    return re.sub(r"in [\d.,]+ m?s,", "in a while,", line)
