"""The log of slow queries."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from dicomquest.index import Index
from dicomquest.monitor.slow_queries import SlowQueries
from dicomquest.services.observer import FindFinished
from fixtures.building import instance
from fixtures.service_requests import find_of


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("slow") / "index.sqlite") as opened:
        opened.ingest_data_sets([instance(1)])
        yield opened


def slow(seconds: float = 2.5) -> FindFinished:
    return find_of(PatientName="CITIZEN*", PatientBirthDate="19700101")._replace(seconds=seconds)


def logged(
    caplog: pytest.LogCaptureFixture, index: Index, event: FindFinished, *, shows_values: bool
) -> list[str]:
    with caplog.at_level(logging.WARNING, "dicomquest.slow"):
        queries = SlowQueries(index, 1.0, shows_values=shows_values)
        queries.tell(event)
        queries.close()
    return caplog.messages


def test_slow_query_is_told_without_values(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(caplog, index, slow(), shows_values=False)
    assert line.startswith(
        "association 7: slow: 2.500 s for 1,234 matches by AE (Patient Root): patients by "
        "Patient's Name (Single Value, Person Name) and Patient's Birth Date (Single Value, date "
        "and time); return Patient's Name, "
    )
    assert "; plan: SEARCH patient USING INDEX " in line
    assert "CITIZEN" not in line
    assert "1970" not in line


def test_values_are_told_on_request(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(caplog, index, slow(), shows_values=True)
    assert "patients whose Patient's Name starts with 'CITIZEN'" in line
    assert "1970-01-01" in line


def test_fast_query_is_not_told(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, index, slow(0.99), shows_values=False) == []


def test_slow_query_that_is_none_has_no_plan(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = logged(caplog, index, slow()._replace(query=None), shows_values=False)
    assert line.endswith("(Patient Root): a query that cannot be read")


def test_query_after_the_end_is_dropped(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    queries = SlowQueries(index, 1.0)
    queries.close()
    queries.tell(slow())
    assert caplog.messages == []


def test_each_slow_query_is_counted(index: Index) -> None:
    count: list[int] = []
    queries = SlowQueries(index, 1.0, count=lambda: count.append(1))
    for seconds in (0.5, 1.0, 3.0):
        queries.tell(slow(seconds))
    queries.close()
    assert len(count) == 2
