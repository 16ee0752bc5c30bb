"""Reports of checks: for people, as JSON, and as JUnit XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from textwrap import fill, wrap
from xml.etree import ElementTree as ET

from dicomquest.cli.conform.check_pages import PAGES, place_of
from dicomquest.cli.conform.outcome import Check, Outcome, Result
from dicomquest.escaping import escaped

WIDTH = 80
"""Columns of a description."""

_MARGIN = " " * 13
"""The outcome of a check stands in it."""


def counts(results: Sequence[Result]) -> str:
    """Return how many checks have each outcome."""
    found = Counter(result.verdict.outcome for result in results)
    return ", ".join(f"{found[outcome]} {outcome.value}" for outcome in Outcome)


def clause_of(check: Check) -> str:
    """Return the clause of a check with its part."""
    return check.clause if check.clause.startswith("PS") else f"PS3.4 {check.clause}"


def description(check: Check) -> str:
    """Return the page of a check for a terminal."""
    page = PAGES[check.identifier]
    fields = (
        ("It asks", page.asks),
        ("It passes if", page.passes),
        ("It fails if", page.fails),
        ("Tell the vendor", page.vendor),
    )
    lines = [f"{check.identifier}: {check.words} ({clause_of(check)})"]
    for name, words in fields:
        lines += [
            "",
            f"  {name}",
            *wrap(words, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4),
        ]
    return "\n".join(lines)


def line(result: Result, width: int | None = None) -> str:
    """Return the lines of a result on a console, for a terminal of some width."""
    outcome, words = result.verdict.outcome, escaped(result.verdict.words)
    first = f"{outcome.value:<12} {result.check.identifier}"
    if outcome is not Outcome.FAILED:
        return _fitting(f"{first}: {words}", width)
    clause = f"{_MARGIN}{result.check.words} ({clause_of(result.check)})"
    lines = (first, clause, f"{_MARGIN}{words}")
    return "\n".join(_fitting(each, width) for each in lines)


def _fitting(text: str, width: int | None) -> str:
    """Break a text at blanks; what goes on stands below the words of the line."""
    if width is None or len(text) <= width:
        return text
    return fill(text, width, subsequent_indent=_MARGIN, break_long_words=False)


def as_json(peer: str, results: Sequence[Result]) -> str:
    """Return all results as one JSON object."""
    found = Counter(result.verdict.outcome for result in results)
    report = {
        "peer": peer,
        **{outcome.name.lower(): found[outcome] for outcome in Outcome},
        "checks": [
            {
                "id": result.check.identifier,
                "clause": clause_of(result.check),
                "requirement": result.check.words,
                "outcome": result.verdict.outcome.value,
                "seen": result.verdict.words,
                "page": place_of(result.check.identifier),
                "seconds": round(result.seconds, 3),
            }
            for result in results
        ],
    }
    return json.dumps(report, ensure_ascii=False, indent=2)


def as_junit(peer: str, results: Sequence[Result]) -> str:
    """Return all results as JUnit XML, where a check that is not decided is skipped."""
    found = Counter(result.verdict.outcome for result in results)
    suite = ET.Element(
        "testsuite",
        name=f"dicomquest conform {escaped(peer)}",
        tests=str(len(results)),
        failures=str(found[Outcome.FAILED]),
        skipped=str(found[Outcome.NOT_DECIDED]),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=clause_of(result.check),
            name=result.check.identifier,
            time=f"{result.seconds:.3f}",
        )
        words = escaped(result.verdict.words)
        if result.verdict.outcome is Outcome.FAILED:
            failure = ET.SubElement(case, "failure", message=result.check.words)
            failure.text = f"{words}\n{place_of(result.check.identifier)}"
        elif result.verdict.outcome is Outcome.NOT_DECIDED:
            ET.SubElement(case, "skipped", message=words)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)
