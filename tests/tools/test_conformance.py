from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from fixtures.tool_modules import load_tool

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def conformance() -> ModuleType:
    return load_tool("conformance")


def test_requirements_are_covered_answered_or_missing(conformance: ModuleType) -> None:
    """Each requirement is covered, answered or missing."""
    requirements = {"UL-001": "one", "UL-002": "two", "UL-003": "three"}
    lines, complete = conformance.report(
        requirements, {"UL-002": "because"}, {"UL-001": ["test_a.py::test"]}
    )
    assert lines == [
        "UL-001  covered    one",
        "          test_a.py::test",
        "UL-002  otherwise  two",
        "          because",
        "UL-003  MISSING    three",
        "3 requirements: 1 covered, 1 answered otherwise, 1 MISSING",
    ]
    assert not complete


def test_number_that_is_no_requirement_is_error(conformance: ModuleType) -> None:
    lines, complete = conformance.report({"UL-001": "one"}, {}, {"UL-001": ["a"], "UL-999": ["b"]})
    assert "UL-999  is no requirement, but is named by a test or in conformance.md" in lines
    assert not complete


def test_pages_are_read(conformance: ModuleType) -> None:
    requirements = conformance.read_table(
        ROOT / "docs" / "reference" / "requirements.md", conformance.REQUIREMENT_LINE
    )
    assert len(requirements) == 455
    assert requirements["UL-022"].startswith(
        "Every abstract syntax is offered with Implicit VR Little Endian"
    )
