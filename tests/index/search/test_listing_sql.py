"""The list of studies as exact SQL: its order, and the studies behind a position."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicomquest.index.search.compile import compile_query
from dicomquest.index.search.listing_sql import order_columns
from dicomquest.index.search.plan import Facts
from dicomquest.query.study_listing import Position, SortBy, StudyListing, StudyOrder
from fixtures.building import query
from fixtures.compiled import POSTGRESQL

STUDIES = query("STUDY")
BY_NAME = StudyOrder(SortBy.NAME)


def listed(listing: StudyListing, facts: Facts | None = None) -> tuple[str, tuple[object, ...]]:
    """The statement behind its columns, and the parameters."""
    order = listing.order or StudyOrder()
    plan = compile_query(replace(STUDIES, listing=listing), facts or Facts(), order_columns(order))
    return plan.sql.partition(" FROM ")[2], plan.parameters


def test_no_index_of_postgresql_orders_few_studies() -> None:
    """Its settings make it read a whole index rather than sort what a key finds."""
    one = query("STUDY", PatientID="1")
    for by, first in (
        (SortBy.NAME, "(patient.patient_name_alphabetic || '') "),
        (SortBy.RECEIVED, "(study.id + 0) "),
    ):
        listing = StudyListing(StudyOrder(by))
        plan = compile_query(replace(one, listing=listing), POSTGRESQL)
        assert plan.sql.rpartition(" ORDER BY ")[2].startswith(first)


@pytest.mark.parametrize("facts", [Facts(), POSTGRESQL])
def test_order_has_empty_times_last(facts: Facts) -> None:
    text, _ = listed(StudyListing(is_empty=False), facts)
    assert "study.study_date_sort IS NOT NULL" in text
    assert text.endswith(
        " ORDER BY study.study_date_sort DESC, study.study_time_sort DESC NULLS LAST, "
        "study.study_instance_uid ASC LIMIT ?"
    )
    text, _ = listed(StudyListing(is_empty=False, is_backward=True), facts)
    assert text.endswith(
        " ORDER BY study.study_date_sort ASC, study.study_time_sort ASC NULLS FIRST, "
        "study.study_instance_uid DESC LIMIT ?"
    )


def test_list_goes_on_behind_a_position() -> None:
    position = Position(("20240305", "101100.000000", "1.2"))
    text, parameters = listed(StudyListing(position=position, is_empty=False, limit=9))
    where = text.partition(" ORDER BY")[0]
    assert where == (
        "study WHERE study.study_date_sort IS NOT NULL AND study.study_date_sort <= ? AND "
        "((study.study_date_sort < ?) OR ((study.study_time_sort < ?) OR "
        "(study.study_time_sort IS NULL) OR "
        "((study.study_time_sort = ?) AND (study.study_instance_uid > ?))))"
    )
    assert parameters[-1] == 9


def test_list_by_name_begins_with_the_names() -> None:
    """SQLite reads the index of the names, unless a key leaves few studies to sort."""
    text, _ = listed(StudyListing(BY_NAME, is_empty=True))
    assert text.startswith(
        "patient CROSS JOIN study ON study.parent = patient.id "
        "WHERE patient.patient_name_alphabetic IS NULL ORDER BY"
    )
    asked = replace(query("STUDY", StudyID="7"), listing=StudyListing(BY_NAME))
    for facts in (Facts(), POSTGRESQL):
        plan = compile_query(asked, facts, order_columns(BY_NAME))
        assert " FROM study JOIN patient ON study.parent = patient.id WHERE" in plan.sql


def test_list_of_what_came_is_read_as_it_came() -> None:
    order = StudyOrder(SortBy.RECEIVED)
    text, _ = listed(StudyListing(order))
    assert text == "study NOT INDEXED ORDER BY study.id DESC LIMIT ?"
    assert "NOT INDEXED" not in listed(StudyListing(order), POSTGRESQL)[0]


def test_marks_bound_what_arrived() -> None:
    text, parameters = listed(StudyListing(None, as_of=7, since=3, limit=5))
    assert text == "study WHERE study.id + 0 <= ? AND study.id > ? LIMIT ?"
    assert parameters == (7, 3, 5)
