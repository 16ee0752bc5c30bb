"""The SQL of a criterion says the same of every search form as its plain meaning."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.errors import ValueFormatError
from dicomquest.index.search.matching_sql import BY_CRITERION, MATCHING_SQL, criterion_sql
from dicomquest.index.tables.dialects import Dialect
from dicomquest.query.criteria import (
    AnyOf,
    Criterion,
    DateTimePairMatch,
    EmptyValue,
    HasValue,
    PersonName,
    Range,
    SingleInterval,
    SingleNumber,
    SingleValue,
    UIDList,
    Wild,
    WildCard,
)
from dicomquest.query.identifier.key_values import read_key
from dicomquest.query.instants import combined_range
from dicomquest.query.matching import MATCHING_TYPES, matches, words
from dicomquest.query.options import QueryOptions
from dicomquest.query.patterns import parse_pattern
from dicomquest.query.search_forms import search_form
from strategies.query import key_texts, values

PAIR = (0x00080020, 0x00080030)
DAYS = Range("20240101120000.000000", "20240102120000.000000", "")
CRITERIA: list[tuple[Criterion, str | tuple[str, ...], str, tuple[Any, ...]]] = [
    (SingleValue("A"), "c", "c = ?", ("A",)),
    (SingleNumber("7"), "c", "c = ?", ("7",)),
    (SingleInterval("20240101", "20240101", ""), "c", "c = ?", ("20240101",)),
    (SingleInterval("12", "13", ""), "c", "c >= ? AND c <= ?", ("12", "13")),
    (Range("12", None, ""), "c", "c >= ?", ("12",)),
    (Range(None, "13", ""), "c", "c <= ?", ("13",)),
    (UIDList(("1.2", "1.3")), "c", "c IN (SELECT value FROM json_each(?))", ('["1.2", "1.3"]',)),
    (WildCard(("DOE", Wild.ANY)), "c", "c >= ? AND c < ?", ("DOE", "DOF")),
    (WildCard((Wild.ANY, "D%[", Wild.ONE)), "c", "c GLOB ?", ("*D%[[]?",)),
    (WildCard(("D", Wild.ONE, "E")), "c", "c >= ? AND c < ? AND c GLOB ?", ("D", "E", "D?E")),
    (
        PersonName(((("doe",),),), any_group=True),
        ("a", "i", "p"),
        "(a = ?) OR (i = ?) OR (p = ?)",
        ("doe", "doe", "doe"),
    ),
    (
        PersonName(((("doe",),), None, (("ど", Wild.ANY),)), any_group=False),
        ("a", "i", "p"),
        "(a = ?) AND (p >= ? AND p < ?)",
        ("doe", "ど", "な"),
    ),
    (
        DateTimePairMatch(*PAIR, None, None, DAYS, None),
        ("d", "t"),
        "(d >= ? AND d <= ?) AND ((t IS NULL) OR ((d || t) >= ? AND (d || t) <= ?))",
        ("20240101", "20240102", "20240101120000.000000", "20240102120000.000000"),
    ),
    (EmptyValue(), "c", "c IS NULL", ()),
    (HasValue(), "c", "c IS NOT NULL", ()),
    (
        AnyOf((SingleValue("A"), SingleValue("B"))),
        "c",
        "c IN (SELECT value FROM json_each(?))",
        ('["A", "B"]',),
    ),
    (
        AnyOf((SingleValue("A"), WildCard((Wild.ANY, "B")))),
        "c",
        "(c = ?) OR (c GLOB ?)",
        ("A", "*B"),
    ),
]


@pytest.mark.parametrize(("criterion", "columns", "text", "parameters"), CRITERIA)
def test_sql(
    criterion: Criterion, columns: str | tuple[str, ...], text: str, parameters: tuple[Any, ...]
) -> None:
    assert criterion_sql(criterion, columns, "sqlite") == (text, parameters)


@pytest.mark.parametrize(
    ("criterion", "text", "parameters"),
    [
        (UIDList(("1.2", "1.3")), "c = ANY(?)", (["1.2", "1.3"],)),
        (WildCard(("D_", Wild.ANY)), "c >= ? AND c < ?", ("D_", "D`")),
        (WildCard(("D_", Wild.ONE)), "c >= ? AND c < ? AND c LIKE ?", ("D_", "D`", r"D\__")),
        (WildCard((Wild.ANY, "%\\")), "c LIKE ?", (r"%\%\\",)),
    ],
)
def test_sql_of_postgresql(criterion: Criterion, text: str, parameters: tuple[Any, ...]) -> None:
    assert criterion_sql(criterion, "c", "postgresql") == (text, parameters)


def test_every_criterion_has_its_sql() -> None:
    """A kind of matching has a row here and one in the table of its meaning."""
    assert set(BY_CRITERION) == {row.criterion for row in MATCHING_TYPES}
    assert len(BY_CRITERION) == len(MATCHING_SQL)


def holds(
    criterion: Criterion, form: tuple[str | None, ...], dialect: Dialect = "sqlite"
) -> bool | None:
    """Ask SQLite; None if the criterion has no SQL."""
    columns = tuple(f"c{number}" for number in range(len(form)))
    predicate = criterion_sql(criterion, columns, dialect)
    if predicate is None:
        return None
    connection = sqlite3.connect(":memory:")
    try:
        row = ", ".join(f"? AS {column}" for column in columns)
        (found,) = connection.execute(
            f"SELECT count(*) FROM (SELECT {row}) WHERE {predicate[0]}", (*form, *predicate[1])
        ).fetchone()
    finally:
        connection.close()
    return bool(found)


VRS = ("LO", "CS", "PN", "UI", "DA", "TM", "DT", "IS", "DS", "AS", "LT", "US", "FD", "AT")


@st.composite
def keys_and_values(draw: st.DrawFn) -> tuple[str, tuple[Any, ...], Any]:
    vr = draw(st.sampled_from(VRS))
    text = vr not in {"US", "FD", "AT"}
    keys = draw(st.lists(key_texts(vr) if text else values(vr), min_size=1, max_size=3))
    return vr, tuple(keys), draw(values(vr))


@pytest.mark.requirement("QR-095", "QR-103")
@given(keys_and_values())
def test_sql_and_plain_meaning_agree(drawn: tuple[str, tuple[Any, ...], Any]) -> None:
    vr, keys, value = drawn
    try:
        criterion = read_key(vr, keys, "1-n", QueryOptions(), 0)
    except ValueFormatError:
        return
    if criterion is None:
        return
    form = search_form(vr, value, 60)
    assert holds(criterion, form) is matches(criterion, form)
    assert not holds(criterion, (None,) * len(form))
    assert not matches(criterion, (None,) * len(form))
    assert words(criterion, "It").startswith("It ")


@given(
    st.sampled_from(("20240101-20240102", "20240101-", "-20240102")),
    st.sampled_from(("1200-1300", "1200-", "-1300")),
    st.one_of(st.none(), values("DA")),
    st.one_of(st.none(), values("TM")),
)
def test_sql_and_plain_meaning_of_pair_agree(
    date_key: str, time_key: str, date: str | None, time: str | None
) -> None:
    combined = combined_range(date_key, time_key)
    if combined is None:
        assert [bool(part) for part in date_key.split("-")] != [
            bool(part) for part in time_key.split("-")
        ]
        return
    form = (
        search_form("DA", date, 0)[0] if date else None,
        search_form("TM", time, 0)[0] if time else None,
    )
    criterion = DateTimePairMatch(*PAIR, None, None, combined, None)
    assert holds(criterion, form) is matches(criterion, form)


@pytest.mark.requirement("QR-104")
def test_thousands_of_values_are_one_statement() -> None:
    """Thousands of UIDs and of values are one statement."""
    uids = tuple(f"1.2.{number}" for number in range(5000))
    assert holds(UIDList(uids), ("1.2.4999",))
    assert not holds(UIDList(uids), ("1.2.5000",))
    patterns = AnyOf(tuple(WildCard(parse_pattern(f"*{number}")) for number in range(3000)))
    assert holds(patterns, ("x2999",))
    assert not holds(patterns, ("x",))
