"""The searches of the table by HTTP: our answers are right, and the page has Orthanc's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dicomquest.dataset.elements import from_pydicom
from dicomquest.index import Index
from fixtures.postgresql_cluster import Cluster
from fixtures.tool_modules import load_tool
from fixtures.web import Browser
from peers import realistic
from peers.search_table import ROWS, SearchRow, outcome_of

search_differences = load_tool("search_differences")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            location = str(tmp_path_factory.mktemp("searches") / "index.sqlite")
        else:
            cluster: Cluster = request.getfixturevalue("postgresql")
            location = stack.enter_context(cluster.database())
        index = stack.enter_context(Index(location))
        index.ingest_data_sets(map(from_pydicom, realistic.instances()))
        yield Browser(index)


@pytest.mark.requirement(
    "QI-001", "QI-002", "QI-003", "QI-004", "QI-005", "QI-006", "QI-007", "QI-008", "QI-009",
    "QI-010", "QI-011", "QI-012", "QI-013", "QI-017", "QI-020", "QI-021", "QI-022", "QI-023",
    "QI-024", "QI-025", "QI-028", "QI-029", "QI-030", "QI-043", "QI-049",
)  # fmt: skip
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path[:60])
def test_our_answer_is_the_right_one(browser: Browser, row: SearchRow) -> None:
    response = browser.get(row.path, Accept="application/dicom+json")
    is_result = response.status_code == 200
    outcome = outcome_of(
        row,
        response.status_code,
        json.loads(response.content) if is_result else [],
        response.headers.get("Warning", ""),
    )
    assert (outcome.code, len(outcome.found)) == (row.code, row.found)
    assert (outcome.missing, outcome.needless, outcome.left) == ((), (), row.left)


@pytest.mark.peer("Orthanc", "OrthancDicomWeb")
def test_page_has_the_differences(tmp_path: Path) -> None:
    """The page lists what Orthanc's plugin answers today."""
    page = search_differences.PAGE.read_text(encoding="utf-8")
    assert search_differences.section(search_differences.run(tmp_path)) in page
