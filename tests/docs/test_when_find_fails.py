"""The table of messages shows what the client really says of peers in trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.troubles import TROUBLES, Trouble, row

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "when-find-fails.md"


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
