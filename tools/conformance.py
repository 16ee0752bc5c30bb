"""Hold docs/reference/requirements.md against the tests' ``requirement`` markers.

A requirement is covered by a test, or answered otherwise by a row of docs/reference/conformance.md,
or MISSING. The exit status is 1 if one is missing, or if a marker's number is no requirement's.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENT_LINE = re.compile(r"- ((?:UL|QR|EN|RT|QI|WS|WL|NP|DN|MP|UP|RQ)-\d{3}) (.+)")
OTHERWISE_ROW = re.compile(r"\| *((?:UL|QR|EN|RT|QI|WS|WL|NP|DN|MP|UP|RQ)-\d{3}) *\| *(.+?) *\|")


class Collector:
    """A pytest plugin that notes each collected test under the numbers of its markers."""

    def __init__(self) -> None:
        self.tests: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the tests; the cases of one parametrized test count as one."""
        for item in session.items:
            for marker in item.iter_markers("requirement"):
                for number in marker.args:
                    self.tests[number][item.nodeid.partition("[")[0]] = None


def read_table(path: Path, pattern: re.Pattern[str]) -> dict[str, str]:
    """Read the lines of a page that give a requirement's number and a text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {match[1]: match[2] for line in lines if (match := pattern.match(line))}


def report(
    requirements: Mapping[str, str],
    otherwise: Mapping[str, str],
    tests: Mapping[str, Sequence[str]],
) -> tuple[list[str], bool]:
    """Return the lines to print, and whether every requirement is covered or answered otherwise."""
    lines: list[str] = []
    counts = {"covered": 0, "otherwise": 0, "MISSING": 0}
    for number, text in requirements.items():
        status = (
            "otherwise" if number in otherwise else "covered" if tests.get(number) else "MISSING"
        )
        counts[status] += 1
        lines.append(f"{number}  {status:<9}  {text}")
        if status == "otherwise":
            lines.append(f"{'':10}{otherwise[number]}")
        lines += [f"{'':10}{test}" for test in tests.get(number, ())]
    unknown = sorted((otherwise.keys() | tests.keys()) - requirements.keys())
    lines += [
        f"{number}  is no requirement, but is named by a test or in conformance.md"
        for number in unknown
    ]
    lines.append(
        f"{len(requirements)} requirements: {counts['covered']} covered, "
        f"{counts['otherwise']} answered otherwise, {counts['MISSING']} MISSING"
    )
    return lines, not unknown and counts["MISSING"] == 0


def main() -> int:
    """Collect the tests, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--missing", action="store_true", help="print only what is missing, and the sums"
    )
    arguments = parser.parse_args()
    collector = Collector()
    options = [
        "--collect-only",
        "--quiet",
        "--override-ini=addopts=--import-mode=importlib",
        str(ROOT / "tests"),
    ]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = pytest.main(options, plugins=[collector])
    if status != pytest.ExitCode.OK:
        print(printed.getvalue(), "the tests could not be collected", sep="\n", file=sys.stderr)
        return 1
    lines, complete = report(
        read_table(ROOT / "docs" / "reference" / "requirements.md", REQUIREMENT_LINE),
        read_table(ROOT / "docs" / "reference" / "conformance.md", OTHERWISE_ROW),
        {number: list(tests) for number, tests in collector.tests.items()},
    )
    if arguments.missing:
        lines = [
            line for line in lines[:-1] if "MISSING" in line or "is no requirement" in line
        ] + lines[-1:]
    print("\n".join(lines))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
