"""The log of queries that found nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dicomquest.index import Index
from dicomquest.monitor.nothing_found import MOST_KEYS, NothingFound
from dicomquest.services.observer import FindFinished
from fixtures.building import instance
from fixtures.service_requests import find_of


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index(tmp_path_factory.mktemp("nothing") / "index.sqlite") as opened:
        opened.ingest_data_sets([instance(1, PatientName="CITIZEN^JAN", PatientSex="M")])
        yield opened


def nothing() -> FindFinished:
    return find_of(PatientName="CITIZEN*", PatientBirthDate="19700101")._replace(matches=0)


def logged(
    caplog: pytest.LogCaptureFixture,
    index: Index,
    event: FindFinished,
    *,
    shows_values: bool = False,
    longest: float = 30.0,
) -> list[str]:
    with caplog.at_level(logging.INFO, "dicomquest.nothing"):
        observer = NothingFound(index, shows_values=shows_values, longest=longest)
        observer.tell(event)
        observer.close()
    return caplog.messages


def test_excluding_key_is_told(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(caplog, index, nothing())
    assert line.startswith(
        "association 7: nothing found by AE (Patient Root): patients by Patient's Name (Single "
        "Value, Person Name) and Patient's Birth Date (Single Value, date and time); return "
    )
    assert (
        "; reason: Patient's Birth Date excludes everything; matches of each key alone/without "
        "it: Patient's Name 1/0, Patient's Birth Date 0/1; plan: SEARCH patient USING INDEX "
    ) in line
    assert "CITIZEN" not in line
    assert "1970" not in line


def test_values_are_told_on_request(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(caplog, index, nothing(), shows_values=True)
    assert "patients whose Patient's Name starts with 'CITIZEN'" in line


def test_filter_of_the_one_who_asks_counts(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    """No key and no count tells of entities that the caller must not see."""
    event = find_of(PatientName="CITIZEN*")._replace(matches=0)
    assert event.query is not None
    hidden = find_of(PatientSex="F").query
    assert hidden is not None
    event = event._replace(query=replace(event.query, visible=hidden.criteria))
    (line,) = logged(caplog, index, event)
    assert "; reason: there are no patients at all; " in line


@pytest.mark.parametrize(
    "change", [{"matches": 3}, {"status": 0xA900}, {"status": None}, {"query": None}]
)
def test_other_queries_are_not_told(
    index: Index, caplog: pytest.LogCaptureFixture, change: dict[str, Any]
) -> None:
    assert logged(caplog, index, nothing()._replace(**change)) == []


def test_endless_explanation_is_given_up(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged(caplog, index, nothing(), longest=0.0)
    assert line.endswith("; reason: not found within 0 s") or "; reason: Patient's Birth" in line


def test_query_of_many_keys_is_not_explained(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    event = nothing()
    assert event.query is not None
    many = replace(event.query, criteria=event.query.criteria * MOST_KEYS)
    (line,) = logged(caplog, index, event._replace(query=many))
    assert line.endswith("; reason: not looked for")


def test_query_after_the_end_is_dropped(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    observer = NothingFound(index)
    observer.close()
    observer.tell(nothing())
    assert caplog.messages == []
