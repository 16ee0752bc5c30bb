"""Pages of a search as exact SQL (PS3.18 8.3.4.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.plan import Facts
from dicomquest.query.model import Page
from dicomquest.query.records import Records
from fixtures.building import query
from fixtures.compiled import POSTGRESQL

STUDIES = replace(query("STUDY", PatientID=""), page=Page(10, 20))


@pytest.mark.requirement("QI-031")
def test_studies_come_newest_first() -> None:
    plan = compile_query(STUDIES)
    assert plan.sql.endswith(
        " ORDER BY study.study_date_sort DESC, study.study_time_sort DESC, study.id DESC "
        "LIMIT ? OFFSET ?"
    )
    assert plan.parameters[-2:] == (10, 20)


def test_an_order_of_postgresql_has_missing_dates_last() -> None:
    plan = compile_query(STUDIES, POSTGRESQL)
    assert (
        "study.study_date_sort DESC NULLS LAST, study.study_time_sort DESC NULLS LAST" in plan.sql
    )


@pytest.mark.requirement("QI-031")
def test_all_matches_come_as_the_index_has_them() -> None:
    """SQLite reads in the same order each time; PostgreSQL may begin anywhere."""
    everything = replace(STUDIES, page=Page())
    assert "ORDER BY" not in compile_query(everything).sql
    assert " ORDER BY study.id LIMIT (SELECT" in compile_query(everything, POSTGRESQL).sql
    assert compile_query(replace(STUDIES, page=None)).sql == compile_query(everything).sql


@pytest.mark.requirement("QI-031")
def test_no_index_of_postgresql_orders_few_matches() -> None:
    """Its settings make it read a whole index rather than sort what a key finds."""
    one = query("STUDY", PatientID="1")
    paged = compile_query(replace(one, page=Page(1)), POSTGRESQL)
    assert " ORDER BY (study.study_date_sort || '') DESC NULLS LAST, " in paged.sql
    every = compile_query(replace(one, page=Page()), POSTGRESQL)
    assert " ORDER BY (study.id + 0) LIMIT (SELECT" in every.sql
    series = replace(query("SERIES", StudyInstanceUID="1.2"), page=Page(1))
    assert " ORDER BY (series.parent + 0) DESC, " in compile_query(series, POSTGRESQL).sql
    assert " ORDER BY series.parent DESC, " in compile_query(series).sql


def test_the_cursor_cuts_what_python_filters() -> None:
    nested = query("SERIES", RequestAttributesSequence=[{}], PatientID="")
    asked = query("STUDY", OtherPatientIDsSequence=[query_item()])
    assert "LIMIT ? OFFSET ?" in compile_query(replace(nested, page=Page(1)), POSTGRESQL).sql
    plan = compile_query(replace(asked, page=Page(1)), POSTGRESQL)
    assert plan.row_filter is not None
    assert "LIMIT ?" not in plan.sql
    assert "LIMIT ?" in compile_query(replace(asked, page=Page(1)), Facts()).sql


def query_item() -> dict[int, object]:
    """An item that only Python can match: two keys of one item."""
    from fixtures.building import data_set

    return dict(data_set(PatientID="a*b", IssuerOfPatientID="c"))


@pytest.mark.parametrize(
    ("page", "before", "expected"),
    [
        (Page(2, 1), 0, [1, 2]),
        (Page(2, 1), 2, [0]),
        (Page(2, 1), 3, []),
        (Page(None, 3), 2, [1, 2, 3]),
        (Page(1), 0, [0]),
    ],
)
def test_a_page_takes_its_rows(page: Page, before: int, expected: list[int]) -> None:
    assert list(page.of([0, 1, 2, 3], before)) == expected


@pytest.mark.requirement("RQ-010")
def test_records_go_on_behind_a_row() -> None:
    """A page of records has no offset, and one row more, which shows that there are others."""
    records = Records("0a02", is_returned=True, after=7, most=500)
    asked = replace(query("STUDY", PatientID=""), records=records)
    plan = compile_query(asked)
    assert "'0a02' || printf('%016x', study.id) FROM" in plan.sql
    assert plan.sql.endswith("study.id > ? ORDER BY study.id LIMIT ?")
    assert plan.parameters == (7, 501)
    assert "lpad(to_hex(study.id), 16, '0')" in compile_query(asked, POSTGRESQL).sql
