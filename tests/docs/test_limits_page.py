"""The page on limits: its table is that of the program."""

from __future__ import annotations

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from dicomquest.cli.settings.limit_settings import LimitSettings

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "limits.md").read_text("utf-8")


def row(limit: Field[Any]) -> str:
    """The row of the page about a limit."""
    facts, default = limit.metadata, limit.default
    match default:
        case None:
            shown = facts.get("unset", "none")
        case bool():
            shown = f"`{str(default).lower()}`"
        case _:
            shown = f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    unit = {"SECONDS": " s", "BYTES": " bytes"}.get(facts.get("metavar", ""), "")
    by_peer = " *" if facts.get("by_peer") else ""
    cells = (
        f"`{limit.name.replace('_', '-')}`{by_peer}",
        shown + (unit if default is not None else ""),
        facts["help"],
        facts["reason"],
        facts["beyond"],
    )
    return f"| {' | '.join(cells)} |".replace("  ", " ")


def test_the_page_has_the_table_of_the_program() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert lines == [row(limit) for limit in fields(LimitSettings)]
