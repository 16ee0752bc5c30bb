"""The reports, read by readers that others wrote."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from dicomquest.cli.conform.check_table import ALL_CHECKS, BY_IDENTIFIER
from dicomquest.cli.conform.outcome import Result, failed, not_decided, passed
from dicomquest.cli.conform.reports import as_json, as_junit, counts, line

RESULTS = [
    Result(BY_IDENTIFIER["echo"], passed("status 0000"), 0.01),
    Result(BY_IDENTIFIER["wild-uid"], failed("山田 \x1b[2J <&> 3 answers"), 0.5),
    Result(BY_IDENTIFIER["cancel"], not_decided("needs more"), 0.0),
]


def test_json_has_each_check() -> None:
    report = json.loads(as_json("PEER at host port 104", RESULTS))
    assert [each["outcome"] for each in report["checks"]] == ["passed", "failed", "not decided"]
    assert (report["passed"], report["failed"], report["not_decided"]) == (1, 1, 1)
    assert report["checks"][1]["seen"] == "山田 \x1b[2J <&> 3 answers"
    assert report["checks"][1]["clause"] == "PS3.4 C.2.2.2.4"


def test_junit_counts_undecided_as_skipped() -> None:
    suite = ET.fromstring(as_junit("PEER", RESULTS))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [case.get("name") for case in suite] == ["echo", "wild-uid", "cancel"]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.startswith("山田")
    assert "\x1b" not in failure.text


def test_console_names_the_clause_of_a_failure() -> None:
    assert line(RESULTS[0]) == "passed       echo: status 0000"
    shown = line(RESULTS[1])
    assert "(PS3.4 C.2.2.2.4)" in shown
    assert "\x1b" not in shown
    assert counts(RESULTS) == "1 passed, 1 failed, 1 not decided"


def test_terminal_breaks_no_word_of_a_failure() -> None:
    shown = line(Result(BY_IDENTIFIER["wild-uid"], failed("3 answers " * 12), 0.5), 60)
    assert all(len(each) <= 60 for each in shown.splitlines())
    assert " ".join(shown.split()).endswith("3 answers " * 11 + "3 answers")


def test_identifiers_are_unique() -> None:
    assert len(BY_IDENTIFIER) == len(ALL_CHECKS)
