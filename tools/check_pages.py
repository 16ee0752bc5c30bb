"""Write docs/reference/conform-checks.md: a section for each check of ``dicomquest conform``."""

from __future__ import annotations

from pathlib import Path

from dicomquest.cli.conform.check_pages import PAGES
from dicomquest.cli.conform.check_table import ALL_CHECKS
from dicomquest.cli.conform.outcome import Check
from dicomquest.cli.conform.reports import clause_of

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "conform-checks.md"

INTRODUCTION = """\
# Checks of conformance

`python tools/check_pages.py` writes this page.
It has a section for each check of [`dicomquest conform`](command-line.md#conform), whose reports \
point here; `dicomquest conform --describe CHECK` prints it on a terminal.
[Conformance of peers](conformance-of-peers.md) shows what the checks find in four archives and \
three worklists.

A check first learns what the peer holds, and then asks for what it knows.
It is *not decided*, never *passed*, if the peer's data or services cannot show the answer: a \
check of ranges needs studies of two dates.
Values that the peer returns empty are left out of account, because the Standard lets them match \
anything; in a worklist they match nothing.
`dicomquest conform -W` runs the checks whose names begin with `worklist`, and without it \
the others run.
"""


def section(check: Check) -> list[str]:
    """Return the lines of one check."""
    page = PAGES[check.identifier]
    return [
        f"## {check.identifier}",
        "",
        f"{plain(check.words)} ({clause_of(check)})",
        "",
        f"- **It asks:** {plain(page.asks)}",
        f"- **It passes if:** {plain(page.passes)}",
        f"- **It fails if:** {plain(page.fails)}",
        f"- **Tell the vendor:** {plain(page.vendor)}",
        "",
    ]


def plain(words: str) -> str:
    """Return words whose stars and underscores are no mark-up, outside of code."""
    parts = words.split("`")
    parts[::2] = [part.replace("*", "\\*").replace("_", "\\_") for part in parts[::2]]
    return "`".join(parts)


def page() -> str:
    """Return the page."""
    lines = [line for check in ALL_CHECKS for line in section(check)]
    return "\n".join([INTRODUCTION, *lines]).rstrip("\n") + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
