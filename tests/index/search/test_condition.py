"""Conditions joined by AND and OR."""

from __future__ import annotations

import sqlite3

import pytest

from dicomquest.index.search.condition import joined


def test_one_condition_stays_as_it_is() -> None:
    assert joined("AND", [("a = ?", (1,))]) == ("a = ?", (1,))


def test_conditions_stand_in_parentheses_in_order() -> None:
    text, parameters = joined("OR", [("a = ?", (1,)), ("b IN (?, ?)", (2, 3)), ("c", ())])
    assert text == "(a = ?) OR (b IN (?, ?)) OR (c)"
    assert parameters == (1, 2, 3)


@pytest.mark.parametrize("operator", ["AND", "OR"])
def test_thousands_of_conditions_nest_little(operator: str) -> None:
    """SQLite refuses an expression deeper than 1,000, which a chain of operators would be."""
    count = 5000
    text, parameters = joined(operator, [("? = ?", (number, 1)) for number in range(count)])
    assert parameters[::2] == tuple(range(count))
    connection = sqlite3.connect(":memory:")
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32766)
    (found,) = connection.execute(f"SELECT {text}", parameters).fetchone()
    assert found == (operator == "OR")
    connection.close()
