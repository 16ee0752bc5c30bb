"""The words of each database and its driver."""

from __future__ import annotations

from dicomquest.index.tables.dialects import numbered, percent_marks


def test_statements_are_written_for_each_driver() -> None:
    statement = "SELECT '%' FROM study WHERE a = ? AND b LIKE ?"
    assert percent_marks(statement) == "SELECT '%%' FROM study WHERE a = %s AND b LIKE %s"
    assert numbered(statement) == "SELECT '%' FROM study WHERE a = $1 AND b LIKE $2"
